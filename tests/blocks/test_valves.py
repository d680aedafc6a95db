"""Supervision of control valves and on/off valves."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.blocks.base import INTERLOCKED
from tags.quality import BAD_NO_COMMUNICATION, GOOD, UNCERTAIN_LAST_USABLE
from tests.blocks.rig import SECOND, Rig, block

# -- control valve


def control_valve(travel_s: int = 10) -> Rig:
    config = block(
        "t/V",
        "valve",
        "DISCREPANCY STUCK STROKES",
        out="t/OUT",
        pos="t/POS",
        remote="t/REM",
        travel_ns=travel_s * SECOND,
        tolerance=3.0,
    )
    rig = Rig([config], {"t/OUT": {}, "t/POS": {}, "t/REM": {"type": "bool"}}, SECOND)
    rig.set("t/REM", True)
    rig.set("t/OUT", 50.0)
    rig.set("t/POS", 50.0)
    return rig


def test_a_stuck_valve_is_called_one_scan_after_the_travel_time() -> None:
    rig = control_valve()
    rig.scan(30)
    rig.set("t/OUT", 60.0)
    rig.scan(10)
    assert rig.get("t/V/DISCREPANCY") is False
    rig.scan(2)
    assert rig.get("t/V/DISCREPANCY") is True
    rig.set("t/POS", 58.0)
    rig.scan()
    assert rig.get("t/V/DISCREPANCY") is False


def test_nothing_is_said_of_a_valve_that_was_never_read() -> None:
    rig = control_valve()
    rig.set("t/POS", 90.0, BAD_NO_COMMUNICATION)
    rig.scan(20)
    assert (rig.get("t/V/DISCREPANCY"), rig.get("t/V/STUCK"), rig.get("t/V/STROKES")) == (False, False, 0.0)
    assert rig.status("t/V/STUCK") == UNCERTAIN_LAST_USABLE


def test_a_stuck_valve_is_called_while_the_controller_keeps_moving_the_output() -> None:
    rig = control_valve()
    for n in range(100):
        rig.set("t/OUT", 50.0 + 0.4 * n)
        rig.scan()
    assert rig.get("t/V/DISCREPANCY") is True


def test_a_valve_that_moves_away_by_itself_is_called() -> None:
    rig = control_valve()
    rig.scan(30)
    rig.set("t/POS", 40.0)
    rig.scan()
    assert rig.get("t/V/DISCREPANCY") is True


def test_local_and_start_are_not_discrepancies() -> None:
    rig = control_valve()
    rig.set("t/POS", 0.0)
    rig.scan(10)
    assert rig.get("t/V/DISCREPANCY") is False
    rig.scan(2)
    assert rig.get("t/V/DISCREPANCY") is True
    rig.set("t/REM", False)
    rig.scan()
    assert rig.get("t/V/DISCREPANCY") is False
    rig.set("t/REM", True)
    rig.scan(10)
    assert rig.get("t/V/DISCREPANCY") is False


def test_bad_position_keeps_the_point_uncertain_and_starts_again() -> None:
    rig = control_valve()
    rig.scan(30)
    rig.set("t/POS", 0.0, BAD_NO_COMMUNICATION)
    rig.scan(30)
    assert (rig.get("t/V/DISCREPANCY"), rig.status("t/V/DISCREPANCY")) == (False, UNCERTAIN_LAST_USABLE)
    rig.set("t/POS", 0.0)
    rig.scan(10)
    assert (rig.get("t/V/DISCREPANCY"), rig.status("t/V/DISCREPANCY")) == (False, GOOD)


@given(
    st.floats(10.0, 1000.0),
    st.floats(0.0, 100.0),
    st.lists(st.tuples(st.floats(0.0, 100.0), st.integers(1, 15)), max_size=25),
    st.floats(-2.9, 2.9),
)
def test_a_valve_that_makes_its_strokes_in_time_is_never_called(
    speed: float, start: float, moves: list[tuple[float, int]], offset: float
) -> None:
    """Any speed of at least a full stroke in the travel time, any sequence of outputs."""
    rig, pos = control_valve(10), start
    rig.set("t/OUT", start)
    for target, seconds in moves:
        for _ in range(seconds):
            rig.set("t/OUT", target)
            rig.set("t/POS", pos + offset)
            rig.scan()
            assert rig.get("t/V/DISCREPANCY") is False
            pos += min(max(target - pos, -speed), speed)


# -- on/off valve

TAGS: dict[str, dict[str, Any]] = {
    path: {"type": "bool"} for path in ("t/OUT", "t/OPENED", "t/CLOSED", "t/REM", "t/WANT", "t/OK")
}
CLOSED, OPENING, OPEN, CLOSING, FAULT = range(5)


def damper(more: tuple[Any, ...] = (), **config: Any) -> Rig:
    settings: dict[str, Any] = {
        "out": "t/OUT", "opened": "t/OPENED", "closed": "t/CLOSED", "remote": "t/REM", "travel_ns": 5 * SECOND,
        "auto": "t/WANT", "permit": None, "first_mode": 2,
    } | config  # fmt: skip
    rig = Rig(
        [block("t/D", "on_off_valve", "MODE CMD AUTO STATE DISCREPANCY STUCK STROKES", **settings), *more],
        TAGS,
        SECOND,
    )
    for path, value in (
        ("OUT", False),
        ("OPENED", False),
        ("CLOSED", True),
        ("REM", True),
        ("WANT", False),
        ("OK", True),
    ):
        rig.set(f"t/{path}", value)
    rig.ready()
    return rig


def switches(rig: Rig, *, opened: bool, closed: bool) -> None:
    rig.set("t/OPENED", opened)
    rig.set("t/CLOSED", closed)


def state(rig: Rig) -> tuple[int, bool]:
    return rig.get("t/D/STATE"), rig.get("t/D/DISCREPANCY")


def test_strokes() -> None:
    rig = damper()
    rig.scan()
    assert state(rig) == (CLOSED, False)
    rig.set("t/WANT", True)
    rig.scan()
    assert rig.applied("t/OUT") is True
    switches(rig, opened=False, closed=False)
    rig.scan(3)
    assert state(rig) == (OPENING, False)
    switches(rig, opened=True, closed=False)
    rig.scan()
    assert state(rig) == (OPEN, False)
    rig.set("t/WANT", False)
    rig.scan(2)
    assert state(rig) == (CLOSING, False)
    switches(rig, opened=False, closed=True)
    rig.scan()
    assert state(rig) == (CLOSED, False)


def test_a_stroke_that_does_not_end_is_a_fault_until_it_does() -> None:
    rig = damper()
    rig.set("t/WANT", True)
    rig.scan(6)
    assert state(rig) == (OPENING, False)
    rig.scan()
    assert state(rig) == (FAULT, True)
    switches(rig, opened=True, closed=False)
    rig.scan()
    assert state(rig) == (OPEN, False)


def test_both_switches_at_once_are_a_fault() -> None:
    rig = damper()
    rig.scan()
    switches(rig, opened=True, closed=True)
    rig.scan(7)
    assert state(rig) == (FAULT, True)


@pytest.mark.parametrize(
    ("config", "samples"),
    [({"closed": None}, "opened"), ({"opened": None}, "closed"), ({"closed": None, "opened": None}, "")],
)
def test_fewer_switches(config: dict[str, Any], samples: str) -> None:
    rig = damper(**config)
    rig.scan(7)
    assert state(rig) == (CLOSED, False)
    rig.set("t/WANT", True)
    rig.scan(3)
    assert state(rig) == (OPENING, False)
    switches(rig, opened=samples == "opened", closed=False)
    rig.scan(5)
    assert state(rig) == (OPEN, False)


def test_manual_permit_and_refusals() -> None:
    rig = damper(permit="t/OK")
    rig.scan()
    assert "in Auto" in (rig.write("t/D/CMD", True) or "")
    rig.write("t/D/MODE", 1)
    rig.set("t/OK", False)
    rig.scan()
    assert rig.write("t/D/CMD", True) == "t/D is not permitted to open"
    rig.set("t/OK", True)
    rig.scan()
    assert rig.blocks["t/D"].write_output(0, True) is None
    rig.scan()
    assert rig.applied("t/OUT") is True
    rig.set("t/OK", False)
    rig.scan(2)
    assert rig.applied("t/OUT") is True
    assert "cannot be written" in (rig.write("t/D/STATE", 1) or "")
    assert "has the modes" in (rig.write("t/D/MODE", 3) or "")


def test_local_tracks_the_position() -> None:
    rig = damper()
    rig.write("t/D/MODE", 1)
    rig.set("t/REM", False)
    switches(rig, opened=True, closed=False)
    rig.scan()
    assert (rig.get("t/D/CMD"), state(rig)) == (True, (OPEN, False))
    assert rig.write("t/D/CMD", False) == "t/D is in Local or its device is not armed"
    assert rig.outputs.wanted[0] is None


def test_bad_switch_stops_the_supervision() -> None:
    rig = damper()
    rig.set("t/OPENED", False, BAD_NO_COMMUNICATION)
    rig.set("t/WANT", True)
    rig.scan(20)
    assert rig.get("t/D/DISCREPANCY") is False
    assert rig.status("t/D/STATE") == BAD_NO_COMMUNICATION


def test_interlock_on_the_valve_and_on_its_coil() -> None:
    lock = block(
        "t/I", "interlock", "ACTIVE", target="t/D", when="not t/OK", value=None, reset="auto", description="x"
    )
    rig = damper(more=(lock,))
    rig.set("t/WANT", True)
    rig.set("t/OK", False)
    rig.scan()
    assert rig.applied("t/OUT") is False
    rig.set("t/OK", True)
    rig.scan(2)
    assert rig.applied("t/OUT") is True
    coil = damper()
    coil.write("t/D/MODE", 1)
    coil.scan()
    coil.gates["t/OUT"] = INTERLOCKED
    coil.move("t/OUT", True)
    coil.scan(2)
    coil.gates.clear()
    coil.scan(3)
    assert coil.applied("t/OUT") is True  # Manual: it stays where the interlock left it


def test_it_starts_in_manual_unless_told_otherwise() -> None:
    rig = damper(first_mode=1)
    rig.set("t/WANT", True)
    rig.scan(3)
    assert (rig.get("t/D/MODE"), rig.applied("t/OUT")) == (1, False)
    kept = damper().retained()
    careful = damper(restart="manual")
    careful.restore(kept)
    careful.scan()
    assert careful.get("t/D/MODE") == 1


def test_restart_keeps_the_mode_and_bumps_nothing() -> None:
    rig = damper()
    rig.write("t/D/MODE", 1)
    rig.scan()
    again = damper()
    again.restore(rig.retained())
    again.move("t/OUT", True)
    switches(again, opened=True, closed=False)
    again.scan(3)
    assert (again.get("t/D/MODE"), again.applied("t/OUT"), state(again)) == (1, True, (OPEN, False))
    old = damper()
    old.restore(rig.retained(), fresh=False)
    old.blocks["t/D"].to_manual()
    old.scan()
    assert old.get("t/D/MODE") == 1


def test_a_restart_goes_on_in_auto_unless_the_site_says_manual() -> None:
    kept = damper().retained()
    for restart, fresh, mode in (("last", True, 2), ("manual", True, 1), ("last", False, 1)):
        rig = damper(restart=restart)
        rig.restore(kept, fresh=fresh)
        rig.scan()
        assert rig.get("t/D/MODE") == mode
    plain = damper()
    plain.restore(kept)
    plain.scan()
    assert plain.get("t/D/MODE") == 2


steps = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.integers(1, 4),
              st.sampled_from([None, ("CMD", True), ("CMD", False), ("MODE", 0), ("MODE", 1), ("MODE", 2), ("MODE", 1e300)])),
    max_size=40,
)  # fmt: skip


@given(steps)
def test_an_active_interlock_never_lets_it_open(steps: list[Any]) -> None:
    lock = block(
        "t/I", "interlock", "ACTIVE", target="t/D", when="not t/OK", value=None, reset="auto", description="x"
    )
    rig = damper(more=(lock,))
    for want, opened, closed, ok, remote, periods, write in steps:
        rig.set("t/WANT", want)
        switches(rig, opened=opened, closed=closed)
        rig.set("t/OK", ok)
        rig.set("t/REM", remote)
        if write:
            rig.blocks["t/D"].write(*write)
        rig.scan(periods=periods)
        if not ok:
            assert not rig.outputs.wanted[0]


# -- stuck valves, strokes, out of service


def test_a_stuck_valve_is_told_from_one_that_goes_elsewhere() -> None:
    for moves in (False, True):
        rig = control_valve()
        rig.scan(30)
        rig.set("t/OUT", 80.0)
        for n in range(15):
            rig.set("t/POS", 50.0 - n * (3.0 if moves else 0.05))
            rig.scan()
        assert (rig.get("t/V/DISCREPANCY"), rig.get("t/V/STUCK")) == (True, not moves)
        rig.set("t/POS", 80.0)
        rig.scan(12)
        assert (rig.get("t/V/DISCREPANCY"), rig.get("t/V/STUCK")) == (False, False)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30), st.floats(-1.4, 1.4))
def test_travel_is_counted_and_noise_is_not(ends: list[float], noise: float) -> None:
    rig = control_valve()
    rig.scan()
    travel, last = 0.0, 50.0
    for end in ends:
        for step in range(10):
            rig.set("t/POS", end + (noise if step % 2 else 0.0) * (step > 0))
            rig.scan()
        travel, last = travel + abs(end - last), end
    assert rig.get("t/V/STROKES") == pytest.approx(travel / 100.0, abs=0.1 + 0.015 * len(ends))
    assert (rig.get("t/V/STROKES") > 0.0) <= (travel > 0.0)
    again = control_valve()
    again.restore(rig.retained())
    again.scan()
    assert again.get("t/V/STROKES") == rig.get("t/V/STROKES")


def test_strokes_of_an_on_off_valve() -> None:
    rig = damper()
    switches(rig, opened=False, closed=True)
    rig.scan(2)
    for n in range(6):
        rig.set("t/WANT", n % 2 == 0)
        rig.scan(2)
        switches(rig, opened=False, closed=False)
        rig.scan(2)
        switches(rig, opened=n % 2 == 0, closed=n % 2 == 1)
        rig.scan(2)
    assert rig.get("t/D/STROKES") == 6
    again = damper()
    again.restore(rig.retained())
    switches(again, opened=False, closed=True)
    again.scan(3)
    assert again.get("t/D/STROKES") == 6
    switches(again, opened=False, closed=False)
    again.scan()
    switches(again, opened=False, closed=True)
    again.scan()
    assert again.get("t/D/STROKES") == 6, "there and back before the end is no stroke"


@pytest.mark.parametrize("leaves", [False, True])
def test_a_stuck_on_off_valve_never_left_its_end(leaves: bool) -> None:
    rig = damper()
    switches(rig, opened=False, closed=True)
    rig.scan(2)
    rig.set("t/WANT", True)
    rig.scan(2)
    if leaves:
        switches(rig, opened=False, closed=False)
    rig.scan(30)
    assert (rig.get("t/D/DISCREPANCY"), rig.get("t/D/STUCK")) == (True, not leaves)


def test_an_interlock_closes_a_valve_that_is_out_of_service() -> None:
    lock = block("t/I", "interlock", "ACTIVE", target="t/D", when="not t/OK", reset="auto", description="")
    rig = damper((lock,))
    rig.set("t/OK", True)
    rig.set("t/WANT", True)
    switches(rig, opened=True, closed=False)
    rig.scan(3)
    assert rig.write("t/D/MODE", 0) is None
    rig.scan()
    assert rig.applied("t/OUT") is True
    rig.set("t/OK", False)
    rig.scan(2)
    assert rig.applied("t/OUT") is False
