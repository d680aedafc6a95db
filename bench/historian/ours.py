"""Ours: the writer with its thread that folds, and a reader beside it."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path
from typing import Any, ClassVar

from bench.historian.day import MONTH_DAYS, MONTH_TAG, Day, Rows
from bench.historian.store import HOUR_TAGS, Bench
from historian.fold.work import Work
from historian.fold.worker import Worker
from historian.query import History
from historian.sqlite import SqliteStore
from historian.store import Batch, Store
from scada.clock import SystemClock

AHEAD_MAX = 4_000_000  # samples in the journal


class _Clock(SystemClock):
    """As late as the samples: what is done at the end of an hour is done when they reach it."""

    now_ns = 0

    def utc_ns(self) -> int:
        return self.now_ns


class Ours(Bench):
    """The embedded store."""

    name: ClassVar[str] = "Closedloop"

    def __init__(self, day: Day, folder: Path) -> None:
        super().__init__(day, folder / "history")
        self.store = SqliteStore.writer(self.folder)
        self.store.declare(day.tags)
        self._clock = _Clock()
        self._worker = Worker(lambda _: self._work(), self._clock)
        self._worker.start()
        self._ahead = 0
        self._reader: Store | None = None
        self._past: History | None = None

    def _work(self) -> Work:
        return Work(self.folder, self.store.path)

    def append(self, rows: Rows) -> None:
        """See `Bench`."""
        self._clock.now_ns = max(self._clock.now_ns, int(rows["t"][-1]))
        self.store.append(Batch(rows, utc_ns=self._clock.now_ns))
        self._ahead += len(rows)
        if self._ahead > AHEAD_MAX // 4:
            self._ahead = 0
            self._keep_pace()

    def _keep_pace(self) -> None:
        """Waits while folding is far behind: what is taken in has to be put away at the same rate."""
        with contextlib.closing(sqlite3.connect(self.store.path)) as db:
            while (db.execute("SELECT sum(n) FROM journal").fetchone()[0] or 0) > AHEAD_MAX:
                if self._worker.problem:
                    raise self._worker.problem
                time.sleep(0.005)

    def settle(self) -> None:
        """See `Bench`."""
        self._worker.stop()
        work = self._work()
        while work.waiting()[0]:
            work.fold()
        for number in work.open_days():
            work.settle(number)
        work.close()
        self._worker = Worker(lambda _: self._work(), self._clock)
        self._worker.start()

    def seal(self) -> None:
        """Closes all days, with their digests and summaries."""
        self._worker.stop()
        work = self._work()
        for number in work.open_days():
            work.seal(number, self._clock.now_ns)
        work.close()
        with contextlib.closing(sqlite3.connect(self.store.path)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._worker = Worker(lambda _: self._work(), self._clock)
        self._worker.start()

    def size(self) -> int:
        """See `Bench`."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    @property
    def past(self) -> History:
        """Answers, from a reader of its own."""
        if self._past is None:
            self._reader = SqliteStore.reader(self.folder)
            self._past = History(self._reader, "UTC")
        return self._past

    @property
    def reader(self) -> Any:
        """The reader."""
        assert self.past
        return self._reader

    def raw(self, tag: int) -> int:
        """See `Bench`."""
        return len(self.reader.raw(tag, self.day.start, self.day.end))

    def buckets(self, tag: int, count: int) -> int:
        """See `Bench`."""
        return self._parts(tag, self.day.start, self.day.seconds * 10**9, count)

    def _parts(self, tag: int, start: int, length: int, count: int) -> int:
        names = ["min", "max", "time-average"]
        return len(
            self.past.aggregates(self.day.tags[tag - 1], names, start, start + length, length // count)[0]
        )

    def hour(self) -> int:
        """See `Bench`."""
        start = self.day.start + 5 * self.hour_ns
        end = start + self.hour_ns
        return sum(len(self.reader.raw(tag, start, end)) for tag in range(1, HOUR_TAGS + 1))

    def hourly(self, tag: int) -> int:
        """See `Bench`."""
        end = self.day.start + 24 * self.hour_ns
        return len(
            self.past.aggregate(self.day.tags[tag - 1], "time-average", self.day.start, end, self.hour_ns)
        )

    def latest(self) -> int:
        """See `Bench`."""
        return len(self.reader.last())

    def month(self, count: int) -> int:
        """See `Bench`."""
        length = MONTH_DAYS * self.day.seconds * 10**9
        return self._parts(MONTH_TAG, self.day.start - length, length, count)

    def close(self) -> None:
        """See `Bench`."""
        self._worker.stop()
        if self._reader is not None:
            self._reader.close()
        self.store.close()
