"""Signal selector: one value from several measurements.

    min, max      the least, the largest
    median        the middle one; of an even number the mean of both in the middle
    average       sum / number
    first         the first usable one, in the order of `inputs`: main and reserve

Inputs that are Bad or stale are left out. With fewer usable ones than `least` (default 1) OUT keeps its value with the
worst quality of the inputs. Else OUT has the quality of what it was made from. USED says how many were usable, SELECTED
which one was taken (1 …; 0 for a mean). Of equal values the first is taken. OUT is a new sample when any input is.

Source: FOUNDATION Fieldbus FF-892, function block input selector, with its MIN_GOOD.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from typing import Final

from scada.blocks.analog import Input
from scada.blocks.base import Binder, Context, FunctionBlock
from tags import model
from tags.quality import BAD_OUT_OF_RANGE

KINDS: Final = ("min", "max", "median", "average", "first")


class Select(FunctionBlock):
    """See the module. Points: OUT, at the path of the block; USED, SELECTED."""

    __slots__ = ("_inputs", "_kind", "_least", "_point", "_point_selected", "_point_used")
    type = "select"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._inputs = [Input(str(text), binder) for text in c["inputs"]]
        self._kind, self._least = str(c["kind"]), int(c.get("least") or 1)
        if self._kind not in KINDS:
            raise ValueError(f"{config.path}: kind {c['kind']!r} is none of {', '.join(KINDS)}")
        if not 1 <= self._least <= len(self._inputs):
            raise ValueError(f"{config.path}: {self._least} of {len(self._inputs)} inputs cannot be")
        self._point = binder.point(config, "OUT")
        self._point_used, self._point_selected = (
            binder.point(config, "USED"),
            binder.point(config, "SELECTED"),
        )

    def step(self, ctx: Context) -> None:
        found: list[tuple[float, int, int]] = []  # value, number, status
        worst, fresh = 0, False
        for i, one in enumerate(self._inputs, 1):
            value, status = one.read(ctx)
            fresh = fresh or one.fresh(ctx)
            if value is None:
                worst = max(worst, status)
            else:
                found.append((value, i, status))
        ctx.put(self._point_used, len(found))
        if len(found) < self._least:
            ctx.put(self._point_selected, 0)
            ctx.put(self._point, ctx.signals.value[self._point], worst, fresh=fresh)
            return
        out, number, status = self._pick(found)
        finite = out - out == 0.0
        ctx.put(self._point_selected, number if finite else 0)
        ctx.put(self._point, out, status if finite else BAD_OUT_OF_RANGE, fresh=fresh)

    def _pick(self, found: list[tuple[float, int, int]]) -> tuple[float, int, int]:
        kind = self._kind
        if kind == "first":
            return found[0]
        if kind == "average":
            return sum(value for value, _, _ in found) / len(found), 0, max(status for _, _, status in found)
        ordered = sorted(found, key=lambda one: one[0])  # stable: of equal values the first
        if kind == "min":
            return ordered[0]
        if kind == "max":
            return next(one for one in ordered if one[0] == ordered[-1][0])
        middle = len(ordered) // 2
        if len(ordered) % 2:
            return ordered[middle]
        low, high = ordered[middle - 1], ordered[middle]
        return low[0] + (high[0] - low[0]) / 2, 0, max(low[2], high[2])
