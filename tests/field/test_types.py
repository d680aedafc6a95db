"""Everything that a PLC stores: each type in each order and each scaling, beside struct and beside pymodbus."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin

from scada.field.modbus import encode
from scada.field.modbus.address import COUNT, Address
from scada.field.modbus.config import ORDERS
from scada.field.modbus.decode import Decoder, Point
from scada.field.modbus.plan import Request, plan
from tags import quality, types
from tags.model import Scaling
from tags.scaling import to_value
from tests.field.memory import Memory, config, read

CODES = {"int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q"} | {
    "float32": "f",
    "float64": "d",
}
LIMITS = {t: types.INTEGER_RANGE[t] for t in CODES if t not in types.FLOATS} | types.BCD_RANGE
RAW: dict[str, st.SearchStrategy[Any]] = {
    **{t: st.integers(*limits) for t, limits in LIMITS.items()},
    "float32": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "float64": st.floats(allow_nan=False, allow_infinity=False),
}
SCALINGS = {
    "plain": Scaling(),
    "linear": Scaling(gain=0.1, offset=-40.0),
    "falling": Scaling(gain=-0.25),
    "square root": Scaling(gain=100 / 27648, root=(0.0, 100.0), cutoff=2.0),
    "curve": Scaling(curve=((0.0, 0.0), (100.0, 2.0), (5000.0, 30.0), (9999.0, 31.0))),
}
OTHER = {"ABCD": "DCBA", "CDAB": "BADC", "BADC": "CDAB", "DCBA": "ABCD"}


def words_of(type_: str, raw: Any, order: str) -> list[int]:
    """Registers of a value, by pymodbus; by hand what it does not know."""
    word_order, byte_order = ORDERS[order]
    if type_ in types.BCD:
        digits = f"{raw:0{4 * COUNT[type_]}d}"
        words = [int(digits[i : i + 4], 16) for i in range(0, len(digits), 4)]
        words = words[::-1] if word_order == "little" else words
    else:
        kind = ModbusClientMixin.DATATYPE[type_.upper()]
        words = ModbusClientMixin.convert_to_registers(raw, kind, word_order)  # type: ignore[arg-type]
        assert math.isnan(raw) or ModbusClientMixin.convert_from_registers(words, kind, word_order) == raw  # type: ignore[arg-type]
    return [w >> 8 | (w & 0xFF) << 8 for w in words] if byte_order == "little" else words


def by_struct(type_: str, words: list[int], order: str) -> Any:
    """The value of registers, by the letters of the order alone."""
    data = struct.pack(f">{len(words)}H", *words)
    ordered = bytearray(len(data))
    pairs = len(words)
    for i in range(len(data)):
        place = i ^ 1 if order in ("BADC", "DCBA") else i
        pair = pairs - 1 - place // 2 if order in ("CDAB", "DCBA") else place // 2
        ordered[2 * pair + place % 2] = data[i]
    return struct.unpack(">" + CODES[type_], ordered)[0]


def point_of(type_: str, order: str, scaling: Scaling, offset: int = 3) -> Point:
    address = Address("holding", offset, None, COUNT[type_], type_, order=order)
    own = types.BCD.get(type_, type_)
    return Point(address, own if scaling.plain else types.FLOAT64, scaling)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("type_", COUNT)
@settings(max_examples=15)
@given(st.data())
def test_what_a_plc_stores_is_read_and_written_as_others_do(
    type_: str, order: str, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(SCALINGS)))
    scaling, raw = SCALINGS[name], data.draw(RAW[type_])
    if not scaling.plain and type_ in ("int64", "uint64", "bcd64", "float64"):
        raw = data.draw(st.integers(0, 2**40))
    words = words_of(type_, raw, order)
    if type_ in CODES:
        assert by_struct(type_, words, order) == raw
    point, device, memory = point_of(type_, order, scaling), config(*ORDERS[OTHER[order]]), Memory()
    memory.words["holding"][3 : 3 + len(words)] = words
    (bits,), (status,), _ = read(memory, [point], device)
    value = types.from_bits(point.type, bits)
    assert status == quality.GOOD
    assert value == to_value(raw, scaling, types.FLOAT64)

    part = encode.part(point, bits, "", device)
    memory.words["holding"][3 : 3 + len(words)] = struct.unpack(f">{len(words)}H", part.data)
    (again,), _, _ = read(memory, [point], device)
    (quantised,), (bad,) = encode.Quantiser([point])(np.array([bits], np.uint64))
    assert not bad
    assert types.from_bits(point.type, again) == types.from_bits(point.type, int(quantised))
    if scaling.plain:
        assert (
            list(struct.unpack(f">{len(words)}H", part.data)) == words or raw == 0
        )  # minus nought is nought
    if name in ("plain", "linear", "falling") and type_ in LIMITS:
        assert types.from_bits(point.type, again) == value


@pytest.mark.parametrize("type_", COUNT)
@settings(max_examples=30)
@given(st.data())
def test_what_is_commanded_is_what_is_read_back(type_: str, data: st.DataObject) -> None:
    """Bit for bit, whatever the command: fractions, numbers that do not fit, the wrong side of a curve."""
    order, scaling = (
        data.draw(st.sampled_from(sorted(ORDERS))),
        data.draw(st.sampled_from(list(SCALINGS.values()))),
    )
    point, device, memory = point_of(type_, order, scaling), config(), Memory()
    own = (
        st.floats(-1e30, 1e30)
        if point.type in types.FLOATS
        else st.integers(*types.INTEGER_RANGE[point.type])
    )
    bits = types.to_bits(point.type, data.draw(own))
    part = encode.part(point, bits, "", device)
    memory.words["holding"][3 : 3 + len(part.data) // 2] = struct.unpack(
        f">{len(part.data) // 2}H", part.data
    )
    (back,), (status,), _ = read(memory, [point], device)
    (quantised,), (bad,) = encode.Quantiser([point])(np.array([bits], np.uint64))
    assert not bad
    assert status == quality.GOOD
    assert (
        back == quantised
        or types.from_bits(point.type, back) == types.from_bits(point.type, int(quantised)) == 0
    )


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(COUNT)), st.sampled_from(sorted(ORDERS))), min_size=1, max_size=20
    )
)
def test_orders_stand_side_by_side_in_one_request(kinds: list[tuple[str, str]]) -> None:
    memory, points, offset = Memory(), [], 0
    for n, (type_, order) in enumerate(kinds):
        points.append(point_of(type_, order, SCALINGS["plain"], offset))
        words = words_of(type_, n + 7, order)
        memory.words["holding"][offset : offset + len(words)] = words
        offset += len(words)
    bits, status, _ = read(memory, points, config("little", "little"))
    assert [types.from_bits(p.type, b) for p, b in zip(points, bits, strict=True)] == [
        n + 7 for n in range(len(kinds))
    ]
    assert set(status) == {quality.GOOD}


def test_every_word_as_digits() -> None:
    """All 65,536 words: what is no digit is Bad, and does not hide the last usable value."""
    some = [point_of("bcd16", "ABCD", Scaling(), i) for i in range(125)]
    (group,) = plan([p.address for p in some], [1] * len(some), config())
    decoder = Decoder(some, group.requests, config())
    last = [0] * len(some)
    for start in range(0, 65536, len(some)):
        words = [min(word, 65535) for word in range(start, start + len(some))]
        decoder.put(0, struct.pack(">125H", *words))
        bits, status = decoder.decode()
        texts = [f"{word:04x}" for word in words]
        last = [int(t) if t.isdecimal() else before for t, before in zip(texts, last, strict=True)]
        assert bits.tolist() == last
        assert status.tolist() == [0 if t.isdecimal() else quality.BAD_CONFIGURATION_ERROR for t in texts]


def test_digits_that_are_none_in_longer_and_scaled_values() -> None:
    memory = Memory()
    memory.words["holding"][:8] = [0x0012, 0x34A6, 0x0012, 0x3456, 0xF000, 0x0001, 0x0000, 0x0050]
    points = [
        point_of("bcd32", "ABCD", Scaling(), 0),
        point_of("bcd32", "ABCD", Scaling(gain=0.01), 2),
        point_of("bcd32", "ABCD", Scaling(gain=0.01), 4),
        Point(Address("holding", 6, None, 2, "bcd32"), "uint32", Scaling(bad_above=49)),
    ]
    bits, status, _ = read(memory, points, config())
    bad = quality.BAD_CONFIGURATION_ERROR
    assert status == [bad, quality.GOOD, bad, quality.BAD_SENSOR_FAILURE]
    assert types.from_bits("float64", bits[1]) == 1234.56


@settings(max_examples=60)
@given(st.integers(0, 65535), st.integers(0, 15), st.data())
def test_bits_of_a_register(word: int, bit: int, data: st.DataObject) -> None:
    """Fields of any width in any place, signed or not, in both byte orders; a write leaves the other bits alone."""
    width = data.draw(st.integers(1, 16 - bit))
    type_ = data.draw(st.sampled_from(["uint16", "int16"]))
    order = data.draw(st.sampled_from(sorted(ORDERS)))
    swapped = ORDERS[order][1] == "little"
    point = Point(Address("holding", 9, bit, 1, type_, width, order), type_)
    memory, device = Memory(), config()
    memory.words["holding"][9] = word >> 8 | (word & 0xFF) << 8 if swapped else word
    expected = word >> bit & (1 << width) - 1
    if type_ == "int16" and expected >> width - 1:
        expected -= 1 << width
    (bits,), (status,), _ = read(memory, [point], device)
    assert (types.from_bits(type_, bits), status) == (expected, quality.GOOD)
    command = data.draw(st.integers(*types.INTEGER_RANGE[type_]))
    low, high = point.address.limits or (0, 0)
    held = min(max(command, low), high)
    part = encode.part(point, types.to_bits(type_, command), "", device)
    assert part.mask is not None
    new = memory.words["holding"][9] & ~part.mask | int.from_bytes(part.data, "big")
    memory.words["holding"][9] = new
    new = new >> 8 | (new & 0xFF) << 8 if swapped else new
    field = (1 << width) - 1 << bit
    assert new & ~field == word & ~field
    (bits,), _, _ = read(memory, [point], device)
    assert types.from_bits(type_, bits) == held
    (quantised,), _ = encode.Quantiser([point])(np.array([types.to_bits(type_, command)], np.uint64))
    assert quantised == bits


def test_bits_of_a_register_can_be_scaled() -> None:
    memory = Memory()
    memory.words["holding"][0] = 0xA5F0
    speed = Point(Address("holding", 0, 4, 1, "uint16", 4), "float64", Scaling(gain=100 / 15))
    above = Point(Address("holding", 0, 8, 1, "uint16", 4), "float64", Scaling(gain=1.5, bad_above=4))
    bits, status, _ = read(memory, [speed, above], config())
    assert types.from_bits("float64", bits[0]) == 100.0
    assert status == [quality.GOOD, quality.BAD_SENSOR_FAILURE]
    part = encode.part(speed, types.to_bits("float64", 250.0), "", config())
    assert (part.data, part.mask) == (b"\x00\xf0", 0xF0)
    (quantised,), _ = encode.Quantiser([speed])(np.array([types.to_bits("float64", 250.0)], np.uint64))
    assert types.from_bits("float64", int(quantised)) == 100.0


@pytest.mark.parametrize("type_", ["float32", "float64"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_neither_read_nor_written(type_: str, value: float) -> None:
    for scaling in SCALINGS.values():
        point, memory = point_of(type_, "ABCD", scaling), Memory()
        memory.words["holding"][3 : 3 + COUNT[type_]] = words_of(type_, value, "ABCD")
        _, (status,), _ = read(memory, [point], config())
        assert status == quality.BAD_SENSOR_FAILURE
        with pytest.raises(ValueError, match="finite"):
            encode.part(point, types.to_bits(point.type, value), "", config())


@pytest.mark.parametrize(("type_", "words"), [("float32", [0x7F80, 1]), ("float64", [0x7FF0, 0, 0, 1])])
def test_a_signalling_nan_is_no_value_and_no_warning(type_: str, words: list[int]) -> None:
    for scaling in SCALINGS.values():
        point, memory = point_of(type_, "ABCD", scaling), Memory()
        memory.words["holding"][3 : 3 + len(words)] = words
        _, (status,), _ = read(memory, [point], config())
        assert status == quality.BAD_SENSOR_FAILURE


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("type_", [t for t in COUNT if t in CODES])
def test_values_side_by_side_and_with_gaps_are_the_same(type_: str, order: str) -> None:
    """What lies in one run is looked at where it is, the rest is gathered."""
    memory, count = Memory(), COUNT[type_]
    run = [point_of(type_, order, SCALINGS["plain"], i * count) for i in range(20)]
    gaps = [point_of(type_, order, SCALINGS["linear"], 100 + i * (count + 1)) for i in range(20)]
    for i in range(20):
        words = words_of(type_, i + 3, order)
        for point in (run[i], gaps[i]):
            memory.words["holding"][point.address.offset : point.address.end] = words
    device = config(max_gap=4)
    for points in (run, gaps, [*run, *gaps], [*gaps, run[7], run[3]], run[::-1]):
        bits, status, _ = read(memory, points, device)
        raw = [
            (p.address.offset // count if p in run else (p.address.offset - 100) // (count + 1)) + 3
            for p in points
        ]
        expected = [to_value(r, p.scaling, types.FLOAT64) for r, p in zip(raw, points, strict=True)]
        assert [types.from_bits(p.type, b) for p, b in zip(points, bits, strict=True)] == expected
        assert set(status) == {quality.GOOD}


@pytest.mark.parametrize(
    "request_", [Request("holding", 4, 2, (0,)), Request("holding", 2, 2, (0,)), Request("input", 3, 2, (0,))]
)
def test_what_no_request_covers_is_not_decoded(request_: Request) -> None:
    with pytest.raises(ValueError, match="is not in the 2 from"):
        Decoder([point_of("float32", "ABCD", Scaling())], [request_], config())
