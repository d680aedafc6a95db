"""The bytes of a Read request become rows of the table, without an object for each node. Pure.

Almost all clients ask for Values, without IndexRange and DataEncoding: then what follows each NodeId is always the
same 14 bytes. The body is split at these, and each piece is looked up as it is. When all pieces are NodeIds that are
known, no other reading of the body is possible: a NodeId does not go on behind its end.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.intp]

HEAD: Final = struct.Struct("<dii")
"""MaxAge, TimestampsToReturn, count of NodesToRead."""
VALUE_TAIL: Final = struct.pack("<IiHi", 13, -1, 0, -1)
"""AttributeId Value, null IndexRange, null DataEncoding."""
_EMPTY_TAIL: Final = struct.pack("<IiHi", 13, 0, 0, 0)
_STRING_ID: Final = struct.Struct("<BHi")
_FOUR_BYTE_ID: Final = struct.Struct("<BBH")
_NUMERIC_ID: Final = struct.Struct("<BHI")
_STRING, _FOUR_BYTE, _NUMERIC = 3, 1, 2
CACHED: Final = 256
CACHED_BYTES: Final = 8 * 1024 * 1024
_CACHED_ONE: Final = 200_000


class Known(Protocol):
    """Rows by encoded NodeIds."""

    def get(self, piece: bytes, /) -> int | None:
        """The row of one; None for what is not known."""


NONE: Final[Known] = dict[bytes, int]()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A Read of tags' values.

    Attributes:
        timestamps: TimestampsToReturn.
        rows: Of the tags, in order.
    """

    timestamps: int
    rows: Rows


def encoded(identifier: str | int, namespace: int) -> list[bytes]:
    """All ways in which clients write a NodeId."""
    if isinstance(identifier, str):
        text = identifier.encode()
        return [_STRING_ID.pack(_STRING, namespace, len(text)) + text]
    found = [_NUMERIC_ID.pack(_NUMERIC, namespace, identifier)]
    if identifier < 0x10000 and namespace < 0x100:
        found.append(_FOUR_BYTE_ID.pack(_FOUR_BYTE, namespace, identifier))
    return found


class Requests:
    """Understands requests, and remembers those that come again and again.

    Args:
        row_of: Row of each tag by path.
        namespace: Index of the tags' namespace.
    """

    def __init__(self, row_of: Mapping[str, int], namespace: int) -> None:
        self._row_of = row_of
        self._namespace = namespace
        self._ids: dict[bytes, int] = {}
        self._cache: OrderedDict[bytes, Rows] = OrderedDict()
        self._size = 0

    def understand(self, body: bytes, handles: Known = NONE) -> Wanted | None:
        """The rows that a request asks for; None for a request that is to be decoded.

        Args:
            body: Behind the request header.
            handles: Rows of encoded NodeIds that the session has registered.
        """
        if len(body) < HEAD.size:
            return None
        max_age, timestamps, count = HEAD.unpack_from(body)
        if not max_age >= 0 or not 0 <= timestamps <= 3 or count <= 0:
            return None
        nodes = body[HEAD.size :]
        rows = self._cache.get(nodes)
        if rows is None:
            rows = self._look_up(nodes, count, handles)
        else:
            self._cache.move_to_end(nodes)
        return None if rows is None or len(rows) != count else Wanted(timestamps, rows)

    def _look_up(self, nodes: bytes, count: int, handles: Known) -> Rows | None:
        tail = VALUE_TAIL if nodes.endswith(VALUE_TAIL) else _EMPTY_TAIL
        pieces = nodes.split(tail)
        if len(pieces) != count + 1 or pieces.pop():
            return None
        found = list(map(self._ids.get, pieces))
        own = True
        for place in [place for place, row in enumerate(found) if row is None]:
            row = self._row(pieces[place])
            if row is None:
                row, own = handles.get(pieces[place]), False
            if row is None:
                return None
            found[place] = row
        rows = np.array(found, np.intp)
        if own:  # what a session's handles mean is not for others
            self._keep(nodes, rows)
        return rows

    def _row(self, piece: bytes) -> int | None:
        if len(piece) < _STRING_ID.size:
            return None
        kind, namespace, length = _STRING_ID.unpack_from(piece)
        if (kind, namespace, length) != (_STRING, self._namespace, len(piece) - _STRING_ID.size):
            return None
        try:
            row = self._row_of.get(piece[_STRING_ID.size :].decode())
        except UnicodeDecodeError:
            return None
        if row is not None:
            self._ids[piece] = row
        return row

    def _keep(self, nodes: bytes, rows: Rows) -> None:
        if len(nodes) > _CACHED_ONE:
            return
        rows.flags.writeable = False
        self._cache[nodes] = rows
        self._size += len(nodes)
        while self._size > CACHED_BYTES or len(self._cache) > CACHED:
            self._size -= len(self._cache.popitem(last=False)[0])
