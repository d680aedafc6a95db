"""Comparators of IEC 61131-3, with hysteresis.

    gt        on when x > y,             off when x <= y - h
    ge        on when x >= y,            off when x < y - h
    lt        on when x < y,             off when x >= y + h
    le        on when x <= y,            off when x > y + h
    eq        on when |x - y| <= b,      off when |x - y| > b + h
    ne        on when |x - y| > b + h,   off when |x - y| <= b
    inside    on when low <= x <= high,  off when x < low - h or x > high + h
    outside   the opposite of inside

x is `input`, y is `to`, both expressions of one unit; b is `tolerance`, h is `hysteresis`. With h = 0 they are those of the
standard. Where no state between is remembered an expression does as well: `tank1/LT-101 > 4 m`.

Bad or stale input or limit: OUT keeps its state, which turns UncertainLastUsableValue. The state survives a restart.

Source: IEC 61131-3:2013, table 33 (comparison functions GT, GE, EQ, LE, LT, NE); hysteresis as in FOUNDATION Fieldbus FF-891.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from scada.blocks.analog import Input
from scada.blocks.base import Binder, Context, FunctionBlock
from tags import model
from tags.quality import GOOD, UNCERTAIN_LAST_USABLE

Rule = Callable[[float, float, float, float, bool], bool]
"""(x, y, tolerance, hysteresis, was on) -> on."""

RULES: Final[Mapping[str, Rule]] = {
    "gt": lambda x, y, _b, h, on: x > y - h if on else x > y,
    "ge": lambda x, y, _b, h, on: x >= y - h if on else x >= y,
    "lt": lambda x, y, _b, h, on: x < y + h if on else x < y,
    "le": lambda x, y, _b, h, on: x <= y + h if on else x <= y,
    "eq": lambda x, y, b, h, on: abs(x - y) <= (b + h if on else b),
    "ne": lambda x, y, b, h, on: abs(x - y) > (b if on else b + h),
}
WINDOWS: Final = ("inside", "outside")


class Compare(FunctionBlock):
    """See the module. Points: OUT, at the path of the block."""

    __slots__ = ("_hysteresis", "_input", "_kind", "_limits", "_on", "_point", "_tolerance")
    type = "compare"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._kind = str(c["kind"])
        if self._kind not in RULES and self._kind not in WINDOWS:
            raise ValueError(f"{config.path}: kind {self._kind!r} is none of {', '.join((*RULES, *WINDOWS))}")
        names = ("low", "high") if self._kind in WINDOWS else ("to",)
        self._input = Input(str(c["input"]), binder)
        self._limits = [Input(str(c[name]), binder) for name in names]
        self._tolerance, self._hysteresis = (
            float(c.get("tolerance") or 0.0),
            float(c.get("hysteresis") or 0.0),
        )
        self._point, self._on = binder.point(config, "OUT"), False

    def step(self, ctx: Context) -> None:
        x, _ = self._input.read(ctx)
        limits = [limit.read(ctx)[0] for limit in self._limits]
        low, high = limits[0], limits[-1]
        if x is None or low is None or high is None:
            ctx.put(self._point, self._on, UNCERTAIN_LAST_USABLE)
            return
        rule = RULES.get(self._kind)
        if rule is not None:
            self._on = rule(x, low, self._tolerance, self._hysteresis, self._on)
        else:
            wider = self._hysteresis if self._on is (self._kind == "inside") else 0.0
            self._on = (low - wider <= x <= high + wider) is (self._kind == "inside")
        ctx.put(self._point, self._on, GOOD)

    def retained(self) -> dict[str, Any]:
        return {"on": self._on}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        del fresh  # an old state is still the best guess between the limits
        self._on = state.get("on") is True
