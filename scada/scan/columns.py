"""Blocks and outputs that are stepped together, as columns, and who of them is in the columns.

Only those are ever in them that nothing else in the scan can disturb, so that it does not matter when in it they are
computed: an interlock of a tag, or a PID controller, whose inputs are tags of other services, and an output that such a
controller, or nobody but people, drives. They come in when their state is plain and leave in a scan that is not; what is not
plain is done by the objects, whose equations are the truth. Values, events and state are the same to the bit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import numpy as np

from scada.blocks.base import Context, FunctionBlock
from scada.blocks.interlock import Interlock
from scada.blocks.interlock_columns import InterlockColumns, shape_of
from scada.blocks.pid import Pid
from scada.blocks.pid_columns import PidColumns
from scada.scan.hold_columns import HoldColumns, fits
from scada.scan.outputs import Output
from scada.scan.program import Program
from tags import expression
from tags.expression.columns import Shape

LANES_MIN: Final = 32  # of one kind in one task: fewer are faster as objects
LOOK_EVERY: Final = 16  # who may come in is looked at in one of so many runs of its task


class _Columns(Protocol):
    """What columns of blocks of one kind do."""

    def plain(self, key: int, ctx: Context) -> bool:
        """May come in."""

    def take(self, keys: Sequence[int], ctx: Context) -> None:
        """Comes in."""

    def release(self, key: int, ctx: Context) -> None:
        """Goes out."""

    def settle(self) -> None:
        """Objects are as the columns."""

    def step(self, ctx: Context) -> list[int]:
        """One scan; who left."""


class _Group:
    """Columns of one kind in one task."""

    __slots__ = ("columns", "positions")

    def __init__(self, columns: _Columns, positions: list[int]) -> None:
        self.columns, self.positions = columns, positions


class Columns:
    """The columns of a program.

    Args:
        program: What runs.
        blocks: Its blocks, by position.
        outputs: Its outputs, by row.
        least: Fewer of a kind are not worth columns.
    """

    def __init__(
        self, program: Program, blocks: Sequence[FunctionBlock], outputs: Sequence[Output], least: int
    ) -> None:
        self._program, self._outputs = program, outputs
        self._in = np.zeros(len(blocks), np.bool_)
        self._place: dict[int, tuple[_Group, int]] = {}
        self._tasks: list[list[_Group]] = []
        self._positions = [list(task.positions) for task in program.tasks]
        self._waiting: list[list[int]] = []  # by task: who may come in and is not in
        self._all = [np.array(task.positions, np.intp) for task in program.tasks]
        self._stale = [False] * len(program.tasks)
        driver: dict[int, int] = {}
        referenced = _referenced(blocks)
        writers = Counter(
            row
            for block, rows in zip(blocks, program.touched, strict=True)
            if type(block) is not Interlock
            for row in rows
        )
        for task in program.tasks:
            groups: list[_Group] = []
            pids = [
                n for n in task.positions if n not in referenced and _pid_fits(program, blocks, n, writers)
            ]
            if len(pids) >= least:
                groups.append(
                    _Group(PidColumns([_pid(blocks[n]) for n in pids], shown=len(program.tasks) > 1), pids)
                )
                driver.update({row: n for n in pids for row in program.touched[n]})
            groups += _interlocks(program, blocks, task.positions, least)
            self._tasks.append(groups)
            for group in groups:
                self._place.update((position, (group, key)) for key, position in enumerate(group.positions))
        self._may = np.zeros(len(blocks), np.bool_)
        self._may[list(self._place)] = True
        self._waiting = [every[self._may[every]].tolist() for every in self._all]
        self._driver = driver
        self._row_of = {position: row for row, position in driver.items()}
        held = [
            plan.row
            for plan in program.outputs
            if fits(plan, program.own) and (plan.row in driver or not writers[plan.row])
        ]
        if len(held) < least:
            held = []
        self._held = held
        self._key_of_row = {row: key for key, row in enumerate(held)}
        self._holds = HoldColumns([outputs[row] for row in held], [row in driver for row in held])
        self._output_in = np.zeros(len(outputs), np.bool_)
        ordered = [n for n, plan in enumerate(program.outputs) if plan.way == "own"]
        ordered += [n for n, plan in enumerate(program.outputs) if plan.way != "own"]
        self._ordered = np.array(ordered, np.intp)
        self._rows = ordered
        self._outputs_stale = False
        self._free = np.array([row for row in held if row not in driver], np.intp)
        self._outputs_waiting: list[int] = self._free.tolist()

    def __bool__(self) -> bool:
        return bool(self._place or self._held)

    # ---- in a scan ----------------------------------------------------------------------------------------------

    def blocks(self, task: int, ctx: Context) -> list[int]:
        """Steps the blocks of a task that are in columns; positions of those to be stepped as objects, in order."""
        for group in [*self._tasks[task]]:
            try:
                left = group.columns.step(ctx)
            except Exception as error:  # noqa: BLE001 - a defect in the columns must not stop the plant
                left = self._give_up(task, group, error, ctx)
            if left:
                self._in[[group.positions[key] for key in left]] = False
                self._stale[task] = True
        if self._stale[task]:
            self._stale[task] = False
            every = self._all[task]
            out = every[~self._in[every]]
            self._positions[task], self._waiting[task] = out.tolist(), out[self._may[out]].tolist()
        return self._positions[task]

    def _give_up(self, task: int, group: _Group, error: Exception, ctx: Context) -> list[int]:
        """Goes on with objects only; keys of all that were in."""
        self._tasks[task].remove(group)
        keys = [key for key, position in enumerate(group.positions) if self._in[position]]
        for key in keys:
            group.columns.release(key, ctx)
        for position in group.positions:
            self._place.pop(position)
            self._may[position] = False
        told = f"columns are given up, objects go on: {type(error).__name__}: {error}"
        ctx.emit("block", path=self._program.site.blocks[group.positions[0]].path, failed=True, message=told)
        return keys

    def outputs(self, ctx: Context) -> list[int]:
        """Runs the outputs that are in columns; rows of those to be run as objects, in order."""
        if not self._key_of_row:
            return self._rows
        try:
            left = self._holds.step(ctx)
        except Exception as error:  # noqa: BLE001 - a defect in the columns must not stop the plant
            left = [key for key, row in enumerate(self._held) if self._output_in[row]]
            for key in left:
                self._holds.release(key, ctx)
            told = f"columns are given up, objects go on: {type(error).__name__}: {error}"
            ctx.emit("block", path=self._program.outputs[self._held[0]].tag.path, failed=True, message=told)
            self._key_of_row.clear()
        if left:
            self._output_in[[self._held[key] for key in left]] = False
            self._outputs_stale = True
        if self._outputs_stale:
            self._outputs_stale = False
            self._rows = self._ordered[~self._output_in[self._ordered]].tolist()
            self._outputs_waiting = self._free[~self._output_in[self._free]].tolist()
        return self._rows

    def adopt(
        self, task: int, run: int, ctx: Context, failed: Sequence[str | None], failed_outputs: dict[int, str]
    ) -> None:
        """Takes in who is plain; after the outputs of a scan in which the task ran.

        Args:
            task: Its position.
            run: Counts its runs.
            ctx: The scan.
            failed: By block: not None for one that raised.
            failed_outputs: Rows of outputs that raised.
        """
        coming: dict[_Group, list[int]] = {}
        outputs: list[int] = []
        for position in self._waiting[task]:
            if (position + run) % LOOK_EVERY or failed[position] is not None:
                continue
            place = self._place.get(position)
            if place is None or not place[0].columns.plain(place[1], ctx):
                continue
            row = self._row_of.get(position, -1)
            if row >= 0:  # a controller and its output come in together
                key = self._key_of_row.get(row, -1)
                if key < 0 or row in failed_outputs or not self._holds.plain(key, ctx):
                    continue
                outputs.append(key)
            coming.setdefault(place[0], []).append(place[1])
        for group, keys in coming.items():
            group.columns.take(keys, ctx)
            self._in[[group.positions[key] for key in keys]] = True
            self._stale[task] = True
        if task == 0:
            outputs += self._free_outputs(run, ctx, failed_outputs)
        if outputs:
            self._holds.take(outputs, ctx)
            self._output_in[[self._held[key] for key in outputs]] = True
            self._outputs_stale = True

    def _free_outputs(self, run: int, ctx: Context, failed: dict[int, str]) -> list[int]:
        """Keys of plain outputs that no block drives."""
        keys = []
        for row in self._outputs_waiting:
            if (row + run) % LOOK_EVERY or row in failed:
                continue
            key = self._key_of_row.get(row, -1)
            if key >= 0 and self._holds.plain(key, ctx):
                keys.append(key)
        return keys

    def inside(self) -> dict[str, int]:
        """How many are in columns now: blocks by type, and outputs."""
        found = {"pid": 0, "interlock": 0, "output": int(self._output_in.sum())}
        for position, (group, _) in self._place.items():
            kind = "pid" if isinstance(group.columns, PidColumns) else "interlock"
            found[kind] += int(self._in[position])
        return found

    # ---- who looks at objects -----------------------------------------------------------------------------------

    def release_block(self, position: int, ctx: Context) -> None:
        """Takes a block out; its object is up to date and may be changed."""
        if self._in[position]:
            group, key = self._place[position]
            group.columns.release(key, ctx)
            self._in[position] = False
            self._stale[:] = [True] * len(self._stale)

    def release_output(self, row: int, ctx: Context) -> None:
        """Takes an output out; its object is up to date and may be changed."""
        if self._output_in[row]:
            self._holds.release(self._key_of_row[row], ctx)
            self._output_in[row] = False
            self._outputs_stale = True

    def commands(self) -> Iterator[tuple[int, float]]:
        """Row and last command of the outputs that are in columns: their objects may be behind."""
        keys, commands = self._holds.commands()
        return ((self._held[key], command) for key, command in zip(keys, commands, strict=True))

    def settle(self, ctx: Context) -> None:
        """All objects are up to date, and stay in."""
        for groups in self._tasks:
            for group in groups:
                group.columns.settle()
        self._holds.settle(ctx)


class Blocks(Sequence[FunctionBlock]):
    """The blocks of a state, for who may change one: what is taken from here has left the columns."""

    __slots__ = ("_all", "_columns", "_ctx")

    def __init__(self, every: list[FunctionBlock], columns: Columns, ctx: Context) -> None:
        self._all, self._columns, self._ctx = every, columns, ctx

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, position: int) -> FunctionBlock:  # type: ignore[override]
        position = range(len(self._all))[position]
        self._columns.release_block(position, self._ctx)
        return self._all[position]

    def __iter__(self) -> Iterator[FunctionBlock]:
        return (self[position] for position in range(len(self._all)))


class Outputs(Sequence[Output]):
    """The outputs of a state, for who may change one: what is taken from here has left the columns."""

    __slots__ = ("_all", "_columns", "_ctx")

    def __init__(self, every: list[Output], columns: Columns, ctx: Context) -> None:
        self._all, self._columns, self._ctx = every, columns, ctx

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, row: int) -> Output:  # type: ignore[override]
        row = range(len(self._all))[row]
        self._columns.release_output(row, self._ctx)
        return self._all[row]

    def __iter__(self) -> Iterator[Output]:
        return (self[row] for row in range(len(self._all)))


def _pid(block: FunctionBlock) -> Pid:
    assert isinstance(block, Pid)
    return block


def _interlock(block: FunctionBlock) -> Interlock:
    assert isinstance(block, Interlock)
    return block


def _pid_fits(
    program: Program, blocks: Sequence[FunctionBlock], position: int, writers: Counter[int]
) -> bool:
    """True for a controller on a tag of another service whose one output nobody else drives."""
    block, config = blocks[position], program.site.blocks[position].config
    if type(block) is not Pid or program.index[config["pv"]] < program.own:
        return False
    rows = program.touched[position]
    return len(rows) == 1 and all(
        fits(program.outputs[row], program.own) and writers[row] == 1 for row in rows
    )


def _interlocks(
    program: Program, blocks: Sequence[FunctionBlock], positions: Sequence[int], least: int
) -> list[_Group]:
    """Interlocks of tags on tags of other services, by the shape of their conditions."""
    shapes: dict[str, list[tuple[int, Shape]]] = {}
    for position in positions:
        config = program.site.blocks[position]
        if (
            type(blocks[position]) is not Interlock
            or config.config["target"] not in program.tags
            or "ACTIVE" not in config.points
        ):
            continue
        text = str(config.config["when"])
        if any(program.index[path] < program.own for path in expression.parse(text).paths):
            continue
        found = shape_of(text, program.tags)
        if found is not None and found.tags:
            shapes.setdefault(found.key, []).append((position, found))
    groups = []
    for members in shapes.values():
        if len(members) >= least:
            found_at = [position for position, _ in members]
            lanes = [_interlock(blocks[position]) for position in found_at]
            groups.append(
                _Group(InterlockColumns(lanes, [one for _, one in members], program.index), found_at)
            )
    return groups


def _referenced(blocks: Sequence[FunctionBlock]) -> set[int]:
    """Positions of blocks that another block knows: it may look at them at any time."""
    position = {id(block): number for number, block in enumerate(blocks)}
    found: set[int] = set()
    for block in blocks:
        if type(block) is Interlock:  # knows its peers only by what is in the object
            continue
        for kind in type(block).__mro__:
            for name in getattr(kind, "__slots__", ()):
                known = getattr(block, name, None)
                items = (
                    known.values()
                    if isinstance(known, dict)
                    else known
                    if isinstance(known, list | tuple | set)
                    else (known,)
                )
                found.update(
                    position[id(item)] for item in items if id(item) in position and item is not block
                )
    return found
