"""Blocks of one's own: their sources read, and each use of one checked against what its class declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tags import expression, own, units
from tags.site.building import Building, Scope, a
from tags.site.fields import Quantity
from tags.site.job import Config, Job
from tags.site.own_models import Own
from tags.site.problems import Place
from tags.site.sources import Loc
from tags.site.validate import unknown_key
from tags.units import did_you_mean


def read(build: Building, sources: Mapping[str, str]) -> None:
    """Takes in the classes of all files under `blocks/`, and reports what breaks a rule."""
    for file, source in sources.items():
        try:
            found = own.read(source, file)
        except own.OwnError as error:
            for line, column, text in error.problems:
                build.problems.add(Place(file, line, column), text if text.endswith(".") else f"{text}.")
            build.own_broken = True
            continue
        for name, declared in found.items():
            first = build.own.setdefault(name, declared)
            if first is not declared:
                text = f"{name} is there twice, first at {first.file}:{first.line}. Rename one."
                build.problems.add(Place(file, declared.line, 1), text)
            _check_units(build, declared)


def _check_units(build: Building, declared: own.Own) -> None:
    for name, member in declared.members.items():
        unit = member.args.get("unit")
        if unit is None:
            continue
        try:
            member.args["unit"] = units.find(unit).symbol
        except units.UnitError as error:
            text = f"{declared.name}.{name}: {error}{'' if str(error).endswith('?') else '. See the table of units.'}"
            build.problems.add(Place(declared.file, declared.line, 1), text)
            del member.args["unit"]


def complete(scope: Scope, model: Own) -> None:
    """Finds the class of a block."""
    found = scope.build.own.get(model.class_)
    if found is not None:
        model.declare(found)
    elif not scope.build.own_broken:
        known = ", ".join(scope.build.own)
        hint = did_you_mean(model.class_, scope.build.own)
        hint = hint or (f". There are {known}." if known else ". Write it in a file blocks/NAME.py.")
        scope.report(("class",), f"there is no class {model.class_!r} in blocks/{hint}")


def compile_own(job: Job, model: Own) -> Config:
    """Its settings: the source itself, inputs with their conversions, settings in the units of the class."""
    declared = model.declared
    if declared is None:
        return {}
    return {
        "class": declared.name,
        "file": declared.file,
        "source": declared.source,
        "inputs": _inputs(job, model, declared),
        "settings": _settings(job, model, declared),
        "drives": _drives(job, model, declared),
        "first_mode": model.first_mode,
        "restart": model.mode.restart,
        "description": model.description,
    }


def _known(job: Job, section: str, given: Mapping[str, Any], known: Mapping[str, Any], what: str) -> None:
    for name in given:
        if name not in known:
            job.scope.report((section, name), unknown_key(name, list(known), what), key=True)


def _inputs(job: Job, model: Own, declared: own.Own) -> Config:
    wanted = declared.of("input")
    _known(job, "inputs", model.inputs, wanted, "input")
    missing = [name for name in wanted if name not in model.inputs]
    if missing:
        text = f"no input {', '.join(missing)}. Write inputs: {{{missing[0]}: …}}."
        job.scope.report(("inputs",) if model.inputs else (), text, key=bool(model.inputs))
    found = Config()
    for name, member in wanted.items():
        if name in model.inputs:
            found[name] = _input(job, ("inputs", name), model.inputs[name], member)
    return found


def _input(job: Job, loc: Loc, text: str, member: own.Member) -> Config:
    """One input: the expression, how it is converted, and the range that a trial takes."""
    made: Config = {"expression": text}
    if job.scope.checked(loc, text, "bool" if member.type == "bool" else "number") is None:
        return made
    if member.type == "bool":
        return made
    tags = job.scope.build.tags
    parsed = expression.parse(text)
    unit, target = expression.unit_of(parsed, tags), member.args.get("unit")
    gain, offset = 1.0, 0.0
    if unit is not None and target is not None and unit != target:
        try:
            gain, offset = units.linear(unit, target)
        except units.UnitError as error:
            job.scope.report(loc, f"{error}. The class takes it in {target}.")
            return made
    elif unit is None and target is not None:
        job.scope.report(loc, f"{text} has no unit, and the class takes it in {target}. Give it one.")
        return made
    made |= {"gain": gain, "offset": offset}
    tag = tags.get(text.strip())
    if "low" in member.args and "high" in member.args:
        made["range"] = [float(member.args["low"]), float(member.args["high"])]
    elif tag is not None and tag.range is not None:
        made["range"] = [end * gain + offset for end in tag.range]
    return made


def _settings(job: Job, model: Own, declared: own.Own) -> Config:
    wanted = declared.of("setting")
    _known(job, "settings", model.settings, wanted, "setting")
    return {
        name: _setting(job, ("settings", name), model.settings[name], member)
        if name in model.settings
        else member.args["default"]
        for name, member in wanted.items()
    }


def _setting(job: Job, loc: Loc, data: Any, member: own.Member) -> Any:
    scope, default, unit = job.scope, member.args["default"], member.args.get("unit")
    value = data
    if member.type == "float":
        try:
            measured = scope.measure(loc, Quantity(*units.quantity(data)), unit)
        except units.UnitError as error:
            scope.report(loc, f"{error}.")
            return default
        if measured is None:
            return default
        value = float(measured)
    if not own.fits(value, member.type):
        scope.report(loc, f"{data!r} is not {a(member.type)}. Correct it.")
        return default
    low, high = member.args.get("low"), member.args.get("high")
    if (low is not None and value < low) or (high is not None and value > high):
        ends = f"{'…' if low is None else f'{low:g} …'}{'' if high is None else f' {high:g}'}"
        scope.report(loc, f"{value:g} is outside {ends} of {loc[-1]}. Write a value inside.")
        return default
    return value


def _drives(job: Job, model: Own, declared: own.Own) -> Config:
    wanted = declared.of("output")
    _known(job, "drives", model.drives, wanted, "output")
    found = Config()
    for name, path in model.drives.items():
        if name not in wanted:
            continue
        kind = "bool" if wanted[name].type == "bool" else "number"
        tag = job.output(("drives", name), path, kind)
        unit = wanted[name].args.get("unit")
        if tag is not None and tag.unit != unit and unit is not None:
            text = f"{path} is in {tag.unit or 'no unit'}, {name} in {unit}. Give both the same."
            job.scope.report(("drives", name), text)
        found[name] = path
    return found


COMPILERS: Final[Mapping[str, Callable[[Job, Any], Config]]] = {"own": compile_own}
