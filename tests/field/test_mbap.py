"""Framing of Modbus TCP: however the stream is cut, the same frames come out; what does not fit is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.modbus import mbap

FRAMES = st.lists(
    st.tuples(st.integers(0, 0xFFFF), st.integers(0, 255), st.binary(min_size=1, max_size=mbap.MOST_PDU)),
    max_size=8,
)


def test_a_frame_of_the_specification() -> None:
    # Application Protocol 1.1b3, 4.1 and 6.3, with the header of Messaging on TCP/IP 1.0b, 3.1.3
    assert mbap.frame(0x1501, 0xFF, bytes.fromhex("03 0004 0001")) == bytes.fromhex(
        "1501 0000 0006 FF 03 0004 0001"
    )


@given(FRAMES, st.lists(st.integers(1, 300), max_size=20))
def test_however_it_is_cut(frames: list[mbap.Frame], cuts: list[int]) -> None:
    stream = b"".join(mbap.frame(*frame) for frame in frames)
    parser, found = mbap.Parser(), list[mbap.Frame]()
    for cut in [*cuts, len(stream)]:
        found += parser.feed(stream[:cut])
        stream = stream[cut:]
    assert found == frames
    assert parser.pending == 0


@given(FRAMES, st.integers(0, 258))
def test_a_part_of_a_frame_waits(frames: list[mbap.Frame], cut: int) -> None:
    last = mbap.frame(1, 2, b"\x03" * 253)
    parser = mbap.Parser()
    assert parser.feed(b"".join(mbap.frame(*frame) for frame in frames) + last[:cut]) == frames
    assert parser.pending == cut
    assert parser.feed(last[cut:]) == [(1, 2, b"\x03" * 253)]


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.binary(max_size=300))
def test_headers_that_do_not_fit(transaction: int, protocol: int, length: int, rest: bytes) -> None:
    head = b"".join(n.to_bytes(2, "big") for n in (transaction, protocol, length)) + b"\x01"
    parser = mbap.Parser()
    if protocol or not 2 <= length <= 254:
        with pytest.raises(mbap.MalformedError):
            parser.feed(head + rest)
    elif len(rest) == length - 1:
        assert parser.feed(head + rest) == [(transaction, 1, rest)]


@given(st.lists(st.binary(max_size=40), max_size=30))
def test_any_bytes_leave_at_most_one_frame_behind(chunks: list[bytes]) -> None:
    parser = mbap.Parser()
    try:
        for chunk in chunks:
            parser.feed(chunk)
            assert parser.pending < mbap.FRAME_MOST
    except mbap.MalformedError:
        pass
