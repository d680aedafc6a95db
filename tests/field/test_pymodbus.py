"""Every name of pymodbus that the driver overrides or relies on, so that an update that moves one fails here."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pymodbus
from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusIOException
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.exceptionresponse import ExceptionResponse

from scada.field.modbus.library import Request
from scada.modbus import wire
from scada.modbus.wire import Ask


def test_version() -> None:
    assert pymodbus.__version__.startswith("3.16.")


async def test_the_client_takes_what_we_give_it() -> None:
    names = inspect.signature(AsyncModbusTcpClient.__init__).parameters
    assert {"host", "port", "framer", "timeout", "retries", "reconnect_delay", "trace_connect"} <= set(names)
    client = AsyncModbusTcpClient("127.0.0.1", framer=FramerType.SOCKET, retries=0, reconnect_delay=0)
    manager: Any = client.ctx
    assert isinstance(manager.response_future, asyncio.Future)
    assert list(inspect.signature(client.execute).parameters) == ["no_response_expected", "request"]
    assert client.connected is False


async def test_registered_replies_are_used_and_keep_their_function_code() -> None:
    client = AsyncModbusTcpClient("127.0.0.1")

    class Mine(ModbusPDU):
        function_code = 3

        def decode(self, data: bytes) -> None:
            self.raw = data

    client.register(Mine)
    decoder: Any = client.ctx.framer.decoder
    reply = decoder.decode(b"\x03\x02\x00\x07")
    assert isinstance(reply, Mine)
    assert (reply.raw, reply.function_code) == (b"\x02\x00\x07", 3)
    refused = decoder.decode(b"\x83\x02")
    assert isinstance(refused, ExceptionResponse)
    assert (refused.function_code, refused.exception_code) == (0x83, 2)


async def test_a_request_of_ours_is_framed_as_the_standard_says() -> None:
    client = AsyncModbusTcpClient("127.0.0.1", framer=FramerType.SOCKET)
    request = Request()
    request.take(Ask(wire.write_coil(172, True), 17))
    request.transaction_id = 0x0102
    built = client.ctx.framer.buildFrame(request)
    assert built == bytes.fromhex("0102 0000 0006 11 05 00AC FF00")


def test_errors_have_one_base() -> None:
    assert issubclass(ModbusIOException, ModbusException)
    assert issubclass(ConnectionException, ModbusException)
