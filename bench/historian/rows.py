"""What one would write first: SQLite with a row for each sample."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import ClassVar

from bench.historian.day import MONTH_DAYS, MONTH_TAG, Day, Rows, floats
from bench.historian.store import HOUR_TAGS, Bench

_TWA = """
SELECT h, sum(v * d) / sum(d) FROM (SELECT (t - ?2) / ?4 AS h, value AS v, lead(t, 1, ?3) OVER (ORDER BY t) - t AS d
FROM sample WHERE tag = ?1 AND t >= ?2 AND t < ?3) GROUP BY h
"""


class PlainRows(Bench):
    """`WITHOUT ROWID` with the key (tag, t): a tag's samples lie together."""

    name: ClassVar[str] = "SQLite rows (100 tags)"
    tags_max: ClassVar[int] = 100

    def __init__(self, day: Day, folder: Path) -> None:
        super().__init__(day, folder)
        self._path = folder / "rows.sqlite"
        self._db = sqlite3.connect(self._path, isolation_level=None)
        self._db.executescript(
            "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -64000;"
            "CREATE TABLE sample (tag INTEGER, t INTEGER, value REAL, status INTEGER, PRIMARY KEY (tag, t)) WITHOUT ROWID"
        )

    def append(self, rows: Rows) -> None:
        """See `Bench`."""
        values = floats(rows, self.day.tags).tolist()
        columns = (rows["tag"].tolist(), rows["t"].tolist(), values, rows["status"].tolist())
        self._db.execute("BEGIN")
        self._db.executemany("INSERT INTO sample VALUES (?, ?, ?, ?)", zip(*columns, strict=True))
        self._db.execute("COMMIT")

    def settle(self) -> None:
        """See `Bench`."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def size(self) -> int:
        """See `Bench`."""
        return self._path.stat().st_size

    def raw(self, tag: int) -> int:
        """See `Bench`."""
        return self._samples(tag, self.day.start, self.day.end)

    def _samples(self, tag: int, start: int, end: int) -> int:
        query = "SELECT t, value, status FROM sample WHERE tag = ? AND t >= ? AND t < ?"
        return len(self._db.execute(query, (tag, start, end)).fetchall())

    def buckets(self, tag: int, count: int) -> int:
        """See `Bench`."""
        return self._parts(tag, self.day.start, self.day.seconds * 10**9, count)

    def _parts(self, tag: int, start: int, length: int, count: int) -> int:
        return len(
            self._db.execute(
                "SELECT (t - ?) / ? AS b, min(value), max(value), avg(value) FROM sample "
                "WHERE tag = ? AND t >= ? AND t < ? AND status < 2147483648 GROUP BY b",
                (start, length // count, tag, start, start + length),
            ).fetchall()
        )

    def hour(self) -> int:
        """See `Bench`."""
        start = self.day.start + 5 * self.hour_ns
        return sum(self._samples(tag, start, start + self.hour_ns) for tag in range(1, HOUR_TAGS + 1))

    def hourly(self, tag: int) -> int:
        """See `Bench`."""
        end = self.day.start + 24 * self.hour_ns
        return len(self._db.execute(_TWA, (tag, self.day.start, end, self.hour_ns)).fetchall())

    def latest(self) -> int:
        """See `Bench`."""
        query = "SELECT t, value, status FROM sample WHERE tag = ? ORDER BY t DESC LIMIT 1"
        return sum(len(self._db.execute(query, (tag,)).fetchall()) for tag in range(1, self.tags_max + 1))

    def month(self, count: int) -> int:
        """See `Bench`."""
        length = MONTH_DAYS * self.day.seconds * 10**9
        return self._parts(MONTH_TAG, self.day.start - length, length, count)

    def close(self) -> None:
        """See `Bench`."""
        self._db.close()
