"""Duty and standby of two motors, each with a starter that obeys within a scan."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.blocks.base import NOT_INITIALISED
from tags.quality import (
    BAD_NO_COMMUNICATION,
    BAD_SENSOR_FAILURE,
    BAD_WAITING_FOR_INITIAL_DATA,
    UNCERTAIN_LAST_USABLE,
)
from tests.blocks.rig import SECOND, Rig, block, motor

NAMES = ("t/P1", "t/P2")
TAGS: dict[str, dict[str, Any]] = {"t/WANT": {"type": "bool"}} | {
    f"{p}/{point}": {"type": "bool"} for p in NAMES for point in ("START", "STOP", "RUN", "REM", "FLT")
}


class Pair:
    """Two motors; `broken` ones never run."""

    def __init__(
        self,
        alternate: str = "each start",
        *,
        first: bool = True,
        running: tuple[str, ...] = (),
        after: str = "stay off",
    ) -> None:
        duty = block(
            "t/G", "duty_standby", "DUTY DEMAND", members=list(NAMES), demand="t/WANT", alternate=alternate
        )
        motors = [motor(p, group="t/G", start_time_ns=3 * SECOND, after_power_loss=after) for p in NAMES]
        tags = {path: {**fields, "device": "PLC1"} for path, fields in TAGS.items()}
        self.rig = Rig([duty, *motors] if first else [*motors, duty], tags, SECOND)
        self.run = dict.fromkeys(NAMES, False) | dict.fromkeys(running, True)
        self.broken: set[str] = set()
        for p in NAMES:
            for point, value in (("RUN", self.run[p]), ("REM", True), ("FLT", False)):
                self.rig.set(f"{p}/{point}", value)
        self.rig.set("t/WANT", False)
        self.rig.ready(**{f"{p}/{point}": False for p in NAMES for point in ("START", "STOP")})

    def scan(self, count: int = 1) -> None:
        for _ in range(count):
            self.rig.scan()
            for p in NAMES:
                if self.rig.applied(f"{p}/START") and p not in self.broken:
                    self.run[p] = True
                if self.rig.applied(f"{p}/STOP") or p in self.broken:
                    self.run[p] = False
                self.rig.set(f"{p}/RUN", self.run[p])

    def demand(self, want: bool, count: int = 5) -> list[str]:
        self.rig.set("t/WANT", want)
        self.scan(count)
        return [p for p in NAMES if self.run[p]]


def test_each_start_takes_the_other() -> None:
    for first in (True, False):
        pair = Pair(first=first)
        pair.scan(3)
        seen = [(pair.demand(True), pair.rig.get("t/G/DUTY"), pair.demand(False)) for _ in range(3)]
        assert seen == [(["t/P1"], 1, []), (["t/P2"], 2, []), (["t/P1"], 1, [])]


def test_never_keeps_the_first() -> None:
    pair = Pair("never")
    pair.scan(3)
    assert [(pair.demand(True), pair.demand(False)) for _ in range(3)] == [(["t/P1"], [])] * 3


def test_standby_takes_over_when_the_duty_fails_to_start() -> None:
    pair = Pair()
    pair.broken.add("t/P1")
    pair.scan(3)
    assert pair.demand(True, 15) == ["t/P2"]
    assert (pair.rig.get("t/P1/TRIP"), pair.rig.get("t/G/DUTY")) == (True, 2)


def test_standby_takes_over_when_the_duty_trips_or_goes_local() -> None:
    pair = Pair()
    pair.scan(3)
    assert pair.demand(True) == ["t/P1"]
    pair.rig.set("t/P1/FLT", True)
    pair.scan(5)
    assert [p for p in NAMES if pair.run[p]] == ["t/P2"]
    pair.rig.set("t/P1/FLT", False)
    pair.scan()
    pair.rig.write("t/P1/RESET", True)
    pair.rig.set("t/P2/REM", False)
    pair.scan(5)
    assert pair.run["t/P1"]
    assert pair.rig.get("t/G/DUTY") == 1


def test_restart_does_not_switch_over() -> None:
    pair = Pair()
    pair.scan(3)
    pair.demand(True)
    pair.demand(False)
    pair.demand(True)
    again = Pair(running=("t/P2",))
    again.rig.restore(pair.rig.retained())
    assert again.demand(True) == ["t/P2"]
    fresh = Pair(running=("t/P2",))
    assert fresh.demand(True) == ["t/P2"]


def lose(pair: Pair, *, running: tuple[str, ...] = ()) -> None:
    """The device is away for a while, and comes back with these running."""
    for p in NAMES:
        pair.rig.set(f"{p}/RUN", pair.run[p], BAD_NO_COMMUNICATION)
        pair.rig.set(f"{p}/REM", True, BAD_NO_COMMUNICATION)
    pair.rig.scan(5)
    for p in NAMES:
        pair.run[p] = p in running
        pair.rig.set(f"{p}/RUN", pair.run[p])
        pair.rig.set(f"{p}/REM", True)
    pair.scan(30)


@pytest.mark.parametrize("first", [True, False])
def test_after_a_power_loss_no_standby_starts_until_a_person_acts(first: bool) -> None:
    pair = Pair(first=first)
    pair.scan(3)
    assert pair.demand(True) == ["t/P1"]
    lose(pair)
    assert [p for p in NAMES if pair.run[p]] == []
    assert [pair.rig.get(f"{p}/MODE") for p in NAMES] == [1, 1]
    told = {e["path"]: e["reason"] for e in pair.rig.events if e["kind"] == "mode"}
    assert told["t/P1"].startswith("PLC1: stopped while not watched, as after a loss of power; it stays off")
    assert told["t/P2"].startswith("PLC1: t/P1 stopped while not watched, as after a loss of power")
    pair.rig.write("t/P2/MODE", 2)
    pair.scan(5)
    assert [p for p in NAMES if pair.run[p]] == ["t/P2"]


def test_a_power_loss_that_another_motor_disproves_hands_over() -> None:
    pair = Pair()
    pair.scan(3)
    assert pair.demand(True) == ["t/P1"]
    lose(pair, running=("t/P2",))  # somebody changed over at the panel meanwhile
    assert [p for p in NAMES if pair.run[p]] == ["t/P2"]
    assert [pair.rig.get(f"{p}/MODE") for p in NAMES] == [1, 2]


def test_a_site_may_let_motors_start_again_after_a_power_loss() -> None:
    pair = Pair(after="restart")
    pair.scan(3)
    assert pair.demand(True) == ["t/P1"]
    lose(pair)
    assert len([p for p in NAMES if pair.run[p]]) == 1


def test_a_bad_demand_keeps_the_last() -> None:
    pair = Pair()
    pair.scan(3)
    pair.demand(True)
    pair.rig.set("t/WANT", False, BAD_SENSOR_FAILURE)
    pair.scan(5)
    assert pair.run["t/P1"]
    assert pair.rig.status("t/G/DEMAND") == UNCERTAIN_LAST_USABLE


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.integers(1, 12),
            st.sampled_from([None, "FLT", "REM", "RESET"]),
            st.sampled_from(NAMES),
        ),
        max_size=20,
    ),
    st.booleans(),
)
def test_one_is_asked_at_most_and_a_sound_pair_always_serves(steps: list[Any], first: bool) -> None:
    pair = Pair(first=first)
    pair.scan(3)
    for want, count, what, who in steps:
        if what == "RESET":
            pair.rig.write(f"{who}/RESET", True)
        elif what:
            pair.rig.set(f"{who}/{what}", not pair.rig.get(f"{who}/{what}"))
        pair.rig.set("t/WANT", want)
        for _ in range(count):
            pair.scan()
            assert sum(pair.rig.get(f"{p}/AUTO") for p in NAMES) <= 1
    for p in NAMES:
        pair.rig.set(f"{p}/FLT", False)
        pair.rig.set(f"{p}/REM", True)
        pair.rig.write(f"{p}/MODE", 2)
        pair.scan()
        pair.rig.write(f"{p}/RESET", True)
    assert pair.demand(True, 20)
    assert pair.demand(False, 20) == []


# -- assist

FOUR = ("t/A", "t/B", "t/C", "t/D")


class Group:
    """Four motors that obey within a scan; one more for each of t/X > 2 and t/X > 3."""

    def __init__(self, alternate: str = "each start") -> None:
        duty = block(
            "t/G", "duty_standby", "DUTY DEMAND STAGES", members=list(FOUR), demand="t/X > 1", alternate=alternate,
            assist=["t/X > 2", "t/X > 3"], assist_on_ns=3 * SECOND, assist_off_ns=5 * SECOND,
        )  # fmt: skip
        tags: dict[str, dict[str, Any]] = {"t/X": {}}
        tags |= {
            f"{p}/{point}": {"type": "bool"} for p in FOUR for point in ("START", "STOP", "RUN", "REM", "FLT")
        }
        self.rig = Rig([duty, *(motor(p, group="t/G", first_mode=2) for p in FOUR)], tags, SECOND)
        self.run = dict.fromkeys(FOUR, False)
        self.broken: set[str] = set()
        self.rig.set("t/X", 0.0)
        for p in FOUR:
            for point in ("RUN", "REM", "FLT"):
                self.rig.set(f"{p}/{point}", point == "REM")
        self.rig.ready()

    def at(self, x: float, scans: int = 1) -> str:
        """Which run afterwards."""
        for _ in range(scans):
            self.rig.set("t/X", x)
            self.rig.scan()
            for p in FOUR:
                if self.rig.applied(f"{p}/START") and p not in self.broken:
                    self.run[p] = True
                if self.rig.applied(f"{p}/STOP") or p in self.broken:
                    self.run[p] = False
                self.rig.set(f"{p}/RUN", self.run[p])
        return "".join(p[-1] for p in FOUR if self.run[p])


def test_one_more_at_a_time_and_the_last_goes_first() -> None:
    group = Group()
    group.at(0, 3)
    assert group.at(9, 2) == "A"
    assert group.at(9, 3) == "AB"
    assert group.at(9, 3) == "ABC"
    assert group.at(9, 20) == "ABC", "there are two conditions"
    assert group.rig.get("t/G/STAGES") == 3
    assert group.at(1.5, 4) == "ABC"
    assert group.at(1.5, 3) == "AB"
    assert group.at(2.5, 30) == "AB"
    assert group.at(0, 3) == ""
    assert group.at(9, 12) == "BCD", "the duty goes round"


def test_one_that_fails_is_replaced() -> None:
    group = Group()
    group.at(0, 3)
    group.at(2.5, 12)
    group.broken.add("t/B")
    assert group.at(2.5, 12) == "AC"
    group.broken.add("t/A")
    assert group.at(2.5, 12) == "CD"
    group.broken.add("t/C")
    assert group.at(2.5, 12) == "D", "no more there"


def test_least_hours_first() -> None:
    group = Group("least hours")
    seen = []
    for seconds in (100, 200, 50):
        seen.append(group.at(1.5, seconds))
        group.at(0, 5)
    assert seen == ["B", "C", "D"], "those that never ran, in turn"
    assert group.at(9, 15) == "ABD", "0, 50 and 100 s; not the one of 200 s"


def test_after_a_start_who_runs_goes_on_although_the_other_was_read_first() -> None:
    pair = Pair(running=("t/P2",))
    for point in ("START", "STOP"):
        pair.rig.gates[f"t/P2/{point}"] = NOT_INITIALISED  # read some scans after the others
    pair.rig.set("t/P2/RUN", True, BAD_WAITING_FOR_INITIAL_DATA)
    pair.rig.set("t/WANT", True)
    pair.rig.scan(5)
    pair.rig.gates.clear()
    assert pair.demand(True) == ["t/P2"]
    assert pair.rig.get("t/G/DUTY") == 2


def test_a_restart_with_demand_waits_for_the_one_on_duty() -> None:
    pair = Pair(running=("t/P2",))
    pair.rig.restore({"t/G": {"duty": 2, "demand": True}})
    pair.rig.set("t/WANT", True)
    pair.rig.set("t/P2/RUN", True, BAD_WAITING_FOR_INITIAL_DATA)
    for _ in range(5):
        pair.rig.scan()
        assert pair.rig.applied("t/P1/START") is False
    assert pair.demand(True) == ["t/P2"]
    assert pair.rig.get("t/G/DUTY") == 2


def test_it_does_not_wait_for_ever() -> None:
    pair = Pair()
    pair.rig.set("t/P2/RUN", False, BAD_WAITING_FOR_INITIAL_DATA)
    pair.rig.set("t/WANT", True)
    pair.rig.scan(9)
    assert pair.rig.applied("t/P1/START") is False
    pair.rig.scan(2)
    assert pair.rig.applied("t/P1/START") is True


def test_a_restart_changes_nobody() -> None:
    group = Group()
    group.at(0, 3)
    group.at(9, 12)
    kept = group.rig.retained()
    again = Group()
    again.run = dict(group.run)
    for p in FOUR:
        again.rig.set(f"{p}/RUN", again.run[p])
    again.rig.restore(kept)
    assert again.at(9, 5) == "ABC"
    assert again.at(9, 30) == "ABC"


@pytest.mark.parametrize(
    ("kept", "fresh", "running"),
    [
        ({"duty": 3, "demand": True, "stages": 2, "assistants": [0]}, True, "AC"),
        ({"duty": 3, "demand": True, "stages": 9, "assistants": [0, 3, 1]}, True, "ACD"),
        ({"duty": 3, "demand": True, "stages": 2, "assistants": [7, -1, "x"]}, True, "CD"),
        ({"duty": 3, "demand": True, "stages": 2, "assistants": None}, True, "C"),
        ({"duty": 3, "demand": True, "stages": None, "assistants": [0]}, True, "C"),
        ({"duty": 3, "demand": True, "stages": 2, "assistants": [0]}, False, "D"),
        ({"duty": 0, "demand": True}, True, "D"),
        ({"duty": 5, "demand": True}, True, "D"),
        ({"duty": 4, "demand": True}, True, "D"),
        ({"duty": 1, "demand": True}, True, "A"),
    ],
)
def test_what_a_restart_takes(kept: dict[str, Any], fresh: bool, running: str) -> None:
    group = Group("never")
    group.rig.restore({"t/G": {"duty": 4, "demand": False}})
    group.rig.restore({"t/G": kept}, fresh=fresh)
    if not fresh:
        group.rig.restore({"t/G": {"duty": 4, "demand": True}})
    assert group.at(9, 2) == running


def test_never_goes_back_to_the_first_with_the_next_demand() -> None:
    pair = Pair("never")
    pair.rig.set("t/P1/REM", False)
    pair.scan(12)
    assert (pair.demand(True), pair.rig.get("t/G/DUTY")) == (["t/P2"], 2)
    pair.rig.set("t/P1/REM", True)
    assert pair.demand(True, 20) == ["t/P2"], "nobody is changed while it runs"
    assert pair.demand(False) == []
    assert (pair.demand(True), pair.rig.get("t/G/DUTY")) == (["t/P1"], 1)


def test_a_member_that_is_no_motor_is_refused() -> None:
    group = block(
        "t/G", "duty_standby", "DUTY DEMAND", members=["t/P1", "t/X"], demand="t/WANT", alternate="never"
    )
    with pytest.raises(ValueError, match="member t/X is not a motor block"):
        Rig([group, motor("t/P1", group="t/G")], TAGS, SECOND)


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 1.5, 2.5, 9]), st.integers(1, 8), st.sets(st.sampled_from(FOUR))),
        max_size=20,
    )
)
def test_never_more_than_are_asked_for(steps: list[tuple[float, int, set[str]]]) -> None:
    group = Group()
    for x, scans, broken in steps:
        group.broken = broken
        running = group.at(x, scans)
        group.at(x, 2)
        running = group.at(x)
        assert len(running) <= max(group.rig.get("t/G/STAGES"), 0)
        assert group.rig.get("t/G/STAGES") <= 3
