"""Many PID controllers at once, as columns, with the bits of `scada.blocks.pid`.

A controller is plain while it runs in Auto on a set point of its own, its PV is usable and what it wants is
followed: then one scan of it is a few sums and products, the same for all. `step` does these for all plain ones
together, in the order of operations of `Pid`. Whoever is not plain any more leaves: its object gets the state from before
the scan, and its `step` does what is to be done.

Bits: `+ - * /`, comparison and square root are IEEE 754 in numpy as in Python, `where` chooses as `min` and `max` of
Python do (which of two zeros, too), and nothing is summed over lanes.
"""

# ruff: noqa: SLF001 - the columns hold the state of `Pid`
from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from scada.blocks.base import AUTO, LIMITED, NOT_OURS, RATE_LIMITED, Context, view
from scada.blocks.lanes import Floats, Integers, Lanes, Mask
from scada.blocks.pid import DERIVATIVE_FILTER, Pid
from tags.quality import UNCERTAIN, UNCERTAIN_EU_EXCEEDED

# Rows of the float matrix: the state, then what does not change while a controller is plain.
I_, D, E, U, PV_LAST, LAST = range(6)
SP, GAIN, TI, TD, SIGN, PV_SCALE, OUT_ZERO, OUT_SCALE, LOW, HIGH, OUT_LOW, OUT_HIGH, FEED = range(6, 19)
FLOATS: Final = 19
STATE: Final = slice(0, 6)
# Rows of the integer matrix.
ELAPSED, CAP, EVERY, PV, ROW = range(5)
INTEGERS: Final = 5
_SUB: Final = np.uint32(0xFFFF_0000)
_LIMITED: Final = LIMITED | RATE_LIMITED


def usable(status: npt.NDArray[np.uint32]) -> Mask:
    """Which statuses a block may act on: `base.usable` of each."""
    fine: Mask = status < UNCERTAIN
    if not fine.all():
        fine |= (status & _SUB) == UNCERTAIN_EU_EXCEEDED
    return fine


class PidColumns:
    """The columns of some controllers.

    Args:
        blocks: The controllers that may ever be in them; a key is a position in this sequence. Each is the only one
            that drives its output, and its PV is made by no block.
        shown: `Outputs.wanted` is kept up to date too, for who joins what several tasks want.
    """

    __slots__ = ("_blocks", "_changes", "_rows", "_shown", "lanes")

    def __init__(self, blocks: Sequence[Pid], *, shown: bool) -> None:
        self._blocks, self._shown = blocks, shown
        self.lanes = Lanes(len(blocks), FLOATS, INTEGERS)
        self._changes = -1
        self._rows: list[int] = []

    def plain(self, key: int, ctx: Context) -> bool:
        """Its next step may be taken in the columns, as far as its own state and its output say."""
        pid, outs = self._blocks[key], ctx.outputs
        return (
            pid._mode == AUTO
            and outs.tracking[pid._out] & NOT_OURS == 0
            and isinstance(outs.applied[pid._out], float)
            and not pid._reset
            and not pid._changed
            and pid._sp is not None
            and pid._sp == pid._sp_now
            and pid._last is not None
            and pid._ti > 0.0
            and pid._bad_ns == 0
            and pid._feed_input is None
            and pid._curve is None
            and not pid._cascade
            and not pid._parallel
            and pid._outside is None
            and pid._track is None
        )

    def take(self, keys: Sequence[int], ctx: Context) -> None:
        """Takes plain ones in."""
        outs = ctx.outputs
        floats, integers = [], []
        for key in keys:
            p = self._blocks[key]
            low = (p._out_low - p._out_zero) / p._out_scale
            high = (p._out_high - p._out_zero) / p._out_scale
            assert p._sp is not None
            assert p._last is not None
            ctx.signals.refresh(p._pv)
            outs.moved[p._out] = outs.applied[p._out]
            outs.asked[p._out] = p._last
            floats.append(
                (p._i, p._d, p._e, p._u, p._pv_last, p._last, p._sp, p._gain * p._factor, p._ti, p._td, p._sign, p._pv_scale,
                 p._out_zero, p._out_scale, low, high, p._out_low, p._out_high, p._feed)
            )  # fmt: skip
            integers.append((p._elapsed_ns, p._elapsed_cap_ns, p._every_ns, p._pv, p._out))
        self.lanes.add(keys, floats, integers)

    def release(self, key: int, ctx: Context) -> None:
        """Takes one out; its object has its state."""
        lane = self.lanes.at(key)
        if lane >= 0:
            where = np.array([lane])
            self._give(where)
            self._forget(where, ctx)
            self.lanes.drop(lane)

    def settle(self) -> None:
        """The objects have the state of all that are in; they stay in."""
        self._give(np.arange(self.lanes.count))

    def _give(self, where: npt.NDArray[np.intp]) -> None:
        lanes = self.lanes
        elapsed = lanes.integers[ELAPSED, where].tolist()
        states = lanes.floats[STATE, where].T.tolist()
        for key, state, elapsed_ns in zip(lanes.keys[where].tolist(), states, elapsed, strict=True):
            pid = self._blocks[key]
            pid._i, pid._d, pid._e, pid._u, pid._pv_last, pid._last = state
            pid._elapsed_ns = elapsed_ns

    def _leave(self, staying: Mask, ctx: Context) -> list[int]:
        """Takes all others out; their keys."""
        where = np.flatnonzero(~staying)
        self._forget(where, ctx)
        keys: list[int] = self.lanes.keys[where].tolist()
        self._give(where)
        self.lanes.keep(np.flatnonzero(staying))
        return keys

    def _forget(self, where: npt.NDArray[np.intp], ctx: Context) -> None:
        """The objects drive from here on: they look at what was applied, which only columns knew."""
        outs = ctx.outputs
        rows = self.lanes.integers[ROW, where]
        for row, applied in zip(rows.tolist(), outs.moved[rows].tolist(), strict=True):
            if applied - applied == 0.0:
                outs.applied[row] = applied
        outs.asked[rows] = np.nan

    def step(self, ctx: Context) -> list[int]:
        """One scan of all that are plain in it.

        Returns:
            Keys of those that are not: they left, and their blocks must be stepped.
        """
        lanes = self.lanes
        if not lanes.count:
            return []
        left: list[int] = []
        staying = self._fine(ctx)
        if not staying.all():
            left = self._leave(staying, ctx)
        count = lanes.count
        floats, integers = lanes.floats[:, :count], lanes.integers[:, :count]
        elapsed = integers[ELAPSED]
        elapsed += ctx.dt_ns
        due = view(ctx.signals.fresh, np.bool_)[integers[PV]] & (elapsed >= integers[EVERY])
        if due.all():
            found = self._execute(floats, integers, ctx)
            sound: Mask = np.isfinite(found[U])
            if sound.all():
                floats[STATE] = found
                elapsed.fill(0)
            else:
                left += self._beyond(np.arange(count), found, sound, ctx)
        elif due.any():
            where = np.flatnonzero(due)
            found = self._execute(floats[:, where], integers[:, where], ctx)
            left += self._beyond(where, found, np.isfinite(found[U]), ctx)
        self._drive(ctx)
        return left

    def _fine(self, ctx: Context) -> Mask:
        """Which are plain in this scan: an output that is not ours is in no columns, and `moved` says so."""
        signals, outs = ctx.signals, ctx.outputs
        integers = self.lanes.integers[:, : self.lanes.count]
        slots, rows = integers[PV], integers[ROW]
        fine = usable(signals.statuses[slots])
        fine &= np.isfinite(signals.number[slots])
        fine &= np.isfinite(outs.moved[rows])
        return fine

    def _beyond(self, where: npt.NDArray[np.intp], found: Floats, sound: Mask, ctx: Context) -> list[int]:
        """Keeps what came out, except where it left all numbers: those leave as they were before the scan."""
        lanes = self.lanes
        kept = where[sound]
        lanes.floats[STATE, kept] = found[:, sound]
        lanes.integers[ELAPSED, kept] = 0
        if sound.all():
            return []
        lanes.integers[ELAPSED, where[~sound]] -= ctx.dt_ns
        staying = np.ones(lanes.count, np.bool_)
        staying[where[~sound]] = False
        return self._leave(staying, ctx)

    @staticmethod
    def _execute(floats: Floats, integers: Integers, ctx: Context) -> Floats:
        """One execution of the equation; the state after it, shape (6, n)."""
        signals, outs = ctx.signals, ctx.outputs
        old_i, old_d, _, old_u, pv_last, _ = floats[STATE]
        sp, gain, ti, td, sign, pv_scale, zero, scale, low, high, out_low, out_high, feed = floats[6:]
        pv, rows = signals.number[integers[PV]], integers[ROW]
        found = np.empty((6, len(pv)))
        with np.errstate(all="ignore"):
            dt = np.minimum(integers[ELAPSED], integers[CAP]) * 1e-9
            v = np.where(low > old_u, low, old_u)
            v = np.where(high < v, high, v)
            limited = outs.trackings[rows] & _LIMITED != 0
            if limited.any():
                v = np.where(limited, (outs.moved[rows] - zero) / scale, v)
            e = np.multiply(sign * (sp - pv), pv_scale, out=found[E])
            p = gain * e
            i = np.add(old_i, p * dt / ti, out=found[I_])
            wound = v != old_u
            if wound.any():
                tt = np.sqrt(ti * td)
                tt = np.where((td > 0.0) & (tt < ti), tt, ti)
                share = np.where(dt < tt, dt / tt, 1.0)
                np.add(i, (v - old_u) * share, out=i, where=wound)
            d = found[D]
            if (td > 0.0).any():
                tf = td / DERIVATIVE_FILTER
                gone = integers[ELAPSED] * 1e-9
                d[:] = (tf * old_d + gain * td * sign * (pv - pv_last) * pv_scale) / (tf + gone)
                d[~(td > 0.0)] = 0.0
            else:
                d.fill(0.0)
            u = np.add(p + i - d, feed, out=found[U])
            found[PV_LAST] = pv
            out = np.where(low > u, low, u)
            out = zero + np.where(high < out, high, out) * scale
            out = np.where(out_low > out, out_low, out)
            found[LAST] = np.where(out_high < out, out_high, out)
        return found

    def _drive(self, ctx: Context) -> None:
        lanes, outs = self.lanes, ctx.outputs
        count = lanes.count
        last = lanes.floats[LAST, :count]
        outs.asked[lanes.integers[ROW, :count]] = last
        if not self._shown:
            return
        if self._changes != lanes.changes:
            self._changes = lanes.changes
            self._rows = lanes.integers[ROW, :count].tolist()
        wanted = outs.wanted
        for row, value in zip(self._rows, last.tolist(), strict=True):
            wanted[row] = value
