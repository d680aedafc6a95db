"""DuckDB: one table, filled as samples come."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pyarrow as pa  # type: ignore[import-untyped]

from bench.historian.day import MONTH_DAYS, MONTH_TAG, Day, Rows, floats
from bench.historian.store import HOUR_TAGS, Bench

_TWA = """
SELECT h, sum(v * d) / sum(d) FROM (SELECT (t - $start) // $hour AS h, value AS v,
lead(t, 1, $end) OVER (ORDER BY t) - t AS d FROM sample WHERE tag = $tag AND t >= $start AND t < $end) GROUP BY h
"""


class Duck(Bench):
    """In this process; a second one may not even read."""

    name: ClassVar[str] = "DuckDB"

    def __init__(self, day: Day, folder: Path) -> None:
        super().__init__(day, folder)
        self._path = folder / "day.duckdb"
        self._db = duckdb.connect(str(self._path), config={"threads": 2, "memory_limit": "2GB"})
        self._db.execute("CREATE TABLE sample (tag INTEGER, t BIGINT, value DOUBLE, status UINTEGER)")

    def append(self, rows: Rows) -> None:
        """See `Bench`."""
        batch = pa.table(
            {
                "tag": rows["tag"].astype("i4"),
                "t": rows["t"].copy(),
                "value": floats(rows, self.day.tags),
                "status": rows["status"].copy(),
            }
        )
        self._db.register("batch", batch)
        self._db.execute("INSERT INTO sample SELECT * FROM batch")
        self._db.unregister("batch")

    def settle(self) -> None:
        """See `Bench`."""
        self._db.execute("CHECKPOINT")

    def size(self) -> int:
        """See `Bench`."""
        return self._path.stat().st_size

    def raw(self, tag: int) -> int:
        """See `Bench`."""
        return self._samples(f"tag = {tag}", self.day.start, self.day.end)

    def _samples(self, which: str, start: int, end: int) -> int:
        found = self._db.execute(
            f"SELECT tag, t, value, status FROM sample WHERE {which} AND t >= ? AND t < ? ORDER BY tag, t",
            (start, end),
        ).fetchnumpy()
        return len(found["t"])

    def buckets(self, tag: int, count: int) -> int:
        """See `Bench`."""
        return self._parts(tag, self.day.start, self.day.seconds * 10**9, count)

    def _parts(self, tag: int, start: int, length: int, count: int) -> int:
        found = self._db.execute(
            "SELECT (t - ?) // ? AS b, min(value), max(value), avg(value) FROM sample "
            "WHERE tag = ? AND t >= ? AND t < ? AND status < 2147483648 GROUP BY b ORDER BY b",
            (start, length // count, tag, start, start + length),
        ).fetchnumpy()
        return len(found["b"])

    def hour(self) -> int:
        """See `Bench`."""
        start = self.day.start + 5 * self.hour_ns
        return self._samples(f"tag BETWEEN 1 AND {HOUR_TAGS}", start, start + self.hour_ns)

    def hourly(self, tag: int) -> int:
        """See `Bench`."""
        named: dict[str, Any] = {
            "tag": tag,
            "start": self.day.start,
            "end": self.day.start + 24 * self.hour_ns,
            "hour": self.hour_ns,
        }
        return len(self._db.execute(_TWA, named).fetchall())

    def latest(self) -> int:
        """See `Bench`."""
        found = self._db.execute(
            "SELECT tag, max(t), arg_max(value, t) FROM sample GROUP BY tag"
        ).fetchnumpy()
        return len(found["tag"])

    def month(self, count: int) -> int:
        """See `Bench`."""
        length = MONTH_DAYS * self.day.seconds * 10**9
        return self._parts(MONTH_TAG, self.day.start - length, length, count)

    def close(self) -> None:
        """See `Bench`."""
        self._db.close()
