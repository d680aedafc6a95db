"""The one connection to a device: when to connect again, how fast it answers, what went wrong.

A transport is one connection from its opening to its end. It is made in one place and may be another than TCP: serial
lines, TLS, or the network of a simulation come without touching the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import numpy as np

from scada.clock import Clock
from scada.field.driver import NoReplyError, RefusedError
from scada.field.modbus import pdu
from scada.field.modbus.config import Config
from scada.field.modbus.pdu import Ask
from scada.field.modbus.wire import Pdu

__all__ = ["Ask", "Link", "Transport"]

BACK_OFF_FIRST_NS: Final = 200_000_000
BACK_OFF_MOST_NS: Final = 2_000_000_000
_KEPT: Final = 512


class Transport(Protocol):
    """One connection."""

    @property
    def open(self) -> bool:
        """Whether requests may be sent."""
        ...

    async def connect(self) -> bool:
        """Connects once; False when that failed within the time-out."""
        ...

    async def ask(self, ask: Ask) -> bytes:
        """Sends a request and returns the data of its right reply. Raises RefusedError or NoReplyError."""
        ...

    def close(self) -> None:
        """Drops the connection; late bytes go with it."""
        ...


def over_tcp(config: Config) -> Transport:
    """Modbus/TCP, as the settings of the device say."""
    return pdu.Session(config.host, config.port, config.timeout_ns)


class Link:
    """A connection that is opened again with back-off, one request at a time.

    Args:
        config: Endpoint, unit, time-out.
        clock: Monotonic time for latency and back-off.
        transport: Makes one connection, not opened yet.

    Attributes:
        errors: Requests without a right reply, and refused ones, since start.
        good_ns: Monotonic time of the last right reply, ns; 0 for never.
        failures: Failures (connect or reply) since the last right reply.
    """

    def __init__(
        self, config: Config, clock: Clock, transport: Callable[[Config], Transport] = over_tcp
    ) -> None:
        self._config = config
        self._clock = clock
        self._transport = transport
        self._current: Transport | None = None
        self._latency = np.zeros(_KEPT, np.float64)
        self._asked = 0
        self.errors = 0
        self.good_ns = 0
        self.failures = 0
        self.next_try_ns = 0

    @property
    def open(self) -> bool:
        """Whether requests may be sent."""
        return self._current is not None and self._current.open

    def prepare(self, request: Pdu) -> Ask:
        """A request of this device, ready to be sent again and again."""
        return Ask(request, self._config.unit_id)

    async def connect(self) -> bool:
        """Tries once; sets `next_try_ns` when it fails.

        The first try after a good reply comes at once, later ones wait 0.2 s, doubling to 2 s: a device that accepts
        connections but never answers rightly is not hammered either.
        """
        self.close()
        self._current = self._transport(self._config)
        if await self._current.connect():
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
        if self._current is None:
            raise NoReplyError("not connected")
        start = self._clock.monotonic_ns()
        try:
            data = await self._current.ask(ask)
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

    def close(self) -> None:
        """Drops the connection, if any."""
        if self._current is not None:
            self._current.close()
            self._current = None

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
