"""pymodbus, wrapped: the only module that imports its client.

Replies keep their raw bytes (registered raw PDUs: no list of registers is built, nothing is formatted for a log that is
off), and requests are built once and sent many times: a third of the processor time of the library as shipped.
pymodbus delivers short replies, replies with another function code and replies with transaction id 0 as success;
`Session.ask` refuses them. Everything of pymodbus that is overridden or relied on here has a contract test.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusTcpClient, AsyncModbusTlsClient
from pymodbus.pdu import ModbusPDU

from scada.field.driver import CLOSED, MISMATCH, NoReplyError, RefusedError
from scada.field.modbus.drop import drop
from scada.field.modbus.keepalive import keep_alive
from scada.field.modbus.transactions import Transactions
from scada.field.modbus.transport import one_by_one
from scada.modbus import mbap
from scada.modbus.endpoint import Endpoint
from scada.modbus.wire import EXCEPTION_MOST, Ask

logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # what goes wrong is counted and reported by us


TRANSACTIONS: Final = 65_000  # pymodbus begins again there
_LEAST: Final = 8  # header and function code
_EXCEPTION: Final = 9


class MismatchError(Exception):
    """Something came that does not answer the request."""


class Request(ModbusPDU):
    """A prepared request as pymodbus wants it; one object serves all requests of a connection, one at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._data = b""

    def take(self, ask: Ask) -> None:
        """Becomes this request."""
        self.dev_id = ask.unit
        self.function_code = ask.pdu.function
        self._data = ask.pdu.data

    def __str__(self) -> str:
        return "request"

    def encode(self) -> bytes:
        """The bytes behind the function code."""
        return self._data


class _Raw(ModbusPDU):
    """A reply as it came."""

    data: bytes = b""

    def __str__(self) -> str:  # pymodbus calls it for each reply, also when it logs nothing
        return "reply"

    def decode(self, data: bytes) -> None:
        """Keeps the bytes behind the function code."""
        self.data = data


# One class per function code: a reply with a code that nobody asked for must reach our check, not raise in a callback.
_REPLIES: Final = tuple(type(f"_Raw{code}", (_Raw,), {"function_code": code}) for code in range(0x81))


class Session:
    """One connection to one endpoint, from connect to close; a new one is made to connect again.

    Args:
        endpoint: `tcp` or `tls`; a TLS server's certificate must carry the endpoint's host.
        timeout_ns: For the connection.
        transactions: Of the endpoint; they go on over its connections.
        context: Makes the TLS context when the connection opens; None for plain TCP. May raise OSError.

    Attributes:
        reason: Why it could not be opened, "" when it could.
        heard_ns: See `Transport`; empty when the reply came just now.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        timeout_ns: int,
        transactions: Transactions,
        context: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self.reason = ""
        self._endpoint = endpoint
        self._timeout_s = timeout_ns / 1e9
        self._context = context
        self._client: AsyncModbusTcpClient | None = None
        self._next_id = transactions.next
        self._request = Request()
        self._expected = b""
        self._open = False
        self.heard_ns: tuple[int, ...] = ()

    @property
    def open(self) -> bool:
        """Whether requests may be sent."""
        return self._open

    async def connect(self) -> bool:
        """Connects once; False when that failed within the time-out."""
        try:
            self._client = client = self._made()
            self._open = await client.connect()
            if self._open and client.ctx.transport is not None:
                keep_alive(client.ctx.transport)
        except (ModbusException, OSError) as error:
            self.reason = str(error)
        if not self._open:
            self.reason = self.reason or "no connection"
            self.close()
        return self._open

    def _made(self) -> AsyncModbusTcpClient:
        """A client; pymodbus wants the TLS context when it is made."""
        endpoint = self._endpoint
        options: dict[str, Any] = {
            "port": endpoint.port,
            "timeout": self._timeout_s,
            "retries": 0,
            "reconnect_delay": 0,
            "trace_connect": self._on_connect,
            "trace_packet": self._on_packet,
        }
        client = (
            AsyncModbusTcpClient(endpoint.host, framer=FramerType.SOCKET, **options)
            if self._context is None
            else AsyncModbusTlsClient(endpoint.host, sslctx=self._context(), **options)
        )
        for reply in _REPLIES:
            client.register(reply)
        return client

    async def ask(self, ask: Ask) -> bytes:
        """Sends a request and waits for its reply. One caller at a time.

        Args:
            ask: What to ask.

        Returns:
            The data of the reply, behind the function code; it answers the request.

        Raises:
            RefusedError: The device answered with an exception to this request.
            NoReplyError: Nothing right came in time, or the connection was lost.
        """
        client = self._client
        if client is None or not self._open:
            raise NoReplyError("not connected", CLOSED)
        request, context = self._request, client.ctx
        request.take(ask)
        transaction = self._next_id()
        self._expected = transaction.to_bytes(2, "big") + b"\0\0"
        context.next_tid = transaction - 1
        context.comm_params.timeout_connect = ask.timeout_ns / 1e9
        loop = asyncio.get_running_loop()
        sent = loop.time()
        try:
            reply: Any = await client.execute(False, request)
            late = loop.time() - sent > ask.timeout_ns / 1e9  # it lay in the socket while this process slept
            self.heard_ns = (round(sent * 1e9),) if late else ()
        except MismatchError as error:
            self.close()
            raise NoReplyError(str(error), MISMATCH) from None
        except ConnectionError as error:
            self.close()
            raise NoReplyError(str(error), CLOSED) from None
        except (ModbusException, OSError) as error:
            self.close()
            raise NoReplyError(str(error) or type(error).__name__) from None
        except BaseException:
            self.close()  # cancelled: a late reply must find nobody
            raise
        if reply.transaction_id == transaction and reply.dev_id == ask.unit and not context.recv_buffer:
            if reply.function_code == ask.pdu.function:
                data: bytes = reply.data
                if ask.pdu.answered_by(data):
                    return data
            elif (
                reply.function_code == ask.pdu.function | 0x80 and 0 < reply.exception_code <= EXCEPTION_MOST
            ):
                raise RefusedError(reply.exception_code)
        self.close()
        raise NoReplyError("the reply does not answer the request", MISMATCH)

    async def ask_all(self, asks: Sequence[Ask]) -> list[bytes | int]:
        """Asks one after the other: pymodbus has one request on its way at most.

        Returns:
            For each request the data of its reply, or the code of the exception.

        Raises:
            NoReplyError: One had no right reply.
        """
        return await one_by_one(self, asks)

    def close(self) -> None:
        """Drops the connection; late bytes go with it."""
        self._open = False
        if self._client is not None:
            transport = self._client.ctx.transport
            if transport is not None:
                drop(cast("asyncio.WriteTransport", transport))
            self._client.close()

    def _on_connect(self, connected: bool) -> None:
        """Fails a pending request when the peer closes; pymodbus would wait for its time-out."""
        if not connected:
            self._open = False
            self._give_up(ConnectionResetError("the device closed the connection"))

    def _on_packet(self, sending: bool, data: bytes) -> bytes:
        """Looks at all bytes that came since the request, before pymodbus does.

        It passes over replies to others, raises inside the event loop for an exception without its code, and over TLS
        takes whatever comes at once for one reply.
        """
        if sending:
            return data
        whole = 6 + int.from_bytes(data[4:6], "big") if len(data) >= _LEAST else _LEAST
        if (
            not data.startswith(self._expected[: len(data)])
            or (len(data) >= _LEAST and data[6] != self._request.dev_id)
            or not _LEAST <= whole <= mbap.FRAME_MOST
            or len(data) > whole
            or (len(data) >= _LEAST and data[7] > 0x7F and whole != _EXCEPTION)
        ):
            self._give_up(MismatchError("the reply does not answer the request"))
            return b""
        return data if len(data) == whole else b""

    def _give_up(self, error: Exception) -> None:
        assert self._client is not None  # it is its callbacks that come here
        pending = self._client.ctx.response_future
        if not pending.done():
            pending.set_exception(error)
            pending.add_done_callback(asyncio.Future.exception)  # retrieved, also when nobody waits
