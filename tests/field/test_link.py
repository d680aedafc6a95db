"""The link against devices that lie: late, wrong, short, doubled or cut replies never become a value."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable

import pytest

from scada.clock import SystemClock
from scada.field.driver import MISMATCH, NoReplyError, RefusedError
from scada.field.modbus.bus import BACK_OFF_MOST_NS, Bus
from scada.field.modbus.config import Config
from scada.field.modbus.link import Link
from scada.field.modbus.transport import over_network
from scada.modbus import wire
from tests.field.liar import Answer, frame, liar, right
from tests.field.plc import Plc, plc

TIMEOUT_NS = 100_000_000


def link_to(port: int, timeout: str = "100 ms") -> Link:
    config, clock = Config(endpoint=f"tcp://127.0.0.1:{port}", timeout=timeout), SystemClock()
    return Link(config, clock, Bus(config, clock, over_network))


async def value(link: Link, address: int, count: int = 4) -> list[int]:
    """Registers of the device; connects first when it must."""
    if not link.open:
        await link.connect()
    data = await link.ask(link.prepare(wire.read("holding", address, count)))
    return list(struct.unpack(f">{count}H", data[1:]))


def edited(change: Callable[[bytes], bytes]) -> Answer:
    """Answers with an edited true reply."""

    async def answer(request: bytes, number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(change(right(request)))

    return answer


def head(reply: bytes) -> tuple[int, int, bytes]:
    """Transaction id, unit and PDU of a reply."""
    return struct.unpack_from(">H", reply)[0], reply[6], reply[7:]


def with_pdu(pdu: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def change(reply: bytes) -> bytes:
        tid, unit, old = head(reply)
        return frame(tid, unit, pdu(old))

    return change


LIES: dict[str, Callable[[bytes], bytes]] = {
    "next transaction id": lambda r: frame((head(r)[0] + 1) & 0xFFFF, head(r)[1], head(r)[2]),
    "last transaction id": lambda r: frame((head(r)[0] - 1) & 0xFFFF, head(r)[1], head(r)[2]),
    "transaction id 0": lambda r: frame(0, head(r)[1], head(r)[2]),
    "another unit": lambda r: frame(head(r)[0], 2, head(r)[2]),
    "another protocol": lambda r: frame(head(r)[0], head(r)[1], head(r)[2], protocol=9),
    "FC4 for FC3": with_pdu(lambda pdu: b"\x04" + pdu[1:]),
    "FC16 for FC3": with_pdu(lambda _: struct.pack(">BHH", 16, 0, 4)),
    "unknown function": with_pdu(lambda pdu: b"\x41" + pdu[1:]),
    "function 0": with_pdu(lambda pdu: b"\x00" + pdu[1:]),
    "function 128": with_pdu(lambda pdu: b"\x80" + pdu[1:]),
    "one register short": with_pdu(lambda pdu: bytes((3, 6)) + pdu[2:8]),
    "three registers more": with_pdu(lambda pdu: bytes((3, 14)) + pdu[2:] + b"\1\2\3\4\5\6"),
    "odd byte count": with_pdu(lambda pdu: bytes((3, 7)) + pdu[2:9]),
    "byte count 2, all bytes": with_pdu(lambda pdu: bytes((3, 2)) + pdu[2:]),
    "byte count 8, two bytes": with_pdu(lambda pdu: pdu[:4]),
    "no byte count": with_pdu(lambda _: b"\x03"),
    "exception of another function": with_pdu(lambda _: bytes((0x84, 2))),
    "exception without code": with_pdu(lambda _: b"\x83"),
    "length too long": lambda r: r[:4] + struct.pack(">H", 200) + r[6:],
    "length 0": lambda r: r[:4] + b"\0\0" + r[6:],
    "first half only": lambda r: r[: len(r) // 2],
    "noise": lambda _: b"\xff\x00" * 20,
    "nothing": lambda _: b"",
}


@pytest.mark.parametrize("name", LIES)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_a_lie_is_no_value(name: str) -> None:
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, _context: None
    )  # a callback of pymodbus may raise
    async with liar(edited(LIES[name])) as port:
        link = link_to(port, "50 ms")
        for _ in range(2):
            with pytest.raises(NoReplyError):
                await value(link, 10)
            assert not link.open
        assert link.failures == 2
        link.close()


async def test_an_exception_of_this_request_is_told_and_the_connection_stays() -> None:
    async with liar(edited(with_pdu(lambda _: bytes((0x83, 4))))) as port:
        link = link_to(port)
        with pytest.raises(RefusedError) as error:
            await value(link, 10)
        assert error.value.code == 4
        assert link.open
        link.close()


async def test_late_replies_die_with_their_connection() -> None:
    late = asyncio.Event()

    async def answer(request: bytes, number: int, writer: asyncio.StreamWriter) -> None:
        if number % 2:
            await late.wait()  # past the time-out, on a connection that is gone
        writer.write(right(request))

    async with liar(answer) as port:
        link = link_to(port, "50 ms")
        right_ones = 0
        for address in range(8):
            try:
                assert await value(link, address) == [1000 + address + i for i in range(4)]
                right_ones += 1
            except NoReplyError:
                late.set()
                late.clear()
        assert right_ones == 4
        link.close()


async def test_doubled_replies_and_leftovers_never_answer_the_next_request() -> None:
    last = b""

    async def answer(request: bytes, number: int, writer: asyncio.StreamWriter) -> None:
        nonlocal last
        reply = right(request)
        writer.write(last + reply + reply + reply[:5] if number % 3 == 0 else last + reply + reply)
        last = reply

    async with liar(answer) as port:
        link = link_to(port, "50 ms")
        kinds = set[str]()
        for address in range(20):  # whoever says more than was asked is not believed at all
            try:
                assert await value(link, address) == [1000 + address + i for i in range(4)]
            except NoReplyError as error:
                kinds.add(error.kind)
        assert kinds <= {MISMATCH}
        link.close()


async def test_a_reply_byte_by_byte_is_whole() -> None:
    async def answer(request: bytes, number: int, writer: asyncio.StreamWriter) -> None:
        for byte in right(request):
            writer.write(bytes((byte,)))
            await writer.drain()

    async with liar(answer) as port:
        link = link_to(port, "1 s")
        assert await value(link, 3) == [1003, 1004, 1005, 1006]
        link.close()


async def test_a_peer_that_hangs_up_is_noticed_before_the_time_out() -> None:
    async def answer(request: bytes, number: int, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with liar(answer) as port:
        link = link_to(port, "30 s")
        with pytest.raises(NoReplyError, match="closed the connection"):
            await value(link, 0)


async def test_a_write_whose_echo_differs_is_not_confirmed() -> None:
    for change in (
        with_pdu(lambda pdu: pdu[:-1] + b"\x07"),
        with_pdu(lambda pdu: pdu[:1] + b"\x00\x63" + pdu[3:]),
        with_pdu(lambda pdu: pdu + b"\0"),
        with_pdu(lambda pdu: pdu[:-1]),
        with_pdu(lambda pdu: b"\x03" + pdu[1:]),
    ):
        async with liar(edited(change)) as port:
            link = link_to(port, "50 ms")
            await link.connect()
            with pytest.raises(NoReplyError):
                await link.ask(link.prepare(wire.write_register(5, b"\x01\x02")))
            assert not link.open


async def test_a_cancelled_request_drops_the_connection() -> None:
    async def silent(request: bytes, number: int, writer: asyncio.StreamWriter) -> None:
        pass

    async with liar(silent) as port:
        link = link_to(port, "30 s")
        await link.connect()
        task = asyncio.create_task(value(link, 0))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not link.open


@pytest.fixture
async def one() -> AsyncIterator[Plc]:
    with plc() as made:
        yield made


async def test_reads_and_writes_of_a_real_server(one: Plc) -> None:
    one.set("holding", 10, 1, 2, 3)
    one.set("coil", 3, 1)
    link = link_to(one.port, "2 s")
    assert await link.connect()
    assert await value(link, 10, 3) == [1, 2, 3]
    ask = link.prepare(wire.read("coil", 0, 10))
    assert await link.ask(ask) == bytes((2, 8, 0))
    assert await link.ask(ask) == bytes((2, 8, 0))  # a request is sent again and again
    for pdu in (
        wire.write_coil(4, True),
        wire.write_coils(5, [True]),
        wire.write_register(20, b"\x12\x34"),
        wire.write_registers(21, b"\x00\x01\x00\x02"),
        wire.mask_write(20, 0xFFFE, 1),
    ):
        await link.ask(link.prepare(pdu))
    assert one.memory.tables["coil"][4:6] == [1, 1]
    assert one.memory.tables["holding"][20:23] == [0x1235, 1, 2]
    with pytest.raises(RefusedError) as error:
        await value(link, 399, 4)
    assert error.value.code == 2
    assert link.errors == 1
    p50, p99 = link.latency_ms()
    assert 0 < p50 <= p99
    link.close()


async def test_back_off_begins_at_once_and_stays_bounded(one: Plc) -> None:
    clock = SystemClock()
    link = link_to(one.port)
    assert await value(link, 0) == [0, 0, 0, 0]
    one.kill()
    with pytest.raises(NoReplyError):
        await value(link, 0)
    assert link.next_try_ns <= clock.monotonic_ns()
    waits = []
    for _ in range(8):
        assert not await link.connect()
        waits.append(link.next_try_ns - clock.monotonic_ns())
    assert waits == sorted(waits) or max(waits) <= BACK_OFF_MOST_NS
    assert BACK_OFF_MOST_NS * 0.9 < waits[-1] <= BACK_OFF_MOST_NS
    one.start()
    assert await value(link, 0) == [0, 0, 0, 0]
    assert link.failures == 0
    link.close()


async def test_nobody_listens() -> None:
    link = link_to(1)
    assert not await link.connect()
    assert not link.open
    with pytest.raises(NoReplyError):
        await link.ask(link.prepare(wire.write_coil(0, True)))
