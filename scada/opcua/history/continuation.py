"""Where a read goes on, as the few bytes that are kept for a continuation point (`points`). Pure."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Final, Self

from scada.client import Cursor

_BODY: Final = struct.Struct("<BBqqqII")
_CHECK: Final = struct.Struct("<I")
_VERSION: Final = 1
_BOUNDS, _OPEN, _CURSOR = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Place:
    """Where a read goes on.

    Attributes:
        start_ns: Of the range that was asked for, UTC, ns; of intervals: of those that are left.
        end_ns: Its end.
        cursor: Behind the last sample; None before the first.
        left: Samples that the client still wants, 0 for all.
        bounds: With bounds.
        open: One end was not given.
    """

    start_ns: int
    end_ns: int
    cursor: Cursor | None = None
    left: int = 0
    bounds: bool = False
    open: bool = False

    def pack(self, path: str) -> bytes:
        """As bytes.

        Args:
            path: Of the tag; the bytes are of no use for another one.
        """
        flags = _BOUNDS * self.bounds | _OPEN * self.open | _CURSOR * (self.cursor is not None)
        t, seq = (self.cursor.t, self.cursor.seq) if self.cursor else (0, 0)
        body = _BODY.pack(_VERSION, flags, self.start_ns, self.end_ns, t, seq, self.left)
        return body + _CHECK.pack(_check(path, body))

    @classmethod
    def unpack(cls, data: bytes, path: str) -> Self:
        """The inverse of `pack`.

        Raises:
            ValueError: Not made by `pack` for this tag.
        """
        body, check = data[: _BODY.size], data[_BODY.size :]
        if len(data) != _BODY.size + _CHECK.size or check != _CHECK.pack(_check(path, body)):
            raise ValueError("no continuation point of ours")
        version, flags, start, end, t, seq, left = _BODY.unpack(body)
        if version != _VERSION:
            raise ValueError("a continuation point of another version")
        cursor = Cursor(t, seq) if flags & _CURSOR else None
        return cls(start, end, cursor, left, bool(flags & _BOUNDS), bool(flags & _OPEN))


def _check(path: str, body: bytes) -> int:
    return zlib.crc32(path.encode() + b"\0" + body)
