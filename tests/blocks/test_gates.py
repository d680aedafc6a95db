"""An output that is in Local, not armed or not initialised is followed and never led, by every block and for each reason."""

from __future__ import annotations

from typing import Any

import pytest

from scada.blocks.base import DISARMED, LOCAL, NOT_INITIALISED, NOT_OURS
from tags.quality import BAD_CONFIGURATION_ERROR, BAD_SENSOR_FAILURE
from tests.blocks import test_downstream, test_motor, test_switches, test_switching, test_valves
from tests.blocks.rig import SECOND, Rig, block, pid

GATES = {"Local": LOCAL, "not armed": DISARMED, "not initialised": NOT_INITIALISED}
each_gate = pytest.mark.parametrize("gate", GATES.values(), ids=GATES)


def test_these_are_the_gates() -> None:
    for gate in GATES.values():
        assert gate & NOT_OURS


@each_gate
def test_an_on_off_valve(gate: int) -> None:
    rig = test_valves.damper()
    rig.scan()
    rig.gates["t/OUT"] = gate
    rig.scan()
    rig.set("t/WANT", True)
    rig.scan(3)
    assert rig.applied("t/OUT") is False
    assert rig.get("t/D/CMD") is False
    assert rig.get("t/D/DISCREPANCY") is False
    rig.write("t/D/MODE", 1)
    rig.scan()
    said = rig.write("t/D/CMD", True)
    rig.scan()
    assert said is not None or rig.applied("t/OUT") is False


@each_gate
@pytest.mark.parametrize("gated", ["t/P/START", "t/P/STOP"])
def test_a_motor(gate: int, gated: str) -> None:
    rig = test_motor.make(auto="t/WANT")
    rig.scan()
    rig.gates[gated] = gate
    rig.set("t/WANT", True)
    rig.scan(3)
    assert test_motor.pulses(rig) == (False, False)
    assert rig.get("t/P/CMD") is False
    rig.write("t/P/MODE", 1)
    rig.scan()
    assert "takes no command: its device is not armed or not read yet" in str(rig.write("t/P/CMD", True))
    rig.gates.clear()
    rig.scan(2)
    assert test_motor.pulses(rig) == (False, False), "what was asked meanwhile is not done later"


def test_a_motor_says_why_it_takes_no_command() -> None:
    rig = test_motor.manual(test_motor.make())
    rig.set("t/P/RUN", False, BAD_SENSOR_FAILURE)
    rig.scan()
    assert rig.write("t/P/CMD", True) == "t/P takes no command: run feedback is not Good"
    rig.set("t/P/RUN", False)
    rig.set("t/P/REM", False)
    rig.scan()
    assert rig.write("t/P/CMD", True) == "t/P takes no command: in Local"


def test_a_reset_lasts_one_scan() -> None:
    """Whoever writes it true finds it false again, and may write it again."""
    rig = test_motor.make()
    rig.scan()
    slot = rig.binder.index["t/P/RESET"]
    rig.signals.value[slot] = True
    rig.scan()
    assert rig.get("t/P/RESET") is False


@each_gate
def test_a_ramp(gate: int) -> None:
    rig = Rig(
        [block("t/R", "ramp", "SP", out=["t/A"], sp_initial=80.0, sp_low=60.0, sp_high=100.0, rate=5.0)],
        {"t/A": {}}, SECOND,
    )  # fmt: skip
    rig.ready(**{"t/A": 70.0})
    rig.gates["t/A"] = gate
    rig.scan(3)
    rig.move("t/A", 62.0)
    rig.scan(2)
    rig.gates.clear()
    rig.scan()
    rig.scan()
    assert 62.0 <= rig.applied("t/A") <= 72.0, "from where it was left, at its rate"


def test_a_ramp_keeps_its_set_point_and_takes_no_nonsense() -> None:
    rig = Rig(
        [block("t/R", "ramp", "SP", out=["t/A"], sp_initial=80.0, sp_low=60.0, sp_high=100.0, rate=5.0)],
        {"t/A": {}}, SECOND,
    )  # fmt: skip
    assert rig.write("t/R/SP", 60.0) is None
    assert rig.write("t/R/SP", 100.0) is None
    assert rig.write("t/R/SP", 59.9) == "t/R/SP is limited to 60.0 … 100.0"
    assert rig.write("t/R/SP", 100.1) == "t/R/SP is limited to 60.0 … 100.0"
    assert rig.retained() == {"t/R": {"sp": 100.0}}
    rig.restore({"t/R": {"sp": 65.0}}, fresh=False)
    assert rig.retained() == {"t/R": {"sp": 65.0}}
    rig.restore({"t/R": {"sp": 20.0}})
    assert rig.retained() == {"t/R": {"sp": 65.0}}, "of other limits"


def test_three_positions_go_on_after_a_restart() -> None:
    rig = test_switching.three()
    assert test_switching.moves(rig, 18.0) == "+"
    assert rig.retained() == {"t/TC": {"position": 1, "sp": 20.0}}
    later = test_switching.three()
    later.restore(rig.retained())
    assert test_switching.moves(later, 19.2) == "+", "within the hysteresis it goes on"
    old = test_switching.three()
    old.restore(rig.retained(), fresh=False)
    assert test_switching.moves(old, 19.2) == "0"


def test_a_split_range_knows_what_is_not_known() -> None:
    """Before both valves were read it tells its controller nothing, and drives what it knows."""
    rig = Rig(
        [pid("t/TC", out="t/U", action="direct"), test_downstream.split(*test_downstream.HEAT_COOL)],
        {"t/PV": test_downstream.RANGE, "t/U": test_downstream.MEMORY, "t/HV": test_downstream.RANGE,
         "t/CV": test_downstream.RANGE}, SECOND,
    )  # fmt: skip
    rig.set("t/PV", 50.0)
    rig.ready(**{"t/U": 25.0, "t/HV": 50.0})
    rig.outputs.applied[rig.outputs.path.index("t/CV")] = None
    rig.gates["t/CV"] = NOT_INITIALISED
    rig.scan(3)
    assert rig.applied("t/CV") is None
    rig.gates.clear()
    rig.move("t/CV", 0.0)
    rig.scan(2)
    assert rig.applied("t/CV") == 0.0


def test_a_calculation_for_a_text_says_that_it_cannot() -> None:
    rig = test_switches.calc("t/X + t/Y", "string")
    rig.set("t/X", 4.0)
    rig.set("t/Y", 2.0)
    rig.scan()
    assert rig.status("t/C") == BAD_CONFIGURATION_ERROR


@pytest.mark.parametrize("kind", ["ton", "tof", "tp"])
@pytest.mark.parametrize("elapsed", [-5, 0, 1, 3 * SECOND, 4 * SECOND, 10**15])
def test_a_timer_takes_back_a_time_between_none_and_all(kind: str, elapsed: int) -> None:
    def make() -> Rig:
        settings: dict[str, Any] = {"kind": kind, "input": "t/IN", "time_ns": 3 * SECOND}
        return Rig([block("t/T", "timer", "Q ET", **settings)], {"t/IN": {"type": "bool"}}, SECOND)

    rig = make()
    rig.restore({"t/T": {"in": True, "q": True, "running": True, "et_ns": elapsed}})
    assert rig.retained()["t/T"]["et_ns"] == min(max(elapsed, 0), 3 * SECOND)
    assert rig.retained()["t/T"]["running"] is (kind == "tp")


def test_a_stop_under_way_goes_on_in_manual() -> None:
    rig = test_motor.make(auto="t/WANT")
    rig.set("t/WANT", True)
    test_motor.run_up(rig)
    rig.set("t/WANT", False)
    rig.scan()
    assert test_motor.state(rig) == test_motor.STOPPING
    rig.write("t/P/MODE", 1)
    rig.scan()
    assert rig.get("t/P/CMD") is False
    assert test_motor.state(rig) == test_motor.STOPPING


@pytest.mark.parametrize("run", [True, False])
def test_manual_in_local_is_as_the_panel_has_it(run: bool) -> None:
    rig = test_motor.make(auto="t/WANT", remote=False, run=run)
    rig.scan()
    rig.write("t/P/MODE", 1)
    assert rig.get("t/P/CMD") is run
    rig.set("t/P/REM", True)
    rig.scan(3)
    assert test_motor.pulses(rig) == (False, False), "nothing is asked by the return to Remote"
    assert rig.get("t/P/CMD") is run
