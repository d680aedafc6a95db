"""Totaliser: what has flowed, from a rate of flow.

    TOTAL += x dt                                        x in units per second of TOTAL; dt whole scan periods

The sum is compensated (Kahan), so that small amounts are not lost in a large total: a year of 1 ml steps on 10⁶ m³ is
counted to the last digit that a float64 holds. |x| < `cutoff` counts as nothing (noise of a meter at rest). `direction:
forward` leaves out what flows back; `both` (default) subtracts it.

Reset: by writing RESET, or when `reset` becomes true. LAST then is the total that was. TOTAL, LAST and the state of
`reset` survive a restart; what flows while the scan stands is not counted.

Bad or stale input: `on_bad: stop` (default) counts nothing and TOTAL is UncertainLastUsableValue meanwhile; `on_bad: last`
counts on with the last usable rate, and TOTAL is UncertainSubstituteValue.

Source: FOUNDATION Fieldbus FF-892, function block integrator; W. Kahan, Further remarks on reducing truncation
errors, Communications of the ACM 8 (1965).
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scada.blocks.analog import Input
from scada.blocks.base import Binder, Context, FunctionBlock, number, usable
from tags import model
from tags.quality import GOOD, UNCERTAIN_LAST_USABLE, UNCERTAIN_SUBSTITUTE


class Totaliser(FunctionBlock):
    """See the module. Points: TOTAL, at the path of the block; LAST, RESET (written true; false again in the next scan)."""

    __slots__ = (
        "_carry", "_condition", "_cutoff", "_forward", "_gain", "_go_on", "_high", "_input", "_last", "_point",
        "_point_last", "_point_reset", "_rate", "_reset", "_total",
    )  # fmt: skip
    type = "totaliser"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._input, self._condition = Input(str(c["input"]), binder), binder.condition(c.get("reset"))
        self._gain = float(c["gain"])  # units of TOTAL per second, for one unit of the input
        self._cutoff = float(c.get("cutoff") or 0.0)
        self._forward = c.get("direction", "both") == "forward"
        self._go_on = c.get("on_bad", "stop") == "last"
        self._point = binder.point(config, "TOTAL")
        self._point_last, self._point_reset = binder.point(config, "LAST"), binder.point(config, "RESET")
        self._total = self._carry = self._last = 0.0
        self._rate = 0.0  # the last usable one
        self._high: bool | None = (
            None  # `reset` in the last scan; None: not known, so what it finds is no edge
        )
        self._reset = False

    def step(self, ctx: Context) -> None:
        if self._condition is not None:
            value, quality = self._condition(ctx.signals.value, ctx.signals.status)
            if usable(quality):
                self._reset |= bool(value) and self._high is False
                self._high = bool(value)
        if self._reset:
            self._last, self._total, self._carry, self._reset = self._total, 0.0, 0.0, False
            ctx.emit("totaliser", path=self.path, total=self._last)
        x, _ = self._input.read(ctx)
        status = GOOD
        if x is not None:
            self._rate = x
        else:
            status = UNCERTAIN_SUBSTITUTE if self._go_on else UNCERTAIN_LAST_USABLE
            x = self._rate if self._go_on else 0.0
        if abs(x) >= self._cutoff and (x > 0.0 or not self._forward):
            self._add(x * self._gain * (ctx.dt_ns * 1e-9))
        ctx.put(self._point, self._total, status)
        ctx.put(self._point_last, self._last)
        ctx.put(self._point_reset, False)

    def _add(self, amount: float) -> None:
        step = amount - self._carry
        total = self._total + step
        if total - total != 0.0:
            return  # beyond all numbers: it stays
        self._carry = (total - self._total) - step
        self._total = total

    def write(self, point: str, value: Any) -> str | None:
        if point != "RESET" or not value:
            return f"{self.path} is computed: write true to {self.path}/RESET to begin a new total"
        self._reset = True
        return None

    def retained(self) -> dict[str, Any]:
        return {"total": self._total, "carry": self._carry, "last": self._last, "high": self._high}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        del fresh  # a total does not grow old
        total, carry, last = (number(state.get(key)) for key in ("total", "carry", "last"))
        if total is not None:
            self._total, self._carry, self._last = total, carry or 0.0, last or 0.0
        high = state.get("high")
        self._high = high if isinstance(high, bool) else None
