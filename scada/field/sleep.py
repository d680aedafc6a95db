"""Sleeping until a deadline or until woken, whichever comes first."""

from __future__ import annotations

import asyncio
from typing import Final

from scada.clock import Clock

LONGEST_NS: Final = 1_000_000_000


class Sleeper:
    """One task's sleep; any other may wake it.

    Args:
        clock: Monotonic time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Ends the sleep, or the next one at once."""
        self._woken.set()

    async def until(self, deadline_ns: int) -> None:
        """Sleeps until the deadline, until woken, or for 1 s.

        Args:
            deadline_ns: Monotonic, ns.
        """
        delay_ns = min(deadline_ns - self._clock.monotonic_ns(), LONGEST_NS)
        if delay_ns > 0 and not self._woken.is_set():
            timer = asyncio.get_running_loop().call_later(delay_ns / 1e9, self._woken.set)
            await self._woken.wait()
            timer.cancel()
        self._woken.clear()
