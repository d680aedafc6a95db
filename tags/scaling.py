"""Raw values of a device to engineering values and back, one array operation for a whole scan group.

Linear (`value = raw * gain + offset`), as `tags.model.Scaling` has it. Raw values outside the NAMUR NE 43 limits
mean a broken sensor or wire, not a process value. Arithmetic is float64: integers of 64 bits beyond 2**53 with
a scaling of their own are rounded; unscaled ones should not pass through here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tags.model import Scaling
from tags.types import BOOL, FLOAT32, FLOATS, INTEGER_RANGE

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_FLOAT32_MAX: Final = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Scalings:
    """The scalings of many tags as columns, each of shape (n,).

    Attributes:
        gain: Engineering units per raw count.
        offset: Engineering value at raw 0.
        bad_below: Lowest usable raw value; -inf for no limit.
        bad_above: Highest usable raw value; +inf for no limit.
        low: Lowest raw value that the type holds.
        high: Highest.
        whole: The raw type is an integer.
    """

    gain: FloatArray
    offset: FloatArray
    bad_below: FloatArray
    bad_above: FloatArray
    low: FloatArray
    high: FloatArray
    whole: BoolArray

    @classmethod
    def of(cls, scalings: Sequence[Scaling], types: Sequence[str]) -> Scalings:
        """Columns of several tags.

        Args:
            scalings: One per tag.
            types: Type of each tag, none of them `string`.
        """
        limits = [raw_limits(type_) for type_ in types]
        return cls(
            gain=np.array([s.gain for s in scalings], np.float64),
            offset=np.array([s.offset for s in scalings], np.float64),
            bad_below=np.array(
                [-np.inf if s.bad_below is None else s.bad_below for s in scalings], np.float64
            ),
            bad_above=np.array(
                [np.inf if s.bad_above is None else s.bad_above for s in scalings], np.float64
            ),
            low=np.array([low for low, _ in limits], np.float64),
            high=np.array([high for _, high in limits], np.float64),
            whole=np.array([type_ not in FLOATS for type_ in types], np.bool_),
        )


def raw_limits(type_: str) -> tuple[float, float]:
    """Lowest and highest raw value of a type, as float64 that never exceed it.

    A 64-bit maximum is not a float64; the next lower one stands for it.
    """
    if type_ == FLOAT32:
        return -_FLOAT32_MAX, _FLOAT32_MAX
    if type_ in FLOATS:
        return -math.inf, math.inf
    low, high = INTEGER_RANGE[type_]
    return float(low), float(high) if int(float(high)) == high else math.nextafter(float(high), 0.0)


def to_engineering(
    raw: FloatArray, gain: FloatArray, offset: FloatArray, bad_below: FloatArray, bad_above: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Engineering values of raw ones.

    Args:
        raw: Shape (n,), raw values as float64.
        gain: Shape (n,) or scalar array, engineering units per count.
        offset: Shape (n,), engineering units.
        bad_below: Shape (n,), raw counts; -inf for no limit.
        bad_above: Shape (n,), raw counts; +inf for no limit.

    Returns:
        Values of shape (n,), and a mask of those that are sensor failures: raw outside its limits, NaN, infinite, or
        too large once scaled. Masked values are what they are; do not use them.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        values = raw * gain + offset
    usable = (raw >= bad_below) & (raw <= bad_above) & np.isfinite(values)  # NaN compares false
    return values, ~usable


def to_raw_array(values: FloatArray, scalings: Scalings) -> tuple[FloatArray, BoolArray]:
    """Raw values to write for engineering ones: scaled back, rounded half to even, clamped to the type.

    Args:
        values: Shape (n,), engineering units.
        scalings: Of the same n tags.

    Returns:
        Raw values as float64 of shape (n,), whole numbers where the type is; and a mask of those that cannot be
        written because the value is not finite (their raw value is 0).
    """
    unusable = ~np.isfinite(values)
    with np.errstate(over="ignore"):
        raw = (np.where(unusable, 0.0, values) - scalings.offset) / scalings.gain
    raw = np.where(scalings.whole, np.rint(raw), raw)
    raw = np.clip(raw, scalings.low, scalings.high)
    return np.where(unusable, 0.0, raw), unusable


def to_raw(value: float, scaling: Scaling, type_: str) -> int | float:
    """The raw value to write for one engineering value: scaled back, rounded half to even, clamped to the type.

    Args:
        value: Engineering units; a bool counts as 0 or 1.
        scaling: The tag's.
        type_: The tag's type, not `string`.

    Returns:
        int for bool and integer types, else float. Unscaled integers stay exact.

    Raises:
        ValueError: Not finite.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value!r} cannot be written: not a finite number")
    if type_ in FLOATS:
        low, high = raw_limits(type_)
        raw = min(max((value - scaling.offset) / scaling.gain, low), high)
        return float(np.float32(raw)) if type_ == FLOAT32 else raw
    least, most = INTEGER_RANGE[type_]
    if scaling.gain == 1.0 and scaling.offset == 0.0:
        return min(max(round(value), least), most)
    exact = (value - scaling.offset) / scaling.gain
    if not math.isfinite(exact):
        return most if exact > 0 else least
    return min(max(round(exact), least), most)


def to_value(raw: float, scaling: Scaling, type_: str) -> float | int | bool:
    """The engineering value of one raw value; the scalar twin of `to_engineering`.

    Args:
        raw: Raw value.
        scaling: The tag's.
        type_: The tag's type.

    Returns:
        bool for bool tags; int for unscaled integers; else float.
    """
    if type_ == BOOL:
        return bool(raw)
    if scaling.gain == 1.0 and scaling.offset == 0.0:
        return raw
    return raw * scaling.gain + scaling.offset
