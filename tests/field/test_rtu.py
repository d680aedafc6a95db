"""RTU frames: check sums of the standard, where frames end, and that only the right reply answers."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU

from scada.modbus import rtu, wire
from scada.modbus.serial import BAUDS, Serial
from scada.modbus.wire import Ask

UNITS = st.integers(1, 247)
COUNTS = st.integers(1, 125)


@st.composite
def asks(draw: st.DrawFn) -> tuple[Ask, bytes]:
    """A request and the data of a right reply to it."""
    unit, start = draw(UNITS), draw(st.integers(0, 65535))
    kind = draw(
        st.sampled_from(["coil", "discrete", "holding", "input", "one", "many", "mask", "bit", "bits"])
    )
    if kind in wire.READ:
        pdu = wire.read(kind, start, draw(COUNTS))
        size = pdu.reply_head[0]
        return Ask(pdu, unit), bytes((size,)) + draw(st.binary(min_size=size, max_size=size))
    word = draw(st.binary(min_size=2, max_size=2))
    pdu = {
        "one": wire.write_register(start, word),
        "many": wire.write_registers(start, word * 2),
        "mask": wire.mask_write(start, 0xFF00, 0x0012),
        "bit": wire.write_coil(start, on=True),
        "bits": wire.write_coils(start, [True]),
    }[kind]
    return Ask(pdu, unit), pdu.reply_head


def test_the_example_of_the_standard() -> None:
    assert rtu.frame(0x02, 0x07, b"") == bytes.fromhex("02074112")  # Modbus over Serial Line 1.02, 6.2.2
    assert rtu.whole(bytes.fromhex("02074112"))
    assert not rtu.whole(bytes.fromhex("02074113"))
    assert not rtu.whole(b"\xff\xff")


@given(st.binary(max_size=256))
def test_check_sums_are_those_of_pymodbus(data: bytes) -> None:
    assert rtu.crc16(data).to_bytes(2, "little") == FramerRTU.compute_CRC(data).to_bytes(2, "big")


@given(asks())
def test_the_right_reply_answers_when_it_is_complete(pair: tuple[Ask, bytes]) -> None:
    ask, data = pair
    reply = rtu.frame(ask.unit, ask.pdu.function, data)
    for end in range(len(reply)):
        assert rtu.answer(ask, reply[:end]) is None
    assert rtu.answer(ask, reply) == data
    assert rtu.reply_bytes(reply) == len(reply)
    with pytest.raises(rtu.MalformedError):
        rtu.answer(ask, reply + b"\0")


@given(asks(), st.integers(1, 255))
def test_an_exception_answers(pair: tuple[Ask, bytes], code: int) -> None:
    ask, _ = pair
    reply = rtu.frame(ask.unit, ask.pdu.function | 0x80, bytes((code,)))
    assert rtu.answer(ask, reply) == code
    assert rtu.answer(ask, reply[:4]) is None


@given(asks(), st.data())
def test_a_changed_byte_is_no_reply(pair: tuple[Ask, bytes], data: st.DataObject) -> None:
    ask, right = pair
    reply = bytearray(rtu.frame(ask.unit, ask.pdu.function, right))
    at = data.draw(st.integers(0, len(reply) - 1))
    reply[at] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(rtu.MalformedError):
        assert rtu.answer(ask, reply) is None  # it became an exception, say, that is not complete


@given(asks(), asks())
def test_a_reply_to_another_request_is_none(one: tuple[Ask, bytes], other: tuple[Ask, bytes]) -> None:
    (ask, _), (else_, data) = one, other
    same = (ask.unit, ask.pdu.function, ask.pdu.reply_head, ask.pdu.reply_bytes)
    if same == (else_.unit, else_.pdu.function, else_.pdu.reply_head, else_.pdu.reply_bytes):
        return
    reply = rtu.frame(else_.unit, else_.pdu.function, data)
    with contextlib.suppress(rtu.MalformedError):
        assert rtu.answer(ask, reply) is None


@given(asks(), st.binary(max_size=300))
def test_any_bytes_are_judged(pair: tuple[Ask, bytes], noise: bytes) -> None:
    try:
        found = rtu.answer(pair[0], noise)
    except rtu.MalformedError:
        return
    assert found is None or rtu.whole(noise)


@given(asks())
def test_requests_end_where_they_end(pair: tuple[Ask, bytes]) -> None:
    ask = pair[0]
    request = rtu.frame(ask.unit, ask.pdu.function, ask.pdu.data)
    lengths = [rtu.request_bytes(request[:end]) for end in range(len(request) + 1)]
    assert lengths[-1] == len(request)
    assert set(lengths) <= {None, len(request)}


@given(st.binary(max_size=300))
def test_lengths_of_any_bytes(noise: bytes) -> None:
    for length in (rtu.request_bytes(noise), rtu.reply_bytes(noise)):
        assert length is None or length == 0 or rtu.OVERHEAD <= length <= rtu.LONGEST
    if len(noise) >= 256:
        assert rtu.request_bytes(noise) is not None
        assert rtu.reply_bytes(noise) is not None


@given(st.lists(st.binary(max_size=20), max_size=6))
def test_device_identification_ends_behind_its_objects(texts: list[bytes]) -> None:
    objects = b"".join(bytes((n, len(text))) + text for n, text in enumerate(texts))
    data = bytes((14, 1, 1, 0, 0, len(texts))) + objects
    reply = rtu.frame(9, 43, data)
    assert rtu.reply_bytes(reply) == len(reply)
    assert rtu.reply_bytes(reply[:5]) is None
    pdu = wire.Pdu(43, bytes((14, 1, 0)), b"\x0e\x01", None)
    assert rtu.answer(Ask(pdu, 9), reply) == data
    assert rtu.request_bytes(rtu.frame(9, 43, pdu.data)) == 7


@pytest.mark.parametrize("baud", BAUDS)
def test_silences_are_those_of_the_standard(baud: int) -> None:
    if baud > 19200:
        assert (rtu.silence_ns(baud), rtu.inner_ns(baud)) == (1_750_000, 750_000)
    else:
        character = 11e9 / baud
        assert rtu.silence_ns(baud) == pytest.approx(3.5 * character, abs=10)
        assert rtu.inner_ns(baud) == pytest.approx(1.5 * character, abs=10)


def test_settings_of_a_line() -> None:
    assert str(Serial()) == "19200 Bd, 8E1"
    assert Serial(baud=9600, parity="none", stop_bits=1).character_ns == 10 * 10**9 // 9600
    assert Serial(baud=9600).character_ns == 11 * 10**9 // 9600
    with pytest.raises(ValueError, match="8 data bits, not 7"):
        Serial(data_bits=7)
    with pytest.raises(ValueError, match="no usual speed"):
        Serial(baud=19201)


def test_a_frame_is_what_struct_makes_of_it() -> None:
    body = struct.pack(">BBHH", 17, 3, 0x6B, 3)
    assert rtu.frame(17, 3, body[2:]) == body + bytes.fromhex("7687")
