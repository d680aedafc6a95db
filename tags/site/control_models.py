"""What may be written about the blocks of the control program, one model per type."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from tags.site.fields import (
    Condition,
    Duration,
    Flag,
    Limits,
    Measure,
    Model,
    Period,
    Plain,
    Rate,
    States,
    UnitName,
    Whole,
)
from tags.site.models import Priority, Role, TypeName

ModeName = Literal["out of service", "manual", "auto", "cascade", "remote cascade"]


def _bad_pv(data: Any) -> Any:
    return {"hold": "0 s", "then": data} if isinstance(data, str | int | float) else data


class BlockAlarm(Model):
    """Of the alarm that comes with a block."""

    priority: Priority = "medium"
    response: str = ""


class Block(Model):
    """What all blocks have."""

    block: str
    description: str = ""
    display: str | None = None
    task: str = Field(default="scan", description="When it runs: a name under tasks:, or scan.")


class Bypass(Model):
    """How a protection may be put out of action for a time."""

    max: Period = Field(description="Longest time.")
    role: Literal["engineer", "admin"] = "engineer"
    priority: Priority = "medium"
    response: str = ""


class Tuning(Model):
    """Of a PID controller, on percent of range."""

    gain: float
    ti: Duration = 0
    td: Duration = 0
    ki: Annotated[float, Field(ge=0, le=1e6)] | None = Field(
        default=None, description="Of the parallel form, 1/s; ti = 1 / ki."
    )
    kd: Annotated[float, Field(ge=0, le=1e6)] | None = Field(
        default=None, description="Of the parallel form, s; the same as td."
    )


class Setpoint(Model):
    """A set point of its own, or a tag that holds it."""

    initial: Measure | None = None
    limits: Limits | None = None
    ramp: Rate | None = None
    retain: Flag = True
    tag: str | None = None


class Remote(Model):
    """A set point that a computer writes again and again."""

    timeout: Period
    then: Literal["auto", "manual", "cascade"] = "auto"


class PidSetpoint(Setpoint):
    """Of a PID controller: its own, and where it comes from in Cascade and Remote cascade."""

    cascade: str | None = None
    remote: Remote | None = None
    track_pv: Flag = False


class Track(Model):
    """When the output follows a value."""

    when: Condition
    value: Condition


class OnBadPv(Model):
    """What a controller does when its PV is Bad."""

    hold: Duration = 30_000_000_000
    then: Plain = "manual"


class Mode(Model):
    """Modes of a controller."""

    first: ModeName = "manual"
    restart: Literal["last", "manual"] = "last"
    permitted: Annotated[list[ModeName], Field(min_length=1)] | None = None
    role: Role = "operator"
    on_bad_pv: Annotated[OnBadPv, BeforeValidator(_bad_pv)] = OnBadPv()


class UnitMode(Model):
    """Modes of a motor or of an on/off valve."""

    first: Literal["out of service", "manual", "auto"] = "manual"
    restart: Literal["last", "manual"] = "last"
    role: Role = "operator"


class Feedforward(Model):
    """What a controller adds before an error shows."""

    input: Condition
    gain: float


class GainSchedule(Model):
    """A factor of a controller's gain."""

    input: Condition
    curve: Annotated[
        list[Annotated[list[Measure], Field(min_length=2, max_length=2)]], Field(min_length=2, max_length=64)
    ]


class Pid(Block):
    """PID controller."""

    block: Literal["pid"]
    pv: str
    out: str
    action: Literal["reverse", "direct"]
    form: Literal["ideal", "parallel"] = "ideal"
    tuning: Tuning
    setpoint: PidSetpoint
    out_limits: Limits | None = None
    mode: Mode = Mode()
    feedforward: Feedforward | None = None
    gain_schedule: GainSchedule | None = None
    track: Track | None = None
    every: Period | None = Field(
        default=None, description="Not shorter than the scan of pv; it runs once per new sample."
    )


class Valve(Block):
    """Supervision of a control valve with position feedback."""

    block: Literal["valve"]
    out: str | None = None
    pos: str | None = None
    remote: str | None = None
    travel: Period
    tolerance: Measure
    alarm: BlockAlarm = BlockAlarm()


class OnOffValve(Block):
    """Valve or damper with limit switches."""

    block: Literal["on_off_valve"]
    out: str | None = None
    opened: str | None = None
    closed: str | None = None
    remote: str | None = None
    travel: Period
    auto: Condition | None = None
    permit: Condition | None = None
    mode: UnitMode = UnitMode()
    alarm: BlockAlarm = BlockAlarm()


class Trip(Model):
    """When a motor is stopped and stays so."""

    when: Condition
    for_: Duration = Field(default=0, alias="for")
    reset: Literal["manual", "auto"] = "manual"


class Motor(Block):
    """Motor with start and stop commands and run feedback."""

    block: Literal["motor"]
    start: str | None = None
    stop: str | None = None
    run: str | None = None
    remote: str | None = None
    fault: str | None = None
    start_permit: Condition | None = None
    trip: Trip | None = None
    auto: Condition | None = None
    start_time: Period = 5_000_000_000
    min_off: Duration = 0
    starts_per_hour: Annotated[Whole, Field(ge=0, le=3600)] = 0
    after_power_loss: Literal["stay off", "restart"] = "stay off"
    mode: UnitMode = UnitMode()
    group: str | None = Field(default=None, description="Set by the duty_standby block that names it.")
    alarm: BlockAlarm = BlockAlarm(priority="high")


class DutyStandby(Block):
    """Several motors for one demand."""

    block: Literal["duty_standby"]
    members: Annotated[list[str], Field(min_length=1, max_length=16)]
    demand: Condition
    alternate: Literal["each start", "never", "least hours"] = "each start"
    assist: Annotated[list[Condition], Field(max_length=15)] = Field(default_factory=list)
    assist_on: Duration = 10_000_000_000
    assist_off: Duration = 60_000_000_000


class Hysteresis(Block):
    """Two-point switch."""

    block: Literal["hysteresis"]
    input: str
    on_above: Measure | None = None
    off_below: Measure | None = None
    on_below: Measure | None = None
    off_above: Measure | None = None


class Ramp(Block):
    """A set point that moves at a limited speed, to one or more outputs."""

    block: Literal["ramp"]
    out: list[str] | str
    setpoint: Setpoint
    rate: Rate


class Timer(Block):
    """On-delay, off-delay or pulse (IEC 61131-3)."""

    block: Literal["timer"]
    kind: Literal["ton", "tof", "tp"]
    input: Condition
    time: Period


class Override(Model):
    """How long people may set another state of a schedule."""

    max: Period
    role: Role = "operator"


class ScheduleBlock(Block):
    """Writes a value when the schedule's period changes; further keys are values by state."""

    model_config = ConfigDict(extra="allow")

    block: Literal["schedule"]
    schedule: str
    target: str | None = None
    override: Override | None = None


class Interlock(Block):
    """Holds an output, or stops a motor, while a condition is true."""

    block: Literal["interlock"]
    target: str
    when: Condition
    value: Plain = None
    reset: Literal["auto", "manual"] = "auto"
    bypass: Bypass | None = None


class Calc(Block):
    """A value computed from others."""

    block: Literal["calc"]
    expression: Condition
    unit: UnitName | None = None
    type: TypeName | None = None
    states: States | None = None
    range: Limits | None = None
    decimals: Annotated[Whole, Field(ge=0, le=9)] | None = None


MODELS: dict[str, type[Block]] = {
    "pid": Pid,
    "valve": Valve,
    "on_off_valve": OnOffValve,
    "motor": Motor,
    "duty_standby": DutyStandby,
    "hysteresis": Hysteresis,
    "ramp": Ramp,
    "timer": Timer,
    "schedule": ScheduleBlock,
    "interlock": Interlock,
    "calc": Calc,
}
