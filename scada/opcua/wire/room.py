"""Who may connect when there is little room. Pure.

A connection is worth what it has proved: nothing, a Hello, a channel, a channel with a certificate that is trusted, a
session. When there is no room the least worth one that has no session goes, first of the source that has most of them, the
oldest first; sessions are never ended for a newcomer. Some room is kept for addresses from which somebody has signed in.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

REMEMBERED: Final = 1_000  # addresses from which somebody has signed in


class Worth(IntEnum):
    """What a connection has proved."""

    NOTHING = 0
    HELLO = 1
    CHANNEL = 2
    TRUSTED = 3
    SESSION = 4


@dataclass(slots=True)
class _Guest:
    source: str
    worth: Worth


class Room:
    """Places for connections.

    Args:
        places: In all.
        kept: Of these, only for known addresses and for channels with a trusted certificate.
        idle_per_source: Connections of one source without a session.
        per_source: Connections of one source.
    """

    def __init__(self, places: int, kept: int, idle_per_source: int, per_source: int) -> None:
        self._places = places
        self._kept = kept
        self._idle_per_source = idle_per_source
        self._per_source = per_source
        self._guests: OrderedDict[Hashable, _Guest] = OrderedDict()  # the oldest first
        self._idle: Counter[str] = Counter()
        self._all: Counter[str] = Counter()
        self._known: OrderedDict[str, None] = OrderedDict()
        self.refused = 0
        self.ended = 0

    def __len__(self) -> int:
        return len(self._guests)

    def enter(self, guest: Hashable, source: str) -> tuple[bool, Hashable | None]:
        """A new connection.

        Args:
            guest: The connection.
            source: Its address.

        Returns:
            (whether it may stay, whose connection has to end for it).
        """
        victim: Hashable | None = None
        places = self._places if source in self._known else self._places - self._kept
        if self._idle[source] >= self._idle_per_source:
            victim = self._least(source)
        elif self._all[source] >= self._per_source:
            victim = self._least(source)
            if victim is None:
                self.refused += 1
                return False, None
        elif len(self._guests) >= places:
            victim = self._least(None)
            if victim is None:
                self.refused += 1
                return False, None
        if victim is not None:
            self.ended += 1
            self.leave(victim)
        self._guests[guest] = _Guest(source, Worth.NOTHING)
        self._idle[source] += 1
        self._all[source] += 1
        return True, victim

    def prove(self, guest: Hashable, worth: Worth) -> None:
        """A connection is worth more now, or less: its session has ended."""
        found = self._guests.get(guest)
        if found is None:
            return
        was, now = found.worth is Worth.SESSION, worth is Worth.SESSION
        self._idle[found.source] += was - now
        found.worth = worth

    def know(self, source: str) -> None:
        """Somebody has signed in from this address."""
        self._known[source] = None
        self._known.move_to_end(source)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def knows(self, source: str) -> bool:
        """Whether somebody has signed in from this address."""
        return source in self._known

    def leave(self, guest: Hashable) -> None:
        """A connection has ended; one that is not here is no mistake."""
        found = self._guests.pop(guest, None)
        if found is None:
            return
        counters = (self._all,) if found.worth is Worth.SESSION else (self._all, self._idle)
        for counter in counters:
            counter[found.source] -= 1
            if not counter[found.source]:
                del counter[found.source]

    def _least(self, source: str | None) -> Hashable | None:
        """Who is worth least among those without a session; of a source, or of the one that has most of them."""
        if source is None:
            source = max(self._idle, key=self._idle.__getitem__, default="")
        best: Hashable | None = None
        worth = Worth.SESSION
        for guest, its in self._guests.items():
            if its.source == source and its.worth < worth:
                best, worth = guest, its.worth
                if worth is Worth.NOTHING:
                    break
        return best
