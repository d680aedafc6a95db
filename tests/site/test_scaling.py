"""Raw ↔ engineering: exact inverses, monotone, clamped, and NE 43."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tags.model import Scaling
from tags.scaling import Scalings, resolution, to_raw, to_raw_array, to_value
from tags.types import INTEGER_RANGE

CURVE = ((0.0, 0.0), (100.0, 2.0), (150.0, 2.5), (4000.0, 80.0))
SMALL_INTEGERS = ("int16", "uint16", "int32", "uint32")
scalings = st.builds(
    Scaling,
    gain=st.one_of(st.floats(1e-4, 1e4), st.floats(-1e4, -1e-4)),
    offset=st.floats(-1e5, 1e5),
)


roots = st.builds(
    lambda low, span, cutoff: Scaling(
        gain=span / 27648, offset=low, root=(low, low + span), cutoff=cutoff * span
    ),
    st.floats(-100, 100),
    st.floats(1e-2, 1e4),
    st.sampled_from([0.0, 0.01, 0.05]),
)


@st.composite
def curves(draw: st.DrawFn) -> Scaling:
    """Strictly rising or falling curves over part of an int16."""
    raw = sorted(draw(st.sets(st.integers(-30000, 30000), min_size=2, max_size=12)))
    steps = draw(st.lists(st.floats(0.1, 100), min_size=len(raw), max_size=len(raw)))
    sign = draw(st.sampled_from([1, -1]))
    heights = np.cumsum(steps) * sign
    return Scaling(curve=tuple((float(x), float(y)) for x, y in zip(raw, heights, strict=True)))


def engineering(
    raw: Sequence[float], scaling: Scaling, type_: str = "int16"
) -> tuple[list[float], list[bool]]:
    columns = Scalings.of([scaling] * len(raw), [type_] * len(raw))
    values, bad = columns.engineering(np.array(raw, np.float64))
    return values.tolist(), bad.tolist()


@given(scalings, st.sampled_from(SMALL_INTEGERS), st.data())
def test_writing_what_was_read_writes_the_same_raw_value(
    scaling: Scaling, type_: str, data: st.DataObject
) -> None:
    low, high = INTEGER_RANGE[type_]
    raw = data.draw(st.integers(max(low, -(2**24)), min(high, 2**24)))
    (value,), (bad,) = engineering([raw], scaling)
    assert not bad
    assert to_raw(value, scaling, type_) == raw
    assert to_value(raw, scaling, type_) == value
    array, unusable = to_raw_array(np.array([value]), Scalings.of([scaling], [type_]))
    assert array.tolist() == [raw]
    assert not unusable.any()


@given(scalings, st.lists(st.integers(-32768, 32767), min_size=2, max_size=20))
def test_scaling_keeps_the_order(scaling: Scaling, raw: list[int]) -> None:
    values, _ = engineering(sorted(raw), scaling)
    assert values == sorted(values, reverse=scaling.gain < 0)


@given(
    st.floats(allow_nan=False, allow_infinity=False), scalings, st.sampled_from((*SMALL_INTEGERS, "float32"))
)
def test_what_is_written_always_fits_the_type(value: float, scaling: Scaling, type_: str) -> None:
    raw = to_raw(value, scaling, type_)
    array, _ = to_raw_array(np.array([value]), Scalings.of([scaling], [type_]))
    if type_ == "float32":
        assert abs(raw) <= float(np.finfo(np.float32).max)
        assert float(np.float32(array[0])) == raw
    else:
        low, high = INTEGER_RANGE[type_]
        assert low <= raw <= high
        assert isinstance(raw, int)
        assert array.tolist() == [raw]


@given(st.integers(-(2**63), 2**63 - 1))
def test_unscaled_integers_stay_exact(value: int) -> None:
    assert to_raw(value, Scaling(), "int64") == value
    assert to_value(value, Scaling(), "int64") == value


def test_ne_43_limits_are_a_broken_sensor_and_touching_them_is_not() -> None:
    scaling = Scaling(gain=5 / 27648, bad_below=-691, bad_above=29376)
    values, bad = engineering([-692, -691, 0, 27648, 29376, 29377], scaling)
    assert bad == [True, False, False, False, False, True]
    assert values[3] == 5.0


def test_nan_and_infinity_are_bad() -> None:
    _, bad = engineering([math.nan, math.inf, -math.inf, 1.0], Scaling(), "float32")
    assert bad == [True, True, True, False]
    assert engineering([1e308], Scaling(gain=1e4), "float64")[1] == [True]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_never_written(value: float) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        to_raw(value, Scaling(), "int16")
    raw, unusable = to_raw_array(np.array([value]), Scalings.of([Scaling()], ["int16"]))
    assert unusable.tolist() == [True]
    assert raw.tolist() == [0.0]


def test_halves_round_to_even_and_bools_are_zero_and_one() -> None:
    assert [to_raw(v, Scaling(gain=2.0), "int16") for v in (1.0, 3.0, 5.0)] == [0, 2, 2]
    assert to_raw(True, Scaling(), "bool") == 1
    assert to_value(1, Scaling(), "bool") is True


@pytest.mark.parametrize("type_", ["int64", "uint64"])
def test_the_largest_array_value_still_fits_64_bits(type_: str) -> None:
    raw, _ = to_raw_array(np.array([1e30]), Scalings.of([Scaling(gain=2.0)], [type_]))
    assert int(raw[0]) <= INTEGER_RANGE[type_][1]
    assert to_raw(1e30, Scaling(gain=2.0), type_) == int(raw[0])
    assert to_raw(1e308, Scaling(gain=1e-4), type_) == int(raw[0])
    assert to_raw(1e30, Scaling(), type_) == INTEGER_RANGE[type_][1]


@pytest.mark.parametrize(
    ("raw", "value"),
    [(0, 0.0), (27648, 100.0), (6912, 50.0), (1728, 25.0), (-300, 0.0), (2, 0.0), (32767, 108.864550)],
)
def test_a_square_root_is_extracted_over_the_range_and_cut_off_near_zero(raw: int, value: float) -> None:
    flow = Scaling(gain=100 / 27648, root=(0, 100), cutoff=1.0)
    (found,), (bad,) = engineering([raw], flow)
    assert not bad
    assert math.isclose(found, value, abs_tol=1e-5)
    assert to_value(raw, flow, "float64") == found


@pytest.mark.parametrize(
    ("raw", "value"), [(-5, 0.0), (0, 0.0), (50, 1.0), (100, 2.0), (125, 2.25), (4000, 80.0), (9999, 80.0)]
)
def test_a_curve_is_straight_between_its_points_and_holds_at_its_ends(raw: int, value: float) -> None:
    tank = Scaling(curve=CURVE)
    (found,), _ = engineering([raw], tank)
    assert found == value
    assert to_value(raw, tank, "float64") == value


@given(roots | curves(), st.integers(-32768, 32767))
def test_the_step_that_is_written_is_the_step_that_is_read(scaling: Scaling, raw: int) -> None:
    """Of what bends: reading, writing back and reading again gives the same value, bit for bit."""
    (value,), (bad,) = engineering([raw], scaling)
    assert not bad
    back = to_raw(value, scaling, "int16")
    assert engineering([back], scaling)[0] == [value]
    array, unusable = to_raw_array(np.array([value]), Scalings.of([scaling], ["int16"]))
    assert array.tolist() == [back]
    assert not unusable.any()
    ends = scaling.curve and (scaling.curve[0][0], scaling.curve[-1][0])
    if (ends and ends[0] <= raw <= ends[1]) or (scaling.root and value > scaling.root[0]):
        assert back == raw


@given(scalings | roots | curves(), st.lists(st.integers(-32768, 32766), min_size=1, max_size=20))
def test_no_count_makes_a_larger_step_than_is_said(scaling: Scaling, raw: list[int]) -> None:
    here, _ = engineering(raw, scaling)
    there, _ = engineering([count + 1 for count in raw], scaling)
    most = resolution(scaling) * (1 + 1e-6) + 1e-9
    assert all(abs(a - b) <= most for a, b in zip(here, there, strict=True))


@given(roots | curves(), st.lists(st.integers(-32768, 32767), min_size=2, max_size=20))
def test_what_bends_keeps_the_order(scaling: Scaling, raw: list[int]) -> None:
    values, _ = engineering(sorted(raw), scaling)
    falling = bool(scaling.curve) and scaling.curve[0][1] > scaling.curve[-1][1]
    assert values == sorted(values, reverse=falling)


def test_many_tags_each_have_their_own() -> None:
    some = [
        Scaling(),
        Scaling(curve=CURVE),
        Scaling(gain=0.1),
        Scaling(gain=0.01, root=(0, 100)),
        Scaling(curve=CURVE),
    ]
    columns = Scalings.of(some, ["int16"] * 5)
    assert len(columns.bends) == 2
    values, bad = columns.engineering(np.array([50.0, 50.0, 50.0, 2500.0, math.nan]))
    assert values[:4].tolist() == [50.0, 1.0, 5.0, 50.0]
    assert bad.tolist() == [False, False, False, False, True]


@pytest.mark.parametrize(("type_", "most"), [("bcd16", 9999), ("bcd32", 99_999_999), ("bcd64", 10**16 - 1)])
def test_digits_hold_so_much(type_: str, most: int) -> None:
    assert to_raw(10**17, Scaling(), type_) == most
    assert to_raw(-5, Scaling(), type_) == 0
    assert most - 1 <= to_raw(70.0, Scaling(gain=1e-20), type_) <= most
    assert to_raw(20, Scaling(), "uint16", (0, 15)) == 15
