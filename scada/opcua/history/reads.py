"""What HistoryRead answers for one node: raw, at-time and processed (OPC 10000-11 §6.5, OPC 10000-13).

Works in the historian's worker thread, on a client of the plant; values are encoded as arrays (`encode`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from asyncua import ua

from scada.client import DURATIONS, OPCUA_NAMES, Client, Intervals
from scada.opcua import limits
from scada.opcua.history import encode
from scada.opcua.history.continuation import Place
from scada.opcua.history.exact import (
    ReadAtTimeDetails,
    ReadProcessedDetails,
    ReadRawModifiedDetails,
    utc_ns,
)
from tags.model import Tag
from tags.quality import BAD_BOUND_NOT_FOUND
from tags.types import FLOAT64, FLOATS, INT32, STRING

VALUES_MAX: Final = limits.HISTORY_VALUES_PER_NODE
ANSWER_MAX: Final = limits.HISTORY_VALUES_PER_ANSWER
TIMES_MAX: Final = limits.HISTORY_VALUES_PER_NODE
_FAR: Final = 2**62  # after every sample that can be
_BEFORE: Final = -1
_COUNTS: Final = frozenset({"count", "number-of-transitions"})
_OF_THE_TAG: Final = frozenset({
    "min", "max", "sample-min", "sample-max", "first", "last", "start-bound", "end-bound", "interpolative",
})  # fmt: skip

AGGREGATES: Final = {
    int(getattr(ua.ObjectIds, f"AggregateFunction_{opcua}")): name for name, opcua in OPCUA_NAMES.items()
}


class Found(NamedTuple):
    """What one node answers.

    Attributes:
        status: Of the operation.
        body: DataValues.
        after: Where to go on; None at the end.
        modified: It is HistoryModifiedData.
    """

    status: int
    body: bytes
    after: Place | None = None
    modified: bool = False


class RefusedError(Exception):
    """Why one node has no answer.

    Attributes:
        status: OPC UA status code.
    """

    def __init__(self, status: int) -> None:
        super().__init__(hex(status))
        self.status = status


Read = Callable[[Client, Tag, Place | None], Found]


def raw(client: Client, tag: Tag, details: ReadRawModifiedDetails, place: Place | None, most: int) -> Found:
    """Stored samples (§6.5.3): two of start, end and number have to be given.

    Args:
        client: Of the plant.
        tag: Whose.
        details: What the client wants.
        place: Where it goes on.
        most: Samples in one answer.
    """
    asked = details.NumValuesPerNode
    first = place is None
    place = place or _asked_for(details)
    limit = min(place.left if place.open else asked or most, most)
    samples, after = client.history_page(
        tag.path, place.start_ns, place.end_ns, limit, place.cursor, bounds=place.bounds
    )
    t, bits, status, texts = samples.t, samples.bits, samples.status, samples.texts
    if place.open and len(t) and status[-1] == BAD_BOUND_NOT_FOUND and t[-1] == place.end_ns:
        t, bits, status = t[:-1], bits[:-1], status[:-1]
        texts = None if texts is None else texts[:-1]
    body = encode.numbers(tag.type, t, bits, status) if texts is None else encode.texts(t, texts, status)
    left = place.left - len(t) if place.open else 0
    goes_on = after is not None and (not place.open or left > 0)
    nothing = first and not len(t) and not goes_on
    code = ua.StatusCodes.GoodNoData if nothing else ua.StatusCodes.Good
    return Found(code, body, replace(place, cursor=after, left=left) if goes_on else None)


def _asked_for(details: ReadRawModifiedDetails) -> Place:
    start, end, number = utc_ns(details.StartTime), utc_ns(details.EndTime), details.NumValuesPerNode
    if start is not None and end is not None:
        return Place(start, end, bounds=details.ReturnBounds)
    if not number or (start is None and end is None):
        raise RefusedError(ua.StatusCodes.BadHistoryOperationInvalid)
    if end is None and start is not None:
        return Place(start, _FAR, left=number, bounds=details.ReturnBounds, open=True)
    assert end is not None
    return Place(end, _BEFORE, left=number, bounds=details.ReturnBounds, open=True)


def at_time(client: Client, tag: Tag, details: ReadAtTimeDetails) -> Found:
    """Values at given times (§6.5.5), interpolated or held by the tag's kind."""
    if tag.type == STRING:
        raise RefusedError(ua.StatusCodes.BadHistoryOperationUnsupported)
    moments = [utc_ns(moment) for moment in details.ReqTimes]
    times = [0 if moment is None else moment for moment in moments]
    values, status = client.history_at(tag.path, times, bridge=not details.UseSimpleBounds)
    return Found(
        ua.StatusCodes.Good if times else ua.StatusCodes.GoodNoData,
        encode.numbers(tag.type, np.array(times, np.int64), _bits(values, tag.type), status),
    )


def processed(
    client: Client,
    tag: Tag,
    details: ReadProcessedDetails,
    wanted: ua.NodeId,
    place: Place | None,
    most: int,
) -> Found:
    """One value for each interval (§6.5.4, OPC 10000-13); from the end on when that is before the start.

    Args:
        client: Of the plant.
        tag: Whose.
        details: What the client wants.
        wanted: Which aggregate.
        place: Where it goes on.
        most: Intervals in one answer.
    """
    name = AGGREGATES.get(wanted.Identifier) if wanted.NamespaceIndex == 0 else None
    if name is None:
        raise RefusedError(ua.StatusCodes.BadAggregateNotSupported)
    if tag.type == STRING:
        raise RefusedError(ua.StatusCodes.BadAggregateInvalidInputs)
    uncertain = _uncertain(details.AggregateConfiguration)
    start, end = (
        (place.start_ns, place.end_ns) if place else (utc_ns(details.StartTime), utc_ns(details.EndTime))
    )
    if start is None or end is None or not 0 <= details.ProcessingInterval < 1e15:
        raise RefusedError(ua.StatusCodes.BadHistoryOperationInvalid)
    if start == end:  # OPC 10000-13 §5.4.2.2, table 12
        raise RefusedError(ua.StatusCodes.BadInvalidArgument)
    span = abs(end - start)
    length = round(details.ProcessingInterval * 1e6) or span
    back = end < start
    covered = min(length * most, span)
    stop = start - covered if back else start + covered
    found = client.aggregate(
        tag.path, name, min(start, stop), max(start, stop), length, uncertain=uncertain, origin_ns=start
    )
    body = _intervals(found, name, tag.type, back=back)
    return Found(ua.StatusCodes.Good, body, None if stop == end else Place(stop, end))


def _intervals(found: Intervals, name: str, tag_type: str, *, back: bool) -> bytes:
    """Going back an interval begins at its later end."""
    turn = slice(None, None, -1 if back else 1)
    times = found.end if back else found.start
    values = found.value * 1000 if name in DURATIONS else found.value  # OPC UA has ms
    type_ = INT32 if name in _COUNTS else tag_type if name in _OF_THE_TAG else FLOAT64
    return encode.numbers(type_, times[turn], _bits(values, type_)[turn], found.status[turn])


def _uncertain(wanted: ua.AggregateConfiguration) -> bool:
    """Whether Uncertain samples are calculated with; refuses rules that there are not."""
    if wanted is None or wanted.UseServerCapabilitiesDefaults:
        return False
    if (wanted.PercentDataBad, wanted.PercentDataGood) != (100, 100) or wanted.UseSlopedExtrapolation:
        raise RefusedError(ua.StatusCodes.BadAggregateConfigurationRejected)
    return not wanted.TreatUncertainAsBad


def _bits(values: npt.NDArray[np.float64], type_: str) -> npt.NDArray[np.uint64]:
    if type_ in FLOATS:
        return np.ascontiguousarray(values).view(np.uint64)
    return np.rint(np.nan_to_num(values)).astype(np.int64).view(np.uint64)
