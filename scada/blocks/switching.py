"""On/off control and three-position control.

    on_off, action reverse (heating):   OUT on when PV < SP - h / 2,  off when PV > SP + h / 2
    on_off, action direct (cooling):    OUT on when PV > SP + h / 2,  off when PV < SP - h / 2
    three_position:                     e = SP - PV for reverse, PV - SP for direct, in units of the PV
                                        RAISE on when e > band / 2,   off when e < band / 2 - h
                                        LOWER on when e < -band / 2,  off when e > -band / 2 + h

h is `hysteresis`: the whole width for on_off; for three_position at most half the `band`, so that both are never on. OUT
stays on for `min_on` and off for `min_off` at least (compressors, burners); that time is watched time, and it begins anew
at a start. The points are conditions for others: `auto: room1/TC-1` of a motor or of an on/off valve.

Bad or stale PV or set point: `on_bad: off` (default) switches off, `hold` keeps, `on` switches on (frost protection); the
result is UncertainSubstituteValue meanwhile, or UncertainLastUsableValue for `hold`. Minimum times hold then too. Set
point and result survive a restart.

Source: IEC 60730-2-9 (temperature sensing controls: operating differential); K. J. Åström, T. Hägglund, Advanced PID
Control (ISA 2006), on-off control with hysteresis and dead zone.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scada.blocks.base import Binder, Context, FunctionBlock, number, usable
from scada.blocks.setpoint import SetPoint
from tags import model
from tags.quality import GOOD, UNCERTAIN_LAST_USABLE, UNCERTAIN_SUBSTITUTE


class Switching(FunctionBlock):
    """What both have in common: PV, set point, action, and what a bad one does."""

    __slots__ = ("_hysteresis", "_on_bad", "_pv", "_setpoint", "_sign")

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._pv, self._setpoint = binder.slot(c["pv"]), SetPoint(config, binder)
        self._sign = -1.0 if c["action"] == "direct" else 1.0
        self._hysteresis, self._on_bad = float(c["hysteresis"]), str(c.get("on_bad", "off"))

    def error(self, ctx: Context) -> float | None:
        """How much is missing, in units of the PV; None when PV or set point is not usable."""
        signals = ctx.signals
        pv = number(signals.value[self._pv]) if usable(signals.status[self._pv]) else None
        sp = self._setpoint.act(ctx, pv)
        return None if pv is None or sp is None else self._sign * (sp - pv)

    def bad_status(self) -> int:
        """Quality of the result while there is no error to act on."""
        return UNCERTAIN_LAST_USABLE if self._on_bad == "hold" else UNCERTAIN_SUBSTITUTE

    def write(self, point: str, value: Any) -> str | None:
        return self._setpoint.write(value) if point == "SP" else super().write(point, value)


class OnOff(Switching):
    """See the module. Points: OUT, at the path of the block; SP (unless the set point is a tag)."""

    __slots__ = ("_min_off_ns", "_min_on_ns", "_on", "_point", "_since_ns")
    type = "on_off"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        self._min_on_ns = int(config.config.get("min_on_ns") or 0)
        self._min_off_ns = int(config.config.get("min_off_ns") or 0)
        self._point, self._on, self._since_ns = binder.point(config, "OUT"), False, 0

    def step(self, ctx: Context) -> None:
        e, wanted = self.error(ctx), self._on
        if e is None:
            wanted = self._on if self._on_bad == "hold" else self._on_bad == "on"
        elif e > self._hysteresis / 2:
            wanted = True
        elif e < -self._hysteresis / 2:
            wanted = False
        least = self._min_on_ns if self._on else self._min_off_ns
        self._since_ns = min(self._since_ns + ctx.seen_ns, least)
        if wanted != self._on and self._since_ns >= least:
            self._on, self._since_ns = wanted, 0
        ctx.put(self._point, self._on, GOOD if e is not None else self.bad_status())

    def retained(self) -> dict[str, Any]:
        return {"on": self._on, **self._setpoint.retained()}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        self._setpoint.restore(state)
        self._on = fresh and state.get("on") is True


class ThreePosition(Switching):
    """See the module. Points: RAISE, LOWER, SP (unless the set point is a tag)."""

    __slots__ = ("_half", "_point_lower", "_point_raise", "_position")
    type = "three_position"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        self._half = float(config.config["band"]) / 2
        if not 0.0 <= self._hysteresis <= self._half:
            raise ValueError(f"{config.path}: the hysteresis is more than half the band")
        self._point_raise, self._point_lower = binder.point(config, "RAISE"), binder.point(config, "LOWER")
        self._position = 0  # 1: raise, -1: lower

    def step(self, ctx: Context) -> None:
        e, half = self.error(ctx), self._half
        if e is None:
            if self._on_bad != "hold":
                self._position = 0
        elif abs(e) > half:
            self._position = 1 if e > 0.0 else -1
        elif self._position * e < half - self._hysteresis:
            self._position = 0
        status = GOOD if e is not None else self.bad_status()
        ctx.put(self._point_raise, self._position > 0, status)
        ctx.put(self._point_lower, self._position < 0, status)

    def retained(self) -> dict[str, Any]:
        return {"position": self._position, **self._setpoint.retained()}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        self._setpoint.restore(state)
        position = state.get("position")
        self._position = position if fresh and position in (-1, 0, 1) else 0
