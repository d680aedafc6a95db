"""HMI: from a change in the image to a browser's socket, and what serving costs. The hmi is a real process."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from websockets.sync.client import ClientConnection, connect

from bench.harness import Results
from hmi.decimate import keep
from hmi.pages import STATIC
from tags.model import DEVICE, Site, Tag
from tests.hmi.plant import Hmi, Plant, make_displayed_site

CHANGES = 50
MOVING = 50
SOCKETS = 10
SECONDS = 4.0


def main() -> None:
    """Runs all and writes bench/results/hmi.json."""
    results = Results("hmi")
    folder = Path(tempfile.mkdtemp(prefix="bench-hmi-"))
    plant = Plant(folder / "data", site_with(MOVING))
    started = time.perf_counter()
    hmi = Hmi(plant)
    try:
        url = hmi.url()
        results.add("start to listening", time.perf_counter() - started, "s", "<= 4")
        pid = hmi.process.pid
        results.add("CPU, nobody looking", cpu_percent(pid), "% of a core", "<= 1")
        latency(results, plant, url)
        serving(results, plant, url, pid)
        results.add("memory (PSS), ten pages open", pss_mb(pid), "MB", "<= 80")
    finally:
        hmi.close()
        plant.close()
        shutil.rmtree(plant.data.run.resolve())
        shutil.rmtree(folder)
    thinning(results)
    page = sum(path.stat().st_size for path in STATIC.iterdir() if path.suffix in {".js", ".css", ".html"})
    results.add("the page: script, style, markup", page / 1000, "kB", "<= 250")
    results.write()


def site_with(moving: int) -> Site:
    """The small site and `moving` more device tags."""
    site = make_displayed_site()
    start = max(tag.id for tag in site.tags) + 1
    rows = len(site.of_writer("field"))
    more = [
        Tag(
            id=start + n,
            path=f"bench/T-{n:03}",
            type="float64",
            kind=DEVICE,
            writer="field",
            row=rows + n,
            unit="degC",
        )
        for n in range(moving)
    ]
    tags = tuple(sorted((*site.tags, *more), key=lambda tag: (tag.writer, tag.row)))
    return dataclasses.replace(site, tags=tags)


def follow(socket: ClientConnection, tags: list[str]) -> None:
    """Asks for tags and takes everything up to the snapshot."""
    socket.send(json.dumps({"tags": tags}))
    while "snapshot" not in json.loads(socket.recv()):
        pass


def latency(results: Results, plant: Plant, url: str) -> None:
    """One tag changes at odd moments; a browser's socket says when it hears of it."""
    rng = np.random.default_rng(7)
    pause = threading.Event()
    times = []
    with connect(url.replace("http", "ws") + "/ws") as socket:
        follow(socket, ["tank1/LT-101"])
        for n in range(CHANGES):
            pause.wait(rng.uniform(0.0, 0.2))
            put = time.perf_counter()
            plant.put("tank1/LT-101", float(n))
            while json.loads(socket.recv(timeout=5)).get("changes", {}).get("tank1/LT-101", [None])[0] != n:
                pass
            times.append((time.perf_counter() - put) * 1000)
    results.add("image to browser socket, p50", float(np.percentile(times, 50)), "ms", "<= 150")
    results.add("image to browser socket, p99", float(np.percentile(times, 99)), "ms", "<= 250")


def serving(results: Results, plant: Plant, url: str, pid: int) -> None:
    """Ten pages of `MOVING` tags that all change ten times a second."""
    stop = threading.Event()
    counted = [0]

    def read(socket: ClientConnection) -> None:
        with contextlib.suppress(Exception):
            while not stop.is_set():
                changes = len(json.loads(socket.recv(timeout=2)).get("changes", {}))
                counted[0] += changes

    def move() -> None:
        turn = 0
        while not stop.wait(0.1):
            turn += 1
            for n in range(MOVING):
                plant.put(f"bench/T-{n:03}", turn + n / 100)

    with contextlib.ExitStack() as stack:
        readers = []
        for _ in range(SOCKETS):
            socket = stack.enter_context(connect(url.replace("http", "ws") + "/ws"))
            follow(socket, [f"bench/T-{n:03}" for n in range(MOVING)])
            readers.append(threading.Thread(target=read, args=(socket,), daemon=True))
        threads = [threading.Thread(target=move, daemon=True), *readers]
        for thread in threads:
            thread.start()
        before, start = counted[0], time.perf_counter()
        busy = cpu_percent(pid)
        rate = (counted[0] - before) / (time.perf_counter() - start)
        stop.set()
        for thread in threads:
            thread.join()
    results.add(f"CPU, {SOCKETS} pages, {MOVING} moving tags each", busy, "% of a core", "<= 10")
    results.add("values pushed meanwhile", rate, "values/s")


def thinning(results: Results) -> None:
    """A million samples for a trend of 1,000 pixels."""
    t = np.arange(1_000_000, dtype=np.int64)
    v = np.sin(t / 5000.0)
    v[400_000:410_000] = np.nan
    start = time.perf_counter()
    kept = keep(t, v, 0, 1_000_000, 1000)
    results.add("thinning 1M samples to 1,000 pixels", (time.perf_counter() - start) * 1000, "ms", "<= 500")
    assert len(kept) <= 5000


def cpu_percent(pid: int) -> float:
    """Processor time of a process over `SECONDS`."""

    def used() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = used()
    threading.Event().wait(SECONDS)
    return (used() - before) / SECONDS * 100


def pss_mb(pid: int) -> float:
    """Proportional set size of a process, MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


if __name__ == "__main__":
    main()
