"""The codec and the tags' history settings alone."""

from __future__ import annotations

import time

import numpy as np
import zstandard

from bench import signals
from bench.harness import Results
from bench.historian.day import FAST_HZ, Day
from bench.signals import SECOND
from historian import chunks
from historian.policy import Policy
from historian.store import SAMPLE

RAW = "zstd -3 of the raw columns of a chunk"


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


def policy(results: Results, day: Day) -> None:
    keeps = Policy(day.tags, np.empty(0, SAMPLE))
    batches = next(day.blocks(min(50, day.fast_s)))
    start = time.perf_counter()
    for samples in batches:
        keeps.keep(samples, samples["t"].copy())
    took = time.perf_counter() - start
    results.add("history settings applied", sum(map(len, batches)) / took, "samples/s", ">= 1e6")
