"""Two-point switch with hysteresis.

    on_above / off_below:  OUT on when input > on_above,  off when input < off_below
    on_below / off_above:  OUT on when input < on_below,  off when input > off_above      engineering units of input

Between the two OUT keeps its state, also over a restart. A bad or stale input keeps OUT, which turns uncertain
(UncertainLastUsableValue).

Source: IEC 60730-2-9 (operating differential), as on_off; compare has the comparators of IEC 61131-3.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scada.blocks.base import Binder, Context, FunctionBlock, number, usable
from tags import model
from tags.quality import GOOD, UNCERTAIN_LAST_USABLE


class Hysteresis(FunctionBlock):
    """See the module. Points: OUT, at the path of the block."""

    __slots__ = ("_input", "_off", "_on", "_point", "_sign", "_state")
    type = "hysteresis"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._input, self._point = binder.slot(c["input"]), binder.point(config, "OUT")
        above = c.get("on_above") is not None
        self._sign = 1.0 if above else -1.0
        self._on = self._sign * float(c["on_above" if above else "on_below"])
        self._off = self._sign * float(c["off_below" if above else "off_above"])
        self._state = False

    def step(self, ctx: Context) -> None:
        value = number(ctx.signals.value[self._input])
        if value is None or not usable(ctx.signals.status[self._input]):
            ctx.put(self._point, self._state, UNCERTAIN_LAST_USABLE)
            return
        value *= self._sign
        if value > self._on:
            self._state = True
        elif value < self._off:
            self._state = False
        ctx.put(self._point, self._state, GOOD)

    def retained(self) -> dict[str, Any]:
        return {"out": self._state}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        del fresh  # an old state is still the best guess between the two limits
        self._state = state.get("out") is True
