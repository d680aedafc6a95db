"""First-order filter and lead/lag.

    filter     T dy/dt + y = x                          first-order lag, gain 1
    lead_lag   T2 dy/dt + y = K (x + T1 dx/dt)          T1 lead, T2 lag, K gain; y in units of K x

Both are solved by the backward difference, which is stable for every step and uses no transcendental function, so that
it gives the same bits on every machine; dt = time of the whole scan periods that elapsed::

    filter     y += dt / (T + dt) (x - y)
    lead_lag   y = (T2 y' + K ((T1 + dt) x - T1 x')) / (T2 + dt)

The step response of the filter is 1 - (T / (T + dt))^n, which is below 1 - exp(-t / T) by less than 0.19 dt / T. Both
begin in the steady state of their first usable sample. The state survives a restart within ten minutes.

Bad or stale input: OUT keeps its value with the quality of the input; then it goes on from there without a jump, and
what the input did meanwhile is no slope to lead with.

Source: D. E. Seborg, T. F. Edgar, D. A. Mellichamp, F. J. Doyle, Process Dynamics and Control (4th ed., 2016), §5.2, §6.1;
K. J. Åström, B. Wittenmark, Computer-Controlled Systems (3rd ed., 1997), chapter 8 (backward difference); FOUNDATION
Fieldbus FF-892, function block lead lag.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scada.blocks.analog import Analog
from scada.blocks.base import Binder, Context, number
from tags import model


class Filter(Analog):
    """See the module. Points: OUT, at the path of the block."""

    __slots__ = ("_time", "_y")
    type = "filter"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        self._time = config.config["time_ns"] * 1e-9
        self._y: float | None = None

    def follow(self, value: float, ctx: Context) -> float:
        if self._y is None:
            self._y = value
        dt = ctx.dt_ns * 1e-9
        self._y += dt / (self._time + dt) * (value - self._y)
        return self._y

    def forget(self) -> None:
        self._y = None

    def retained(self) -> dict[str, Any]:
        return {"y": self._y}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        self._y = number(state.get("y")) if fresh else None


class LeadLag(Analog):
    """See the module. Points: OUT, at the path of the block."""

    __slots__ = ("_gain", "_lag", "_lead", "_x", "_y")
    type = "lead_lag"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._gain = float(c.get("gain", 1.0))
        self._lead, self._lag = c["lead_ns"] * 1e-9, c["lag_ns"] * 1e-9
        self._x: float | None = None  # None: no slope is known
        self._y: float | None = None

    def follow(self, value: float, ctx: Context) -> float:
        if self._x is None:
            self._x = value
        if self._y is None:
            self._y = self._gain * value
        dt = ctx.dt_ns * 1e-9
        lead = (self._lead + dt) * value - self._lead * self._x
        self._y = (self._lag * self._y + self._gain * lead) / (self._lag + dt)
        self._x = value
        return self._y

    def lost(self) -> None:
        self._x = None  # how it moved meanwhile is no slope to lead with

    def forget(self) -> None:
        self._x = self._y = None

    def retained(self) -> dict[str, Any]:
        return {"y": self._y}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        self._x, self._y = None, number(state.get("y")) if fresh else None
