"""One connection to a simulated endpoint: bytes in, requests, replies out, in order and at their time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, cast

from scada.modbus import mbap, rtu, tls
from scada.simulate.unit import WRITE, Reply, Units

WAITING_MOST: Final = 64
"""Replies that wait for their time; the requests behind them are not read before."""
SILENCE_S: Final = 0.02
"""Of an unfinished RTU request, after which it is forgotten; an operating system cannot tell 3.5 characters."""


class Later:
    """Sends in the order it was given, each not before its time.

    Args:
        send: Takes bytes at once.
    """

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many have not left yet."""
        return len(self._waiting)

    def put(self, data: bytes, delay_s: float) -> None:
        """Sends `data` so much later, after all that was put before."""
        if not self._waiting and delay_s <= 0.0:
            self._send(data)
            return
        loop = asyncio.get_running_loop()
        self._waiting.append((loop.time() + delay_s, data))
        if self._timer is None:
            self._timer = loop.call_at(self._waiting[0][0], self._due)

    def close(self) -> None:
        """Forgets all that waits."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._waiting and self._waiting[0][0] <= loop.time():
            self._send(self._waiting.popleft()[1])
        if self._waiting and self._timer is None:
            self._timer = loop.call_at(self._waiting[0][0], self._due)


class Requests:
    """Cuts the bytes of a serial line into requests; what is none is forgotten with all that came with it."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def pending(self) -> bool:
        """A request is not complete yet."""
        return bool(self._rest)

    def forget(self) -> None:
        """The line was silent: what is not complete never will be."""
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Unit and PDU of the requests that are complete with these bytes."""
        data = self._rest + data
        self._rest = b""
        found = []
        while data:
            length = rtu.request_bytes(data)
            if length is None or len(data) < length:
                self._rest = data if len(data) < rtu.LONGEST else b""
                break
            frame, data = data[:length], data[length:]
            if not rtu.whole(
                frame
            ):  # also of an unknown function, length 0: there is no telling where it ends
                break
            found.append((frame[0], frame[1:-2]))
        return found


class Connection(asyncio.Protocol):
    """A TCP connection to an endpoint.

    Args:
        units: Behind the endpoint.
        roles: What a TLS client may do by its role; None for everything.
        connections: Of the endpoint; takes this one while it is open.
        most: Connections that the endpoint takes.
    """

    def __init__(
        self, units: Units, roles: dict[str, str] | None, connections: set[Connection], most: int
    ) -> None:
        self._units = units
        self._roles = roles
        self._connections = connections
        self._most = most
        self._right: str | None = WRITE
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes the connection, if there are not too many."""
        self._transport = cast(
            "asyncio.Transport", transport
        )  # uvloop has one of its own with the same names
        self._later = Later(self._transport.write)
        if len(self._connections) >= self._most:
            self._transport.abort()
            return
        self._connections.add(self)
        if self._roles is not None:
            self._right = self._roles.get(_role(self._transport) or "")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - however it ended
        """Forgets it."""
        self._connections.discard(self)
        self._later.close()
        self._transport = None

    def pause_writing(self) -> None:
        """The other end does not read: nothing more of it is read."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        if self._transport is not None:
            self._transport.resume_reading()

    def close(self) -> None:
        """Drops it at once."""
        if self._transport is not None:
            self._transport.abort()

    def _answer(self, unit: int, transaction: int, pdu: bytes) -> None:
        reply = self._units.take(unit, pdu, self._right, asyncio.get_running_loop().time())
        if reply is not None and self._transport is not None and self._later.waiting < WAITING_MOST:
            self._later.put(reply.garbage or self._framed(unit, transaction, reply), reply.delay_s)

    def _framed(self, unit: int, transaction: int, reply: Reply) -> bytes:
        raise NotImplementedError


class MbapConnection(Connection):
    """Modbus TCP, plain or within TLS."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes the connection."""
        super().connection_made(transport)
        self._parser = mbap.Parser()

    def data_received(self, data: bytes) -> None:
        """Answers the requests in it; what is no Modbus ends the connection."""
        try:
            frames = self._parser.feed(data)
        except mbap.MalformedError:
            self.close()
            return
        for transaction, unit, pdu in frames:
            self._answer(unit, transaction, pdu)

    def _framed(self, unit: int, transaction: int, reply: Reply) -> bytes:
        return mbap.frame((transaction + reply.transaction) & 0xFFFF, unit, reply.pdu)


class RtuConnection(Connection):
    """RTU over TCP: a serial line behind a transparent gateway."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes the connection."""
        super().connection_made(transport)
        self._requests = Requests()
        self._silence: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets it."""
        super().connection_lost(exc)
        if self._silence is not None:
            self._silence.cancel()

    def data_received(self, data: bytes) -> None:
        """Answers the requests in it."""
        for unit, pdu in self._requests.feed(data):
            self._answer(unit, 0, pdu)
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
        if self._requests.pending:
            self._silence = asyncio.get_running_loop().call_later(SILENCE_S, self._requests.forget)

    def _framed(self, unit: int, transaction: int, reply: Reply) -> bytes:  # noqa: ARG002 - RTU has none
        return rtu.frame(unit, reply.pdu[0], reply.pdu[1:])


def _role(transport: asyncio.Transport) -> str | None:
    """The role in the certificate of the other end."""
    try:
        return tls.role(transport.get_extra_info("ssl_object").getpeercert(binary_form=True))
    except ValueError:
        return None
