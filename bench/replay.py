"""Recording and replay: cost of a scan's record, size of a day, an hour repeated on each CPython that is here.

`python -m bench.replay`; a few minutes. The hour is the demo's: the real scan, field and simulated plant in virtual
time, with requests now and then. `python -m bench.replay DIR` measures the size of a day from recordings of a demo that really
ran: there the times have their jitter.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from bench.control import Load
from bench.harness import Results
from historian import frames
from historian.recorded import Recording, recordings
from historian.recording import Recorder
from scada.blocks.base import Tick
from scada.clock import SimulatedClock
from scada.control.tape import Tape
from scada.scan import step
from scada.scan.record import Scan
from scada.virtual.run import Plan, simulate
from tags.events import EventWriter
from tags.site import read_site
from tests.support.interpreters import replay_with

DEMO = Path(__file__).parent.parent / "config" / "demo"
START_NS = 1_763_800_000_000_000_000
HOUR_S = 3600.0
DAY_SCANS = 864_000


class Recorded:
    """Takes the place of `step` in virtual time: the same, recorded, with the time that it took."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SimulatedClock()
        EventWriter.create(folder / "ring", 8 << 20, 1)
        self.tape: Tape | None = None
        self.recorder: Recorder | None = None
        self.step_ns: list[int] = []
        self.note_ns: list[int] = []

    def __call__(self, program: Any, state: Any, inputs: Any, requests: Any, tick: Any) -> Any:
        """One scan."""
        if self.tape is None or self.recorder is None:
            self.tape = Tape(
                self.folder / "ring", 1, program, state, tick.utc_ns, manual=False, complain=print
            )
            self.recorder = Recorder(self.folder, self.folder / "ring", self.clock, program.site)
        began = time.thread_time_ns()
        found = step(program, state, inputs, requests, tick)
        middle = time.thread_time_ns()
        self.tape.note(state, inputs, requests, tick, found[1])
        self.note_ns.append(time.thread_time_ns() - middle)
        self.step_ns.append(middle - began)
        self.clock.advance(tick.dt_ns)
        if state.scans % 10 == 0:
            self.recorder.tick()
        return found

    def close(self) -> None:
        """Everything to the disk."""
        assert self.recorder is not None
        self.recorder.close()


def record_hour(folder: Path, hours: float = 1.0) -> Recorded:
    """Records the demo in virtual time."""
    recorded = Recorded(folder)
    plan = Plan(seed=1, hours=hours, utc_ns=START_NS, requests_s=0.05, fault_s=0.0)
    with mock.patch("scada.virtual.control.step", recorded):
        simulate(read_site(DEMO), plan)
    recorded.close()
    return recorded


def size_of_day(folder: Path) -> float:
    """MB a day, from files of a scan of 100 ms that are closed or packed."""
    size = scans = 0
    heads = []
    for recording in recordings(folder):
        packed = Recording([path for path in recording.paths if path.suffix == ".rec"])
        for path in packed.paths:
            ends = [0, *(one.end for one in frames.read(path))]
            kinds = [one.kind for one in frames.read(path)]
            parts = [(kind, end - begin) for kind, begin, end in zip(kinds, ends, ends[1:], strict=False)]
            size += sum(length for kind, length in parts if kind == frames.CHUNK)
            heads.append(sum(length for kind, length in parts if kind != frames.CHUNK))
        scans += sum(isinstance(item, Scan) for item in packed.items())
    if not scans:
        raise SystemExit(f"{folder}: nothing is packed yet; that takes ten minutes")
    return (size / scans * DAY_SCANS + 24 * max(heads)) / 1e6


def cost(results: Results, folder: Path, pids: int) -> None:
    """A scan in which everything is new: its record beside its step."""
    load = Load(pids)
    ring = folder / f"ring{pids}"
    EventWriter.create(ring, 8 << 20, 1)
    tape = Tape(ring, 1, load.program, load.state, 0, manual=False, complain=print)
    steps, notes = [], []
    for n in range(400):
        inputs = load.inputs()
        tick = Tick(load.state.scans + 1, 1, 100_000_000, n * 100_000_000)
        began = time.thread_time_ns()
        load.state, writes, _ = step(load.program, load.state, inputs, (), tick)
        middle = time.thread_time_ns()
        tape.note(load.state, inputs, (), tick, writes)
        notes.append(time.thread_time_ns() - middle)
        steps.append(middle - began)
    name = f"record of a scan of {pids:,} PIDs, all new"
    results.add(name, float(np.mean(notes)) / 1e3, "us", "<= 300", "its step", float(np.mean(steps)) / 1e3)
    results.add("… of a scan period of 10 ms", float(np.mean(notes)) / 1e5, "%", "<= 3")
    began = time.thread_time_ns()
    tape._take(load.state)  # noqa: SLF001 - what one scan in ten minutes pays
    results.add(
        "… copy of the state for a checkpoint, once in 10 min", (time.thread_time_ns() - began) / 1e3, "us"
    )


def main() -> None:
    if len(sys.argv) > 1:
        print(f"{size_of_day(Path(sys.argv[1])):.1f} MB a day")
        return
    results = Results("replay")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        for pids in (100, 1000):
            cost(results, folder, pids)
        recorded = record_hour(folder)
        note, stepped = float(np.mean(recorded.note_ns)), float(np.mean(recorded.step_ns))
        results.add("record of a scan of the demo", note / 1e3, "us", "", "its step", stepped / 1e3)
        results.add("… of its scan period of 100 ms", note / 1e6, "%", "<= 3")
        results.add("demo in virtual time, a day", size_of_day(folder), "MB", "<= 20")
        sums = set()
        for found in replay_with(folder):
            version, spent = found["python"], found["seconds"]
            results.add(f"an hour of the demo repeated, CPython {version}", spent, "s", "<= 20")
            sums.add((found["told"], found["checksum"], found["scans"]))
        results.add("different results among them", float(len(sums)), "", "<= 1")
    results.write()


if __name__ == "__main__":
    main()
