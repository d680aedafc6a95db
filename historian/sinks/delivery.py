"""What becomes of a sink's answer: pure, so that every order of answers can be tried.

Rules: 2xx is delivered. 413 halves the request. 400 and 422 bisect it, until the row alone that is refused is put aside;
when the server says that it dropped all rows of the request, all are put aside at once.
Everything else (no answer, 401, 403, 404, 429, 5xx, …) keeps the request and tries again later: it says something about
the server or its settings, not about the rows.
"""

from __future__ import annotations

import enum
from typing import Final

WAIT_FIRST_S: Final = 0.5
WAIT_MAX_S: Final = 30.0
WAIT_ASKED_MAX_S: Final = 300.0
GROW_AFTER: Final = 50  # requests in a row that were taken, until one after 413 may be larger again
_REFUSED: Final = (400, 422)
_TOO_LARGE: Final = 413


class Action(enum.Enum):
    """What to do with a request after its answer."""

    ADVANCE = "advance"
    SPLIT = "split"
    PUT_ASIDE = "put aside"
    KEEP = "keep"


def decide(status: int, rows: int, dropped: int = 0) -> Action:
    """What an answer means.

    Args:
        status: Of HTTP; 0 for no answer.
        rows: How many the request had, at least 1.
        dropped: How many of them the server says that it dropped.
    """
    if 200 <= status < 300:
        return Action.ADVANCE
    if status in (*_REFUSED, _TOO_LARGE):
        alone = rows == 1 or (status in _REFUSED and dropped >= rows)
        return Action.PUT_ASIDE if alone else Action.SPLIT
    return Action.KEEP


class Pace:
    """How large requests may be and how long to wait after a failure; outlives deliveries.

    Args:
        batch: Most rows in a request.

    Attributes:
        size: Most rows in a request now.
        failures: Answers in a row that said: later.
    """

    def __init__(self, batch: int) -> None:
        self._batch = self.size = batch
        self._taken = 0
        self.failures = 0

    def learn(self, status: int, rows: int, asked_s: float = 0.0) -> float:
        """Takes an answer; returns how long to wait before the next request, s.

        Args:
            status: Of HTTP; 0 for no answer.
            rows: How many the request had.
            asked_s: The server's `Retry-After`, s; 0 for none.
        """
        action = decide(status, rows)
        if action is Action.KEEP:
            self.failures += 1
            wait = min(WAIT_MAX_S, WAIT_FIRST_S * 2.0 ** min(self.failures - 1, 16))
            return max(wait, min(asked_s, WAIT_ASKED_MAX_S))
        self.failures = 0
        if status == _TOO_LARGE:
            # of several requests on their way at once each may come back with it
            self.size, self._taken = max(1, min(self.size, rows // 2)), 0
        elif action is Action.ADVANCE and self.size < self._batch:
            self._taken += 1
            if self._taken >= GROW_AFTER:
                self.size, self._taken = min(self._batch, self.size * 2), 0
        return 0.0


class Delivery:
    """The delivery of some rows, in their order.

    Args:
        start: The first row.
        end: Behind the last row.
    """

    def __init__(self, start: int, end: int) -> None:
        self._spans = [(start, end)] if end > start else []  # the last is the next

    def next(self, size: int) -> tuple[int, int] | None:
        """First and behind the last row of the next request; None when all are delivered or put aside.

        Args:
            size: Most rows in it.
        """
        if not self._spans:
            return None
        start, end = self._spans[-1]
        if end - start > size:
            self._spans[-1:] = [(start + size, end), (start, start + size)]
        return self._spans[-1]

    def answer(self, status: int, dropped: int = 0) -> Action:
        """Takes the answer to what `next` gave; all of its rows are to be put aside when it says so."""
        start, end = self._spans[-1]
        action = decide(status, end - start, dropped)
        if action is Action.SPLIT:
            middle = (start + end) // 2
            self._spans[-1:] = [(middle, end), (start, middle)]
        elif action is not Action.KEEP:
            self._spans.pop()
        return action
