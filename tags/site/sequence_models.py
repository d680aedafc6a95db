"""What may be written about variable-speed drives, dampers, comparators and the sequences of buildings."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from tags.model import History
from tags.site.control_models import Block, BlockAlarm, Motor, UnitMode
from tags.site.fields import (
    Condition,
    Duration,
    Flag,
    Limits,
    Measure,
    Model,
    Period,
    Quantity,
    Rate,
    UnitName,
    Whole,
)
from tags.site.models import Role
from tags.site.protection_models import Free
from tags.types import BOOL, FLOAT64, INT32

_NO_YES: Final = {"0": "No", "1": "Yes"}
_OFF_ON: Final = {"0": "Off", "1": "On"}
_TREND: Final = 1e-3  # of the range: history needs no more of what moves in every scan


def _bool(what: str, **more: Any) -> dict[str, Any]:
    return {"what": what, "type": BOOL, "states": dict(_NO_YES), **more}


class Drive(Motor):
    """Motor with a variable speed."""

    block: Literal["drive"]  # type: ignore[assignment]
    speed: str | None = None
    input: str | None = None
    actual: str | None = None
    limits: Limits | None = None
    stopped: Measure | None = None
    ramp: Rate | None = None
    tolerance: Measure | None = None
    speed_time: Period = 10_000_000_000


class Damper(Block):
    """Modulating damper with end switches."""

    block: Literal["damper"]
    out: str | None = None
    pos: str | None = None
    opened: str | None = None
    closed: str | None = None
    remote: str | None = None
    input: str | None = None
    stroke: Annotated[list[Measure], Field(min_length=2, max_length=2)] | None = None
    min: Measure | None = None
    permit: Condition | None = None
    travel: Period
    tolerance: Measure
    mode: UnitMode = UnitMode()
    alarm: BlockAlarm = BlockAlarm()


class Compare(Free):
    """Comparator."""

    block: Literal["compare"]
    input: Condition
    kind: Literal["gt", "ge", "lt", "le", "eq", "ne", "inside", "outside"]
    to: Condition | None = None
    low: Condition | None = None
    high: Condition | None = None
    tolerance: Measure | None = None
    hysteresis: Measure | None = None

    def texts(self) -> Iterator[str]:
        """Its expressions."""
        yield from (text for text in (self.input, self.to, self.low, self.high) if text is not None)

    def point_names(self) -> tuple[str, ...]:
        """Its points."""
        return ("OUT",)

    def point_fields(self, name: str) -> Any:
        """Fields of a point's tag."""
        del name
        return {"what": "", "type": BOOL, "states": dict(_OFF_ON), "retain": True}


class OnBadReset(Model):
    """What a set point does without its measurement."""

    hold: Duration = 3_600_000_000_000
    then: Measure


class SetpointReset(Free):
    """Set point along a curve."""

    block: Literal["setpoint_reset"]
    input: Condition
    curve: Annotated[
        list[Annotated[list[Measure], Field(min_length=2, max_length=2)]], Field(min_length=2, max_length=64)
    ]
    unit: UnitName | None = None
    limits: Limits
    filter: Duration = 0
    shift: Limits | None = None
    on_bad: OnBadReset
    decimals: Annotated[Whole, Field(ge=0, le=9)] = 1
    alarm: BlockAlarm = BlockAlarm()

    def texts(self) -> Iterator[str]:
        """Its expressions."""
        yield self.input

    def point_names(self) -> tuple[str, ...]:
        """Its points."""
        return ("OUT", "SHIFT", "SUBSTITUTED")

    def point_fields(self, name: str) -> Any:
        """Fields of a point's tag."""
        return (
            _bool("measurement substituted")
            if name == "SUBSTITUTED"
            else _reset_out
            if name == "OUT"
            else _shift
        )


def _reset_out(scope: Any, model: Any, _: Any) -> dict[str, Any]:
    unit = None if model.unit is None else scope.build_unit(("unit",), model.unit)
    limits = scope.pair(("limits",), model.limits, unit)
    return {
        "what": "set point",
        "type": FLOAT64,
        "unit": unit,
        "range": limits,
        "decimals": model.decimals,
        "history": History(deadband=_TREND * (limits[1] - limits[0]) if limits else 0.0),
    }


def _shift(scope: Any, model: Any, _: Any) -> dict[str, Any]:
    unit = None if model.unit is None else scope.build_unit(("unit",), model.unit)
    limits = shift_limits(scope, model, unit)
    return {
        "what": "parallel shift",
        "unit": unit,
        "range": limits,
        "limits": limits,
        "initial": 0.0,
        "decimals": model.decimals,
        "writable": limits[0] < limits[1],
        "retain": True,
    }


def shift_limits(scope: Any, model: Any, unit: str | None) -> tuple[float, float]:
    """Least and largest shift: differences, so 5 K are 5 degC; none without `shift`."""
    if model.shift is None:
        return (0.0, 0.0)
    low, high = (
        math.copysign(scope.difference(("shift",), Quantity(abs(end.value), end.unit), unit, None), end.value)
        for end in model.shift
    )
    return (low, high)


class OptimumStart(Model):
    """How a warm-up is begun in time."""

    longest: Period
    rate: Rate
    adapt: Flag = True


class Setback(Free):
    """Night set-back."""

    block: Literal["setback"]
    schedule: str
    state: str = "occupied"
    pv: str
    occupied: Measure
    setback: Measure
    optimum_start: OptimumStart | None = None

    def texts(self) -> Iterator[str]:
        """It has no expressions."""
        yield from ()

    def point_names(self) -> tuple[str, ...]:
        """Its points."""
        return ("OUT", "STATE", *(("LEAD", "RATE") if self.optimum_start is not None else ()))

    def point_fields(self, name: str) -> Any:
        """Fields of a point's tag."""
        if name == "STATE":
            states = {"0": "Set-back", "1": "Warm-up", "2": "Occupied"}
            return {"what": "state", "type": INT32, "states": states}
        if name == "LEAD":
            return {"what": "time that a warm-up takes", "unit": "s", "decimals": 0}
        return _setback_out if name == "OUT" else _rate


def _setback_out(scope: Any, model: Any, _: Any) -> dict[str, Any]:
    pv = scope.build.tags.get(model.pv)
    return {
        "what": "set point",
        "unit": pv.unit if pv else None,
        "range": pv.range if pv else None,
        "decimals": pv.decimals if pv else 1,
    }


def _rate(scope: Any, model: Any, _: Any) -> dict[str, Any]:
    pv = scope.build.tags.get(model.pv)
    width = pv.range[1] - pv.range[0] if pv and pv.range else None
    unit = pv.unit if pv else None
    rate = scope.rate(("optimum_start", "rate"), model.optimum_start.rate, unit, width) * 3600.0
    return {
        "what": "change an hour in a warm-up",
        "initial": rate,
        "limits": (rate / 5.0, rate * 5.0) if rate > 0.0 else None,
        "writable": True,
        "write_role": "engineer",
        "retain": True,
    }


class FrostProtection(Free):
    """Heat, pump and trip against frost."""

    block: Literal["frost_protection"]
    input: Condition
    start: Measure
    full: Measure
    trip: Measure
    for_: Duration = Field(default=0, alias="for")
    reset: Literal["manual", "auto"] = "manual"
    outdoor: Condition | None = None
    pump_below: Measure | None = None
    alarm: BlockAlarm = BlockAlarm(priority="high")

    def texts(self) -> Iterator[str]:
        """Its expressions."""
        yield from (text for text in (self.input, self.outdoor) if text is not None)

    def point_names(self) -> tuple[str, ...]:
        """Its points."""
        return ("HEAT", "PUMP", "TRIP")

    def point_fields(self, name: str) -> Any:
        """Fields of a point's tag."""
        if name == "HEAT":
            history = History(deadband=1.0)
            return {
                "what": "least heat",
                "unit": "%",
                "range": (0.0, 100.0),
                "decimals": 0,
                "history": history,
            }
        if name == "PUMP":
            return {"what": "pump wanted", "type": BOOL, "states": dict(_OFF_ON)}
        return _bool("tripped", writable=self.reset == "manual", retain=True)


class Changeover(Free):
    """Heating or cooling, never both."""

    block: Literal["changeover"]
    heating: Condition
    cooling: Condition
    min_time: Duration = 0
    pause: Duration = 0
    role: Role = "operator"

    def texts(self) -> Iterator[str]:
        """Its expressions."""
        yield from (self.heating, self.cooling)

    def point_names(self) -> tuple[str, ...]:
        """Its points."""
        return ("STATE", "HEATING", "COOLING", "SELECT")

    def point_fields(self, name: str) -> Any:
        """Fields of a point's tag."""
        if name == "STATE":
            return {
                "what": "state",
                "type": INT32,
                "states": {"0": "Neutral", "1": "Heating", "2": "Cooling"},
            }
        if name == "SELECT":
            return {
                "what": "choice",
                "type": INT32,
                "states": {"0": "Auto", "1": "Heating", "2": "Cooling", "3": "Off"},
                "limits": (0.0, 3.0),
                "initial": 0,
                "writable": True,
                "write_role": self.role,
                "retain": True,
            }
        return _bool(name.casefold())


MODELS: dict[str, type[Block]] = {
    "drive": Drive,
    "damper": Damper,
    "compare": Compare,
    "setpoint_reset": SetpointReset,
    "setback": Setback,
    "frost_protection": FrostProtection,
    "changeover": Changeover,
}
