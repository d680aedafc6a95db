"""The past by interval: a week of one tag at 1 Hz in 500 buckets, beside plain Python and SQLite's own averages."""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.harness import Results
from historian.query import History
from historian.read import NAMES
from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch
from tags.model import Tag

SECOND = 1_000_000_000
HOUR, DAY = 3600 * SECOND, 86_400 * SECOND
START = 1_782_079_200 * SECOND  # a midnight in Madrid
DAYS = 7
PEER = "SQLite rows, avg() GROUP BY"


def level() -> Tag:
    """A tag as a site has them."""
    return Tag(
        id=1,
        path="tank1/LT-101",
        type="float64",
        kind="device",
        writer="field",
        row=0,
        unit="m",
        scan_ns=SECOND,
    )


def week(tags: int) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """A week of one tag and a day of others: random walks of a 12-bit converter, 1 Hz, in order of time."""
    rng = np.random.default_rng(4)
    parts = []
    for tag in range(1, tags + 1):
        n = (DAYS if tag == 1 else 1) * 86_400
        part = np.zeros(n, SAMPLE)
        part["tag"] = tag
        part["t"] = START + np.arange(n) * SECOND + rng.integers(-2000, 2000, n) * 1000
        walk = np.clip(2048 + np.cumsum(rng.integers(-2, 3, n)), 0, 4095)
        part["bits"] = (walk * (5.0 / 4096)).view(np.uint64)
        parts.append(part)
    rows = np.concatenate(parts)
    return rows[np.argsort(rows["t"], kind="stable")]


def median_ms(work: Callable[[], object], times: int = 7) -> float:
    """Median time of some runs, after one that warms up, ms."""
    work()
    took = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        took.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(took)


def plain_rows(path: Path, rows: np.ndarray[tuple[int], np.dtype[np.void]]) -> sqlite3.Connection:
    """The same week as one would write it first: a row for each sample."""
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE sample (tag INTEGER, t INTEGER, value REAL, PRIMARY KEY (tag, t)) WITHOUT ROWID")
    mine = rows[rows["tag"] == 1]
    values = mine["bits"].copy().view(np.float64).tolist()
    db.executemany("INSERT INTO sample VALUES (1, ?, ?)", zip(mine["t"].tolist(), values, strict=True))
    db.commit()
    return db


def main() -> None:
    """Runs everything and writes `bench/results/reading.json`."""
    results = Results("reading")
    with tempfile.TemporaryDirectory() as name:
        rows = week(20)
        store = SqliteStore.writer(Path(name))
        tags = [level()]
        tags += [
            Tag(id=i, path=f"t{i}", type="float64", kind="device", writer="field", row=i)
            for i in range(2, 21)
        ]
        store.declare(tags)
        for part in np.array_split(rows, 200):
            store.append(Batch(part, utc_ns=START + DAYS * DAY))
            store.fold(force=True)
        past = History(store, "Europe/Madrid")
        plain = plain_rows(Path(name) / "rows.sqlite", rows)
        tag, end, bucket = tags[0], START + DAYS * DAY, DAYS * DAY // 500

        def buckets(aggregate: str) -> float:
            return median_ms(lambda: past.aggregate(tag, aggregate, START, end, bucket, state=1), 5)

        for aggregate in ("time-average", "max"):
            results.add(
                f"a week of one tag at 1 Hz, 500 buckets, {aggregate}",
                buckets(aggregate),
                "ms",
                "<= 300",
                PEER,
                median_ms(
                    lambda: plain.execute(
                        "SELECT t / ?, avg(value), max(value) FROM sample WHERE tag = 1 GROUP BY 1", (bucket,)
                    ).fetchall(),
                    3,
                ),
            )
        results.add(
            "a day of one tag, hourly time-average",
            median_ms(lambda: past.aggregate(tag, "time-average", START, START + DAY, HOUR)),
            "ms",
            "<= 100",
        )
        results.add(
            "a week of one tag, integral by day of the site",
            median_ms(lambda: past.aggregate(tag, "integral", START, end, "day")),
            "ms",
            "<= 300",
        )
        results.add(
            "a week of one tag, slowest aggregate, 500 buckets",
            max(map(buckets, NAMES)),
            "ms",
            "<= 500",
        )
        results.add(
            "1,000 values at given times over a day",
            median_ms(lambda: past.at(tag, list(range(START, START + DAY, DAY // 1000)))),
            "ms",
            "<= 100",
        )
        results.add(
            "20 tags of an hour on a grid of 1 s",
            median_ms(lambda: past.align(tags, range(START, START + HOUR, SECOND))),
            "ms",
            "<= 200",
        )
        results.add(
            "reading the week's 604,800 samples alone",
            median_ms(lambda: store.raw(1, START, end, 1_000_000)),
            "ms",
            "<= 400",
        )
        plain.close()
        store.close()
    results.write()


if __name__ == "__main__":
    main()
