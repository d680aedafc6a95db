"""Bench of isolation: a thousand devices of which half die, in four ways at once, and come back.

Run: `python -m bench.isolation`, with `--smoke` for a look with a hundred. The devices (`tests.field.crowd`) note when each
request came, so the figures are theirs. The real field service reads them into the image; beside it, a program of the
usual kind: one pymodbus client and one task for each device.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.harness import Results
from tags import quality
from tests.field.crowd import Crowd, crowd, way
from tests.field.running import Plant
from tests.support.wait import wait_for

PERIOD_MS: Final = 1000.0
TIMEOUT: Final = "500 ms"
_ROOT: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Figures:
    """What one side did.

    Attributes:
        late_ms: Of 99 in 100 polls of the living, how far at most from one period after the one before, while half are
            dead.
        worst_ms: The same of all polls.
        calm_ms: As `late_ms`, while all live.
        back_s: Longest time until a device that is back was asked again; -1 when one never was.
        cpu: Of a core, while all live.
        cpu_dead: Of a core, while half are dead.
        memory_kb: For each device.
    """

    late_ms: float
    worst_ms: float
    calm_ms: float
    back_s: float
    cpu: float
    cpu_dead: float
    memory_kb: float


def main() -> None:
    """Measures and writes `bench/results/isolation.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a look with a hundred devices; nothing written")
    smoke = parser.parse_args().smoke
    devices, seconds = (100, 5.0) if smoke else (1000, 30.0)
    mine = ours(devices, seconds)
    theirs = usual(devices, seconds)
    results = Results("isolation")
    name, peer = f"{devices} devices, {devices // 2} dead: ", "a pymodbus client for each"
    results.add(f"{name}the living off their period, p99", mine.late_ms, "ms", "<= 50", peer, theirs.late_ms)
    results.add("… longest", mine.worst_ms, "ms", "", peer, theirs.worst_ms)
    results.add("… while all live, p99", mine.calm_ms, "ms", "<= 10", peer, theirs.calm_ms)
    results.add(f"{name}who is back is asked within", mine.back_s, "s", "<= 2", peer, theirs.back_s)
    results.add(f"{devices} devices, polled each second", mine.cpu, "% of a core", "", peer, theirs.cpu)
    results.add("… while half are dead", mine.cpu_dead, "% of a core", "", peer, theirs.cpu_dead)
    results.add("memory for each device of 10 tags", mine.memory_kb, "kB", "<= 200", peer, theirs.memory_kb)
    if not smoke:
        results.write()


def ours(devices: int, seconds: float) -> Figures:
    """The field service."""
    with crowd(devices, devices // 2) as them, tempfile.TemporaryDirectory() as folder:
        alone = Plant(Path(folder) / "alone", them.site(1, timeout=TIMEOUT))
        try:
            wait_for(lambda: alone.beats() > 20, 30, "field lives")
            base = _memory(alone)
        finally:
            alone.close()
        plant = Plant(Path(folder) / "data", them.site(timeout=TIMEOUT))
        try:
            rows = [plant.tags[f"d{n}/u/0"].row for n in range(devices)]

            def good() -> int:
                plant.image.snapshot()
                return int((plant.image.status[rows] == quality.GOOD).sum())

            assert plant.process is not None
            found = _measure(them, plant.process.pid, seconds, good)
            memory = (_memory(plant) - base) / (devices - 1) / 1e3
        finally:
            plant.close()
    return Figures(*found, memory)


def usual(devices: int, seconds: float) -> Figures:
    """One pymodbus client for each device, connected again by itself."""
    with crowd(devices, devices // 2) as them:
        where = [d.config["endpoint"][6:] for d in them.site().devices]
        arguments = [sys.executable, "-m", "bench.isolation_peer"]
        process = subprocess.Popen([*arguments, *where], cwd=_ROOT, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            base = float(process.stdout.readline())
            found = _measure(them, process.pid, seconds, lambda: -1)
            memory = (_resident(process.pid) - base) / devices / 1e3
        finally:
            process.kill()
            process.wait()
    return Figures(*found, memory)


def _measure(
    them: Crowd, pid: int, seconds: float, good: Callable[[], int]
) -> tuple[float, float, float, float, float, float]:
    wait_for(lambda: them.say("count") >= 3 * them.devices, 120, "all are polled")
    if good() >= 0:
        wait_for(lambda: good() == them.devices, 60, "all are read")
    them.say("calm")  # counts anew
    calm, cpu = _phase(them, pid, seconds)
    them.say("die")
    _wait(3.0)  # what was on its way has timed out
    if good() >= 0:
        living = sum(not way(n, them.dead) for n in range(them.devices))
        wait_for(lambda: good() == living, 30, "the dead are Bad")
    dead, cpu_dead = _phase(them, pid, seconds)
    them.say("back")
    _wait(10.0)
    back = them.say("report")["back_s"]
    return (
        _off(dead["gaps_ms"], 0.99),
        _off(dead["gaps_ms"], 1.0),
        _off(calm["gaps_ms"], 0.99),
        max(back) if min(back) >= 0 else -1.0,
        cpu,
        cpu_dead,
    )


def _phase(them: Crowd, pid: int, seconds: float) -> tuple[dict[str, Any], float]:
    begin, used = time.monotonic(), _cpu_s(pid)
    _wait(seconds)
    return them.say("report"), (_cpu_s(pid) - used) / (time.monotonic() - begin) * 100


def _off(gaps_ms: list[float], share: float) -> float:
    """How far at most so many of the gaps are from a period, ms."""
    off = sorted(abs(gap - PERIOD_MS) for gap in gaps_ms)
    return off[min(len(off) - 1, int(len(off) * share))]


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(plant: Plant) -> float:
    assert plant.process is not None
    return _resident(plant.process.pid)


def _resident(pid: int) -> float:
    """Private memory of a process, bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(1e3 * float(line.split()[1]) for line in lines if line.startswith("Private"))


def _wait(seconds: float) -> None:
    time.sleep(seconds)


if __name__ == "__main__":
    main()
