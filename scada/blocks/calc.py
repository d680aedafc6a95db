"""Calculated value: OUT = expression of tags (`tags.expression` has grammar and units).

OUT is a new sample whenever one of its inputs is (so that a PID may take it for its PV) or when it changes. A bad or
stale input, or a result that does not exist (division by zero), keeps the last value of OUT with the worst quality.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from scada.blocks.base import Binder, Context, FunctionBlock, usable
from tags import model
from tags.quality import BAD_CONFIGURATION_ERROR, BAD_OUT_OF_RANGE
from tags.types import BOOL, FLOATS, INTEGER_RANGE


class Calc(FunctionBlock):
    """See the module. Points: OUT, at the path of the block. Integers are rounded half to even."""

    __slots__ = ("_expression", "_inputs", "_point", "_type")
    type = "calc"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        text = str(config.config["expression"])
        self._expression = binder.condition(text)
        self._inputs = [binder.slot(path) for path in binder.paths_of(text)]
        self._point = binder.point(config, "OUT")
        tag = binder.tags.get(config.points.get("OUT", ""))
        self._type = "float64" if tag is None else tag.type

    def step(self, ctx: Context) -> None:
        signals = ctx.signals
        if self._expression is None or self._point < 0:
            return
        value, status = self._expression(signals.value, signals.status)
        fresh = signals.fresh
        new = any(fresh[slot] for slot in self._inputs)
        if not usable(status):
            ctx.put(self._point, signals.value[self._point], status, fresh=new)
            return
        if self._type == BOOL:
            value = bool(value)
        elif self._type in FLOATS:
            value = float(value)
        elif self._type in INTEGER_RANGE:
            low, high = INTEGER_RANGE[self._type]
            if not (value - value == 0.0 and low <= value <= high):
                ctx.put(self._point, signals.value[self._point], BAD_OUT_OF_RANGE, fresh=new)
                return
            value = round(value)
        else:
            ctx.put(self._point, signals.value[self._point], BAD_CONFIGURATION_ERROR)
            return
        ctx.put(self._point, value, status, fresh=new)
