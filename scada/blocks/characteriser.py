"""Characteriser: a curve of straight lines through given points (valve characteristics, tank tables, linearisation).

    OUT = y1 + (x - x1) (y2 - y1) / (x2 - x1)            x1 <= x <= x2, two neighbouring points

`outside: hold` (default) keeps the value of the end point beyond it, and OUT is UncertainEngineeringUnitsExceeded there,
which controllers may act on; `outside: extend` goes on along the line of the last two points. Bad or stale input: OUT
keeps its value with the quality of the input.

Source: FOUNDATION Fieldbus FF-892, function block signal characterizer.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from bisect import bisect_right

from scada.blocks.analog import Analog
from scada.blocks.base import Binder, Context
from tags import model
from tags.quality import GOOD, UNCERTAIN_EU_EXCEEDED


class Characteriser(Analog):
    """See the module. Points: OUT, at the path of the block."""

    __slots__ = ("_beyond", "_extend", "_x", "_y")
    type = "characteriser"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        points = [(float(x), float(y)) for x, y in config.config["curve"]]
        self._x, self._y = [x for x, _ in points], [y for _, y in points]
        if len(points) < 2 or any(a >= b for a, b in zip(self._x, self._x[1:], strict=False)):
            raise ValueError(f"{config.path}: a curve needs two points or more, with rising x")
        self._extend = config.config.get("outside", "hold") == "extend"
        self._beyond = False

    def follow(self, value: float, ctx: Context) -> float:
        del ctx
        x, y = self._x, self._y
        self._beyond = not x[0] <= value <= x[-1]
        if self._beyond and not self._extend:
            return y[0] if value < x[0] else y[-1]
        i = min(max(bisect_right(x, value), 1), len(x) - 1)
        if value == x[i]:  # exact at the points, whatever the rounding between them
            return y[i]
        return y[i - 1] + (value - x[i - 1]) * ((y[i] - y[i - 1]) / (x[i] - x[i - 1]))

    def quality(self, status: int) -> int:
        return UNCERTAIN_EU_EXCEEDED if self._beyond and not self._extend and status == GOOD else status
