"""Which continuation points of a session are good yet: each once, not too many, none after it was released."""

from __future__ import annotations

import struct
import weakref
from typing import Any, Final

from scada.opcua import limits

_NUMBER: Final = struct.Struct("<Q")


class NoPointError(Exception):
    """The session has no room for another one (BadNoContinuationPoints)."""


class PointError(Exception):
    """It is none of this session, or it was used or released (BadContinuationPointInvalid)."""


class Points:
    """Continuation points given out, by session; all that is kept of one is its number.

    Args:
        most: Of one session at a time.
    """

    def __init__(self, most: int = limits.HISTORY_CONTINUATION_POINTS) -> None:
        self._most = most
        self._last = 0
        self._live: weakref.WeakKeyDictionary[Any, set[int]] = weakref.WeakKeyDictionary()

    def given(self, session: object, body: bytes) -> bytes:
        """A new continuation point.

        Args:
            session: Whose.
            body: Where to go on.

        Raises:
            NoPointError: The session has too many.
        """
        live = self._live.setdefault(session, set())
        if len(live) >= self._most:
            raise NoPointError
        self._last += 1
        live.add(self._last)
        return _NUMBER.pack(self._last) + body

    def place(self, session: object, point: bytes) -> bytes:
        """Where to go on; the point stays good until `used`.

        Raises:
            PointError: It is not good.
        """
        if len(point) < _NUMBER.size or _NUMBER.unpack_from(point)[0] not in self._live.get(session, ()):
            raise PointError
        return point[_NUMBER.size :]

    def used(self, session: object, point: bytes) -> None:
        """It was used or released."""
        self._live.get(session, set()).discard(_NUMBER.unpack_from(point)[0])

    def count(self, session: object) -> int:
        """How many are good."""
        return len(self._live.get(session, ()))
