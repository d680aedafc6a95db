"""Connections of both clients against devices that lie and devices that do not; the window of ours."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.clock import SystemClock
from scada.field.driver import CLOSED, MISMATCH, TIMEOUT, NoReplyError, RefusedError
from scada.field.modbus.config import Config
from scada.field.modbus.keepalive import KEEP_ALIVE
from scada.field.modbus.stream import Stream
from scada.field.modbus.transactions import Transactions
from scada.field.modbus.transport import Opener, Transport, over_network
from scada.modbus import mbap, wire
from scada.modbus.endpoint import Endpoint
from scada.modbus.wire import Ask
from tests.field.liar import frame, liar, right
from tests.field.plc import plc
from tests.field.test_link import LIES, edited, with_pdu

CLIENTS = ("native", "pymodbus")
MS = 1_000_000
MORE_LIES = LIES | {
    "exception 0": with_pdu(lambda _: b"\x83\0"),
    "exception 255": with_pdu(lambda _: b"\x83\xff"),
    "exception with more behind its code": with_pdu(lambda _: b"\x83\2\0"),
}


def opener(port: int, client: str, window: int = 1) -> Opener:
    config = Config(endpoint=f"tcp://127.0.0.1:{port}", timeout="2 s", client=client, window=window)  # type: ignore[arg-type]
    return over_network(config, SystemClock())


def read(start: int, count: int = 4, timeout_ms: int = 2000) -> Ask:
    return Ask(wire.read("holding", start, count), 1, timeout_ms * MS)


def truth(start: int, count: int = 4) -> bytes:
    return bytes((2 * count,)) + struct.pack(f">{count}H", *range(1000 + start, 1000 + start + count))


async def connected(opener: Opener) -> Transport:
    transport = opener()
    assert await transport.connect(), transport.reason
    return transport


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", MORE_LIES)
async def test_a_lie_is_no_value_and_ends_the_connection(name: str, client: str) -> None:
    async with liar(edited(MORE_LIES[name])) as port:
        transport = await connected(opener(port, client))
        with pytest.raises(NoReplyError) as error:
            await transport.ask(read(10, timeout_ms=30))
        whole = name not in ("length too long", "first half only", "nothing", "byte count 8, two bytes")
        if whole:
            assert error.value.kind == MISMATCH
        assert not transport.open
        with pytest.raises(NoReplyError) as error:
            await transport.ask(read(10))
        assert error.value.kind == CLOSED


@pytest.mark.parametrize("client", CLIENTS)
async def test_both_clients_do_the_same(client: str) -> None:
    with plc() as one:
        one.set("holding", 10, 1, 2, 3)
        transport = await connected(opener(one.port, client))
        assert await transport.ask(read(10, 3)) == bytes((6, 0, 1, 0, 2, 0, 3))
        for pdu in (
            wire.write_coil(4, True),
            wire.write_register(20, b"\x12\x34"),
            wire.write_registers(21, b"\x00\x01\x00\x02"),
            wire.mask_write(20, 0xFFFE, 1),
        ):
            assert pdu.answered_by(await transport.ask(Ask(pdu, 1)))
        assert one.memory.tables["coil"][4] == 1
        assert one.memory.tables["holding"][20:23] == [0x1235, 1, 2]
        with pytest.raises(RefusedError) as refused:
            await transport.ask(read(399))
        assert refused.value.code == 2
        assert await transport.ask_all([read(10, 1), read(399), read(11, 2)]) == [b"\2\0\1", 2, b"\4\0\2\0\3"]
        assert transport.open
        transport.close()
        assert not transport.open


@pytest.mark.parametrize("client", CLIENTS)
async def test_nobody_listens(client: str) -> None:
    transport = opener(1, client)()
    assert not await transport.connect()
    assert not transport.open
    assert transport.reason


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_silent_device_is_given_up_in_time(client: str) -> None:
    async with liar(edited(lambda _: b"")) as port:
        transport = await connected(opener(port, client))
        loop = asyncio.get_running_loop()
        start = loop.time()
        with pytest.raises(NoReplyError) as error:
            await transport.ask(read(0, timeout_ms=60))
        assert error.value.kind == TIMEOUT
        assert 0.058 <= loop.time() - start < 0.5


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_short_time_out_behind_a_long_one_is_short(client: str) -> None:
    """Units of one gateway may have time-outs of their own."""

    async def answer(request: bytes, number: int, writer: asyncio.StreamWriter) -> None:
        if number == 1:
            writer.write(right(request))

    async with liar(answer) as port:
        transport = await connected(opener(port, client))
        assert await transport.ask(read(0, timeout_ms=30_000)) == truth(0)
        async with asyncio.timeout(5):
            with pytest.raises(NoReplyError) as error:
                await transport.ask(read(1, timeout_ms=40))
        assert error.value.kind == TIMEOUT


@pytest.mark.parametrize("client", CLIENTS)
async def test_ids_go_on_over_connections(client: str) -> None:
    seen: list[int] = []

    async def answer(request: bytes, number: int, writer: asyncio.StreamWriter) -> None:
        seen.append(struct.unpack_from(">H", request)[0])
        writer.write(right(request))

    async with liar(answer) as port:
        make = opener(port, client)
        for _ in range(3):
            transport = await connected(make)
            for start in range(3):
                assert await transport.ask(read(start)) == truth(start)
            transport.close()
    first = seen[0]
    assert 0 not in seen
    assert all((later - first - n) % 65535 in (0, 535) for n, later in enumerate(seen))


@given(st.integers(1, 0xFFFF), st.integers(2, 0xFFFF), st.integers(1, 300))
def test_transaction_ids_come_again_last(first: int, last: int, count: int) -> None:
    transactions = Transactions(first, last)
    ids = [transactions.next() for _ in range(count)]
    assert ids[0] == (first - 1) % last + 1
    assert len({*ids[:last]}) == min(count, last)
    assert all(1 <= one <= last for one in ids)


@pytest.mark.parametrize("client", CLIENTS)
async def test_what_stands_behind_a_reply_makes_it_none(client: str) -> None:
    for rest in (b"\0", bytes(12), frame(7, 1, b"\x03\x02\0\0")):
        async with liar(edited(lambda reply, rest=rest: reply + rest)) as port:  # type: ignore[misc]
            transport = await connected(opener(port, client))
            with pytest.raises(NoReplyError) as error:
                await transport.ask(read(0))
            assert error.value.kind == MISMATCH


async def test_words_without_a_question_end_the_connection() -> None:
    async def answer(request: bytes, number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(right(request))
        await writer.drain()
        asyncio.get_running_loop().call_later(0.02, writer.write, right(request))

    async with liar(answer) as port:
        transport = await connected(opener(port, "native"))
        assert await transport.ask(read(0)) == truth(0)
        async with asyncio.timeout(5):
            while transport.open:  # noqa: ASYNC110 - the peer's bytes, not an event of ours, end it
                await asyncio.sleep(0.005)


# --- the window ---


@asynccontextmanager
async def shuffling(
    hold: int, answer: Callable[[list[bytes]], list[bytes]]
) -> AsyncIterator[tuple[int, list[int]]]:
    """A device that waits for `hold` requests (or the last) and answers them in an order of its own."""
    held: list[bytes] = []
    depth: list[int] = []

    async def take(request: bytes, number: int, writer: asyncio.StreamWriter) -> None:
        held.append(request)
        depth.append(len(held))
        if len(held) == hold:
            replies = answer(held)
            held.clear()
            for reply in replies:
                writer.write(reply)
                await writer.drain()

    async with liar(take) as port:
        yield port, depth


async def test_replies_in_any_order_come_home() -> None:
    for order in itertools.permutations(range(4)):
        async with shuffling(4, lambda held, order=order: [right(held[n]) for n in order]) as (port, depth):  # type: ignore[misc]
            transport = await connected(opener(port, "native", 4))
            asks = [read(10 * n, 1 + n) for n in range(8)]
            assert await transport.ask_all(asks) == [truth(10 * n, 1 + n) for n in range(8)]
            assert max(depth) == 4
            transport.close()


async def test_the_window_is_never_exceeded_and_one_is_one() -> None:
    for window, most in ((1, 1), (3, 3)):
        async with shuffling(1, lambda held: [right(request) for request in held]) as (port, depth):
            transport = await connected(opener(port, "native", window))
            assert await transport.ask_all([read(n) for n in range(7)]) == [truth(n) for n in range(7)]
            assert max(depth) <= most
            assert await transport.ask_all([]) == []
            transport.close()


async def test_a_lie_in_a_window_is_no_value_at_all() -> None:
    def swapped(held: list[bytes]) -> list[bytes]:
        """Each reply with the transaction id of the next request."""
        replies = [right(request) for request in held]
        return [replies[(n + 1) % len(replies)][:2] + reply[2:] for n, reply in enumerate(replies)]

    async with shuffling(3, swapped) as (port, _):
        transport = await connected(opener(port, "native", 3))
        with pytest.raises(NoReplyError) as error:
            await transport.ask_all([read(0, 1), read(10, 2), read(20, 3)])
        assert error.value.kind == MISMATCH
        assert not transport.open


async def test_one_of_a_window_is_silent() -> None:
    async with shuffling(3, lambda held: [right(request) for request in held[:2]]) as (port, _):
        transport = await connected(opener(port, "native", 3))
        with pytest.raises(NoReplyError) as error:
            await transport.ask_all([read(n, timeout_ms=40) for n in range(3)])
        assert error.value.kind == TIMEOUT
        assert not transport.open


async def test_a_refusal_in_a_window_costs_only_itself() -> None:
    def refusing(held: list[bytes]) -> list[bytes]:
        return [with_pdu(lambda _: b"\x83\x02")(right(held[0])), right(held[1])]

    async with shuffling(2, refusing) as (port, _):
        transport = await connected(opener(port, "native", 2))
        assert await transport.ask_all([read(0), read(1), read(2), read(3)]) == [2, truth(1), 2, truth(3)]
        transport.close()


# --- without a network ---


class _Pipe(asyncio.Transport):
    """A transport whose other end is the test."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def abort(self) -> None:
        self.aborted = True


async def _asked(stream: Stream, asks: list[Ask], play: Callable[[], None]) -> list[bytes | int]:
    task: asyncio.Task[list[bytes | int]] = asyncio.create_task(stream.ask_all(asks))
    await asyncio.sleep(0)
    play()
    return await task


def _stream(window: int = 1) -> tuple[Stream, _Pipe]:
    stream = Stream(Endpoint("tcp", "plc", 502), 10**9, window, SystemClock(), Transactions())
    pipe = _Pipe()
    stream.connection_made(pipe)
    return stream, pipe


@settings(max_examples=40)
@given(st.lists(st.integers(1, 125), min_size=1, max_size=6), st.integers(1, 6), st.data())
def test_replies_cut_anywhere(counts: list[int], window: int, data: st.DataObject) -> None:
    async def run() -> None:
        stream, pipe = _stream(window)
        asks = [read(10 * n, count) for n, count in enumerate(counts)]
        task = asyncio.create_task(stream.ask_all(asks))
        await asyncio.sleep(0)
        answered = 0
        while answered < len(asks):
            todo, answered = pipe.written[answered:], len(pipe.written)
            assert len(todo) <= window
            bytes_ = b"".join(right(request) for request in data.draw(st.permutations(todo)))
            while bytes_:
                cut = data.draw(st.integers(1, len(bytes_)))
                stream.data_received(bytes_[:cut])
                bytes_ = bytes_[cut:]
        assert await task == [truth(10 * n, count) for n, count in enumerate(counts)]
        stream.close()

    asyncio.run(run())


@given(st.binary(max_size=40), st.binary(max_size=300))
def test_no_bytes_but_the_right_ones_answer(before: bytes, noise: bytes) -> None:
    async def run() -> None:
        stream, pipe = _stream()
        reply = mbap.frame(1, 1, b"\x03" + truth(5, 3))

        def play() -> None:
            stream.data_received(before)
            stream.data_received(noise)

        try:
            (answer,) = await _asked(stream, [read(5, 3, 1)], play)
        except NoReplyError:
            assert pipe.aborted
        else:
            assert before + noise == reply or isinstance(answer, int)
        stream.close()

    asyncio.run(run())


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_reply_that_waited_while_this_process_slept_counts(run: Callable[..., None]) -> None:
    """The time-out is long over, and the reply in the socket: it is read before anybody is given up."""

    async def work() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            transport = await connected(opener(listener.getsockname()[1], "native"))
            peer, _ = listener.accept()
            with peer:
                task = asyncio.create_task(transport.ask(read(7, timeout_ms=20)))
                await asyncio.sleep(0)
                peer.sendall(right(peer.recv(100)))
                _sleep_like_a_stopped_process(0.05)
                assert await task == truth(7)
            transport.close()

    run(work())


def _sleep_like_a_stopped_process(seconds: float) -> None:
    import time

    time.sleep(seconds)


async def test_the_socket_is_kept_alive() -> None:
    async with liar(edited(lambda reply: reply)) as port:
        stream = await connected(opener(port, "native"))
        assert isinstance(stream, Stream)
        assert stream._transport is not None
        peer: socket.socket = stream._transport.get_extra_info("socket")
        for level, option, value in KEEP_ALIVE:
            assert peer.getsockopt(level, option) == value
        stream.close()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
@pytest.mark.parametrize("how", ["peer hangs up", "peer resets", "we abort"])
def test_the_socket_is_this_connections_until_the_loss_is_told(run: Callable[..., None], how: str) -> None:
    """What the stream relies on when it writes into the socket itself."""
    told: list[bool] = []

    class Watching(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.file = transport.get_extra_info("socket").fileno()
            self.inode = os.fstat(self.file).st_ino
            self.lost = asyncio.get_running_loop().create_future()

        def connection_lost(self, exc: Exception | None) -> None:
            told.append(os.fstat(self.file).st_ino == self.inode)
            self.lost.set_result(None)

    async def work() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        with listener:
            transport, mine = await asyncio.get_running_loop().create_connection(
                Watching, *listener.getsockname()
            )
            peer, _ = listener.accept()
            if how == "peer resets":
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if how == "we abort":
                transport.abort()
            peer.close()
            await asyncio.wait_for(mine.lost, 5)

    run(work())
    assert told == [True]


async def test_a_peer_that_does_not_read_gets_requests_whole_and_in_order() -> None:
    stream, pipe = _stream(16)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        stream._file = ours.fileno()
        asks = [Ask(wire.write_registers(n, bytes(246)), 1) for n in range(16)] * 4
        tasks = []
        for n in range(0, 64, 16):  # four windows, as if the first ones had been answered
            tasks.append(asyncio.create_task(stream.ask_all(asks[n : n + 16])))
            await asyncio.sleep(0)
            stream._waiting.clear()
        stream.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        ours.close()
        received = b""
        while chunk := theirs.recv(65536):
            received += chunk
    assert pipe.written
    frames = mbap.Parser().feed(received + b"".join(pipe.written))
    assert [transaction for transaction, _, _ in frames] == list(range(1, 65))
