"""Frost protection of an air handling unit or a water circuit: warn with heat first, then trip.

    HEAT = 100 (start - t) / (start - full), 0 … 100        %: what the heating valve is opened to at least
    PUMP   on while t < start, or the outdoor temperature is below `pump_below`; off 1 K above both
    TRIP   latches when t < trip for the time `for`; off when FALSE is written to it and t > trip, or by itself (`reset: auto`)

t is `input`, most often the lowest of several: `min(ahu1/TT-1, ahu1/TT-2)`. The points are for others: HEAT as an input of an
override selection (`high`) beside the controller, PUMP as `auto` of the pump, TRIP as the condition of interlocks that stop the
fan and close the outdoor air damper. The thermostat that protects the coil sits in the PLC or in the starter: this is the
second line. TRIP comes with an alarm and survives a restart.

Bad input: a failed sensor counts as cold: HEAT is 100, PUMP on, TRIP after its time. With communication lost, before the first
value and while it is uncertain everything stays as it is. A bad outdoor temperature counts as cold for PUMP.

Source: ASHRAE Guideline 36-2021 (freeze protection of air handling units, in stages).
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from scada.blocks.analog import Input
from scada.blocks.base import Binder, Context, FunctionBlock, number
from tags import model
from tags.quality import BAD_NO_COMMUNICATION, BAD_WAITING_FOR_INITIAL_DATA, is_bad

_KEEPS: Final = (BAD_NO_COMMUNICATION, BAD_WAITING_FOR_INITIAL_DATA)


class FrostProtection(FunctionBlock):
    """See the module. Points: HEAT (%), PUMP, TRIP (writing false resets)."""

    __slots__ = (
        "_cold", "_cold_ns", "_for_ns", "_full", "_heat", "_input", "_latch", "_margin", "_outdoor", "_points", "_pump",
        "_pump_below", "_start", "_trip", "_trip_at",
    )  # fmt: skip
    type = "frost_protection"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._input = Input(str(c["input"]), binder)
        outdoor = c.get("outdoor")
        self._outdoor = None if outdoor is None else Input(str(outdoor), binder)
        self._start, self._full, self._trip_at = float(c["start"]), float(c["full"]), float(c["trip"])
        if not self._start > self._full >= self._trip_at:
            raise ValueError(f"{config.path}: start must be above full, and full not below trip")
        self._pump_below, self._margin = number(c.get("pump_below")), float(c.get("margin", 1.0))
        self._for_ns, self._latch = int(c.get("for_ns") or 0), c.get("reset", "manual") == "manual"
        self._points = [binder.point(config, name) for name in ("HEAT", "PUMP", "TRIP")]
        self._heat, self._pump = 0.0, False
        self._trip = self._cold = False
        self._cold_ns = 0

    def step(self, ctx: Context) -> None:
        t, status = self._input.read(ctx)
        failed = t is None and is_bad(status) and (status & 0xFFFF_0000) not in _KEEPS
        if t is not None:
            self._heat = min(max(100.0 * (self._start - t) / (self._start - self._full), 0.0), 100.0)
            self._cold = t < self._trip_at
        elif failed:
            self._heat, self._cold = 100.0, True
        if t is not None or failed:
            self._cold_ns = min(self._cold_ns + ctx.seen_ns, self._for_ns) if self._cold else 0
            if self._cold and self._cold_ns >= self._for_ns and not self._trip:
                self._trip = True
                ctx.emit("frost", path=self.path, active=True)
            elif not self._cold and self._trip and not self._latch:
                self._trip = False
                ctx.emit("frost", path=self.path, active=False)
            self._pump = self._wants_pump(ctx, t)
        heat, pump, trip = self._points
        ctx.put(heat, self._heat)
        ctx.put(pump, self._pump)
        ctx.put(trip, self._trip)

    def _wants_pump(self, ctx: Context, t: float | None) -> bool:
        """Either temperature is low; off again a margin above both."""
        margin = self._margin if self._pump else 0.0
        if t is None or t < self._start + margin:
            return True
        if self._outdoor is None or self._pump_below is None:
            return False
        outdoor, _ = self._outdoor.read(ctx)
        return outdoor is None or outdoor < self._pump_below + margin

    def write(self, point: str, value: Any) -> str | None:
        if point != "TRIP" or number(value) != 0.0:
            return f"{self.path} takes only TRIP = false, which resets it"
        if self._trip and self._cold:
            return f"{self.path} is still cold"
        self._trip = False
        return None

    def retained(self) -> dict[str, Any]:
        return {"trip": self._trip, "heat": self._heat, "pump": self._pump}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        del fresh  # a protection does not expire
        self._trip = state.get("trip") is True
        heat = number(state.get("heat"))
        self._heat = 0.0 if heat is None else min(max(heat, 0.0), 100.0)
        self._pump = state.get("pump") is True
