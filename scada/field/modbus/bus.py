"""One connection shared by all devices with the same endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from scada.clock import Clock
from scada.field.driver import NoReplyError
from scada.field.modbus.config import Config
from scada.field.modbus.transport import Factory, Transport
from scada.modbus.wire import Ask


class Bus:
    """The one connection to an endpoint; one request (or window of requests) at a time, in the order of asking.

    Args:
        config: Of the first of its devices.
        clock: Monotonic time.
        transport: Makes what opens its connections.
    """

    def __init__(self, config: Config, clock: Clock, transport: Factory) -> None:
        self._opener = transport(config, clock)
        self._current: Transport | None = None
        self._lock = asyncio.Lock()
        self._users = 0

    @property
    def open(self) -> bool:
        """Whether requests may be sent."""
        return self._current is not None and self._current.open

    async def connect(self) -> bool:
        """Makes sure that the connection stands; tries once."""
        async with self._lock:
            if self.open:
                return True
            self.drop()
            self._current = self._opener()
            return await self._current.connect()

    async def ask(self, ask: Ask) -> bytes:
        """As `Transport.ask`, after whoever asked before."""
        async with self._lock:
            return await self._ready().ask(ask)

    async def ask_all(self, asks: Sequence[Ask]) -> list[bytes | int]:
        """As `Transport.ask_all`, after whoever asked before."""
        async with self._lock:
            return await self._ready().ask_all(asks)

    def drop(self) -> None:
        """Drops the connection, if any."""
        if self._current is not None:
            self._current.close()
            self._current = None

    def join(self) -> None:
        """One more device uses the connection."""
        self._users += 1

    def leave(self) -> None:
        """A device does not use it any more; the last one closes it."""
        self._users -= 1
        if self._users <= 0:
            self.drop()

    def _ready(self) -> Transport:
        if self._current is None:
            raise NoReplyError("not connected")
        return self._current
