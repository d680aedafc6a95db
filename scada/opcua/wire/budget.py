"""Bytes that all connections hold together, and who holds most. Pure."""

from __future__ import annotations

from collections.abc import Hashable


class Budget:
    """What connections hold: bytes that arrived and wait for their turn, and answers that were not taken.

    Args:
        total: Bytes for all together.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._held: dict[Hashable, int] = {}
        self.used = 0
        self.highest = 0

    def hold(self, who: Hashable, size: int) -> bool:
        """A connection holds this many bytes now; returns whether all together are within the budget."""
        before = self._held.get(who, 0)
        if size:
            self._held[who] = size
        elif before:
            del self._held[who]
        self.used += size - before
        self.highest = max(self.highest, self.used)
        return self.used <= self._total

    def largest(self) -> Hashable | None:
        """Who holds most; None when nobody holds anything."""
        return max(self._held, key=self._held.__getitem__, default=None)
