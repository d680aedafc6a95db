"""Raw values of a device to engineering values and back, one array operation for a whole scan group.

Linear, by a square root or along a curve, as `tags.model.Scaling` has it. Raw values outside the NAMUR NE 43 limits
mean a broken sensor or wire, not a process value. Arithmetic is float64: integers of 64 bits beyond 2**53 with
a scaling of their own are rounded; unscaled ones should not pass through here.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tags.model import Scaling
from tags.types import BCD_RANGE, BOOL, FLOAT32, FLOATS, INTEGER_RANGE

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IndexArray = npt.NDArray[np.intp]
Limits = tuple[float, float]

_FLOAT32_MAX: Final = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Bend:
    """What some of many tags have beyond gain and offset: one square root, or one curve.

    Attributes:
        rows: Positions of the tags that have it.
        scaling: Theirs; they differ at most in gain, offset and the limits of the raw value.
    """

    rows: IndexArray
    scaling: Scaling


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
        bends: Square roots and curves; empty for linear ones, which is the fast way.
        plain: No value is scaled.
        limited: Some raw values have limits.
    """

    gain: FloatArray
    offset: FloatArray
    bad_below: FloatArray
    bad_above: FloatArray
    low: FloatArray
    high: FloatArray
    whole: BoolArray
    bends: tuple[Bend, ...] = ()
    plain: bool = False
    limited: bool = True

    @classmethod
    def of(
        cls,
        scalings: Sequence[Scaling],
        types: Sequence[str],
        limits: Sequence[Limits | None] | None = None,
    ) -> Scalings:
        """Columns of several tags.

        Args:
            scalings: One per tag.
            types: Type of each tag's raw value, none of them `string`.
            limits: Lowest and highest raw value of each, None for all that its type holds.
        """
        held = [
            raw_limits(type_) if limits is None or limits[i] is None else limits[i]
            for i, type_ in enumerate(types)
        ]
        return cls(
            gain=np.array([s.gain for s in scalings], np.float64),
            offset=np.array([s.offset for s in scalings], np.float64) + 0.0,  # never minus nought
            bad_below=np.array(
                [-np.inf if s.bad_below is None else s.bad_below for s in scalings], np.float64
            ),
            bad_above=np.array(
                [np.inf if s.bad_above is None else s.bad_above for s in scalings], np.float64
            ),
            low=np.array([pair[0] for pair in held if pair], np.float64),
            high=np.array([pair[1] for pair in held if pair], np.float64),
            whole=np.array([type_ not in FLOATS for type_ in types], np.bool_),
            bends=_bends(scalings),
            plain=all(s.plain for s in scalings),
            limited=any(s.bad_below is not None or s.bad_above is not None for s in scalings),
        )

    def engineering(self, raw: FloatArray) -> tuple[FloatArray, BoolArray]:
        """Engineering values of raw ones, and a mask of sensor failures: see `to_engineering`."""
        if self.limited:
            values, bad = to_engineering(raw, self.gain, self.offset, self.bad_below, self.bad_above)
        else:
            values = unscaled(raw) if self.plain else scaled(raw, self.gain, self.offset)
            bad = ~np.isfinite(values)
        for bend in self.bends:
            values[bend.rows] = bent(values[bend.rows], bend.scaling)
        return values, bad


def raw_limits(type_: str) -> Limits:
    """Lowest and highest raw value of a type, as float64 that never exceed it.

    A 64-bit maximum is not a float64; the next lower one stands for it.
    """
    if type_ == FLOAT32:
        return -_FLOAT32_MAX, _FLOAT32_MAX
    if type_ in FLOATS:
        return -math.inf, math.inf
    low, high = INTEGER_RANGE[type_] if type_ in INTEGER_RANGE else BCD_RANGE[type_]
    return float(low), float(high) if int(float(high)) <= high else math.nextafter(float(high), 0.0)


def to_engineering(
    raw: FloatArray, gain: FloatArray, offset: FloatArray, bad_below: FloatArray, bad_above: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Engineering values of raw ones, linear.

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
    values = scaled(raw, gain, offset)
    usable = (raw >= bad_below) & (raw <= bad_above) & np.isfinite(values)  # NaN compares false
    return values, ~usable


def scaled(raw: FloatArray, gain: FloatArray, offset: FloatArray) -> FloatArray:
    """`raw * gain + offset`; what is too large or no number is infinite or NaN."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = raw * gain
        values += offset
    return values


def unscaled(raw: FloatArray) -> FloatArray:
    """A copy with nought where there is minus nought, as scaling has it."""
    with np.errstate(invalid="ignore"):  # a signalling NaN is what any NaN is
        return raw + 0.0


def bent(values: FloatArray, scaling: Scaling) -> FloatArray:
    """Linear values through the square root or the curve of a scaling; NaN stays NaN.

    Args:
        values: Any shape, `raw * gain + offset`.
        scaling: Not linear.
    """
    if scaling.curve:
        return np.interp(values, *_columns(scaling.curve))
    low, high = scaling.root or (0.0, 1.0)
    with np.errstate(invalid="ignore", over="ignore"):
        above = np.sqrt(np.maximum(values - low, 0.0) * (high - low))
        return np.where(above < scaling.cutoff, low, low + above)


def straightened(values: FloatArray, scaling: Scaling) -> FloatArray:
    """What linear scaling would have to give for a value behind a square root or curve; the inverse of `bent`.

    Args:
        values: Any shape, engineering units.
        scaling: Not linear; its curve strictly rising or falling.
    """
    if scaling.curve:
        raw, heights = _columns(scaling.curve)
        return (
            np.interp(values, heights, raw)
            if heights[0] < heights[-1]
            else np.interp(values, heights[::-1], raw[::-1])
        )
    low, high = scaling.root or (0.0, 1.0)
    with np.errstate(invalid="ignore", over="ignore"):
        above = np.maximum(values - low, 0.0)
        return low + above * above / (high - low)


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
    values = np.where(unusable, 0.0, values)
    for bend in scalings.bends:
        values[bend.rows] = straightened(values[bend.rows], bend.scaling)
    with np.errstate(over="ignore"):
        raw = (values - scalings.offset) / scalings.gain
    raw = np.where(scalings.whole, np.rint(raw), raw)
    raw = np.clip(raw, scalings.low, scalings.high)
    return np.where(unusable, 0.0, raw), unusable


def to_raw(value: float, scaling: Scaling, type_: str, limits: Limits | None = None) -> int | float:
    """The raw value to write for one engineering value: scaled back, rounded half to even, clamped to the type.

    Args:
        value: Engineering units; a bool counts as 0 or 1.
        scaling: The tag's.
        type_: Type of the tag's raw value, not `string`.
        limits: Lowest and highest raw value, None for all that the type holds.

    Returns:
        int for bool and integer types, else float. Unscaled integers stay exact.

    Raises:
        ValueError: Not finite.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value!r} cannot be written: not a finite number")
    if not scaling.linear:
        value = float(straightened(np.float64(value), scaling))  # type: ignore[arg-type]
    if type_ in FLOATS:
        low, high = raw_limits(type_)
        raw = min(max((value - scaling.offset) / scaling.gain, low), high)
        return float(np.float32(raw)) if type_ == FLOAT32 else raw
    least, most = limits or (INTEGER_RANGE[type_] if type_ in INTEGER_RANGE else BCD_RANGE[type_])
    if scaling.gain == 1.0 and scaling.offset == 0.0:
        return int(min(max(round(value), least), most))
    low, high = limits or raw_limits(type_)  # as `to_raw_array` has them
    return round(min(max((value - scaling.offset) / scaling.gain, low), high))


def to_value(raw: float, scaling: Scaling, type_: str) -> float | int | bool:
    """The engineering value of one raw value; the scalar twin of `Scalings.engineering`.

    Args:
        raw: Raw value.
        scaling: The tag's.
        type_: The tag's type.

    Returns:
        bool for bool tags; int for unscaled integers; else float.
    """
    if type_ == BOOL:
        return bool(raw)
    if scaling.plain:
        return raw
    value = raw * scaling.gain + scaling.offset
    return value if scaling.linear else float(bent(np.float64(value), scaling))  # type: ignore[arg-type]


def resolution(scaling: Scaling) -> float:
    """The largest step that one raw count makes, engineering units."""
    if scaling.curve:
        points = scaling.curve
        return max(abs((y - v) / (x - u)) for (u, v), (x, y) in itertools.pairwise(points))
    if scaling.root is not None:
        low, high = scaling.root
        return max(math.sqrt(abs(scaling.gain) * (high - low)), scaling.cutoff)
    return abs(scaling.gain)


def _bends(scalings: Sequence[Scaling]) -> tuple[Bend, ...]:
    """The square roots and curves of many tags; tags of one template share theirs."""
    found: dict[tuple[object, ...], list[int]] = {}
    for i, scaling in enumerate(scalings):
        if not scaling.linear:
            found.setdefault((scaling.root, scaling.cutoff, scaling.curve), []).append(i)
    return tuple(Bend(np.array(rows, np.intp), scalings[rows[0]]) for rows in found.values())


def _columns(curve: Sequence[tuple[float, float]]) -> tuple[FloatArray, FloatArray]:
    """Raw and engineering values of a curve's points."""
    points = np.array(curve, np.float64)
    return np.ascontiguousarray(points[:, 0]), np.ascontiguousarray(points[:, 1])
