"""Plant tests as they run: times in ns since the first scan, values in the tags' own units and types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tags.expression import Expression
from tags.site.problems import Place
from tags.types import Value


@dataclass(frozen=True, slots=True)
class Point:
    """A value at a time.

    Attributes:
        time_ns: Since the first scan, ns.
        value: None: the value stays, only its quality changes.
        status: OPC UA status; None: as it was, or Good again after another one in the same series.
    """

    time_ns: int
    value: Value | None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """What a device holds over time.

    Attributes:
        path: The tag.
        points: Times rise.
        step: Each value stays until the next; else straight lines between numbers.
    """

    path: str
    points: tuple[Point, ...]
    step: bool = False


@dataclass(frozen=True, slots=True)
class Follow:
    """How a device makes a value of others. One of `of`, `rate`, and `start` with `stop` is set.

    Attributes:
        path: The tag.
        of: What it goes to.
        rate: How fast it changes, its unit per second.
        start: Pulse that starts it.
        stop: Pulse that stops it.
        time_ns: For its whole range; of a bool: the delay, ns.
        lag_ns: Time constant of a first-order lag, ns.
        low: Least value.
        high: Largest value.
    """

    path: str
    of: Expression | None = None
    rate: Expression | None = None
    start: str | None = None
    stop: str | None = None
    time_ns: int = 0
    lag_ns: int = 0
    low: float = float("-inf")
    high: float = float("inf")


@dataclass(frozen=True, slots=True)
class Plant:
    """What surrounds the program.

    Attributes:
        simulated: The site's simulators play its devices.
        seed: Of their disturbances.
        given: What devices hold before the first scan.
        follow: How devices make values of others.
        start: Civil time of the first scan at the site, ISO 8601; None for a Monday noon.
    """

    simulated: bool = False
    seed: int = 1
    given: tuple[Series, ...] = ()
    follow: tuple[Follow, ...] = ()
    start: str | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """A request of somebody.

    Attributes:
        kind: `write`, `acknowledge`, `force`, `unforce`, `bypass` or `unbypass`.
        items: Path and value.
        role: Of who asks.
        user: Who asks.
        reason: In the asker's words.
        for_ns: Of a force or a bypass, ns.
    """

    kind: str
    items: tuple[tuple[str, Any], ...]
    role: str = "operator"
    user: str = "tester"
    reason: str = ""
    for_ns: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """Something that is to be so.

    Attributes:
        place: Where it is written.
        kind: `value`, `condition`, `alarm`, `event` or `outcome`.
        subject: A tag's or alarm's path, or the text of the condition.
        value: For `value` what is expected, or None; for `alarm` its state; for `outcome` the status, or None.
        low: Least value, or None.
        high: Largest value, or None.
        strict: The bounds themselves are outside (`above`, `below`).
        quality: Name of a status, or a kind of statuses; for `outcome` part of the reason; or None.
        expression: The condition.
        fields: Of the event.
    """

    place: Place
    kind: str
    subject: str
    value: Value | None = None
    low: float | None = None
    high: float | None = None
    strict: bool = False
    quality: str | None = None
    expression: Expression | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One moment of a test.

    Attributes:
        time_ns: Since the first scan, ns.
        place: Where it is written.
        series: What devices hold from now on; times since the first scan.
        asks: Requests, in order.
        devices: Device to True (back) or False (lost).
        inject: Device to an action or to knobs.
        restart: `control`, `manual` or None.
        checks: What is then so.
        within_ns: It may take so long, ns.
        for_ns: It then stays so for so long, ns.
    """

    time_ns: int
    place: Place
    series: tuple[Series, ...] = ()
    asks: tuple[Ask, ...] = ()
    devices: Mapping[str, bool] = field(default_factory=dict)
    inject: Mapping[str, Any] = field(default_factory=dict)
    restart: str | None = None
    checks: tuple[Check, ...] = ()
    within_ns: int = 0
    for_ns: int = 0


@dataclass(frozen=True, slots=True)
class PlantTest:
    """A plant test.

    Attributes:
        name: As written.
        place: Where it is written.
        plant: What surrounds the program.
        steps: In order of time.
        until_ns: It runs at least so long, ns.
        always: Conditions that are so in the plant in every scan.
        never: Conditions that are so in the plant in no scan.
        allow_ns: They may be broken for so long, ns.
        settle_ns: They are judged from then on, ns.
        recording: File of a recording that is run again in place of a plant, or None.
        description: For people.
    """

    name: str
    place: Place
    plant: Plant
    steps: tuple[Step, ...] = ()
    until_ns: int = 0
    always: tuple[Check, ...] = ()
    never: tuple[Check, ...] = ()
    allow_ns: int = 0
    settle_ns: int = 0
    recording: Path | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Vary:
    """How the search may move a value of the plant.

    Attributes:
        path: The tag.
        values: Only these; none: the search chooses.
        low: Least value that it chooses.
        high: Largest value that it chooses.
        rate: Units per second; 0: at once.
        bad: Its measurement may fail.
    """

    path: str
    values: tuple[Value, ...] = ()
    low: float = float("-inf")
    high: float = float("inf")
    rate: float = 0.0
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Invariant:
    """What must hold whatever happens.

    Attributes:
        name: As written.
        place: Where it is written.
        plant: What surrounds the program.
        check: The condition.
        allow_ns: It may be false for so long, ns.
        settle_ns: Nothing is moved or judged for so long, ns.
        vary: What may be moved in the plant; None: all that matters.
        requests: What people may write; None: all that matters.
        role: Of these people.
        devices: Whose connection may be lost and come back.
        restart: Control may start again.
        length_ns: Of one sequence, ns.
        examples: How many sequences are tried.
        moves: How many moves a sequence has at most.
        description: For people.
    """

    name: str
    place: Place
    plant: Plant
    check: Check
    allow_ns: int = 0
    settle_ns: int = 0
    vary: tuple[Vary, ...] | None = None
    requests: tuple[Vary, ...] | None = None
    role: str = "operator"
    devices: tuple[str, ...] = ()
    restart: bool = False
    length_ns: int = 120_000_000_000
    examples: int = 100
    moves: int = 12
    description: str = ""
