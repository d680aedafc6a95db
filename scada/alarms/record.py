"""What is known of an alarm beside its state: since when, who did what and why. Made of its events, and of nothing else.

Control keeps the record of each alarm over a restart; whoever follows the events makes the same record with the same
function (`follow`). Stored as a plain tuple, so that a checkpoint copies it as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from scada.alarms.state import ACTIVE, BY_REQUEST, DISABLED, OUT_OF_SERVICE, SHELVED

Note = tuple[int, str, str]
"""When (ns UTC), who ("" for nobody), and the comment."""


class Record(NamedTuple):
    """The record of one alarm.

    Attributes:
        number: Of its last event; grows, and no two events of a control have the same.
        t_ns: Of that event, ns UTC; 0 for never.
        active_ns: When it last became active, ns UTC; 0 for never.
        inactive_ns: When it last returned to normal, ns UTC; 0 for never.
        unshelve_ns: When its shelf ends, ns UTC; 0 for not shelved.
        acknowledged: Of its last activation, or None.
        confirmed: Of its last activation, or None.
        comment: The last one, or None.
        shelved: While it is.
        suppressed: While it is, by request.
        removed: While it is out of service.
        disabled: While it is.
    """

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


EMPTY: Final = Record()
_OF_PROCESS: Final = frozenset({"raise", "clear"})


def follow(record: Record, event: Mapping[str, Any]) -> Record:
    """The record after an event of the alarm.

    Args:
        record: Before; `EMPTY` at first.
        event: Of the kind `alarm`, of this alarm.
    """
    _, _, active, inactive, ends, seen, confirmed, comment, shelved, suppressed, removed, disabled = record
    t_ns, before, to, action = event["t"], event["from"], event["to"], event.get("action", "")
    rose = to & ACTIVE and not before & ACTIVE
    known = active
    active = event.get("active", t_ns if rose else active)
    inactive = event.get("inactive", t_ns if before & ACTIVE and not to & ACTIVE else inactive)
    if rose or active != known:  # or it came anew while it was masked, which nobody is told
        seen = confirmed = None
    if action not in _OF_PROCESS:
        words = event.get("comment")
        note = (t_ns, event.get("user", ""), words or "")
        if words is not None:
            comment = note
        match action:
            case "acknowledge":
                seen = note
            case "confirm":
                confirmed = note
            case "shelve":
                shelved, ends = note, event.get("until", 0)
            case "clock":
                ends = event.get("until", 0)
            case "suppress" if to & BY_REQUEST:
                suppressed = note
            case "remove":
                removed = note
            case "disable":
                disabled = note
    if not to & SHELVED:
        shelved, ends = None, 0
    return Record(
        number_of(event),
        t_ns,
        active,
        inactive,
        ends,
        seen,
        confirmed,
        comment,
        shelved,
        suppressed if to & BY_REQUEST else None,
        removed if to & OUT_OF_SERVICE else None,
        disabled if to & DISABLED else None,
    )


def number_of(event: Mapping[str, Any]) -> int:
    """The number of an event; those of older versions have none, and count as of their time."""
    number: int = event.get("number", event["t"])
    return number


def parse(found: Any) -> Record | None:
    """The record that JSON brought back, or None when it is none."""
    if not isinstance(found, list | tuple) or len(found) != len(Record._fields):
        return None
    times, notes = found[:5], found[5:]
    if not all(type(one) is int for one in times):
        return None
    made: list[Note | None] = []
    for note in notes:
        if note is None:
            made.append(None)
        elif (
            isinstance(note, list | tuple)
            and len(note) == 3
            and type(note[0]) is int
            and isinstance(note[1], str)
            and isinstance(note[2], str)
        ):
            made.append((note[0], note[1], note[2]))
        else:
            return None
    return Record(*times, *made)
