"""Modulating damper with end switches."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.blocks.base import AUTO, LOCAL, MANUAL, OUT_OF_SERVICE
from tags import model
from tags.quality import BAD_NO_COMMUNICATION, UNCERTAIN_LAST_USABLE
from tests.blocks.rig import SECOND, Rig, block, pid

RANGE = {"range": (0.0, 100.0)}
TAGS: dict[str, dict[str, Any]] = {
    "t/PV": RANGE, "t/U": {"kind": "memory", **RANGE}, "t/OUT": RANGE, "t/POS": RANGE, "t/OPENED": {"type": "bool"},
    "t/CLOSED": {"type": "bool"}, "t/REM": {"type": "bool"}, "t/FAN": {"type": "bool"}, "t/SMOKE": {"type": "bool"},
}  # fmt: skip


def damper(**config: Any) -> model.Block:
    settings: dict[str, Any] = {
        "out": "t/OUT", "pos": "t/POS", "opened": "t/OPENED", "closed": "t/CLOSED", "remote": "t/REM", "input": "t/U",
        "stroke": [0.0, 100.0], "min": 20.0, "permit": "t/FAN", "travel_ns": 10 * SECOND, "tolerance": 3.0, "first_mode": AUTO,
    }  # fmt: skip
    return block("t/D", "damper", "MODE SP STATE DISCREPANCY", **(settings | config))


class Plant:
    """A controller, the damper, an interlock, and the damper's mechanics."""

    def __init__(self, out: float = 0.0, **config: Any) -> None:
        lock = block(
            "t/I", "interlock", "ACTIVE", target="t/D", when="t/SMOKE", reset="auto", description="Smoke"
        )
        controller = pid("t/TC", out="t/U", gain=1.0, ti_ns=30 * SECOND)
        self.rig = Rig([lock, controller, damper(**config)], TAGS, SECOND)
        self.pos, self.stuck, self.pv = out, False, 50.0
        self.rig.set("t/SMOKE", False)
        self.rig.set("t/REM", True)
        self.rig.set("t/FAN", True)
        self.rig.set("t/OUT", out)
        self.rig.ready(**{"t/OUT": out})

    def run(self, scans: int = 1) -> float:
        rig = self.rig
        for _ in range(scans):
            rig.set("t/PV", self.pv)
            rig.set("t/POS", self.pos)
            rig.set("t/CLOSED", self.pos < 1.0)
            rig.set("t/OPENED", self.pos > 99.0)
            rig.scan()
            if not self.stuck:
                goal = float(rig.applied("t/OUT"))
                self.pos += min(max(goal - self.pos, -12.0), 12.0)
        return float(rig.applied("t/OUT"))

    def state(self) -> tuple[int, bool]:
        return self.rig.get("t/D/STATE"), self.rig.get("t/D/DISCREPANCY")


def test_permit_minimum_and_controller() -> None:
    plant = Plant()
    plant.rig.set("t/FAN", False)
    plant.pv = 20.0
    assert plant.run(300) == 0.0
    assert plant.rig.applied("t/U") == 20.0, "the controller waits where the damper will begin"
    plant.rig.set("t/FAN", True)
    plant.pv = 50.0
    assert plant.run(2) == pytest.approx(20.0)
    plant.pv = 40.0
    assert plant.run() == pytest.approx(20.0 + 10.0 + 10 / 30)
    plant.pv = 90.0
    assert plant.run(300) == 20.0, "never closed further than its minimum"
    plant.pv = 49.0
    assert plant.run(3) > 20.0, "and nothing wound up meanwhile"
    plant.rig.set("t/FAN", False)
    plant.run(12)
    assert plant.state() == (0, False)


@pytest.mark.parametrize("mode", [AUTO, MANUAL, OUT_OF_SERVICE])
def test_an_interlock_closes_it_in_each_mode(mode: int) -> None:
    plant = Plant(out=60.0)
    plant.run(12)
    plant.rig.write("t/D/MODE", mode)
    plant.run()
    plant.rig.set("t/SMOKE", True)
    assert plant.run() == 0.0
    if mode == MANUAL:
        assert "held closed by t/I" in str(plant.rig.write("t/D/SP", 50.0))
    plant.run(12)
    assert plant.state() == (0, False)
    plant.rig.set("t/SMOKE", False)
    if mode != AUTO:
        assert plant.run(5) == (0.0 if mode == OUT_OF_SERVICE else 20.0), "by hand it stays at its least"


def test_by_hand_and_back_without_a_bump() -> None:
    plant = Plant(out=50.0)
    plant.run(3)
    assert "is in Auto" in str(plant.rig.write("t/D/SP", 30.0))
    plant.rig.write("t/D/MODE", MANUAL)
    assert plant.run() == pytest.approx(50.0)
    plant.rig.write("t/D/SP", 35.0)
    plant.pv = 10.0
    assert plant.run(60) == 35.0
    plant.pv = 50.0
    plant.run(2)
    plant.rig.write("t/D/MODE", AUTO)
    assert plant.run(3) == pytest.approx(35.0, abs=0.1)
    assert plant.rig.write("t/D/SP", 101.0) is not None


def test_local_is_followed_and_not_supervised() -> None:
    plant = Plant(out=50.0)
    plant.run(3)
    plant.rig.gates["t/OUT"] = LOCAL
    plant.rig.set("t/REM", False)
    plant.rig.move("t/OUT", 80.0)
    plant.stuck, plant.pv = True, 10.0
    plant.run(60)
    assert plant.state() == (1, False)
    assert plant.rig.applied("t/U") == 80.0
    plant.rig.gates.clear()
    plant.rig.set("t/REM", True)
    plant.stuck, plant.pv = False, 50.0
    assert plant.run(3) == pytest.approx(80.0, abs=0.1)


def test_a_stuck_damper_is_called_and_one_that_works_never() -> None:
    plant = Plant(out=50.0)
    plant.run(15)
    for pv in (20.0, 90.0, 45.0, 55.0):
        plant.pv = pv
        for _ in range(40):
            plant.run()
            assert plant.state()[1] is False
    plant.stuck, plant.pv = True, 10.0
    plant.run(30)
    assert plant.state() == (3, True)
    plant.stuck, plant.pv = False, 50.0
    plant.run(30)
    assert plant.state()[1] is False


@pytest.mark.parametrize(("switch", "out"), [("t/CLOSED", 0.0), ("t/OPENED", 100.0)])
def test_an_end_switch_that_is_not_made(switch: str, out: float) -> None:
    other = {"t/CLOSED": "closed", "t/OPENED": "opened"}[switch]
    config = {
        "pos": None,
        "opened": None,
        "closed": None,
        other: switch,
        "min": 0.0,
        "input": None,
        "permit": None,
    }
    rig = Rig([damper(**config, first_mode=MANUAL)], TAGS, SECOND)
    rig.set("t/REM", True)
    rig.set(switch, True)
    rig.ready(**{"t/OUT": out})
    rig.scan(20)
    assert rig.get("t/D/DISCREPANCY") is False
    rig.set(switch, False)
    rig.scan()
    assert rig.get("t/D/DISCREPANCY") is True
    rig.write("t/D/SP", 50.0)
    rig.scan(20)
    assert rig.get("t/D/DISCREPANCY") is False
    rig.set(switch, True)
    rig.scan()
    assert rig.get("t/D/DISCREPANCY") is True, "made while it should be away"
    rig.set(switch, True, BAD_NO_COMMUNICATION)
    rig.scan()
    assert (rig.get("t/D/DISCREPANCY"), rig.status("t/D/DISCREPANCY")) == (True, UNCERTAIN_LAST_USABLE)


def test_on_its_way_an_end_switch_says_nothing() -> None:
    """The stroke takes as long as it may: within T neither end is called wrong."""
    config = {"pos": None, "opened": None, "min": 0.0, "input": None, "permit": None, "first_mode": MANUAL}
    rig = Rig([damper(**config)], TAGS, SECOND)
    rig.set("t/REM", True)
    rig.set("t/CLOSED", True)
    rig.ready(**{"t/OUT": 0.0})
    rig.scan(20)
    for sp, left_after in ((50.0, 9), (0.0, 1)):
        rig.write("t/D/SP", sp)
        for n in range(20):
            rig.set("t/CLOSED", n < left_after if sp else n >= 9)
            rig.scan()
            assert rig.get("t/D/DISCREPANCY") is False


def test_local_ends_a_discrepancy() -> None:
    plant = Plant(out=50.0)
    plant.run(15)
    plant.stuck, plant.pv = True, 10.0
    plant.run(30)
    assert plant.state() == (3, True)
    plant.rig.gates["t/OUT"] = LOCAL
    plant.rig.set("t/REM", False)
    plant.run(2)
    assert plant.state() == (1, False)


def test_a_damper_that_closes_upwards() -> None:
    plant = Plant(out=100.0, stroke=[100.0, 0.0], min=80.0, opened=None, closed=None)
    plant.rig.set("t/FAN", False)
    assert plant.run(3) == 100.0
    plant.rig.set("t/FAN", True)
    assert plant.run(3) <= 80.0


@given(st.lists(st.tuples(
    st.floats(0, 100), st.sampled_from([None, 0, 1, 2]), st.booleans(), st.booleans(), st.sampled_from([0, 0, LOCAL]),
), max_size=30))  # fmt: skip
def test_without_permit_or_with_smoke_it_is_closed(steps: list[Any]) -> None:
    plant = Plant(out=50.0)
    plant.run()
    for pv, mode, fan, smoke, gate in steps:
        plant.pv = pv
        plant.rig.gates["t/OUT"] = gate
        plant.rig.set("t/FAN", fan)
        plant.rig.set("t/SMOKE", smoke)
        if mode is not None:
            plant.rig.write("t/D/MODE", mode)
        plant.run(2)
        if gate:
            continue
        out = float(plant.rig.applied("t/OUT"))
        service = plant.rig.get("t/D/MODE") == OUT_OF_SERVICE
        if smoke or (not fan and not service):
            assert out == 0.0
        elif not service:
            assert 20.0 <= out <= 100.0
