"""What survives a restart, and that nothing moves by it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.scan import retain
from tags.quality import GOOD
from tests.scan.plant import (
    DAMPER,
    LEVEL,
    MODE,
    PANEL,
    PROGRAM,
    REMOTE,
    SECOND,
    SP,
    SPEED,
    START_NS,
    VALVE,
    Plant,
)


def kept(plant: Plant) -> dict[str, Any]:
    state: dict[str, Any] = orjson.loads(orjson.dumps(retain.dump(PROGRAM, plant.state, plant.utc_ns)))
    return state


def test_set_points_modes_and_tuning_come_back_good_with_their_time() -> None:
    plant = Plant()
    plant.scan(scans=4)
    plant.ask("write", (SP, 3.1), (MODE, "Auto"), ("tank1/LIC-101/GAIN", 4.0), ("tank1/draining", True),
              ("tank1/note", "hello"))  # fmt: skip
    written_ns = plant.utc_ns
    plant.scan(scans=30)
    after = Plant(retained=kept(plant), utc_ns=plant.utc_ns + SECOND, registers=plant.registers)
    after.scan(scans=3)
    for path, value in ((SP, 3.1), (MODE, 2), ("tank1/LIC-101/GAIN", 4.0), ("tank1/draining", True),
                        ("tank1/note", "hello")):  # fmt: skip
        assert (after.value(path), after.quality(path)) == (value, GOOD), path
        assert after.state.signals.time_ns[PROGRAM.index[path]] == written_ns, path


def test_large_requests_do_not_crowd_out_the_state() -> None:
    """The slots have a few hundred KB; set points and modes must fit whatever was asked for."""
    plant = Plant()
    plant.scan(scans=4)
    for n in range(60):
        plant.ask("write", ("tank1/note", "é" * 100), reason="é" * 500)
        plant.ask("write", (f"no/where/{n}", "é" * 1000), reason="é" * 500)
    assert len(orjson.dumps(kept(plant))) < 100_000
    outcomes = kept(plant)["outcomes"]
    assert {event["status"] for event in outcomes} == {"confirmed"}
    assert outcomes[-1]["t"] == plant.utc_ns - SECOND // 10, "the newest are kept"


def test_initial_applies_only_when_nothing_is_retained() -> None:
    first = Plant()
    first.scan()
    assert (first.value(SP), first.value("tank1/draining"), first.value(MODE)) == (2.5, False, 1)


def test_after_a_long_stop_and_after_many_crashes_it_is_manual() -> None:
    plant = Plant()
    plant.scan(scans=4)
    plant.ask("write", (MODE, "Auto"), (SP, 3.0))
    for late, manual, mode in ((SECOND, False, 2), (3600 * SECOND, False, 1), (SECOND, True, 1)):
        after = Plant(
            retained=kept(plant), utc_ns=plant.utc_ns + late, registers=plant.registers, manual=manual
        )
        after.scan(scans=3)
        assert (after.value(MODE), after.value(SP)) == (mode, 3.0)
        if mode == 1:
            before = plant.registers[VALVE], plant.registers[SPEED]
            after.scan(scans=200)
            assert (after.command(VALVE), after.command(SPEED)) == before, (
                "held, whatever the controller would do"
            )
            assert after.writes == []


def test_what_was_open_is_told_as_unknown_and_not_done_again() -> None:
    plant = Plant()
    plant.scan(scans=4)
    plant.result = 254
    plant.ask("write", (PANEL, 24.0))
    after = Plant(retained=kept(plant), utc_ns=plant.utc_ns, registers=plant.registers)
    told = after.scan(scans=20)
    assert [e["status"] for e in told if e["kind"] == "request"] == ["timed out"]
    assert after.writes == []


def test_open_alarms_and_outcomes_come_back() -> None:
    plant = Plant()
    plant.registers[LEVEL] = 4.9
    plant.scan(scans=3)
    plant.ask("write", (SP, 3.0))
    after = Plant(retained=kept(plant), utc_ns=plant.utc_ns, registers=plant.registers)
    told = after.scan(scans=2)
    assert after.value(f"{LEVEL}/HH") == 3
    assert not [e for e in told if e["kind"] == "alarm"], "announced once"
    assert after.ask("write", (SP, 2.0))[0][0] == "confirmed"


@pytest.mark.parametrize("broken", [{}, {"version": 99}, {"version": 1, "values": [1], "blocks": 3, "forces": "x"},
                                    {"version": 1, "values": {SP: ["much", 0]}, "open": [3], "outcomes": [{}]}])  # fmt: skip
def test_a_state_of_another_shape_does_no_harm(broken: dict[str, Any]) -> None:
    plant = Plant(retained=broken)
    plant.scan(scans=3)
    assert plant.value(SP) == 2.5


@settings(max_examples=60, deadline=None)
@given(
    level=st.floats(0.5, 4.0),
    set_point=st.floats(1.0, 4.0),
    before=st.integers(1, 80),
    gone=st.integers(0, 30 * SECOND),
    noise=st.floats(-0.2, 0.2),
    auto=st.booleans(),
)
def test_a_restart_in_mid_stroke_does_not_bump(
    level: float, set_point: float, before: int, gone: int, noise: float, auto: bool
) -> None:
    plant = Plant(registers={LEVEL: level})
    plant.scan(scans=4)
    plant.ask("write", (MODE, "Auto" if auto else "Manual"), (SP, set_point))
    plant.ask("write", (SPEED, 75.0), (DAMPER, True))
    for _ in range(before):
        plant.registers[LEVEL] += (plant.registers[VALVE] - 40.0) * 1e-3
        plant.scan()
    last = {path: plant.command(path) for path in (VALVE, SPEED, DAMPER)}
    registers = {**plant.registers, VALVE: min(max(plant.registers[VALVE] + noise, 0.0), 100.0)}
    after = Plant(retained=kept(plant), registers=registers, utc_ns=plant.utc_ns + gone)
    for _ in range(3):
        after.scan()
        for path, command in last.items():
            now = after.command(path)
            assert now is None or abs(now - command) <= 1.0, path
    assert after.command(VALVE) is not None
    assert after.writes == [] or abs(after.writes[0][2] - last[after.writes[0][1]]) <= 1.0
    assert after.value(MODE) == (2 if auto else 1)


def test_a_start_in_local_waits_for_remote() -> None:
    plant = Plant(registers={REMOTE: False}, utc_ns=START_NS)
    plant.scan(scans=5)
    assert plant.command(VALVE) is None
    plant.registers.update({REMOTE: True, VALVE: 12.0})
    plant.scan(scans=3)
    assert plant.command(VALVE) == 12.0
