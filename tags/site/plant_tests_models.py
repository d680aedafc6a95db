"""What may be written in `tests/*.yaml` of a site: plant tests and invariants."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from tags.site.fields import Condition, Duration, Flag, Limits, Measure, Model, Period, Plain, Rate, Whole
from tags.site.models import Role

AlarmState = Literal["normal", "active", "unacknowledged", "acknowledged", "returned", "suppressed"]
Outcome = Literal["confirmed", "rejected", "timed out", "mismatched", "superseded"]


def _value(data: Any) -> Any:
    return data if isinstance(data, dict) else {"value": data}


def _series(data: Any) -> Any:
    return {"points": data} if isinstance(data, list) else data


def _list(data: Any) -> Any:
    return data if isinstance(data, list) else [data]


class Given(Model):
    """What a device holds: a value, a quality, or both."""

    value: Plain = None
    quality: str | None = Field(
        default=None, description="Name of an OPC UA status, such as BadSensorFailure."
    )


GivenOf = Annotated[Given, BeforeValidator(_value)]


class Series(Model):
    """A value over time: [[0 s, 2 m], [30 s, 4.7 m]], with straight lines between unless step is true."""

    points: Annotated[
        list[Annotated[list[Plain], Field(min_length=2, max_length=3)]],
        Field(min_length=1, max_length=1_000_000),
    ]
    step: Flag = Field(default=False, description="Each value stays until the next one.")


SeriesOf = Annotated[Series, BeforeValidator(_series)]


class Follow(Model):
    """How a device makes a value of others: it follows one, is started and stopped, or changes at a rate."""

    of: Condition | None = Field(
        default=None, description="What it goes to: a tag or an expression, evaluated in each scan."
    )
    time: Duration = Field(default=0, description="For its whole range; of true and false: the delay.")
    lag: Duration = Field(default=0, description="Time constant of a first-order lag.")
    start: str | None = Field(default=None, description="True from the time after this pulse.")
    stop: str | None = Field(default=None, description="False from this pulse on.")
    rate: Condition | None = Field(
        default=None, description="How fast it changes: an expression, its unit per second."
    )


class Ramp(Model):
    """A value that goes to another one."""

    to: Plain
    over: Period


class Vary(Model):
    """How the search may move a value of the plant."""

    range: Limits | None = Field(default=None, description="The tag's range if left out.")
    rate: Rate | None = Field(default=None, description="How fast it moves; at once if left out.")
    values: list[Plain] | None = Field(default=None, description="Only these.")
    bad: Flag = Field(default=False, description="Its measurement may fail, while the plant's value goes on.")


class Force(Model):
    """A value that is held by hand."""

    value: Plain
    for_: Period = Field(default=60_000_000_000, alias="for")


class Expected(Model):
    """What a tag is to be."""

    value: Plain = None
    tolerance: Measure | None = None
    above: Measure | None = None
    below: Measure | None = None
    quality: str | None = Field(
        default=None, description="Name of an OPC UA status, or Good, Uncertain, Bad for all of a kind."
    )


ExpectedOf = Annotated[Expected, BeforeValidator(_value)]
Conditions = Annotated[list[Condition], BeforeValidator(_list)]


class Step(Model):
    """One moment of a test: what happens, and what is then so."""

    at: Duration | None = Field(default=None, description="Since the first scan.")
    after: Duration | None = Field(default=None, description="Since the step before.")
    set: dict[str, GivenOf] = Field(default={}, description="What devices hold from now on.")
    ramp: dict[str, Ramp] = Field(default={})
    write: dict[str, Plain] = Field(default={}, description="A request to write.")
    acknowledge: list[str] = Field(default=[])
    force: dict[str, Force] = Field(default={})
    unforce: list[str] = Field(default=[])
    bypass: dict[str, Period] = Field(default={}, description="Protections to bypass, and for how long.")
    unbypass: list[str] = Field(default=[])
    role: Role = "operator"
    user: str = "tester"
    reason: str = ""
    outcome: Outcome | None = Field(default=None, description="What becomes of the request of this step.")
    because: str | None = Field(default=None, description="Part of the reason that is given.")
    devices: dict[str, Literal["lost", "back"]] = Field(default={}, description="Connections.")
    inject: dict[str, Plain | dict[str, Plain]] = Field(
        default={}, description="Faults of a simulated device: power_cycle, or {LT-101.broken: true}."
    )
    restart: Literal["control", "manual"] | None = Field(
        default=None, description="Control starts again; manual: as after three crashes."
    )
    expect: dict[str, ExpectedOf] = Field(default={})
    check: Conditions = Field(default=[])
    alarms: dict[str, AlarmState] = Field(default={})
    events: list[dict[str, Plain]] = Field(default=[])
    within: Duration = Field(default=0, description="It may take so long to become so.")
    for_: Duration = Field(default=0, alias="for", description="It then stays so for so long.")


class Plant(Model):
    """What the tests of a file have in common, and what surrounds the program in each of them."""

    simulated: Flag | None = Field(
        default=None, description="The devices are played by the site's simulators."
    )
    seed: Whole | None = Field(default=None, description="Of the simulators' disturbances.")
    given: dict[str, GivenOf] = Field(default={})
    follow: dict[str, Follow] = Field(default={})


class Test(Plant):
    """A plant test."""

    description: str = ""
    start: str | None = Field(default=None, description="Time of the first scan at the site.")
    recording: str | None = Field(
        default=None, description="File beside this one: a stretch of a recording, in place of a plant."
    )
    series: dict[str, SeriesOf] = Field(default={})
    steps: list[Step] = Field(default=[])
    until: Duration | None = Field(default=None, description="Runs at least so long.")
    always: Conditions = Field(default=[], description="Is so in the plant in every scan.")
    never: Conditions = Field(default=[], description="Is so in the plant in no scan.")
    allow: Duration = Field(default=0, description="What always and never say may be broken for so long.")
    settle: Duration = Field(default=0, description="What always and never say is judged from then on.")


class Search(Model):
    """How long an invariant is looked into."""

    length: Period = Field(default=120_000_000_000, description="Of one sequence.")
    examples: Annotated[Whole, Field(ge=1, le=1_000_000)] = 100
    moves: Annotated[Whole, Field(ge=1, le=100)] = 12


class Invariant(Plant):
    """What must hold whatever happens: a violating sequence is searched for."""

    invariant: Condition
    description: str = ""
    start: str | None = Field(default=None, description="Time of the first scan at the site.")
    allow: Duration = Field(default=0, description="It may be false for so long.")
    settle: Duration = Field(default=0, description="Nothing is moved, and nothing is judged, for so long.")
    vary: dict[str, Vary | None] | None = Field(
        default=None, description="What the search may move in the plant; all that matters if left out."
    )
    requests: dict[str, list[Plain] | None] | None = Field(
        default=None,
        description="What people may write: [values], or nothing for any; all that matters if left out.",
    )
    role: Role = "operator"
    devices: list[str] = Field(default=[], description="Devices whose connection may be lost and come back.")
    restart: Flag = Field(default=False, description="Control may start again.")
    search: Search = Search()
