"""Supervision of a control valve: does its position follow its output?

Rule: a valve that makes any stroke within the travel time T stands, at each moment, between the lowest and the
highest output of the last T. DISCREPANCY is on while

    pos < min(out over T) - tolerance   or   pos > max(out over T) + tolerance        engineering units of the output

so a valve that does what it should is never called wrong, whatever the output does meanwhile, and a valve that does
not move is called wrong one scan after T. Both sides are what was read from the device.

In Local, and before T has passed since Local, start or a gap, there is no discrepancy. Bad or stale OUT or POS: the
point keeps its value and turns uncertain; T starts again.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections import deque

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
    """See the module. Points: DISCREPANCY. It drives nothing."""

    __slots__ = (
        "_discrepancy", "_high", "_low", "_now_ns", "_out", "_point", "_pos", "_remote", "_since_ns", "_tolerance",
        "_travel_ns",
    )  # fmt: skip
    type = "valve"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._out, self._pos = binder.slot(c["out"]), binder.slot(c["pos"])
        self._remote = binder.optional(c.get("remote"))
        self._travel_ns, self._tolerance = int(c["travel_ns"]), float(c["tolerance"])
        self._point = binder.point(config, "DISCREPANCY")
        self._high, self._low = Window(), Window()
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
        local = self._remote >= 0 and not (usable(status[self._remote]) and bool(value[self._remote]))
        if local or not known or out is None or pos is None:
            self._high.clear()
            self._low.clear()
            self._since_ns = -1
            if local:
                self._discrepancy = False
            ctx.put(self._point, self._discrepancy, GOOD if known else UNCERTAIN_LAST_USABLE)
            return
        if self._since_ns < 0:
            self._since_ns = self._now_ns
        highest = self._high.highest(self._now_ns, out, self._travel_ns)
        lowest = -self._low.highest(self._now_ns, -out, self._travel_ns)
        if self._now_ns - self._since_ns >= self._travel_ns:
            self._discrepancy = pos < lowest - self._tolerance or pos > highest + self._tolerance
        ctx.put(self._point, self._discrepancy)
