"""Set-point reset: a set point that follows another measurement along a curve (outdoor compensation, a heating curve).

    f += (x - f) (1 - exp(-dt / T))                      x: `input`, such as the outdoor temperature; T: `filter`, 0: f = x
    OUT = min(max(curve(f) + SHIFT, low), high)          low, high: `limits`

SHIFT is the parallel shift that people set, 0 at first, retained. The filter stands for what the building stores: with T of
hours a cold gust moves nothing. OUT is a set point for others: `setpoint: {tag: heating/FLOW-SP}` of a controller.

Bad or stale input: OUT stays for `on_bad: {hold}`, an hour by itself, then goes to `then`, Good: a building is not left without
a set point. SUBSTITUTED says so, and is an alarm. When the input is back the filter begins anew with it. The filter survives a
restart of up to ten minutes.

Source: EN 12098-1 (control equipment for hot water heating systems: outdoor temperature compensated); ISO
52120-1 (BACS functions: outdoor temperature compensated control); FOUNDATION Fieldbus FF-892 for the curve.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from scada.blocks.analog import Input
from scada.blocks.base import Binder, Context, FunctionBlock, number
from scada.blocks.characteriser import Curve
from tags import model


class SetpointReset(FunctionBlock):
    """See the module. Points: OUT, at the path of the block; SHIFT, SUBSTITUTED."""

    __slots__ = (
        "_bad_ns", "_curve", "_filtered", "_high", "_hold_ns", "_input", "_low", "_out", "_points", "_shift", "_shift_high",
        "_shift_low", "_then", "_time_ns",
    )  # fmt: skip
    type = "setpoint_reset"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._input, self._curve = Input(str(c["input"]), binder), Curve(c["curve"])
        self._time_ns, self._hold_ns = int(c.get("filter_ns") or 0), int(c["hold_ns"])
        self._low, self._high, self._then = float(c["low"]), float(c["high"]), float(c["then"])
        self._shift_low, self._shift_high = (float(end) for end in c["shift_limits"])
        self._points = [binder.point(config, name) for name in ("OUT", "SHIFT", "SUBSTITUTED")]
        self._filtered: float | None = None
        self._out: float | None = None
        self._shift, self._bad_ns = 0.0, 0

    def step(self, ctx: Context) -> None:
        x, _ = self._input.read(ctx)
        if x is None:
            self._bad_ns = min(self._bad_ns + ctx.dt_ns, self._hold_ns + 1)
            if self._out is None or self._bad_ns > self._hold_ns:
                self._filtered = None
                self._out = self._then
        else:
            self._bad_ns = 0
            before = self._filtered
            gain = -math.expm1(-ctx.dt_ns / self._time_ns) if self._time_ns else 1.0
            now = x if before is None else before + (x - before) * gain
            self._filtered = now if now - now == 0.0 else x
            self._out = min(max(self._curve.at(self._filtered) + self._shift, self._low), self._high)
        out, shift, substituted = self._points
        ctx.put(out, self._out)
        ctx.put(shift, self._shift)
        ctx.put(substituted, x is None and self._filtered is None)

    def write(self, point: str, value: Any) -> str | None:
        wanted = number(value)
        if point != "SHIFT" or wanted is None:
            return f"{self.path} takes a number for SHIFT only"
        if not self._shift_low <= wanted <= self._shift_high:
            return f"{self.path}/SHIFT is limited to {self._shift_low} … {self._shift_high}"
        self._shift = wanted
        return None

    def retained(self) -> dict[str, Any]:
        return {"shift": self._shift, "filtered": self._filtered}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        self.write("SHIFT", state.get("shift"))
        filtered = number(state.get("filtered"))
        if fresh and filtered is not None:
            self._filtered = filtered
            self._out = min(max(self._curve.at(filtered) + self._shift, self._low), self._high)
