"""Comparators and the sequences of buildings."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tags.quality import BAD_NO_COMMUNICATION, BAD_SENSOR_FAILURE, GOOD, UNCERTAIN_LAST_USABLE
from tests.blocks.rig import SECOND, Rig, block

HOUR = 3600 * SECOND
temperatures = st.floats(-30, 40)
any_status = st.sampled_from(
    [GOOD, GOOD, GOOD, BAD_SENSOR_FAILURE, BAD_NO_COMMUNICATION, UNCERTAIN_LAST_USABLE]
)

# -- compare

EXACT = {
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
}


def compared(kind: str, **config: Any) -> Rig:
    limits = {"low": "t/Y", "high": "t/Z"} if kind in ("inside", "outside") else {"to": "t/Y"}
    settings = {"input": "t/X", "kind": kind, "tolerance": 0.0, "hysteresis": 0.0, **limits, **config}
    rig = Rig([block("t/C", "compare", at_path="OUT", **settings)], {"t/X": {}, "t/Y": {}, "t/Z": {}}, SECOND)
    rig.set("t/Y", 3.0)
    rig.set("t/Z", 5.0)
    return rig


@pytest.mark.parametrize("kind", EXACT)
@given(st.lists(st.sampled_from([2.0, 2.5, 3.0, 3.5]), max_size=12))
def test_without_hysteresis_they_are_those_of_the_standard(kind: str, values: list[float]) -> None:
    rig = compared(kind)
    for x in values:
        rig.set("t/X", x)
        rig.scan()
        assert rig.get("t/C") is EXACT[kind](x, 3.0)


@pytest.mark.parametrize(
    ("kind", "values", "on"),
    [
        ("gt", [3.0, 3.1, 2.6, 2.5, 3.0], [0, 1, 1, 0, 0]),
        ("ge", [2.9, 3.0, 2.5, 2.4, 2.9], [0, 1, 1, 0, 0]),
        ("lt", [3.0, 2.9, 3.4, 3.5, 3.0], [0, 1, 1, 0, 0]),
        ("le", [3.1, 3.0, 3.5, 3.6, 3.1], [0, 1, 1, 0, 0]),
        ("eq", [3.3, 3.2, 3.7, 3.8, 3.3], [0, 1, 1, 0, 0]),
        ("ne", [3.2, 3.7, 3.8, 3.3, 3.2], [0, 0, 1, 1, 0]),
        ("inside", [2.9, 3.0, 2.5, 2.4, 5.4], [0, 1, 1, 0, 0]),
        ("outside", [4.0, 2.9, 2.5, 2.9, 5.6], [0, 0, 0, 0, 1]),
    ],
)
def test_hysteresis_and_tolerance(kind: str, values: list[float], on: list[int]) -> None:
    rig = compared(kind, hysteresis=0.5, tolerance=0.25)
    seen = []
    for x in values:
        rig.set("t/X", x)
        rig.scan()
        seen.append(int(rig.get("t/C")))
    if kind == "outside":  # the hysteresis belongs to inside: outside begins beyond it
        inside = compared("inside", hysteresis=0.5)
        expected = []
        for x in values:
            inside.set("t/X", x)
            inside.scan()
            expected.append(int(not inside.get("t/C")))
        assert seen == expected
    else:
        assert seen == on


@given(
    st.lists(st.tuples(st.floats(), any_status), max_size=20), st.sampled_from([*EXACT, "inside", "outside"])
)
def test_bad_inputs_keep_the_state(steps: list[tuple[float, int]], kind: str) -> None:
    rig, before = compared(kind), False
    for x, status in steps:
        rig.set("t/X", x, status)
        rig.scan()
        if status != GOOD or not math.isfinite(x):
            assert (rig.get("t/C"), rig.status("t/C")) == (before, UNCERTAIN_LAST_USABLE)
        before = rig.get("t/C")
    again = compared(kind)
    again.restore(rig.retained())
    again.set("t/X", 0.0, BAD_SENSOR_FAILURE)
    again.scan()
    assert again.get("t/C") is before


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="none of gt"):
        compared("around")


# -- set-point reset


def reset(**config: Any) -> Rig:
    settings: dict[str, Any] = {
        "input": "t/OAT", "curve": [[-10.0, 70.0], [20.0, 25.0]], "low": 20.0, "high": 65.0, "filter_ns": 0,
        "shift_limits": [-5.0, 5.0], "hold_ns": 10 * SECOND, "then": 50.0, **config,
    }  # fmt: skip
    return Rig(
        [block("t/R", "setpoint_reset", "SHIFT SUBSTITUTED", at_path="OUT", **settings)],
        {"t/OAT": {}},
        SECOND,
    )


def outdoors(rig: Rig, value: float, status: int = GOOD, scans: int = 1) -> float:
    rig.set("t/OAT", value, status)
    rig.scan(scans)
    return float(rig.get("t/R"))


def test_the_set_point_follows_the_curve_the_shift_and_the_limits() -> None:
    rig = reset()
    assert outdoors(rig, 5.0) == pytest.approx(47.5)
    assert outdoors(rig, -20.0) == 65.0
    assert rig.write("t/R/SHIFT", -4.0) is None
    assert outdoors(rig, 20.0) == pytest.approx(21.0)
    assert "limited to -5.0 … 5.0" in str(rig.write("t/R/SHIFT", -6.0))
    rig.write("t/R/SHIFT", -5.0)
    assert outdoors(rig, 30.0) == 20.0


def test_the_building_filters() -> None:
    rig = reset(filter_ns=100 * SECOND)
    outdoors(rig, 20.0)
    assert outdoors(rig, 10.0, scans=100) == pytest.approx(25.0 + 15.0 * (1 - math.exp(-1.0)))
    again = reset(filter_ns=100 * SECOND)
    again.restore(rig.retained())
    again.set("t/OAT", 0.0, BAD_NO_COMMUNICATION)
    again.scan()
    assert again.get("t/R") == pytest.approx(rig.get("t/R"))


def test_without_the_measurement_it_holds_then_takes_the_given_one() -> None:
    rig = reset()
    outdoors(rig, 5.0)
    assert outdoors(rig, 99.0, BAD_SENSOR_FAILURE, scans=10) == pytest.approx(47.5)
    assert rig.get("t/R/SUBSTITUTED") is False
    assert outdoors(rig, 99.0, BAD_SENSOR_FAILURE) == 50.0
    assert (rig.get("t/R/SUBSTITUTED"), rig.status("t/R")) == (True, GOOD)
    assert outdoors(rig, 5.0) == pytest.approx(47.5)
    assert rig.get("t/R/SUBSTITUTED") is False
    cold = reset()
    assert outdoors(cold, 0.0, BAD_NO_COMMUNICATION) == 50.0, "never known"


@given(st.lists(st.tuples(st.floats(), any_status), max_size=30), st.integers(0, 100))
def test_the_set_point_is_always_good_and_within_its_limits(
    steps: list[tuple[float, int]], time: int
) -> None:
    rig = reset(filter_ns=time * SECOND)
    for x, status in steps:
        assert 20.0 <= outdoors(rig, x, status) <= 65.0
        assert rig.status("t/R") == GOOD


# -- night set-back

WEEK = {
    "periods": [[day, second, state] for day in range(5) for second, state in ((7 * 3600, "occupied"), (18 * 3600, "out"))],
    "otherwise": "out",
    "holidays": [],
}  # fmt: skip


class Room:
    """A room that warms up and cools down at given rates, scan by scan of a minute."""

    def __init__(self, warms: float, cools: float = 0.5, **config: Any) -> None:
        settings: dict[str, Any] = {
            "calendar": WEEK, "state": "occupied", "pv": "t/TT", "occupied": 21.0, "setback": 16.0,
            "optimum_start": {"longest_ns": 5 * HOUR, "rate": 2.0, "adapt": True}, **config,
        }  # fmt: skip
        self.rig = Rig(
            [block("t/S", "setback", "STATE LEAD RATE", at_path="OUT", **settings)], {"t/TT": {}}, 60 * SECOND
        )
        self.warms, self.cools, self.t = warms, cools, 21.0
        self.minute, self.status = 18 * 60, GOOD
        self.begun: int | None = None

    def run(self, minutes: int) -> None:
        for _ in range(minutes):
            day, minute = divmod(self.minute, 1440)
            self.rig.weekday, self.rig.second_of_day = day % 7, minute * 60
            self.rig.date = f"2026-11-{23 + day:02}" if day < 8 else "2026-12-01"
            self.rig.set("t/TT", self.t, self.status)
            self.rig.scan()
            sp = self.rig.get("t/S")
            if self.rig.get("t/S/STATE") == 1 and self.begun is None:
                self.begun = self.minute
            self.t += (self.warms if self.t < sp else -self.cools) / 60.0
            self.minute += 1


def test_the_warm_up_begins_in_time_and_ends_in_time() -> None:
    room = Room(warms=2.0)
    room.run(10 * 60)  # until four
    assert room.t == pytest.approx(16.0, abs=0.1)
    room.run(3 * 60)
    assert room.begun is not None
    assert room.begun == pytest.approx(1440 + 7 * 60 - 150, abs=3), "5 K at 2 K/h"
    assert room.t == pytest.approx(21.0, abs=0.15)
    room.run(1)
    assert room.rig.get("t/S/STATE") == 2
    room.run(12 * 60)
    assert (room.rig.get("t/S/STATE"), room.rig.get("t/S")) == (0, 16.0)


@pytest.mark.parametrize("warms", [1.25, 4.0])
def test_it_learns_how_fast_the_room_is(warms: float) -> None:
    room = Room(warms=warms)
    late = []
    for day in range(4):
        room.begun = None
        room.run(1440 * (day + 1) + 7 * 60 - room.minute)
        late.append(abs(room.t - 21.0))
        room.run(12 * 60)
        room.minute, room.t = 1440 * (day + 1) + 18 * 60, 21.0
    assert room.rig.get("t/S/RATE") == pytest.approx(warms, rel=0.25)
    assert late[-1] < 1.0
    assert late[-1] < late[0] or late[0] < 0.2, "better each night"
    kept = room.rig.retained()
    again = Room(warms=1.0).rig
    again.restore(kept)
    again.scan()
    assert again.get("t/S/RATE") == room.rig.get("t/S/RATE")


def test_without_a_temperature_it_begins_as_early_as_it_may() -> None:
    room = Room(warms=2.0)
    room.status = BAD_SENSOR_FAILURE
    room.run(14 * 60)
    assert room.begun == pytest.approx(1440 + 2 * 60, abs=1)
    assert room.rig.get("t/S/RATE") == 2.0


def test_a_room_that_gets_colder_in_the_warm_up_gained_nothing() -> None:
    room = Room(warms=-0.5)
    room.run(14 * 60)
    assert room.rig.get("t/S/RATE") == pytest.approx(2.0 - 0.3 * 2.0)


@pytest.mark.parametrize(("warms", "rate"), [(4.0, 2.6), (2.0, 2.0), (1.0, 1.7), (0.05, 1.415), (30.0, 10.0)])
def test_a_night_moves_the_rate_by_three_tenths_of_what_was_measured(warms: float, rate: float) -> None:
    room = Room(warms=warms)
    room.run(14 * 60)
    assert room.rig.get("t/S/RATE") == pytest.approx(rate, abs=0.05 if warms > 1.0 else 0.004)


def test_the_lead_is_told_in_minutes() -> None:
    room = Room(warms=2.0)
    for t, status, lead, quality in (
        (16.0, GOOD, 9000.0, GOOD),
        (20.5, GOOD, 900.0, GOOD),
        (21.0, GOOD, 0.0, GOOD),
        (25.0, GOOD, 0.0, GOOD),
        (5.0, GOOD, 18_000.0, GOOD),
        (20.0, BAD_SENSOR_FAILURE, 18_000.0, UNCERTAIN_LAST_USABLE),
    ):
        room.t, room.status = t, status
        room.run(1)
        assert (room.rig.get("t/S/LEAD"), room.rig.status("t/S/LEAD")) == (lead, quality)


@pytest.mark.parametrize(("begins", "first"), [(20.6, 2.0), (20.2, 10.0)])
def test_a_short_warm_up_is_not_judged(begins: float, first: float) -> None:
    """0.4 K, or five minutes: too little to learn from."""
    room = Room(warms=60.0, cools=0.0, optimum_start={"longest_ns": 5 * HOUR, "rate": first, "adapt": True})
    room.t = begins
    room.run(13 * 60 + 5)
    assert (room.rig.get("t/S/STATE"), room.begun is None) == (2, False)
    assert room.rig.get("t/S/RATE") == first


def test_one_that_is_not_to_adapt_learns_nothing() -> None:
    room = Room(warms=4.0, optimum_start={"longest_ns": 5 * HOUR, "rate": 2.0, "adapt": False})
    room.run(14 * 60)
    assert room.rig.get("t/S/RATE") == 2.0
    assert room.begun == pytest.approx(1440 + 7 * 60 - 150, abs=3)


def test_cooling_is_set_back_upwards() -> None:
    room = Room(warms=0.0, cools=0.0, occupied=22.0, setback=26.0)
    for t, lead in ((26.0, 7200.0), (22.0, 0.0), (20.0, 0.0)):
        room.t = t
        room.run(1)
        assert (room.rig.get("t/S"), room.rig.get("t/S/LEAD")) == (26.0, lead)


def test_the_rate_by_hand() -> None:
    rig = Room(warms=2.0).rig
    for rate in (0.4, 10.0, 3.0):
        assert rig.write("t/S/RATE", rate) is None
        rig.scan()
        assert rig.get("t/S/RATE") == rate
    for rate in (0.39, 10.1):
        assert rig.blocks["t/S"].write("RATE", rate) == "t/S/RATE is limited to 0.4 … 10"
    assert rig.blocks["t/S"].write("RATE", None) == "t/S takes a number for RATE only"
    assert rig.blocks["t/S"].write("STATE", 1) == "t/S takes a number for RATE only"
    edited = Room(warms=2.0, optimum_start={"longest_ns": 5 * HOUR, "rate": 2.5, "adapt": True}).rig
    edited.restore(rig.retained())
    edited.scan()
    assert edited.get("t/S/RATE") == 2.5, "the site's own was edited"


@pytest.mark.parametrize("fresh", [True, False])
def test_a_warm_up_goes_on_after_a_restart_and_is_not_judged(fresh: bool) -> None:
    room = Room(warms=4.0)
    room.run(10 * 60 + 40)
    assert room.rig.get("t/S/STATE") == 1
    again = Room(warms=4.0)
    again.rig.restore(room.rig.retained(), fresh=fresh)
    again.minute, again.t = 1440 + 4 * 60, 20.5
    again.run(1)
    assert again.rig.get("t/S/STATE") == (1 if fresh else 0), "three hours early, but begun"
    again.run(200)
    if fresh:
        assert (again.rig.get("t/S/STATE"), again.rig.get("t/S/RATE")) == (2, 2.0)


def test_no_warm_up_for_a_day_off_and_none_without_optimum_start() -> None:
    room = Room(warms=2.0, calendar={**WEEK, "holidays": ["2026-11-24"]})
    room.run(24 * 60)
    assert (room.begun, room.rig.get("t/S")) == (None, 16.0)
    plain = Room(warms=2.0, optimum_start=None)
    plain.run(13 * 60)
    assert (plain.begun, plain.rig.get("t/S/STATE")) == (None, 0)
    plain.run(1)
    assert plain.rig.get("t/S") == 21.0


@given(st.lists(st.tuples(st.floats(), any_status, st.integers(0, 8 * 1440)), max_size=20))
def test_the_set_point_is_one_of_the_two(steps: list[tuple[float, int, int]]) -> None:
    room = Room(warms=2.0)
    for t, status, minute in steps:
        room.t, room.status, room.minute = t, status, minute
        room.run(1)
        assert room.rig.get("t/S") == (16.0 if room.rig.get("t/S/STATE") == 0 else 21.0)
        assert 0.4 <= room.rig.get("t/S/RATE") <= 10.0


# -- frost protection


def frost(**config: Any) -> Rig:
    settings: dict[str, Any] = {
        "input": "min(t/T1, t/T2)", "start": 8.0, "full": 5.0, "trip": 3.0, "for_ns": 5 * SECOND, "reset": "manual",
        "outdoor": "t/OAT", "pump_below": 2.0, **config,
    }  # fmt: skip
    rig = Rig(
        [block("t/F", "frost_protection", "HEAT PUMP TRIP", **settings)],
        {"t/T1": {}, "t/T2": {}, "t/OAT": {}},
        SECOND,
    )
    for path, value in (("t/T1", 15.0), ("t/T2", 20.0), ("t/OAT", 10.0)):
        rig.set(path, value)
    return rig


def points(rig: Rig) -> tuple[float, bool, bool]:
    return rig.get("t/F/HEAT"), rig.get("t/F/PUMP"), rig.get("t/F/TRIP")


def test_heat_then_trip() -> None:
    rig = frost()
    seen = []
    for t in (15.0, 8.0, 6.5, 5.0, 4.0):
        rig.set("t/T1", t)
        rig.scan()
        seen.append(points(rig))
    assert seen == [
        (0, False, False),
        (0, False, False),
        (50, True, False),
        (100, True, False),
        (100, True, False),
    ]
    rig.set("t/T1", 2.9)
    rig.scan(4)
    assert points(rig) == (100, True, False)
    rig.scan()
    assert points(rig) == (100, True, True)
    assert rig.events[-1]["kind"] == "frost"
    assert "still cold" in str(rig.write("t/F/TRIP", False))
    rig.set("t/T1", 15.0)
    rig.scan(3)
    assert points(rig) == (0, False, True)
    again = frost()
    again.restore(rig.retained())
    again.scan()
    assert points(again)[2] is True
    assert rig.write("t/F/TRIP", False) is None
    rig.scan()
    assert points(rig) == (0, False, False)


def test_the_pump_runs_in_the_cold_with_a_margin() -> None:
    rig = frost()
    seen = []
    for outdoor in (2.1, 1.9, 2.9, 3.1):
        rig.set("t/OAT", outdoor)
        rig.scan()
        seen.append(rig.get("t/F/PUMP"))
    assert seen == [False, True, True, False]


def test_the_pump_runs_on_until_a_margin_above_the_start() -> None:
    rig = frost()
    seen = []
    for t in (8.0, 7.9, 8.9, 9.0, 8.5):
        rig.set("t/T1", t)
        rig.scan()
        seen.append(rig.get("t/F/PUMP"))
    assert seen == [False, True, True, False, False]
    wide = frost(margin=3.0, outdoor=None, pump_below=None)
    seen = []
    for t in (7.9, 10.9, 11.0):
        wide.set("t/T1", t)
        wide.scan()
        seen.append(wide.get("t/F/PUMP"))
    assert seen == [True, True, False]


def test_the_pump_runs_when_the_outdoor_temperature_is_not_known() -> None:
    rig = frost()
    rig.set("t/OAT", 10.0, BAD_SENSOR_FAILURE)
    rig.scan()
    assert points(rig) == (0, True, False)


def test_what_was_never_measured_trips_nothing_and_a_restart_keeps_what_was_driven() -> None:
    rig = frost()
    rig.set("t/T1", 0.0, BAD_NO_COMMUNICATION)
    rig.scan(10)
    assert points(rig) == (0, False, False)
    rig.set("t/T1", 6.5)
    rig.scan()
    for kept, after in ((None, 0), (50.0, 50), (400.0, 100), (-3.0, 0)):
        again = frost()
        again.restore({"t/F": {**rig.retained()["t/F"], "heat": kept}})
        again.set("t/T1", 0.0, BAD_NO_COMMUNICATION)
        again.scan()
        assert points(again) == (after, True, False)


def test_one_that_resets_by_itself_tells_both() -> None:
    rig = frost(reset="auto", for_ns=None)
    rig.set("t/T1", 3.0)
    rig.scan(5)
    assert points(rig)[2] is False, "not below"
    rig.set("t/T1", 2.9)
    rig.scan(2)
    assert points(rig)[2] is True
    rig.set("t/T1", 3.0)
    rig.scan(2)
    assert points(rig)[2] is False
    assert [event["active"] for event in rig.events if event["kind"] == "frost"] == [True, False]
    assert "takes only TRIP" in str(rig.write("t/F/TRIP", True))
    assert "takes only TRIP" in str(rig.write("t/F/HEAT", 0.0))


@pytest.mark.parametrize("wrong", [{"start": 5.0}, {"trip": 5.1}])
def test_frost_limits_in_another_order_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="start must be above full, and full not below trip"):
        frost(**wrong)


def test_a_failed_sensor_counts_as_cold_a_lost_link_does_not() -> None:
    rig = frost()
    rig.scan()
    rig.set("t/T1", 15.0, BAD_NO_COMMUNICATION)
    rig.scan(20)
    assert points(rig) == (0, False, False)
    rig.set("t/T1", 15.0, BAD_SENSOR_FAILURE)
    rig.scan()
    assert points(rig) == (100, True, False)
    rig.scan(5)
    assert points(rig) == (100, True, True)


@given(st.lists(st.tuples(temperatures, any_status), max_size=40), st.sampled_from(["manual", "auto"]))
def test_it_never_trips_warm_and_always_in_the_cold(steps: list[tuple[float, int]], latch: str) -> None:
    rig, cold, warm = frost(reset=latch, for_ns=2 * SECOND), 0, False
    for t, status in steps:
        rig.set("t/T1", t, status)
        rig.scan()
        cold = cold + 1 if status == GOOD and t < 3.0 else 0
        warm = warm or t < 3.0 or status == BAD_SENSOR_FAILURE
        assert 0.0 <= rig.get("t/F/HEAT") <= 100.0
        if cold >= 2:
            assert points(rig) == (100, True, True)
        if not warm:
            assert rig.get("t/F/TRIP") is False


# -- changeover


def changeover(**config: Any) -> Rig:
    settings: dict[str, Any] = {
        "heating": "t/X < 10", "cooling": "t/X > 20", "min_time_ns": 5 * SECOND, "pause_ns": 3 * SECOND, **config,
    }  # fmt: skip
    rig = Rig([block("t/H", "changeover", "STATE HEATING COOLING SELECT", **settings)], {"t/X": {}}, SECOND)
    rig.set("t/X", 15.0)
    return rig


def states(rig: Rig, *values: float) -> list[int]:
    seen = []
    for value in values:
        rig.set("t/X", value)
        rig.scan()
        seen.append(rig.get("t/H/STATE"))
    return seen


def test_it_lasts_then_pauses_then_changes_over() -> None:
    rig = changeover()
    assert states(rig, 15, 5, 25, 25, 25, 25, 25, 25, 25, 25, 25) == [0, 1, 1, 1, 1, 1, 0, 0, 0, 2, 2]
    assert states(rig, 15, 15, 15, 15, 25) == [2, 2, 2, 0, 2], "the same side begins again at once"


def test_people_may_choose() -> None:
    rig = changeover()
    assert states(rig, 5) == [1]
    assert rig.write("t/H/SELECT", 2) is None
    assert states(rig, 5, 5, 5, 5) == [0, 0, 0, 2]
    rig.write("t/H/SELECT", 3)
    assert states(rig, 5, 5) == [0, 0]
    assert "SELECT" in str(rig.write("t/H/SELECT", 4))
    again = changeover()
    again.restore(rig.retained())
    assert states(again, 5, 5) == [0, 0]
    rig.write("t/H/SELECT", 0)
    assert states(rig, 5) == [0]


def test_heating_wins_but_does_not_cut_cooling_short() -> None:
    rig = changeover(heating="t/X < 20", cooling="t/X > 10")
    assert states(rig, 15, 15) == [1, 1], "both are wanted"
    assert states(rig, 25, 25, 25, 25, 25, 25, 25) == [1, 1, 1, 0, 0, 0, 2]
    assert states(rig, *[15] * 9) == [2] * 9, "cooling goes on as long as it is wanted, however long"
    assert states(rig, 5, 5, 5, 5) == [0, 0, 0, 1]


def test_a_choice_ends_the_other_side_at_once_but_pauses() -> None:
    rig = changeover()
    assert states(rig, 5, 5) == [1, 1]
    rig.write("t/H/SELECT", 3)
    assert states(rig, 5, 5, 5, 5, 5) == [0] * 5
    rig.write("t/H/SELECT", 1)
    assert (states(rig, 25), rig.get("t/H/SELECT")) == ([1], 1)
    assert states(rig, *[25] * 7) == [1] * 7, "whatever the conditions say"
    assert rig.write("t/H/SELECT", None) == "t/H takes SELECT: 0 Auto, 1 Heating, 2 Cooling, 3 Off"
    assert rig.write("t/H/STATE", 2) is not None
    assert states(rig, 25) == [1]


def test_a_condition_that_is_bad_counts_as_it_was() -> None:
    rig = changeover()
    rig.set("t/X", 5.0, BAD_SENSOR_FAILURE)
    rig.scan()
    assert (rig.get("t/H/STATE"), rig.status("t/H/STATE")) == (0, UNCERTAIN_LAST_USABLE), "none yet"
    assert states(rig, 5) == [1]
    assert rig.status("t/H/STATE") == GOOD
    rig.set("t/X", 25.0, BAD_SENSOR_FAILURE)
    rig.scan(10)
    assert (rig.get("t/H/STATE"), rig.status("t/H/STATE")) == (1, UNCERTAIN_LAST_USABLE)


@pytest.mark.parametrize(
    ("before", "fresh", "values", "after"),
    [
        ((5, 25, 25), True, [25] * 6, [1, 1, 0, 0, 0, 2]),
        ((5, 25, 25, 25, 25, 25), True, [25] * 3, [0, 0, 2]),
        ((5, 25, 25, 25, 25, 25), True, [5], [1]),
        ((5,), False, [25] * 4, [0, 0, 2, 2]),
        ((5,), False, [5], [1]),
        ((5, 25, 25, 25, 25, 25), False, [25] * 3, [0, 0, 2]),
        ((25,), False, [5] * 3, [0, 0, 1]),
        ((15, 15), False, [25], [2]),
    ],
)
def test_a_restart_forgets_neither_the_time_nor_the_side(
    before: tuple[float, ...], fresh: bool, values: list[float], after: list[int]
) -> None:
    rig, again = changeover(), changeover()
    states(rig, *before)
    again.restore(rig.retained(), fresh=fresh)
    assert states(again, *values) == after


@pytest.mark.parametrize("wrong", [{"state": 7}, {"last": 3}, {"since_ns": "soon"}])
def test_a_kept_state_that_is_none_is_not_taken(wrong: dict[str, Any]) -> None:
    rig, again = changeover(), changeover()
    states(rig, 5)
    again.restore({"t/H": {**rig.retained()["t/H"], **wrong}})
    assert states(again, 25) == [2]


@given(
    st.lists(
        st.tuples(temperatures, any_status, st.sampled_from([None, None, None, 0, 1, 2, 3])), max_size=60
    )
)
def test_never_both_and_never_without_a_pause(steps: list[tuple[float, int, int | None]]) -> None:
    rig, last, rest = changeover(), 0, 99
    for x, status, select in steps:
        rig.set("t/X", x, status)
        if select is not None:
            rig.write("t/H/SELECT", select)
        rig.scan()
        now = rig.get("t/H/STATE")
        assert (rig.get("t/H/HEATING"), rig.get("t/H/COOLING")) == (now == 1, now == 2)
        if now:
            assert now == last or rest >= 3
            last, rest = now, 0
        else:
            rest += 1
        if last == 0:
            rest = 99
