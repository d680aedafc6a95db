"""The control program: entries under `control:` and `supervise:` to compiled blocks in execution order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tags import expression
from tags.model import Block, Task
from tags.site import block_configs, block_points, order
from tags.site import control_models as cm
from tags.site import function_models as fm
from tags.site import sequence_models as sm
from tags.site.building import Building, Scope
from tags.site.job import Writers
from tags.site.schedules import Calendar
from tags.site.sources import Loc, Source
from tags.site.tasks import DEFAULT, check_blocks
from tags.site.templates import Entry
from tags.site.validate import unknown_key, validate
from tags.units import did_you_mean


@dataclass(frozen=True, slots=True)
class TwoSources:
    """A block that a template began and `control:` completed."""

    first: Source
    second: Source
    keys: frozenset[str]

    def place(self, loc: Loc = (), *, key: bool = False) -> Any:
        """What `control:` says is there, everything else in the template."""
        own = not loc or str(loc[0]) in self.keys
        return (self.first if own else self.second).place(loc, key=key)


@dataclass(slots=True)
class Program:
    """Blocks in the making.

    Attributes:
        models: Checked settings by block path.
        scopes: For problems.
        points: Point name to tag path, by block path.
        owner: Block path by point tag path.
        writer: Block path by the one output that it drives.
    """

    models: dict[str, cm.Block] = field(default_factory=dict)
    scopes: dict[str, Scope] = field(default_factory=dict)
    points: dict[str, dict[str, str]] = field(default_factory=dict)
    owner: dict[str, str] = field(default_factory=dict)
    writer: dict[str, str] = field(default_factory=dict)


def merge(build: Building, supervised: list[Entry], written: list[Entry]) -> list[Entry]:
    """Joins the blocks of templates with what `control:` adds to them; reports a path written twice."""
    merged = {entry.path: entry for entry in supervised}
    seen: dict[str, Entry] = {}
    for entry in written:
        first = seen.setdefault(entry.path, entry)
        if first is not entry:
            build.problems.add(
                entry.source.place(),
                f"{entry.path} is there twice under control:, first at {first.source.place()}. Join them.",
            )
            continue
        begun = merged.get(entry.path)
        if begun is not None:
            source = TwoSources(entry.source, begun.source, frozenset(entry.data))
            entry = Entry(entry.path, {**begun.data, **entry.data}, source)  # noqa: PLW2901 - what stands for it
        merged[entry.path] = entry
    return list(merged.values())


def compile_program(
    build: Building, entries: list[Entry], calendars: Mapping[str, Calendar], tasks: Sequence[Task]
) -> tuple[Block, ...]:
    """All blocks: their points become tags of the building, then their settings are checked and compiled."""
    program = Program()
    for entry in entries:
        _admit(build, program, entry)
    _groups(program)
    check_blocks(program.models, program.scopes, tasks, program.owner)
    wanted = list(program.models)
    ordered, loops = order.sort(program.models, {path: _reads(program, path) for path in wanted})
    for loop in loops:
        program.scopes[loop[0]].report(
            (),
            f"a loop: {' → '.join((*loop, loop[0]))} read each other in one scan. Break it: let one read a device tag.",
        )
    for path in ordered:
        model, scope = program.models[path], program.scopes[path]
        states: tuple[str, ...] = ()
        if isinstance(model, cm.ScheduleBlock) and model.schedule in calendars:
            states = calendars[model.schedule].states
        block_points.make_points(scope, path, model, states)
    writers = Writers(program.owner)
    period_ns = {task.name: task.period_ns for task in tasks}
    blocks = []
    for path in ordered:
        scope = program.scopes[path]
        task = program.models[path].task
        every_ns = period_ns.get(task, period_ns[DEFAULT])
        config = block_configs.compile_config(scope, path, program.models, calendars, writers, every_ns)
        place = str(program.scopes[path].source.place())
        blocks.append(
            Block(
                path=path,
                type=program.models[path].block,
                config=config,
                points=program.points[path],
                place=place,
                task=task,
            )
        )
    return tuple(blocks)


def _admit(build: Building, program: Program, entry: Entry) -> None:
    """Checks one entry as data and takes it into the program."""
    scope = Scope(build, entry.source, entry.path)
    if not build.check_path(entry.path, entry.source.place()):
        return
    data = dict(entry.data)
    if "block" not in data and "schedule" in data:
        data = {"block": "schedule", "target": entry.path, **data}
    name = data.get("block")
    if name is None:
        scope.report(
            (),
            f"block is missing. Write block: and one of {', '.join(fm.BLOCKS)}; no template supervises {entry.path}.",
        )
        return
    kind = fm.BLOCKS.get(str(name))
    if kind is None:
        hint = did_you_mean(str(name), fm.BLOCKS) or f". There are {', '.join(fm.BLOCKS)}."
        scope.report(("block",), f"unknown block {name!r}{hint}")
        return
    if kind is not cm.ScheduleBlock:
        known = [info.alias or key for key, info in kind.model_fields.items() if key != "group"]
        for key in [key for key in data if key not in known]:
            scope.report((key,), unknown_key(key, known), key=True)
            del data[key]
    model = validate(kind, data, entry.source, entry.path, build.problems)
    if model is None:
        return
    block_configs.complete(scope, entry.path, model)
    points = block_points.point_paths(entry.path, model)
    program.models[entry.path], program.scopes[entry.path] = model, scope
    program.points[entry.path] = points
    program.owner.update(dict.fromkeys(points.values(), entry.path))
    out = getattr(model, "out", None)
    if isinstance(model, cm.Pid | fm.OverrideSelect) and isinstance(out, str):
        program.writer[out] = entry.path


def _groups(program: Program) -> None:
    """Tells motors which duty/standby group asks for them."""
    for path, model in program.models.items():
        if not isinstance(model, cm.DutyStandby):
            continue
        for i, member in enumerate(model.members):
            motor, loc = program.models.get(member), ("members", i)
            if not isinstance(motor, cm.Motor):
                known = [p for p, m in program.models.items() if isinstance(m, cm.Motor)]
                hint = did_you_mean(member, known) or ". Name blocks of type motor."
                program.scopes[path].report(loc, f"{member} is not a motor{hint}")
            elif motor.group not in (None, path):
                program.scopes[path].report(
                    loc, f"{member} already belongs to {motor.group}. A motor has one group."
                )
            elif motor.auto is not None:
                program.scopes[path].report(
                    loc, f"{member} has auto: and is in this group: two would start it. Leave its auto: out."
                )
            else:
                motor.group = path


def _reads(program: Program, path: str) -> set[str]:
    """Blocks of its task whose points this block reads; of the others it reads what their last run left."""
    task = program.models[path].task
    return {other for other in _all_reads(program, path) if program.models[other].task == task}


def _all_reads(program: Program, path: str) -> set[str]:
    found = set()
    for read in block_configs.reads(program.models[path]):
        if read in program.owner:
            found.add(program.owner[read])
        takes_on = cm.Pid | fm.SplitRange | fm.OverrideSelect | sm.Drive | sm.Damper
        if read in program.writer and isinstance(program.models[path], takes_on):
            found.add(program.writer[read])
    for text in block_configs.conditions(program.models[path]):
        try:
            paths = expression.parse(text).paths
        except expression.ExpressionError:
            continue  # reported where it is compiled
        found.update(program.owner[read] for read in paths if read in program.owner)
    group = getattr(program.models[path], "group", None)
    if group is not None:
        found.add(group)
    return found
