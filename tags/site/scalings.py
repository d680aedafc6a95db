"""Raw to engineering as it is written in a site: by the ends of the range, by factor, by a square root, along a curve."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from tags.model import Scaling
from tags.site import models
from tags.site.building import Scope, a
from tags.types import BCD_RANGE, INTEGER_RANGE

Range = tuple[float, float] | None
_LINEAR = ("raw", "scale", "offset")


def scaling_of(scope: Scope, model: models.Tag, unit: str | None, range_: Range) -> Scaling:
    """The scaling of a tag, with what is wrong reported.

    Args:
        scope: The tag's.
        model: As written.
        unit: Of its value, or None.
        range_: Its engineering range, or None.
    """
    gain, offset, root, cutoff = 1.0, 0.0, None, 0.0
    curve: tuple[tuple[float, float], ...] = ()
    if model.curve is not None:
        curve = _curve(scope, model, unit)
    elif model.raw is not None:
        gain, offset = _by_ends(scope, model, range_)
    else:
        gain, offset = _by_factor(scope, model)
    if model.scaling == "square root":
        root, cutoff = _root(scope, model, unit, range_)
    elif model.cutoff is not None:
        scope.report(("cutoff",), "cutoff: is for scaling: square root. Add that, or leave it out.", key=True)
    bad = model.bad_outside
    return Scaling(
        gain=gain,
        offset=offset,
        bad_below=bad.low.value if bad else None,
        bad_above=bad.high.value if bad else None,
        root=root,
        cutoff=cutoff,
        curve=curve,
    )


def is_scaled(model: models.Tag, scaling: Scaling) -> bool:
    """Its value is made by arithmetic: a float64, whatever the device stores."""
    return not scaling.plain or model.raw is not None or model.scale is not None


def check_raw(scope: Scope, model: models.Tag, limits: Any) -> None:
    """Raw values that can never be there.

    Args:
        scope: The tag's.
        model: As written.
        limits: Lowest and highest raw value where it is less than the type holds (bits of a register), or None.
    """
    held = limits or INTEGER_RANGE.get(model.type) or BCD_RANGE.get(model.type)
    if held is None:
        return
    least, most = held
    what = a(model.type) if limits is None else "these bits of a register"
    holds = f"{what} {'holds' if limits is None else 'hold'} {least} … {most}"
    if model.raw is not None and (model.raw.low.value < least or model.raw.high.value > most):
        scope.report(("raw",), f"{holds}. Correct raw: or type:.")
    for i, (raw, _) in enumerate(model.curve or ()):
        if not least <= raw.value <= most:
            scope.report(("curve", i), f"{holds}, not {raw.value:g}. Correct curve: or type:.")


def _by_ends(scope: Scope, model: models.Tag, range_: Range) -> tuple[float, float]:
    if model.scale is not None or model.offset is not None:
        scope.report(("raw",), "raw: and scale:/offset: say the same twice. Keep one way.", key=True)
    low, high = (model.raw.low.value, model.raw.high.value) if model.raw else (0.0, 1.0)
    if model.raw is not None and model.raw.low.unit is not None:
        scope.report(("raw",), "raw values have no unit. Write bare numbers.")
    if model.range is None:
        scope.report(
            ("raw",),
            "raw: needs range:, the engineering values at its ends. Add range: [lowest, highest].",
            key=True,
        )
    if range_ is None:
        return 1.0, 0.0
    gain = (range_[1] - range_[0]) / (high - low)
    return gain, range_[0] - low * gain


def _by_factor(scope: Scope, model: models.Tag) -> tuple[float, float]:
    if model.scale == 0:
        scope.report(
            ("scale",), "a scale of 0 makes every value the same. Write engineering units per raw count."
        )
    return model.scale or 1.0, model.offset or 0.0


def _root(
    scope: Scope, model: models.Tag, unit: str | None, range_: Range
) -> tuple[tuple[float, float] | None, float]:
    if model.raw is None or model.curve is not None:
        scope.report(
            ("scaling",),
            "a square root is extracted over raw: and range:. Write both, and no scale: or curve:.",
        )
        return None, 0.0
    if range_ is None:
        return None, 0.0
    span = range_[1] - range_[0]
    cutoff = 0.0 if model.cutoff is None else scope.difference(("cutoff",), model.cutoff, unit, span)
    if cutoff >= span:
        scope.report(("cutoff",), "the cut-off is as large as the range. Write for example 2 %.")
    return range_, cutoff


def _curve(scope: Scope, model: models.Tag, unit: str | None) -> tuple[tuple[float, float], ...]:
    for key in _LINEAR:
        if getattr(model, key) is not None:
            scope.report(
                (key,), f"curve: and {key}: say how raw becomes engineering twice. Keep one.", key=True
            )
    points = []
    for i, (raw, value) in enumerate(model.curve or ()):
        if raw.unit is not None:
            scope.report(("curve", i), "raw values have no unit. Write [raw, value], the raw value first.")
        height = scope.measure(("curve", i, 1), value, unit)
        points.append((raw.value, 0.0 if height is None else height))
    for i, (left, right) in enumerate(pairwise(points)):
        if not left[0] < right[0]:
            scope.report(
                ("curve", i + 1), f"{right[0]:g} is not above {left[0]:g}. Write the points in rising order."
            )
            return ()
    steps = [right[1] - left[1] for left, right in pairwise(points)]
    if model.owner is not None and not (min(steps) > 0 or max(steps) < 0):
        scope.report(
            ("curve",),
            "what is written goes backwards along the curve, and two raw values would give one value."
            " Let the values rise or fall throughout, or leave out owner:.",
        )
    return tuple(points)
