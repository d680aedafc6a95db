"""Many outputs that we hold, at once, as columns, with the bits of `scada.scan.outputs`.

An output is plain while it is driven and nothing stands against it: no interlock, force, Local, disarming or missing
read-back; then its scan is limits, rate and command. Whoever is not plain any more leaves, and `Stage.run` does what
is to be done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from scada.blocks.base import LIMITED, NOT_OURS, PUT, RATE_LIMITED, Context, view
from scada.blocks.lanes import Lanes, Mask
from scada.blocks.pid_columns import usable
from scada.scan.outputs import Output
from scada.scan.program import HOLD, Plan
from tags.quality import GOOD, UNCERTAIN
from tags.types import FLOATS as FLOAT_TYPES

# Rows of the float matrix.
HELD, LAST, LOW, HIGH, RATE = range(5)
# Rows of the integer matrix.
ROW, SLOT, COMMAND, ARMED, REMOTE, DRIVEN = range(6)
_INFINITE: Final = float("inf")


def fits(plan: Plan, own: int) -> bool:
    """True when an output of this plan may ever be in the columns."""
    return (
        plan.way == HOLD
        and plan.tag.type in FLOAT_TYPES
        and all(bound is None or isinstance(bound, float) for bound in (plan.low, plan.high))
        and plan.slot >= own
        and plan.armed >= own
        and (plan.remote < 0 or plan.remote >= own)
    )


class HoldColumns:
    """The columns of some outputs.

    Args:
        outputs: Those that may ever be in them; a key is a position in this sequence.
        driven: Of each: a block in columns drives it; else nothing but requests.
    """

    __slots__ = ("_changes", "_commands", "_driven", "_outputs", "_remote", "lanes")

    def __init__(self, outputs: Sequence[Output], driven: Sequence[bool]) -> None:
        self._outputs, self._driven = outputs, driven
        self.lanes = Lanes(len(outputs), 5, 6)
        self._changes = -1
        self._commands: list[int] = []
        self._remote = any(output.plan.remote >= 0 for output in outputs)

    def plain(self, key: int, ctx: Context) -> bool:
        """Its next scan may be taken in the columns, as far as its own state says."""
        output = self._outputs[key]
        plan, signals = output.plan, ctx.signals
        return (
            output.ready
            and output.drive
            and output.forced is None
            and output.lock is None
            and output.ask is None
            and not output.unread
            and isinstance(output.held, float)
            and isinstance(output.last, float)
            and ctx.outputs.tracking[plan.row] & NOT_OURS == 0
            and signals.status[plan.command] == GOOD
            and signals.value[plan.command] == output.last
        )

    def take(self, keys: Sequence[int], ctx: Context) -> None:
        """Takes plain ones in."""
        floats, integers = [], []
        for key in keys:
            output = self._outputs[key]
            plan = output.plan
            low = -_INFINITE if plan.low is None else plan.low
            high = _INFINITE if plan.high is None else plan.high
            floats.append((output.held, output.last, low, high, plan.rate))
            remote = plan.armed if plan.remote < 0 else plan.remote
            ctx.signals.refresh(plan.armed)
            ctx.signals.refresh(remote)
            integers.append((plan.row, plan.slot, plan.command, plan.armed, remote, self._driven[key]))
        self.lanes.add(keys, floats, integers)

    def release(self, key: int, ctx: Context) -> None:
        """Takes one out; its object has its state."""
        lane = self.lanes.at(key)
        if lane >= 0:
            self._give(np.array([lane]), ctx)
            ctx.outputs.moved[self._outputs[key].plan.row] = np.nan
            self.lanes.drop(lane)

    def commands(self) -> tuple[list[int], list[float]]:
        """Keys and last commands of all that are in."""
        count = self.lanes.count
        return self.lanes.keys[:count].tolist(), self.lanes.floats[LAST, :count].tolist()

    def settle(self, ctx: Context) -> None:
        """The objects have the state of all that are in; they stay in."""
        self._give(np.arange(self.lanes.count), ctx)

    def _give(self, where: npt.NDArray[np.intp], ctx: Context) -> None:
        lanes, outs = self.lanes, ctx.outputs
        keys = lanes.keys[where].tolist()
        rows = lanes.integers[ROW, where]
        states = zip(
            keys,
            lanes.floats[:2, where].T.tolist(),
            outs.moved[rows].tolist(),
            outs.asked[rows].tolist(),
            strict=True,
        )
        for key, (held, last), applied, asked in states:
            output = self._outputs[key]
            row = output.plan.row
            output.held, output.last, output.why = held, last, outs.tracking[row]
            if applied - applied == 0.0:
                outs.applied[row] = applied
            if asked - asked == 0.0:
                outs.wanted[row] = asked

    def step(self, ctx: Context) -> list[int]:
        """One scan of all that are plain in it.

        Returns:
            Keys of those that are not: they left, and the stage must run them.
        """
        lanes = self.lanes
        if not lanes.count:
            return []
        left: list[int] = []
        staying = self._fine(ctx)
        if not staying.all():
            where = np.flatnonzero(~staying)
            left = lanes.keys[where].tolist()
            self._give(where, ctx)
            ctx.outputs.moved[lanes.integers[ROW, where]] = np.nan
            lanes.keep(np.flatnonzero(staying))
        self._run(ctx)
        return left

    def _fine(self, ctx: Context) -> Mask:
        signals, outs = ctx.signals, ctx.outputs
        row, slot, _, armed, remote, driven = self.lanes.integers[:, : self.lanes.count]
        fine = usable(signals.statuses[slot])
        fine &= (signals.statuses[armed] < UNCERTAIN) & (signals.number[armed] != 0.0)
        if self._remote:
            fine &= (signals.statuses[remote] < UNCERTAIN) & (signals.number[remote] != 0.0)
        locked = outs.override
        if locked.count(None) != len(locked):
            fine &= ~np.fromiter(map(bool, locked), np.bool_, len(locked))[row]
        fine &= np.isfinite(outs.asked[row]) | (driven == 0)
        return fine

    def _run(self, ctx: Context) -> None:
        lanes, signals, outs = self.lanes, ctx.signals, ctx.outputs
        count = lanes.count
        row, _, command, _, _, driven = lanes.integers[:, :count]
        held, last, low, high, rate = lanes.floats[:, :count]
        if driven.all():
            held[:] = outs.asked[row]
        else:
            held[:] = np.where(driven != 0, outs.asked[row], held)
        goal = np.where(held > high, high, held)
        goal = np.where(held < low, low, goal)
        why = np.where(goal != held, LIMITED, 0)
        if rate.any():
            with np.errstate(all="ignore"):
                most = rate * ctx.seen_ns * 1e-9
                far = (np.abs(goal - last) > most) & (rate != 0.0)
                goal = np.where(far, np.where(goal > last, last + most, last - most), goal)
            why |= np.where(far, RATE_LIMITED, 0)
        moved = np.flatnonzero(goal != last)
        last[:] = goal
        outs.moved[row] = goal
        outs.trackings[row] = why
        if self._changes != lanes.changes:
            self._changes = lanes.changes
            self._commands = command.tolist()
        if len(moved) == 0:
            return
        value_of = signals.value
        if len(moved) == count:
            slots, where, values = self._commands, command, goal.tolist()
        else:
            where = command[moved]
            slots, values = where.tolist(), goal[moved].tolist()
        for slot, value in zip(slots, values, strict=True):
            value_of[slot] = value
        signals.times[where] = ctx.tick.utc_ns
        view(signals.fresh, np.uint8)[where] = PUT
