"""Settings of dampers, comparators and the sequences of buildings, in engineering units and ns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tags.model import BLOCK, Tag
from tags.site import alarms, function_configs
from tags.site.fields import Quantity
from tags.site.job import Config, Job, span
from tags.site.pid_config import MODE_NUMBERS
from tags.site.sequence_models import shift_limits
from tags.units import did_you_mean


def alarm_of(job: Job, point: str, message: str, alarm: Any, tag: Tag | None = None) -> None:
    """The alarm that comes with a point of a block."""
    state = job.scope.build.tags.get(f"{job.path}/{point}")
    if state is not None and state.kind == BLOCK:
        device = tag.device if tag is not None else None
        about = job.models[job.path].description or job.path
        alarms.of_point(job.scope, state, f"{about}: {message}", alarm.priority, alarm.response, device)


def drive(job: Job, model: Any, motor: Config) -> Config:
    """Of a drive, beside what is that of a motor."""
    scope = job.scope
    tag = job.output(("speed",), model.speed, "number") if model.speed is not None else None
    unit = tag.unit if tag else None
    whole = (tag.limits or tag.range) if tag else None
    limits = scope.pair(("limits",), model.limits, unit) or whole or (0.0, 100.0)
    if whole and not whole[0] <= limits[0] < limits[1] <= whole[1]:
        scope.report(
            ("limits",), f"limits reach outside {whole[0]:g} … {whole[1]:g} of {model.speed}. Correct them."
        )
    if model.input is not None:
        _same_unit(job, "input", job.input(("input",), model.input, "number"), tag)
    actual = None if model.actual is None else job.input(("actual",), model.actual, "number")
    tolerance = 0.0
    if model.actual is not None:
        _same_unit(job, "actual", actual, tag)
        given = model.tolerance if model.tolerance is not None else Quantity(5.0, "%")
        tolerance = scope.difference(("tolerance",), given, unit, span(tag))
        alarm_of(job, "DISCREPANCY", "does not follow its speed", model.alarm, tag)
    stopped = None if model.stopped is None else scope.measure(("stopped",), model.stopped, unit)
    return {
        **motor,
        "speed": model.speed,
        "input": model.input,
        "actual": model.actual,
        "speed_low": limits[0],
        "speed_high": limits[1],
        "stopped": stopped if stopped is not None else whole[0] if whole else limits[0],
        "ramp": scope.rate(("ramp",), model.ramp, unit, span(tag)),
        "tolerance": tolerance,
        "speed_time_ns": model.speed_time,
    }


def _same_unit(job: Job, key: str, tag: Tag | None, other: Tag | None) -> None:
    if tag is not None and other is not None and tag.unit != other.unit:
        job.scope.report(
            (key,),
            f"{tag.path} is in {tag.unit or 'no unit'}, {other.path} in {other.unit or 'no unit'}. Give both the same.",
        )


def _damper(job: Job, model: Any) -> Config:
    scope = job.scope
    out = job.output(("out",), model.out, "number") if model.out is not None else None
    for key in ("opened", "closed", "remote"):
        if getattr(model, key) is not None:
            job.input((key,), getattr(model, key), "bool")
    for key in ("pos", "input"):
        if getattr(model, key) is not None:
            _same_unit(job, key, job.input((key,), getattr(model, key), "number"), out)
    unit = out.unit if out else None
    whole = (out.limits or out.range if out else None) or (0.0, 100.0)
    ends = [scope.measure(("stroke", i), end, unit) for i, end in enumerate(model.stroke or ())]
    closed, opened = (float(end or 0.0) for end in ends) if ends else whole
    if closed == opened or not all(whole[0] <= end <= whole[1] for end in (closed, opened)):
        scope.report(
            ("stroke",),
            f"write [closed, open], two different values within {whole[0]:g} … {whole[1]:g} of {model.out}.",
        )
    least = closed if model.min is None else scope.measure(("min",), model.min, unit)
    if least is not None and not min(closed, opened) <= least <= max(closed, opened):
        scope.report(("min",), f"{least:g} is outside the stroke {closed:g} … {opened:g}. Correct it.")
    alarm_of(job, "DISCREPANCY", "does not follow its output", model.alarm, out)
    return {
        "out": model.out,
        "pos": model.pos,
        "opened": model.opened,
        "closed": model.closed,
        "remote": model.remote,
        "input": model.input,
        "stroke": [closed, opened],
        "min": closed if least is None else least,
        "permit": scope.checked(("permit",), model.permit),
        "travel_ns": model.travel,
        "tolerance": scope.difference(("tolerance",), model.tolerance, unit, span(out)),
        "first_mode": MODE_NUMBERS[model.mode.first],
        "restart": model.mode.restart,
    }


def _compare(job: Job, model: Any) -> Config:
    scope = job.scope
    wanted = {"low", "high"} if model.kind in ("inside", "outside") else {"to"}
    given = {key for key in ("to", "low", "high") if getattr(model, key) is not None}
    if given != wanted:
        scope.report(
            (), f"{model.kind} wants {' and '.join(sorted(wanted))}, and nothing else of to, low, high."
        )
    if model.tolerance is not None and model.kind not in ("eq", "ne"):
        scope.report(
            ("tolerance",), f"a tolerance is for eq and ne; {model.kind} has a hysteresis.", key=True
        )
    unit = function_configs.unit_of(scope.build, model.input)
    like = function_configs.followed(scope.build, model.input)
    found: Config = {"kind": model.kind, "input": scope.checked(("input",), model.input, "number")}
    for key in sorted(given):
        text = getattr(model, key)
        found[key] = scope.checked((key,), f"{text}", "number")
        other = function_configs.unit_of(scope.build, text)
        if other is not None and unit is not None and other != unit:
            scope.report((key,), f"{text} is in {other}, {model.input} in {unit}. Compare equal units.")
    for key in ("tolerance", "hysteresis"):
        value = getattr(model, key)
        found[key] = 0.0 if value is None else scope.difference((key,), value, unit, span(like))
    return found


def _setpoint_reset(job: Job, model: Any) -> Config:
    scope = job.scope
    unit_x = function_configs.unit_of(scope.build, model.input)
    unit = None if model.unit is None else scope.build_unit(("unit",), model.unit)
    limits = scope.pair(("limits",), model.limits, unit) or (0.0, 0.0)
    then = scope.measure(("on_bad", "then"), model.on_bad.then, unit)
    if then is not None and not limits[0] <= then <= limits[1]:
        scope.report(
            ("on_bad", "then"), f"{then:g} is outside the limits {limits[0]:g} … {limits[1]:g}. Correct it."
        )
    alarm_of(job, "SUBSTITUTED", "its measurement is missing", model.alarm)
    return {
        "input": scope.checked(("input",), model.input, "number"),
        "curve": function_configs.curve(scope, ("curve",), model.curve, unit_x, unit),
        "low": limits[0],
        "high": limits[1],
        "filter_ns": model.filter,
        "shift_limits": list(shift_limits(scope, model, unit)),
        "hold_ns": model.on_bad.hold,
        "then": limits[0] if then is None else then,
    }


def _setback(job: Job, model: Any) -> Config:
    scope = job.scope
    pv = job.input(("pv",), model.pv, "number")
    unit = pv.unit if pv else None
    calendar = job.calendars.get(model.schedule)
    if calendar is None:
        hint = did_you_mean(model.schedule, job.calendars) or ". Write it under schedules:."
        scope.report(("schedule",), f"unknown schedule {model.schedule!r}{hint}")
    elif model.state not in calendar.states:
        hint = did_you_mean(model.state, calendar.states) or f". It has {', '.join(calendar.states)}."
        scope.report(("state",), f"schedule {model.schedule} has no state {model.state!r}{hint}")
    levels = {key: scope.measure((key,), getattr(model, key), unit) for key in ("occupied", "setback")}
    if levels["occupied"] == levels["setback"]:
        scope.report(("setback",), "set-back and occupied are the same. Write two different values.")
    start = None
    if model.optimum_start is not None:
        rate = scope.rate(("optimum_start", "rate"), model.optimum_start.rate, unit, span(pv)) * 3600.0
        if rate <= 0.0:
            scope.report(("optimum_start", "rate"), "0 warms nothing up. Write for example 1.5 K/h.")
        longest = model.optimum_start.longest
        start = {"longest_ns": longest, "rate": rate or 1.0, "adapt": model.optimum_start.adapt}
    return {
        "calendar": calendar.data if calendar else {},
        "state": model.state,
        "pv": model.pv,
        **levels,
        "optimum_start": start,
    }


def _frost_protection(job: Job, model: Any) -> Config:
    scope = job.scope
    unit = function_configs.unit_of(scope.build, model.input)
    at = {key: scope.measure((key,), getattr(model, key), unit) or 0.0 for key in ("start", "full", "trip")}
    if not at["start"] > at["full"] >= at["trip"]:
        scope.report(
            ("start",), "write start above full, and full not below trip: heat comes before the trip."
        )
    below = None
    if (model.outdoor is None) != (model.pump_below is None):
        scope.report((), "outdoor and pump_below belong together. Write both or neither.")
    elif model.outdoor is not None:
        outdoor = function_configs.unit_of(scope.build, model.outdoor)
        below = scope.measure(("pump_below",), model.pump_below, outdoor)
    alarm_of(job, "TRIP", "frost", model.alarm)
    return {
        "input": scope.checked(("input",), model.input, "number"),
        **at,
        "margin": scope.difference(("start",), Quantity(1.0, "K"), unit, None) if unit else 1.0,
        "for_ns": model.for_,
        "reset": model.reset,
        "outdoor": scope.checked(("outdoor",), model.outdoor, "number"),
        "pump_below": below,
    }


def _changeover(job: Job, model: Any) -> Config:
    return {
        "heating": job.scope.checked(("heating",), model.heating),
        "cooling": job.scope.checked(("cooling",), model.cooling),
        "min_time_ns": model.min_time,
        "pause_ns": model.pause,
    }


COMPILERS: Final[dict[str, Callable[[Job, Any], Config]]] = {
    "damper": _damper,
    "compare": _compare,
    "setpoint_reset": _setpoint_reset,
    "setback": _setback,
    "frost_protection": _frost_protection,
    "changeover": _changeover,
}
