"""A request of several items that one block refuses changes nothing: no value, and not who works with whom."""

from __future__ import annotations

import pytest

from scada.requests import Request
from scada.scan import Program, build, checkpoint
from tags import model
from tests.scan.test_protections import Run
from tests.site.helpers import compile_case

YAML = """
control:
  a/LSHH: {block: interlock, target: a/P-1, when: a/LT-1 > 4.5 m, reset: manual}
  a/LSLL: {block: interlock, target: a/P-1, when: a/LT-1 < 0.5 m, reset: manual}
  a/TIC:
    block: pid
    pv: a/LT-1
    out: a/LV-1/OUT
    action: reverse
    tuning: {gain: 1, ti: 10 s}
    setpoint: {initial: 2 m, remote: {timeout: 60 s}}
  a/P-1: {mode: {first: manual}}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    made = compile_case(tmp_path_factory.mktemp("site") / "site", YAML)
    return build(model.load(model.dump(made)))


def write(run: Run, id_: str, *items: tuple[str, object]) -> str:
    run.scan(2.0, 0, Request(id_, "write", items, "test", "cli", "eve", "admin"))
    return str(next(event for event in run.events if event.get("id") == id_)["status"])


def tripped(program: Program) -> Run:
    run = Run(program)
    for level in (2.0, 2.0, 2.0, 5.0, 2.0):
        run.scan(level)
    assert run.value("a/LSHH/ACTIVE") is True
    return run


def test_an_interlock_keeps_its_motor(program: Program) -> None:
    """A reset of one and a start in one request: the start is refused, as the other interlock stands."""
    run = tripped(program)
    assert write(run, "both", ("a/LSLL/ACTIVE", False), ("a/P-1/CMD", True)) == "rejected"
    assert write(run, "reset", ("a/LSHH/ACTIVE", False)) == "confirmed"
    run.scan(2.0)
    assert write(run, "start", ("a/P-1/CMD", True)) == "confirmed"
    run.scan(0.2)
    assert run.value("a/LSLL/ACTIVE") is True
    assert write(run, "again", ("a/P-1/CMD", True)) == "rejected", "it stops the motor, as before"


def test_what_a_block_is_made_of_stays_what_others_know(program: Program) -> None:
    """The recording looks at the objects of the start; a replaced one would never change for it again."""
    run = tripped(program)
    before = checkpoint.Objects(run.state).by_name
    kept = checkpoint.dump(program, run.state)["objects"]["a/TIC"]
    parts = {name: id(thing) for name, thing in before.items()}
    assert write(run, "both", ("a/TIC/RSP", 2.5), ("a/TIC/MODE", 4), ("a/P-1/CMD", True)) == "rejected"
    after = checkpoint.Objects(run.state).by_name
    assert {name: id(thing) for name, thing in after.items()} == parts
    again = checkpoint.dump(program, run.state)["objects"]
    assert again["a/TIC"]["_mode"] == kept["_mode"]
    assert again["a/TIC._outside"]["_remote"] is None, "RSP was not written"
