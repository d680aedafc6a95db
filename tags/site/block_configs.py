"""Settings of each block type: checked against the tags they name, in engineering units and ns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from tags.model import BLOCK, DEVICE, OWNER_PLC, Tag
from tags.site import alarms, function_configs, own_configs, pid_config, protection_configs, sequence_configs
from tags.site import control_models as cm
from tags.site import function_models as fm
from tags.site.building import Scope
from tags.site.job import Config, Job, Writers, span
from tags.site.own_models import Own
from tags.site.pid_config import MODE_NUMBERS
from tags.site.protection_models import Free
from tags.site.schedules import Calendar
from tags.site.validate import unknown_key
from tags.types import BOOL, STRING
from tags.units import did_you_mean

# Keys that name the tags of a unit, and the names of those tags below it.
_SIBLINGS: Final[dict[str, dict[str, str]]] = {
    "valve": {"out": "OUT", "pos": "POS", "remote": "REM"},
    "on_off_valve": {"out": "OUT", "opened": "OPENED", "closed": "CLOSED", "remote": "REM"},
    "motor": {"start": "START", "stop": "STOP", "run": "RUN", "remote": "REM", "fault": "FLT"},
    "drive": {
        "start": "START",
        "stop": "STOP",
        "run": "RUN",
        "remote": "REM",
        "fault": "FLT",
        "speed": "SPD",
    },
    "damper": {"out": "OUT", "pos": "POS", "opened": "OPENED", "closed": "CLOSED", "remote": "REM"},
}
_NEEDED: Final = {"out", "pos", "start", "stop", "run", "speed"}
_OPTIONAL: Final = {("damper", "pos")}


def complete(scope: Scope, path: str, model: cm.Block) -> None:
    """Fills in the tags of a unit that are not named: those below the block's own path; finds the class of an own block."""
    if isinstance(model, Own):
        own_configs.complete(scope, model)
    for key, name in _SIBLINGS.get(model.block, {}).items():
        sibling = f"{path}/{name}"
        if getattr(model, key) is not None:
            continue
        if sibling in scope.build.tags:
            setattr(model, key, sibling)
        elif key in _NEEDED and (model.block, key) not in _OPTIONAL:
            scope.report((), f"{key} is missing: there is no tag {sibling}. Write {key}: and the tag's path.")


def reads(model: cm.Block) -> Iterator[str]:
    """Tags that a block reads by name."""
    if isinstance(model, fm.Function):
        yield from model.tags_read()
        return
    for key in ("pv", "input", "pos", "opened", "closed", "run", "remote", "fault"):
        path = getattr(model, key, None)
        if path is not None and not (key == "input" and isinstance(model, cm.Timer)):
            yield path
    if isinstance(model, fm.OverrideSelect):
        yield from model.inputs
    if isinstance(model, cm.Pid):
        yield from (path for path in (model.setpoint.tag, model.setpoint.cascade) if path is not None)


def conditions(model: cm.Block) -> Iterator[str]:
    """Expressions of a block."""
    if isinstance(model, fm.Function | Free):
        yield from model.texts()
        return
    for key in ("auto", "permit", "start_permit", "demand", "when", "expression"):
        text = getattr(model, key, None)
        if text is not None:
            yield text
    if isinstance(model, cm.Timer):
        yield model.input
    if isinstance(model, cm.Pid):
        yield from (ahead.input for ahead in (model.feedforward, model.gain_schedule) if ahead is not None)
        yield from () if model.track is None else (model.track.when, model.track.value)
    if isinstance(model, cm.DutyStandby):
        yield from model.assist
    if isinstance(model, cm.Motor) and model.trip is not None:
        yield model.trip.when


def compile_config(
    scope: Scope,
    path: str,
    models: Mapping[str, cm.Block],
    calendars: Mapping[str, Calendar],
    writers: Writers,
    scan_ns: int,
) -> Config:
    """The settings of one block, as `tags.model.Block.config` has them."""
    job = Job(scope, path, models, calendars, writers, scan_ns)
    return _COMPILERS[models[path].block](job, models[path])


def _modes(model: Any) -> Config:
    return {"first_mode": MODE_NUMBERS[model.mode.first], "restart": model.mode.restart}


def _unit(job: Job, model: Any, wanted: Mapping[str, str], written: tuple[str, ...]) -> dict[str, Tag | None]:
    """The tags of a unit."""
    found: dict[str, Tag | None] = {}
    for key, kind in wanted.items():
        path = getattr(model, key)
        if path is None:
            found[key] = None
        elif key in written:
            found[key] = job.output((key,), path, kind)
        else:
            found[key] = job.input((key,), path, kind)
    return found


def _alarm(job: Job, model: Any, point: str, message: str, tag: Tag | None) -> None:
    state = job.scope.build.tags.get(f"{job.path}/{point}")
    if state is not None and state.kind == BLOCK:
        text = f"{model.description or job.path}: {message}"
        device = tag.device if tag is not None else None
        alarms.of_point(job.scope, state, text, model.alarm.priority, model.alarm.response, device)


def _valve(job: Job, model: Any) -> Config:
    tags = _unit(job, model, {"out": "number", "pos": "number", "remote": "bool"}, ())
    pos = tags["pos"]
    tolerance = job.scope.difference(("tolerance",), model.tolerance, pos.unit if pos else None, span(pos))
    _alarm(job, model, "DISCREPANCY", "does not follow its output", tags["out"])
    return {
        "out": model.out,
        "pos": model.pos,
        "remote": model.remote,
        "travel_ns": model.travel,
        "tolerance": tolerance,
    }


def _on_off_valve(job: Job, model: Any) -> Config:
    kinds = dict.fromkeys(("out", "opened", "closed", "remote"), "bool")
    tags = _unit(job, model, kinds, ("out",))
    _alarm(job, model, "DISCREPANCY", "does not follow its command", tags["out"])
    return {
        "out": model.out,
        "opened": model.opened,
        "closed": model.closed,
        "remote": model.remote,
        "travel_ns": model.travel,
        "auto": job.scope.checked(("auto",), model.auto),
        "permit": job.scope.checked(("permit",), model.permit),
        **_modes(model),
    }


def _motor(job: Job, model: Any) -> Config:
    kinds = dict.fromkeys(("start", "stop", "run", "remote", "fault"), "bool")
    tags = _unit(job, model, kinds, ("start", "stop"))
    for key in ("start", "stop"):
        tag = tags[key]
        if (
            tag is not None
            and tag.kind == DEVICE
            and (tag.owner != OWNER_PLC or not tag.write or tag.write.mode != "pulse")
        ):
            job.scope.report(
                (key,), f"{tag.path} must be asked by pulse. Write owner: plc, write: pulse 500 ms there."
            )
    trip = None
    if model.trip is not None:
        when = job.scope.checked(("trip", "when"), model.trip.when)
        trip = {"when": when, "for_ns": model.trip.for_, "reset": model.trip.reset}
    _alarm(job, model, "TRIP", "tripped", tags["run"])
    return {
        "start": model.start,
        "stop": model.stop,
        "run": model.run,
        "remote": model.remote,
        "fault": model.fault,
        "start_permit": job.scope.checked(("start_permit",), model.start_permit),
        "trip": trip,
        "auto": job.scope.checked(("auto",), model.auto),
        "group": model.group,
        "start_time_ns": model.start_time,
        "min_off_ns": model.min_off,
        "starts_per_hour": model.starts_per_hour,
        "after_power_loss": model.after_power_loss,
        **_modes(model),
    }


def _duty_standby(job: Job, model: Any) -> Config:
    if len(set(model.members)) < len(model.members):
        job.scope.report(("members",), "a member is named twice. Name each motor once.")
    return {
        "members": list(model.members),
        "demand": job.scope.checked(("demand",), model.demand),
        "alternate": model.alternate,
        **(_assist(job, model) if model.assist else {}),
    }


def _assist(job: Job, model: Any) -> Config:
    if len(model.assist) >= len(model.members):
        job.scope.report(
            ("assist",),
            f"{len(model.assist)} assist beside the one on duty, and there are {len(model.members)} members. Name more, or fewer conditions.",
        )
    return {
        "assist": [job.scope.checked(("assist", i), text) for i, text in enumerate(model.assist)],
        "assist_on_ns": model.assist_on,
        "assist_off_ns": model.assist_off,
    }


def _drive(job: Job, model: Any) -> Config:
    return sequence_configs.drive(job, model, _motor(job, model))


def _hysteresis(job: Job, model: Any) -> Config:
    tag = job.input(("input",), model.input, "number")
    unit = tag.unit if tag else None
    keys = ("on_above", "off_below", "on_below", "off_above")
    values = {
        key: None if getattr(model, key) is None else job.scope.measure((key,), getattr(model, key), unit)
        for key in keys
    }
    given = {key for key in keys if getattr(model, key) is not None}
    if given not in ({"on_above", "off_below"}, {"on_below", "off_above"}):
        job.scope.report(
            (), "write on_above: with off_below:, or on_below: with off_above:, and nothing else of these."
        )
    for upper, lower in (("on_above", "off_below"), ("off_above", "on_below")):
        high, low = values[upper], values[lower]
        if high is not None and low is not None and high <= low:
            job.scope.report(
                (upper,), f"{upper} {high:g} is not above {lower} {low:g}. Swap or correct them."
            )
    for key in given:
        value = values[key]
        if tag and tag.range and value is not None and not tag.range[0] <= value <= tag.range[1]:
            job.scope.report(
                (key,),
                f"{value:g} is outside the range {tag.range[0]:g} … {tag.range[1]:g} of {tag.path}. Correct it.",
            )
    return {"input": model.input, **values}


def _ramp(job: Job, model: Any) -> Config:
    outs = [model.out] if isinstance(model.out, str) else list(model.out)
    if model.setpoint.tag is not None or model.setpoint.ramp is not None:
        job.scope.report(
            ("setpoint",),
            "a ramp has initial: and limits: here, and rate: beside it. Correct the keys.",
            key=True,
        )
    tags = [
        job.output(("out",) if isinstance(model.out, str) else ("out", i), path, "number")
        for i, path in enumerate(outs)
    ]
    first = next((tag for tag in tags if tag is not None), None)
    unit = first.unit if first else None
    for i, tag in enumerate(tags):
        if tag is not None and tag.unit != unit:
            job.scope.report(
                ("out", i), f"{tag.path} is in {tag.unit}, the first output in {unit}. Ramp them apart."
            )
    limits = job.scope.pair(("setpoint", "limits"), model.setpoint.limits, unit) or (
        first.limits if first else None
    )
    initial = model.setpoint.initial
    return {
        "out": outs,
        "sp_initial": None if initial is None else job.scope.measure(("setpoint", "initial"), initial, unit),
        "sp_low": limits[0] if limits else None,
        "sp_high": limits[1] if limits else None,
        "rate": job.scope.rate(("rate",), model.rate, unit, span(first)),
    }


def _timer(job: Job, model: Any) -> Config:
    return {"kind": model.kind, "input": job.scope.checked(("input",), model.input), "time_ns": model.time}


def _schedule(job: Job, model: Any) -> Config:
    scope, calendar = job.scope, job.calendars.get(model.schedule)
    if calendar is None:
        hint = did_you_mean(model.schedule, job.calendars) or ". Write it under schedules:."
        scope.report(("schedule",), f"unknown schedule {model.schedule!r}{hint}")
    target = None
    if model.target is not None:
        target = job.output(("target",), model.target, "")
    values: dict[str, Any] = {}
    states = calendar.states if calendar else tuple(model.model_extra or {})
    for key, data in (model.model_extra or {}).items():
        if key not in states:
            scope.report((key,), unknown_key(key, [*states, *cm.ScheduleBlock.model_fields]), key=True)
        elif isinstance(data, dict | list):
            scope.report((key,), "a single value is wanted here. Write one value for the state.", key=True)
        elif target is not None:
            values[key] = scope.value((key,), data, target)
    missing = [state for state in states if target is not None and state not in (model.model_extra or {})]
    if missing:
        scope.report(
            (), f"no value for {', '.join(missing)}. Write {missing[0]}: and the value for {model.target}."
        )
    if model.target is None and model.model_extra:
        scope.report((), "values need a target. Write target: and the tag that they are written to.")
    found = {"calendar": calendar.data if calendar else {}, "target": model.target, "values": values}
    return found if model.override is None else {**found, "override_max_ns": model.override.max}


def _calc(job: Job, model: Any) -> Config:
    scope, tag = job.scope, job.scope.build.tags.get(job.path)
    wanted = "" if model.type is None or tag is None else "bool" if tag.type == BOOL else "number"
    if model.type == STRING:
        scope.report(("type",), "a calculation gives a number or true/false. Choose another type.")
    text = scope.checked(("expression",), model.expression, wanted)
    return {"expression": model.expression if text is None else text}


_COMPILERS: Final[dict[str, Callable[[Job, Any], Config]]] = {
    **function_configs.COMPILERS,
    **protection_configs.COMPILERS,
    **own_configs.COMPILERS,
    "pid": pid_config.compile_pid,
    "valve": _valve,
    "on_off_valve": _on_off_valve,
    "motor": _motor,
    "duty_standby": _duty_standby,
    **sequence_configs.COMPILERS,
    "drive": _drive,
    "hysteresis": _hysteresis,
    "ramp": _ramp,
    "timer": _timer,
    "schedule": _schedule,
    "calc": _calc,
}
