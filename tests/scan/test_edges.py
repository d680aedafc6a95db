"""Limits, orders and counts of the scan to the last scan: where an off-by-one would hide."""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson
import pytest

from scada.blocks.base import FORCED
from scada.requests import Request
from scada.scan import build, retain
from scada.scan.outputs import ASK_NS, cast, limited, near
from scada.scan.program import ASK, HOLD, OWN, PULSE, Plan
from scada.scan.start import FRESH_NS
from scada.scan.state import is_stop
from tags.model import COMMAND, Scaling, Site, Write
from tags.quality import BAD_SENSOR_FAILURE, GOOD, GOOD_LOCAL_OVERRIDE
from tests.scan.plant import (
    ARMED,
    DAMPER,
    LEVEL,
    LOCK,
    MODE,
    PANEL,
    PROGRAM,
    PUMP,
    REMOTE,
    SECOND,
    SITE,
    SP,
    SPEED,
    START_NS,
    VALVE,
    Plant,
    plant_site,
)
from tests.scan.test_orders import STOP, motor_site

SCAN_NS = SECOND // 10


@pytest.fixture
def plant() -> Plant:
    plant = Plant()
    plant.scan(scans=4)
    return plant


def changed(path: str, **fields: Any) -> Site:
    tags = tuple(dataclasses.replace(tag, **fields) if tag.path == path else tag for tag in SITE.tags)
    return dataclasses.replace(SITE, tags=tags)


def plan(site: Site, path: str) -> Plan:
    program = build(site)
    return program.outputs[program.output_of[path]]


# --- the program ---


def test_each_output_has_its_way() -> None:
    ways = {path: PROGRAM.outputs[row].way for path, row in PROGRAM.output_of.items()}
    assert ways == {VALVE: HOLD, SPEED: HOLD, DAMPER: HOLD, PANEL: ASK, PUMP: PULSE}
    driver = PROGRAM.outputs[PROGRAM.output_of[VALVE]].driver
    assert SITE.blocks[driver].path == "tank1/LIC-101"
    assert PROGRAM.outputs[PROGRAM.output_of[SPEED]].driver == -1
    assert all(plan.point is None for plan in PROGRAM.outputs)
    assert not [plan for plan in PROGRAM.outputs if plan.way == OWN]


@pytest.mark.parametrize(
    ("write", "close", "tolerance"),
    [(Write(tolerance=0.5, deadband=2.0), 2.0, 0.5), (Write(tolerance=3.0, deadband=1.0), 3.0, 3.0)],
)
def test_how_close_is_close_enough(write: Write, close: float, tolerance: float) -> None:
    """Half a raw count and a little is added: what a register cannot hold is no difference."""
    coarse = plan(changed(VALVE, write=write, scaling=Scaling(gain=0.4), address={"type": "int16"}), VALVE)
    assert coarse.close == pytest.approx(close + 0.204)
    assert coarse.tolerance == pytest.approx(tolerance + 0.204)
    fine = plan(changed(VALVE, write=write, address={"type": "float32"}), VALVE)
    assert fine.tolerance == pytest.approx(tolerance + 1e-6)
    assert plan(changed(DAMPER, write=write), DAMPER).tolerance == tolerance


def test_limits_are_the_tags_own_else_its_range_else_those_of_its_type() -> None:
    assert (plan(SITE, SPEED).low, plan(SITE, SPEED).high) == (20.0, 80.0)
    assert (plan(changed(SPEED, limits=None), SPEED).low, plan(changed(SPEED, limits=None), SPEED).high) == (
        0.0,
        100.0,
    )
    bare = plan(changed(SPEED, limits=None, range=None), SPEED)
    assert (bare.low, bare.high) == (None, None)
    whole = plan(changed(SPEED, limits=None, range=None, type="int16"), SPEED)
    assert (whole.low, whole.high) == (-32768, 32767)
    assert (plan(SITE, DAMPER).low, plan(SITE, DAMPER).high) == (None, None)


def test_values_are_made_fit() -> None:
    speed, damper = plan(SITE, SPEED), plan(SITE, DAMPER)
    assert [limited(speed, value) for value in (19.9, 20.0, 80.0, 80.1)] == [20.0, 20.0, 80.0, 80.0]
    assert limited(damper, 1) is True
    assert cast(damper, 1) is True
    whole = plan(changed(SPEED, type="int16"), SPEED)
    assert (cast(whole, 41.6), type(cast(whole, 41.6))) == (42, int)
    assert (cast(speed, 42), type(cast(speed, 42))) == (42.0, float)
    assert near(1.0, 1.5, 0.5)
    assert not near(1.0, 1.51, 0.5)
    assert near("a", "a", 0.0)
    assert not near("a", "b", 9.0)
    assert not near(None, 0.0, 9.0)
    assert near(None, None, 0.0)


def test_what_stops_something() -> None:
    site, motor = motor_site()
    program = build(site)

    def stops(*items: tuple[str, Any]) -> bool:
        return is_stop(program, Request("r", "write", items))

    assert stops((STOP, True))
    for word in (False, "false", "off", "stop", "close"):
        assert stops((f"{motor}/CMD", word)), word
    for word in (True, "on", "start"):
        assert not stops((f"{motor}/CMD", word)), word
    assert not stops((f"{motor}/RESET", False))
    assert not stops((SP, 2.0))
    assert not stops(("no/where", False))
    assert stops(("no/where", False), (SP, 2.0), (STOP, True))


# --- what is published ---


def test_slots_flags_and_renewals_come_in_rising_order(plant: Plant) -> None:
    first = Plant()
    first.scan()
    assert first.last.slots == list(range(PROGRAM.own)), "all of control's own in the first scan"
    flags = []
    for _ in range(4):
        first.scan()
        flags += [first.last.flags]
        assert first.last.slots == sorted(set(first.last.slots))
    assert max(flags, key=len) == sorted(
        PROGRAM.outputs[PROGRAM.output_of[path]].command for path in (VALVE, SPEED, DAMPER)
    )
    plant.ask("write", (PANEL, 22.0), (PUMP, True))
    asked = [PROGRAM.outputs[PROGRAM.output_of[path]].command for path in (PANEL, PUMP)]
    assert plant.last.renew == sorted(asked)
    assert set(asked) <= set(plant.last.flags)
    assert plant.last.flags == sorted(plant.last.flags)


def test_own_tags_have_a_time_from_the_first_scan_on() -> None:
    plant = Plant()
    plant.scan()
    times = plant.state.signals.time_ns[: PROGRAM.own]
    assert all(time_ns == plant.utc_ns for time_ns in times if time_ns != START_NS)


def test_counts_and_shadow(plant: Plant) -> None:
    assert plant.value("system/control/shadow") == 0
    assert plant.value("system/control/forces") == 0
    plant.ask("force", (SP, 3.0), for_ns=SECOND)
    assert plant.value("system/control/forces") == 1
    plant.registers[ARMED] = False
    plant.scan(scans=2)
    assert plant.value("system/control/shadow") == 1
    assert Plant().state.outputs[0].drive is False


# --- questions and pulses ---


@pytest.mark.parametrize(("path", "value"), [(PANEL, 22.0), (PUMP, True)])
def test_a_question_that_field_does_not_take_up_is_dropped_after_its_time(path: str, value: Any) -> None:
    plant = Plant()
    plant.scan(scans=4)
    plant.every = 10**6  # field is away
    deadline = {} if path == PUMP else {"deadline_ns": ASK_NS}
    plant.ask("write", (path, value), **deadline)
    flag = PROGRAM.outputs[PROGRAM.output_of[path]].command
    asked = 0
    while plant.state.drive[flag]:
        asked += 1
        plant.scan()
        assert asked < 100
    assert asked == ASK_NS // SCAN_NS - (path == PUMP)
    plant.every = 1
    plant.scan(scans=20)
    assert plant.writes == [], "it is not asked later"


def test_a_question_is_asked_once_and_ends_when_it_was_taken_up(plant: Plant) -> None:
    plant.ask("write", (PANEL, 22.0))
    assert plant.command(PANEL) == 22.0
    plant.scan(scans=2)
    assert plant.command(PANEL) is None
    assert [write[1:] for write in plant.writes] == [(PANEL, 22.0)]
    plant.registers[PANEL] = 24.0
    plant.scan(scans=20)
    assert len(plant.writes) == 1
    assert plant.value(f"{PANEL}/command") == 24.0, "then it is followed"


def test_a_forced_question_is_asked_until_it_is_so(plant: Plant) -> None:
    plant.ask("force", (f"{PANEL}/command", 23.0), for_ns=100 * SECOND)
    plant.scan(scans=4)
    assert plant.registers[PANEL] == 23.0
    assert plant.state.outputs[PROGRAM.output_of[PANEL]].why == FORCED
    plant.registers[PANEL] = 18.0  # somebody at the wall
    plant.scan(scans=6)
    assert plant.registers[PANEL] == 23.0
    refused = plant.ask("write", (PANEL, 19.0))
    assert refused[0][0] == "rejected"
    plant.registers[PANEL] = 23.04
    writes = len(plant.writes)
    plant.scan(scans=6)
    assert len(plant.writes) == writes, "within the tolerance it is so"


@pytest.mark.parametrize("stands", [ARMED, REMOTE, "read-back"])
def test_a_question_waits_while_something_stands_against_it(stands: str) -> None:
    plant = Plant(build(changed(PANEL, remote=REMOTE)))
    plant.scan(scans=4)
    plant.ask("force", (f"{PANEL}/command", 23.0), for_ns=100 * SECOND)
    plant.scan(scans=4)
    assert plant.registers[PANEL] == 23.0
    plant.registers[PANEL] = 18.0
    if stands == "read-back":
        plant.status[PANEL] = BAD_SENSOR_FAILURE
    else:
        plant.registers[stands] = False
    for _ in range(20):
        plant.scan()
        assert plant.command(PANEL) is None
    assert plant.registers[PANEL] == 18.0
    plant.status.clear()
    plant.registers[ARMED] = plant.registers[REMOTE] = True
    plant.scan(scans=4)
    assert plant.registers[PANEL] == 23.0, "the force holds still"


@pytest.mark.parametrize("stands", [ARMED, REMOTE, "read-back"])
def test_a_question_under_way_is_taken_back_when_something_comes_between(stands: str) -> None:
    plant = Plant(build(changed(PANEL, remote=REMOTE)))
    plant.scan(scans=4)
    plant.every = 10**6  # field is slow
    plant.ask("write", (PANEL, 22.0))
    plant.scan()
    assert plant.command(PANEL) == 22.0
    if stands == "read-back":
        plant.status[PANEL] = BAD_SENSOR_FAILURE
    else:
        plant.registers[stands] = False
    plant.scan()
    assert plant.command(PANEL) is None
    plant.status.clear()
    plant.registers[ARMED] = plant.registers[REMOTE] = True
    plant.every = 1
    plant.scan(scans=10)
    assert plant.registers[PANEL] == 20.0, "and is not asked later"


@pytest.mark.parametrize(("mode", "text"), [(0, "Out of service"), (2, "Auto")])
def test_a_refusal_names_the_mode_as_people_know_it(plant: Plant, mode: int, text: str) -> None:
    assert plant.ask("write", (MODE, mode)) == [("confirmed", [])]
    assert plant.ask("write", (VALVE, 44.0)) == [
        ("rejected", [f"{VALVE} is driven by tank1/LIC-101 in {text}: set {MODE} to Manual first"])
    ]


# --- forces ---


def test_a_forced_point_acts_in_its_block(plant: Plant) -> None:
    plant.registers[LEVEL] = 2.0
    plant.ask("force", (MODE, "Auto"), for_ns=100 * SECOND)
    plant.ask("force", (SP, 3.9), for_ns=100 * SECOND)
    plant.scan(scans=100)
    assert plant.quality(MODE) == plant.quality(SP) == GOOD_LOCAL_OVERRIDE
    assert plant.command(VALVE) > 33.0, "the controller works, and towards the forced set point"
    ended = plant.ask("unforce", (SP, None))
    assert ended[-1][0] == "confirmed"
    assert (plant.value(SP), plant.quality(SP)) == (2.5, GOOD)


def test_what_a_block_makes_stays_forced_at_the_end_of_the_scan(plant: Plant) -> None:
    plant.ask("force", (f"{LOCK}/ACTIVE", True), for_ns=100 * SECOND)
    for _ in range(3):
        plant.scan()
        assert (plant.value(f"{LOCK}/ACTIVE"), plant.quality(f"{LOCK}/ACTIVE")) == (True, GOOD_LOCAL_OVERRIDE)


def test_a_force_ends_in_the_scan_in_which_its_time_is_over(plant: Plant) -> None:
    plant.ask("force", (SP, 3.9), for_ns=SECOND)
    plant.scan(scans=9)
    assert plant.quality(SP) == GOOD_LOCAL_OVERRIDE
    told = plant.scan()
    assert plant.quality(SP) == GOOD
    assert [event["action"] for event in told if event["kind"] == "force"] == ["expired"]


# --- requests ---


def test_what_could_be_published_only_when_its_time_is_up_is_not_called_sent(plant: Plant) -> None:
    """Its way there was blocked for exactly as long as it had."""
    told: list[dict[str, Any]] = []
    request = Request(
        "late",
        "write",
        ((DAMPER, True),),
        source="hmi",
        user="anna",
        role="engineer",
        deadline_ns=2 * SCAN_NS,
    )
    for asked in ([request], [], []):
        # It is being initialised from what is read back, again and again.
        plant.state.outputs[PROGRAM.output_of[DAMPER]].ready = len(told) > 0
        told += plant.scan(*asked)
    ends = plant.outcomes(told, "late")
    assert [status for status, _ in ends] == ["accepted", "timed out"]
    assert "not sent" in ends[-1][1][0]
    plant.scan(scans=10)
    assert plant.registers[DAMPER] is False


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [(REMOTE, False, "is in Local"), (ARMED, False, "is not armed"), (LEVEL, 4.9, "holds")],
)
def test_what_comes_in_the_same_scan_refuses_at_once(plant: Plant, path: str, value: Any, says: str) -> None:
    """It was admitted on the state of the last scan, and not sent on that of this one."""
    plant.registers[path] = value
    said = plant.ask("write", (VALVE, 60.0))
    assert [status for status, _ in said] == ["rejected"]
    assert says in said[0][1][0]
    plant.scan(scans=20)
    assert (VALVE, 60.0) not in [write[1:] for write in plant.writes]


def test_old_values_are_told_and_a_refused_item_undoes_the_others(plant: Plant) -> None:
    told = plant.scan(
        Request("two", "write", ((SP, 3.0), (MODE, 9)), source="hmi", user="anna", role="engineer")
    )
    assert plant.outcomes(told, "two")[0][0] == "rejected"
    assert plant.value(SP) == 2.5
    told = plant.scan(Request("one", "write", ((SP, 3.0),), source="hmi", user="anna", role="engineer"))
    (event,) = [event for event in told if event.get("id") == "one"]
    assert (event["old"], event["items"], event["status"]) == ([2.5], [[SP, 3.0]], "confirmed")


# --- restart ---


def kept(plant: Plant) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(orjson.dumps(retain.dump(PROGRAM, plant.state, plant.utc_ns)))
    return found


@pytest.mark.parametrize(
    ("age_ns", "mode"),
    [(FRESH_NS - 1, 2), (FRESH_NS, 1), (-FRESH_NS + 1, 2), (-FRESH_NS, 1), (0, 2)],
)
def test_a_state_is_fresh_for_ten_minutes(plant: Plant, age_ns: int, mode: int) -> None:
    """Also when the clock was set back meanwhile."""
    plant.ask("write", (MODE, "Auto"))
    state = kept(plant)
    later = Plant(retained=state, utc_ns=plant.utc_ns + age_ns, registers=plant.registers)
    later.scan(scans=2)
    assert later.value(MODE) == mode


def test_only_the_newest_outcomes_are_kept(plant: Plant) -> None:
    for number in range(retain.OUTCOMES + 5):
        plant.ask("write", (SP, 2.0 + number / 1000))
    outcomes = kept(plant)["outcomes"]
    assert len(outcomes) <= retain.OUTCOMES
    assert outcomes[-1]["items"] == [[SP, 2.0 + (retain.OUTCOMES + 4) / 1000]]
    again = Plant(retained=kept(plant), utc_ns=plant.utc_ns)
    repeated = again.scan(
        Request(outcomes[-1]["id"], "write", ((SP, 1.5),), source="hmi", user="anna", role="engineer")
    )
    assert [event.get("repeated") for event in repeated if event["kind"] == "request"] == [True]


def test_a_forced_set_point_is_kept_as_it_was_before(plant: Plant) -> None:
    plant.ask("force", (SP, 3.9), for_ns=100 * SECOND)
    state = kept(plant)
    assert state["values"][SP][0] == 2.5
    assert state["commands"] == {path: plant.value(f"{path}/command") for path in (VALVE, SPEED, DAMPER)}
    assert not [path for path in state["values"] if PROGRAM.tags[path].kind == COMMAND]


def test_a_site_of_another_version_starts_anew(plant: Plant) -> None:
    plant.ask("write", (SP, 3.3))
    other = Plant(retained={**kept(plant), "version": retain.VERSION + 1}, utc_ns=plant.utc_ns)
    other.scan(scans=2)
    assert other.value(SP) == 2.5
    assert plant_site().name == SITE.name
