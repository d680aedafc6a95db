"""The totaliser: nothing is lost, nothing is counted twice, and a reset is one."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tags.quality import BAD_SENSOR_FAILURE, GOOD, UNCERTAIN_LAST_USABLE, UNCERTAIN_SUBSTITUTE
from tests.blocks.rig import SECOND, Rig, block


def make(**config: Any) -> Rig:
    settings = {"input": "t/X", "gain": 1 / 3600, "cutoff": 0.0, "reset": None} | config
    one = block("t/Q", "totaliser", "LAST RESET", at_path="TOTAL", **settings)
    return Rig([one], {"t/X": {}, "t/R": {"type": "bool"}}, SECOND)


def flow(rig: Rig, x: float, scans: int = 1, status: int = GOOD, periods: int = 1) -> float:
    rig.set("t/X", x, status)
    rig.scan(scans, periods=periods)
    return float(rig.get("t/Q"))


def test_an_hour_of_36_cubic_metres_an_hour() -> None:
    assert flow(make(), 36.0, 3600) == pytest.approx(36.0, abs=1e-12)


@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.integers(1, 7)), max_size=200))
def test_the_total_is_exact_to_the_last_digit(steps: list[tuple[float, int]]) -> None:
    rig, exact, largest = make(gain=1.0), Fraction(), 0.0
    for x, periods in steps:
        total = flow(rig, x, periods=periods)
        exact += Fraction(x * 1.0 * (periods * SECOND * 1e-9))
        largest = max(largest, abs(total))
    assert abs(Fraction(rig.get("t/Q")) - exact) <= Fraction(2 * math.ulp(largest or 1.0))


def test_drops_are_not_lost_in_a_large_total() -> None:
    rig = make(gain=1.0)
    flow(rig, 1e12)
    flow(rig, 1e-5, 10_000)
    assert rig.get("t/Q") == 1e12 + 0.1


def test_noise_at_rest_is_not_counted() -> None:
    rig = make(cutoff=0.5, gain=1.0)
    assert flow(rig, 0.49, 10) == 0.0
    assert flow(rig, -0.49, 10) == 0.0
    assert flow(rig, 0.5) == 0.5


@pytest.mark.parametrize(("direction", "total"), [("both", 4.0), ("forward", 7.0)])
def test_what_flows_back(direction: str, total: float) -> None:
    rig = make(direction=direction, gain=1.0)
    flow(rig, 7.0)
    assert flow(rig, -3.0) == total


@pytest.mark.parametrize(
    ("on_bad", "total", "status"),
    [("stop", 10.0, UNCERTAIN_LAST_USABLE), ("last", 60.0, UNCERTAIN_SUBSTITUTE)],
)
def test_a_bad_flow(on_bad: str, total: float, status: int) -> None:
    rig = make(on_bad=on_bad, gain=1.0)
    flow(rig, 10.0)
    assert flow(rig, 99.0, 5, BAD_SENSOR_FAILURE) == total
    assert rig.status("t/Q") == status
    flow(rig, 0.0)
    assert rig.status("t/Q") == GOOD


def test_reset_by_hand_and_by_condition() -> None:
    rig = make(gain=1.0, reset="t/R")
    rig.set("t/R", True)  # true at the start is no edge
    flow(rig, 5.0, 2)
    assert rig.get("t/Q") == 10.0
    assert rig.write("t/Q/RESET", True) is None
    assert flow(rig, 1.0) == 1.0
    assert rig.get("t/Q/LAST") == 10.0
    assert (rig.get("t/Q/RESET"), rig.status("t/Q/RESET")) == (False, GOOD)
    rig.set("t/R", False)
    flow(rig, 1.0)
    rig.set("t/R", True)
    assert flow(rig, 1.0, 3) == 3.0
    assert rig.get("t/Q/LAST") == 2.0
    assert [event["total"] for event in rig.events if event["kind"] == "totaliser"] == [10.0, 2.0]
    assert "write true to t/Q/RESET" in str(rig.write("t/Q/LAST", 1.0))


def test_a_restart_goes_on_with_every_digit() -> None:
    rig = make(gain=0.1)
    flow(rig, 1.0, 12_345)
    again = make(gain=0.1)
    again.restore(rig.retained())
    assert flow(again, 1.0, 7_655) == flow(rig, 1.0, 7_655) == pytest.approx(2000.0, abs=1e-12)


def test_all_of_it_is_kept() -> None:
    rig = make(gain=1.0, reset="t/R")
    rig.set("t/R", False)
    flow(rig, 7.0)
    rig.write("t/Q/RESET", True)
    flow(rig, 1e12)
    flow(rig, 1e-5, 4)
    kept = rig.retained()
    assert kept["t/Q"] == {"total": 1e12, "carry": pytest.approx(-4e-5), "last": 7.0, "high": False}
    again = make(gain=1.0, reset="t/R")
    again.restore(kept)
    assert again.retained() == kept
    again.set("t/R", True)  # it rose while the scan stood
    assert flow(again, 0.0) == 0.0
    assert again.get("t/Q/LAST") == 1e12
    for nonsense in ({"total": "much"}, {"total": None, "last": 3.0}, {}):
        again.restore({"t/Q": nonsense})
    assert again.get("t/Q/LAST") == 1e12


def test_before_the_first_rate_there_is_none_to_go_on_with() -> None:
    rig = make(gain=1.0, on_bad="last")
    assert flow(rig, 9.0, 3, BAD_SENSOR_FAILURE) == 0.0


def test_beyond_all_numbers_it_stays() -> None:
    rig = make(gain=1e300)
    flow(rig, 1.0)
    assert flow(rig, 1e300) == 1e300
