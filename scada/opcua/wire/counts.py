"""What was refused. Pure."""

from __future__ import annotations

from collections import Counter


class Counts:
    """What was refused, for health and for diagnostics.

    Attributes:
        refusals: By status code.
        errors: Requests that ended in an exception of ours.
        slow: Clients that were disconnected because they did not read.
    """

    def __init__(self) -> None:
        self.refusals: Counter[int] = Counter()
        self.errors = 0
        self.slow = 0

    def refused(self, status: int) -> None:
        """A message or a connection was refused."""
        self.refusals[status] += 1

    def stumbled(self) -> None:
        """A request ended in an exception."""
        self.errors += 1
