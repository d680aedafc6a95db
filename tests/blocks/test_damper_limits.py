"""Damper: its stroke, its limits, supervision in time, requests and restart, one thing at a time."""

from __future__ import annotations

from typing import Any

import pytest

from scada.blocks.base import (
    AUTO,
    DISARMED,
    FORCED,
    LIMITED,
    MANUAL,
    NOT_TAKEN,
    OUT_OF_SERVICE,
    RATE_LIMITED,
    Inhibitable,
)
from tags.quality import BAD_NO_COMMUNICATION, BAD_SENSOR_FAILURE, GOOD, UNCERTAIN_LAST_USABLE
from tests.blocks.rig import SECOND, Rig
from tests.blocks.test_damper import TAGS, damper

CLOSED, BETWEEN, OPEN, FAULT = range(4)
ALONE: dict[str, Any] = {
    "input": None, "permit": None, "remote": None, "opened": None, "closed": None, "pos": None, "first_mode": MANUAL,
}  # fmt: skip


def alone(out: float = 50.0, **config: Any) -> Rig:
    """A damper by hand with nothing around it that the test does not name."""
    rig = Rig([damper(**{**ALONE, "travel_ns": 3 * SECOND, **config})], TAGS, SECOND)
    for path, value in (
        ("OUT", out),
        ("POS", out),
        ("OPENED", False),
        ("CLOSED", False),
        ("REM", True),
        ("FAN", True),
    ):
        rig.set(f"t/{path}", value)
    rig.ready(**{"t/OUT": out})
    rig.scan()
    return rig


def read(rig: Rig, *positions: float, at: str = "t/POS") -> list[int]:
    """STATE as each position, or switch, is read."""
    seen = []
    for position in positions:
        rig.set(at, position)
        rig.scan()
        seen.append(rig.get("t/D/STATE"))
    return seen


def demanded(**config: Any) -> Rig:
    """In Auto, on a demand that nobody here writes."""
    return alone(**{"input": "t/PV", "first_mode": AUTO, **config})


@pytest.mark.parametrize(
    ("stroke", "least", "sp", "out"),
    [
        ([0.0, 100.0], 20.0, (0.0, 19.0, 20.0, 77.0, 100.0), (20.0, 20.0, 20.0, 77.0, 100.0)),
        ([100.0, 0.0], 80.0, (100.0, 81.0, 80.0, 33.0, 0.0), (80.0, 80.0, 80.0, 33.0, 0.0)),
        ([10.0, 60.0], 10.0, (10.0, 60.0), (10.0, 60.0)),
    ],
)
def test_the_set_point_by_hand_is_within_the_stroke(
    stroke: list[float], least: float, sp: tuple[float, ...], out: tuple[float, ...]
) -> None:
    rig = alone(stroke=stroke, min=least)
    for wanted, driven in zip(sp, out, strict=True):
        assert rig.write("t/D/SP", wanted) is None
        rig.scan()
        assert (rig.get("t/D/SP"), rig.applied("t/OUT")) == (wanted, driven)
    low, high = sorted(stroke)
    for wrong in (low - 0.1, high + 0.1):
        assert rig.write("t/D/SP", wrong) == f"t/D/SP is limited to {low:g} … {high:g}"


def test_requests_and_what_they_are_answered() -> None:
    rig = alone()
    block = rig.blocks["t/D"]
    assert block.write_output(rig.outputs.path.index("t/OUT"), 60.0) is None
    rig.scan()
    assert rig.applied("t/OUT") == 60.0
    assert block.write_output(99, 60.0) == "t/D does not drive this output"
    assert rig.write("t/D/STATE", 1) is not None
    assert rig.write("t/D/SP", None) is not None
    for wrong in (-1, 3):
        assert rig.write("t/D/MODE", wrong) == "t/D has the modes Out of service, Manual, Auto"
    assert rig.write("t/D/MODE", AUTO) is None
    assert rig.write("t/D/SP", 30.0) == "t/D is in Auto: set t/D/MODE to Manual first"
    rig.scan()
    assert (rig.get("t/D/MODE"), rig.applied("t/OUT")) == (AUTO, 60.0)


def test_out_of_service_drives_nothing_and_goes_on_from_where_it_is() -> None:
    rig = alone()
    rig.write("t/D/MODE", OUT_OF_SERVICE)
    rig.scan()
    assert rig.outputs.wanted[rig.outputs.path.index("t/OUT")] is None
    rig.move("t/OUT", 71.0)
    rig.scan()
    assert rig.get("t/D/SP") == 71.0
    rig.write("t/D/MODE", MANUAL)
    rig.scan()
    assert rig.applied("t/OUT") == 71.0


@pytest.mark.parametrize("gate", [DISARMED, FORCED])
def test_an_output_that_others_move_is_followed(gate: int) -> None:
    rig = alone()
    rig.gates["t/OUT"] = gate
    rig.scan()
    rig.move("t/OUT", 82.0)
    rig.scan()
    assert (rig.get("t/D/SP"), rig.outputs.wanted[rig.outputs.path.index("t/OUT")]) == (82.0, 82.0)


def test_state_by_the_position_alone() -> None:
    rig = alone(pos="t/POS", travel_ns=1000 * SECOND)
    assert read(rig, 0, 3, 3.1, 50, 96.9, 97, 100) == [
        0,
        0,
        1,
        1,
        1,
        2,
        2,
    ]
    assert alone(0.0).get("t/D/STATE") == BETWEEN, "nothing is known of one without any"


@pytest.mark.parametrize(("switch", "made"), [("opened", OPEN), ("closed", CLOSED)])
def test_state_by_one_switch(switch: str, made: int) -> None:
    path = f"t/{switch.upper()}"
    config: dict[str, Any] = {switch: path, "travel_ns": 1000 * SECOND}
    rig = alone(**config)
    assert read(rig, False, True, False, at=path) == [BETWEEN, made, BETWEEN]


def test_a_position_that_is_elsewhere_is_called_after_the_travel_time() -> None:
    rig = alone(pos="t/POS")
    assert read(rig, 53.1, 53.1, 53.1) == [BETWEEN, BETWEEN, FAULT]
    assert read(rig, 53.0, 46.9, 47.0) == [BETWEEN, FAULT, BETWEEN]
    rig.write("t/D/SP", 90.0)
    assert read(rig, 50.0, 60.0, 95.0, 50.0, 50.0, 50.0) == [BETWEEN, BETWEEN, FAULT, BETWEEN, FAULT, FAULT]


@pytest.mark.parametrize(
    ("switch", "end", "away"),
    [("opened", 100.0, 96.9), ("closed", 0.0, 3.1), ("opened", 97.0, 50.0), ("closed", 3.0, 50.0)],
)
def test_a_switch_that_contradicts_the_output_is_called(switch: str, end: float, away: float) -> None:
    path = f"t/{switch.upper()}"
    rig = alone(end, **{switch: path}, min=0.0)
    assert read(rig, False, False, False, at=path)[-1] == FAULT, "not made at its end"
    assert read(rig, True, at=path)[-1] != FAULT
    other = alone(away, **{switch: path}, min=0.0)
    assert read(other, True, True, True, at=path)[-1] == FAULT, "made away from it"
    assert read(other, False, at=path) == [BETWEEN]


@pytest.mark.parametrize("status", [BAD_NO_COMMUNICATION, BAD_SENSOR_FAILURE])
def test_what_is_not_known_keeps_the_word_and_begins_anew(status: int) -> None:
    rig = alone(pos="t/POS")
    assert read(rig, 9.0, 9.0, 9.0)[-1] == FAULT
    rig.set("t/POS", 50.0, status)
    rig.scan(9)
    for point, value in (("STATE", FAULT), ("DISCREPANCY", True)):
        assert (rig.get(f"t/D/{point}"), rig.status(f"t/D/{point}")) == (value, UNCERTAIN_LAST_USABLE)
    assert read(rig, 9.0, 50.0, 9.0) == [FAULT, FAULT, FAULT]
    assert rig.status("t/D/STATE") == GOOD
    assert read(rig, 50.0) == [BETWEEN]


def test_a_demand_is_heard_limited_and_kept_when_it_is_bad() -> None:
    rig = demanded()
    for demand, out in ((30.0, 30.0), (5.0, 20.0), (130.0, 100.0), (64.0, 64.0)):
        rig.set("t/PV", demand)
        rig.scan()
        assert rig.applied("t/OUT") == out
    rig.set("t/PV", 10.0, BAD_SENSOR_FAILURE)
    rig.scan(3)
    assert (rig.applied("t/OUT"), rig.get("t/D/SP")) == (64.0, 64.0)


def test_without_its_permit_it_closes_and_by_hand_it_opens_again() -> None:
    rig = alone(permit="t/FAN")
    rig.set("t/FAN", False)
    rig.scan()
    assert (rig.applied("t/OUT"), rig.get("t/D/SP")) == (0.0, 50.0)
    rig.set("t/FAN", True)
    rig.scan()
    assert rig.applied("t/OUT") == 50.0
    rig.set("t/FAN", True, BAD_SENSOR_FAILURE)
    rig.scan()
    assert rig.applied("t/OUT") == 0.0, "one that is not known is none"
    auto = demanded(permit="t/FAN")
    auto.set("t/FAN", False)
    auto.scan()
    assert (auto.applied("t/OUT"), auto.get("t/D/SP")) == (0.0, 0.0)


def test_the_controller_is_told_where_it_stands_and_why() -> None:
    rig = alone(input="t/U", permit="t/FAN", first_mode=AUTO)

    def told(scans: int = 1) -> tuple[float, int] | None:
        rig.scan(scans)
        return rig.outputs.feedback[rig.outputs.path.index("t/U")]

    rig.set("t/U", 10.0)
    assert told() == (20.0, LIMITED)
    rig.set("t/U", 40.0)
    assert told(2) is None, "it has its way"
    rig.gates["t/OUT"] = RATE_LIMITED
    rig.move("t/OUT", 36.0)
    assert told(2) == (36.0, RATE_LIMITED)
    rig.gates.clear()
    rig.write("t/D/MODE", MANUAL)
    rig.scan()
    rig.write("t/D/SP", 5.0)
    assert told() == (20.0, NOT_TAKEN)
    rig.set("t/FAN", False)
    assert told() == (20.0, NOT_TAKEN), "it begins at the least position"
    rig.write("t/D/MODE", OUT_OF_SERVICE)
    rig.set("t/FAN", True)
    rig.move("t/OUT", 66.0)
    assert told() == (66.0, NOT_TAKEN)


@pytest.mark.parametrize(
    ("restart", "fresh", "kept", "mode"),
    [("last", True, AUTO, AUTO), ("last", False, AUTO, MANUAL), ("manual", True, AUTO, MANUAL), ("last", True, None, MANUAL),
     ("last", True, OUT_OF_SERVICE, OUT_OF_SERVICE), ("last", True, 7, MANUAL)],
)  # fmt: skip
def test_a_restart_brings_the_mode_back(restart: str, fresh: bool, kept: int | None, mode: int) -> None:
    rig = alone(restart=restart)
    rig.restore({"t/D": {"mode": kept}}, fresh=fresh)
    rig.scan()
    assert (rig.get("t/D/MODE"), rig.retained()["t/D"]) == (mode, {"mode": mode})


def test_to_manual_stays_where_it_is() -> None:
    rig = demanded()
    rig.set("t/PV", 64.0)
    rig.scan(2)
    rig.blocks["t/D"].to_manual()
    rig.set("t/PV", 20.0)
    rig.scan(2)
    assert (rig.get("t/D/MODE"), rig.applied("t/OUT"), rig.get("t/D/SP")) == (MANUAL, 64.0, 64.0)


def test_what_raised_is_still_held_closed() -> None:
    rig = alone()
    held = rig.blocks["t/D"]
    assert isinstance(held, Inhibitable)
    rig.ctx.begin(rig.ctx.tick)
    held.failed(rig.ctx)
    assert rig.outputs.wanted == [None], "nothing holds it: its output stays"
    held.inhibit(rig.ctx, "t/LSHH", active=True)
    assert rig.outputs.wanted == [None], "what is half done is not gone on with"
    held.failed(rig.ctx)
    assert rig.outputs.wanted == [0.0]
