"""When each thing is done in the background. Time is an argument; `historian.fold.worker` is the thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Final

from historian.days import DAY_NS
from historian.fold.fold import Leaving
from historian.fold.work import Work
from tags.model import Retention

SECOND: Final = 1_000_000_000
FOLD_EVERY_NS: Final = 60 * SECOND
FOLD_SAMPLES: Final = 500_000  # so many in the journal are folded at once
HOUR_AFTER_NS: Final = (
    120 * SECOND
)  # after its end an hour is compacted: its last samples are in the day then
SEAL_AFTER_NS: Final = 900 * SECOND  # after its end a day is sealed
QUIET_NS: Final = 300 * SECOND  # without late samples
RETAIN_EVERY_NS: Final = 60 * SECOND


class Chores:
    """What is due, step by step.

    Args:
        work: Does it.
        retention: Of the site; None keeps everything.
        leaving: See `fold.fold`.
        stop: Asked in long steps whether to leave the rest for the next start.

    Attributes:
        trust_from_ns: Monotonic, ns: until then nothing is forgotten for its age, because the clock may be wrong.
    """

    def __init__(
        self,
        work: Work,
        retention: Retention | None = None,
        leaving: Leaving | None = None,
        stop: Callable[[], bool] = bool,
    ) -> None:
        self._work, self._retention, self._leaving, self._stop = work, retention, leaving, stop
        self._fold_next_ns = 0
        self._folded_ns: dict[int, int] = {}  # monotonic, by day: when samples came into it
        self._retain_next_ns = 0
        self.trust_from_ns = 0

    def step(self, utc_ns: int, now_ns: int) -> bool:
        """Does the most urgent thing that is due.

        Args:
            utc_ns: UTC, ns.
            now_ns: Monotonic, ns.

        Returns:
            There may be more to do at once.

        Raises:
            sqlite3.Error: The disk does not let it; it is tried again.
            OSError: Likewise.
            StoreError: From `leaving`.
        """
        try:
            busy = (
                self._work.upgrade() or self._fold(now_ns) or self._work.tidy() or self._seal(utc_ns, now_ns)
            )
        except (sqlite3.OperationalError, OSError):
            self._retain(utc_ns, now_ns)  # what is missing may be the room that this makes
            raise
        return bool(busy) or self._retain(utc_ns, now_ns)

    def _fold(self, now_ns: int) -> bool:
        rows, samples = self._work.waiting()
        if not rows or (samples < FOLD_SAMPLES and now_ns < self._fold_next_ns):
            return False
        folded = self._work.fold(self._leaving)
        self._fold_next_ns = now_ns + FOLD_EVERY_NS
        for day in folded.days:
            self._folded_ns[day] = now_ns
        return samples - folded.samples >= FOLD_SAMPLES

    def _seal(self, utc_ns: int, now_ns: int) -> bool:
        for day in self._work.open_days():
            if (day + 1) * DAY_NS + SEAL_AFTER_NS > utc_ns:
                return False
            folded_ns = self._folded_ns.get(day)
            if folded_ns is not None and now_ns < folded_ns + QUIET_NS:
                continue
            self._folded_ns.pop(day, None)
            self._work.seal(day, utc_ns, self._stop)
            return True
        return False

    def _retain(self, utc_ns: int, now_ns: int) -> bool:
        if self._retention is None or now_ns < self._retain_next_ns:
            return False
        if self._work.retain(self._retention, utc_ns, by_age=now_ns >= self.trust_from_ns):
            return True
        self._retain_next_ns = now_ns + RETAIN_EVERY_NS
        return False
