"""Forces: listed, alarmed, shown as GoodLocalOverride, ending by themselves."""

from __future__ import annotations

import orjson
import pytest

from scada.blocks.base import FORCED
from scada.scan import retain
from tags.quality import GOOD, GOOD_LOCAL_OVERRIDE
from tags.types import to_bits
from tests.scan.plant import LEVEL, PROGRAM, PUMP, SECOND, SP, SPEED, VALVE, Plant

ALARM = "system/control/FORCED"


@pytest.fixture
def plant() -> Plant:
    plant = Plant()
    plant.scan(scans=4)
    return plant


def test_a_force_of_a_device_tag_is_for_field(plant: Plant) -> None:
    assert plant.ask("force", (LEVEL, 3.3), for_ns=10 * SECOND) == [("confirmed", [])]
    assert plant.last.forces
    assert plant.state.forces.for_field() == {LEVEL: [to_bits("float64", 3.3), plant.utc_ns + 10 * SECOND]}
    assert plant.value("system/control/forces") == 1
    assert plant.value(ALARM) == 3
    plant.scan(scans=101)
    assert plant.state.forces.for_field() == {}
    assert plant.value(ALARM) == 2, "gone, and nobody has acknowledged it"
    assert [e["action"] for e in plant.events if e["kind"] == "force"] == ["forced", "expired"]


def test_a_forced_set_point_comes_back_after_it(plant: Plant) -> None:
    plant.ask("force", (SP, 3.9), for_ns=5 * SECOND)
    plant.scan(scans=3)
    assert (plant.value(SP), plant.quality(SP)) == (3.9, GOOD_LOCAL_OVERRIDE)
    assert "is forced by anna" in plant.ask("write", (SP, 2.0))[0][1][0]
    plant.ask("unforce", (SP, None))
    plant.scan(scans=2)
    assert (plant.value(SP), plant.quality(SP)) == (2.5, GOOD)


def test_a_forced_command_is_driven_within_its_limits(plant: Plant) -> None:
    plant.ask("force", (f"{VALVE}/command", 77.0), for_ns=5 * SECOND)
    plant.scan(scans=2)
    assert plant.command(VALVE) == 77.0
    assert plant.quality(f"{VALVE}/command") == GOOD_LOCAL_OVERRIDE
    assert "is forced" in plant.ask("write", (VALVE, 5.0))[0][1][0]
    plant.scan(scans=60)
    assert plant.command(VALVE) == 77.0, "the end of a force does not bump"


def test_a_pulse_that_is_forced_off_is_not_given(plant: Plant) -> None:
    """Whoever forces a START to false counts on it."""
    plant.ask("force", (f"{PUMP}/command", False), for_ns=5 * SECOND)
    output = plant.state.outputs[PROGRAM.output_of[PUMP]]
    output.begin_ask(True)
    plant.scan(scans=3)
    assert plant.writes == []
    assert output.why & FORCED
    assert plant.quality(f"{PUMP}/command") == GOOD_LOCAL_OVERRIDE
    assert "is forced" in plant.ask("write", (PUMP, True))[0][1][0]
    plant.scan(scans=60)
    assert plant.ask("write", (PUMP, True), scans=3)[-1][0] == "confirmed"


@pytest.mark.parametrize(
    ("kind", "item", "role", "says"),
    [
        ("force", (LEVEL, 1.0), "operator", "role engineer"),
        ("force", ("tank1/note", "x"), "engineer", "texts cannot be forced"),
        ("force", (f"{PUMP}/command", True), "engineer", "can only be forced off"),
        ("force", (ALARM, 0), "engineer", "alarms and system tags cannot be forced"),
        ("force", (LEVEL, "much"), "engineer", "not a number"),
        ("unforce", (LEVEL, None), "engineer", "is not forced"),
    ],
)
def test_refusals(plant: Plant, kind: str, item: tuple[str, object], role: str, says: str) -> None:
    (status, reasons), = plant.ask(kind, item, role=role, for_ns=SECOND if kind == "force" else 0)  # fmt: skip
    assert status == "rejected"
    assert says in reasons[0]


def test_forces_survive_a_restart_and_still_expire(plant: Plant) -> None:
    plant.ask("force", (LEVEL, 3.3), (f"{SPEED}/command", 60.0), for_ns=20 * SECOND)
    plant.scan(scans=60)
    kept = orjson.loads(orjson.dumps(retain.dump(PROGRAM, plant.state, plant.utc_ns)))
    after = Plant(retained=kept, utc_ns=plant.utc_ns, registers=plant.registers)
    after.scan(scans=5)
    assert list(after.state.forces.for_field()) == [LEVEL]
    assert after.command(SPEED) == 60.0
    after.scan(scans=200)
    assert len(after.state.forces) == 0


@pytest.mark.parametrize("step_s", [3600, -3600, 86_400, -86_400])
def test_a_clock_step_neither_ends_a_force_nor_prolongs_it(plant: Plant, step_s: int) -> None:
    plant.ask("force", (LEVEL, 3.3), for_ns=10 * SECOND)
    plant.scan(scans=20)
    plant.utc_ns += step_s * SECOND
    plant.scan(scans=2)
    assert plant.last.forces or plant.state.forces.for_field()
    until_ns = plant.state.forces.for_field()[LEVEL][1]
    assert until_ns == plant.utc_ns + 78 * SECOND // 10, "shown in the new time"
    plant.scan(scans=77)
    assert plant.state.forces.for_field()
    plant.scan()
    assert plant.state.forces.for_field() == {}


@pytest.mark.parametrize(
    ("away_s", "left_s"), [(3, 5), (8, 0), (3600, 0), (-3600, 10)]
)  # the clock was set back meanwhile: no longer than it was asked for
def test_a_force_over_a_restart(plant: Plant, away_s: int, left_s: int) -> None:
    plant.ask("force", (LEVEL, 3.3), for_ns=10 * SECOND)
    plant.scan(scans=20)
    kept = orjson.loads(orjson.dumps(retain.dump(PROGRAM, plant.state, plant.utc_ns)))
    again = Plant(PROGRAM, kept, utc_ns=plant.utc_ns + away_s * SECOND)
    lasted = 0
    for _ in range(200):
        again.scan()
        lasted += bool(again.state.forces.for_field())
    assert lasted == max(left_s * 10 - 1, 0)
