"""Request headers (OPC 10000-4 §7.33), read by hand: each request has one, and nearly all look the same. Pure."""

from __future__ import annotations

import struct
from typing import Any, Final

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary

from scada.opcua.wire import decode

_TOKEN: Final = struct.Struct("<BHi")
_MIDDLE: Final = struct.Struct("<qIIi")  # Timestamp, RequestHandle, ReturnDiagnostics, length of AuditEntryId
_HINT: Final = struct.Struct("<I")
_NO_MORE: Final = b"\0\0\0"  # an AdditionalHeader of no type and no body
_BYTE_STRING: Final = 5


class Header:
    """One request's, with asyncua's names.

    Attributes:
        RequestHandle: Of the client's choice, comes back with the answer.
        ReturnDiagnostics: Which diagnostics it wants.
        AuditEntryId: Its own id for audits.
        TimeoutHint: ms, 0 for none.
        token: Of the session, its bytes; empty for a token that cannot be one of ours.
    """

    __slots__ = ("AuditEntryId", "RequestHandle", "ReturnDiagnostics", "TimeoutHint", "token")

    def __init__(self, token: bytes, handle: int, diagnostics: int, entry: str, hint: int) -> None:
        self.token = token
        self.RequestHandle = handle
        self.ReturnDiagnostics = diagnostics
        self.AuditEntryId = entry
        self.TimeoutHint = hint

    @property
    def AuthenticationToken(self) -> ua.NodeId:  # noqa: N802 - asyncua's name
        """The token as a NodeId."""
        return ua.NodeId(self.token, 0, ua.NodeIdType.ByteString)


def read(body: bytes, at: int) -> tuple[Header, int]:
    """A header and where it ends.

    Args:
        body: Of the request.
        at: Behind the request's type.

    Raises:
        DecodeError: It is none.
    """
    try:
        kind, namespace, size = _TOKEN.unpack_from(body, at)
        if kind == _BYTE_STRING and namespace == 0 and 0 < size <= 64:
            middle = at + 7 + size
            _, handle, diagnostics, entry = _MIDDLE.unpack_from(body, middle)
            end = middle + 20
            if entry <= 0 and entry >= -1 and body[end + 4 : end + 7] == _NO_MORE:
                return Header(
                    body[at + 7 : middle], handle, diagnostics, "", _HINT.unpack_from(body, end)[0]
                ), end + 7
    except struct.error:
        pass
    end = decode.check_header(body, at)
    try:
        found: Any = struct_from_binary(ua.RequestHeader, Buffer(body, at))
    except Exception as error:
        raise decode.DecodeError(ua.StatusCodes.BadDecodingError, repr(error)) from error
    id_ = found.AuthenticationToken
    ours = id_.NodeIdType == ua.NodeIdType.ByteString and id_.NamespaceIndex == 0
    token = (id_.Identifier or b"") if ours else b""
    entry_id = (found.AuditEntryId or "")[:4096]
    return Header(token, found.RequestHandle, found.ReturnDiagnostics, entry_id, found.TimeoutHint), end
