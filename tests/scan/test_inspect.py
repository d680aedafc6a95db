"""A block as people look at it: what it reads, says, drives and remembers, and why an output is not what it asked for."""

from __future__ import annotations

import pytest

from scada.blocks import base
from scada.scan import inspect
from tests.scan.plant import ARMED, LEVEL, LOCK, MODE, PROGRAM, REMOTE, SP, VALVE, Plant

LOOP = "tank1/LIC-101"


def view(plant: Plant, path: str = LOOP) -> inspect.View:
    return inspect.block(PROGRAM, plant.state, path)


@pytest.fixture
def plant() -> Plant:
    plant = Plant()
    plant.scan(scans=3)
    plant.ask("write", (MODE, 2))
    plant.scan(scans=5)
    return plant


def test_a_loop_with_what_it_reads_says_and_drives(plant: Plant) -> None:
    found = view(plant)
    assert (found.path, found.type, found.failed) == (LOOP, "pid", None)
    assert [one.path for one in found.inputs] == [LEVEL], "neither its own points nor its output"
    (level,) = found.inputs
    slot = PROGRAM.index[LEVEL]
    assert (level.value, level.status, level.time_ns) == (2.0, 0, plant.state.signals.time_ns[slot])
    assert [one.path for one in found.points] == list(
        next(block for block in PROGRAM.site.blocks if block.path == LOOP).points.values()
    )
    assert {one.path: one.value for one in found.points}[SP] == plant.value(SP)
    (valve,) = found.outputs
    assert (valve.path, valve.driven, valve.why) == (VALVE, True, "")
    assert valve.wanted == valve.applied == plant.command(VALVE)


def test_what_it_remembers_is_what_moved_and_its_mode(plant: Plant) -> None:
    found = view(plant).state
    fresh = view(Plant()).state
    assert set(fresh) <= {"_mode", "_state", "_active", "_out"}, "nothing has moved yet"
    assert found["_mode"] == 2
    assert set(found) > set(fresh)
    assert "path" not in found
    assert "_path" not in found


def test_the_interlock_that_holds_an_output_is_the_reason(plant: Plant) -> None:
    plant.registers[LEVEL] = 4.9
    plant.scan(scans=2)
    lock = view(plant, LOCK)
    assert (lock.type, [one.path for one in lock.inputs]) == ("interlock", [LEVEL])
    assert [(one.path, one.value) for one in lock.points] == [(f"{LOCK}/ACTIVE", True)]
    (held,) = lock.outputs
    assert (held.path, held.applied, held.driven, held.why) == (VALVE, 0.0, True, "interlocked")
    assert lock.state["_active"] is True


@pytest.mark.parametrize(
    ("bit", "text"),
    [(base.NOT_INITIALISED, "not initialised"), (base.LOCAL, "Local"), (base.DISARMED, "not armed"),
     (base.INTERLOCKED, "interlocked"), (base.FORCED, "forced"), (base.LIMITED, "limited"),
     (base.RATE_LIMITED, "rate limited"), (base.LOCAL | base.DISARMED, "Local, not armed"), (0, "")],
)  # fmt: skip
def test_each_reason_has_its_word(plant: Plant, bit: int, text: str) -> None:
    plant.state.context.outputs.tracking[PROGRAM.output_of[VALVE]] = bit
    assert view(plant).outputs[0].why == text


def test_local_and_unarmed(plant: Plant) -> None:
    plant.registers[REMOTE] = plant.registers[ARMED] = False
    plant.scan(scans=2)
    (valve,) = view(plant).outputs
    assert (valve.driven, valve.why) == (False, "Local, not armed")


def test_a_block_that_raised_says_how(plant: Plant) -> None:
    position = next(n for n, one in enumerate(PROGRAM.site.blocks) if one.path == LOOP)
    plant.state.failed[position] = "ZeroDivisionError: x"
    assert view(plant).failed == "ZeroDivisionError: x"


def test_there_is_no_such_block(plant: Plant) -> None:
    with pytest.raises(KeyError, match="no/where"):
        view(plant, "no/where")
    assert inspect.seen(PROGRAM, plant.state, LEVEL).path == LEVEL
