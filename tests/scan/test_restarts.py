"""A device that lost its power gets nothing of before, however quickly it was back."""

from __future__ import annotations

import dataclasses

from scada.requests import Request
from scada.scan import Program, build
from tags.model import Tag
from tags.quality import BAD_WAITING_FOR_INITIAL_DATA, GOOD, GOOD_LOCAL_OVERRIDE
from tests.scan.plant import DAMPER, LEVEL, MODE, REMOTE, SPEED, VALVE, Plant, plant_site

RESTARTS = "system/PLC1/restarts"


def program() -> Program:
    site = plant_site()
    row = len(site.of_writer("field"))
    tag = Tag(id=900, path=RESTARTS, type="int64", kind="system", writer="field", row=row)
    return build(
        dataclasses.replace(site, tags=tuple(sorted((*site.tags, tag), key=lambda t: (t.writer, t.row))))
    )


PROGRAM = program()


def running(**registers: object) -> Plant:
    """The level controller in Auto at its set point, a speed of 60 % asked by hand."""
    plant = Plant(PROGRAM, registers={RESTARTS: 0, LEVEL: 2.5, **registers})
    plant.scan(scans=4)
    plant.ask("write", (MODE, "Auto"))
    plant.ask("write", (SPEED, 60.0))
    plant.scan(scans=30)
    assert plant.command(SPEED) == 60.0
    return plant


def lose_power(plant: Plant) -> None:
    """Its memory is gone; field has noticed before it read anything else."""
    plant.registers |= {RESTARTS: plant.registers[RESTARTS] + 1, VALVE: 0.0, SPEED: 0.0, DAMPER: False}


def test_outputs_start_from_what_it_holds_now() -> None:
    plant = running()
    writes = len(plant.writes)
    lose_power(plant)
    plant.scan()
    assert plant.command(SPEED) is None, "let go at least for a scan, so that field sees it"
    assert plant.command(VALVE) is None
    plant.scan()
    speed = plant.command(SPEED)
    assert 0.0 < speed <= 1.0, "from what it holds, at its rate, to its lowest"
    valve = plant.command(VALVE)
    assert valve is not None
    assert valve < 2.0, "the controller goes on from there, without a bump"
    assert [w for w in plant.writes[writes:] if w[2] not in (speed, valve)] == []
    plant.scan(scans=300)
    assert plant.value(MODE) == 2


def test_values_of_before_say_nothing_any_more() -> None:
    plant = running()
    before = plant.utc_ns - 1_000_000
    plant.registers[RESTARTS] = 1
    inputs = plant._inputs()
    slot = PROGRAM.index[RESTARTS]
    old = [s if s[0] == slot else (*s[:3], before) for s in inputs.samples]
    inputs = dataclasses.replace(inputs, samples=old)
    plant._inputs = lambda: inputs  # type: ignore[method-assign]
    plant.scan()
    assert [plant.quality(path) for path in (LEVEL, VALVE, REMOTE)] == [BAD_WAITING_FOR_INITIAL_DATA] * 3
    assert plant.quality(RESTARTS) == GOOD
    assert plant.quality("system/PLC1/armed") == GOOD
    assert "was not read" in plant.ask("write", (SPEED, 70.0))[0][1][0] or plant.command(SPEED) is None
    del plant._inputs
    plant.scan(scans=2)
    assert plant.quality(LEVEL) == GOOD


def test_what_was_forced_stays() -> None:
    plant = running()
    plant.status[LEVEL] = GOOD_LOCAL_OVERRIDE
    plant.scan()
    plant.registers[RESTARTS] = 1
    plant.scan()
    assert plant.quality(LEVEL) == GOOD_LOCAL_OVERRIDE


def test_neither_the_first_count_nor_a_lower_one_is_a_restart() -> None:
    """Field was started again, alone or with all else."""
    plant = running(**{RESTARTS: 7})
    plant.registers[RESTARTS] = 0
    plant.scan()
    assert plant.command(SPEED) == 60.0
    plant.registers[RESTARTS] = 1
    plant.scan()
    assert plant.command(SPEED) is None


def test_a_count_that_is_not_known_says_nothing() -> None:
    plant = running()
    plant.status[RESTARTS] = BAD_WAITING_FOR_INITIAL_DATA
    plant.registers[RESTARTS] = 5
    plant.scan()
    assert plant.command(SPEED) == 60.0
    plant.status[RESTARTS] = GOOD
    plant.scan()
    assert plant.command(SPEED) is None


def test_a_request_under_way_ends_without_being_done_later() -> None:
    plant = running()
    plant.deaf = True
    request = Request(
        id="under-way", kind="write", items=((DAMPER, True),), source="hmi", user="anna", role="engineer"
    )
    told = plant.scan(request)
    plant.deaf = False
    lose_power(plant)
    told += plant.scan(scans=60)
    assert plant.outcomes(told, "under-way")[-1][0] == "timed out"
    assert plant.registers[DAMPER] is False
    assert plant.command(DAMPER) is False
