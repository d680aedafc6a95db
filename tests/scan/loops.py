"""A site of many loops of one kind and a few odd ones, for what is stepped in columns, and two states side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from scada.blocks.base import Tick
from scada.requests import Request
from scada.scan import Inputs, Program, State, build, step
from scada.scan.batch import Batch
from tags.model import Block, OnLoss, Site, Tag, Task, Write
from tests.support.site import make_site

SECOND = 1_000_000_000
PERIOD_NS = SECOND // 10
START_NS = 1_750_000_000_000_000_000
NEVER = 10**9  # lanes: all stay objects
_PLAIN = (bool, int, float, str, tuple, list, type(None))

_PID: dict[str, Any] = {
    "action": "reverse", "gain": 2.0, "ti_ns": 20 * SECOND, "td_ns": 0, "setpoint_tag": None, "sp_low": 0.0, "sp_high": 5.0,
    "sp_initial": 2.5, "ramp": 0.0, "out_low": 0.0, "out_high": 100.0, "first_mode": 2, "restart": "last",
    "on_bad_pv": {"hold_ns": SECOND // 2, "then": "manual"},
}  # fmt: skip
KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"td_ns": 2 * SECOND, "action": "direct", "gain": 5.0},
    {"every_ns": SECOND // 2, "out_low": 20.0, "out_high": 60.0},
    {"ti_ns": SECOND, "gain": 40.0, "on_bad_pv": {"hold_ns": 0, "then": 33.0}},
    {"td_ns": 30 * SECOND, "ti_ns": SECOND, "ramp": 0.5},
    {"ti_ns": SECOND // 20, "out_high": 55.0},
    {"ti_ns": 0, "gain": 1e8},
    {"feedforward": {"input": "u0/PV", "gain": 3.0}},
)
OUTS: tuple[dict[str, Any], ...] = (
    {},
    {"limits": (10.0, 70.0)},
    {"rate": 5.0},
    {"remote": "u2/REM"},
    {"limits": (30.0, 40.0), "rate": 1.0},
)
LOCKS = (
    "{u}/PV > 4.5 m",
    "{u}/PV > 4.5 m",
    "{u}/PV < 10 cm or not {u}/REM",
    "{u}/PV - u0/PV > 2 m and {u}/REM",
    "{u}/PV > 4.5 m",
)


def loops(count: int = 10, tasks: bool = False) -> Site:
    """So many loops, each with an interlock and a spare output that people set."""
    base = make_site()
    tags: list[Tag] = []
    rows = {"field": 0, "control": 0}
    blocks: list[Block] = []

    def add(path: str, type_: str, kind: str, writer: str = "control", **more: Any) -> None:
        tags.append(
            Tag(id=len(tags) + 1, path=path, type=type_, kind=kind, writer=writer, row=rows[writer], **more)
        )
        rows[writer] += 1

    def out(path: str, **more: Any) -> None:
        add(path, "float64", "device", "field", device="PLC1", owner="scada", write=Write(tolerance=0.01), writable=True,
            on_loss=OnLoss(action="hold"), command=f"{path}/command", **{"range": (0.0, 100.0), **more})  # fmt: skip
        add(f"{path}/command", "float64", "command", command=path)

    add("system/PLC1/armed", "bool", "system", "field")
    for name in ("forces", "defects"):
        add(f"system/control/{name}", "int32", "system")
    add("system/control/shadow", "bool", "system")
    for n in range(count):
        unit, task = f"u{n}", "slow" if tasks and n % 3 == 2 else "scan"
        add(
            f"{unit}/PV",
            "float64",
            "device",
            "field",
            device="PLC1",
            unit="m",
            range=(0.0, 5.0),
            scan_ns=PERIOD_NS,
        )
        add(f"{unit}/REM", "bool", "device", "field", device="PLC1")
        out(f"{unit}/OUT", **OUTS[n % len(OUTS)])
        out(f"{unit}/SPARE", limits=(5.0, 95.0), rate=10.0 * (n % 2))
        points = {name: f"{unit}/LIC/{name}" for name in ("SP", "MODE", "GAIN", "TI", "TD")}
        for name, path in points.items():
            add(path, "int32" if name == "MODE" else "float64", "block", retain=True, writable=True)
        add(f"{unit}/LSHH/ACTIVE", "bool", "block", writable=True)
        blocks += [
            Block(path=f"{unit}/LIC", type="pid", points=points, task=task,
                  config={**_PID, **KINDS[n % len(KINDS)], "pv": f"{unit}/PV", "out": f"{unit}/OUT"}),
            Block(path=f"{unit}/LSHH", type="interlock", points={"ACTIVE": f"{unit}/LSHH/ACTIVE"}, task=task,
                  config={"target": f"{unit}/OUT", "when": LOCKS[n % len(LOCKS)].format(u=unit), "value": 0.0,
                          "reset": ("auto", "manual")[n % 2]}),
        ]  # fmt: skip
    tags.sort(key=lambda tag: (tag.writer, tag.row))
    named = (
        (
            Task(name="scan", period_ns=PERIOD_NS, priority=1),
            Task(name="slow", period_ns=3 * PERIOD_NS, priority=5),
        )
        if tasks
        else ()
    )
    return dataclasses.replace(base, tags=tuple(tags), alarms=(), blocks=tuple(blocks), tasks=named)


class Pair:
    """One program as objects and as columns, given the same.

    Attributes:
        plain: Of tags of the field: value and status.
    """

    def __init__(self, program: Program, lanes_min: int = 1) -> None:
        self.program = program
        self.objects, self.columns = State(program, lanes_min=NEVER), State(program, lanes_min=lanes_min)
        self.utc_ns = START_NS
        self.values: dict[int, tuple[Any, int]] = {}
        self._armed = program.index["system/PLC1/armed"]
        for slot in range(program.own, len(program.slots)):
            tag = program.slots[slot]
            self.values[slot] = (True if tag.type == "bool" else 50.0 if tag.command else 2.0, 0)
        self._count = 0

    def set(self, path: str, value: Any, status: int = 0) -> None:
        """What the field reads from now on."""
        if path in self.program.index:
            self.values[self.program.index[path]] = (value, status)

    def echo(self) -> None:
        """Devices do what they are told."""
        state = self.objects
        for plan in self.program.outputs:
            if plan.command >= 0 and state.drive[plan.command]:
                self.values[plan.slot] = (state.signals.value[plan.command], self.values[plan.slot][1])

    def request(self, kind: str, items: Sequence[tuple[str, Any]], **more: Any) -> Request:
        """A request of an engineer."""
        self._count += 1
        fields = {
            "source": "hmi",
            "user": "anna",
            "role": "admin",
            "reason": "test",
            "for_ns": SECOND,
            **more,
        }
        return Request(id=f"r{self._count}", kind=kind, items=tuple(items), **fields)

    def scan(
        self, requests: Sequence[Request] = (), periods: int = 1, stale: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """One scan of both; `stale` tags have no new sample. Raises AssertionError where they differ."""
        self.utc_ns += periods * PERIOD_NS
        tick = Tick(self.objects.scans + 1, periods, PERIOD_NS, self.utc_ns)
        without = {self.program.index[path] for path in stale}
        samples = [
            (slot, value, status, self.utc_ns - 1000)
            for slot, (value, status) in self.values.items()
            if slot not in without
        ]
        _, left, told = step(self.program, self.objects, Inputs(samples), requests, tick)
        _, right, also = step(self.program, self.columns, batched(self.program, samples), requests, tick)
        assert told == also
        assert repr(left) == repr(right)
        same(self.program, self.objects, self.columns)
        return told


def batched(program: Program, samples: Sequence[tuple[int, Any, int, int]]) -> Inputs:
    """The same samples as columns."""
    kinds: dict[type, list[tuple[int, Any, int, int]]] = {}
    for sample in sorted(samples):
        kinds.setdefault(type(sample[1]), []).append(sample)
    batches = []
    for kind, rows in kinds.items():
        slots, values, status, times = zip(*rows, strict=True)
        batches.append(
            Batch(np.array(slots), np.array(values, kind), np.array(status, np.uint32), np.array(times))
        )
    return Inputs(batches=batches)


def same(program: Program, left: State, right: State) -> None:
    """Raises AssertionError when two states differ in a bit."""
    right.settle()
    one, other = left.signals, right.signals
    for name in ("value", "status", "time_ns"):
        assert repr(getattr(one, name)) == repr(getattr(other, name)), _where(program, one, other)
    ours, theirs = left.context.outputs, right.context.outputs
    for name in ("applied", "wanted", "override", "tracking"):
        assert repr(getattr(ours, name)) == repr(getattr(theirs, name)), name
    assert left.drive == right.drive
    for mine, other_one in zip(
        (*left.every_block, *left.every_output), (*right.every_block, *right.every_output), strict=True
    ):
        assert _plain(mine) == _plain(other_one)


def _plain(thing: Any) -> dict[str, str]:
    """Numbers and texts in an object, as text: -0.0 is not 0.0."""
    names = {name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())}
    found = {name: getattr(thing, name, None) for name in sorted(names)}
    return {
        name: repr(value)
        for name, value in found.items()
        if isinstance(value, _PLAIN) and " at 0x" not in repr(value)
    }


def _where(program: Program, one: Any, other: Any) -> list[Any]:
    return [
        (
            tag.path,
            one.value[n],
            other.value[n],
            one.status[n],
            other.status[n],
            one.time_ns[n],
            other.time_ns[n],
        )
        for n, tag in enumerate(program.slots)
        if repr((one.value[n], one.status[n], one.time_ns[n]))
        != repr((other.value[n], other.status[n], other.time_ns[n]))
    ][:5]


PROGRAM = build(loops())
SLOW = build(loops(tasks=True))
