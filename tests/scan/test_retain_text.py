"""The text of what survives is that of `retain.dump` after every scan, and costs little where little changed."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.blocks.base import FunctionBlock, Tick
from scada.blocks.pid import Pid
from scada.requests import Request
from scada.scan import Program, State, build, retain, step
from scada.scan.retain_text import Text
from tags.model import BLOCK
from tags.quality import BAD_SENSOR_FAILURE
from tests.blocks.test_every_block import Life, program
from tests.scan.loops import PERIOD_NS, Pair, batched, loops
from tests.scan.plant import DAMPER, LEVEL, MODE, PANEL, PROGRAM, SECOND, SP, SPEED, Plant

LOOPS = build(loops(12))


def agree(text: Text, of: Program, state: State) -> None:
    """Raises AssertionError when the text says anything else than the reference; the text first, which settles nothing."""
    told = orjson.loads(b"{%b}" % text.text())
    kept = orjson.loads(orjson.dumps(retain.dump(of, state, 0)))
    del kept["utc_ns"]
    assert told == kept


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_of_every_block_after_every_scan(seed: int) -> None:
    life = Life(seed=seed)
    text = Text(program(), life.state)
    agree(text, program(), life.state)
    points = [
        (block, point)
        for block, config in zip(life.state.blocks, program().site.blocks, strict=True)
        for point, path in config.points.items()
        if program().tags[path].kind == BLOCK and program().tags[path].writable
    ]
    for scan in range(120):
        for block, point in life.dice.sample(points, 2 if scan % 3 else 0):
            block.write(point, life.dice.choice([False, True, 0, 1, 2, 3, 0.5, 20.0]))
        life.run(1)
        agree(text, program(), life.state)
    for block in life.state.blocks:
        block.to_manual()
    agree(text, program(), life.state)


class Columns(Pair):
    """Loops in columns alone: nobody brings their objects up to date."""

    def alone(self, requests: list[Request]) -> None:
        self.utc_ns += PERIOD_NS
        samples = [(slot, value, status, self.utc_ns - 1000) for slot, (value, status) in self.values.items()]
        tick = Tick(self.columns.scans + 1, 1, PERIOD_NS, self.utc_ns)
        step(self.program, self.columns, batched(self.program, samples), requests, tick)
        for plan in self.program.outputs:
            if plan.command >= 0 and self.columns.drive[plan.command]:
                self.values[plan.slot] = (self.columns.signals.value[plan.command], 0)


ACTS = st.one_of(
    st.tuples(st.just("mode"), st.sampled_from([0, 1, 2])),
    st.tuples(st.just("sp"), st.floats(0.0, 5.0)),
    st.tuples(st.just("gain"), st.floats(0.0, 9.0)),
    st.tuples(st.just("pv"), st.floats(0.0, 5.0)),
    st.tuples(st.just("bad"), st.just(0)),
    st.tuples(st.just("force"), st.floats(0.0, 100.0)),
    st.tuples(st.just("spare"), st.floats(5.0, 95.0)),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 11), ACTS, st.integers(1, 25)), max_size=8))
def test_of_loops_in_columns_whatever_happens(acts: list[tuple[int, tuple[str, Any], int]]) -> None:
    pair = Columns(LOOPS)
    text = Text(LOOPS, pair.columns)
    for _ in range(20):
        pair.alone([])
    assert pair.columns.columns.inside()["pid"] > 5
    for n, (what, value), scans in acts:
        unit, asked = f"u{n}", []
        if what in ("mode", "sp", "gain"):
            asked = [pair.request("write", [(f"{unit}/LIC/{what.upper()}", value)])]
        elif what == "spare":
            asked = [pair.request("write", [(f"{unit}/SPARE", value)])]
        elif what == "force":
            asked = [pair.request("force", [(f"{unit}/OUT", value)])]
        else:
            pair.set(
                f"{unit}/PV", 2.0 if what == "bad" else value, BAD_SENSOR_FAILURE if what == "bad" else 0
            )
        pair.alone(asked)
        agree(text, LOOPS, pair.columns)
        for _ in range(scans):
            pair.alone([])
        agree(text, LOOPS, pair.columns)


def test_of_what_people_did() -> None:
    plant = Plant()
    text = Text(PROGRAM, plant.state)
    agree(text, PROGRAM, plant.state)
    plant.scan(scans=4)

    def ask(kind: str, *items: tuple[str, Any], **more: Any) -> None:
        plant.ask(kind, *items, **more)
        agree(text, PROGRAM, plant.state)
        plant.scan(scans=3)
        agree(text, PROGRAM, plant.state)

    ask("write", (SP, 3.1), (MODE, "Auto"), ("tank1/draining", True), ("tank1/note", 'brackets],["'))
    ask("write", ("tank1/note", "hello"))
    ask("force", (LEVEL, 1.0), for_ns=SECOND)
    ask("force", ("tank1/draining", False), for_ns=SECOND)
    assert orjson.loads(b"{%b}" % text.text())["values"]["tank1/draining"][0] is True, (
        "what was before the force"
    )
    ask("write", (SPEED, 75.0), (DAMPER, True))
    plant.result = 254
    ask("write", (PANEL, 24.0))
    for n in range(250):
        plant.ask("write", (SP, 2.0 + n / 1000), reason="é" * (n % 7 * 100))
        if n % 25 == 0:
            agree(text, PROGRAM, plant.state)
    plant.registers[LEVEL] = 4.9
    plant.scan(scans=30)
    agree(text, PROGRAM, plant.state)
    after = Plant(
        retained=orjson.loads(b'{"utc_ns":%d,%b}' % (plant.utc_ns, text.text())), utc_ns=plant.utc_ns
    )
    agree(Text(PROGRAM, after.state), PROGRAM, after.state)


def test_a_value_that_changed_under_the_same_time_is_seen() -> None:
    """The clock may step back onto the time of the last change."""
    plant = Plant()
    plant.scan(scans=4)
    text = Text(PROGRAM, plant.state)
    agree(text, PROGRAM, plant.state)
    plant.state.signals.value[PROGRAM.index["tank1/draining"]] = True
    agree(text, PROGRAM, plant.state)


def test_it_is_of_one_state_only() -> None:
    plant, other = Plant(), Plant()
    assert Text(PROGRAM, plant.state).of(plant.state)
    assert not Text(PROGRAM, plant.state).of(other.state)


def test_only_what_changed_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    known = Pid.retained

    def retained(self: Pid) -> dict[str, Any]:
        asked.append(self.path)
        return known(self)

    monkeypatch.setattr(Pid, "retained", retained)
    large = build(loops(64))
    pair = Columns(large)
    text = Text(large, pair.columns)
    for _ in range(20):
        pair.alone([])
    text.text()
    asked.clear()
    pair.set("u3/PV", 1.0)
    pair.alone([])
    text.text()
    assert asked == []
    pair.alone([pair.request("write", [("u3/LIC/SP", 1.5)])])
    agree(text, large, pair.columns)
    assert "u3/LIC" in asked
    assert len(asked) <= 16 + 64, "its neighbours, and all of the reference"


def _declaring() -> list[type[FunctionBlock]]:
    todo, found = [FunctionBlock], []
    while todo:
        kind = todo.pop()
        todo += kind.__subclasses__()
        if kind.__dict__.get("RETAINED_OF"):
            found.append(kind)
    return found


def test_a_block_names_all_that_what_it_keeps_is_made_of() -> None:
    """Whatever `retained` and the methods that it calls read is named, or set nowhere but in the beginning."""
    program()
    assert Pid in _declaring()
    for kind in _declaring():
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
        assert isinstance(tree, ast.ClassDef)
        methods = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert "retained" in methods, kind
        read: set[str] = set()
        todo = ["retained"]
        while todo:
            names = {
                node.attr
                for node in ast.walk(methods[todo.pop()])
                if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self"
            } - read
            read |= names
            todo += [name for name in names if name in methods]
        moved = {
            node.attr
            for name, method in methods.items()
            if name not in ("__init__", "link")
            for node in ast.walk(method)
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        }
        assert read & moved <= set(kind.RETAINED_OF), kind
