"""Settings of function blocks whose inputs are expressions, in engineering units and ns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from tags import expression, units
from tags.model import BLOCK, History, Tag
from tags.site import alarms
from tags.site import function_models as fm
from tags.site.building import Building, Scope
from tags.site.fields import Quantity
from tags.site.job import Config, Job, span
from tags.site.sources import Loc
from tags.types import FLOAT64

# What a quantity of one dimension becomes over time, in base units and seconds.
_INTEGRAL: Final = {
    "flow": "volume",
    "mass flow": "mass",
    "power": "energy",
    "speed": "length",
    "frequency": "ratio",
    "rotation": "ratio",
}
_DEAD_TIME_SCANS_MAX: Final = 100_000


def followed(build: Building, text: str) -> Tag | None:
    """The tag that an expression consists of, None for any other."""
    try:
        parsed = expression.parse(text)
    except expression.ExpressionError:
        return None
    found = build.tags.get(text.strip())
    return found if found is not None and tuple(parsed.paths) == (found.path,) else None


def unit_of(build: Building, text: str) -> str | None:
    """The unit of an expression; its problems are reported elsewhere."""
    try:
        parsed = expression.parse(text)
    except expression.ExpressionError:
        return None
    known = all(path in build.tags for path in parsed.paths)
    return expression.unit_of(parsed, build.tags) if known else None


def result(scope: Scope, model: Any) -> dict[str, Any]:
    """The fields of OUT: those of the input where the block does not change what is measured."""
    first = model.inputs[0] if isinstance(model, fm.Select) else model.input
    unit, like = unit_of(scope.build, first), followed(scope.build, first)
    range_ = like.range if like is not None else None
    if isinstance(model, fm.Characteriser):
        like, unit = None, None if model.unit is None else scope.build_unit(("unit",), model.unit)
        heights = [scope.measure(("curve", i, 1), y, unit) for i, (_, y) in enumerate(model.curve)]
        known = [y for y in heights if y is not None]
        range_ = (min(known), max(known)) if known and min(known) < max(known) else None
    elif isinstance(model, fm.Ratio):
        like, range_ = None, None
        unit = unit if model.unit is None else scope.build_unit(("unit",), model.unit)
    elif isinstance(model, fm.LeadLag) and model.gain != 1.0:
        like, range_ = None, None
    decimals = model.decimals if model.decimals is not None else like.decimals if like is not None else 2
    given = scope.pair(("range",), model.range, unit)
    range_ = given or range_
    # It moves in every scan: history needs no more of it than of a measurement.
    deadband = (range_[1] - range_[0]) * 1e-3 if range_ else 0.0
    return {
        "what": "",
        "type": FLOAT64,
        "unit": unit,
        "range": range_,
        "decimals": decimals,
        "history": History(deadband=deadband),
    }


def total(scope: Scope, model: Any) -> dict[str, Any]:
    """The fields of TOTAL and LAST."""
    decimals = model.decimals if model.decimals is not None else 2
    return {
        "what": "total",
        "unit": scope.build_unit(("unit",), model.unit),
        "retain": True,
        "decimals": decimals,
        "history": History(deadband=10.0**-decimals),
    }


def ratio(scope: Scope, model: Any) -> dict[str, Any]:
    """The fields of RATIO."""
    limits = scope.pair(("ratio", "limits"), model.ratio.limits, None)
    initial = model.ratio.initial
    if limits and not limits[0] <= initial <= limits[1]:
        scope.report(
            ("ratio", "initial"),
            f"{initial:g} is outside the limits {limits[0]:g} … {limits[1]:g}. Correct it.",
        )
    return {
        "what": "ratio",
        "initial": initial,
        "limits": limits,
        "range": limits,
        "writable": True,
        "retain": True,
        "decimals": 3,
    }


def curve(
    scope: Scope, loc: Loc, given: Sequence[Sequence[Quantity]], unit_x: str | None, unit_y: str | None
) -> list[list[float]]:
    """The points of a curve in their units, reported when x does not rise."""
    points = []
    for i, (x, y) in enumerate(given):
        pair = scope.measure((*loc, i, 0), x, unit_x), scope.measure((*loc, i, 1), y, unit_y)
        if pair[0] is not None and pair[1] is not None:
            points.append([pair[0], pair[1]])
    for i, (left, right) in enumerate(pairwise(points)):
        if left[0] >= right[0]:
            scope.report(
                (*loc, i + 1), f"{right[0]:g} is not above {left[0]:g}. Write the points in rising order."
            )
    return points


def _number(job: Job, loc: tuple[str | int, ...], text: str) -> str:
    checked = job.scope.checked(loc, text, "number")
    return text if checked is None else checked


def _filter(job: Job, model: Any) -> Config:
    return {"input": _number(job, ("input",), model.input), "time_ns": model.time}


def _lead_lag(job: Job, model: Any) -> Config:
    return {
        "input": _number(job, ("input",), model.input),
        "lead_ns": model.lead,
        "lag_ns": model.lag,
        "gain": model.gain,
    }


def _dead_time(job: Job, model: Any) -> Config:
    scans = model.time / job.scan_ns
    if scans > _DEAD_TIME_SCANS_MAX:
        job.scope.report(
            ("time",),
            f"{model.time / 1e9:g} s are {scans:.0f} scans, more than {_DEAD_TIME_SCANS_MAX}. Write a shorter time.",
        )
    return {"input": _number(job, ("input",), model.input), "time_ns": model.time}


def _rate_limit(job: Job, model: Any) -> Config:
    like = followed(job.scope.build, model.input)
    unit = unit_of(job.scope.build, model.input)
    given = {key for key in ("rate", "up", "down") if getattr(model, key) is not None}
    if given not in ({"rate"}, {"up", "down"}):
        job.scope.report((), "write rate:, or up: and down:, and nothing else of these.")
    rates = {
        key: job.scope.rate((key,), getattr(model, key), unit, span(like)) for key in ("rate", "up", "down")
    }
    for key in given:
        if rates[key] <= 0.0:
            job.scope.report((key,), "0 lets nothing move. Write how fast it may change.")
    return {
        "input": _number(job, ("input",), model.input),
        "up": rates["rate"] or rates["up"],
        "down": rates["rate"] or rates["down"],
    }


def _characteriser(job: Job, model: Any) -> Config:
    scope = job.scope
    tag = scope.build.tags.get(job.path)
    unit_in, unit_out = unit_of(scope.build, model.input), tag.unit if tag else None
    return {
        "input": _number(job, ("input",), model.input),
        "curve": curve(scope, ("curve",), model.curve, unit_in, unit_out),
        "outside": model.outside,
    }


def _ratio(job: Job, model: Any) -> Config:
    tag = job.scope.build.tags.get(job.path)
    limits = job.scope.pair(("ratio", "limits"), model.ratio.limits, None)
    bias = model.bias
    return {
        "input": _number(job, ("input",), model.input),
        "ratio": model.ratio.initial,
        "low": limits[0] if limits else None,
        "high": limits[1] if limits else None,
        "ramp": job.scope.rate(
            ("ratio", "ramp"), model.ratio.ramp, None, limits[1] - limits[0] if limits else None
        ),
        "bias": 0.0 if bias is None else job.scope.measure(("bias",), bias, tag.unit if tag else None),
    }


def _totaliser(job: Job, model: Any) -> Config:
    scope = job.scope
    unit = unit_of(scope.build, model.input)
    like = followed(scope.build, model.input)
    cutoff = model.cutoff or Quantity(0.0)
    return {
        "input": _number(job, ("input",), model.input),
        "gain": _per_second(scope, model, unit),
        "cutoff": scope.difference(("cutoff",), cutoff, unit, span(like)),
        "direction": model.direction,
        "on_bad": model.on_bad,
        "reset": scope.checked(("reset",), model.reset),
    }


def _per_second(scope: Scope, model: Any, unit: str | None) -> float:
    """Units of the total per second for one unit of the input."""
    if model.per is not None:
        return float(1e9 / model.per)
    target = scope.build_unit(("unit",), model.unit)
    if target is None:
        return 0.0
    rate, whole = None if unit is None else units.find(unit), units.find(target)
    if rate is None or _INTEGRAL.get(rate.dimension) != whole.dimension:
        scope.report(
            ("unit",),
            f"{unit or 'a number without a unit'} over time is not {target}."
            " Choose another unit, or write per: and the input's unit of time, such as 1 h.",
        )
        return 0.0
    return rate.factor / whole.factor


def _select(job: Job, model: Any) -> Config:
    build = job.scope.build
    inputs = [_number(job, ("inputs", i), text) for i, text in enumerate(model.inputs)]
    first = unit_of(build, model.inputs[0])
    for i, text in enumerate(model.inputs[1:], 1):
        unit = unit_of(build, text)
        if unit != first and followed(build, text) is not None:
            job.scope.report(
                ("inputs", i),
                f"{text} is in {unit or 'no unit'}, the first input in {first or 'no unit'}. Select among equal units.",
            )
    if model.least > len(inputs):
        job.scope.report(
            ("least",), f"{model.least} of {len(inputs)} inputs cannot be. Write a smaller number."
        )
    return {"inputs": inputs, "kind": model.kind, "least": model.least}


def _vote(job: Job, model: Any) -> Config:
    inputs = [
        text if (checked := job.scope.checked(("inputs", i), text)) is None else checked
        for i, text in enumerate(model.inputs)
    ]
    if model.need > len(inputs):
        job.scope.report(("need",), f"{model.need} out of {len(inputs)} cannot be. Write a smaller number.")
    point = job.scope.build.tags.get(f"{job.path}/DISAGREE")
    if point is not None and point.kind == BLOCK:
        text = f"{model.description or job.path}: inputs do not agree"
        alarms.of_point(job.scope, point, text, model.alarm.priority, model.alarm.response, None)
    return {
        "inputs": inputs,
        "need": model.need,
        "on_bad": model.on_bad,
        "disagree_ns": model.disagree_time,
    }


def _conditions(job: Job, model: Any, *keys: str) -> Config:
    return {key: job.scope.checked((key,), getattr(model, key)) for key in keys}


def _edge(job: Job, model: Any) -> Config:
    return {"kind": model.kind, **_conditions(job, model, "input")}


def _latch(job: Job, model: Any) -> Config:
    return {"kind": model.kind, **_conditions(job, model, "set", "reset")}


def _counter(job: Job, model: Any) -> Config:
    if model.up is None and model.down is None:
        job.scope.report((), "write up:, down: or both: what is counted.")
    return {"preset": model.preset, **_conditions(job, model, "up", "down", "reset", "load")}


def _on_off(job: Job, model: Any) -> Config:
    pv = job.input(("pv",), model.pv, "number")
    unit = pv.unit if pv else None
    return {
        "pv": model.pv,
        "action": model.action,
        "hysteresis": job.scope.difference(("hysteresis",), model.hysteresis, unit, span(pv)),
        "min_on_ns": model.min_on,
        "min_off_ns": model.min_off,
        "on_bad": model.on_bad,
        **job.setpoint(model.setpoint, pv),
    }


def _three_position(job: Job, model: Any) -> Config:
    pv = job.input(("pv",), model.pv, "number")
    unit = pv.unit if pv else None
    band = job.scope.difference(("band",), model.band, unit, span(pv))
    hysteresis = job.scope.difference(("hysteresis",), model.hysteresis, unit, span(pv))
    if hysteresis > band / 2:
        job.scope.report(
            ("hysteresis",),
            f"{hysteresis:g} is more than half the band of {band:g}: it would raise and lower in turns. Make it smaller.",
        )
    return {
        "pv": model.pv,
        "action": model.action,
        "band": band,
        "hysteresis": hysteresis,
        "on_bad": model.on_bad,
        **job.setpoint(model.setpoint, pv),
    }


def _split_range(job: Job, model: Any) -> Config:
    scope = job.scope
    demand = job.input(("input",), model.input, "number")
    outs = []
    for i, part in enumerate(model.outs):
        tag = job.output(("outs", i, "out"), part.out, "number")
        from_ = scope.pair(("outs", i, "from"), part.from_, demand.unit if demand else None)
        to = [
            scope.measure(("outs", i, "to", k), end, tag.unit if tag else None)
            for k, end in enumerate(part.to)
        ]
        if to[0] is not None and to[0] == to[1]:
            scope.report(("outs", i, "to"), f"both ends are {to[0]:g}. Write where the output goes.")
        outs.append({"out": part.out, "from": list(from_ or (0.0, 1.0)), "to": to})
    return {"input": model.input, "outs": outs}


def _override_select(job: Job, model: Any) -> Config:
    out = job.output(("out",), model.out, "number")
    for i, path in enumerate(model.inputs):
        tag = job.input(("inputs", i), path, "number")
        if tag is not None and out is not None and tag.unit != out.unit:
            job.scope.report(
                ("inputs", i),
                f"{path} is in {tag.unit or 'no unit'}, {out.path} in {out.unit or 'no unit'}. Give both the same.",
            )
    if len(set(model.inputs)) < len(model.inputs):
        job.scope.report(("inputs",), "an input is named twice. Name each once.")
    return {"kind": model.kind, "inputs": list(model.inputs), "out": model.out}


COMPILERS: Final[Mapping[str, Callable[[Job, Any], Config]]] = {
    "filter": _filter,
    "lead_lag": _lead_lag,
    "dead_time": _dead_time,
    "rate_limit": _rate_limit,
    "characteriser": _characteriser,
    "ratio": _ratio,
    "totaliser": _totaliser,
    "select": _select,
    "vote": _vote,
    "edge": _edge,
    "latch": _latch,
    "counter": _counter,
    "on_off": _on_off,
    "three_position": _three_position,
    "split_range": _split_range,
    "override_select": _override_select,
}
