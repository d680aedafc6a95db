"""Units: every spelling is found, conversions invert, OPC UA numbers, quantities and durations as text."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tags import units

symbols = st.sampled_from(sorted({unit.symbol for unit in units.UNITS.values()}))


@given(symbols, symbols, st.floats(-1e6, 1e6))
def test_conversion_there_and_back(a: str, b: str, value: float) -> None:
    if not units.compatible(a, b):
        with pytest.raises(units.UnitError, match=" is a "):
            units.convert(value, a, b)
        return
    back = units.convert(units.convert(value, a, b), b, a)
    zero = abs(units.convert(0.0, a, b)) + abs(units.convert(0.0, b, a))
    assert math.isclose(back, value, rel_tol=1e-9, abs_tol=1e-9 * (1 + zero))


@given(symbols, symbols, st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_conversion_keeps_the_order(a: str, b: str, x: float, y: float) -> None:
    if units.compatible(a, b) and x <= y:
        assert units.convert(x, a, b) <= units.convert(y, a, b)


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (100, "degC", "degF", 212),
        (0, "K", "°C", -273.15),
        (36, "m3/h", "l/s", 10),
        (1, "bar", "kPa", 100),
        (1500, "rpm", "1/min", 1500),
        (50, "%", "1", 0.5),
        (1, "kWh", "MJ", 3.6),
        (1, "mS/cm", "uS/cm", 1000),
    ],
)
def test_conversions_from_the_book(value: float, source: str, target: str, expected: float) -> None:
    assert units.convert(value, source, target) == pytest.approx(expected)


def test_differences_have_no_zero_point() -> None:
    assert units.convert_difference(9, "degF", "degC") == pytest.approx(5)


# From OPC 10000-8 §5.6.3.3 and the table it refers to.
@pytest.mark.parametrize(
    ("symbol", "unit_id"),
    [("m", 5067858), ("°C", 4408652), ("%", 20529), ("s", 5457219), ("A", 4279632), ("dB", 12878)],
)
def test_opcua_unit_ids(symbol: str, unit_id: int) -> None:
    assert units.find(symbol).unit_id == unit_id


def test_no_spelling_means_two_units_and_every_code_is_short() -> None:
    spellings = [s for unit in units._TABLE for s in {unit.symbol, *unit.aliases}]
    assert len(spellings) == len(set(spellings))
    assert all(1 < len(unit.code) <= 3 for unit in units._TABLE)


def test_unknown_units_name_the_nearest() -> None:
    with pytest.raises(units.UnitError, match=r"unknown unit 'degc'; did you mean 'degC'\?"):
        units.find("degc")


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("500 ms", 500_000_000),
        ("1.5h", 5_400_000_000_000),
        ("0 s", 0),
        ("2 d", 172_800_000_000_000),
        ("1 us", 1000),
    ],
)
def test_durations(text: str, ns: int) -> None:
    assert units.duration_ns(text) == ns


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (5, "needs a unit: write 5 s or 5 ms"),
        ("5", "needs a unit"),
        (0.5, "needs a unit"),
        ("5 sek", "'sek' is not a unit of time"),
        ("-1 s", "not between"),
        ("1e300 s", "not between"),
        ("soon", "not a duration such as"),
        (True, "not a duration such as"),
    ],
)
def test_what_is_no_duration_says_why(text: str | float, message: str) -> None:
    with pytest.raises(units.UnitError, match=message):
        units.duration_ns(text)


@given(st.floats(-1e9, 1e9), symbols)
def test_quantities_read_what_they_print(value: float, symbol: str) -> None:
    assert units.quantity(f"{value!r} {symbol}") == (value, symbol)
    assert units.quantity(value) == (value, None)


@pytest.mark.parametrize("text", ["", "m", "1 2", True, "1e999 m", "nan", [1]])
def test_what_is_no_quantity(text: object) -> None:
    with pytest.raises(units.UnitError):
        units.quantity(text)  # type: ignore[arg-type]


def test_rates() -> None:
    assert units.rate("6 m/min") == (0.1, "m")
    assert units.rate("5 %/s") == (5.0, "%")
    assert units.rate("1 m3/h/s") == (1.0, "m³/h")
    assert units.rate("2 degC/min") == (2 / 60, "°C")
    for text in ("5 %", "5 m/kg", "fast", "5 foo/s"):
        with pytest.raises(units.UnitError):
            units.rate(text)


def test_the_nearest_of_very_many_paths() -> None:
    known = [f"area{i}/TT-{i}" for i in range(10_000)]
    assert units.did_you_mean("area7/TTX-7", known) == "; did you mean 'area7/TT-7'?"
    assert units.did_you_mean("aera4711/TT-4711", known) == "; did you mean 'area4711/TT-4711'?"
    assert units.did_you_mean("x", known) == ""


def test_the_manual_lists_every_unit() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "reference" / "units.md").read_text()
    for unit in units._TABLE:
        names = ", ".join(f"`{alias}`" for alias in unit.aliases)
        assert (
            f"| `{unit.symbol}` | {names} | {unit.description} | {unit.dimension} | {unit.code} |" in manual
        )
