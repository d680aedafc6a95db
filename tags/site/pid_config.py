"""Settings of a PID controller: checked against the tags they name, in engineering units and ns."""

from __future__ import annotations

from typing import Any, Final

from tags.model import BLOCK, Tag
from tags.site import control_models as cm
from tags.site import function_configs
from tags.site.job import Config, Job

MODES: Final = {"0": "Out of service", "1": "Manual", "2": "Auto", "3": "Cascade", "4": "Remote cascade"}
MODE_NUMBERS: Final = {text.casefold(): int(number) for number, text in MODES.items()}


def modes(model: cm.Pid) -> list[str]:
    """The modes that a controller has, in the words of the site."""
    setpoint = model.setpoint
    offered = ["out of service", "manual", "auto"]
    offered += ["cascade"] if setpoint.cascade is not None or setpoint.tag is not None else []
    offered += ["remote cascade"] if setpoint.remote is not None else []
    return [mode for mode in offered if model.mode.permitted is None or mode in model.mode.permitted]


def compile_pid(job: Job, model: Any) -> Config:
    """The settings of a controller."""
    scope = job.scope
    pv, out = job.input(("pv",), model.pv, "number"), job.output(("out",), model.out, "number")
    out_span = out.limits or out.range if out else None
    out_limits = (
        scope.pair(("out_limits",), model.out_limits, out.unit if out else None) or out_span or (0.0, 100.0)
    )
    if out_span and not (out_span[0] <= out_limits[0] and out_limits[1] <= out_span[1]):
        scope.report(
            ("out_limits",),
            f"limits reach outside {out_span[0]:g} … {out_span[1]:g} of {model.out}. Correct them.",
        )
    if out is not None and out.kind == BLOCK:
        scope.report(
            ("out",),
            f"{model.out} is a point of a block, which would never tell whether it takes this output on. Write a"
            " memory tag here, and setpoint: {cascade: …} with its path in the controller behind it.",
        )
    if pv is not None and pv.scan_ns and model.every is not None and model.every < pv.scan_ns:
        scope.report(
            ("every",),
            f"every {model.every / 1e6:g} ms is faster than {model.pv} is read, {pv.scan_ns / 1e6:g} ms."
            " Read it faster, or leave every: out.",
        )
    bad = model.mode.on_bad_pv
    then: Any = "manual"
    if bad.then != "manual":
        then = scope.value(("mode", "on_bad_pv", "then"), bad.then, out) if out else None
    return {
        "pv": model.pv,
        "out": model.out,
        "action": model.action,
        **_tuning(job, model),
        **job.setpoint(model.setpoint, pv),
        "out_low": out_limits[0],
        "out_high": out_limits[1],
        **_modes(job, model),
        "on_bad_pv": {"hold_ns": bad.hold, "then": then},
        "every_ns": model.every or 0,
        **_look_ahead(job, model),
        **_outside(job, model, pv, out),
    }


def _tuning(job: Job, model: cm.Pid) -> Config:
    tuning = model.tuning
    given = tuning.model_fields_set
    for key, other in (("ki", "ti"), ("kd", "td")):
        if key in given and model.form != "parallel":
            job.scope.report(
                ("tuning", key),
                f"{key} is of the parallel form. Write form: parallel, or {other}: instead.",
                key=True,
            )
        elif key in given and other in given:
            job.scope.report(
                ("tuning", key), f"{key} and {other} say the same. Leave one of them out.", key=True
            )
    ti, td = times(tuning)
    found: Config = {"gain": tuning.gain, "ti_ns": ti, "td_ns": td}
    return found if model.form == "ideal" else {**found, "form": model.form}


def times(tuning: cm.Tuning) -> tuple[int, int]:
    """Integral and derivative time, ns, also of a parallel form that names ki and kd."""
    ti = tuning.ti if tuning.ki is None else round(1e9 / tuning.ki) if tuning.ki > 0.0 else 0
    return ti, tuning.td if tuning.kd is None else round(tuning.kd * 1e9)


def _modes(job: Job, model: cm.Pid) -> Config:
    scope, mode, setpoint = job.scope, model.mode, model.setpoint
    has = modes(model)
    why = {
        "cascade": "setpoint: {cascade: …} and the tag that holds the set point",
        "remote cascade": "setpoint: {remote: {timeout: …}}",
    }
    for i, name in enumerate(mode.permitted or ()):
        if name in why and name not in has:
            scope.report(
                ("mode", "permitted", i), f"{name} needs {why[name]}. Write it, or leave {name} out."
            )
    if mode.first not in has:
        what = f"{mode.first} is not permitted" if mode.permitted is not None else f"{mode.first} needs more"
        hint = f"Write {why[mode.first]}" if mode.first in why else "Write one of permitted"
        scope.report(("mode", "first"), f"{what}: there are {', '.join(has)}. {hint}.")
    fallen: list[tuple[str, tuple[str, str]]] = []
    if setpoint.cascade is not None:
        fallen.append(("auto", ("setpoint", "cascade")))
    if setpoint.remote is not None:
        fallen.append((setpoint.remote.then, ("setpoint", "remote")))
    if mode.on_bad_pv.then == "manual":
        fallen.append(("manual", ("mode", "on_bad_pv")))
    for to, loc in fallen:
        if to not in has:
            scope.report(loc, f"it falls to {to}, which this controller does not have. Permit it.")
    found: Config = {"first_mode": MODE_NUMBERS[mode.first], "restart": mode.restart}
    return found if mode.permitted is None else {**found, "modes": [MODE_NUMBERS[name] for name in has]}


def _look_ahead(job: Job, model: cm.Pid) -> Config:
    """Feed-forward and gain schedule of a controller."""
    scope, found = job.scope, Config()
    if model.feedforward is not None:
        text = scope.checked(("feedforward", "input"), model.feedforward.input, "number")
        found["feedforward"] = {"input": text, "gain": model.feedforward.gain}
    if model.gain_schedule is not None:
        text = scope.checked(("gain_schedule", "input"), model.gain_schedule.input, "number")
        unit = function_configs.unit_of(scope.build, model.gain_schedule.input)
        curve = function_configs.curve(
            scope, ("gain_schedule", "curve"), model.gain_schedule.curve, unit, None
        )
        for i, (_, factor) in enumerate(curve):
            if factor < 0.0:
                scope.report(
                    ("gain_schedule", "curve", i),
                    f"a factor of {factor:g} turns the action round. Write 0 or more.",
                )
        found["gain_schedule"] = {"input": text, "curve": curve}
    return found


def _outside(job: Job, model: cm.Pid, pv: Tag | None, out: Tag | None) -> Config:
    """Cascade, remote cascade and tracking."""
    scope, setpoint, found = job.scope, model.setpoint, Config()
    if setpoint.tag is not None:
        for key in ("cascade", "remote", "track_pv"):
            if key in setpoint.model_fields_set:
                scope.report(
                    ("setpoint", key),
                    f"the set point is {setpoint.tag} in each mode. Leave tag: out.",
                    key=True,
                )
    if setpoint.cascade is not None:
        tag = job.input(("setpoint", "cascade"), setpoint.cascade, "number")
        if tag is not None and pv is not None and tag.unit != pv.unit:
            scope.report(
                ("setpoint", "cascade"),
                f"{tag.path} is in {tag.unit or 'no unit'}, {pv.path} in {pv.unit or 'no unit'}. Give both the same.",
            )
        found["cascade"] = setpoint.cascade if tag is None else tag.path
    if setpoint.remote is not None:
        remote = setpoint.remote
        found["remote"] = {"timeout_ns": remote.timeout, "then": MODE_NUMBERS[remote.then]}
    if setpoint.track_pv:
        found["track_pv"] = True
    if model.track is not None:
        value = scope.checked(("track", "value"), model.track.value, "number")
        unit = function_configs.unit_of(scope.build, model.track.value)
        if out is not None and unit is not None and unit != out.unit:
            scope.report(
                ("track", "value"),
                f"the value is in {unit}, {out.path} in {out.unit or 'no unit'}. Give both the same.",
            )
        found["track"] = {"when": scope.checked(("track", "when"), model.track.when), "value": value}
    return found
