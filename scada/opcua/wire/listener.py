"""The socket, and a look at all connections now and then: who is too slow, too idle, or holds too much."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import resource
import socket
import time
from typing import TYPE_CHECKING, Final

from asyncua.server.binary_server_asyncio import BinaryServer

from scada.opcua import limits
from scada.opcua.wire import decode
from scada.opcua.wire.budget import Budget
from scada.opcua.wire.processor import TO_ACTIVATE_S
from scada.opcua.wire.protocol import Protocol
from scada.opcua.wire.room import Room

if TYPE_CHECKING:
    from asyncua.common.connection import TransportLimits
    from asyncua.crypto.security_policies import SecurityPolicyFactory

    from scada.opcua.security.sessions import SiteServer

LOOK_S: Final = 0.5
IDLE_PER_SOURCE: Final = 400  # connections without a session; the least worth one goes for a newcomer
QUEUE: Final = 1024  # connections that the system holds for us; asyncio's 100 are full at once
TOTAL: Final = 32 * 1024 * 1024  # bytes that all connections hold together
TRIM_FROM: Final = 16 * 1024 * 1024  # bytes that were held before the C library is asked to give memory back
_FILES: Final = 4096


class Listener(BinaryServer):
    """asyncua's, whose connections are ours.

    Args:
        iserver: The server.
        host: To listen on.
        port: To listen on.
        limits_: Not used: each channel has its own (`transport`).
    """

    iserver: SiteServer

    def __init__(self, iserver: SiteServer, host: str, port: int, limits_: TransportLimits) -> None:
        super().__init__(iserver, host, port, limits_)
        self.room = Room(
            limits.CONNECTIONS, limits.CONNECTIONS_KEPT, IDLE_PER_SOURCE, limits.CONNECTIONS_PER_SOURCE
        )
        self.budget = Budget(TOTAL)
        self._looking: asyncio.Task[None] | None = None
        self._trim = False

    @property
    def policies(self) -> list[SecurityPolicyFactory]:
        """Offered on new channels."""
        return self._policies

    @staticmethod
    def now() -> float:
        """Monotonic, s."""
        return time.monotonic()

    def _make_protocol(self) -> Protocol:
        return Protocol(self)

    async def start(self) -> None:
        """Listens."""
        more_files()
        await super().start()
        assert self._server is not None
        for its in self._server.sockets:
            with socket.socket(fileno=os.dup(its.fileno())) as same:
                same.listen(QUEUE)
        self._looking = asyncio.create_task(self._look_again_and_again())

    async def stop(self) -> None:
        """Ends all connections."""
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
        await super().stop()

    # -- asked by connections ---------------------------------------------------------------------------------------

    def enter(self, connection: Protocol) -> bool:
        """Whether a new connection may stay; another one may end for it."""
        stays, victim = self.room.enter(connection, connection.source)
        if isinstance(victim, Protocol):
            victim.abort()
        return stays

    def leave(self, connection: Protocol) -> None:
        """A connection has ended."""
        self.room.leave(connection)
        self.budget.hold(connection, 0)

    def hold(self, connection: Protocol, size: int) -> None:
        """A connection holds this many bytes; beyond the budget the one that holds most ends."""
        if self.budget.hold(connection, size):
            return
        largest = self.budget.largest()
        if isinstance(largest, Protocol):
            self._too_slow(largest)

    def refused(self, status: int) -> None:
        """A connection ended with an error."""
        self.iserver.wire.refused(status)

    def health(self) -> dict[str, int]:
        """For the health tags of the service."""
        wire = self.iserver.wire
        refused = wire.refusals.total() + self.room.refused + self.room.ended
        return {"connections": len(self.room), "refusals": refused, "slow_clients": wire.slow}

    # -- now and then -----------------------------------------------------------------------------------------------

    async def _look_again_and_again(self) -> None:
        for _ in decode.prepare():
            await asyncio.sleep(0.005)
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look(self.now())
            except Exception:  # noqa: BLE001 - the next look must come
                self.iserver.wire.stumbled()

    async def look(self, now: float) -> None:
        """Ends what has stood idle or unread for too long.

        Args:
            now: Monotonic, s.
        """
        for connection in list(self.clients):
            assert isinstance(connection, Protocol)
            assert connection.processor is not None
            if connection.stalled(now):
                self._too_slow(connection)
                continue
            active = await connection.processor.expire(now)
            idle = not active and now - connection.since > TO_ACTIVATE_S
            if idle or connection.processor.expired(now):
                connection.abort()
        self._give_back()

    def _too_slow(self, connection: Protocol) -> None:
        self.iserver.wire.slow += 1
        self.budget.hold(connection, 0)
        connection.abort()

    def _give_back(self) -> None:
        """Gives freed memory back to the system: after an attack the C library would keep it."""
        if self.budget.highest > TRIM_FROM:
            self._trim = True
        if self._trim and self.budget.used < TRIM_FROM // 4:
            self._trim = False
            with contextlib.suppress(OSError, AttributeError):
                ctypes.CDLL(None).malloc_trim(0)
        self.budget.highest = self.budget.used


def more_files() -> None:
    """Lets this process have as many sockets as there are places: the usual limit is about a thousand."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
