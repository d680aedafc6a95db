"""One connection from its opening to its end, and which kind an endpoint gets.

A transport is made in one place and may be another than TCP: serial lines, TLS, RTU over TCP, or the network of a
simulation come without touching the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from scada.field.driver import RefusedError
from scada.field.modbus.config import Config
from scada.modbus.wire import Ask

Factory = Callable[[Config], "Transport"]


class Transport(Protocol):
    """One connection. It is opened once; to connect again a new one is made."""

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


def over_network(config: Config) -> Transport:
    """The transport that the endpoint and the client of a device ask for.

    Raises:
        ValueError: There is none.
    """
    if config.at.scheme == "tcp":
        from scada.field.modbus import library  # noqa: PLC0415 - a site without it needs no protocol library

        return library.Session(config.at.host, config.at.port, config.timeout_ns)
    raise ValueError(f"{config.at.scheme}:// is not there yet")
