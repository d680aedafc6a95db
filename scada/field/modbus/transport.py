"""One connection from its opening to its end, and which kind an endpoint gets.

A transport is made in one place and may be another than TCP: serial lines, TLS, RTU over TCP, or the network of a
simulation come without touching the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from scada.clock import Clock
from scada.field.driver import RefusedError
from scada.field.modbus.config import Config
from scada.field.modbus.drop import drop
from scada.field.modbus.keepalive import keep_alive
from scada.field.modbus.transactions import Transactions
from scada.modbus import rtu, tls
from scada.modbus.endpoint import TCP, TLS
from scada.modbus.serial import Serial
from scada.modbus.wire import Ask

Opener = Callable[[], "Transport"]
"""Makes one connection, not opened yet. What must be known over the connections of an endpoint, it keeps."""

Factory = Callable[[Config, Clock], Opener]
"""Called once for each endpoint."""


class Transport(Protocol):
    """One connection. It is opened once; to connect again a new one is made.

    Attributes:
        reason: Why it could not be opened, for people; "" when it could.

    One that can tell more of them than that they came before the call returned has `heard_ns`: when each reply of the last
    call came, ns monotonic. Of one that was read after its time-out only that it is no older than its request is known:
    then it is when that was sent.
    """

    reason: str

    @property
    def open(self) -> bool:
        """Whether requests may be sent."""
        ...

    async def connect(self) -> bool:
        """Connects once; False when that failed within the time-out."""
        ...

    async def ask(self, ask: Ask) -> bytes:
        """Sends a request; nothing else is on its way.

        Returns:
            The data of its right reply, behind the function code.

        Raises:
            RefusedError: The device answered with an exception to this request.
            NoReplyError: Nothing right came within the request's time-out, or the connection was lost. The connection
                is closed, or (on a serial line) has seen to it that a late reply answers nothing.
        """
        ...

    async def ask_all(self, asks: Sequence[Ask]) -> list[bytes | int]:
        """Sends requests, as many at once as the device may have, and waits for all replies.

        Returns:
            For each request the data of its right reply, or the code of the exception that the device answered with.

        Raises:
            NoReplyError: One had no right reply; as for `ask`.
        """
        ...

    def close(self) -> None:
        """Drops the connection; late bytes go with it."""
        ...


async def one_by_one(transport: Transport, asks: Sequence[Ask]) -> list[bytes | int]:
    """`ask_all` of a transport that has one request on its way at most."""
    found: list[bytes | int] = []
    for ask in asks:
        try:
            found.append(await transport.ask(ask))
        except RefusedError as error:
            found.append(error.code)
    return found


def over_network(config: Config, clock: Clock) -> Opener:
    """What opens the connections that the endpoint and the client of a device ask for.

    Args:
        config: Of one of the devices at the endpoint.
        clock: Monotonic time, the same as the event loop's.

    Raises:
        ValueError: There is none.
    """
    at, settings = config.at, config.tls
    first = clock.monotonic_ns() // 1_000  # not where an earlier life of this process began
    context = None if settings is None else partial(tls.client_context, settings)
    if at.scheme in (TCP, TLS) and config.client == "pymodbus":
        from scada.field.modbus import library  # noqa: PLC0415 - who does not use it need not load it

        ids = Transactions(first, library.TRANSACTIONS)
        return lambda: library.Session(at, config.timeout_ns, ids, context)
    if at.scheme in (TCP, TLS):
        from scada.field.modbus.stream import Stream  # noqa: PLC0415 - as above

        ids, name = Transactions(first), settings.server_name if settings is not None else None
        return lambda: Stream(at, config.timeout_ns, config.window, clock, ids, context, name)
    if at.framed_rtu:
        return _over_line(config)
    raise ValueError(f"{at.scheme}:// is not there yet")


class _Socket:
    """A TCP connection as a port."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self.write = transport.write
        self._transport = transport

    def close(self) -> None:
        """Ends it at once."""
        drop(self._transport)


def _over_line(config: Config) -> Opener:
    """Serial ports, and serial lines behind a network: what may still come late is known over all connections."""
    from scada.field.modbus import line, tty  # noqa: PLC0415 - as above
    from scada.field.modbus.late import Late  # noqa: PLC0415

    at, settings, late = config.at, config.serial or Serial(), Late()

    async def port(exchange: line.Exchange) -> line.Port:
        return await tty.open_port(at.path, settings, exchange)

    async def socket(exchange: line.Exchange) -> line.Port:
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: exchange, at.host, at.port)
        keep_alive(transport)
        return _Socket(transport)

    # behind a network the speed of the line is only known where the site says it
    character_ns = settings.character_ns if at.serial or config.serial else 0
    silence_ns = settings.silence_ns if at.serial or config.serial else rtu.FAST_SILENCE_NS
    return lambda: line.Line(
        port if at.serial else socket,
        lambda: line.Exchange(character_ns, silence_ns),
        late,
        config.timeout_ns,
        keep=at.serial,
    )
