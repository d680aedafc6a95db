"""Our own client for Modbus TCP and Modbus/TCP Security: one connection, several requests on their way if wanted.

Requests are encoded once; a reply counts only when transaction id, unit, function code and length are those of a request
that waits, and nothing stands behind it in what was received with it that nobody asked for. Whatever does not fit drops
the connection.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from scada.clock import Clock
from scada.field.driver import CLOSED, MISMATCH, TIMEOUT, NoReplyError, RefusedError
from scada.field.modbus.drop import drop
from scada.field.modbus.keepalive import keep_alive
from scada.field.modbus.transactions import Transactions
from scada.field.modbus.why import why
from scada.modbus import mbap
from scada.modbus.endpoint import Endpoint
from scada.modbus.wire import Ask

GRACE_NS: Final = 1_000_000
_NEVER: Final = 2**62


class Stream(asyncio.Protocol):
    """One connection to one endpoint, from connect to close.

    Args:
        endpoint: `tcp` or `tls`.
        timeout_ns: For connecting.
        window: Requests on their way at once, at most.
        clock: Monotonic time, the same as the loop's.
        transactions: Of the endpoint; they go on over its connections.
        context: Makes the TLS context when the connection opens; None for plain TCP. May raise OSError.
        server_name: Name that the certificate of a TLS server must carry.

    Attributes:
        reason: Why it could not be opened, "" when it could.
        heard_ns: When each reply of the last call came, ns monotonic; see `Transport`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        timeout_ns: int,
        window: int,
        clock: Clock,
        transactions: Transactions,
        context: Callable[[], ssl.SSLContext] | None = None,
        server_name: str | None = None,
    ) -> None:
        self.reason = ""
        self._endpoint = endpoint
        self._timeout_ns = timeout_ns
        self._window = window
        self._now = clock.monotonic_ns
        self._next_id = transactions.next
        self._context = context
        self._server_name = server_name or endpoint.host
        self._transport: asyncio.Transport | None = None
        self._parser = mbap.Parser()
        self._timer: asyncio.TimerHandle | None = None
        self._look_ns = _NEVER
        self._future: asyncio.Future[None] | None = None
        self._asks: Sequence[Ask] = ()
        self._answers: list[bytes | int] = []
        self.heard_ns: list[int] = []  # until a reply has come, when it is due
        self._sent = 0
        self._late = False
        self._waiting: dict[int, int] = {}  # transaction id → position in the asks, oldest first
        self._right = b""  # how the reply begins while nothing else is on its way …
        self._right_bytes = -1  # … and how long it is
        self._file = -1

    @property
    def open(self) -> bool:
        """Whether requests may be sent."""
        return self._transport is not None

    async def connect(self) -> bool:
        """Connects once; False when that failed within the time-out."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_ns / 1e9):
                options: dict[str, Any] = {}
                if self._context is not None:
                    options = {"ssl": self._context(), "server_hostname": self._server_name}
                await loop.create_connection(
                    lambda: self, self._endpoint.host, self._endpoint.port, **options
                )
        except TimeoutError:
            self.reason = "no connection in time"
        except (OSError, UnicodeError) as error:
            self.reason = why(error)
        if self.reason:
            self.close()
        return self.open

    async def ask(self, ask: Ask) -> bytes:
        """Sends a request and waits for its reply.

        Returns:
            The data of the right reply, behind the function code.

        Raises:
            RefusedError: The device answered with an exception to this request.
            NoReplyError: Nothing right came in time, or the connection was lost; it is closed.
        """
        (answer,) = await self.ask_all((ask,))
        if isinstance(answer, int):
            raise RefusedError(answer)
        return answer

    async def ask_all(self, asks: Sequence[Ask]) -> list[bytes | int]:
        """Sends requests, as many at once as the window allows, and waits for all replies. One caller at a time.

        Returns:
            For each request the data of its right reply, or the code of the exception.

        Raises:
            NoReplyError: One had no right reply; the connection is closed.
        """
        if self._transport is None:
            raise NoReplyError("not connected", CLOSED)
        if not asks:
            return []
        future = self._future = self._loop.create_future()
        self._asks, self._sent = asks, 0
        self._answers, self.heard_ns = [0] * len(asks), [0] * len(asks)
        self._send(asks[0])
        try:
            await future
        except asyncio.CancelledError:
            self._fail(CLOSED, "given up")  # a late reply must find nobody
            raise
        return self._answers

    def close(self) -> None:
        """Drops the connection; late bytes go with it."""
        transport, self._transport = self._transport, None
        self._file = -1
        if transport is not None:
            transport.abort()
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._look_ns = None, _NEVER

    # --- what the event loop calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()
        peer = keep_alive(transport)
        if peer is not None and self._context is None:
            self._file = peer.fileno()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._transport is None:
            return
        waiting = self._waiting
        if len(data) == self._right_bytes and data.startswith(self._right):
            self._right_bytes = -1  # nearly always: the one reply that is waited for, whole and alone
            position = waiting.popitem()[1]
            self._answers[position] = data[8:]
            now, heard = self._now(), self.heard_ns
            if now <= heard[position] + GRACE_NS:
                heard[position] = now
            else:
                self._note(position)
            self._next()
            return
        self._right_bytes = -1
        try:
            frames = self._parser.feed(data)
        except mbap.MalformedError as error:
            self._fail(MISMATCH, f"what came is no Modbus TCP: {error}")
            return
        for transaction, unit, pdu in frames:
            position = waiting.pop(transaction, -1)
            answer = None if position < 0 else self._asks[position].answer(unit, pdu)
            if answer is None:
                self._fail(MISMATCH, "the reply does not answer the request")
                return
            self._answers[position] = answer
            self._note(position)
        if not waiting and self._parser.pending:
            self._fail(MISMATCH, "more came than was asked for")
        elif frames:
            self._next()

    def eof_received(self) -> None:
        """The peer will send nothing more: the loop closes the connection."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        del exc
        self._fail(CLOSED, "the device closed the connection")

    # --- requests on their way ---

    def _send(self, ask: Ask) -> None:
        """Sends the next request, and more while the window has room.

        Args:
            ask: The one at `_sent`.
        """
        waiting = self._waiting
        now = self._now()
        while True:
            sent, transaction = self._sent, self._next_id()
            waiting[transaction] = sent
            due = self.heard_ns[sent] = now + ask.timeout_ns
            self._sent = sent = sent + 1
            head = transaction.to_bytes(2, "big")
            self._right = head + ask.right
            self._right_bytes = ask.right_bytes if len(waiting) == 1 else -1
            self._write(head + ask.framed)
            if due < self._look_ns and waiting:
                self._late = False
                self._watch(due, now)
            if sent == len(self._asks) or len(waiting) >= self._window or self._transport is None:
                break
            ask = self._asks[sent]

    def _note(self, position: int) -> None:
        """When a reply came. One that lay in the socket while this process slept is no newer than its request."""
        now, due = self._now(), self.heard_ns[position]
        self.heard_ns[position] = now if now <= due + GRACE_NS else due - self._asks[position].timeout_ns

    def _next(self) -> None:
        """Replies have come: what is left is sent, or the call ends."""
        if self._sent < len(self._asks):
            self._send(self._asks[self._sent])
        elif not self._waiting and self._future is not None:
            future, self._future = self._future, None
            if not future.done():
                future.set_result(None)

    def _write(self, data: bytes) -> None:
        """Straight into the socket, each request in a segment of its own: devices take no more than one at a time.

        A loop closes the file after `connection_lost`, so it is this connection's while there is a transport.
        """
        if self._file >= 0:
            try:
                data = data[os.write(self._file, data) :]
            except BlockingIOError:
                pass
            except OSError as error:
                self._fail(CLOSED, str(error))
                return
            if not data:
                return
            self._file = -1  # the peer does not read: what follows must stay behind what waits
        if self._transport is not None:
            self._transport.write(data)

    def _watch(self, when_ns: int, now_ns: int) -> None:
        """One timer for all requests: it is set to the first time-out, and set anew when that was answered meanwhile."""
        if self._timer is not None:
            self._timer.cancel()  # set by a request, perhaps to another unit, that may take longer
        self._look_ns = when_ns
        self._timer = self._loop.call_later((when_ns - now_ns) / 1e9, self._look)

    def _look(self) -> None:
        """The timer: has one waited too long?"""
        self._timer, self._look_ns = None, _NEVER
        if not self._waiting:
            return
        now = self._now()
        first = min(self.heard_ns[position] for position in self._waiting.values())
        if first > now:
            self._late = False
            self._watch(first, now)
        elif self._late:
            self._fail(TIMEOUT, "no reply in time")
        else:  # this process may have slept: what the socket has already is read first
            self._late = True
            self._watch(now + GRACE_NS, now)

    def _fail(self, kind: str, text: str) -> None:
        """Drops the connection and tells who waits."""
        if self._transport is not None:
            drop(self._transport)
        self.close()
        self._right_bytes = -1
        self._waiting.clear()
        future, self._future = self._future, None
        if future is not None and not future.done():
            future.set_exception(NoReplyError(text, kind))
