"""Payloads to values and back: all types, all orders, scaling, sensor limits."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scada.field.modbus import encode
from scada.field.modbus.address import COUNT, Address
from scada.field.modbus.decode import Decoder, Point, exception_status
from scada.field.modbus.plan import Request
from tags import quality, types
from tags.model import Scaling
from tests.field.memory import ORDERS, Memory, config, read, request

VALUES: dict[str, st.SearchStrategy[Any]] = {
    **{t: st.integers(*types.INTEGER_RANGE[t]) for t in types.INTEGER_RANGE if t != types.BOOL},
    types.BOOL: st.booleans(),
    types.FLOAT32: st.floats(width=32, allow_nan=False, allow_infinity=False),
    types.FLOAT64: st.floats(allow_nan=False, allow_infinity=False),
}


@st.composite
def written(draw: st.DrawFn) -> list[tuple[Point, Any]]:
    """Points that lie one after the other with gaps, and values for them."""
    made = []
    offset = 0
    for type_ in draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=25)):
        offset += draw(st.integers(0, 3))
        if type_ == types.BOOL:
            table, bit = draw(st.sampled_from([("coil", None), ("holding", draw(st.integers(0, 15)))]))
            address = Address(table, offset, bit, 1, type_)
        else:
            address = Address("holding", offset, None, COUNT[type_], type_)
        offset = address.end
        made.append((Point(address, type_), draw(VALUES[type_])))
    return made


@given(written(), st.sampled_from(ORDERS), st.sampled_from(["single", "multiple"]))
def test_what_is_written_is_read_back_bit_for_bit(
    made: list[tuple[Point, Any]], orders: tuple[str, str], writes: str
) -> None:
    settings = config(*orders, writes=writes)
    memory = Memory()
    points = [point for point, _ in made]
    bits = [types.to_bits(point.type, value) for point, value in made]
    for point, value in zip(points, bits, strict=True):
        memory.write(request(point, value, "", settings))
    got, status, _ = read(memory, points, settings)
    expected = [
        0 if point.type in types.FLOATS and b == 1 << 63 else b for point, b in zip(points, bits, strict=True)
    ]
    assert [
        0 if b == 1 << 63 and p.type in types.FLOATS else b for b, p in zip(got, points, strict=True)
    ] == expected
    assert set(status) == {quality.GOOD}
    quantised, bad = encode.Quantiser(points)(np.array(bits, np.uint64))
    assert not bad.any()
    assert [
        0 if b == 1 << 63 and p.type in types.FLOATS else b
        for b, p in zip(quantised.tolist(), points, strict=True)
    ] == expected


@given(
    st.sampled_from([t for t in sorted(COUNT) if t in types.INTEGER_RANGE]),
    st.floats(-1e6, 1e6),
    st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3),
    st.floats(-1e3, 1e3),
    st.sampled_from(ORDERS),
)
@example("int16", 0.0, -1.0, -0.0, ("big", "big"))
def test_a_quantised_command_is_what_is_read_back(
    type_: str, value: float, gain: float, offset: float, orders: tuple[str, str]
) -> None:
    point = Point(
        Address("holding", 7, None, COUNT[type_], type_), types.FLOAT64, Scaling(gain=gain, offset=offset)
    )
    settings = config(*orders)
    bits = types.to_bits(types.FLOAT64, value)
    memory = Memory()
    memory.write(request(point, bits, "", settings))
    got, status, _ = read(memory, [point], settings)
    quantised, bad = encode.Quantiser([point])(np.array([bits], np.uint64))
    assert got == quantised.tolist()
    assert status == [0]
    assert not bad.any()
    again, _ = encode.Quantiser([point])(quantised)
    back = types.from_bits(types.FLOAT64, int(again[0]))
    assert math.isclose(back, types.from_bits(types.FLOAT64, got[0]), rel_tol=1e-9, abs_tol=abs(gain) * 1.01)


@pytest.mark.parametrize(
    ("orders", "words"),
    [
        (("big", "big"), [0x4048, 0xF5C3]),
        (("little", "big"), [0xF5C3, 0x4048]),
        (("big", "little"), [0x4840, 0xC3F5]),
        (("little", "little"), [0xC3F5, 0x4840]),
    ],
)
def test_the_four_orders_of_pi(orders: tuple[str, str], words: list[int]) -> None:
    memory = Memory()
    memory.words["input"][10:12] = words
    point = Point(Address("input", 10, None, 2, "float32"), "float32")
    (bits,), (status,), _ = read(memory, [point], config(*orders))
    assert types.from_bits("float32", bits) == struct.unpack(">f", struct.pack(">f", 3.14))[0]
    assert status == 0


def test_the_standards_coils() -> None:
    """6.1 of the standard: coils 20-38 are CD 6B 05, 27-20 being 1100 1101."""
    request = Request("coil", 19, 19, tuple(range(19)))
    points = [Point(Address("coil", 19 + i, None, 1, "bool"), "bool") for i in range(19)]
    decoder = Decoder(points, [request], config())
    decoder.put(0, bytes.fromhex("CD6B05"))
    bits, _ = decoder.decode()
    assert bits.tolist() == [1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1]


def test_scaling_sensor_limits_and_nan() -> None:
    memory = Memory()
    memory.words["input"][:5] = [13824, 65535 - 800, 0x7FC0, 0, 250]
    card = Scaling(gain=5 / 27648, bad_below=-691, bad_above=29376)
    points = [
        Point(Address("input", 0, None, 1, "int16"), "float64", card),
        Point(Address("input", 1, None, 1, "int16"), "float64", card),
        Point(Address("input", 2, None, 2, "float32"), "float32"),
        Point(Address("input", 4, None, 1, "uint16"), "int32", Scaling(gain=0.1)),
        Point(Address("input", 4, None, 1, "uint16"), "uint16", Scaling(bad_above=200)),
    ]
    bits, status, decoder = read(memory, points, config())
    assert types.from_bits("float64", bits[0]) == 2.5
    assert status == [
        0,
        quality.BAD_SENSOR_FAILURE,
        quality.BAD_SENSOR_FAILURE,
        0,
        quality.BAD_SENSOR_FAILURE,
    ]
    assert bits[3] == 25
    memory.words["input"][1:4] = [0, 0, 0]
    decoder.put(0, memory.payload(Request("input", 0, 5, ())))
    _, status_again = decoder.decode()
    assert sorted(status_again.tolist()) == [0, 0, 0, 0, quality.BAD_SENSOR_FAILURE]


@pytest.mark.parametrize("orders", ORDERS)
def test_texts(orders: tuple[str, str]) -> None:
    settings = config(*orders)
    memory = Memory()
    point = Point(Address("holding", 3, None, 4, "string"), "string")
    memory.write(request(point, 0, "Pumpe ü", settings))
    _, _, decoder = read(memory, [point], settings)
    assert decoder.text(0) == "Pumpe ü"
    with pytest.raises(ValueError, match="does not fit into 4 registers"):
        request(point, 0, "nine bytes", settings)
    memory.words["holding"][3:7] = [0xFFFE, 0x4100, 0, 0] if orders[1] == "big" else [0xFEFF, 0x0041, 0, 0]
    _, _, decoder = read(memory, [point], settings)
    assert decoder.text(0) == "��A"


def test_what_cannot_be_written_is_said() -> None:
    point = Point(Address("holding", 0, None, 1, "int16"), "float64", Scaling(gain=0.1))
    nan = types.to_bits("float64", math.nan)
    with pytest.raises(ValueError, match="finite"):
        request(point, nan, "", config())
    _, bad = encode.Quantiser([point])(np.array([nan], np.uint64))
    assert bad.tolist() == [True]


def test_quality_of_exceptions() -> None:
    assert [exception_status(code) for code in (1, 2, 3)] == [quality.BAD_CONFIGURATION_ERROR] * 3
    assert exception_status(4) == quality.BAD_DEVICE_FAILURE
    assert exception_status(6) == quality.UNCERTAIN_LAST_USABLE
    assert exception_status(11) == quality.BAD_NO_COMMUNICATION
    assert exception_status(99) == quality.BAD_DEVICE_FAILURE
