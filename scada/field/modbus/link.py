"""One device's view of its connection: when to ask again, how fast it answers, what went wrong."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from scada.clock import Clock
from scada.field.driver import CLOSED, MISMATCH, TIMEOUT, NoReplyError, RefusedError, WithdrawnError
from scada.field.modbus.bus import Bus
from scada.field.modbus.config import Config
from scada.field.modbus.turns import POLL, PROBE_PATIENCE_NS
from scada.modbus.wire import Ask, Pdu

CONNECT: Final = "connect"
EXCEPTION: Final = "exception"
NOBODY_BEHIND: Final = frozenset(
    {10, 11}
)  # a gateway's own words: no path to the unit, no answer of the unit
_KEPT: Final = 512


class Link:
    """A device's part of a bus: one request (or window of requests) at a time, and a back-off of its own.

    Args:
        config: Unit, time-out.
        clock: Monotonic time for latency and back-off.
        bus: The connection, which other devices may share.

    Attributes:
        errors: Requests without a right reply, and refused ones, since start.
        errors_by_kind: The same by `timeout`, `mismatch`, `closed`, `exception`; and `connect`: connections that failed.
        good_ns: Monotonic time of the last right reply, ns; 0 for never.
        failures: Failures (connect or reply) since the last right reply.
        next_try_ns: Not asked before this, ns monotonic.
        reason: What failed last, for people.
        heard_ns: When the replies of the last `ask_all` came, ns monotonic.
    """

    def __init__(self, config: Config, clock: Clock, bus: Bus) -> None:
        self._config = config
        self._clock = clock
        self._bus = bus
        self._joined = False
        self._up = False
        self._breaks = 0
        self._latency = array("q", bytes(8 * _KEPT))  # ns
        self._asked = 0
        self._place: asyncio.Future[bool] | None = None  # of a poll that waits for its turn …
        self._since_ns = 0  # … since then
        self.heard_ns: Sequence[int] = ()
        self.errors = 0
        self.errors_by_kind = dict.fromkeys((TIMEOUT, MISMATCH, CLOSED, EXCEPTION, CONNECT), 0)
        self.good_ns = 0
        self.failures = 0
        self.next_try_ns = 0
        self.reason = ""
        bus.add(self)

    @property
    def open(self) -> bool:
        """Whether requests may be sent: its connection stands, or is being made anew for another unit's sake."""
        bus = self._bus
        return self._up and self._breaks == bus.breaks and bus.usable

    @property
    def dead(self) -> bool:
        """It did not answer when asked again."""
        return self.failures > 1

    @property
    def answers(self) -> bool:
        """Its last request was answered."""
        return self.good_ns > 0 and self.failures == 0

    def try_now(self) -> None:
        """The bus has come back: ask at once."""
        self.next_try_ns = 0

    def prepare(self, request: Pdu, wanted: Callable[[], bool] | None = None) -> Ask:
        """A request of this device, ready to be sent again and again.

        Args:
            request: Its bytes.
            wanted: Whether it is still to be sent, asked right before that; None where nobody takes it back.
        """
        return Ask(request, self._config.unit_id, self._config.timeout_ns, wanted)

    def hurry(self, urgent: Callable[[], bool]) -> None:
        """A poll that still waits for its turn is given up if `urgent` says so; the next one has its place."""
        place = self._place
        if place is not None and not place.done() and urgent():
            place.set_result(False)

    async def connect(self) -> bool:
        """Tries once; sets `next_try_ns` when it fails.

        The first try after a good reply comes at once, later ones wait 0.2 s, doubling to 2 s: a device that accepts
        connections but never answers rightly is not hammered either. On a shared bus it may be longer (see `bus`).
        """
        bus = self._bus
        if not self._joined:
            self._joined = True
            bus.join()
        await self._take(POLL)
        try:
            await bus.ready(None)
            self._up = True
        except NoReplyError as error:
            self._up = False
            self.reason = str(error)
            self.errors_by_kind[CONNECT] += 1
            self.failures += 1
            self.next_try_ns = bus.next_try_ns
        finally:
            self._breaks = bus.breaks
            bus.turns.give()
        return self._up

    async def ask(self, ask: Ask, urgency: int = POLL) -> bytes:
        """Sends a prepared request.

        Args:
            ask: Made by `prepare`.
            urgency: STOP, WRITE, HEARTBEAT or POLL of `turns`, where several devices share the connection.

        Returns:
            The data of the reply behind the function code.

        Raises:
            RefusedError: A Modbus exception of the device.
            NoReplyError: Outcome unknown.
            WithdrawnError: It was taken back while it waited; nothing was sent.
        """
        answer = (await self.ask_all((ask,), urgency))[0]
        if isinstance(answer, int):
            raise RefusedError(answer)
        return answer

    async def ask_all(self, asks: Sequence[Ask], urgency: int = POLL) -> list[bytes | int]:
        """Sends prepared requests, as many at once as the window allows.

        Args:
            asks: Made by `prepare`.
            urgency: As for `ask`.

        Returns:
            For each request the data of its reply behind the function code, or the code of a Modbus exception.

        Raises:
            NoReplyError: One of them had no right reply.
            WithdrawnError: The first is not wanted any more, or gave way to something urgent; nothing was sent.
        """
        bus = self._bus
        if not bus.turns.take_now(urgency):
            await self._line_up(urgency)
        start = self._clock.monotonic_ns()
        try:
            transport = bus.standing(self._breaks) or await bus.ready(self._breaks)
            wanted = asks[0].wanted
            if wanted is not None and not wanted():
                raise WithdrawnError("taken back while it waited for its turn")
            found = await transport.ask_all(asks)
            for answer in found:
                if isinstance(answer, int):
                    self._refused(answer)
        except NoReplyError as error:
            self._failed(error, start)
            raise
        finally:
            bus.turns.give()
        self._answered(start)
        heard: Sequence[int] = getattr(transport, "heard_ns", ())
        self.heard_ns = heard if len(heard) == len(found) else [self.good_ns] * len(found)
        return found

    def close(self) -> None:
        """Leaves the connection; the last device of it drops it."""
        self._up = False
        if self._joined:
            self._joined = False
            self._bus.leave()

    def latency_ms(self) -> tuple[float, float]:
        """p50 and p99 of the last 512 replies, ms, without the wait for its turn; zeros before the first."""
        n = min(self._asked, _KEPT)
        if not n:
            return 0.0, 0.0
        p50, p99 = n // 2, n * 99 // 100
        # each second for each of a thousand devices
        known = np.partition(np.frombuffer(self._latency, np.int64, n), (p50, p99))
        return float(known[p50]) / 1e6, float(known[p99]) / 1e6

    def bus_load(self) -> float:
        """Share of the time in which a shared connection is busy, 0 … 1; 0 where it is not shared."""
        return self._bus.load() if self._bus.shared else 0.0

    async def _take(self, urgency: int) -> None:
        turns = self._bus.turns
        if not turns.take_now(urgency):
            patience = PROBE_PATIENCE_NS if self.dead else 0
            await turns.wait(urgency, self._clock.monotonic_ns() + patience)

    async def _line_up(self, urgency: int) -> None:
        if urgency != POLL:
            await self._take(urgency)
            return
        patience = PROBE_PATIENCE_NS if self.dead else 0
        since = self._since_ns = self._since_ns or self._clock.monotonic_ns() + patience
        place = self._place = asyncio.get_running_loop().create_future()
        try:
            if not await self._bus.turns.wait(POLL, since, place):
                raise WithdrawnError("gave way to something urgent")
        finally:
            self._place = None
        self._since_ns = 0

    def _refused(self, code: int) -> None:
        """An exception. That of a gateway is not the unit's: of the unit nothing is known."""
        if code in NOBODY_BEHIND:
            raise NoReplyError(
                f"the gateway has no answer of unit {self._config.unit_id} (exception {code})", TIMEOUT
            )
        self.errors += 1
        self.errors_by_kind[EXCEPTION] += 1

    def _answered(self, start_ns: int) -> None:
        now = self.good_ns = self._clock.monotonic_ns()
        self._latency[self._asked % _KEPT] = now - start_ns
        self._asked += 1
        if self._bus.shared:
            self._bus.spent(start_ns, now)
        if self.failures:
            self.failures = 0
            self._bus.revived()

    def _failed(self, error: NoReplyError, start_ns: int) -> None:
        now = self._clock.monotonic_ns()
        bus = self._bus
        self._up = False
        self.reason = str(error)
        self.errors += 1
        self.errors_by_kind[error.kind] += 1
        self.failures += 1
        bus.missed(error)
        bus.spent(start_ns, now)
        self.next_try_ns = max(now + bus.pause_ns(self.failures, now - start_ns), bus.next_try_ns)
