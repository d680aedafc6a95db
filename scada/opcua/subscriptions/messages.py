"""Publish requests and answers as bytes (OPC 10000-4 §5.14.5, §7.25, §7.26; OPC 10000-6 §5.2). Pure.

They are the messages that a server with many clients sends most; asyncua makes objects of each.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from scada.opcua.table.layout import EPOCH_TICKS

_RESPONSE: Final = b"\x01\x00\x3d\x03"  # NodeId 829
_REPUBLISH: Final = b"\x01\x00\x43\x03"  # NodeId 835
_DATA_CHANGE: Final = b"\x01\x00\x2b\x03\x01"  # NodeId 811, with a body of bytes
_EVENTS: Final = b"\x01\x00\x94\x03\x01"  # NodeId 916
_STATUS_CHANGE: Final = b"\x01\x00\x34\x03\x01"  # NodeId 820
_HEAD: Final = struct.Struct(
    "<qIIBiHB"
)  # time, handle, result, no diagnostics, no strings, no additional header
_LENGTH: Final = struct.Struct("<i")
_NULL: Final = _LENGTH.pack(-1)


class ShortError(ValueError):
    """A request that ends before it should, or whose array is too long."""


def ticks(utc_ns: int) -> int:
    """UTC ns as a DateTime."""
    return utc_ns // 100 + EPOCH_TICKS


def acknowledgements(body: bytes, most: int) -> list[tuple[int, int]]:
    """(SubscriptionId, SequenceNumber) of each acknowledgement in the parameters of a Publish request.

    Args:
        body: Behind the request header.
        most: Allowed.

    Raises:
        ShortError: Not so.
    """
    if len(body) < 4:
        raise ShortError
    (count,) = _LENGTH.unpack_from(body)
    if count <= 0:
        return []
    if count > most or 4 + 8 * count > len(body):
        raise ShortError
    numbers = struct.unpack_from(f"<{2 * count}I", body, 4)
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def data_change(count: int, notifications: bytes) -> bytes:
    """A DataChangeNotification as ExtensionObject."""
    body = _LENGTH.pack(count) + notifications + _NULL
    return _DATA_CHANGE + _LENGTH.pack(len(body)) + body


def events(fields: Sequence[ua.EventFieldList]) -> bytes:
    """An EventNotificationList as ExtensionObject."""
    body = _LENGTH.pack(len(fields)) + b"".join(struct_to_binary(one) for one in fields)
    return _EVENTS + _LENGTH.pack(len(body)) + body


def status_change(status: int) -> bytes:
    """A StatusChangeNotification as ExtensionObject."""
    body = struct.pack("<IB", status, 0)  # no DiagnosticInfo
    return _STATUS_CHANGE + _LENGTH.pack(len(body)) + body


def notification(sequence: int, utc_ns: int, data: Sequence[bytes]) -> bytes:
    """A NotificationMessage; without data it is a keep-alive.

    Args:
        sequence: Its number.
        utc_ns: PublishTime.
        data: ExtensionObjects.
    """
    return struct.pack("<Iqi", sequence, ticks(utc_ns), len(data)) + b"".join(data)


def publish_response(
    handle: int,
    utc_ns: int,
    subscription: int,
    available: Sequence[int],
    message: bytes,
    results: Sequence[int],
    *,
    more: bool,
) -> bytes:
    """A whole PublishResponse.

    Args:
        handle: RequestHandle.
        utc_ns: Of the response.
        subscription: SubscriptionId.
        available: Sequence numbers that can be had again.
        message: What `notification` made.
        results: A StatusCode for each acknowledgement.
        more: MoreNotifications.
    """
    return b"".join((
        _RESPONSE,
        _HEAD.pack(ticks(utc_ns), handle, 0, 0, 0, 0, 0),
        struct.pack(f"<Ii{len(available)}IB", subscription, len(available), *available, more),
        message,
        struct.pack(f"<i{len(results)}Ii", len(results), *results, 0),
    ))  # fmt: skip


def republish_response(handle: int, utc_ns: int, message: bytes) -> bytes:
    """A whole RepublishResponse with a notification message as it was sent."""
    return _REPUBLISH + _HEAD.pack(ticks(utc_ns), handle, 0, 0, 0, 0, 0) + message
