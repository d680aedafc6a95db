"""What a client asks for and what it gets (OPC 10000-4 §5.13.2, §5.14.2, §7.21, §7.22). Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from asyncua import ua

from scada.opcua import limits
from scada.opcua.subscriptions.items import NO_BAND, STATUS_VALUE, Wanted
from tags.model import Tag
from tags.types import BOOL, STRING

Codes = ua.StatusCodes
LIVES_MS: Final = 3_600_000.0
"""How long a subscription outlives its client, at most, as far as its own intervals allow."""
_NO_BAND, _ABSOLUTE, _PERCENT = 0, 1, 2


class RefusedError(Exception):
    """Why an item is not made or changed: `status` is an OPC UA status code."""

    def __init__(self, status: int) -> None:
        super().__init__(hex(status))
        self.status = status


@dataclass(frozen=True, slots=True)
class Pace:
    """Revised times of a subscription.

    Attributes:
        interval_ms: Publishing interval.
        keep_alive: Publishings without news until a keep-alive.
        lifetime: Publishings without a client until the end.
    """

    interval_ms: float
    keep_alive: int
    lifetime: int


def pace(interval_ms: float, keep_alive: int, lifetime: int) -> Pace:
    """What a client gets of the times that it wants (OPC 10000-4 §5.14.2.2).

    Args:
        interval_ms: Requested; 0, negative and what is no number are the shortest.
        keep_alive: Requested MaxKeepAliveCount; 0 for ours.
        lifetime: Requested LifetimeCount.
    """
    interval = to_tick(interval_ms, *limits.PUBLISHING_MS)
    most = max(1, min(limits.KEEP_ALIVE_COUNT, int(LIVES_MS / 3 / interval)))
    beats = min(keep_alive, most) if keep_alive > 0 else min(10, most)
    longest = max(3 * beats, min(limits.LIFETIME_COUNT, int(LIVES_MS / interval)))
    return Pace(interval, beats, max(3 * beats, min(lifetime, longest)))


def to_tick(wanted_ms: float, shortest: float, longest: float) -> float:
    """An interval that our looks at the plant can keep: a multiple of theirs, within bounds."""
    if not wanted_ms > shortest:  # also what is no number
        return shortest
    if wanted_ms >= longest:
        return longest
    return math.ceil(round(wanted_ms / limits.SAMPLING_MS, 6)) * limits.SAMPLING_MS


def sampling_ms(wanted_ms: float, interval_ms: float) -> float:
    """The sampling interval that an item gets; negative is that of its subscription (OPC 10000-4 §7.21)."""
    if wanted_ms < 0:
        return interval_ms
    return to_tick(wanted_ms, limits.SAMPLING_MS, limits.PUBLISHING_MS[1])


def wanted(
    parameters: ua.MonitoringParameters,
    mode: int,
    stamps: int,
    interval_ms: float,
    room: int,
    *,
    row: int = 0,
    tag: Tag | None = None,
    value: bool = True,
) -> Wanted:
    """An item as it is revised.

    Args:
        parameters: Requested.
        mode: MonitoringMode.
        stamps: TimestampsToReturn.
        interval_ms: Of the subscription.
        room: How many values its queue may have at most.
        row: Of the tag.
        tag: Whose value it is; None for anything else.
        value: It is the attribute Value.

    Raises:
        RefusedError: It cannot be.
    """
    if not 0 <= int(mode) <= 2:
        raise RefusedError(Codes.BadMonitoringModeInvalid)
    trigger, band = _filter(parameters.Filter, tag, value=value)
    queue = min(max(int(parameters.QueueSize), 1), limits.QUEUE_PER_ITEM, max(room, 1))
    return Wanted(
        row=row,
        handle=int(parameters.ClientHandle),
        mode=int(mode),
        stamps=int(stamps),
        trigger=trigger,
        band=band,
        period_ns=round(sampling_ms(parameters.SamplingInterval, interval_ms) * 1e6),
        queue=queue,
        oldest=bool(parameters.DiscardOldest),
    )


def _filter(asked: Any, tag: Tag | None, *, value: bool) -> tuple[int, float]:
    """Trigger and dead band of a filter (OPC 10000-4 §7.22.2, OPC 10000-8 §7.2)."""
    name = type(asked).__name__  # by name: asyncua decodes into other classes than it shows
    if asked is None or (name == "ExtensionObject" and asked.TypeId == ua.NodeId()):
        return STATUS_VALUE, NO_BAND
    if name == "EventFilter":
        raise RefusedError(Codes.BadFilterNotAllowed)
    if name == "AggregateFilter":
        raise RefusedError(Codes.BadMonitoredItemFilterUnsupported)
    if name != "DataChangeFilter":
        raise RefusedError(Codes.BadMonitoredItemFilterInvalid)
    if not value:
        raise RefusedError(Codes.BadFilterNotAllowed)
    trigger, kind, band = int(asked.Trigger), int(asked.DeadbandType), float(asked.DeadbandValue)
    if not 0 <= trigger <= 2:
        raise RefusedError(Codes.BadMonitoredItemFilterInvalid)
    if kind == _NO_BAND:
        return trigger, NO_BAND
    if kind not in {_ABSOLUTE, _PERCENT}:
        raise RefusedError(Codes.BadDeadbandFilterInvalid)
    if tag is not None and tag.type in {BOOL, STRING}:
        raise RefusedError(Codes.BadFilterNotAllowed)
    if not 0 <= band < math.inf:
        raise RefusedError(Codes.BadDeadbandFilterInvalid)
    if kind == _ABSOLUTE:
        return trigger, band
    if tag is None or tag.range is None:
        raise RefusedError(Codes.BadMonitoredItemFilterUnsupported)
    if band > 100:
        raise RefusedError(Codes.BadDeadbandFilterInvalid)
    return trigger, band / 100 * (tag.range[1] - tag.range[0])
