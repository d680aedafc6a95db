"""The scan and its shell: time of a step, and how late scans start beside an asyncio loop.

`python -m bench.control`; about a minute, `python -m bench.control step` only the first part of it. The three loops of the
last part run at the same time, so they share whatever else the machine does.
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
from scada.scan import Inputs, Program, State, build, start, step
from scada.scan.batch import Batch
from scada.scan.retain_text import Text
from tags.model import Block, OnLoss, Site, Tag, Write
from tags.quality import BAD_NO_COMMUNICATION
from tests.support.site import make_site

SECOND = 1_000_000_000
PERIOD_NS = 10_000_000
LOOP_S = 6.0
NEVER = 10**9


def make(pids: int, memory: int = 0, *, locks: bool = False) -> Site:
    """A site of so many level loops and memory tags; with `locks` PID with derivative and an interlock on each output."""
    base = make_site()
    tags: list[Tag] = []
    rows = {"field": 0, "control": 0}

    def add(path: str, type_: str, kind: str, writer: str, **more: Any) -> None:
        row = rows[writer]
        rows[writer] += 1
        tags.append(Tag(id=len(tags) + 1, path=path, type=type_, kind=kind, writer=writer, row=row, **more))

    config = {**base.blocks[0].config, "first_mode": 2, "td_ns": 5 * SECOND if locks else 0}
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
        if locks:
            active = f"{unit}/LSHH/ACTIVE"
            add(active, "bool", "block", "control", writable=True)
            blocks.append(Block(path=f"{unit}/LSHH", type="interlock", points={"ACTIVE": active},
                                config={"target": out, "when": f"{unit}/PV > 4.5", "value": 0.0, "reset": "auto",
                                        "description": "Level very high"}))  # fmt: skip
    for n in range(memory):
        add(f"area/M{n}", "float64", "memory", "control", initial=0.0, writable=True, retain=True)
    tags.sort(key=lambda tag: (tag.writer, tag.row))
    return dataclasses.replace(base, tags=tuple(tags), alarms=(), blocks=tuple(blocks))


class Load:
    """A program at work: every loop has a new sample in every scan, and every output does what it is told.

    Args:
        pids: Loops.
        memory: Memory tags.
        locks: As `make` has it.
        objects: Nothing is stepped in columns.
    """

    def __init__(self, pids: int, memory: int = 0, *, locks: bool = False, objects: bool = False) -> None:
        began = time.perf_counter()
        self.program: Program = build(make(pids, memory, locks=locks))
        self.state: State = State(self.program, lanes_min=NEVER) if objects else start(self.program)
        self.build_s = time.perf_counter() - began
        index = self.program.index
        pv = [index[f"area/U{n}/PV"] for n in range(pids)]
        out = [index[f"area/U{n}/OUT"] for n in range(pids)]
        self._slots = np.sort(np.array(pv + out, np.intp))
        self._back = np.isin(self._slots, out)
        commands = {index[f"area/U{n}/OUT"]: index[f"area/U{n}/OUT/command"] for n in range(pids)}
        self._commands = [commands[slot] for slot in self._slots[self._back].tolist()]
        self._armed = index["system/PLC1/armed"]
        self._number = 0
        for _ in range(40):
            self.scan()

    def inputs(self, status: int = 0) -> Inputs:
        """New samples of all PVs and read-backs, as control gathers them."""
        self._number += 1
        n, count = self._number, len(self._slots)
        value = self.state.signals.value
        values = 2.0 + 0.001 * ((n + self._slots) % 7)
        values[self._back] = [50.0 if n == 1 else value[slot] for slot in self._commands]
        batch = Batch(self._slots, values, np.full(count, status, np.uint32), np.full(count, n, np.int64))
        return Inputs([(self._armed, True, 0, n)], batches=(batch,))

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


def full(results: Results) -> None:
    """Full controllers with interlocks: in columns, beside the same as objects."""
    for count, goal, scans in ((1000, 500, 200), (10_000, 6000, 60)):
        load = Load(count, locks=True)
        name = f"step, {count:,} PID with derivative, each with an interlock, all PVs and read-backs new"
        gc.collect()
        gc.freeze()
        gc.disable()
        if count == 1000:
            plain = Load(count, locks=True, objects=True)
            results.add(name, steps(load, scans), "us", f"<= {goal}", "object by object", steps(plain, 30))
        else:
            results.add(name, steps(load, scans), "us", f"<= {goal}")
        began = time.perf_counter()
        load.scan(load.inputs(BAD_NO_COMMUNICATION))
        results.add(
            f"… {count:,}, the scan in which the link is lost", (time.perf_counter() - began) * 1e6, "us"
        )
        began = time.perf_counter()
        load.scan(load.inputs())
        results.add(f"… {count:,}, the scan in which it is back", (time.perf_counter() - began) * 1e6, "us")
        gc.enable()
        gc.unfreeze()


def main() -> None:
    if len(sys.argv) > 1 and sys.argv[1] != "step":
        loop(sys.argv[1])
        return
    results = Results("control")
    full(results)
    if len(sys.argv) > 1:
        return
    small, large = Load(100), Load(1000)
    wide = Load(100, 9300)
    results.add("step, 100 PID blocks, all with a new sample", steps(small, 500), "us", "<= 1000")
    results.add("step, 1,000 PID blocks, all with a new sample", steps(large, 100), "us", "<= 10000")
    results.add("step, 1,000 PID blocks, nothing new", steps(large, 200, quiet=True), "us", "<= 10000")
    results.add("step, 10,000 tags of which 100 are loops, all new", steps(wide, 200), "us", "<= 2000")
    results.add("build and start, 1,000 PID blocks", large.build_s, "s", "<= 2")
    text, spent = Text(large.program, large.state), []
    payload = text.text()
    for _ in range(30):
        large.scan()
        began = time.perf_counter()
        payload = text.text()
        spent.append(time.perf_counter() - began)
    results.add(
        "state that survives, 1,000 PID blocks, once a second", float(np.median(spent)) * 1e6, "us", "<= 1000"
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
