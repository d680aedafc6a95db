"""Ratio station: a flow that follows another one.

    OUT = RATIO x + bias                                 OUT in the unit of the block; RATIO moves at `ramp` per second

OUT is meant as the set point of a controller (`setpoint: {tag: …}`). RATIO can be written; it survives a restart.
Bad or stale input: OUT keeps its value with the quality of the input; a controller behind it does what its own
`on_bad_pv` says.

Source: FOUNDATION Fieldbus FF-891, function block ratio; D. E. Seborg, T. F. Edgar, D. A. Mellichamp, F. J. Doyle,
Process Dynamics and Control (4th ed., 2016), §15.2.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scada.blocks.analog import Analog
from scada.blocks.base import Binder, Context, number
from tags import model


class Ratio(Analog):
    """See the module. Points: OUT, at the path of the block; RATIO."""

    __slots__ = ("_bias", "_high", "_low", "_now", "_point_ratio", "_ramp", "_ratio")
    type = "ratio"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._ratio = self._now = float(c["ratio"])
        self._low, self._high = number(c.get("low")), number(c.get("high"))
        self._ramp, self._bias = float(c.get("ramp") or 0.0), float(c.get("bias") or 0.0)
        self._point_ratio = binder.point(config, "RATIO")

    def step(self, ctx: Context) -> None:
        most = self._ramp * ctx.seen_ns * 1e-9 if self._ramp > 0.0 else float("inf")
        self._now = min(max(self._ratio, self._now - most), self._now + most)
        ctx.put(self._point_ratio, self._ratio)
        super().step(ctx)

    def follow(self, value: float, ctx: Context) -> float:
        del ctx
        return self._now * value + self._bias

    def write(self, point: str, value: Any) -> str | None:
        wanted = number(value)
        if point != "RATIO" or wanted is None:
            return f"{self.path} takes a number for RATIO only"
        if (self._low is not None and wanted < self._low) or (self._high is not None and wanted > self._high):
            return f"{self.path}/RATIO is limited to {self._low} … {self._high}"
        self._ratio = wanted
        return None

    def retained(self) -> dict[str, Any]:
        return {"ratio": self._ratio}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        del fresh  # a set point does not grow old
        if self.write("RATIO", state.get("ratio")) is None:
            self._now = self._ratio
