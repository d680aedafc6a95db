"""On/off valve: strokes to the scan, what counts as a fault, requests and restart."""

from __future__ import annotations

from typing import Any

import pytest

from scada.blocks.base import DISARMED, FORCED, Inhibitable
from tags.quality import BAD_NO_COMMUNICATION, BAD_SENSOR_FAILURE, GOOD, UNCERTAIN_LAST_USABLE
from tests.blocks.rig import Rig
from tests.blocks.test_valves import CLOSED, CLOSING, FAULT, OPEN, OPENING, damper, state, switches


def by_hand(**config: Any) -> Rig:
    """Closed, in Manual."""
    rig = damper(**config)
    rig.write("t/D/MODE", 1)
    switches(rig, opened=False, closed=True)
    rig.scan(2)
    assert state(rig) == (CLOSED, False)
    return rig


def strokes(rig: Rig, scans: int) -> str:
    """STATE of each scan."""
    seen = ""
    for _ in range(scans):
        rig.scan()
        seen += str(rig.get("t/D/STATE"))
    return seen


def test_a_stroke_has_its_travel_time_in_both_directions() -> None:
    rig = by_hand()
    assert rig.write("t/D/CMD", True) is None
    rig.scan()
    assert rig.applied("t/OUT") is True
    seen = strokes(rig, 8)
    assert seen.lstrip(str(CLOSED)) == str(OPENING) * seen.count(str(OPENING)) + str(FAULT) * seen.count(
        str(FAULT)
    )
    assert (seen.count(str(OPENING)), rig.get("t/D/DISCREPANCY")) == (5, True)
    switches(rig, opened=True, closed=False)
    assert strokes(rig, 1) == str(OPEN)
    rig.write("t/D/CMD", False)
    rig.scan()
    switches(rig, opened=False, closed=False)
    seen = strokes(rig, 8)
    assert (seen.count(str(CLOSING)), seen[-1]) == (5, str(FAULT))


def test_one_that_leaves_its_end_by_itself_is_a_fault_after_the_travel_time() -> None:
    rig = by_hand()
    switches(rig, opened=False, closed=False)
    seen = strokes(rig, 7)
    assert (seen.count(str(CLOSING)), seen[-1], rig.get("t/D/STUCK")) == (5, str(FAULT), False)


def test_a_switch_that_is_bad_keeps_a_fault_and_begins_none() -> None:
    rig = by_hand()
    rig.write("t/D/CMD", True)
    rig.scan(8)
    assert state(rig) == (FAULT, True)
    rig.set("t/OPENED", False, BAD_SENSOR_FAILURE)
    rig.scan(3)
    assert state(rig) == (FAULT, True)
    for point, status in (
        ("STATE", BAD_SENSOR_FAILURE),
        ("DISCREPANCY", UNCERTAIN_LAST_USABLE),
        ("STUCK", UNCERTAIN_LAST_USABLE),
    ):
        assert rig.status(f"t/D/{point}") == status
    rig.set("t/OPENED", True)
    rig.set("t/CLOSED", False)
    rig.scan()
    assert state(rig) == (OPEN, False)


def test_a_wish_that_is_not_known_leaves_it_where_it_is() -> None:
    rig = damper()
    rig.set("t/WANT", True, BAD_NO_COMMUNICATION)
    rig.scan(3)
    assert (rig.applied("t/OUT"), rig.status("t/D/AUTO")) == (False, UNCERTAIN_LAST_USABLE)
    rig.set("t/WANT", True)
    rig.scan()
    assert (rig.applied("t/OUT"), rig.get("t/D/AUTO"), rig.status("t/D/AUTO")) == (True, True, GOOD)
    rig.set("t/WANT", False, BAD_NO_COMMUNICATION)
    rig.scan(3)
    assert (rig.applied("t/OUT"), rig.get("t/D/AUTO")) == (True, True)


@pytest.mark.parametrize("status", [GOOD, BAD_SENSOR_FAILURE])
def test_a_permit_that_is_missing_or_not_known_opens_nothing(status: int) -> None:
    rig = damper(permit="t/OK")
    rig.set("t/OK", status != GOOD, status)
    rig.set("t/WANT", True)
    rig.scan(3)
    assert (rig.applied("t/OUT"), rig.get("t/D/CMD")) == (False, False)


def test_out_of_service_leaves_the_coil_and_takes_no_command() -> None:
    rig = by_hand()
    rig.write("t/D/MODE", 0)
    rig.scan()
    assert rig.outputs.wanted[0] is None
    assert rig.write("t/D/CMD", True) == "t/D is in Out of service: set t/D/MODE to Manual first"
    assert rig.write("t/D/CMD", None) == "t/D/CMD needs a number"
    assert rig.blocks["t/D"].write_output(99, True) == "t/D does not drive this output"


@pytest.mark.parametrize("gate", [DISARMED, FORCED])
def test_a_coil_that_others_move_is_taken_over(gate: int) -> None:
    rig = damper(opened=None, closed=None, first_mode=1)
    rig.scan()
    rig.gates["t/OUT"] = gate
    rig.scan()
    rig.move("t/OUT", True)
    rig.scan(2)
    assert rig.get("t/D/CMD") is True
    rig.gates.clear()
    rig.scan(2)
    assert rig.applied("t/OUT") is True


@pytest.mark.parametrize(("kept", "after"), [(7, 8), (0, 1), (-1, 1), (None, 1), ("x", 1)])
def test_strokes_go_on_after_a_restart(kept: Any, after: int) -> None:
    rig = damper()
    rig.restore({"t/D": {"mode": 1, "strokes": kept}})
    switches(rig, opened=False, closed=True)
    rig.scan(2)
    switches(rig, opened=False, closed=False)
    rig.scan(2)
    switches(rig, opened=True, closed=False)
    rig.scan(2)
    assert (rig.get("t/D/STROKES"), rig.retained()["t/D"]) == (after, {"mode": 1, "strokes": after})


def test_without_switches_the_travel_time_says_where_it_is() -> None:
    rig = damper(opened=None, closed=None)
    rig.scan(8)
    rig.set("t/WANT", True)
    rig.scan()
    seen = strokes(rig, 9)
    assert (seen.count(str(OPENING)), seen[-1], rig.get("t/D/STROKES")) == (5, str(OPEN), 1)
    assert (rig.get("t/D/STUCK"), rig.get("t/D/DISCREPANCY")) == (False, False)


def test_what_raised_is_still_held_closed() -> None:
    rig = by_hand()
    rig.write("t/D/CMD", True)
    rig.scan()
    held = rig.blocks["t/D"]
    assert isinstance(held, Inhibitable)
    rig.ctx.begin(rig.ctx.tick)
    held.failed(rig.ctx)
    assert rig.outputs.wanted == [None], "nothing holds it: its output stays"
    held.inhibit(rig.ctx, "t/LSHH", active=True)
    assert rig.outputs.wanted == [None], "what is half done is not gone on with"
    held.failed(rig.ctx)
    assert rig.outputs.wanted == [False]
