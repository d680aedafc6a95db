"""Requests for history with their times as the client sent them: asyncua's own classes cut them to microseconds.

A sample has a time to the nanosecond; on the wire a time is 100 ns, and a DataValue adds picoseconds. Whoever wants to
replace or delete a sample has to meet it, so these classes keep the ticks. The wire layout is that of asyncua's classes of
the same names (OPC 10000-11 §6.5 and §6.8); its decoder builds what stands in its registry.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Final

from asyncua import ua

EPOCH_TICKS: Final = 116_444_736_000_000_000  # 1601 to 1970 in 100 ns
TICK_NS: Final = 100
_FAR: Final = 2**62
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass
class Value:
    """A DataValue whose times are ticks."""

    Encoding: ua.Byte = field(default=0, repr=False)
    Value: ua.Variant | None = None
    StatusCode: ua.StatusCode | None = None
    SourceTimestamp: ua.Int64 | None = None
    ServerTimestamp: ua.Int64 | None = None
    SourcePicoseconds: ua.UInt16 | None = None
    ServerPicoseconds: ua.UInt16 | None = None


@dataclass
class ReadRawModifiedDetails:
    """OPC 10000-11 §6.5.3."""

    IsReadModified: ua.Boolean
    StartTime: ua.Int64
    EndTime: ua.Int64
    NumValuesPerNode: ua.UInt32
    ReturnBounds: ua.Boolean


@dataclass
class ReadAtTimeDetails:
    """OPC 10000-11 §6.5.5."""

    ReqTimes: list[ua.Int64]
    UseSimpleBounds: ua.Boolean


@dataclass
class ReadProcessedDetails:
    """OPC 10000-11 §6.5.4."""

    StartTime: ua.Int64
    EndTime: ua.Int64
    ProcessingInterval: ua.Double
    AggregateType: list[ua.NodeId]
    AggregateConfiguration: ua.AggregateConfiguration


@dataclass
class ReadEventDetails:
    """OPC 10000-11 §6.5.2."""

    NumValuesPerNode: ua.UInt32
    StartTime: ua.Int64
    EndTime: ua.Int64
    Filter: ua.EventFilter


@dataclass
class UpdateDataDetails:
    """OPC 10000-11 §6.8.2."""

    NodeId: ua.NodeId
    PerformInsertReplace: ua.Int32
    UpdateValues: list[Value]


@dataclass
class DeleteRawModifiedDetails:
    """OPC 10000-11 §6.8.5."""

    NodeId: ua.NodeId
    IsDeleteModified: ua.Boolean
    StartTime: ua.Int64
    EndTime: ua.Int64


@dataclass
class DeleteAtTimeDetails:
    """OPC 10000-11 §6.8.6."""

    NodeId: ua.NodeId
    ReqTimes: list[ua.Int64]


_KINDS: Final = (
    ReadRawModifiedDetails,
    ReadAtTimeDetails,
    ReadProcessedDetails,
    ReadEventDetails,
    UpdateDataDetails,
    DeleteRawModifiedDetails,
    DeleteAtTimeDetails,
)


def install() -> None:
    """From now on requests are decoded into these classes."""
    for kind in _KINDS:
        encoding = getattr(ua.ObjectIds, f"{kind.__name__}_Encoding_DefaultBinary")
        ua.extension_objects_by_typeid[ua.NodeId(encoding)] = kind


def utc_ns(moment: int | dt.datetime | None) -> int | None:
    """UTC, ns, of a time in a request; None for a time that was not given (OPC 10000-6 §5.2.2.5: the begin of 1601).

    Args:
        moment: Ticks of 100 ns since 1601, or what asyncua makes of them.
    """
    if moment is None:
        return None
    if isinstance(moment, dt.datetime):
        if moment.year <= 1601:
            return None
        aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        return min(max((aware - _EPOCH) // dt.timedelta(microseconds=1) * 1000, 0), _FAR)
    if moment <= 0:
        return None
    return min(max((moment - EPOCH_TICKS) * TICK_NS, 0), _FAR)


def time_of(value: Value) -> int | None:
    """Source time of a value, UTC, ns; None without one."""
    t = utc_ns(value.SourceTimestamp)
    return None if t is None else t + min(value.SourcePicoseconds or 0, 9999) // 100
