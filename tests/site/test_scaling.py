"""Raw ↔ engineering: exact inverses, monotone, clamped, and NE 43."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tags.model import Scaling
from tags.scaling import Scalings, to_engineering, to_raw, to_raw_array, to_value
from tags.types import INTEGER_RANGE

SMALL_INTEGERS = ("int16", "uint16", "int32", "uint32")
scalings = st.builds(
    Scaling,
    gain=st.one_of(st.floats(1e-4, 1e4), st.floats(-1e4, -1e-4)),
    offset=st.floats(-1e5, 1e5),
)


def engineering(raw: list[float], scaling: Scaling, type_: str = "int16") -> tuple[list[float], list[bool]]:
    columns = Scalings.of([scaling] * len(raw), [type_] * len(raw))
    values, bad = to_engineering(
        np.array(raw, np.float64), columns.gain, columns.offset, columns.bad_below, columns.bad_above
    )
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
    assert to_raw(1e30, Scaling(gain=2.0), type_) == INTEGER_RANGE[type_][1]
    assert to_raw(1e308, Scaling(gain=1e-4), type_) == INTEGER_RANGE[type_][1]
