"""Motors of a device that lost its power stay off, also those that stood, until a person sets them to Auto."""

from __future__ import annotations

from typing import Any

import pytest

from tests.blocks.rig import SECOND, Rig, motor

COUNT = "system/PLC1/restarts"
NAMES = ("t/P", "t/Q")
OFF, STARTING, RUNNING = 0, 1, 2


def make(count: int = 0, **config: Any) -> Rig:
    """Two motors of one device in Auto; one scan is 1 s."""
    tags: dict[str, dict[str, Any]] = {COUNT: {"type": "int64", "kind": "system"}}
    for name in NAMES:
        tags |= {
            f"{name}/{part}": {"type": "bool", "device": "PLC1"}
            for part in ("START", "STOP", "RUN", "REM", "FLT")
        }
        tags[f"{name}/WANT"] = {"type": "bool"}
    rig = Rig([motor(name, auto=f"{name}/WANT", **config) for name in NAMES], tags, SECOND)
    for name in NAMES:
        for part, value in (("RUN", False), ("REM", True), ("FLT", False), ("WANT", False)):
            rig.set(f"{name}/{part}", value)
    rig.set(COUNT, count)
    rig.ready(**{f"{name}/{part}": False for name in NAMES for part in ("START", "STOP")})
    rig.scan()
    return rig


def run(rig: Rig, name: str) -> None:
    rig.set(f"{name}/WANT", True)
    rig.scan()
    rig.set(f"{name}/RUN", True)
    rig.scan()
    assert rig.get(f"{name}/STATE") == RUNNING


def lose_power(rig: Rig) -> None:
    rig.set(COUNT, rig.get(COUNT) + 1)
    for name in NAMES:
        rig.set(f"{name}/RUN", False)
    rig.scan()


def modes(rig: Rig) -> list[int]:
    return [rig.get(f"{name}/MODE") for name in NAMES]


def starts(rig: Rig) -> list[bool]:
    return [rig.applied(f"{name}/START") for name in NAMES]


def test_motors_that_stood_stay_off_too() -> None:
    rig = make()
    lose_power(rig)
    assert modes(rig) == [1, 1]
    for name in NAMES:
        rig.set(f"{name}/WANT", True)
    rig.scan(5)
    assert starts(rig) == [False, False]
    rig.write("t/P/MODE", 2)
    rig.scan()
    assert starts(rig) == [True, False], "a person decides"


def test_one_that_ran_is_not_called_stopped_by_itself() -> None:
    """The loss was so short that no value turned Bad."""
    rig = make(min_off_ns=20 * SECOND)
    run(rig, "t/P")
    lose_power(rig)
    assert (modes(rig), rig.get("t/P/TRIP"), rig.get("t/P/STATE")) == ([1, 1], False, OFF)
    assert "has lost its power" in rig.events[-1]["reason"] if rig.events else True
    assert "too recently" in str(rig.write("t/P/CMD", True))


def test_one_that_was_starting_is_not_started() -> None:
    rig = make()
    rig.set("t/P/WANT", True)
    rig.scan()
    assert rig.get("t/P/STATE") == STARTING
    lose_power(rig)
    rig.scan(5)
    assert (modes(rig), starts(rig), rig.get("t/P/STATE")) == ([1, 1], [False, False], OFF)


def test_one_that_runs_all_the_same_is_adopted() -> None:
    rig = make()
    run(rig, "t/P")
    rig.set(COUNT, 1)
    rig.scan(3)
    assert modes(rig) == [2, 1]
    assert (rig.get("t/P/STATE"), starts(rig)) == (RUNNING, [False, False])


def test_a_site_may_let_them_start_again() -> None:
    rig = make(after_power_loss="restart")
    run(rig, "t/P")
    lose_power(rig)
    assert modes(rig) == [2, 2]
    assert starts(rig) == [True, False]


@pytest.mark.parametrize(("count", "mode"), [(3, 2), (4, 1), (0, 2)])
def test_a_loss_while_control_was_away(count: int, mode: int) -> None:
    """A lower count: field began anew as well, and nobody knows."""
    rig = make(3)
    later = make(3)
    later.restore(rig.retained())
    later.set(COUNT, count)
    later.scan()
    assert modes(later) == [mode, mode]


def test_a_trip_stays_a_trip() -> None:
    rig = make()
    rig.set("t/P/FLT", True)
    rig.scan()
    lose_power(rig)
    assert rig.get("t/P/TRIP")
    rig.set("t/P/FLT", False)
    rig.scan()
    assert rig.get("t/P/STATE") == 4
