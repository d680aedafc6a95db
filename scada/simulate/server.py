"""One endpoint of simulated devices: listening on a port or a serial line, or taken away."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any, Final

from scada.modbus import tls
from scada.modbus.endpoint import RTU, RTU_TCP, TLS, Endpoint
from scada.modbus.serial import Serial
from scada.simulate.connection import Connection, MbapConnection, RtuConnection
from scada.simulate.line import Line
from scada.simulate.unit import Unit, Units

CONNECTIONS_MOST: Final = 200
"""Of one endpoint; further ones are dropped."""
HANDSHAKE_S: Final = 5.0
_SPEAKS: Final = {TLS: "Modbus/TCP Security", RTU_TCP: "RTU over TCP", RTU: "RTU"}


class Server:
    """The devices behind one endpoint.

    Args:
        endpoint: Where; port 0 takes a free one.
        units: Behind it.
        settings: Of a simulated device there: `tls` (`ca`, `certificate`, `key`, `roles`).
        serial: Settings of a serial line, those that are not the standard's.

    Attributes:
        port: The port it listens on, once started; 0 for a serial line.

    Raises:
        ValueError: Two units have the same number, a TLS endpoint has no certificates, or a serial line cannot be so.
    """

    def __init__(
        self, endpoint: Endpoint, units: Sequence[Unit], settings: dict[str, Any], serial: dict[str, Any]
    ) -> None:
        self._endpoint = endpoint
        self._units = Units(units, serial=endpoint.framed_rtu)
        self._all = tuple(units)
        self.host, self.port = endpoint.host, endpoint.port
        self._tls: dict[str, Any] | None = settings.get("tls")
        if endpoint.scheme == TLS and self._tls is None:
            raise ValueError(
                "a tls:// endpoint needs certificates of the simulated device. Write simulate: {plant: …, tls: {ca: …, "
                "certificate: …, key: …}}"
            )
        self._changing = asyncio.Lock()
        self._connections: set[Connection] = set()
        self._listening: asyncio.Server | None = None
        self._line = Line(self._units, endpoint.path, Serial(**serial)) if endpoint.serial else None

    def __str__(self) -> str:
        return self._endpoint.path if self._line else f"{self.host}:{self.port}"

    def __len__(self) -> int:
        return len(self._all)

    @property
    def speaks(self) -> str:
        """Its protocol, for people."""
        return _SPEAKS.get(self._endpoint.scheme, "Modbus/TCP")

    @property
    def mbap(self) -> bool:
        """Its frames carry a transaction id."""
        return not self._endpoint.framed_rtu

    @property
    def plugged(self) -> bool:
        """True while it is there."""
        return self._line.open if self._line else self._listening is not None

    async def follow(self) -> None:
        """Is there when at least one of its units is plugged, and only then.

        Raises:
            OSError: The port is taken or not allowed, a certificate cannot be read, the line cannot be made.
        """
        async with self._changing:  # faults may be asked for while one is carried out
            if any(unit.plugged for unit in self._all):
                await self._plug()
            else:
                await self.unplug()

    async def unplug(self) -> None:
        """Stops listening and drops all connections."""
        if self._line is not None:
            self._line.unplug()
        if self._listening is not None:
            listening, self._listening = self._listening, None
            listening.close()
            for connection in tuple(self._connections):
                connection.close()
            await listening.wait_closed()

    async def _plug(self) -> None:
        if self._line is not None:
            self._line.plug()
            return
        if self._listening is not None:
            return
        options: dict[str, Any] = {}
        if self._endpoint.scheme == TLS:
            options = {"ssl": self._context(), "ssl_handshake_timeout": HANDSHAKE_S}
        self._listening = await asyncio.get_running_loop().create_server(
            self._connection, self.host, self.port, backlog=CONNECTIONS_MOST, **options
        )
        self.port = self._listening.sockets[0].getsockname()[1]

    def _context(self) -> ssl.SSLContext:
        assert self._tls is not None
        return tls.server_context(tls.Tls(**{key: self._tls[key] for key in ("ca", "certificate", "key")}))

    def _connection(self) -> Connection:
        kind = RtuConnection if self._endpoint.scheme == RTU_TCP else MbapConnection
        roles = None if self._tls is None or self._endpoint.scheme != TLS else self._tls.get("roles")
        return kind(self._units, roles, self._connections, CONNECTIONS_MOST)
