"""From the change ring to the disk: the way of the historian itself, with folds beside it."""

from __future__ import annotations

import dataclasses
import shutil
import time
from pathlib import Path

import numpy as np

from bench.harness import Results
from bench.historian.day import Day
from bench.historian.ours import Ours
from historian.collector import Collector
from scada.clock import SystemClock
from scada.datadir import DataDir
from tags.model import History, Site, dump
from tags.publish import create_files
from tags.ring import RingWriter, changes
from tests.support.site import make_site

CAPACITY = 1 << 22
SECONDS = 8
RATE = 3_000_000


def ring(results: Results, day: Day, folder: Path) -> None:
    """Seconds of 3 million changes each, every one read, put through the tags' settings and committed at once.

    The time has all of it: filling the ring (another process does that in a plant), commits, folds and compaction.
    """
    tags = tuple(dataclasses.replace(tag, history=History(max_gap_ns=0)) for tag in day.tags)
    site = dataclasses.replace(make_site(), tags=tags, services=("historian",), sinks=())
    data = DataDir(folder / "plant")
    data.create()
    data.site_json.write_bytes(dump(site))
    create_files(data.run, site, epoch=1)
    RingWriter.create(data.ring("field"), CAPACITY, 1).close()
    try:
        _measure(results, day, data, site)
    finally:
        shutil.rmtree(data.run.resolve())


def _measure(results: Results, day: Day, data: DataDir, site: Site) -> None:
    writer = RingWriter.open(data.ring("field"), 1)
    store = Ours(day, data.root)
    store.store.declare(site.tags)
    clock = SystemClock()
    collector = Collector(data, site, store.store, clock)
    collector.collect()
    rows = np.concatenate(next(day.blocks(min(RATE // 6000, day.fast_s))))
    records = changes(rows["tag"], rows["status"], rows["t"], 0, rows["bits"], len(rows))
    span = int(rows["t"].max() - rows["t"].min()) + 10_000_000
    commits, count = [], 0
    begin = time.perf_counter()
    for _ in range(SECONDS):
        writer.append(records)
        records["source_ns"] += span
        start = time.perf_counter()
        batch = collector.collect()
        store.store.append(batch)
        commits.append(time.perf_counter() - start)
        count += len(batch.samples)
    store.settle()
    took = time.perf_counter() - begin
    lost = SECONDS * len(rows) - count
    store.close()
    writer.close()
    if lost > 0.05 * count:  # the tags' settings leave repeated values out
        raise AssertionError(f"{lost} of {SECONDS * len(rows)} changes did not arrive")
    results.add(
        f"from the change ring, {len(rows):,} changes in each commit, folded and settled",
        SECONDS * len(rows) / took,
        "samples/s",
        ">= 3e6",
    )
    results.add(
        "the same, until it is durable in the journal, folds beside it",
        SECONDS * len(rows) / sum(commits),
        "samples/s",
    )
    results.add("the same, worst commit", max(commits), "s", "<= 1")
