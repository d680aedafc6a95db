"""ReadResponse and ServiceFault as bytes (OPC 10000-4 §5.10.2, OPC 10000-6 §5.2). Pure."""

from __future__ import annotations

import struct
from typing import Final

from scada.opcua.table.layout import EPOCH_TICKS

_READ_RESPONSE, _SERVICE_FAULT = 634, 397  # ids of their binary encodings
_HEADER: Final = struct.Struct("<BBHqIIBi3s")
_COUNT: Final = struct.Struct("<i")
_NO_DIAGNOSTICS: Final = _COUNT.pack(-1)


def _header(kind: int, now_ns: int, handle: int, status: int) -> bytes:
    return _HEADER.pack(1, 0, kind, now_ns // 100 + EPOCH_TICKS, handle, status, 0, -1, b"\0\0\0")


def read_response(now_ns: int, handle: int, count: int, values: bytes) -> bytes:
    """A Good answer.

    Args:
        now_ns: UTC, ns.
        handle: RequestHandle of the request.
        count: Of the values.
        values: DataValues one behind the other.
    """
    return b"".join((_header(_READ_RESPONSE, now_ns, handle, 0), _COUNT.pack(count), values, _NO_DIAGNOSTICS))


def service_fault(now_ns: int, handle: int, status: int) -> bytes:
    """A service that is refused as a whole.

    Args:
        now_ns: UTC, ns.
        handle: RequestHandle of the request.
        status: Why.
    """
    return _header(_SERVICE_FAULT, now_ns, handle, status)
