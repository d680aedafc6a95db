"""Tasks: which blocks run in a scan, what is new to them, and what becomes of what they asked for.

Source: IEC 61131-3:2013, 6.8.2: a task runs its program once in each interval; of those that are due the one of the
smallest priority number goes first. Ours are not preemptive: all that are due run in one scan, one after the other.

Time. A task is due when the count of base periods passes a multiple of its own; all are due in the first scan. What it
missed reaches its blocks as elapsed periods of its own, and it is never run twice to catch up::

    elapsed = floor(count / every) - floor(count_before / every)

What is new (`Signals.fresh`). To the blocks of a task a sample is new when it came since their last run began, except
what they put themselves in that run; a slow task misses none. Values of `fresh`: 0 is old, 1 is new, 2 was put in this
scan and is published by it.

What was asked. A level stays until the next run of the task: an output that one of its blocks drives, a pulse, an
interlock. What is given to another tag (memory, a point of a block, a shared set point) is given once, in the scan of
the run. Tasks that touch one output: the first interlock and the last wish in order of priority count, as with blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from scada.blocks.base import Context, Tick
from tags.model import Site, Task

DEFAULT: Final = "scan"
_PUT: Final = 2

Watch = Callable[[int], None]
"""Told -1 before the first task of a scan and a task's position after each that ran; for clocks outside of the scan."""


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """One task, as compiled.

    Attributes:
        name: As the site has it.
        period_ns: Its period, ns.
        every: The same in periods of the scan.
        positions: Its blocks, in order.
        rows: Output rows that its blocks touch, rising.
    """

    name: str
    period_ns: int
    every: int
    positions: tuple[int, ...]
    rows: tuple[int, ...]


def of_site(site: Site) -> tuple[Task, ...]:
    """The tasks of a site in order of priority; one of the period of the scan when it names none."""
    tasks = site.tasks or (Task(name=DEFAULT, period_ns=site.scan_ns),)
    return tuple(sorted(tasks, key=lambda task: (task.priority, task.period_ns, task.name)))


def plan(site: Site, touched: Sequence[set[int]]) -> tuple[TaskPlan, ...]:
    """All tasks in order of priority.

    Args:
        site: The site.
        touched: By block: the output rows that it touches.

    Raises:
        ValueError: A period is no multiple of the scan's, or a block names no task of the site; `scada check` says so
            before.
    """
    plans = []
    names = [task.name for task in of_site(site)]
    for block in site.blocks:
        if block.task not in names:
            raise ValueError(f"{block.path}: there is no task {block.task!r}")
    for task in of_site(site):
        every, rest = divmod(task.period_ns, site.scan_ns)
        if rest or not every:
            raise ValueError(f"task {task.name}: its period is no whole multiple of {site.scan_ns} ns")
        positions = tuple(n for n, block in enumerate(site.blocks) if block.task == task.name)
        rows = sorted(set[int]().union(*(touched[n] for n in positions)))
        plans.append(TaskPlan(task.name, task.period_ns, every, positions, tuple(rows)))
    return tuple(plans)


class Wishes:
    """What the blocks of one task asked for in its last run; by output row, as in `Outputs`."""

    __slots__ = ("feedback", "override", "wanted")

    def __init__(self, count: int) -> None:
        self.wanted: list[Any] = [None] * count
        self.override: list[tuple[Any, str] | None] = [None] * count
        self.feedback: list[tuple[Any, int] | None] = [None] * count


class Tasks:
    """The tasks at work.

    Attributes:
        plans: In order of priority.
        count: Base periods since the first scan.
        ran: By task: its periods that elapsed to its run in this scan, 0 when it did not run.
        runs: By task: how often it ran.
        since: By task: for each slot not 0 when it is new to it, from before this scan.
        wishes: By task; None for a site of one task, which asks in `Outputs` itself.
        once: Rows whose wish is of the last scan only.
    """

    __slots__ = ("_front", "_levels", "_puts", "_shared", "_tail", "_task_of", "count", "once", "plans", "ran", "runs", "since", "wishes")  # fmt: skip

    def __init__(self, plans: Sequence[TaskPlan], slots: int, levels: Sequence[bool]) -> None:
        """Before the first scan.

        Args:
            plans: From `plan`.
            slots: Number of slots.
            levels: By output row: what is wanted of it stays until the next run.
        """
        self.plans = tuple(plans)
        self.count = -1
        number = len(plans)
        self.ran = [0] * number
        self.runs = [0] * number
        self.since = [bytearray(slots) for _ in plans]
        self._puts = [bytearray(slots) for _ in plans]  # in the run of this scan
        self._front, self._tail = bytearray(slots), bytearray(slots)  # before and after the blocks
        self._levels = tuple(levels)
        self._task_of = {block: number for number, one in enumerate(plans) for block in one.positions}
        self.wishes = None if number == 1 else [Wishes(len(levels)) for _ in plans]
        self.once: list[int] = []
        shared: dict[int, list[int]] = {}
        for position, one in enumerate(plans):
            for row in one.rows:
                shared.setdefault(row, []).append(position)
        self._shared = {row: tuple(users) for row, users in shared.items()}

    def runs_now(self, block: int) -> bool:
        """True when the block at a position is due in this scan."""
        return bool(self.ran[self._task_of[block]])

    # -- the scan, in this order

    def begin(self, ctx: Context, tick: Tick) -> None:
        """Starts a scan: who is due, nothing is new yet, what was asked for once is forgotten."""
        before, self.count = self.count, (self.count + tick.periods if self.count >= 0 else 0)
        for position, one in enumerate(self.plans):
            elapsed = max(1, tick.periods // one.every)
            self.ran[position] = elapsed if before < 0 else self.count // one.every - before // one.every
        if self.wishes is None:
            ctx.begin(tick)
        else:
            ctx.enter(tick)
            outputs = ctx.outputs
            for row in self.once:
                outputs.wanted[row] = None
            self.once.clear()
        _view(self._front).fill(0)
        ctx.signals.fresh = self._front

    def due(self, ctx: Context, tick: Tick) -> Iterator[int]:
        """The positions of the tasks that run in this scan, in order; the context is each one's while it has it."""
        outputs = ctx.outputs
        own = outputs.wanted, outputs.override, outputs.feedback
        front = _view(self._front)
        earlier: list[npt.NDArray[np.uint8]] = [front]
        for position, elapsed in enumerate(self.ran):
            if not elapsed:
                continue
            one = self.plans[position]
            fresh, puts = self.since[position], self._puts[position]
            new = _view(fresh)
            for phase in earlier:
                np.logical_or(new, phase, out=new, casting="unsafe")
            ctx.signals.fresh = fresh
            same = one.every == 1
            ctx.enter(tick if same else _tick_of(tick, elapsed, one.period_ns))
            if self.wishes is not None:
                mine = self.wishes[position]
                for asked in (mine.wanted, mine.override, mine.feedback):
                    asked[:] = [None] * len(asked)
                outputs.wanted, outputs.override, outputs.feedback = mine.wanted, mine.override, mine.feedback
            self.runs[position] += 1
            yield position
            mask = _view(puts)
            np.bitwise_and(new, _PUT, out=mask)
            earlier.append(mask)
        outputs.wanted, outputs.override, outputs.feedback = own
        ctx.enter(tick)
        if self.wishes is not None:
            rows = {
                row: None for one, ran in zip(self.plans, self.ran, strict=True) if ran for row in one.rows
            }
            self._join(ctx, rows)
        _view(self._tail).fill(0)
        ctx.signals.fresh = self._tail

    def end(self, own: int) -> list[int]:
        """Ends a scan; the first `own` slots that were put in it, rising."""
        tail = _view(self._tail)
        changed = tail | _view(self._front)
        for position, elapsed in enumerate(self.ran):
            if elapsed:
                changed |= _view(self._puts[position])
        later = tail  # what came after a run, from the last task to the first
        for position in range(len(self.plans) - 1, -1, -1):
            since = _view(self.since[position])
            if self.ran[position]:
                np.not_equal(later, 0, out=since, casting="unsafe")
                later = later | _view(self._puts[position])
            else:
                np.logical_or(since, changed, out=since, casting="unsafe")
        slots: list[int] = np.flatnonzero(changed[:own]).tolist()
        return slots

    def _join(self, ctx: Context, rows: Iterable[int]) -> None:
        """What all tasks ask for becomes what the outputs are asked for."""
        assert self.wishes is not None
        outputs, wishes = ctx.outputs, self.wishes
        wanted, override, feedback = outputs.wanted, outputs.override, outputs.feedback
        for row in rows:
            level = self._levels[row]
            lock = wish = answer = None
            for position in self._shared[row]:
                mine = wishes[position]
                if lock is None:
                    lock = mine.override[row]
                if mine.wanted[row] is not None and (level or self.ran[position]):
                    wish = mine.wanted[row]
                if mine.feedback[row] is not None:
                    answer = mine.feedback[row]
            wanted[row], override[row], feedback[row] = wish, lock, answer
            if wish is not None and not level:
                self.once.append(row)


def _view(buffer: bytearray) -> npt.NDArray[np.uint8]:
    return np.frombuffer(buffer, np.uint8)


def _tick_of(tick: Tick, periods: int, period_ns: int) -> Tick:
    """The time of a scan as the blocks of a slower task see it."""
    return Tick(
        tick.number,
        periods,
        period_ns,
        tick.utc_ns,
        tick.weekday,
        tick.second_of_day,
        tick.date,
        tick.tz_version,
    )
