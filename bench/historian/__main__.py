"""`python -m bench.historian`: under 15 min; `--hours 0.5` for a smoke, `--only Closedloop,DuckDB` for some of the stores."""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bench.harness import Results
from bench.historian import parts
from bench.historian.day import FAST, SLOW, Day, Rows
from bench.historian.duck import Duck
from bench.historian.ours import Ours
from bench.historian.ring import ring
from bench.historian.rows import PlainRows
from bench.historian.servers import Influx, Server, Victoria
from bench.historian.store import Bench

STORES: tuple[type[Bench], ...] = (Ours, Influx, Victoria, Duck, PlainRows)
COMMIT_S = 10
TAGS = range(1, 51)  # all kinds of signals
AGAIN = 7
QUESTIONS: tuple[tuple[str, str, Callable[[Bench, int], int]], ...] = (
    ("a day of one tag", "<= 4", lambda store, tag: store.raw(tag)),
    (
        "a day of one tag in 500 buckets: min, max, average",
        "<= 4",
        lambda store, tag: store.buckets(tag, 500),
    ),
    ("an hour of 20 tags", "<= 3", lambda store, _: store.hour()),
    ("hourly time-weighted average of a day", "<= 3", lambda store, tag: store.hourly(tag)),
    ("latest of all tags", "<= 15", lambda store, _: store.latest()),
    ("a month of one tag in 1,000 buckets: min, max, average", "<= 30", lambda store, _: store.month(1000)),
)


class Taken:
    """Figures of all stores: for each name ours, and those beside it."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, float]] = {}
        self._about: dict[str, tuple[str, str]] = {}

    def add(self, store: Bench, name: str, value: float, unit: str, goal: str = "") -> None:
        """Adds a figure of one store."""
        self._about.setdefault(name, (unit, goal))
        self._found.setdefault(name, {})[store.name] = value
        print(f"  {store.name:24} {name:56} {value:12.5g} {unit}", flush=True)

    def write(self, results: Results) -> None:
        """As rows of the room: ours beside each of the others."""
        for name, values in self._found.items():
            unit, goal = self._about[name]
            ours = values.pop(Ours.name, None)
            if ours is None:
                continue
            for peer, value in values.items() or [("", None)]:
                results.add(name, ours, unit, goal, peer, value)
                goal = ""


def commits(store: Bench, day: Day) -> Iterator[Rows]:
    """What is committed at once, of the tags that the store takes."""
    seconds: list[Rows] = []
    for block in day.blocks():
        for rows in block:
            seconds.append(rows[rows["tag"] <= store.tags_max] if store.tags_max else rows)
            if len(seconds) == COMMIT_S:
                yield np.concatenate(seconds)
                seconds.clear()
    if seconds:
        yield np.concatenate(seconds)


def take(store: Bench, day: Day, taken: Taken) -> None:
    """Feeds the day to a store."""
    spent = making = 0.0
    count = 0
    cpu, last = store.processor_s(), time.thread_time()
    for rows in commits(store, day):
        making += time.thread_time() - last
        begin = time.perf_counter()
        store.append(rows)
        spent += time.perf_counter() - begin
        count += len(rows)
        last = time.thread_time()
    begin = time.perf_counter()
    store.settle()
    spent += time.perf_counter() - begin
    cpu = store.processor_s() - cpu - making
    name = f"the day taken and settled, {COMMIT_S} s in each commit"
    taken.add(store, name, count / spent, "samples/s", ">= 3e6")
    taken.add(store, "the same, processor time", 1e6 * cpu / count, "µs/sample")
    if isinstance(store, Ours):
        begin = time.perf_counter()
        store.seal()
        taken.add(
            store, "the day sealed, with summaries of its minutes and hours", time.perf_counter() - begin, "s"
        )
    taken.add(store, "size on disk, settled", store.size() / count, "bytes/sample", "<= 3")
    for rows in day.month():
        store.append(rows)
    store.settle()
    if isinstance(store, Ours):
        store.seal()


def ask(store: Bench, taken: Taken) -> dict[str, int]:
    """Asks the six questions; returns how many values came back."""
    counts = {}
    for name, goal, question in QUESTIONS:
        question(store, TAGS[0])  # warm: files are open, pages in memory
        took = []
        for tag in TAGS[:: len(TAGS) // AGAIN]:
            begin = time.perf_counter()
            counts[name] = question(store, tag)
            took.append(1e3 * (time.perf_counter() - begin))
        taken.add(store, name, statistics.median(took), "ms", goal)
    return counts


def checked(store: Bench, day: Day, counts: dict[str, int]) -> None:
    """Every store has answered the whole question; gaps of Bad samples leave little out."""
    tags = store.tags_max or SLOW + FAST + 1
    wanted = [day.seconds, 500, 20 * day.seconds // 24, 24, tags, 1000]
    for (name, count), most in zip(counts.items(), wanted, strict=True):
        if not 0.9 * most - 2 <= count <= 1.01 * most + 2:
            raise AssertionError(f"{store.name}: {name}: {count} values, not {most}")


def live(results: Results, day: Day, folder: Path) -> None:
    """A commit for each second of 6,000 samples, and what a core has to do with them."""
    store = Ours(day, folder)
    took = []
    begin = time.process_time()
    for block in day.blocks(min(day.fast_s, 200)):
        for rows in block:
            start = time.perf_counter()
            store.append(rows)
            took.append(time.perf_counter() - start)
        break
    store.settle()
    used = (time.process_time() - begin) / len(took)
    store.close()
    results.add("commit of a second of 6,000 samples, median", 1e3 * statistics.median(took), "ms", "<= 20")
    results.add("commit of a second of 6,000 samples, worst", 1e3 * max(took), "ms", "<= 1000")
    results.add("share of a core at 6,000 samples/s, commits, folds and compaction", 100 * used, "%", "<= 3")


@contextmanager
def scratch(folder: str | None) -> Iterator[Path]:
    """A folder for all files, gone afterwards."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        yield Path(name)


def main() -> None:
    """Runs what is asked for and writes `bench/results/historian.json` when that is everything."""
    options = argparse.ArgumentParser()
    options.add_argument("--hours", type=float, default=24.0, help="length of the day")
    options.add_argument("--only", default="", help="names of stores, with commas between")
    options.add_argument("--folder", default=None, help="for about 8 GB of files")
    chosen = options.parse_args()
    names = {name.strip() for name in chosen.only.split(",") if name.strip()}
    results, taken = Results("historian"), Taken()
    with scratch(chosen.folder) as folder:
        begin = time.perf_counter()
        made = folder / "day"
        made.mkdir()
        day = Day(made, chosen.hours)
        print(f"{day.count:,} samples made in {time.perf_counter() - begin:.0f} s", flush=True)
        for kind in STORES:
            if names and kind.name not in names:
                continue
            if issubclass(kind, Server) and shutil.which(kind.command) is None:
                print(f"{kind.command} is not installed: left out (make databases)")
                continue
            place = folder / kind.__name__
            place.mkdir()
            store = kind(day, place)
            try:
                take(store, day, taken)
                checked(store, day, ask(store, taken))
            finally:
                store.close()
            shutil.rmtree(place)
        place = folder / "live"
        place.mkdir()
        live(results, day, place)
        ring(results, day, folder)
        parts.policy(results, day)
    taken.write(results)
    parts.codec(results)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{time.perf_counter() - begin:.0f} s in all; {memory:.1f} GB at most, with what is mapped")
    if chosen.hours == 24 and not names:
        results.write()


if __name__ == "__main__":
    main()
