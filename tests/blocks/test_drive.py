"""Variable-speed drive: its speed, its controller, and what of a motor stays one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.blocks.base import AUTO, DISARMED, LIMITED, LOCAL, MANUAL, NOT_TAKEN, OUT_OF_SERVICE, RATE_LIMITED
from tags import model
from tags.quality import BAD_SENSOR_FAILURE, GOOD, UNCERTAIN_LAST_USABLE
from tests.blocks.rig import SECOND, Rig, block, motor, pid

RANGE = {"range": (0.0, 100.0)}
UNIT = ("START", "STOP", "RUN", "REM", "FLT")


def drive(path: str = "t/P", **config: Any) -> model.Block:
    base = motor(path, **{"auto": "t/WANT", **config})
    settings = {
        "speed": f"{path}/SPD", "input": "t/U", "actual": f"{path}/N", "speed_low": 20.0, "speed_high": 90.0, "stopped": 0.0,
        "ramp": 0.0, "tolerance": 5.0, "speed_time_ns": 5 * SECOND, **base.config, **config,
    }  # fmt: skip
    names = "MODE CMD AUTO STATE TRIP RESET HOURS STARTS SP DISCREPANCY"
    return block(path, "drive", names, **settings)


def plant(*more: model.Block, paths: tuple[str, ...] = ("t/P",), **config: Any) -> Rig:
    tags: dict[str, dict[str, Any]] = {
        "t/PT": RANGE, "t/U": {"kind": "memory", **RANGE}, "t/WANT": {"type": "bool"}, "t/X": {},
    }  # fmt: skip
    for path in paths:
        tags |= {f"{path}/{name}": {"type": "bool"} for name in UNIT}
        tags |= {f"{path}/SPD": RANGE, f"{path}/N": RANGE}
    controller = pid("t/PC", pv="t/PT", out="t/U", gain=1.0, ti_ns=20 * SECOND)
    rig = Rig([controller, *(drive(path, **config) for path in paths), *more], tags, SECOND)
    for path in paths:
        for name in UNIT:
            rig.set(f"{path}/{name}", name == "REM")
        rig.set(f"{path}/N", 0.0)
    rig.set("t/PT", 50.0)
    rig.set("t/WANT", False)
    rig.set("t/X", 0.0)
    rig.ready(**{f"{path}/SPD": 0.0 for path in paths})
    return rig


def run_up(rig: Rig, path: str = "t/P") -> None:
    rig.set("t/WANT", True)
    rig.scan()
    rig.set(f"{path}/RUN", True)
    rig.scan()
    assert rig.get(f"{path}/STATE") == 2


def pressure(rig: Rig, value: float, scans: int = 1, path: str = "t/P") -> float:
    for _ in range(scans):
        rig.set("t/PT", value)
        rig.set(f"{path}/N", rig.applied(f"{path}/SPD"))
        rig.scan()
    return float(rig.applied(f"{path}/SPD"))


def test_it_starts_at_the_least_speed_and_the_controller_from_there() -> None:
    rig = plant()
    pressure(rig, 20.0, 600)
    assert (rig.applied("t/P/SPD"), rig.applied("t/U")) == (0.0, 20.0), "ten minutes too low wind nothing up"
    pressure(rig, 50.0)
    run_up(rig)
    assert pressure(rig, 50.0, 3) == pytest.approx(20.0)
    assert pressure(rig, 45.0) == pytest.approx(20.0 + 5.0 + 0.25)
    rig.set("t/WANT", False)
    pressure(rig, 45.0, 2)
    rig.set("t/P/RUN", False)
    assert pressure(rig, 45.0, 3) == 0.0


def test_the_limits_of_speed_are_those_of_the_controller() -> None:
    rig = plant()
    run_up(rig)
    assert pressure(rig, 10.0, 900) == 90.0
    assert rig.applied("t/U") <= 90.0 + 40.0 + 1.0
    assert pressure(rig, 50.5, 2) < 90.0, "nothing was wound up"


def test_the_ramp_is_told() -> None:
    rig = plant(ramp=2.0)
    run_up(rig)
    before = pressure(rig, 50.0, 3)
    seen = [pressure(rig, 30.0) for _ in range(3)]
    assert seen == pytest.approx([before + 2.0, before + 4.0, before + 6.0])
    assert rig.outputs.tracking[rig.outputs.path.index("t/U")] == RATE_LIMITED


def test_by_hand_and_back_without_a_bump() -> None:
    rig = plant()
    run_up(rig)
    out = pressure(rig, 45.0, 10)
    assert "is in Auto" in str(rig.write("t/P/SP", 50.0))
    assert rig.get("t/P/SP") == pytest.approx(out)
    rig.write("t/P/MODE", MANUAL)
    assert pressure(rig, 45.0) == pytest.approx(out)
    assert "limited to 20 … 90" in str(rig.write("t/P/SP", 10.0))
    assert rig.write("t/P/SP", 60.0) is None
    assert pressure(rig, 20.0, 100) == 60.0
    assert rig.outputs.tracking[rig.outputs.path.index("t/U")] == NOT_TAKEN
    pressure(rig, 50.0, 2)
    rig.write("t/P/MODE", AUTO)
    assert pressure(rig, 50.0, 3) == pytest.approx(60.0, abs=0.1)


@pytest.mark.parametrize("gate", [LOCAL, DISARMED])
def test_a_speed_in_local_is_followed(gate: int) -> None:
    rig = plant()
    run_up(rig)
    pressure(rig, 45.0, 5)
    rig.gates["t/P/SPD"] = gate
    rig.move("t/P/SPD", 70.0)
    pressure(rig, 10.0, 100)
    assert rig.applied("t/U") == 70.0
    rig.gates.clear()
    assert pressure(rig, 50.0, 3) == pytest.approx(70.0, abs=0.1)


def test_a_drive_that_does_not_follow_is_called() -> None:
    rig = plant()
    run_up(rig)
    pressure(rig, 45.0, 20)
    assert rig.get("t/P/DISCREPANCY") is False
    for _ in range(10):
        rig.set("t/P/N", 3.0)
        rig.scan()
    assert rig.get("t/P/DISCREPANCY") is True
    pressure(rig, 45.0, 10)
    assert rig.get("t/P/DISCREPANCY") is False


def test_a_bad_demand_keeps_the_speed() -> None:
    rig = Rig(
        [drive(input="t/S", actual=None)],
        {f"t/P/{name}": {"type": "bool"} for name in UNIT}
        | {"t/P/SPD": RANGE, "t/S": RANGE, "t/WANT": {"type": "bool"}},
        SECOND,
    )
    for name in UNIT:
        rig.set(f"t/P/{name}", name == "REM")
    rig.set("t/S", 55.0)
    rig.set("t/WANT", False)
    rig.ready(**{"t/P/SPD": 0.0})
    run_up(rig)
    rig.scan()
    assert rig.applied("t/P/SPD") == 55.0
    rig.set("t/S", 80.0, BAD_SENSOR_FAILURE)
    rig.scan(5)
    assert rig.applied("t/P/SPD") == 55.0


def test_two_drives_on_one_controller_that_goes_on_while_one_hears_it() -> None:
    paths = ("t/P", "t/Q")
    group = block("t/G", "duty_standby", "DUTY DEMAND STAGES", members=list(paths), demand="t/X > 1", assist=["t/X > 2"],
                  assist_on_ns=2 * SECOND, assist_off_ns=2 * SECOND)  # fmt: skip
    rig = plant(group, paths=paths, auto=None, group="t/G", actual=None, first_mode=AUTO)
    rig.set("t/X", 1.5)
    rig.scan(2)
    rig.set("t/P/RUN", True)
    rig.scan(2)
    out = pressure(rig, 45.0, 20)
    assert out > 25.0
    assert rig.applied("t/Q/SPD") == 0.0
    rig.set("t/X", 2.5)
    rig.scan(4)
    assert rig.get("t/G/STAGES") == 2
    rig.set("t/Q/RUN", True)
    out = pressure(rig, 45.0, 3)
    assert rig.applied("t/Q/SPD") == pytest.approx(out)
    assert pressure(rig, 10.0, 600) == 90.0
    assert pressure(rig, 50.5, 3) < 90.0, "both are at their limit, and the controller knows"


def told(rig: Rig) -> tuple[float, int]:
    """What the controller was told: where its output stands, and why."""
    return rig.applied("t/U"), rig.outputs.tracking[rig.outputs.path.index("t/U")]


def alone(**config: Any) -> Rig:
    """A drive by hand: no controller, nothing optional."""
    config = {
        "input": None,
        "actual": None,
        "auto": None,
        "ramp": None,
        "tolerance": None,
        "speed_time_ns": None,
        **config,
    }
    tags: dict[str, dict[str, Any]] = {f"t/P/{name}": {"type": "bool"} for name in UNIT}
    rig = Rig([drive(**config)], {**tags, "t/P/SPD": RANGE, "t/P/N": RANGE}, SECOND)
    for name in UNIT:
        rig.set(f"t/P/{name}", name == "REM")
    rig.set("t/P/N", 0.0)
    rig.ready(**{"t/P/SPD": 0.0})
    rig.scan()
    return rig


def turn(rig: Rig, *, on: bool) -> None:
    """By hand, and its feedback comes."""
    assert rig.write("t/P/CMD", on) is None
    rig.scan()
    rig.set("t/P/RUN", on)
    rig.scan()


def test_by_hand_it_starts_at_the_least_speed_and_takes_all_within_its_limits() -> None:
    rig = alone()
    turn(rig, on=True)
    assert (rig.applied("t/P/SPD"), rig.get("t/P/SP")) == (20.0, 20.0)
    for wanted in (20.0, 90.0, 33.0):
        assert rig.write("t/P/SP", wanted) is None
        rig.scan()
        assert (rig.applied("t/P/SPD"), rig.get("t/P/SP")) == (wanted, wanted)
    for wrong in (19.9, 90.1, float("nan"), None):
        assert rig.write("t/P/SP", wrong) == "t/P/SP is limited to 20 … 90"
    speed, start, stop = (rig.outputs.path.index(f"t/P/{name}") for name in ("SPD", "START", "STOP"))
    assert rig.blocks["t/P"].write_output(speed, 44.0) is None
    rig.scan()
    assert rig.applied("t/P/SPD") == 44.0
    assert rig.blocks["t/P"].write_output(stop, True) is None
    rig.scan()
    assert rig.applied("t/P/STOP") is True
    rig.set("t/P/RUN", False)
    rig.scan(3)
    assert (rig.applied("t/P/SPD"), rig.get("t/P/SP")) == (0.0, 44.0)
    assert rig.blocks["t/P"].write_output(start, True) is None
    rig.scan()
    assert (rig.applied("t/P/START"), rig.applied("t/P/SPD")) == (True, 44.0)


def test_it_ramps_up_and_down_and_stops_at_once() -> None:
    rig = alone(ramp=10.0, stopped=5.0)
    assert rig.applied("t/P/SPD") == 5.0
    rig.write("t/P/SP", 50.0)
    turn(rig, on=True)
    assert rig.applied("t/P/SPD") == 40.0, "two scans from the least speed"
    rig.scan()
    assert rig.applied("t/P/SPD") == 50.0
    rig.write("t/P/SP", 25.0)
    rig.scan()
    assert rig.applied("t/P/SPD") == 40.0
    rig.scan(2)
    assert rig.applied("t/P/SPD") == 25.0
    rig.write("t/P/CMD", False)
    rig.scan()
    assert rig.applied("t/P/SPD") == 5.0


def test_without_a_controller_auto_and_manual_have_the_same_speed() -> None:
    rig = alone()
    rig.write("t/P/SP", 60.0)
    turn(rig, on=True)
    rig.write("t/P/MODE", AUTO)
    rig.scan(2)
    assert rig.write("t/P/SP", 70.0) is None
    rig.scan()
    assert (rig.applied("t/P/SPD"), rig.get("t/P/SP")) == (70.0, 70.0)


def test_a_restart_goes_on_at_the_speed_of_before() -> None:
    rig = alone()
    rig.write("t/P/SP", 60.0)
    turn(rig, on=True)
    for kept, speed in ((60.0, 60.0), (5.0, 20.0), (95.0, 90.0), (None, 20.0)):
        again = alone()
        again.restore({"t/P": {**rig.retained()["t/P"], "sp": kept}})
        again.set("t/P/RUN", True)
        again.scan(2)
        assert (again.applied("t/P/SPD"), again.get("t/P/SP")) == (speed, speed)
    assert rig.retained()["t/P"]["sp"] == 60.0
    assert rig.retained()["t/P"]["starts"] == 1, "and all that a motor keeps"


@pytest.mark.parametrize("why", [LIMITED, RATE_LIMITED])
def test_what_the_output_stage_makes_of_the_speed_is_told(why: int) -> None:
    rig = plant()
    run_up(rig)
    pressure(rig, 45.0, 10)
    rig.gates["t/P/SPD"] = why
    rig.move("t/P/SPD", 33.0)
    pressure(rig, 45.0, 2)
    assert told(rig) == (33.0, why)
    rig.gates.clear()
    pressure(rig, 45.0, 2)
    assert told(rig)[1] == 0


def test_a_demand_beyond_the_limits_is_told_as_limited() -> None:
    rig = plant()
    run_up(rig)
    pressure(rig, 10.0, 100)
    assert told(rig) == (90.0, LIMITED)
    pressure(rig, 90.0, 200)
    assert told(rig) == (20.0, LIMITED)


def test_out_of_service_follows_what_is_there_and_tells_the_controller() -> None:
    rig = plant()
    rig.write("t/P/MODE", OUT_OF_SERVICE)
    rig.scan()
    rig.set("t/P/RUN", True)  # somebody starts it at the starter
    rig.move("t/P/SPD", 66.0)
    rig.scan(2)
    assert rig.outputs.wanted[rig.outputs.path.index("t/P/SPD")] is None
    assert rig.get("t/P/SP") == 66.0, "by hand it goes on from there"
    assert told(rig) == (66.0, NOT_TAKEN)
    assert "Out of service" in str(rig.write("t/P/SP", 50.0))


def test_it_is_called_only_after_the_whole_time_and_beyond_the_tolerance() -> None:
    rig = alone(actual="t/P/N", tolerance=5.0, speed_time_ns=3 * SECOND)
    rig.write("t/P/SP", 50.0)
    turn(rig, on=True)
    seen = []
    for actual in (44.9, 44.9, 44.9, 45.0, 44.9, 55.0, 55.1):
        rig.set("t/P/N", actual)
        rig.scan()
        seen.append(rig.get("t/P/DISCREPANCY"))
    assert seen == [False, False, True, False, True, False, True]
    rig.write("t/P/SP", 80.0)
    for actual in (50.0, 80.0, 65.0, 45.0, 50.0, 65.0):
        rig.set("t/P/N", actual)
        rig.scan()
        seen.append(rig.get("t/P/DISCREPANCY"))
    assert seen[7:] == [False, False, False, False, True, True], (
        "between what it was within the time it is on its way"
    )


def test_a_bad_actual_speed_keeps_the_word_and_begins_anew() -> None:
    rig = alone(actual="t/P/N", tolerance=5.0, speed_time_ns=2 * SECOND)
    turn(rig, on=True)
    rig.scan(3)
    assert (rig.get("t/P/DISCREPANCY"), rig.status("t/P/DISCREPANCY")) == (True, GOOD)
    rig.set("t/P/N", 20.0, BAD_SENSOR_FAILURE)
    rig.scan(3)
    assert (rig.get("t/P/DISCREPANCY"), rig.status("t/P/DISCREPANCY")) == (True, UNCERTAIN_LAST_USABLE)
    seen = []
    rig.set("t/P/N", 20.0)
    for _ in range(3):
        rig.scan()
        seen.append(rig.get("t/P/DISCREPANCY"))
    assert seen == [True, True, False], "two seconds of both are needed"
    rig.set("t/P/N", 0.0)
    rig.scan()
    assert rig.get("t/P/DISCREPANCY") is True
    turn(rig, on=False)
    assert rig.get("t/P/DISCREPANCY") is False, "one that stands follows"


@given(st.lists(st.tuples(
    st.floats(0, 100), st.sampled_from([None, 0, 1, 2]), st.booleans(), st.booleans(), st.sampled_from([0, 0, 0, LOCAL]),
), max_size=40))  # fmt: skip
def test_while_it_runs_the_speed_is_within_its_limits(steps: list[Any]) -> None:
    rig, before = plant(ramp=7.0), 0
    for pv, mode, want, run, gate in steps:
        rig.gates["t/P/SPD"] = gate
        rig.set("t/WANT", want)
        rig.set("t/P/RUN", run)
        if mode is not None:
            rig.write("t/P/MODE", mode)
        pressure(rig, pv)
        wanted = rig.outputs.wanted[rig.outputs.path.index("t/P/SPD")]
        away, before = bool(gate or before), gate  # what the output stage says comes a scan later
        if wanted is not None and not away:
            assert wanted == 0.0 or 20.0 <= wanted <= 90.0
        if wanted == 0.0 and not away:
            assert rig.get("t/P/STATE") not in (1, 2)
