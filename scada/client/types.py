"""What a client hands out: plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from tags import quality
from tags.types import Value

ACTIVE, UNACKNOWLEDGED, SUPPRESSED, SHELVED, OUT_OF_SERVICE = 1, 2, 4, 8, 16
_HIDDEN = SUPPRESSED | SHELVED | OUT_OF_SERVICE

FINAL = frozenset({"confirmed", "rejected", "timed out", "mismatched", "superseded"})


@dataclass(frozen=True, slots=True)
class Sample:
    """One tag as it is shown now.

    Attributes:
        path: Of the tag.
        value: By the tag's type; the last one known when `status` is not good.
        status: OPC UA StatusCode, staleness already applied.
        source_ns: When the value was true at its source, UTC, ns; 0 when never.
        age_s: Since its writer last published it, s; None when it never did.
        version: Moves with each change of value or status.
    """

    path: str
    value: Value
    status: int
    source_ns: int
    age_s: float | None
    version: int

    @property
    def good(self) -> bool:
        """The severity of `status` is good."""
        return quality.is_good(self.status)

    @property
    def quality(self) -> str:
        """The name of `status`, for example `BadNoCommunication`."""
        return quality.name(self.status)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request.

    Attributes:
        id: The request's.
        status: `confirmed`, `rejected`, `timed out`, `mismatched` or `superseded` at the end; before that
            `submitted`, `accepted` or `sent`.
        reasons: What refuses it, or why it ended so; empty when confirmed.
        items: Path and new value of each item, as control took them.
        old: The values before, in the order of `items`.
    """

    id: str
    status: str
    reasons: tuple[str, ...] = ()
    items: tuple[tuple[str, Value | None], ...] = ()
    old: tuple[Value | None, ...] = ()

    @property
    def ok(self) -> bool:
        """It was done, and seen to be done."""
        return self.status == "confirmed"

    @property
    def final(self) -> bool:
        """Nothing more will come."""
        return self.status in FINAL


@dataclass(frozen=True, slots=True)
class AlarmState:
    """One alarm that is not at rest.

    Attributes:
        path: Of the alarm.
        tag: Path of the tag that it watches.
        bits: 1 active, 2 unacknowledged, 4 suppressed by design, 8 shelved, 16 out of service.
        since_ns: When it last became active (or reached this state, when that is not known), UTC, ns.
        priority: `critical`, `high`, `medium` or `low`.
        message: What is wrong.
        response: What the operator should do.
        value: Of the watched tag now.
    """

    path: str
    tag: str
    bits: int
    since_ns: int
    priority: str
    message: str
    response: str
    value: Value

    @property
    def active(self) -> bool:
        """The condition holds."""
        return bool(self.bits & ACTIVE)

    @property
    def unacknowledged(self) -> bool:
        """Nobody has said that he knows."""
        return bool(self.bits & UNACKNOWLEDGED)

    @property
    def hidden(self) -> bool:
        """Suppressed by design, shelved or out of service: not for the list of what wants attention."""
        return bool(self.bits & _HIDDEN)


@dataclass(frozen=True, slots=True)
class ServiceState:
    """One service of the plant.

    Attributes:
        name: For example `field`.
        state: `stopped`, `starting`, `running`, `restarting` or `failed` as the supervisor says;
            `not responding` when its heartbeat stands still.
        heartbeat_age_s: Since its heartbeat was seen to move, s; at the first look since its last publish; None
            when it never lived.
        epoch: How many times the plant's services were started when it was.
        memory: Its memory, MB; None when unknown.
    """

    name: str
    state: str
    heartbeat_age_s: float | None
    epoch: int
    memory: float | None


@dataclass(frozen=True, slots=True)
class Force:
    """One tag held by hand.

    Attributes:
        path: Of the tag.
        value: That it is held at.
        expires_utc_ns: When the force ends by itself, UTC, ns; None when not known here.
        user: Who forced it, or "".
        reason: Why, or "".
    """

    path: str
    value: Value
    expires_utc_ns: int | None
    user: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Bypass:
    """One protection that is out of action.

    Attributes:
        path: An interlock, or `<matrix>/<cause>`.
        until_ns: When it ends by itself, UTC, ns.
        since_ns: Since when, UTC, ns.
        user: Who bypassed it.
        reason: Why.
    """

    path: str
    until_ns: int
    since_ns: int
    user: str
    reason: str
