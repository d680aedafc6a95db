"""What people may do with an alarm in which state, and what happens to it then."""

from __future__ import annotations

from typing import Final, NamedTuple

from scada.alarms.state import (
    ACKNOWLEDGE,
    BY_REQUEST,
    CONFIRM,
    DISABLE,
    DISABLED,
    ENABLE,
    HOLD_BACK,
    LET_GO,
    ONE_SHOT,
    OUT_OF_SERVICE,
    REMOVE,
    RETURN,
    SHELVE,
    SHELVE_ONCE,
    SHELVED,
    SUPPRESSED,
    TO_CONFIRM,
    UNACKED,
    UNCONFIRMED,
    UNSHELVE,
    shown,
)
from tags import model

_NS: Final = (
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
)


class Order(NamedTuple):
    """What somebody wants done with an alarm.

    Attributes:
        kind: One of `scada.requests.message.ALARM_KINDS`.
        user: Who.
        source: Through what: `hmi`, `opcua`, ….
        role: The role of the user.
        comment: A text, "" to clear the comment, or None to leave it.
        for_ns: Of `shelve`: how long, ns; 0 until the alarm returns to normal.
    """

    kind: str
    user: str = ""
    source: str = ""
    role: str = ""
    comment: str | None = None
    for_ns: int = 0


def happening(order: Order, alarm: model.Alarm) -> str | None:
    """What `state.TABLE` calls it; None for a comment, which moves nothing."""
    match order.kind:
        case "acknowledge":
            return TO_CONFIRM if alarm.confirm else ACKNOWLEDGE
        case "shelve":
            return SHELVE if order.for_ns else SHELVE_ONCE
        case _:
            return _HAPPENING.get(order.kind)


_HAPPENING: Final = {
    "confirm": CONFIRM,
    "unshelve": UNSHELVE,
    "suppress": HOLD_BACK,
    "unsuppress": LET_GO,
    "remove": REMOVE,
    "return": RETURN,
    "disable": DISABLE,
    "enable": ENABLE,
}

# The bit that a kind sets or drops, and what is said when it stands so already.
_ALREADY: Final = {
    "unshelve": (SHELVED, False, "is not shelved"),
    "suppress": (BY_REQUEST, True, "is suppressed by request already"),
    "remove": (OUT_OF_SERVICE, True, "is out of service already"),
    "return": (OUT_OF_SERVICE, False, "is in service"),
    "enable": (DISABLED, False, "is enabled already"),
    "disable": (DISABLED, True, "is disabled already"),
}


def refusal(order: Order, alarm: model.Alarm, bits: int) -> str | None:
    """Why this cannot be done with the alarm now, or None.

    Args:
        order: Wanted.
        alarm: The alarm.
        bits: Its state.
    """
    path, kind = alarm.path, order.kind
    already = _ALREADY.get(kind)
    if already is not None and bool(bits & already[0]) is already[1]:
        return f"{path} {already[2]}"
    if bits & DISABLED and kind != "enable":
        return f"{path} is disabled: enable it first"
    match kind:
        case "acknowledge" if not shown(bits) & UNACKED:
            return f"{path} has nothing to acknowledge"
        case "confirm" if not alarm.confirm:
            return f"{path} wants no confirmation"
        case "confirm" if not shown(bits) & UNCONFIRMED:
            return f"{path} has nothing to confirm"
        case "comment" if order.comment is None:
            return f"{path}: a comment has a text"
        case "unsuppress" if not bits & BY_REQUEST:
            return f"{path} is not suppressed by request{', but by design' if bits & SUPPRESSED else ''}"
        case "shelve":
            return _shelf_refusal(order, alarm, bits)
    return None


def _shelf_refusal(order: Order, alarm: model.Alarm, bits: int) -> str | None:
    if not alarm.shelve_max_ns:
        return f"{alarm.path} may not be shelved"
    if order.for_ns > alarm.shelve_max_ns:
        return f"{alarm.path} may be shelved for {duration_text(alarm.shelve_max_ns)} at most"
    if not order.for_ns and bits & ONE_SHOT:
        return f"{alarm.path} is shelved until it returns to normal already"
    return None


def duration_text(ns: int) -> str:
    """A duration in its largest unit."""
    for unit, size in _NS:
        if ns >= size:
            return f"{ns / size:g} {unit}"
    return f"{ns / 1e6:g} ms"
