"""Hysteresis, ramp, calculation and schedule."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.blocks.base import INTERLOCKED, LOCAL, NOT_INITIALISED
from tags.quality import BAD_OUT_OF_RANGE, BAD_SENSOR_FAILURE, GOOD, UNCERTAIN_LAST_USABLE, is_good
from tests.blocks.rig import SECOND, Rig, block

# -- hysteresis


def switch(**limits: Any) -> Rig:
    return Rig([block("t/H", "hysteresis", at_path="OUT", input="t/X", **limits)], {"t/X": {}})


@pytest.mark.parametrize(
    ("limits", "values", "expected"),
    [
        ({"on_above": 4.0, "off_below": 2.0}, [3.0, 4.0, 4.1, 3.0, 2.0, 1.9, 3.0], "0011100"),
        ({"on_below": 3.0, "off_above": 5.0}, [4.0, 3.0, 2.9, 4.0, 5.0, 5.1, 4.0], "0011100"),
    ],
)
def test_hysteresis(limits: dict[str, float], values: list[float], expected: str) -> None:
    rig, seen = switch(**limits), ""
    for value in values:
        rig.set("t/X", value)
        rig.scan()
        seen += str(int(rig.get("t/H")))
    assert seen == expected


def test_hysteresis_keeps_its_state_over_bad_input_and_restart() -> None:
    rig = switch(on_above=4.0, off_below=2.0)
    rig.set("t/X", 5.0)
    rig.scan()
    rig.set("t/X", 0.0, BAD_SENSOR_FAILURE)
    rig.scan()
    assert (rig.get("t/H"), rig.status("t/H")) == (True, UNCERTAIN_LAST_USABLE)
    rig.set("t/X", math.nan)
    rig.scan()
    assert (rig.get("t/H"), rig.status("t/H")) == (True, UNCERTAIN_LAST_USABLE)
    again = switch(on_above=4.0, off_below=2.0)
    again.restore(rig.retained())
    again.set("t/X", 3.0)
    again.scan()
    assert (again.get("t/H"), again.status("t/H")) == (True, GOOD)


# -- ramp


def ramp(**config: Any) -> Rig:
    settings: dict[str, Any] = {
        "out": ["t/A", "t/B"],
        "sp_initial": 90.0,
        "sp_low": 60.0,
        "sp_high": 100.0,
        "rate": 5.0,
    } | config
    return Rig([block("t/R", "ramp", "SP", **settings)], {"t/A": {}, "t/B": {}}, SECOND)


def test_ramp_starts_from_what_is_applied() -> None:
    rig = ramp()
    rig.scan()
    assert rig.outputs.wanted == [None, None]
    rig.ready(**{"t/A": 70.0, "t/B": 89.0})
    rig.scan()
    assert (rig.applied("t/A"), rig.applied("t/B")) == (75.0, 90.0)
    rig.scan(10)
    assert (rig.applied("t/A"), rig.applied("t/B")) == (90.0, 90.0)
    assert rig.write("t/R/SP", 59.0) == "t/R/SP is limited to 60.0 … 100.0"
    assert rig.write("t/R/SP", 60.0) is None
    rig.scan(periods=2)
    assert rig.applied("t/A") == 80.0


def test_ramp_is_bumpless_after_an_interlock() -> None:
    rig = ramp()
    rig.ready(**{"t/A": 90.0, "t/B": 90.0})
    rig.scan()
    rig.gates["t/A"] = INTERLOCKED
    rig.move("t/A", 20.0)
    rig.scan(3)
    rig.gates.clear()
    rig.scan(2)
    assert rig.applied("t/A") == 25.0


def test_ramp_without_a_set_point_takes_over_the_output() -> None:
    rig = ramp(sp_initial=None)
    rig.ready(**{"t/A": 77.0, "t/B": 70.0})
    rig.scan(10)
    assert (rig.get("t/R/SP"), rig.applied("t/B")) == (77.0, 77.0)


@given(
    st.lists(
        st.tuples(st.floats(), st.integers(1, 5), st.sampled_from([0, 0, LOCAL]), st.floats(0, 100)),
        max_size=30,
    )
)
def test_ramp_never_moves_faster_than_its_rate(steps: list[tuple[float, int, int, float]]) -> None:
    rig = ramp()
    rig.ready(**{"t/A": 50.0, "t/B": 50.0})
    for sp, periods, gate, hand in steps:
        rig.write("t/R/SP", sp)
        rig.gates["t/A"] = gate
        if gate:
            rig.move("t/A", hand)
        before = rig.applied("t/A")
        rig.scan(periods=periods)
        assert abs(rig.applied("t/A") - before) <= 5.0 * periods + 1e-9
        assert 60.0 <= rig.get("t/R/SP") <= 100.0


# -- calculation


def calc(expression: str, type_: str = "float64") -> Rig:
    tags: dict[str, dict[str, Any]] = {"t/X": {}, "t/Y": {}, "t/C": {"type": type_}}
    return Rig([block("t/C", "calc", at_path="OUT", expression=expression)], tags)


def test_calc_is_a_new_sample_when_an_input_is() -> None:
    rig = calc("(t/X + t/Y) / 2")
    rig.set("t/X", 4.0)
    rig.set("t/Y", 2.0)
    rig.scan()
    slot = rig.binder.index["t/C"]
    first = rig.signals.time_ns[slot]
    assert rig.get("t/C") == 3.0
    rig.scan()
    assert rig.signals.time_ns[slot] == first
    rig.set("t/X", 4.0)
    rig.scan()
    assert rig.signals.time_ns[slot] > first


@pytest.mark.parametrize(
    ("expression", "type_", "x", "expected"),
    [("t/X > 3", "bool", 4.0, True), ("t/X", "int32", 2.5, 2), ("if(t/X > 3, 2, 1)", "int32", 4.0, 2)],
)
def test_calc_gives_the_type_of_its_tag(expression: str, type_: str, x: float, expected: Any) -> None:
    rig = calc(expression, type_)
    rig.set("t/X", x)
    rig.set("t/Y", 0.0)
    rig.scan()
    assert rig.get("t/C") == expected
    assert type(rig.get("t/C")) is type(expected)
    assert rig.status("t/C") == GOOD


@pytest.mark.parametrize(
    ("expression", "type_", "x"),
    [("t/Y / t/X", "float64", 0.0), ("t/X", "int16", 40000.0), ("t/X * t/X", "float64", 1e300)],
)
def test_what_cannot_be_calculated_is_bad(expression: str, type_: str, x: float) -> None:
    rig = calc(expression, type_)
    rig.set("t/X", 1.0)
    rig.set("t/Y", 7.0)
    rig.scan()
    last = rig.get("t/C")
    rig.set("t/X", x)
    rig.scan()
    assert (rig.get("t/C"), rig.status("t/C")) == (last, BAD_OUT_OF_RANGE)


@given(st.floats(), st.floats(), st.sampled_from(["t/X + t/Y", "t/X / t/Y", "sqrt(t/X)", "max(t/X, t/Y)"]),
       st.sampled_from(["float64", "int32", "bool"]), st.sampled_from([GOOD, BAD_SENSOR_FAILURE]))  # fmt: skip
def test_nan_never_leaves_as_good(x: float, y: float, expression: str, type_: str, status: int) -> None:
    rig = calc(expression, type_)
    rig.set("t/X", x, status)
    rig.set("t/Y", y)
    rig.scan()
    assert math.isfinite(rig.get("t/C"))
    assert is_good(rig.status("t/C")) <= (status == GOOD)


# -- schedule

OFFICE = {
    "periods": [[d, s, state] for d in range(5) for s, state in ((64800, "away"), (23400, "home"))],
    "otherwise": "away",
    "holidays": ["2026-12-25"],
}


def schedule(**config: Any) -> Rig:
    settings: dict[str, Any] = {
        "calendar": OFFICE,
        "target": "t/SP",
        "values": {"home": 21.5, "away": 17.0},
    } | config
    return Rig([block("t/S", "schedule", "STATE", **settings)], {"t/SP": {}}, SECOND)


def at(rig: Rig, second: int, weekday: int = 0, date: str = "2026-11-23") -> Any:
    """Sets the civil time, scans once; what is asked of the target."""
    rig.second_of_day, rig.weekday, rig.date = second, weekday, date
    rig.scan()
    return rig.outputs.wanted[0]


def test_levels() -> None:
    rig = schedule()
    rig.ready(**{"t/SP": 20.0})
    seen = []
    for second, weekday, date in (
        (0, 0, ""), (23399, 0, ""), (23400, 0, ""), (64800, 4, ""), (40000, 5, ""), (40000, 4, "2026-12-25"), (86399, 3, ""),
    ):  # fmt: skip
        at(rig, second, weekday, date)
        seen.append(rig.get("t/S/STATE"))  # away 0, home 1
    assert seen == [0, 0, 1, 0, 0, 0, 0]


def test_written_once_per_change() -> None:
    rig = schedule()
    assert at(rig, 0) is None  # not read back yet
    rig.ready(**{"t/SP": 20.0})
    assert [at(rig, 1), at(rig, 2), at(rig, 23400), at(rig, 23401)] == [17.0, None, 21.5, None]
    again = schedule()
    again.restore(rig.retained())
    again.ready(**{"t/SP": 19.0})  # somebody turned it down at the panel
    assert at(again, 23500) is None
    assert at(again, 64800) == 17.0
    edited = schedule(values={"home": 22.0, "away": 17.0})
    edited.restore(rig.retained())
    edited.ready(**{"t/SP": 19.0})
    assert at(edited, 23500) == 22.0


def test_what_may_not_have_arrived_is_written_again() -> None:
    """The device goes away in the second of the change: the office would stay cold all day."""
    rig = schedule()
    rig.ready(**{"t/SP": 20.0})
    assert at(rig, 23400) == 21.5
    rig.gates["t/SP"] = NOT_INITIALISED
    assert [at(rig, second) for second in range(23401, 23410)] == [None] * 9
    rig.gates.clear()
    at(rig, 23410)
    assert [at(rig, 23411), at(rig, 23412)] == [21.5, None]
    rig.scan(6)
    rig.gates["t/SP"] = NOT_INITIALISED
    rig.scan(3)
    rig.gates.clear()
    assert [at(rig, 23430), at(rig, 23431)] == [None, None], "it had arrived: the panel may differ since"


def test_waits_for_remote() -> None:
    rig = schedule()
    rig.ready(**{"t/SP": 20.0})
    rig.gates["t/SP"] = LOCAL
    at(rig, 0)
    assert [at(rig, 1), at(rig, 23400)] == [None, None]
    rig.gates.clear()
    at(rig, 23401)
    assert at(rig, 23402) == 21.5
