"""pymodbus, wrapped: the only module that imports its client.

Replies keep their raw bytes (registered raw PDUs: no list of registers is built, nothing is formatted for a log that is
off), and requests are built once and sent many times: a third of the processor time of the library as shipped.
pymodbus delivers short replies, replies with another function code and replies with transaction id 0 as success;
`Session.ask` refuses them. Everything of pymodbus that is overridden or relied on here has a contract test.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final

from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.pdu import ModbusPDU

from scada.field.driver import NoReplyError, RefusedError
from scada.field.modbus.transport import one_by_one
from scada.modbus.wire import Ask

logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # what goes wrong is counted and reported by us


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
        host: Name or address.
        port: TCP port.
        timeout_ns: For the connection, and for each reply.
    """

    def __init__(self, host: str, port: int, timeout_ns: int) -> None:
        self._client = AsyncModbusTcpClient(
            host,
            port=port,
            framer=FramerType.SOCKET,
            timeout=timeout_ns / 1e9,
            retries=0,
            reconnect_delay=0,
            trace_connect=self._on_connect,
        )
        for reply in _REPLIES:
            self._client.register(reply)
        self._request = Request()
        self._open = False

    @property
    def open(self) -> bool:
        """Whether requests may be sent."""
        return self._open

    async def connect(self) -> bool:
        """Connects once; False when that failed within the time-out."""
        try:
            self._open = await self._client.connect()
        except (ModbusException, OSError):
            self._open = False
        if not self._open:
            self.close()
        return self._open

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
        if not self._open:
            raise NoReplyError("not connected")
        request = self._request
        request.take(ask)
        self._client.ctx.comm_params.timeout_connect = ask.timeout_ns / 1e9
        try:
            reply: Any = await self._client.execute(False, request)
        except (ModbusException, OSError) as error:
            self.close()
            raise NoReplyError(str(error) or type(error).__name__) from None
        except BaseException:
            self.close()  # cancelled: a late reply must find nobody
            raise
        if reply.transaction_id == request.transaction_id and reply.dev_id == ask.unit:
            if reply.function_code == ask.pdu.function:
                data: bytes = reply.data
                if ask.pdu.answered_by(data):
                    return data
            elif reply.function_code == ask.pdu.function | 0x80:
                raise RefusedError(reply.exception_code)
        self.close()
        raise NoReplyError("the reply does not answer the request")

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
        self._client.close()

    def _on_connect(self, connected: bool) -> None:
        """Fails a pending request when the peer closes; pymodbus would wait for its time-out."""
        if not connected:
            self._open = False
            pending = self._client.ctx.response_future
            if not pending.done():
                pending.set_exception(ConnectionResetError("the device closed the connection"))
                pending.add_done_callback(asyncio.Future.exception)  # retrieved, also when nobody waits
