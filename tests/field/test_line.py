"""RTU over bytes in simulated time: silences, time-outs, quarantine, barriers, and what becomes of a line that babbles."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

import pytest

from scada.field.driver import CLOSED, MISMATCH, TIMEOUT, NoReplyError, RefusedError, WithdrawnError
from scada.field.modbus.late import Late
from scada.field.modbus.line import QUARANTINES, Exchange, Line
from scada.modbus import rtu, wire
from scada.modbus.serial import Serial
from scada.modbus.wire import Ask
from scada.virtual.world import World
from tests.support.virtual import run

T = 0.1
T_NS = 100_000_000
SERIAL = Serial(baud=9600)


class Wire:
    """A port and the units behind it. Register A is 1000 + A; `answers` decides what a request brings, and when."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.exchange: Exchange | None = None
        self.sent: list[tuple[float, bytes]] = []
        self.heard: list[float] = []
        self.closed = 0
        self.opened = 0
        self.answers: Callable[[bytes], list[tuple[float, bytes]]] = lambda frame: [
            (0.002, self.right(frame))
        ]

    async def open(self, exchange: Exchange) -> Wire:
        self.exchange = exchange
        self.opened += 1
        return self

    def write(self, data: bytes) -> None:
        self.sent.append((self.now, data))
        for after, reply in self.answers(data):
            asyncio.get_running_loop().call_later(after, self.arrive, reply)

    def arrive(self, data: bytes) -> None:
        assert self.exchange is not None
        self.heard.append(self.now)
        self.exchange.data_received(data)

    def close(self) -> None:
        self.closed += 1

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    @staticmethod
    def right(frame: bytes) -> bytes:
        unit, function, first, count = struct.unpack(">BBHH", frame[:6])
        if function in (3, 4):
            words = struct.pack(f">{count}H", *(1000 + first + i for i in range(count)))
            return rtu.frame(unit, function, bytes((2 * count,)) + words)
        if function in (1, 2):
            size = (count + 7) // 8
            return rtu.frame(unit, function, bytes((size,)) + bytes(size))
        return rtu.frame(unit, function, frame[2:6])


def line_on(wire_: Wire, *, keep: bool = True, late: Late | None = None) -> Line:
    return Line(
        wire_.open,
        lambda: Exchange(SERIAL.character_ns, SERIAL.silence_ns),
        late or Late(),
        T_NS,
        keep=keep,
    )


def ask(first: int = 0, count: int = 2, unit: int = 1) -> Ask:
    return Ask(wire.read("holding", first, count), unit, T_NS)


def test_a_line_is_silent_before_each_request_and_after_each_reply() -> None:
    async def main(world: World) -> None:
        port = Wire(world)
        line = line_on(port)
        start = port.now
        assert await line.connect()
        assert port.now - start >= T - 1e-6, "what an earlier life asked may still be answered"
        for count in (1, 2, 3, 4, 1):
            data = await line.ask(ask(5, count))
            assert data[1:] == struct.pack(f">{count}H", *range(1005, 1005 + count))
        silence = SERIAL.silence_ns / 1e9
        for (sent, _), heard in zip(port.sent[1:], port.heard, strict=False):
            assert sent - heard >= silence - 1e-6
        assert len(port.sent) == 5

    run(main)


def test_the_time_on_the_line_comes_on_top_of_the_time_out() -> None:
    async def main(world: World) -> None:
        port = Wire(world)
        line = line_on(port)
        await line.connect()
        carried = (8 + 5 + 250) * SERIAL.character_ns / 1e9
        port.answers = lambda frame: [(T + carried - 0.002, port.right(frame))]
        await line.ask(ask(0, 125))
        port.answers = lambda _: []
        start = port.now
        with pytest.raises(NoReplyError) as error:
            await line.ask(ask(0, 3))
        assert error.value.kind == TIMEOUT
        assert T <= port.now - start < T + 0.06

    run(main)


def test_a_late_reply_answers_nothing_and_a_barrier_proves_it() -> None:
    async def main(world: World) -> None:
        port = Wire(world)
        line = line_on(port)
        await line.connect()
        port.answers = lambda frame: [(1.5 * T, port.right(frame))]
        with pytest.raises(NoReplyError):
            await line.ask(ask(10, 3))
        port.answers = lambda frame: [(0.08, port.right(frame))]
        with pytest.raises(NoReplyError) as error:  # the late one answers the barrier, and is none
            await line.ask(ask(20, 3))
        assert error.value.kind == MISMATCH
        port.sent.clear()
        port.answers = lambda frame: [(0.002, port.right(frame))]
        assert (await line.ask(ask(20, 3)))[1:] == struct.pack(">3H", 1020, 1021, 1022)
        assert len(port.sent) == 2, "a barrier and the request"
        assert line.open

    run(main)


def test_what_is_doubled_or_merged_is_no_reply() -> None:
    async def main(world: World) -> None:
        port = Wire(world)
        line = line_on(port)
        await line.connect()
        for answers in (
            lambda frame: [(0.002, port.right(frame) * 2)],
            lambda frame: [(0.002, port.right(frame)), (0.003, port.right(frame))],
            lambda frame: [(0.002, port.right(frame) + b"\0")],
            lambda frame: [(0.002, b"\xff" + port.right(frame))],
            lambda frame: [(0.002, port.right(frame)[:-1])],
        ):
            port.answers = answers
            with pytest.raises(NoReplyError):
                await line.ask(ask(0, 4))
        port.answers = lambda frame: [
            (0.002 + n / 1000, bytes((b,))) for n, b in enumerate(port.right(frame))
        ]
        assert len(await line.ask(ask(0, 4))) == 9, "byte by byte is whole"

    run(main)


def test_a_repeater_that_says_it_twice_a_moment_later() -> None:
    async def main(world: World) -> None:
        port = Wire(world)
        line = line_on(port)
        await line.connect()
        port.answers = lambda frame: [(0.002, port.right(frame)), (0.012, port.right(frame))]
        right = 0
        for first in range(0, 60, 2):
            try:
                data = await line.ask(ask(first, 2))
            except NoReplyError:
                continue
            assert data[1:] == struct.pack(">2H", 1000 + first, 1001 + first)
            right += 1
        assert right >= 1

    run(main)


def test_after_what_does_not_fit_the_line_is_listened_to() -> None:
    async def main(world: World) -> None:
        port = Wire(world)
        line = line_on(port)
        await line.connect()
        port.answers = lambda _: [(0.002, b"\x07\x03"), (0.05, b"more"), (0.09, b"noise")]
        start = port.now
        with pytest.raises(NoReplyError) as error:
            await line.ask(ask())
        assert error.value.kind == MISMATCH
        assert port.now - start >= 0.09 + T - 1e-6
        assert line.open

    run(main)


def test_a_line_that_babbles_is_closed() -> None:
    async def main(world: World) -> None:
        port = Wire(world)
        line = line_on(port)
        await line.connect()
        port.answers = lambda _: [(0.002 + n * 0.05, b"\x55") for n in range(100)]
        start = port.now
        with pytest.raises(NoReplyError):
            await line.ask(ask())
        assert not line.open
        assert port.closed == 1
        assert port.now - start <= (QUARANTINES + 2) * T
        again = line_on(port)
        assert not await again.connect()
        assert again.reason == "the line is never silent"

    run(main)


def test_over_a_network_the_socket_goes_and_what_may_come_late_is_known_to_the_next() -> None:
    async def main(world: World) -> None:
        port, late = Wire(world), Late()
        line = line_on(port, keep=False, late=late)
        await line.connect()
        port.answers = lambda _: []
        with pytest.raises(NoReplyError):
            await line.ask(ask(10, 3))
        assert not line.open
        again = line_on(port, keep=False, late=late)
        start = port.now
        await again.connect()
        assert port.now == start, "only the first opening waits"
        port.sent.clear()
        port.answers = lambda frame: [(0.002, port.right(frame))]
        await again.ask(ask(10, 3))
        assert len(port.sent) == 2

    run(main)


def test_who_is_cancelled_leaves_no_reply_to_another() -> None:
    async def main(world: World) -> None:
        port, late = Wire(world), Late()
        line = line_on(port, late=late)
        await line.connect()
        port.answers = lambda frame: [(0.05, port.right(frame))]
        task = asyncio.get_running_loop().create_task(line.ask(ask(10, 3)))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.sleep(0)
        assert not line.open
        again = line_on(port, late=late)
        await again.connect()
        port.answers = lambda frame: [(0.002, port.right(frame))]
        port.sent.clear()
        await again.ask(ask(20, 3))
        assert len(port.sent) == 2

    run(main)


def test_exceptions_and_a_line_that_is_lost() -> None:
    async def main(world: World) -> None:
        port = Wire(world)
        line = line_on(port)
        with pytest.raises(NoReplyError) as error:
            await line.ask(ask())
        assert error.value.kind == CLOSED
        await line.connect()
        port.answers = lambda _: [(0.002, rtu.frame(1, 0x83, b"\2"))]
        with pytest.raises(RefusedError) as refused:
            await line.ask(ask())
        assert refused.value.code == 2
        port.answers = lambda frame: [(0.002, port.right(frame))]
        assert await line.ask_all([ask(0, 1), ask(1, 2)]) == [b"\2\x03\xe8", b"\4\x03\xe9\x03\xea"]
        port.answers = lambda _: []
        task = asyncio.get_running_loop().create_task(line.ask(ask(0, 9)))
        await asyncio.sleep(0.01)
        assert port.exchange is not None
        port.exchange.connection_lost(None)
        with pytest.raises(NoReplyError) as error:
            await task
        assert error.value.kind == CLOSED
        assert not line.open

    run(main)


def test_a_line_that_begins_to_babble_between_two_requests_holds_nobody_up() -> None:
    async def main(world: World) -> None:
        port = Wire(world)
        line = line_on(port)
        await line.connect()
        await line.ask(ask())

        async def babble() -> None:
            while True:
                port.arrive(b"\x55")
                await asyncio.sleep(SERIAL.silence_ns / 2e9)

        task = asyncio.get_running_loop().create_task(babble())
        await asyncio.sleep(0.01)
        sent, start = len(port.sent), port.now
        with pytest.raises(NoReplyError) as error:
            async with asyncio.timeout(60):
                await line.ask(ask())
        assert error.value.kind == MISMATCH
        assert port.now - start <= (QUARANTINES + 1) * T
        assert len(port.sent) == sent, "nothing is sent into the noise"
        assert not line.open, "what is opened anew is believed to be silent no more"
        task.cancel()

    run(main)


@pytest.mark.parametrize("code", [10, 11])
def test_what_a_gateway_says_of_a_unit_shows_nothing_of_its_late_replies(code: int) -> None:
    async def main(world: World) -> None:
        port = Wire(world)
        line = line_on(port, keep=False)
        await line.connect()
        port.answers = lambda _: []
        with pytest.raises(NoReplyError):
            await line.ask(ask(0, 2))
        late = port.right(port.sent[-1][1])
        late_line = Late()
        late_line.unknown = False
        late_line.missed(ask(0, 2), world.now_ns)
        line = line_on(port, keep=False, late=late_line)
        await line.connect()
        port.answers = lambda frame: [(0.002, rtu.frame(frame[0], frame[1] | 0x80, bytes((code,))))]
        with pytest.raises((NoReplyError, RefusedError)):
            await line.ask(ask(0, 2))
        await asyncio.sleep(1.0)
        # the gateway gives the late reply to whoever asks next
        port.answers = lambda frame: [(0.001, late)] if rtu.whole(frame) and frame[5] == 2 else []
        line = line_on(port, keep=False, late=late_line)
        await line.connect()
        sent = len(port.sent)
        with pytest.raises(NoReplyError):
            await line.ask(ask(0, 2))
        assert port.sent[sent][1][5] != 2, "a barrier must come first"

    run(main)


def test_what_was_taken_back_while_the_line_was_brought_in_order_is_not_sent() -> None:
    async def main(world: World) -> None:
        port = Wire(world)
        line = line_on(port)
        await line.connect()
        write = Ask(wire.write_register(7, b"\0\1"), 1, T_NS)
        port.answers = lambda _: []
        with pytest.raises(NoReplyError):
            await line.ask(write)
        port.answers = lambda frame: [(0.002, port.right(frame))]
        sent = len(port.sent)
        with pytest.raises(WithdrawnError):
            await line.ask(Ask(write.pdu, 1, T_NS, lambda: len(port.sent) == sent))
        assert [frame[1] for _, frame in port.sent[sent:]] == [3], "only the barrier was"
        await line.ask(write)
        assert port.sent[-1][1][1] == 6

    run(main)
