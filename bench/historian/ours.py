"""Ours: the writer with its thread that folds, and a reader beside it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, ClassVar

from bench.historian.day import MONTH_DAYS, MONTH_TAG, Day, Rows
from bench.historian.store import HOUR_TAGS, Bench
from historian.query import History
from historian.sqlite import SqliteStore
from historian.store import Batch, Store, StoreError

_PAUSE_S = 0.02


class Ours(Bench):
    """The embedded store."""

    name: ClassVar[str] = "Closedloop"

    def __init__(self, day: Day, folder: Path) -> None:
        super().__init__(day, folder / "history")
        self.store = SqliteStore.writer(self.folder)
        self.store.declare(day.tags)
        self._end = threading.Event()
        self._problem: StoreError | None = None
        self._thread = threading.Thread(target=self._work)
        self._thread.start()
        self._reader: Store | None = None
        self._past: History | None = None

    def _work(self) -> None:
        """As the historian's own thread."""
        try:
            while not self._end.wait(_PAUSE_S):
                self.store.fold()
                self.store.join_short()
        except StoreError as error:
            self._problem = error

    def append(self, rows: Rows) -> None:
        """See `Bench`."""
        self.store.append(Batch(rows, utc_ns=int(rows["t"][-1])))

    def settle(self) -> None:
        """See `Bench`."""
        if self._thread.is_alive():
            self._end.set()
            self._thread.join()
        if self._problem:
            raise self._problem
        self.store.fold(force=True)
        while self.store.join_short():
            pass

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
        found = [
            self.past.aggregate(self.day.tags[tag - 1], name, start, start + length, length // count)
            for name in ("min", "max", "time-average")
        ]
        return len(found[0])

    def hour(self) -> int:
        """See `Bench`."""
        start = self.day.start + 5 * self.hour_ns
        return sum(len(self.reader.raw(tag, start, start + self.hour_ns)) for tag in range(1, HOUR_TAGS + 1))

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
        self._end.set()
        self._thread.join()
        if self._reader is not None:
            self._reader.close()
        self.store.close()
