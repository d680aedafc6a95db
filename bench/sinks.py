"""How fast waiting history is replayed into InfluxDB 1.6.7 and VictoriaMetrics of Debian, and what it costs a commit.

`python -m bench.sinks`; about half a minute. A database that is not installed is left out (`make databases`).
"""

from __future__ import annotations

import dataclasses
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bench.harness import Results
from historian.sinks.__main__ import SWITCH_S
from historian.sinks.influx import Influx
from historian.sinks.lines import Encoder
from historian.sinks.worker import Worker
from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch
from scada.clock import SystemClock
from tags.model import Sink, Site, Tag
from tests.sinks.databases import Database
from tests.support.site import make_site

SECONDS: Final = 200
SLOW_TAGS, FAST_TAGS, FAST_HZ = 1000, 50, 100
SECOND: Final = 1_000_000_000
START: Final = 1_750_000_000 * SECOND
KINDS: Final = (
    ("influxd", "influxdb", "v1", ">= 5e5"),
    ("victoria-metrics", "victoriametrics", "v2", ">= 7e5"),
)

VARIANTS: Final[dict[str, dict[str, Any]]] = {
    "as by default": {},
    "quality: exceptions": {"quality": "exceptions"},
    "quality: exceptions, keys: {id: path}": {"quality": "exceptions", "keys": {"id": "path"}},
}


def second(rng: np.random.Generator, number: int) -> npt.NDArray[np.void]:
    """One second of plant: 1,000 tags at 1 Hz and 50 tags at 100 Hz, values of 12-bit converters."""
    samples = np.zeros(SLOW_TAGS + FAST_TAGS * FAST_HZ, SAMPLE)
    samples["tag"][:SLOW_TAGS] = np.arange(1, SLOW_TAGS + 1)
    samples["tag"][SLOW_TAGS:] = np.tile(np.arange(SLOW_TAGS + 1, SLOW_TAGS + FAST_TAGS + 1), FAST_HZ)
    samples["t"] = START + number * SECOND
    samples["t"][SLOW_TAGS:] += np.repeat(np.arange(FAST_HZ) * 10_000_000, FAST_TAGS)
    samples["bits"] = (rng.integers(0, 4096, len(samples)) * (5.0 / 4096)).view(np.uint64)
    return samples


def a_site(sink: Sink) -> Site:
    """1,050 tags in 20 areas."""
    tags = tuple(
        Tag(
            id=i,
            path=f"tank{i % 20}/LT-{i}",
            type="float64",
            kind="device",
            writer="field",
            row=i - 1,
            unit="m",
        )
        for i in range(1, SLOW_TAGS + FAST_TAGS + 1)
    )
    return dataclasses.replace(make_site(), tags=tags, sinks=(sink,))


def a_sink(url: str, type_: str, api: str) -> Sink:
    keys = {"id": "path", "area": "area", "unit": "unit"}
    return Sink(
        name="db",
        type=type_,
        url=url,
        api=api,
        org="",
        bucket="plant",
        measurement="plant",
        keys=keys,
        history_ns=-1,
    )


def replay(
    results: Results, folder: Path, command: str, type_: str, api: str, goal: str, variant: str
) -> None:
    """An outage of 200 s of 6,000 samples, then the database is back while commits go on.

    Args:
        results: Takes the figures.
        folder: For files.
        command: Program of the database.
        type_: Of the sink.
        api: Of the sink.
        goal: Of the rate.
        variant: One of `VARIANTS`.
    """
    database = Database(folder / "db", command)
    try:
        rng = np.random.default_rng(1)
        store = SqliteStore.writer(folder / "history")
        for number in range(SECONDS):
            store.append(Batch(second(rng, number)))
        sink = dataclasses.replace(a_sink(database.url, type_, api), **VARIANTS[variant])
        worker = Worker(
            sink, a_site(sink), folder / "history", SystemClock(), Influx(sink), lambda _state, _message: None
        )
        wanted = SECONDS * (SLOW_TAGS + FAST_TAGS * FAST_HZ)
        done = threading.Event()
        took: list[float] = []

        def live() -> None:
            number = SECONDS
            while not done.wait(0.2):
                began = time.perf_counter()
                store.append(Batch(second(rng, number)))
                took.append(time.perf_counter() - began)
                number += 1

        commits = threading.Thread(target=live)
        worker.turn()  # the first portion is read and the connection made outside of the measurement
        commits.start()
        start, cpu, theirs = time.perf_counter(), time.process_time(), database.processor_s()
        while worker.sent < wanted:
            done.wait(worker.turn())
        end, used = time.perf_counter(), time.process_time() - cpu
        done.set()
        commits.join()
        name = "InfluxDB 1.6.7" if command == "influxd" else "VictoriaMetrics"
        name += f", {variant}"
        results.add(f"replay into {name}", worker.sent / (end - start), "samples/s", goal)
        results.add(f"replay into {name}, processor time of ours", 1e6 * used / worker.sent, "µs/sample")
        theirs = database.processor_s() - theirs
        results.add(f"replay into {name}, processor time of its own", 1e6 * theirs / worker.sent, "µs/sample")
        results.add(f"commit meanwhile ({name}), worst", 1e3 * max(took), "ms", "<= 1000")
        worker.close()
        store.close()
    finally:
        database.stop()


def encode(results: Results) -> None:
    sink = a_sink("", "influxdb", "v2")
    encoder = Encoder(sink, a_site(sink).tags, "plant")
    rows = np.concatenate([second(np.random.default_rng(1), number) for number in range(8)])
    start = time.perf_counter()
    lines = encoder.samples(rows)
    size = len(lines.body(0, len(lines)))
    results.add("lines made", len(rows) / (time.perf_counter() - start), "samples/s", ">= 1e6")
    results.add("length of a line", size / len(rows), "bytes")


def main() -> None:
    """Runs what is installed and writes `bench/results/sinks.json`."""
    results = Results("sinks")
    sys.setswitchinterval(SWITCH_S)
    encode(results)
    for command, type_, api, goal in KINDS:
        if shutil.which(command) is None:
            print(f"{command} is not installed: left out")
            continue
        for variant in VARIANTS:
            with tempfile.TemporaryDirectory() as name:
                replay(results, Path(name), command, type_, api, goal, variant)
    results.write()


if __name__ == "__main__":
    main()
