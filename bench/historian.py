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
import zstandard

from bench import signals
from bench.harness import Results
from bench.signals import GROUP, SECOND, START
from historian import chunks
from historian.policy import Policy
from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch
from tags.mapped import Position
from tags.model import Tag

Rows = npt.NDArray[np.void]

SLOW_TAGS, FAST_TAGS, FAST_HZ = 1000, 50, 100
DAY_S, DAY_FAST_TAGS, DAY_FAST_S = (
    86_400,
    5,
    1800,
)  # a scan group of 50 for a day; slow and fast samples as 4.8 to 1
FOLD_S = 600
PEER_TAGS = 20
PEER = "SQLite rows, WITHOUT ROWID (tag, t)"
RAW = "zstd -3 of the raw columns of a chunk"


def seconds(rng: np.random.Generator, count: int) -> list[Rows]:
    """Seconds of plant as the rings give them: 1,000 tags at 1 Hz and 50 tags at 100 Hz."""
    kinds = [GROUP[i % len(GROUP)] for i in range(SLOW_TAGS)]
    slow = np.array([signals.values(rng, kind, count) for kind in kinds])
    times = np.repeat([signals.stamps(rng, count) for _ in range(SLOW_TAGS // 50)], 50, axis=0)
    n = count * FAST_HZ
    fast = np.array([signals.values(rng, "fast", n) for _ in range(FAST_TAGS)])
    fast_times = signals.stamps(rng, n, SECOND // FAST_HZ)
    found = []
    for at in range(count):
        samples = np.zeros(SLOW_TAGS + FAST_TAGS * FAST_HZ, SAMPLE)
        part = slice(at * FAST_HZ, (at + 1) * FAST_HZ)
        samples["tag"][:SLOW_TAGS] = np.arange(1, SLOW_TAGS + 1)
        samples["tag"][SLOW_TAGS:] = np.tile(np.arange(SLOW_TAGS + 1, SLOW_TAGS + FAST_TAGS + 1), FAST_HZ)
        samples["t"] = np.concatenate([times[:, at], np.repeat(fast_times[part], FAST_TAGS)])
        samples["bits"] = np.concatenate([slow[:, at], fast[:, part].T.reshape(-1)])
        found.append(samples)
    return found


def tags(kinds: list[str]) -> list[Tag]:
    return [
        Tag(id=i, path=f"t{i}", type=signals.type_of(kind), kind="device", writer="field", row=i - 1)
        for i, kind in enumerate(kinds, 1)
    ]


def day(rng: np.random.Generator) -> tuple[list[str], list[Rows]]:
    """A day of a scan group of 50 tags, and half an hour of five tags at 100 Hz; what is folded at once, part by part."""
    kinds = list(GROUP) + ["fast"] * DAY_FAST_TAGS
    times, fast_times = (
        signals.stamps(rng, DAY_S),
        signals.stamps(rng, DAY_FAST_S * FAST_HZ, SECOND // FAST_HZ),
    )
    columns = []
    for tag, kind in enumerate(kinds, 1):
        t = fast_times if kind == "fast" else times
        rows = np.zeros(len(t), SAMPLE)
        rows["tag"], rows["t"], rows["bits"] = tag, t, signals.values(rng, kind, len(t))
        rows["status"] = signals.statuses(rng, len(t))
        columns.append(rows)
    edges = range(0, DAY_S, FOLD_S)
    parts = []
    for at in edges:
        pieces = []
        for kind, rows in zip(kinds, columns, strict=True):
            speed = FAST_HZ if kind == "fast" else 1
            pieces.append(rows[at * speed : (at + FOLD_S) * speed])
        joined = np.concatenate(pieces)
        parts.append(joined[np.argsort(joined["t"], kind="stable")])
    return kinds, parts


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
    store.join_short()


def ingest(results: Results, folder: Path) -> None:
    batches = seconds(np.random.default_rng(1), 200)
    store = SqliteStore.writer(folder)
    store.declare(tags([GROUP[i % len(GROUP)] for i in range(SLOW_TAGS)] + ["fast"] * FAST_TAGS))
    took = []
    for number, samples in enumerate(batches):
        positions = {("field", "changes"): Position(1, number + 1)}
        took.append(timed(_commit, store, Batch(samples, positions=positions)))
    newest = [timed(store.last) for _ in range(5)]
    results.add("latest of all 1,050 tags", 1e3 * float(np.median(newest)), "ms", "<= 15")
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
    kinds, parts = day(np.random.default_rng(2))
    store = SqliteStore.writer(folder)
    store.declare(tags(kinds))
    plain = PlainRows(folder)
    for part in parts:
        store.append(Batch(part))
        store.fold(force=True)
        store.join_short()
        plain.append(part[part["tag"] <= PEER_TAGS])
    end = START + (DAY_S + 1) * SECOND
    assert len(store.raw(3, START - SECOND, end)) == plain.tag_day(3) == DAY_S
    slow = range(1, len(GROUP) + 1)
    ours = [timed(store.raw, tag, START - SECOND, end) for tag in slow]
    peer = [timed(plain.tag_day, tag) for tag in range(1, 8)]
    results.add(
        "a day of one tag, 86,400 samples",
        1e3 * float(np.median(ours)),
        "ms",
        "<= 4",
        PEER,
        1e3 * float(np.median(peer)),
    )
    hours = [timed(hour, store, START + at * 3600 * SECOND) for at in range(3, 20)]
    results.add("an hour of 20 tags", 1e3 * float(np.median(hours)), "ms", "<= 3")
    for db in (store._connection, plain.db):  # noqa: SLF001 - sizes are of files without their logs
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    results.add(
        "size on disk, settled",
        store._size() / sum(map(len, parts)),  # noqa: SLF001 - pages in use: free ones are used again
        "bytes/sample",
        "<= 3",
        PEER,
        plain.path.stat().st_size / (PEER_TAGS * DAY_S),
    )
    store.close()
    plain.db.close()


def hour(store: SqliteStore, start: int) -> None:
    for tag in range(1, 21):
        store.raw(tag, start, start + 3600 * SECOND)


def codec(results: Results) -> None:
    """Chunks of 4,096 samples alone; their time stamps come once for a scan group of 50."""
    rng = np.random.default_rng(4)
    n, each = 4096, 12
    took = {"pack": 0.0, "unpack": 0.0}
    for kind in ("adc", "real", "totaliser", "setpoint", "switch", "fast"):
        t = signals.stamps(rng, n * each, SECOND // FAST_HZ if kind == "fast" else SECOND)
        bits, status = signals.values(rng, kind, n * each), signals.statuses(rng, n * each)
        size = times = raw = 0
        for at in range(0, n * each, n):
            part = slice(at, at + n)
            block = chunks.pack_times(t[part])
            start = time.perf_counter()
            blob = chunks.pack(
                1, signals.type_of(kind), t[part], bits[part], status[part], chunks.checksum_of(block)
            )
            middle = time.perf_counter()
            chunks.unpack(blob)
            took["unpack"] += time.perf_counter() - middle
            took["pack"] += middle - start
            size, times = size + len(blob), times + len(block)
            columns = (bits[part], status[part], np.diff(t[part]))
            raw += sum(
                len(zstandard.compress(np.ascontiguousarray(column).tobytes(), 3)) for column in columns
            )
        total = (size + times / 50) / (n * each)
        results.add(f"codec, {kind}", total, "bytes/sample", "", RAW, raw / (n * each))
    for name, goal in (("pack", ">= 5e6"), ("unpack", ">= 2e7")):
        results.add(f"codec, {name}", 6 * n * each / took[name], "samples/s", goal)


def policy(results: Results) -> None:
    rng = np.random.default_rng(3)
    keeps = Policy(tags(["adc"] * (SLOW_TAGS + FAST_TAGS)), np.empty(0, SAMPLE))
    batches = seconds(rng, 50)
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
    codec(results)
    policy(results)
    results.write()


if __name__ == "__main__":
    main()
