"""Whole connections as readers: each input is what the other end sends, in simulated time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from scada.field.driver import NoReplyError
from scada.field.modbus import Modbus, tty
from scada.modbus import mbap, rtu
from scada.simulate.connection import Connection, MbapConnection, RtuConnection
from scada.simulate.registers import Registers
from scada.simulate.unit import Unit, Units
from scada.virtual.world import Process, World
from tests.field.truth.device import Device
from tests.field.truth.framing import Asked, sealed
from tests.field.truth.judge import tags_of
from tests.field.truth.memory import UTC_NS, Network
from tests.field.truth.simulated import config

ASKED = ("holding", 10, 4)


def replies(line: str) -> list[bytes]:
    """What a device may send to the request that the reader has on its way."""
    pdus = [b"\x03\x08" + bytes(range(8)), b"\x83\x02", b"\x04\x08" + bytes(8), b"\x03\x06" + bytes(6)]
    if line.startswith("rtu"):
        return [rtu.frame(1, pdu[0], pdu[1:]) for pdu in pdus]
    return [mbap.frame(0, 1, pdu) for pdu in pdus]


def client(line: str, kind: str) -> Callable[[bytes], bool]:
    """The driver with a request on its way; true when the bytes became values.

    A transaction id is put right before they are sent, and every second check sum: else hardly any would get further.
    """
    world = World(UTC_NS)
    network = Network(world)
    now: list[bytes] = [b""]

    def send(device: Device, asked: Asked) -> None:
        data = now[0]
        if (asked.start, asked.count) != ASKED[1:]:  # a barrier after the input before
            device.send(device.answer(asked))
            return
        if device.mbap:
            data = asked.tid.to_bytes(2, "big") + data[2:]
        elif data and data[-1] & 1:
            data = sealed(data[:-2])
        half = len(data) // 3
        device.send(data[:half])
        device.send(data[half:], 1000)

    network.device = Device(line, network, random.Random(1), send, 20_000_000)
    table, start, count = ASKED
    with patch("tests.field.truth.simulated.TIMEOUT_MS", 20):
        settings = config(line, kind, 1, 1, None)
    session = Modbus(world.clock).session(settings, tags_of([(table, start + n) for n in range(count)]))

    async def poll() -> bool:
        while not session.link.open:
            await asyncio.sleep(max(0, session.link.next_try_ns - world.now_ns) / 1e9)
            await session.link.connect()
        try:
            await session.fetch(0, 0)
        except NoReplyError:
            return False
        return bool((session.reading(0, 0).status == 0).all())

    def read(data: bytes) -> bool:
        now[0] = data
        task = network.start(poll())
        with patch.object(tty, "open_port", network.open_port):
            for _ in range(100):
                if task.done():
                    break
                world.run_until(world.now_ns + 1_000_000_000)
        if network.errors:
            raise network.errors[0]
        if kind == "native" and network.raised:
            raise network.raised[0]
        network.raised.clear()
        return bool(task.result())

    return read


class _Wire:
    """The transport below a simulated device."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.open = True

    def write(self, data: bytes) -> None:
        self.sent += data

    def abort(self) -> None:
        self.open = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


def server(framing: type[Connection]) -> Callable[[bytes], bool]:
    """A simulated device; true when it answered. What it sends are frames, however wrong what it gets."""
    world = World(UTC_NS)
    process = Process(world, "device")
    units = Units([Unit(1, Registers(200, 200, 200, 200))], serial=framing is RtuConnection)
    state: list[tuple[Connection, _Wire]] = []

    def begin() -> None:
        wire = _Wire()
        connection = framing(units, None, set(), 10)
        connection.connection_made(wire)  # type: ignore[arg-type]
        state[:] = [(connection, wire)]

    def read(data: bytes) -> bool:
        if not state or not state[0][1].open:
            process.run(begin)
        connection, wire = state[0]
        half = len(data) // 2
        process.run(lambda: connection.data_received(data[:half]))
        if wire.open:
            process.run(lambda: connection.data_received(data[half:]))
        world.run_until(world.now_ns + 5_000_000)
        if process.errors:
            raise process.errors[0]
        sent = bytes(wire.sent)
        answered = bool(sent)
        wire.sent.clear()
        if framing is MbapConnection:
            parser = mbap.Parser()
            assert bool(parser.feed(sent)) == answered
            assert not parser.pending
        else:
            while sent:
                size = rtu.reply_bytes(sent)
                assert size
                assert rtu.whole(sent[:size])
                sent = sent[size:]
        return answered

    return read
