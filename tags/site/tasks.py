"""Tasks of the control program: their periods, and which block belongs to which."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tags.model import Task
from tags.site import control_models as cm
from tags.site import models
from tags.site.building import Building, Scope
from tags.site.sources import Source
from tags.units import did_you_mean

DEFAULT: Final = "scan"
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_\-]{0,63}")
SHORTEST_NS, LONGEST_NS = 10_000_000, 10_000_000_000


def compile_tasks(build: Building, head: models.Head, source: Source | None) -> tuple[Task, ...]:
    """All tasks in the order in which they run; `scan`, which every site has, among them.

    Args:
        build: Takes the problems.
        head: Of the site.
        source: Where the head stands, or None when there is none.
    """
    own = head.tasks.get(DEFAULT, models.Task())
    made = [Task(name=DEFAULT, period_ns=head.scan, priority=own.priority)]
    scope = None if source is None else Scope(build, source, "site")
    for name, task in head.tasks.items():
        period = task.period
        if scope is not None and not _NAME.fullmatch(name):
            text = f"{name!r} is not a name. Use letters, digits, '-' and '_', a letter first."
            scope.report(("tasks", name), text, key=True)
        if name != DEFAULT and period is not None:
            made.append(Task(name=name, period_ns=period, priority=task.priority))
        if scope is None:
            continue
        if name == DEFAULT and period not in (None, head.scan):
            text = "the period of scan is written as scan: of the site. Leave period: out."
            scope.report(("tasks", name, "period"), text, key=True)
        elif name != DEFAULT and period is None:
            text = f"{name} has no period. Write for example period: 1 s."
            scope.report(("tasks", name), text, key=True)
    if scope is not None:
        _check(scope, made)
    return tuple(sorted(made, key=lambda task: (task.priority, task.period_ns, task.name)))


def _check(scope: Scope, tasks: Sequence[Task]) -> None:
    """Periods lie between 10 ms and 10 s and are whole multiples of the shortest."""
    shortest = min(tasks, key=lambda task: task.period_ns)
    for task in tasks:
        loc = ("scan",) if task.name == DEFAULT else ("tasks", task.name, "period")
        if not SHORTEST_NS <= task.period_ns <= LONGEST_NS:
            scope.report(loc, f"{_ms(task)} is not between 10 ms and 10 s. Write another period.")
        elif task.period_ns % shortest.period_ns and shortest.period_ns >= SHORTEST_NS:
            scope.report(
                loc,
                f"{_ms(task)} is not a whole multiple of the shortest period, {_ms(shortest)} of {shortest.name}."
                " Change one of the two.",
            )


def _ms(task: Task) -> str:
    ns = task.period_ns
    return f"{ns / 1e9:g} s" if ns >= 1_000_000_000 else f"{ns / 1e6:g} ms"


def check_blocks(
    blocks: Mapping[str, cm.Block],
    scopes: Mapping[str, Scope],
    tasks: Sequence[Task],
    points: Mapping[str, str],
) -> None:
    """Every block names a task that there is, and units share that of what acts on them within a scan.

    Args:
        blocks: By path.
        scopes: For problems, by block path.
        tasks: Of the site.
        points: Block path by path of a point.
    """
    names = [task.name for task in tasks]
    for path, model in blocks.items():
        if model.task not in names:
            hint = (
                did_you_mean(model.task, names)
                or f". There are {', '.join(names)}; name others under tasks:."
            )
            scopes[path].report(("task",), f"unknown task {model.task!r}{hint}")
            continue
        for other in sorted(set(_texts(model.model_dump(exclude={"group"})))):
            # An interlock stops a motor, and a group asks its members, in the scan in which it decides.
            acted_on = blocks.get(other)
            if acted_on is None or other == path or other in points or acted_on.task == model.task:
                continue
            scopes[path].report(
                ("task",) if "task" in model.model_fields_set else (),
                f"it runs in task {model.task}, and {other}, on which it acts, in {acted_on.task}."
                " Give both the same task.",
            )


def _texts(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for item in data.values():
            yield from _texts(item)
    elif isinstance(data, list | tuple):
        for item in data:
            yield from _texts(item)
