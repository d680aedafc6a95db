"""RTU on serial ports: real pseudo terminals, pymodbus as the device at the other end."""

from __future__ import annotations

import asyncio
import errno
import os
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

from scada.clock import SystemClock
from scada.field.driver import CLOSED, MISMATCH, TIMEOUT, NoReplyError, RefusedError
from scada.field.modbus import tty
from scada.field.modbus.bus import Bus
from scada.field.modbus.config import Config
from scada.field.modbus.link import Link
from scada.field.modbus.transport import over_network
from scada.modbus import rtu, wire
from scada.modbus.serial import Serial
from tests.field.plc import Memory
from tests.support.cable import Cable, cable
from tests.support.wait import until


class Sink(asyncio.Protocol):
    """What a port says."""

    def __init__(self) -> None:
        self.data = b""
        self.lost = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.data += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()


@asynccontextmanager
async def device(cable: Cable) -> AsyncIterator[Memory]:
    """pymodbus' serial server at the other end; holding register A is 1000 + A."""
    server: Any = ModbusSerialServer(
        SimDevice(1, [SimData(0, datatype=DataType.UINT16)]),
        framer=FramerType.RTU,
        port=cable.other,
        baudrate=19200,
    )
    memory = Memory()
    memory.tables["holding"][:] = range(1000, 1400)
    server.context = memory
    await server.serve_forever(background=True)
    try:
        yield memory
    finally:
        await server.shutdown()


def link_to(path: str, timeout: str = "150 ms", unit: int = 1) -> Link:
    config, clock = Config(endpoint=f"rtu://{path}", timeout=timeout, unit_id=unit), SystemClock()
    return Link(config, clock, Bus(config, clock, over_network))


def strays(link: Link) -> int:
    """Bytes that came while nothing was asked."""
    line: Any = link._bus._current
    return len(line._exchange.strays)


async def value(link: Link, address: int, count: int = 4) -> list[int]:
    """Registers of the device; connects first when it must."""
    if not link.open and not await link.connect():
        raise NoReplyError(link.reason, CLOSED)
    data = await link.ask(link.prepare(wire.read("holding", address, count)))
    return list(struct.unpack(f">{count}H", data[1:]))


async def test_reads_writes_and_exceptions_over_a_serial_port() -> None:
    async with cable() as line, device(line) as memory:
        link = link_to(line.one)
        for count in (1, 2, 4, 60, 125, 7):
            assert await value(link, 3, count) == [1003 + i for i in range(count)]
        await link.ask(link.prepare(wire.write_registers(20, b"\0\7\0\x08")))
        await link.ask(link.prepare(wire.write_coil(5, on=True)))
        await link.ask(link.prepare(wire.mask_write(30, 0xFF00, 0x0012)))
        assert memory.tables["holding"][20:22] == [7, 8]
        assert memory.tables["coil"][5] == 1
        assert memory.tables["holding"][30] == (1030 & 0xFF00 | 0x12)
        with pytest.raises(RefusedError) as error:
            await value(link, 399, 5)
        assert error.value.code == 2
        assert link.open
        assert link.errors == 1
        link.close()


async def test_two_devices_on_one_port_of_which_one_is_silent() -> None:
    async with cable() as line, device(line):
        line.change = lambda data: b"" if data[0] == 7 else data
        clock = SystemClock()
        configs = [Config(endpoint=f"rtu://{line.one}", unit_id=unit, timeout="60 ms") for unit in (1, 7)]
        bus = Bus(configs[0], clock, over_network)
        there, away = (Link(config, clock, bus) for config in configs)

        async def missing() -> None:
            for _ in range(2):
                await away.connect()
                with pytest.raises(NoReplyError):
                    await away.ask(away.prepare(wire.read("holding", 0, 1)))

        task = asyncio.ensure_future(missing())
        for address in range(12):
            assert await value(there, address, 1 + address) == [
                1000 + address + i for i in range(1 + address)
            ]
        await task
        assert there.errors == 0
        assert away.next_try_ns - clock.monotonic_ns() > 2_000_000_000
        there.close()
        away.close()


async def test_a_byte_that_was_changed_on_the_line_makes_no_value_and_the_next_one_is_right() -> None:
    async with cable() as line, device(line):
        link = link_to(line.one, "60 ms")
        assert await value(link, 0) == [1000, 1001, 1002, 1003]
        for at in (0, 1, 2, 3, 9, -1):

            def change(data: bytes, at: int = at) -> bytes:
                broken = bytearray(data)
                broken[at] ^= 0x10
                return bytes(broken)

            line.change = change
            with pytest.raises(NoReplyError):
                await value(link, 10)
            line.change = bytes
            assert await value(link, 20) == [1020, 1021, 1022, 1023]
        assert link.errors_by_kind[MISMATCH] + link.errors_by_kind[TIMEOUT] == 6
        link.close()


async def test_noise_before_a_request_does_no_harm() -> None:
    async with cable() as line, device(line):
        link = link_to(line.one)
        assert await value(link, 0) == [1000, 1001, 1002, 1003]
        line.noise(b"\0\xff" * 9)
        await until(lambda: strays(link) > 0)
        assert await value(link, 8) == [1008, 1009, 1010, 1011]
        link.close()


async def test_a_late_reply_answers_nothing() -> None:
    async with cable() as line, device(line) as memory:
        link = link_to(line.one, "60 ms")
        assert await value(link, 0) == [1000, 1001, 1002, 1003]
        memory.slow_s = 0.1
        for address in (10, 20):
            with pytest.raises(NoReplyError):
                await value(link, address)
        memory.slow_s = 0.0
        for address in range(30, 40):
            try:
                assert await value(link, address) == [1000 + address + i for i in range(4)]
            except NoReplyError:
                continue
        assert await value(link, 50) == [1050, 1051, 1052, 1053]
        link.close()


async def test_an_adapter_that_is_pulled_out_is_noticed_at_once_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "ttyUSB0"
    link = link_to(str(path), "5 s")
    assert not await link.connect()
    assert link.reason == f"there is no {path}"
    async with cable() as line, device(line) as memory:
        path.symlink_to(line.one)
        quick = link_to(str(path), "50 ms")
        assert await value(quick, 0, 1) == [1000]
        memory.slow_s = 3.0
        reading = asyncio.ensure_future(quick.ask(quick.prepare(wire.read("holding", 0, 2))))
        await until(lambda: memory.reads > 1)
        line.pull_out()
        with pytest.raises(NoReplyError, match="lost"):
            await reading
        assert not quick.open
        assert quick.errors_by_kind[CLOSED] == 1
        path.unlink()
        assert not await quick.connect()
    async with cable() as line, device(line):
        path.symlink_to(line.one)
        assert await value(quick, 5) == [1005, 1006, 1007, 1008]
        quick.close()


async def test_a_port_that_another_program_has_is_not_shared() -> None:
    async with cable() as line:
        sink = Sink()
        port = await tty.open_port(line.one, Serial(), sink)
        with pytest.raises(OSError, match="another program has"):
            await tty.open_port(line.one, Serial(), Sink())
        code = (
            "import asyncio, sys\nfrom scada.field.modbus import tty\nfrom scada.modbus.serial import Serial\n"
            "async def main():\n    await tty.open_port(sys.argv[1], Serial(), asyncio.Protocol())\nasyncio.run(main())"
        )
        other = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            code,
            line.one,
            cwd=Path(__file__).parents[2],
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await other.communicate()
        assert other.returncode != 0
        assert b"another program has" in said
        port.close()
        port.close()
        again = await tty.open_port(line.one, Serial(), sink)
        again.close()


async def test_a_file_that_is_no_port_is_an_error_of_the_operating_system(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    says = {plain: "no serial port", tmp_path: "no serial port", tmp_path / "none": "there is no"}
    for path, text in says.items():
        with pytest.raises(OSError, match=text):
            await tty.open_port(str(path), Serial(), Sink())


async def test_what_the_port_does_not_take_at_once_follows() -> None:
    async with cable() as line:
        other = Sink()
        here = await tty.open_port(line.one, Serial(), Sink())
        there = await tty.open_port(line.other, Serial(), other)
        sent = os.urandom(60_000)
        for start in range(0, len(sent), 200):
            here.write(sent[start : start + 200])
        await until(lambda: len(other.data) >= len(sent))
        assert other.data == sent
        here.close()
        here.write(b"after the end")
        there.close()


async def test_a_port_that_fails_while_writing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    async with cable() as line:
        sink = Sink()
        port = await tty.open_port(line.one, Serial(), sink)

        def write(fd: int, data: bytes) -> int:
            raise OSError(errno.EIO, "the adapter is gone")

        monkeypatch.setattr("scada.field.modbus.tty.os.write", write)
        port.write(b"x")
        assert sink.lost.is_set()


async def test_settings_reach_the_port() -> None:
    async with cable() as line:
        port = await tty.open_port(line.one, Serial(baud=9600, parity="odd", stop_bits=2), Sink())
        assert port._port.baudrate == 9600
        port.close()


def test_the_longest_reply_fits_a_frame() -> None:
    assert len(rtu.frame(1, 3, bytes((250,)) + bytes(250))) <= rtu.LONGEST
