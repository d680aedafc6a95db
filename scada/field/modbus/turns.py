"""Whose turn it is on a shared connection: stops first, then writes, heartbeats and polls, and nobody starves.

Within a class the one that waits longest comes first, so every device gets one request before any gets its second.
"""

from __future__ import annotations

import asyncio
import heapq
from typing import Final

STOP, WRITE, HEARTBEAT, POLL = range(4)
PROBE_PATIENCE_NS: Final = 1_000_000_000
"""A probe of a unit that does not answer lets polls pass that come up to this much later."""
IN_A_ROW: Final = 8
"""After so many writes and heartbeats in a row the heartbeat or poll that waits longest has its turn."""

_Waiter = tuple[int, int, asyncio.Future[bool]]


class Turns:
    """One at a time; who must wait is called by urgency, then by how long he waits."""

    def __init__(self) -> None:
        self._taken = False
        self._count = 0
        self._row = 0
        self._waiting: tuple[list[_Waiter], ...] = ([], [], [], [])
        self._queue = 0  # how many wait

    def take_now(self, urgency: int) -> bool:
        """Takes the turn if nobody has it; False when one must `wait`."""
        if self._taken:
            return False
        self._taken = True
        self._note(urgency)
        return True

    async def wait(self, urgency: int, since_ns: int, place: asyncio.Future[bool] | None = None) -> bool:
        """Waits for the turn, and takes it.

        Args:
            urgency: STOP, WRITE, HEARTBEAT or POLL.
            since_ns: Since when; the earlier, the sooner. Of the same clock for all.
            place: Who sets it False waits no longer; None for one that nobody knows.

        Returns:
            Whether it is his turn; False when `place` was given up.
        """
        mine = place or asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._waiting[urgency], (since_ns, self._count, mine))
        self._queue += 1
        try:
            return await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled() and mine.result():  # it was given to us while we went
                self.give()
            raise

    def give(self) -> None:
        """Passes the turn on."""
        self._taken = False
        if not self._queue:  # nearly always: most devices have their connection for themselves
            return
        while (urgency := self._next()) is not None:
            waiter = heapq.heappop(self._waiting[urgency])[2]
            self._queue -= 1
            if not waiter.done():
                self._taken = True
                self._note(urgency)
                waiter.set_result(True)
                return

    def _next(self) -> int | None:
        waiting = self._waiting
        if waiting[STOP]:
            return STOP
        if self._row >= IN_A_ROW and (waiting[POLL] or waiting[HEARTBEAT]):
            return min((some[0], urgency) for urgency in (HEARTBEAT, POLL) if (some := waiting[urgency]))[1]
        return next((urgency for urgency, some in enumerate(waiting) if some), None)

    def _note(self, urgency: int) -> None:
        self._row = 0 if urgency == POLL else self._row + 1
