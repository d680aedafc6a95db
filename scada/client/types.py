"""What a client hands out: plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from scada.alarms.state import (
    ACTIVE,
    BY_REQUEST,
    DISABLED,
    ONE_SHOT,
    OUT_OF_SERVICE,
    SHELVED,
    SUPPRESSED,
    UNCONFIRMED,
)
from scada.alarms.state import UNACKED as UNACKNOWLEDGED
from tags import quality
from tags.model import Alarm
from tags.types import Value

ATTENTION = ACTIVE | UNACKNOWLEDGED | UNCONFIRMED
PUT_ASIDE = SHELVED | OUT_OF_SERVICE | BY_REQUEST | DISABLED
_HIDDEN = SUPPRESSED | SHELVED | OUT_OF_SERVICE | DISABLED

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


class Note(NamedTuple):
    """What somebody did with an alarm.

    Attributes:
        t_ns: When, ns UTC.
        user: Who, or "".
        text: The comment, or "".
    """

    t_ns: int
    user: str
    text: str


@dataclass(frozen=True, slots=True)
class Condition:
    """All that is known of one alarm, at rest or not.

    Attributes:
        alarm: What it is.
        bits: 1 active, 2 unacknowledged, 4 suppressed, 8 shelved, 16 out of service, 32 to be confirmed, 64 disabled, 128
            shelved until it returns to normal, 256 suppressed by request.
        number: Of its last event; grows, and no two events of a control have the same. 0 for never.
        t_ns: Of that event, ns UTC; 0 for never.
        active_ns: When it last became active, ns UTC; 0 when not known.
        inactive_ns: When it last returned to normal, ns UTC; 0 when not known.
        unshelve_ns: When its shelf ends, ns UTC; 0 for not shelved.
        acknowledged: Of its last activation, or None.
        confirmed: Of its last activation, or None.
        comment: The last one, or None; with an empty text it was cleared.
        shelved: Who shelved it and why, while it is.
        suppressed: Who suppressed it and why, while it is, by request.
        removed: Who took it out of service and why, while it is.
        disabled: Who disabled it and why, while it is.
    """

    alarm: Alarm
    bits: int
    number: int = 0
    t_ns: int = 0
    active_ns: int = 0
    inactive_ns: int = 0
    unshelve_ns: int = 0
    acknowledged: Note | None = None
    confirmed: Note | None = None
    comment: Note | None = None
    shelved: Note | None = None
    suppressed: Note | None = None
    removed: Note | None = None
    disabled: Note | None = None

    @property
    def active(self) -> bool:
        """The condition holds."""
        return bool(self.bits & ACTIVE)

    @property
    def unacknowledged(self) -> bool:
        """Nobody has said that he knows."""
        return bool(self.bits & UNACKNOWLEDGED)

    @property
    def unconfirmed(self) -> bool:
        """Nobody has said yet that what was to be done is done."""
        return bool(self.bits & UNCONFIRMED)

    @property
    def enabled(self) -> bool:
        """Its condition is looked at."""
        return not self.bits & DISABLED

    @property
    def one_shot(self) -> bool:
        """Shelved until it returns to normal."""
        return bool(self.bits & ONE_SHOT)

    @property
    def retain(self) -> bool:
        """It is of interest to somebody who begins to look (OPC 10000-9, 5.5.2: Retain)."""
        return bool(self.bits & ATTENTION) and self.enabled

    @property
    def aside(self) -> Note | None:
        """Who has put it aside and why: disabled, out of service, shelved or suppressed."""
        return self.disabled or self.removed or self.shelved or self.suppressed


@dataclass(frozen=True, slots=True)
class AlarmState:
    """One alarm as a list shows it.

    Attributes:
        path: Of the alarm.
        tag: Path of the tag that it watches.
        bits: As of `Condition`.
        since_ns: When it last became active (or reached this state, when that is not known), UTC, ns.
        priority: `critical`, `high`, `medium` or `low`.
        message: What is wrong.
        response: What the operator should do.
        value: Of the watched tag now.
        condition: All that is known of it.
    """

    path: str
    tag: str
    bits: int
    since_ns: int
    priority: str
    message: str
    response: str
    value: Value
    condition: Condition

    @property
    def active(self) -> bool:
        """The condition holds."""
        return bool(self.bits & ACTIVE)

    @property
    def unacknowledged(self) -> bool:
        """Nobody has said that he knows."""
        return bool(self.bits & UNACKNOWLEDGED)

    @property
    def unconfirmed(self) -> bool:
        """Nobody has said yet that what was to be done is done."""
        return bool(self.bits & UNCONFIRMED)

    @property
    def hidden(self) -> bool:
        """Suppressed, shelved, out of service or disabled: not for the list of what wants attention."""
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
