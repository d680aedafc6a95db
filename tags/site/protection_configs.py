"""Settings of protections: interlocks, cause-and-effect matrices, and what of them may be bypassed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from tags.model import BLOCK
from tags.site import alarms
from tags.site.control_models import Bypass
from tags.site.job import Config, Job
from tags.site.protection_models import CauseEffect, Effect
from tags.site.sources import Loc
from tags.units import did_you_mean

# Blocks that an interlock or an effect stops or closes.
STOPPED: Final = ("motor", "drive", "on_off_valve", "damper")
BYPASS_MAX_NS: Final = 7 * 86_400_000_000_000
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,63}")
_RESERVED: Final = ("tripped", "first_out", "reset", "command")


def interlock(job: Job, model: Any) -> Config:
    """Of an interlock."""
    value = _held(job, (), "an interlock", model.target, model.value)
    return {
        "target": model.target,
        "when": job.scope.checked(("when",), model.when),
        "value": value,
        "reset": model.reset,
        "description": model.description,
        "bypass": {}
        if model.bypass is None
        else {"": _bypass(job, ("bypass",), "", model.bypass, model.description)},
    }


def cause_effect(job: Job, model: CauseEffect) -> Config:
    """Of a matrix."""
    _names(job, model)
    effects = list(model.effects)
    tripped: set[str] = set()
    causes, bypasses = [], Config()
    for name, cause in model.causes.items():
        loc = ("causes", name)
        if not cause.trips:
            job.scope.report((*loc, "trips"), f"cause {name} trips nothing. Name effects.")
        for effect in cause.trips:
            if effect not in model.effects:
                hint = did_you_mean(effect, effects) or f". There are {', '.join(effects)}."
                job.scope.report((*loc, "trips", effect), f"there is no effect {effect!r}{hint}", key=True)
        tripped.update(cause.trips)
        about = cause.description or name
        causes.append(
            {
                "name": name,
                "when": job.scope.checked((*loc, "when"), cause.when),
                "for_ns": cause.for_,
                "reset": cause.reset,
                "trips": [
                    [effects.index(one), delay] for one, delay in cause.trips.items() if one in model.effects
                ],
                "description": cause.description,
            }
        )
        point = job.scope.build.tags.get(f"{job.path}/{name}/ACTIVE")
        if point is not None and point.kind == BLOCK:
            text = f"{model.description or job.path}: {about}"
            alarms.of_point(job.scope, point, text, cause.alarm.priority, cause.alarm.response, None)
        permit = model.bypass_of(name)
        if permit is not None:
            at = (*loc, "bypass") if "bypass" in cause.model_fields_set else ("bypass",)
            bypasses[name] = _bypass(job, at, name, permit, f"{model.description or job.path}: {about}")
    for name in effects:
        if name not in tripped:
            job.scope.report(
                ("effects", name), f"no cause trips {name}. Name it under trips: of one.", key=True
            )
    return {
        "causes": causes,
        "effects": _effects(job, model),
        "bypass": bypasses,
        "description": model.description,
    }


def _names(job: Job, model: CauseEffect) -> None:
    """Causes and effects become parts of paths: each name is there once."""
    seen: dict[str, str] = {}
    for section, names in (("causes", model.causes), ("effects", model.effects)):
        for name in names:
            fold = name.casefold()
            if not _NAME.fullmatch(name) or fold in _RESERVED:
                text = (
                    f"{name!r} is not a name. Use letters, digits, '_', '-', '.'; not {', '.join(_RESERVED)}."
                )
                job.scope.report((section, name), text, key=True)
            elif fold in seen:
                text = f"{name} is there twice, first under {seen[fold]}:. Causes and effects share their names: rename one."
                job.scope.report((section, name), text, key=True)
            seen.setdefault(fold, section)


def _effects(job: Job, model: CauseEffect) -> list[Config]:
    held: dict[str, str] = {}
    found = []
    for name, effect in model.effects.items():
        loc = ("effects", name)
        if effect.target is not None and held.setdefault(effect.target, name) != name:
            text = f"{effect.target} is also the target of {held[effect.target]}. Let the causes trip one effect."
            job.scope.report((*loc, "target"), text)
        found.append({"name": name, **_effect(job, loc, effect)})
    return found


def _effect(job: Job, loc: Loc, effect: Effect) -> Config:
    value = None
    if effect.target is not None:
        value = _held(job, loc, "an effect", effect.target, effect.value)
    elif effect.value is not None:
        job.scope.report((*loc, "value"), "a value needs a target. Write target: and the output's path.")
    return {
        "target": effect.target,
        "value": value,
        "reset": effect.reset,
        "description": effect.description,
    }


def _held(job: Job, loc: Loc, what: str, path: str, value: Any) -> Any:
    """What a target is held at; None for a unit that is stopped or closed."""
    scope, block = job.scope, job.models.get(path)
    if block is not None and block.block in STOPPED:
        if value not in (None, False, 0):
            scope.report((*loc, "value"), f"{what} stops or closes {path}. Leave value: out.")
        return None
    if block is not None and path not in scope.build.tags:
        kind = f"{path} is a {block.block}. Name a motor, an on/off valve or an output tag."
        scope.report((*loc, "target"), kind)
        return None
    target = job.output((*loc, "target"), path, "", claim=False)
    if value is None:
        scope.report(loc, f"value is missing. Write value: and what {path} is held at.")
        return None
    return None if target is None else scope.value((*loc, "value"), value, target)


def _bypass(job: Job, loc: Loc, name: str, permit: Bypass, about: str) -> Config:
    """What may be bypassed, and the alarm of its point."""
    if permit.max > BYPASS_MAX_NS:
        job.scope.report((*loc, "max"), "a bypass lasts 7 days at most. Write a shorter time.")
    path = "/".join(part for part in (job.path, name, "BYPASSED") if part)
    point = job.scope.build.tags.get(path)
    if point is not None and point.kind == BLOCK:
        text = f"{about or job.path}: bypassed"
        response = permit.response or "See scada bypass. End it as soon as it is not needed"
        alarms.of_point(job.scope, point, text, permit.priority, response, None)
    return {"max_ns": permit.max, "role": permit.role}


COMPILERS: Final[Mapping[str, Callable[[Job, Any], Config]]] = {
    "interlock": interlock,
    "cause_effect": cause_effect,
}
