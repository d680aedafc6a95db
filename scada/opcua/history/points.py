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
    """Continuation points given out, by session: the client has a number, the place stays here.

    Args:
        most: Of one session at a time.
    """

    def __init__(self, most: int = limits.HISTORY_CONTINUATION_POINTS) -> None:
        self._most = most
        self._last = 0
        self._live: weakref.WeakKeyDictionary[Any, dict[int, bytes]] = weakref.WeakKeyDictionary()

    def given(self, session: object, body: bytes) -> bytes:
        """A new continuation point.

        Args:
            session: Whose.
            body: Where to go on.

        Raises:
            NoPointError: The session has too many.
        """
        live = self._live.setdefault(session, {})
        if len(live) >= self._most:
            raise NoPointError
        self._last += 1
        live[self._last] = body
        return _NUMBER.pack(self._last)

    def place(self, session: object, point: bytes) -> bytes:
        """Where to go on; the point stays good until `used`.

        Raises:
            PointError: It is not good.
        """
        live = self._live.get(session, {})
        if len(point) != _NUMBER.size or (number := _NUMBER.unpack(point)[0]) not in live:
            raise PointError
        return live[number]

    def used(self, session: object, point: bytes) -> None:
        """It was used or released."""
        self._live.get(session, {}).pop(_NUMBER.unpack(point)[0], None)

    def count(self, session: object) -> int:
        """How many are good."""
        return len(self._live.get(session, ()))
