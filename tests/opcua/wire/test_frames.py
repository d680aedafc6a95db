"""Chunks out of bytes: the same whatever pieces arrive, and nothing is kept that can never be one."""

from __future__ import annotations

import contextlib
import struct

import pytest
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st

from scada.opcua.wire import chunks
from scada.opcua.wire.frames import HELLO_MAX, FrameError, Frames

LIMIT = 65_535


def frame(kind: bytes, size: int, body: bytes | None = None) -> bytes:
    return kind + struct.pack("<I", size) + (bytes(size - 8) if body is None else body)


some_frames = st.lists(
    st.tuples(st.sampled_from([b"HELF", b"MSGF", b"MSGC", b"OPNF", b"CLOF"]), st.integers(32, 300)).map(
        lambda its: frame(*its)
    ),
    max_size=6,
)


@given(some_frames, st.data())
def test_the_pieces_in_which_bytes_arrive_do_not_matter(wanted: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(wanted)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    frames = Frames(LIMIT)
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += frames.feed(stream[start:end])
    assert found == wanted
    assert frames.held == 0


@given(st.binary(max_size=200), st.integers(1, 50))
def test_whatever_arrives_is_chunks_or_refused_and_no_more_than_one_is_held(junk: bytes, size: int) -> None:
    frames = Frames(1000)
    with contextlib.suppress(FrameError):
        for at in range(0, len(junk), size):
            for one in frames.feed(junk[at : at + size]):
                assert struct.unpack_from("<I", one, 4)[0] == len(one) <= HELLO_MAX
            assert frames.held <= HELLO_MAX


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (b"MSGF" + struct.pack("<I", 2**31), ua.StatusCodes.BadTcpMessageTooLarge),
        (b"HELF" + struct.pack("<I", 2**32 - 1), ua.StatusCodes.BadTcpMessageTooLarge),
        (b"HELF" + struct.pack("<I", HELLO_MAX + 1), ua.StatusCodes.BadTcpMessageTooLarge),
        (b"MSGF" + struct.pack("<I", LIMIT + 1), ua.StatusCodes.BadTcpMessageTooLarge),
        (b"MSGF" + struct.pack("<I", 0), ua.StatusCodes.BadTcpMessageTypeInvalid),
        (b"OPNC" + struct.pack("<I", 100), ua.StatusCodes.BadTcpMessageTypeInvalid),
        (b"ACKF" + struct.pack("<I", 28), ua.StatusCodes.BadTcpMessageTypeInvalid),
        (b"GET / HTTP/1.1", ua.StatusCodes.BadTcpMessageTypeInvalid),
        (b"G", ua.StatusCodes.BadTcpMessageTypeInvalid),
        (b"\x16\x03\x01", ua.StatusCodes.BadTcpMessageTypeInvalid),
    ],
)
@pytest.mark.parametrize("piece", [1, 3, 100])
def test_a_header_is_refused_before_what_it_announces_is_kept(start: bytes, status: int, piece: int) -> None:
    frames = Frames(LIMIT)
    with pytest.raises(FrameError) as refused:  # noqa: PT012 - in which piece does not matter
        for at in range(0, len(start), piece):
            frames.feed(start[at : at + piece])
    assert refused.value.status == status
    assert frames.held <= 8


def test_what_was_agreed_on_is_the_limit() -> None:
    frames = Frames(LIMIT)
    assert frames.feed(frame(b"MSGF", 9000)) != []
    frames.limit = 8192
    with pytest.raises(FrameError):
        frames.feed(frame(b"MSGF", 9000))


@given(st.binary(min_size=1, max_size=3000), st.integers(100, 1000), st.integers(0, 2**32 - 1))
def test_plain_chunks_hold_the_message_in_order(message: bytes, most: int, number: int) -> None:
    sent, last = chunks.write(message, most, 7, 9, number, 11)
    found = Frames(most).feed(sent)
    assert b"".join(one[chunks.HEAD :] for one in found) == message
    assert [one[3:4] for one in found] == [b"C"] * (len(found) - 1) + [b"F"]
    numbers = []
    for one in found:
        channel, token, its, request = chunks.read(one)
        assert (channel, token, request) == (7, 9, 11)
        numbers.append(its)
    for before, after in zip([number, *numbers], numbers, strict=False):
        assert after == (before + 1 if before + 1 < 2**32 else 1)
    assert numbers[-1] == last
