"""The scan and its shell: time of a step, and how late scans start beside an asyncio loop.

`python -m bench.control`; under 30 s. The three loops of the second part run at the same time, so they share whatever
else the machine does.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import subprocess
import sys
import time
from typing import Any

import numpy as np
import orjson

from bench.harness import Results
from scada.blocks.base import Tick
from scada.control import realtime
from scada.scan import Inputs, Program, State, build, retain, start, step
from tags.model import Block, OnLoss, Site, Tag, Write
from tests.support.site import make_site

SECOND = 1_000_000_000
PERIOD_NS = 10_000_000
LOOP_S = 6.0


def make(pids: int, memory: int = 0) -> Site:
    """A site of so many level loops and memory tags."""
    base = make_site()
    tags: list[Tag] = []
    rows = {"field": 0, "control": 0}

    def add(path: str, type_: str, kind: str, writer: str, **more: Any) -> None:
        row = rows[writer]
        rows[writer] += 1
        tags.append(Tag(id=len(tags) + 1, path=path, type=type_, kind=kind, writer=writer, row=row, **more))

    config = {**base.blocks[0].config, "first_mode": 2}
    blocks = []
    add("system/PLC1/armed", "bool", "system", "field")
    add("system/control/forces", "int32", "system", "control")
    for n in range(pids):
        unit = f"area/U{n}"
        out = f"{unit}/OUT"
        add(f"{unit}/PV", "float64", "device", "field", device="PLC1", range=(0.0, 5.0), scan_ns=SECOND // 10)
        add(out, "float64", "device", "field", device="PLC1", range=(0.0, 100.0), owner="scada", write=Write(),
            writable=True, on_loss=OnLoss(action="hold"), command=f"{out}/command", scan_ns=SECOND // 10)  # fmt: skip
        add(f"{out}/command", "float64", "command", "control", command=out)
        points = {}
        for name, type_ in (
            ("SP", "float64"),
            ("MODE", "int32"),
            ("GAIN", "float64"),
            ("TI", "float64"),
            ("TD", "float64"),
        ):
            points[name] = f"{unit}/LIC/{name}"
            add(points[name], type_, "block", "control", retain=True, writable=True)
        blocks.append(Block(path=f"{unit}/LIC", type="pid", points=points,
                            config={**config, "pv": f"{unit}/PV", "out": out}))  # fmt: skip
    for n in range(memory):
        add(f"area/M{n}", "float64", "memory", "control", initial=0.0, writable=True, retain=True)
    tags.sort(key=lambda tag: (tag.writer, tag.row))
    return dataclasses.replace(base, tags=tuple(tags), alarms=(), blocks=tuple(blocks))


class Load:
    """A program at work: every loop has a new sample in every scan."""

    def __init__(self, pids: int, memory: int = 0) -> None:
        began = time.perf_counter()
        self.program: Program = build(make(pids, memory))
        self.state: State = start(self.program)
        self.build_s = time.perf_counter() - began
        index = self.program.index
        self._pv = [index[f"area/U{n}/PV"] for n in range(pids)]
        self._out = [index[f"area/U{n}/OUT"] for n in range(pids)]
        self._armed = index["system/PLC1/armed"]
        self._number = 0
        for _ in range(5):
            self.scan()

    def inputs(self) -> Inputs:
        """New samples of all PVs and read-backs."""
        self._number += 1
        n = self._number
        samples: list[tuple[int, Any, int, int]] = [(self._armed, True, 0, n)]
        samples += [(slot, 2.0 + 0.001 * ((n + slot) % 7), 0, n) for slot in self._pv]
        samples += [(slot, 50.0, 0, n) for slot in self._out]
        return Inputs(samples)

    def scan(self, inputs: Inputs | None = None) -> None:
        """One step."""
        given = self.inputs() if inputs is None else inputs
        tick = Tick(self._number, 1, SECOND // 10, self._number * SECOND // 10)
        self.state, _, _ = step(self.program, self.state, given, (), tick)


def steps(load: Load, count: int, *, quiet: bool = False) -> float:
    """Median time of a step, µs."""
    spent = []
    for _ in range(count):
        inputs = Inputs() if quiet else load.inputs()
        began = time.perf_counter_ns()
        load.scan(inputs)
        spent.append(time.perf_counter_ns() - began)
    return float(np.median(spent)) / 1e3


def loop(kind: str) -> None:
    """A child: scans of 10 ms with 100 blocks; prints its lateness as JSON."""
    load = Load(100)
    count = int(LOOP_S * SECOND / PERIOD_NS)
    late: list[int] = []
    if kind == "asyncio":
        asyncio.run(_asyncio(load, count, late))
    else:
        if kind == "fifo":
            granted = realtime.claim().fifo
        else:
            gc.freeze()
            gc.disable()
            granted = False
        due = time.monotonic_ns() + PERIOD_NS
        while len(late) < count:
            realtime.sleep_until(due)
            now = time.monotonic_ns()
            late.append(now - due)
            load.scan()
            due += PERIOD_NS * (1 + max(0, time.monotonic_ns() - due) // PERIOD_NS)
    us = np.array(late) / 1e3
    print(
        orjson.dumps(
            {"p50": np.percentile(us, 50), "p99": np.percentile(us, 99), "max": us.max(),
             "granted": kind == "fifo" and granted}, option=orjson.OPT_SERIALIZE_NUMPY
        ).decode()
    )  # fmt: skip


async def _asyncio(load: Load, count: int, late: list[int]) -> None:
    due = time.monotonic_ns() + PERIOD_NS
    while len(late) < count:
        await asyncio.sleep(max(0, due - time.monotonic_ns()) / 1e9)
        late.append(time.monotonic_ns() - due)
        load.scan()
        due += PERIOD_NS * (1 + max(0, time.monotonic_ns() - due) // PERIOD_NS)


def main() -> None:
    if len(sys.argv) > 1:
        loop(sys.argv[1])
        return
    results = Results("control")
    small, large = Load(100), Load(1000)
    wide = Load(100, 9300)
    results.add("step, 100 PID blocks, all with a new sample", steps(small, 500), "us", "<= 1000")
    results.add("step, 1,000 PID blocks, all with a new sample", steps(large, 100), "us", "<= 10000")
    results.add("step, 1,000 PID blocks, nothing new", steps(large, 200, quiet=True), "us", "<= 10000")
    results.add("step, 10,000 tags of which 100 are loops, all new", steps(wide, 200), "us", "<= 2000")
    results.add("build and start, 1,000 PID blocks", large.build_s, "s", "<= 2")
    began = time.perf_counter()
    payload = orjson.dumps(retain.dump(large.program, large.state, 0))
    results.add(
        "state that survives, 1,000 PID blocks, once a second",
        (time.perf_counter() - began) * 1e6,
        "us",
        "<= 20000",
    )
    results.add("… its size", len(payload) / 1e3, "kB")
    children = {
        kind: subprocess.Popen([sys.executable, "-m", "bench.control", kind], stdout=subprocess.PIPE)
        for kind in ("fifo", "plain", "asyncio")
    }
    found = {kind: orjson.loads(child.communicate()[0]) for kind, child in children.items()}
    name = "SCHED_FIFO" if found["fifo"]["granted"] else "SCHED_FIFO (refused)"
    for key, goal in (("p50", "<= 200"), ("p99", "<= 1000"), ("max", "<= 10000")):
        results.add(f"lateness of a 10 ms scan, {name}, {key}", found["fifo"][key], "us", goal,
                    "asyncio.sleep", found["asyncio"][key])  # fmt: skip
        results.add(f"lateness of a 10 ms scan, plain, {key}", found["plain"][key], "us", "",
                    "asyncio.sleep", found["asyncio"][key])  # fmt: skip
    results.write()


if __name__ == "__main__":
    main()
