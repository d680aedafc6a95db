"""HistoryUpdate (OPC 10000-11 §6.8): what engineers insert, replace and delete, as corrections that the historian keeps.

Works in the historian's worker thread. What was stored stays; a correction has its user, its time and the audit trail.
A sample is met by its time in units of 100 ns, as the wire has it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from asyncua import ua

from scada.client import Client, EditError
from scada.opcua.history import exact
from scada.opcua.history.reads import RefusedError
from scada.opcua.types import VARIANT
from tags.model import Tag
from tags.types import STRING, Value, coerce

VALUES_MAX: Final = 1000
"""Values in one operation: each is looked up."""
TIMES_MAX: Final = 250
"""Times in one DeleteAtTime: each becomes a correction of its own, with its entry in the audit trail."""
_INSERT, _REPLACE, _UPDATE = 1, 2, 3  # PerformUpdateType
_KIND: Final = {_INSERT: "insert", _REPLACE: "replace", _UPDATE: "update"}
_WHY: Final = "over OPC UA"


class By(NamedTuple):
    """Who corrects.

    Attributes:
        user: Name.
        role: Of the site.
        entry: AuditEntryId of the request.
    """

    user: str
    role: str
    entry: str

    @property
    def reason(self) -> str:
        """For the record: OPC UA has no field for it but the client's own audit id."""
        return f"{_WHY}: {self.entry}" if self.entry.strip() else _WHY


@dataclass(slots=True)
class Done:
    """What one operation answers.

    Attributes:
        status: Of the whole.
        each: Of each value or time.
        kind: Of the audit event.
        what: For the record.
    """

    status: int = int(ua.StatusCodes.Good)
    each: list[int] = field(default_factory=list)
    kind: str = "Value"
    what: dict[str, Any] = field(default_factory=dict)


Update = Callable[[Client, Tag, By], Done]


def updater(details: Any) -> Update:
    """What is to be done for one element of HistoryUpdateDetails.

    Args:
        details: Decoded.

    Raises:
        RefusedError: There is no such operation here.
    """
    match details:
        case exact.UpdateDataDetails():
            return lambda client, tag, by: _put(client, tag, by, details)
        case exact.DeleteRawModifiedDetails():
            return lambda client, tag, by: _delete(client, tag, by, details)
        case exact.DeleteAtTimeDetails():
            return lambda client, tag, by: _delete_times(client, tag, by, details)
    raise RefusedError(ua.StatusCodes.BadHistoryOperationUnsupported)


def _put(client: Client, tag: Tag, by: By, details: exact.UpdateDataDetails) -> Done:
    kind = _KIND.get(details.PerformInsertReplace)
    if kind is None:
        raise RefusedError(ua.StatusCodes.BadHistoryOperationUnsupported)
    values = details.UpdateValues or []
    _bounded(values, VALUES_MAX)
    each: list[int] = []
    wanted: dict[int, tuple[Value, int]] = {}
    for one in values:
        status, t, value = _checked(client, tag, one, kind, wanted)
        each.append(status)
        if status in _TAKEN:
            code = one.StatusCode.value if one.StatusCode is not None else 0
            wanted[t] = (value, int(code))
    done = Done(each=each, what={"perform": details.PerformInsertReplace, "count": len(wanted)})
    if wanted:
        samples = [(t, value, code) for t, (value, code) in sorted(wanted.items())]
        try:
            client.corrections(by.user, by.role).put(tag.path, samples, by.reason, kind)
        except EditError:  # somebody else was quicker, or there is more than can be corrected at once
            clash = ua.StatusCodes.BadEntryExists if kind == "insert" else ua.StatusCodes.BadNoEntryExists
            done.each = [int(clash) if status in _TAKEN else status for status in each]
    return done


_TAKEN: Final = frozenset({int(ua.StatusCodes.GoodEntryInserted), int(ua.StatusCodes.GoodEntryReplaced)})


def _checked(
    client: Client, tag: Tag, one: exact.Value, kind: str, before: dict[int, Any]
) -> tuple[int, int, Value]:
    """Status, time and value of a value in a request."""
    codes = ua.StatusCodes
    asked = exact.time_of(one)
    if asked is None:
        return codes.BadInvalidTimestamp, 0, False
    variant = one.Value
    bad = one.StatusCode is not None and one.StatusCode.value >> 31 == 1
    if variant is None or variant.Value is None or isinstance(variant.Value, list):
        if not bad or (variant is not None and isinstance(variant.Value, list)):
            return codes.BadTypeMismatch, 0, False
        value: Value = coerce(tag.type, 0)
    elif variant.VariantType != VARIANT[tag.type]:
        return codes.BadTypeMismatch, 0, False
    else:
        try:
            value = coerce(tag.type, variant.Value)
        except ValueError:
            return codes.BadOutOfRange, 0, False
    there = _sample_at(client, tag, asked)
    known = there is not None or asked in before
    t = asked if there is None else there
    if kind == "insert" and known:
        return codes.BadEntryExists, t, value
    if kind == "replace" and not known:
        return codes.BadNoEntryExists, t, value
    return (codes.GoodEntryReplaced if known else codes.GoodEntryInserted), t, value


def _delete(client: Client, tag: Tag, by: By, details: exact.DeleteRawModifiedDetails) -> Done:
    start, end = exact.utc_ns(details.StartTime), exact.utc_ns(details.EndTime)
    if details.IsDeleteModified:
        raise RefusedError(ua.StatusCodes.BadHistoryOperationUnsupported)
    if start is None or end is None or end < start:
        raise RefusedError(ua.StatusCodes.BadInvalidTimestampArgument)
    what = {"start": start, "end": end, "deleted": False}
    past = end if end > start else start + exact.TICK_NS
    try:
        client.corrections(by.user, by.role).delete(tag.path, start, past, by.reason)
    except EditError:
        empty = not len(client.history(tag.path, start, past, 1).t)
        status = ua.StatusCodes.BadNoData if empty else ua.StatusCodes.BadTooManyOperations
        return Done(int(status), kind="RawModify", what=what)
    return Done(kind="RawModify", what=what)


def _delete_times(client: Client, tag: Tag, by: By, details: exact.DeleteAtTimeDetails) -> Done:
    times = [exact.utc_ns(ticks) for ticks in details.ReqTimes or []]
    _bounded(times, TIMES_MAX)
    corrections = client.corrections(by.user, by.role)
    done = Done(kind="AtTime", what={"times": [t for t in times if t is not None]})
    for t in times:
        status = int(ua.StatusCodes.BadInvalidTimestamp if t is None else ua.StatusCodes.BadNoEntryExists)
        if t is not None and _sample_at(client, tag, t) is not None:
            corrections.delete(tag.path, t, t + exact.TICK_NS, by.reason)
            status = int(ua.StatusCodes.Good)
        done.each.append(status)
    return done


def _sample_at(client: Client, tag: Tag, t: int) -> int | None:
    """The time of the sample in the 100 ns that a time stands for; None for none."""
    start = t - t % exact.TICK_NS
    here = client.history(tag.path, start, start + exact.TICK_NS, 10).t
    if not len(here):
        return None
    return t if t in here else int(here[0])


def _bounded(values: Sequence[object], most: int) -> None:
    if not values:
        raise RefusedError(ua.StatusCodes.BadNothingToDo)
    if len(values) > most:
        raise RefusedError(ua.StatusCodes.BadTooManyOperations)


def possible(tag: Tag) -> None:
    """Raises `RefusedError` for a tag that cannot be corrected: a text."""
    if tag.type == STRING:
        raise RefusedError(ua.StatusCodes.BadHistoryOperationUnsupported)
