"""One device's view of its connection: when to connect again, how fast it answers, what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from scada.clock import Clock
from scada.field.driver import NoReplyError, RefusedError
from scada.field.modbus.bus import Bus
from scada.field.modbus.config import Config
from scada.modbus.wire import Ask, Pdu

BACK_OFF_FIRST_NS: Final = 200_000_000
BACK_OFF_MOST_NS: Final = 2_000_000_000
_KEPT: Final = 512


class Link:
    """A connection that is opened again with back-off, one request (or window of requests) at a time.

    Args:
        config: Unit, time-out.
        clock: Monotonic time for latency and back-off.
        bus: The connection, which other devices may share.

    Attributes:
        errors: Requests without a right reply, and refused ones, since start.
        good_ns: Monotonic time of the last right reply, ns; 0 for never.
        failures: Failures (connect or reply) since the last right reply.
    """

    def __init__(self, config: Config, clock: Clock, bus: Bus) -> None:
        self._config = config
        self._clock = clock
        self._bus = bus
        self._joined = False
        self._latency = np.zeros(_KEPT, np.float64)
        self._asked = 0
        self.errors = 0
        self.good_ns = 0
        self.failures = 0
        self.next_try_ns = 0

    @property
    def open(self) -> bool:
        """Whether requests may be sent."""
        return self._joined and self._bus.open

    def prepare(self, request: Pdu) -> Ask:
        """A request of this device, ready to be sent again and again."""
        return Ask(request, self._config.unit_id, self._config.timeout_ns)

    async def connect(self) -> bool:
        """Tries once; sets `next_try_ns` when it fails.

        The first try after a good reply comes at once, later ones wait 0.2 s, doubling to 2 s: a device that accepts
        connections but never answers rightly is not hammered either.
        """
        self.close()
        self._bus.join()
        self._joined = True
        if await self._bus.connect():
            return True
        self._failed()
        return False

    async def ask(self, ask: Ask) -> bytes:
        """Sends a prepared request.

        Returns:
            The data of the reply behind the function code.

        Raises:
            RefusedError: A Modbus exception.
            NoReplyError: Outcome unknown; the connection has been dropped.
        """
        start = self._clock.monotonic_ns()
        try:
            data = await self._bus.ask(ask)
        except RefusedError:
            self.errors += 1
            self._answered(start)
            raise
        except NoReplyError:
            self.errors += 1
            self._failed()
            raise
        self._answered(start)
        return data

    async def ask_all(self, asks: Sequence[Ask]) -> list[bytes | int]:
        """Sends prepared requests, as many at once as the window allows.

        Returns:
            For each request the data of its reply behind the function code, or the code of a Modbus exception.

        Raises:
            NoReplyError: One of them had no right reply; the connection has been dropped.
        """
        start = self._clock.monotonic_ns()
        try:
            found = await self._bus.ask_all(asks)
        except NoReplyError:
            self.errors += 1
            self._failed()
            raise
        self.errors += sum(isinstance(answer, int) for answer in found)
        self._answered(start)
        return found

    def close(self) -> None:
        """Leaves the connection; the last device of it drops it."""
        if self._joined:
            self._joined = False
            self._bus.leave()

    def latency_ms(self) -> tuple[float, float]:
        """p50 and p99 of the last 512 replies, ms; zeros before the first."""
        known = self._latency[: min(self._asked, _KEPT)]
        if len(known) == 0:
            return 0.0, 0.0
        p50, p99 = np.percentile(known, (50, 99))
        return float(p50), float(p99)

    def _answered(self, start_ns: int) -> None:
        self.good_ns = self._clock.monotonic_ns()
        self._latency[self._asked % _KEPT] = (self.good_ns - start_ns) / 1e6
        self._asked += 1
        self.failures = 0

    def _failed(self) -> None:
        self.failures += 1
        wait = (
            0 if self.failures == 1 else min(BACK_OFF_FIRST_NS << min(self.failures - 2, 8), BACK_OFF_MOST_NS)
        )
        self.next_try_ns = self._clock.monotonic_ns() + wait
