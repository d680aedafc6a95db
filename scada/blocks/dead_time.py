"""Dead time (transport delay).

    OUT(t) = x(t - T)                                    T is rounded to whole scan periods

The quality travels with the value: what was bad when it went in is bad when it comes out, with the last usable value.
A scan that was missed counts as one more with the value before it. Until T has passed for the first time OUT is the
first usable sample, and after a restart the line is filled with the first sample anew: what was under way is not known.

Source: D. E. Seborg, T. F. Edgar, D. A. Mellichamp, F. J. Doyle, Process Dynamics and Control (4th ed., 2016), §6.2;
FOUNDATION Fieldbus FF-892, function block dead time.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from typing import Final

from scada.blocks.analog import Input
from scada.blocks.base import Binder, Context, FunctionBlock
from tags import model

PERIODS_MAX: Final = 100_000  # samples that one block may hold


class DeadTime(FunctionBlock):
    """See the module. Points: OUT, at the path of the block."""

    __slots__ = ("_at", "_count", "_input", "_last", "_line", "_point")
    type = "dead_time"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        self._input, self._point = Input(str(config.config["input"]), binder), binder.point(config, "OUT")
        self._count = round(config.config["time_ns"] / binder.period_ns)
        if not 0 <= self._count <= PERIODS_MAX:
            raise ValueError(f"{config.path}: {self._count} scans of dead time; {PERIODS_MAX} are possible")
        self._line: list[tuple[float, int, bool]] = []  # value, status, a new sample
        self._at = 0
        self._last: float | None = None

    def step(self, ctx: Context) -> None:
        value, status = self._input.read(ctx)
        fresh = self._input.fresh(ctx)
        before = self._last
        if value is not None:
            self._last = value
        if self._last is None:
            ctx.put(self._point, ctx.signals.value[self._point], status, fresh=fresh)
            return
        now = (self._last, status, fresh)
        if self._count == 0:
            ctx.put(self._point, self._last, status, fresh=fresh)
            return
        if not self._line:
            self._line = [(self._last, status, False)] * self._count
        held = (self._last if before is None else before, self._line[self._at - 1][1], False)
        for _ in range(min(ctx.tick.periods - 1, self._count)):
            self._push(held)
        out = self._push(now)
        ctx.put(self._point, out[0], out[1], fresh=out[2])

    def _push(self, item: tuple[float, int, bool]) -> tuple[float, int, bool]:
        """Takes one in and gives the oldest out."""
        out = self._line[self._at]
        self._line[self._at] = item
        self._at = (self._at + 1) % self._count
        return out
