"""Ranges and interpretations, against struct and pymodbus."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin

from scada.cli.modbus_values import (
    BCD,
    NUMBERS,
    ORDERS,
    WORDS,
    Range,
    ascii_text,
    bits_text,
    likely,
    number,
    number_text,
    orders_of,
    parse_range,
    value_of,
    words_of,
)

TABLES = ("coil", "discrete", "holding", "input")
words4 = st.lists(st.integers(0, 0xFFFF), min_size=4, max_size=4)


@given(words4, st.sampled_from(sorted(NUMBERS)), st.sampled_from(ORDERS))
def test_values_come_back(words: list[int], type_: str, order: str) -> None:
    mine = tuple(words[: WORDS[type_]])
    value = value_of(mine, type_, order)
    assert value is not None
    if not math.isnan(value):
        assert words_of(value, type_, order) == mine


@given(words4, st.sampled_from(sorted(NUMBERS)), st.sampled_from(["big", "little"]))
def test_word_orders_are_those_of_pymodbus(words: list[int], type_: str, word_order: str) -> None:
    mine = words[: WORDS[type_]]
    theirs = ModbusClientMixin.convert_from_registers(
        mine,
        ModbusClientMixin.DATATYPE[type_.upper()],
        "big" if word_order == "big" else "little",
    )
    value = value_of(mine, type_, "ABCD" if word_order == "big" else "CDAB")
    assert struct.pack(">d", value) == struct.pack(">d", theirs) or value == theirs


def test_the_four_orders_of_one_value() -> None:
    a, b = struct.unpack(">HH", struct.pack(">f", 23.5))  # 41 BC 00 00
    swapped_a, swapped_b = (int.from_bytes(w.to_bytes(2, "big"), "little") for w in (a, b))
    assert value_of([a, b], "float32", "ABCD") == 23.5
    assert value_of([b, a], "float32", "CDAB") == 23.5
    assert value_of([swapped_a, swapped_b], "float32", "BADC") == 23.5
    assert value_of([swapped_b, swapped_a], "float32", "DCBA") == 23.5
    assert orders_of("int16") == ("ABCD", "BADC")
    assert orders_of("float64") == ORDERS


@given(st.integers(0, 99_999_999), st.sampled_from(ORDERS))
def test_bcd(value: int, order: str) -> None:
    assert value_of(words_of(value, "bcd32", order), "bcd32", order) == value


def test_bcd_with_a_digit_above_nine_is_none() -> None:
    assert value_of([0x12A4], "bcd16", "ABCD") is None
    assert value_of([0x1234], "bcd16", "ABCD") == 1234
    assert sorted(BCD) == ["bcd16", "bcd32"]


@pytest.mark.parametrize(
    ("value", "type_"),
    [(70000, "uint16"), (-1, "uint16"), (1.5, "int32"), (1e39, "float32"), (10000, "bcd16"), (-1, "bcd32"), (math.nan, "int16"), (math.inf, "int16"), (math.nan, "bcd16")],
)  # fmt: skip
def test_what_does_not_fit_is_refused(value: float, type_: str) -> None:
    with pytest.raises(ValueError):
        words_of(value, type_, "ABCD")


@given(st.sampled_from(TABLES), st.integers(0, 65535), st.integers(1, 300))
def test_ranges_come_back(table: str, first: int, count: int) -> None:
    if first + count > 65536:
        with pytest.raises(ValueError, match="does not lie in"):
            parse_range(f"{table}/{first}x{count}")
        return
    one = Range(table, first, count)
    if first:
        assert parse_range(f"{table}/{first}x{count}") == one
    assert parse_range(str(one)) == one
    assert parse_range(f" {table}/{first}-{first + count - 1} ") == one
    if table != "coil" and count > 1:
        assert parse_range(f"{number(table, first)}x{count}") == one


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("holding", "no range"),
        ("00001", "Write coil/0"),
        ("holding/0100", "Write holding/100"),
        ("holding/5-3", "first address first"),
        ("holding/1x0", "first address first"),
        ("40000", "count from 1"),
        ("400000", "count from 1"),
        ("holding/1x65536", "does not lie"),
        ("holding/0x16", "holding/0-15, or holding/22"),
        ("holding/0x0", "hexadecimal"),
        ("holding/70000", "does not lie"),
        ("holding/\uff11", "no range"),
    ],
)
def test_what_is_no_range_says_what_to_write(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_range(text)


@given(st.text(max_size=20))
def test_any_text_is_a_range_or_refused(text: str) -> None:
    try:
        found = parse_range(text)
    except ValueError:
        return
    assert 0 <= found.first < found.first + found.count <= 65536


def test_texts() -> None:
    assert number("holding", 100) == "40101"
    assert number("input", 9998) == "39999"
    assert number("holding", 9999) == "410000"
    assert number("coil", 0) == "00001"
    assert bits_text(0xA001) == "1010 0000 0000 0001"
    assert ascii_text(0x4F07) == "O·"
    assert [number_text(v) for v in (None, 5, 23.5, math.nan, 1e-30)] == ["—", "5", "23.5", "nan", "1e-30"]
    assert [likely(v) for v in (None, 0.0, 23.5, -1e-30, math.nan, 3e20)] == [
        False,
        True,
        True,
        False,
        False,
        False,
    ]
