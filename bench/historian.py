"""The historian's store beside plain SQLite rows: how fast it takes samples, how fast it gives a tag's day back.

`python -m bench.historian`; under 30 s.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.harness import Results
from historian.policy import Policy
from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch
from tags.mapped import Position
from tags.model import Tag

Rows = npt.NDArray[np.void]

SECOND = 1_000_000_000
START = 1_750_000_000 * SECOND
SLOW_TAGS, FAST_TAGS, FAST_HZ = 1000, 50, 100
DAY_TAGS, DAY_S = 20, 86_400
PEER = "SQLite rows, WITHOUT ROWID (tag, t)"


def second(rng: np.random.Generator, number: int) -> Rows:
    """One second of plant: 1,000 tags at 1 Hz and 50 tags at 100 Hz, values of 12-bit converters."""
    samples = np.zeros(SLOW_TAGS + FAST_TAGS * FAST_HZ, SAMPLE)
    samples["tag"][:SLOW_TAGS] = np.arange(1, SLOW_TAGS + 1)
    samples["tag"][SLOW_TAGS:] = np.tile(np.arange(SLOW_TAGS + 1, SLOW_TAGS + FAST_TAGS + 1), FAST_HZ)
    samples["t"] = START + number * SECOND
    samples["t"][SLOW_TAGS:] += np.repeat(np.arange(FAST_HZ) * 10_000_000, FAST_TAGS)
    samples["bits"] = (rng.integers(0, 4096, len(samples)) * (5.0 / 4096)).view(np.uint64)
    return samples


def day(rng: np.random.Generator) -> Rows:
    """A day of 20 tags at 1 Hz: a random walk of a 12-bit converter, in the order of time."""
    walk = np.clip(2048 + np.cumsum(rng.integers(-2, 3, (DAY_S, DAY_TAGS)), axis=0), 0, 4095)
    samples = np.zeros(DAY_S * DAY_TAGS, SAMPLE)
    samples["tag"] = np.tile(np.arange(1, DAY_TAGS + 1), DAY_S)
    jitter = rng.integers(-2000, 2000, DAY_S) * 1000
    samples["t"] = np.repeat(START + np.arange(DAY_S) * SECOND + jitter, DAY_TAGS)
    samples["bits"] = (walk.reshape(-1) * (5.0 / 4096)).view(np.uint64)
    return samples


class PlainRows:
    """What one would write first: a row for each sample."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "rows.sqlite"
        self.db = sqlite3.connect(self.path, isolation_level=None)
        self.db.executescript(
            "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
            "CREATE TABLE sample (tag INTEGER, t INTEGER, value REAL, status INTEGER, PRIMARY KEY (tag, t)) WITHOUT ROWID"
        )

    def append(self, samples: Rows) -> None:
        """Commits samples."""
        values = samples["bits"].copy().view(np.float64).tolist()
        rows = zip(
            samples["tag"].tolist(), samples["t"].tolist(), values, samples["status"].tolist(), strict=True
        )
        self.db.execute("BEGIN")
        self.db.executemany("INSERT INTO sample VALUES (?, ?, ?, ?)", rows)
        self.db.execute("COMMIT")

    def tag_day(self, tag: int) -> int:
        """Reads a tag's day; returns how many samples that were."""
        rows = self.db.execute(
            "SELECT t, value, status FROM sample WHERE tag = ? AND t >= ? AND t < ? ORDER BY t",
            (tag, START - SECOND, START + (DAY_S + 1) * SECOND),
        ).fetchall()
        return len(rows)


def timed(work: Callable[..., object], *arguments: object) -> float:
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


def _commit(store: SqliteStore, batch: Batch) -> None:
    store.append(batch)
    store.fold()


def ingest(results: Results, folder: Path) -> None:
    rng = np.random.default_rng(1)
    batches = [second(rng, number) for number in range(200)]
    store = SqliteStore.writer(folder)
    took = []
    for number, samples in enumerate(batches):
        positions = {("field", "changes"): Position(1, number + 1)}
        took.append(timed(_commit, store, Batch(samples, positions=positions)))
    store.close()
    plain = PlainRows(folder)
    peer = [timed(plain.append, samples) for samples in batches[:30]]
    plain.db.close()
    n = len(batches[0])
    results.add(
        "ingest, a commit for each second of 6,000 samples",
        n * len(took) / sum(took),
        "samples/s",
        ">= 1e6",
        PEER,
        n * len(peer) / sum(peer),
    )
    results.add(
        "commit of 6,000 samples, median",
        1e3 * float(np.median(took)),
        "ms",
        "<= 20",
        PEER,
        1e3 * float(np.median(peer)),
    )
    results.add(
        "commit of 6,000 samples, worst (folds the journal)",
        1e3 * max(took),
        "ms",
        "<= 1000",
        PEER,
        1e3 * max(peer),
    )


def query(results: Results, folder: Path) -> None:
    samples = day(np.random.default_rng(2))
    store = SqliteStore.writer(folder)
    plain = PlainRows(folder)
    for at in range(0, len(samples), 600 * DAY_TAGS):
        store.append(Batch(samples[at : at + 600 * DAY_TAGS]))
        store.fold(force=True)
        plain.append(samples[at : at + 600 * DAY_TAGS])
    end = START + (DAY_S + 1) * SECOND
    assert len(store.raw(3, START - SECOND, end)) == plain.tag_day(3) == DAY_S
    ours = [timed(store.raw, tag, START - SECOND, end) for tag in range(1, DAY_TAGS + 1)]
    peer = [timed(plain.tag_day, tag) for tag in range(1, 8)]
    results.add(
        "a day of one tag, 86,400 samples",
        1e3 * float(np.median(ours)),
        "ms",
        "<= 20",
        PEER,
        1e3 * float(np.median(peer)),
    )
    for db in (store._connection, plain.db):  # noqa: SLF001 - sizes are of files without their logs
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    results.add(
        "size on disk",
        store.path.stat().st_size / len(samples),
        "bytes/sample",
        "<= 8",
        PEER,
        plain.path.stat().st_size / len(samples),
    )
    store.close()
    plain.db.close()


def policy(results: Results) -> None:
    rng = np.random.default_rng(3)
    names = range(1, SLOW_TAGS + FAST_TAGS + 1)
    tags = [Tag(id=i, path=f"t{i}", type="float64", kind="device", writer="field", row=i - 1) for i in names]
    keeps = Policy(tags, np.empty(0, SAMPLE))
    batches = [second(rng, number) for number in range(50)]
    took = sum(timed(keeps.keep, samples, samples["t"].copy()) for samples in batches)
    results.add("history settings applied", sum(map(len, batches)) / took, "samples/s", ">= 1e6")


def main() -> None:
    """Runs everything and writes `bench/results/historian.json`."""
    results = Results("historian")
    with tempfile.TemporaryDirectory() as name:
        for part, work in (("ingest", ingest), ("query", query)):
            folder = Path(name) / part
            folder.mkdir()
            work(results, folder)
    policy(results)
    results.write()


if __name__ == "__main__":
    main()
