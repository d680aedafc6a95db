"""Matrices, bypasses and own blocks in a whole program: requests, restart, checkpoint, and columns that must agree."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.blocks.base import Tick
from scada.requests import Request
from scada.scan import Inputs, Program, State, build, checkpoint, record, start, step
from tags import model
from tags.model import Site
from tags.quality import BAD_NO_COMMUNICATION, BAD_SENSOR_FAILURE, GOOD
from tests.site.helpers import compile_case

SECOND = 1_000_000_000
START_NS = 1_750_000_000 * SECOND
YAML = """
control:
  a/LSHH: {block: interlock, target: a/LV-1/OUT, when: a/LT-1 > 4.5 m, value: 0 %, reset: manual, bypass: {max: 8 h}}
  a/ESD:
    block: cause_effect
    bypass: {max: 2 h}
    causes:
      HH: {when: a/LT-1 > 4 m, for: 300 ms, trips: {inlet: 0 s, pump: 500 ms}}
      LL: {when: a/LT-1 < 1 m, trips: [pump], reset: manual}
      MANY: {when: a/COUNT > 2, trips: [pump]}
    effects:
      inlet: {target: a/LV-1/OUT, value: 5 %, reset: auto}
      pump: {target: a/P-1}
  a/COUNT: {block: own, class: Count, inputs: {level: a/LT-1}, settings: {above: 3 m}}
  a/P-1: {mode: {first: auto}, auto: a/LT-1 > 2 m}
"""
BLOCKS = """
from scada.blocks.own import Input, Output, OwnBlock, Setting, State


class Count(OwnBlock):
    level: float = Input("cm")
    above: float = Setting(100.0, "cm")
    out: float = Output()
    last: tuple[float, ...] = State(())

    def step(self, dt: float) -> None:
        self.last = tuple([*self.last, self.level][-5:])
        self.out = sum([x > self.above for x in self.last]) * 1.0
"""
DEVICES = ("a/LT-1", "a/LV-1/OUT", "a/LV-1/POS", "a/P-1/START", "a/P-1/STOP", "a/P-1/RUN")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = compile_case(tmp_path_factory.mktemp("site") / "site", YAML, **{"blocks/count.py": BLOCKS})
    return model.load(model.dump(made))  # as a service has it


@pytest.fixture(scope="module")
def program(site: Site) -> Program:
    return build(site)


class Run:
    """Scans of a program whose device shows what it is told."""

    def __init__(self, program: Program, state: State | None = None) -> None:
        self.program = program
        self.state = state or start(program, None, utc_ns=START_NS)
        self.count = 0
        self.events: list[dict[str, Any]] = []

    def scan(self, level: float, status: int = GOOD, *requests: Request) -> None:
        self.count = self.state.scans + 1
        utc_ns = START_NS + self.count * SECOND // 10
        shown: dict[str, tuple[Any, int]] = dict.fromkeys(DEVICES, (False, GOOD))
        shown |= {"a/LT-1": (level, status), "a/LV-1/OUT": (40.0, GOOD), "a/LV-1/POS": (40.0, GOOD)}
        shown["system/PLC1/armed"] = (True, GOOD)
        samples = [
            (self.program.index[path], *one, utc_ns)
            for path, one in shown.items()
            if path in self.program.index
        ]
        tick = Tick(self.count, 1, SECOND // 10, utc_ns)
        self.state, _, events = step(self.program, self.state, Inputs(samples), list(requests), tick)
        self.events += events

    def value(self, path: str) -> Any:
        return self.state.signals.value[self.program.index[path]]


def ask(number: int, kind: str, path: str, value: Any = None, for_s: int = 0) -> Request:
    return Request(f"r{number}", kind, ((path, value),), "test", "cli", "eve", "admin", for_s * SECOND)


def test_trip_first_out_and_reset_by_requests(program: Program) -> None:
    run = Run(program)
    for _ in range(10):
        run.scan(2.5)
    for _ in range(12):
        run.scan(4.7)
    assert [run.value(f"a/ESD/{p}") for p in ("FIRST_OUT", "inlet/ACTIVE", "pump/ACTIVE", "pump/CAUSE")] == [
        3,
        True,
        True,
        3,
    ]
    assert run.value("a/COUNT") == 5.0
    names = {event["path"] for event in run.events if event["kind"] in ("cause", "interlock")}
    assert {"a/ESD/HH", "a/ESD/MANY", "a/ESD/inlet", "a/ESD/pump", "a/LSHH"} <= names
    run.scan(4.7, GOOD, ask(1, "write", "a/ESD/RESET", value=True))
    outcome = next(event for event in run.events if event["kind"] == "request" and event["id"] == "r1")
    assert outcome["status"] == "rejected"
    assert "cannot be reset" in outcome["reasons"][0]
    run.scan(4.7, GOOD, ask(2, "write", "a/LV-1/OUT", 50.0))
    refused = next(event for event in run.events if event["kind"] == "request" and event["id"] == "r2")
    assert any("interlock a/" in reason for reason in refused["reasons"])
    for _ in range(10):
        run.scan(2.5)
    run.scan(2.5, GOOD, ask(3, "write", "a/ESD/RESET", value=True))
    run.scan(2.5)
    assert [run.value(f"a/ESD/{p}") for p in ("FIRST_OUT", "TRIPPED")] == [0, False]


_ACTS = st.one_of(
    st.tuples(
        st.sampled_from(["bypass", "unbypass"]),
        st.sampled_from(["a/LSHH", "a/ESD/HH", "a/ESD/LL", "a/ESD/MANY"]),
    ),
    st.tuples(st.just("write"), st.sampled_from(["a/ESD/RESET", "a/LSHH/ACTIVE", "a/ESD/pump/ACTIVE"])),
    st.none(),
)
_SCANS = st.lists(
    st.tuples(
        st.sampled_from([0.5, 2.5, 3.5, 4.2, 4.7]),
        st.sampled_from([GOOD, GOOD, GOOD, BAD_SENSOR_FAILURE, BAD_NO_COMMUNICATION]),
        _ACTS,
        st.integers(1, 3),
    ),
    min_size=1,
    max_size=25,
)


@given(scans=_SCANS, cut=st.integers(0, 24))
def test_after_a_checkpoint_all_goes_on_to_the_bit(program: Program, scans: list[Any], cut: int) -> None:
    one = Run(program)
    other: Run | None = None
    for number, (level, status, act, for_s) in enumerate(scans):
        if number == min(cut, len(scans) - 1):
            other = Run(program, checkpoint.load(program, checkpoint.dump(program, one.state)))
        requests = [] if act is None else [ask(number, act[0], act[1], act[1] == "a/ESD/RESET", for_s)]
        for run in (one, other):
            if run is not None:
                run.scan(level, status, *requests)
        if other is not None:
            assert record.checksum(other.state) == record.checksum(one.state)
    assert other is not None
    assert checkpoint.dump(program, other.state) == checkpoint.dump(program, one.state)


def test_many_interlocks_with_bypasses_do_the_same_in_columns(site: Site) -> None:
    """Enough of them that columns are used; a bypass takes one out and lets it in again."""
    lock = next(block for block in site.blocks if block.path == "a/LSHH")
    point = next(tag for tag in site.tags if tag.path == "a/LSHH/ACTIVE")
    off = next(tag for tag in site.tags if tag.path == "a/LSHH/BYPASSED")
    own = sum(tag.writer == "control" for tag in site.tags)
    blocks: list[model.Block] = []
    tags: list[model.Tag] = []
    for n in range(40):
        names = {name: f"a/L{n}/{name}" for name in ("ACTIVE", "BYPASSED")}
        for like, path in ((point, names["ACTIVE"]), (off, names["BYPASSED"])):
            tags.append(dataclasses.replace(like, path=path, id=10_000 + len(tags), row=own + len(tags)))
        config = {**lock.config, "when": f"a/LT-1 > {4.0 + n / 50} m", "reset": "auto"}
        blocks.append(dataclasses.replace(lock, path=f"a/L{n}", config=config, points=names))
    every = sorted((*site.tags, *tags), key=lambda tag: (tag.writer, tag.row))
    big = build(dataclasses.replace(site, blocks=(*site.blocks, *blocks), tags=tuple(every)))
    run = Run(big)
    for number in range(120):
        requests = []
        if number in (20, 60):
            requests = [ask(number, "bypass", "a/L0", for_s=2)]
        run.scan(4.7 if 40 <= number < 50 or number >= 70 else 2.5, GOOD, *requests)
        bypassed = 20 <= number < 40 or 60 <= number < 80
        assert run.value("a/L0/BYPASSED") == bypassed, number
        assert run.value("a/L0/ACTIVE") == ((40 <= number < 50 or number >= 70) and not bypassed), number
        assert run.value("a/L5/ACTIVE") == (40 <= number < 50 or number >= 70), number


def test_an_output_waits_for_the_inputs_of_its_own_causes_only(tmp_path: Path) -> None:
    """Else one device that is away at a restart keeps every output of the matrix from being driven."""
    text = """
tags:
  a/LV-2: {use: valve, with: {device: PLC1, out: holding/1, pos: input/2, on_loss: hold}}
control:
  a/HALF: {block: calc, expression: a/LT-1 / 2}
  a/ESD:
    block: cause_effect
    causes:
      HH: {when: a/HALF > 2 m, trips: [one]}
      RUNS: {when: a/P-2/RUN, trips: [two]}
    effects:
      one: {target: a/LV-1/OUT, value: 0 %}
      two: {target: a/LV-2/OUT, value: 0 %}
"""
    program = build(compile_case(tmp_path / "site", text))
    needs = {
        path: {program.slots[slot].path for slot in program.outputs[program.output_of[path]].needs}
        for path in ("a/LV-1/OUT", "a/LV-2/OUT")
    }
    assert needs == {"a/LV-1/OUT": {"a/LT-1"}, "a/LV-2/OUT": {"a/P-2/RUN"}}


@pytest.mark.parametrize(
    ("path", "value"),
    [("a/ESD/RESET", True), ("a/ESD/pump/ACTIVE", False), ("a/LSHH/ACTIVE", False), ("a/P-1/RESET", True)],
)
def test_a_reset_is_not_forced(program: Program, path: str, value: bool) -> None:
    """It would be given in each scan: nothing would stay latched for as long as the force lasts, and that is a bypass."""
    run = Run(program)
    for level in (2.5, 2.5, 4.7, 4.7):
        run.scan(level)
    run.scan(4.7, GOOD, ask(1, "force", path, value, 3600))
    outcome = next(event for event in run.events if event["kind"] == "request" and event["id"] == "r1")
    assert outcome["status"] == "rejected"
    assert "reset cannot be forced" in outcome["reasons"][0]
    run.scan(2.5)
    assert run.value("a/LSHH/ACTIVE") is True
    run.scan(2.5, GOOD, ask(2, "force", path, not value, 3600))
    outcome = next(event for event in run.events if event["kind"] == "request" and event["id"] == "r2")
    assert outcome["status"] == "confirmed", "the other value resets nothing"


@pytest.mark.parametrize("path", ["a/LSHH/BYPASSED", "a/ESD/HH/BYPASSED"])
def test_what_is_bypassed_cannot_be_hidden_by_a_force(program: Program, path: str) -> None:
    run = Run(program)
    run.scan(2.5)
    run.scan(2.5, GOOD, ask(1, "bypass", path.removesuffix("/BYPASSED"), for_s=60))
    run.scan(2.5, GOOD, ask(2, "force", path, value=False, for_s=3600))
    outcome = next(event for event in run.events if event["kind"] == "request" and event["id"] == "r2")
    assert outcome["status"] == "rejected"
    run.scan(2.5)
    assert run.value(path) is True
