"""Supervision of a control valve: does its position follow its output?

Rule: a valve that makes any stroke within the travel time T stands, at each moment, between the lowest and the
highest output of the last T. DISCREPANCY is on while

    pos < min(out over T) - tolerance   or   pos > max(out over T) + tolerance        engineering units of the output

so a valve that does what it should is never called wrong, whatever the output does meanwhile, and a valve that does
not move is called wrong one scan after T. Both sides are what was read from the device. STUCK says that it is a valve that does
not move: a discrepancy while the position stayed within half the tolerance for T.

    STROKES += |pos - mark| / span(pos), mark = pos      as soon as they differ by more than half the tolerance

STROKES is the travel that was made, in whole strokes of 0 … 100 % (noise counts nothing); it survives a restart, and goes on in
Local. Source: IEC 60534-1 (rated travel); the travel accumulator of digital positioners.

In Local, and before T has passed since Local, start or a gap, there is no discrepancy. Bad or stale OUT or POS: the
point keeps its value and turns uncertain; T starts again.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

from scada.blocks.base import Binder, Context, FunctionBlock, number, usable
from tags import model
from tags.quality import GOOD, UNCERTAIN_LAST_USABLE


class Window:
    """Highest value of the last T, in a monotone queue: each value enters and leaves once."""

    __slots__ = ("_queue",)

    def __init__(self) -> None:
        self._queue: deque[tuple[int, float]] = deque()  # (last seen, value), values falling

    def clear(self) -> None:
        """Forgets everything."""
        self._queue.clear()

    def highest(self, now_ns: int, value: float, span_ns: int) -> float:
        """Notes the value of now; the highest value seen within `span_ns` before now."""
        queue = self._queue
        while queue and queue[-1][1] <= value:
            queue.pop()
        queue.append((now_ns, value))
        while queue[0][0] < now_ns - span_ns:
            queue.popleft()
        return queue[0][1]


class Valve(FunctionBlock):
    """See the module. Points: DISCREPANCY, STUCK, STROKES. It drives nothing."""

    __slots__ = (
        "_discrepancy", "_high", "_low", "_mark", "_now_ns", "_out", "_point", "_point_strokes", "_point_stuck", "_pos",
        "_pos_high", "_pos_low", "_remote", "_since_ns", "_span", "_strokes", "_stuck", "_tolerance", "_travel_ns",
    )  # fmt: skip
    type = "valve"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._out, self._pos = binder.slot(c["out"]), binder.slot(c["pos"])
        self._remote = binder.optional(c.get("remote"))
        self._travel_ns, self._tolerance = int(c["travel_ns"]), float(c["tolerance"])
        self._point = binder.point(config, "DISCREPANCY")
        self._point_stuck = binder.point(config, "STUCK")
        self._point_strokes = binder.point(config, "STROKES")
        low, high = binder.tags[c["pos"]].range or (0.0, 100.0)
        self._span = high - low if high > low else 100.0
        self._mark: float | None = None  # the position that is counted
        self._strokes, self._stuck = 0.0, False
        self._high, self._low = Window(), Window()
        self._pos_high, self._pos_low = Window(), Window()
        self._now_ns, self._since_ns = (
            0,
            -1,
        )  # scan time of this block; since when the windows fill, -1: they do not
        self._discrepancy = False

    def step(self, ctx: Context) -> None:
        value, status = ctx.signals.value, ctx.signals.status
        self._now_ns += ctx.seen_ns
        out, pos = number(value[self._out]), number(value[self._pos])
        known = (
            usable(status[self._out]) and usable(status[self._pos]) and out is not None and pos is not None
        )
        if pos is not None and usable(status[self._pos]):
            self._count(ctx, pos)
        local = self._remote >= 0 and not (usable(status[self._remote]) and bool(value[self._remote]))
        if local or not known or out is None or pos is None:
            for window in (self._high, self._low, self._pos_high, self._pos_low):
                window.clear()
            self._since_ns = -1
            if local:
                self._discrepancy = self._stuck = False
            quality = GOOD if known else UNCERTAIN_LAST_USABLE
            ctx.put(self._point, self._discrepancy, quality)
            ctx.put(self._point_stuck, self._stuck, quality)
            return
        if self._since_ns < 0:
            self._since_ns = self._now_ns
        highest = self._high.highest(self._now_ns, out, self._travel_ns)
        lowest = -self._low.highest(self._now_ns, -out, self._travel_ns)
        if self._now_ns - self._since_ns >= self._travel_ns:
            self._discrepancy = pos < lowest - self._tolerance or pos > highest + self._tolerance
        moved = self._pos_high.highest(self._now_ns, pos, self._travel_ns)
        moved += self._pos_low.highest(self._now_ns, -pos, self._travel_ns)
        self._stuck = self._discrepancy and moved <= self._tolerance / 2
        ctx.put(self._point, self._discrepancy)
        ctx.put(self._point_stuck, self._stuck)

    def _count(self, ctx: Context, pos: float) -> None:
        """Adds up the travel."""
        if self._mark is None:
            self._mark = pos
        travel = abs(pos - self._mark)
        if travel > self._tolerance / 2:
            self._mark, self._strokes = pos, self._strokes + travel / self._span
        ctx.put(self._point_strokes, math.floor(self._strokes * 10.0) / 10.0)

    def retained(self) -> dict[str, Any]:
        return {"strokes": self._strokes}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        del fresh  # a total
        strokes = number(state.get("strokes"))
        if strokes is not None and strokes >= 0.0:
            self._strokes = strokes
