"""The past by interval: a month of one tag and a day of twenty at 1 Hz, sealed, read by a reader that is warm; beside SQLite's own averages."""

from __future__ import annotations

import dataclasses
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
START = 1_782_086_400 * SECOND  # a midnight UTC
DAYS = 30
LAST = START + (DAYS - 1) * DAY  # the day of all tags
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


def course(tag: int, day: int) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """A day of a tag: a random walk of a 12-bit converter, 1 Hz, with the jitter that all tags of its scan group share."""
    n = DAY // SECOND
    jitter = np.random.default_rng([4, day]).integers(0, 4000, n) * 1000
    part = np.zeros(n, SAMPLE)
    part["tag"] = tag
    part["t"] = START + day * DAY + np.arange(n) * SECOND + jitter
    walk = np.clip(2048 + np.cumsum(np.random.default_rng([4, day, tag]).integers(-2, 3, n)), 0, 4095)
    part["bits"] = (walk * (5.0 / 4096)).view(np.uint64)
    return part


def fill(store: SqliteStore, tags: int) -> None:
    """A month of the first tag, its last day of all."""
    for day in range(DAYS):
        for tag in range(1, tags + 1 if day == DAYS - 1 else 2):
            store.append(Batch(course(tag, day), utc_ns=START + (day + 1) * DAY))
        store.fold(force=True)
        store.seal(START // DAY + day, START + (day + 1) * DAY)


def median_ms(work: Callable[[], object], times: int = 7) -> float:
    """Median time of some runs, after one that warms up, ms."""
    work()
    took = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        took.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(took)


def plain_rows(path: Path) -> sqlite3.Connection:
    """The last day of the first tag as one would write it first: a row for each sample."""
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE sample (tag INTEGER, t INTEGER, value REAL, PRIMARY KEY (tag, t)) WITHOUT ROWID")
    rows = course(1, DAYS - 1)
    values = rows["bits"].copy().view(np.float64).tolist()
    db.executemany("INSERT INTO sample VALUES (1, ?, ?)", zip(rows["t"].tolist(), values, strict=True))
    db.commit()
    return db


def main() -> None:
    """Runs everything and writes `bench/results/reading.json`."""
    results = Results("reading")
    with tempfile.TemporaryDirectory() as name:
        tags = [level()] + [dataclasses.replace(level(), id=i, path=f"t{i}", row=i) for i in range(2, 21)]
        store = SqliteStore.writer(Path(name))
        store.declare(tags)
        fill(store, len(tags))
        store.close()
        store = SqliteStore.reader(Path(name))
        past = History(store, "Europe/Madrid")
        plain = plain_rows(Path(name) / "rows.sqlite")
        measure(results, store, past, tags, plain)
        plain.close()
        store.close()
    results.write()


def measure(
    results: Results, store: SqliteStore, past: History, tags: list[Tag], plain: sqlite3.Connection
) -> None:
    """All questions, with the goals of the project."""
    tag, end = tags[0], LAST + DAY

    def day(aggregate: str, every: int) -> float:
        return median_ms(lambda: past.aggregate(tag, aggregate, LAST, end, every, state=1))

    def rows(every: int, what: str) -> float:
        query = f"SELECT t / ?, {what} FROM sample WHERE tag = 1 GROUP BY 1"
        return median_ms(lambda: plain.execute(query, (every,)).fetchall(), 3)

    add = results.add
    add("a day of one tag, 86,400 samples", median_ms(lambda: store.raw(1, LAST, end)), "ms", "<= 4")
    hours = rows(HOUR, "avg(value)")
    add("a day of one tag, hourly time-average", day("time-average", HOUR), "ms", "<= 3", PEER, hours)
    few = rows(DAY // 500, "min(value), max(value), avg(value)")
    add("a day of one tag, 500 buckets, max", day("max", DAY // 500), "ms", "<= 4", PEER, few)
    add(
        "a day of one tag, 500 buckets, time-average",
        day("time-average", DAY // 500),
        "ms",
        "<= 4",
        PEER,
        few,
    )
    slowest = max(day(name, DAY // 500) for name in NAMES)
    add("a day of one tag, 500 buckets, the slowest aggregate", slowest, "ms", "<= 40")
    an_hour = (LAST + 5 * HOUR, LAST + 6 * HOUR)
    ids = [one.id for one in tags]
    add("20 tags of an hour", median_ms(lambda: [store.raw(tag, *an_hour) for tag in ids]), "ms", "<= 3")
    grid = median_ms(lambda: past.align(tags, range(*an_hour, SECOND)))
    add("20 tags of an hour on a grid of 1 s", grid, "ms", "<= 20")
    month = median_ms(lambda: past.trend(tag, START, end, 1000))
    add("a month of one tag as a picture of 1,000 pixels", month, "ms", "<= 30")
    hourly = median_ms(lambda: past.aggregate(tag, "time-average", START, end, HOUR))
    add("a month of one tag, hourly time-average", hourly, "ms", "<= 30")
    local = median_ms(lambda: past.aggregate(tag, "integral", START, end, "day"))
    add("a month of one tag, integral by day of the site", local, "ms", "<= 30")
    times = list(range(LAST, end, DAY // 1000))
    add("1,000 values at given times over a day", median_ms(lambda: past.at(tag, times)), "ms", "<= 40")


if __name__ == "__main__":
    main()
