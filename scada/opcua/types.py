"""Our data types, values and times as OPC UA has them (OPC 10000-6 §5.2)."""

from __future__ import annotations

import datetime as dt
from typing import Final

from asyncua import ua

from tags import quality
from tags import types as t
from tags.types import Value

VARIANT: Final[dict[str, ua.VariantType]] = {
    t.BOOL: ua.VariantType.Boolean,
    t.INT16: ua.VariantType.Int16,
    t.INT32: ua.VariantType.Int32,
    t.INT64: ua.VariantType.Int64,
    t.UINT16: ua.VariantType.UInt16,
    t.UINT32: ua.VariantType.UInt32,
    t.UINT64: ua.VariantType.UInt64,
    t.FLOAT32: ua.VariantType.Float,
    t.FLOAT64: ua.VariantType.Double,
    t.STRING: ua.VariantType.String,
}
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NULL: Final = ua.Variant(None, ua.VariantType.Null)
_ZERO: Final[dict[str, Value]] = {t.BOOL: False, t.FLOAT32: 0.0, t.FLOAT64: 0.0, t.STRING: ""}


def time_of(utc_ns: int) -> dt.datetime:
    """UTC of a stamp in ns, to the microsecond."""
    return _EPOCH + dt.timedelta(microseconds=utc_ns // 1000)


def data_value(type_: str, value: Value, status: int, source_ns: int, now_ns: int) -> ua.DataValue:
    """A DataValue with both time stamps; a Bad one carries no value (OPC 10000-4 §7.11.3).

    Args:
        type_: Data type of the tag.
        value: Its value.
        status: OPC UA status code.
        source_ns: Source time, UTC ns; 0 for none.
        now_ns: Server time, UTC ns.
    """
    variant = _NULL if quality.is_bad(status) else ua.Variant(value, VARIANT[type_])
    return ua.DataValue(
        Value=variant,
        StatusCode=ua.StatusCode(status),
        SourceTimestamp=time_of(source_ns) if source_ns else None,
        ServerTimestamp=time_of(now_ns),
    )


def zero(type_: str) -> Value:
    """A value of that type, for nodes before the first sample."""
    return _ZERO.get(type_, 0)
