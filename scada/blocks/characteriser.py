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
from collections.abc import Sequence
from itertools import pairwise

from scada.blocks.analog import Analog
from scada.blocks.base import Binder, Context
from tags import model
from tags.quality import GOOD, UNCERTAIN_EU_EXCEEDED


class Curve:
    """Straight lines through points.

    Args:
        points: (x, y), x rising.

    Raises:
        ValueError: Fewer than two points, or x does not rise.
    """

    __slots__ = ("x", "y")

    def __init__(self, points: Sequence[Sequence[float]]) -> None:
        self.x, self.y = [float(point[0]) for point in points], [float(point[1]) for point in points]
        if len(points) < 2 or any(a >= b for a, b in pairwise(self.x)):
            raise ValueError("a curve needs two points or more, with rising x")

    def at(self, value: float, *, extend: bool = False) -> float:
        """The height at an x; beyond the ends that of the end, or of the last line."""
        x, y = self.x, self.y
        if not extend and not x[0] <= value <= x[-1]:
            return y[0] if value < x[0] else y[-1]
        i = min(max(bisect_right(x, value), 1), len(x) - 1)
        if value == x[i]:  # exact at the points, whatever the rounding between them
            return y[i]
        return y[i - 1] + (value - x[i - 1]) * ((y[i] - y[i - 1]) / (x[i] - x[i - 1]))


class Characteriser(Analog):
    """See the module. Points: OUT, at the path of the block."""

    __slots__ = ("_beyond", "_curve", "_extend")
    type = "characteriser"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        try:
            self._curve = Curve(config.config["curve"])
        except ValueError as error:
            raise ValueError(f"{config.path}: {error}") from error
        self._extend = config.config.get("outside", "hold") == "extend"
        self._beyond = False

    def follow(self, value: float, ctx: Context) -> float:
        del ctx
        self._beyond = not self._curve.x[0] <= value <= self._curve.x[-1]
        return self._curve.at(value, extend=self._extend)

    def quality(self, status: int) -> int:
        return UNCERTAIN_EU_EXCEEDED if self._beyond and not self._extend and status == GOOD else status
