"""Filter, lead/lag, dead time, rate limit, curve and ratio against closed forms; and what they do with bad inputs."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tags.quality import BAD_OUT_OF_RANGE, BAD_SENSOR_FAILURE, GOOD, UNCERTAIN_EU_EXCEEDED, is_good
from tests.blocks.rig import SECOND, Rig, block

VALUES = st.floats(-1e6, 1e6)
STEPS = st.lists(st.tuples(VALUES, st.integers(1, 5)), min_size=1, max_size=40)
MAKE: dict[str, dict[str, Any]] = {
    "filter": {"time_ns": 10 * SECOND},
    "lead_lag": {"lead_ns": 5 * SECOND, "lag_ns": 20 * SECOND, "gain": 2.0},
    "dead_time": {"time_ns": 3 * SECOND},
    "rate_limit": {"up": 2.0, "down": 1.0},
    "characteriser": {"curve": [[0.0, 0.0], [2.0, 10.0], [5.0, 40.0]], "outside": "hold"},
    "ratio": {"ratio": 0.5, "low": 0.0, "high": 2.0, "ramp": 0.0, "bias": 1.0},
}


def make(kind: str, **config: Any) -> Rig:
    points = "RATIO" if kind == "ratio" else ""
    one = block("t/B", kind, points, at_path="OUT", **({"input": "t/X"} | MAKE[kind] | config))
    return Rig([one], {"t/X": {}}, SECOND)


def run(rig: Rig, *values: float, periods: int = 1) -> list[float]:
    """OUT of one scan per value."""
    seen = []
    for value in values:
        rig.set("t/X", value)
        rig.scan(periods=periods)
        seen.append(rig.get("t/B"))
    return seen


# -- filter


@given(st.floats(0.001, 1000), st.integers(1, 10), st.integers(1, 60))
def test_step_response_of_the_filter(time_s: float, periods: int, count: int) -> None:
    rig = make("filter", time_ns=round(time_s * SECOND))
    run(rig, 0.0)
    for n, y in enumerate(run(rig, *[1.0] * count, periods=periods), 1):
        dt = float(periods)
        time = round(time_s * SECOND) * 1e-9
        assert y == pytest.approx(1 - (time / (time + dt)) ** n, abs=1e-9)
        assert 0 <= 1 - math.exp(-n * dt / time) - y <= 0.19 * dt / time + 1e-9


@given(STEPS)
def test_the_filter_stays_between_what_it_saw(steps: list[tuple[float, int]]) -> None:
    rig, seen = make("filter"), []
    for x, periods in steps:
        seen.append(x)
        (y,) = run(rig, x, periods=periods)
        assert min(seen) - 1e-6 <= y <= max(seen) + 1e-6


# -- lead/lag


def test_step_response_of_lead_lag() -> None:
    """Published form: K (1 + (T1 / T2 - 1) exp(-t / T2)) after a step of 1; solved with 10 ms steps."""
    one = block(
        "t/B", "lead_lag", at_path="OUT", input="t/X", lead_ns=5 * SECOND, lag_ns=20 * SECOND, gain=2.0
    )
    rig = Rig([one], {"t/X": {}}, SECOND // 100)
    run(rig, 0.0)
    for n, y in enumerate(run(rig, *[1.0] * 6000), 1):
        assert y == pytest.approx(2 * (1 + (5 / 20 - 1) * math.exp(-n * 0.01 / 20)), abs=1e-3)


@given(st.lists(VALUES, min_size=1, max_size=30))
def test_lead_as_long_as_lag_is_a_gain(values: list[float]) -> None:
    rig = make("lead_lag", lead_ns=7 * SECOND, lag_ns=7 * SECOND, gain=3.0)
    assert run(rig, *values) == pytest.approx([3 * x for x in values], rel=1e-9, abs=1e-6)


def test_what_moved_while_the_input_was_bad_is_no_slope() -> None:
    rig = make("lead_lag", lead_ns=100 * SECOND, lag_ns=10 * SECOND, gain=1.0)
    run(rig, 0.0, 0.0)
    rig.set("t/X", 0.0, BAD_SENSOR_FAILURE)
    rig.scan(5)
    (y,) = run(rig, 11.0)
    assert y == pytest.approx(1.0)  # 11 (1 / 11): the lag alone


# -- dead time


@given(st.integers(0, 6), STEPS)
def test_dead_time_equals_looking_back(count: int, steps: list[tuple[float, int]]) -> None:
    rig = make("dead_time", time_ns=count * SECOND)
    line: list[float] = []
    for x, periods in steps:
        line += [line[-1] if line else x] * (periods - 1) + [x]
        (y,) = run(rig, x, periods=periods)
        assert y == (line[-1 - count] if len(line) > count else line[0])


def test_quality_travels_with_the_value() -> None:
    rig = make("dead_time")
    run(rig, 1.0, 2.0)
    rig.set("t/X", 9.0, BAD_SENSOR_FAILURE)
    rig.scan()
    assert (rig.get("t/B"), rig.status("t/B")) == (1.0, GOOD)
    run(rig, 4.0, 5.0)
    assert (rig.get("t/B"), rig.status("t/B")) == (2.0, GOOD)
    run(rig, 6.0)
    assert (rig.get("t/B"), rig.status("t/B")) == (2.0, BAD_SENSOR_FAILURE)
    run(rig, 7.0)
    assert (rig.get("t/B"), rig.status("t/B")) == (4.0, GOOD)


def test_no_dead_time_passes_through_and_nothing_known_is_said() -> None:
    rig = make("dead_time", time_ns=0)
    rig.set("t/X", 5.0, BAD_SENSOR_FAILURE)
    rig.scan()
    assert (rig.get("t/B"), rig.status("t/B")) == (0.0, BAD_SENSOR_FAILURE)
    assert run(rig, 7.0, 8.0) == [7.0, 8.0]


def test_a_missed_scan_carries_the_quality_before_it() -> None:
    rig = make("dead_time", time_ns=2 * SECOND)
    run(rig, 1.0)
    rig.set("t/X", 2.0, BAD_SENSOR_FAILURE)
    rig.scan()
    run(rig, 3.0, periods=2)
    assert (rig.get("t/B"), rig.status("t/B")) == (1.0, BAD_SENSOR_FAILURE)
    run(rig, 4.0)
    assert (rig.get("t/B"), rig.status("t/B")) == (1.0, BAD_SENSOR_FAILURE), "the missed scan"
    run(rig, 5.0)
    assert (rig.get("t/B"), rig.status("t/B")) == (3.0, GOOD)


def test_a_dead_time_of_too_many_scans_is_refused() -> None:
    with pytest.raises(ValueError, match="scans of dead time"):
        make("dead_time", time_ns=200_000 * SECOND)


# -- rate limit


@given(STEPS)
def test_the_rate_is_never_exceeded_and_the_goal_never_passed(steps: list[tuple[float, int]]) -> None:
    rig = make("rate_limit")
    (before,) = run(rig, 0.0)
    for x, periods in steps:
        (y,) = run(rig, x, periods=periods)
        assert -1.0 * periods - 1e-9 <= y - before <= 2.0 * periods + 1e-9
        assert min(before, x) <= y <= max(before, x)
        before = y


def test_it_moves_as_fast_as_it_may() -> None:
    rig = make("rate_limit")
    assert run(rig, 0.0) == [0.0]
    assert run(rig, 100.0, periods=3) == [6.0]
    assert run(rig, -100.0, periods=4) == [2.0]
    assert run(rig, 3.0, 3.0) == [3.0, 3.0]


def test_a_pause_of_the_machine_is_no_jump() -> None:
    rig = make("rate_limit")
    run(rig, 0.0)
    assert run(rig, 1000.0, periods=600) == [10.0]  # five periods count as watched


# -- curve


@pytest.mark.parametrize(
    ("outside", "x", "y", "status"),
    [
        ("hold", 0.0, 0.0, GOOD),
        ("hold", 1.0, 5.0, GOOD),
        ("hold", 2.0, 10.0, GOOD),
        ("hold", 3.5, 25.0, GOOD),
        ("hold", 5.0, 40.0, GOOD),
        ("hold", 6.0, 40.0, UNCERTAIN_EU_EXCEEDED),
        ("hold", -1.0, 0.0, UNCERTAIN_EU_EXCEEDED),
        ("extend", 6.0, 50.0, GOOD),
        ("extend", -1.0, -5.0, GOOD),
    ],
)
def test_the_curve(outside: str, x: float, y: float, status: int) -> None:
    rig = make("characteriser", outside=outside)
    assert run(rig, x) == [pytest.approx(y)]
    assert rig.status("t/B") == status


@given(
    st.lists(st.tuples(st.integers(-100, 100), VALUES), min_size=2, max_size=8, unique_by=lambda p: p[0]),
    st.floats(-100, 100),
)
def test_the_curve_goes_through_its_points_and_stays_between_neighbours(
    points: list[tuple[int, float]], x: float
) -> None:
    points.sort()
    rig = make("characteriser", curve=[list(point) for point in points])
    assert run(rig, *(float(point[0]) for point in points)) == [point[1] for point in points]
    (y,) = run(rig, x)
    left = max((p for p in points if p[0] <= x), default=points[0])
    right = min((p for p in points if p[0] >= x), default=points[-1])
    assert min(left[1], right[1]) - 1e-6 <= y <= max(left[1], right[1]) + 1e-6


def test_a_curve_that_turns_back_is_refused() -> None:
    with pytest.raises(ValueError, match="rising x"):
        make("characteriser", curve=[[0.0, 1.0], [0.0, 2.0]])


# -- ratio


def test_ratio() -> None:
    rig = make("ratio")
    assert run(rig, 10.0) == [6.0]
    assert rig.write("t/B/RATIO", 2.5) == "t/B/RATIO is limited to 0.0 … 2.0"
    assert rig.write("t/B/RATIO", math.nan) == "t/B takes a number for RATIO only"
    assert rig.write("t/B/RATIO", 2.0) is None
    assert run(rig, 10.0) == [21.0]
    assert rig.get("t/B/RATIO") == 2.0
    again = make("ratio")
    again.restore(rig.retained())
    assert run(again, 10.0) == [21.0]


@pytest.mark.parametrize(
    ("low", "high", "wanted", "taken"),
    [
        (0.0, 2.0, 0.0, True),
        (0.0, 2.0, -0.1, False),
        (None, 2.0, -9.0, True),
        (0.0, None, 9.0, True),
        (None, 2.0, 2.1, False),
    ],
)
def test_limits_of_the_ratio(low: float | None, high: float | None, wanted: float, taken: bool) -> None:
    rig = make("ratio", low=low, high=high)
    assert (rig.write("t/B/RATIO", wanted) is None) is taken
    run(rig, 1.0)
    assert rig.get("t/B/RATIO") == (wanted if taken else 0.5)


def test_a_kept_ratio_acts_at_once() -> None:
    rig = make("ratio", ramp=0.1, bias=0.0)
    rig.restore({"t/B": {"ratio": 2.0}})
    assert run(rig, 10.0) == [20.0]
    rig.restore({"t/B": {"ratio": 9.0}})  # beyond today's limits
    assert run(rig, 10.0) == [20.0]


def test_the_ratio_moves_at_its_speed() -> None:
    rig = make("ratio", ramp=0.1, bias=0.0)
    rig.write("t/B/RATIO", 1.0)
    assert run(rig, 10.0, 10.0) == pytest.approx([6.0, 7.0])
    assert run(rig, *[10.0] * 5)[-1] == 10.0


# -- all of them


@pytest.mark.parametrize("kind", sorted(MAKE))
@given(steps=st.lists(st.tuples(st.floats(), st.sampled_from([GOOD, GOOD, BAD_SENSOR_FAILURE])), max_size=20))
def test_nothing_but_numbers_leaves_a_block(kind: str, steps: list[tuple[float, int]]) -> None:
    rig = make(kind)
    for value, status in steps:
        rig.set("t/X", value, status)
        rig.scan()
        assert math.isfinite(rig.get("t/B"))
        if kind != "dead_time":
            assert is_good(rig.status("t/B")) <= (status == GOOD and math.isfinite(value))
    rig.set("t/X", 1.0)
    rig.scan(8)
    assert rig.status("t/B") == GOOD


@pytest.mark.parametrize("kind", sorted(set(MAKE) - {"dead_time"}))
def test_a_bad_input_holds_and_its_return_is_no_jump(kind: str) -> None:
    rig = make(kind)
    last = run(rig, 1.0, 1.0, 1.0)[-1]
    rig.set("t/X", 1e6, BAD_SENSOR_FAILURE)
    rig.scan(50)
    assert (rig.get("t/B"), rig.status("t/B")) == (last, BAD_SENSOR_FAILURE)
    assert run(rig, 1.0) == [pytest.approx(last)]
    assert rig.status("t/B") == GOOD


@pytest.mark.parametrize("kind", ["filter", "lead_lag", "rate_limit"])
def test_a_restart_goes_on_and_a_late_one_begins_anew(kind: str) -> None:
    rig = make(kind)
    run(rig, 0.0, 10.0)
    following = run(make_again(rig, kind), 10.0)[0]
    assert 0.0 < following < 10.0 or kind == "lead_lag"
    assert run(make_again(rig, kind, fresh=False), 10.0)[0] == (20.0 if kind == "lead_lag" else 10.0)


def make_again(rig: Rig, kind: str, *, fresh: bool = True) -> Rig:
    again = make(kind)
    again.restore(rig.retained(), fresh=fresh)
    return again


@pytest.mark.parametrize("kind", sorted(MAKE))
def test_a_result_is_a_new_sample_when_its_input_is(kind: str) -> None:
    rig = make(kind)
    run(rig, *[1.0] * 8)
    slot = rig.binder.index["t/B"]
    before = rig.signals.time_ns[slot]
    rig.scan()
    assert rig.signals.time_ns[slot] == before or kind == "dead_time"
    run(rig, *[1.0] * 4)
    assert rig.signals.time_ns[slot] > before


def test_beyond_all_numbers_is_bad_and_heals() -> None:
    rig = make("lead_lag", lead_ns=100 * SECOND, lag_ns=SECOND, gain=10.0)
    run(rig, 0.0, 1e308)
    assert rig.status("t/B") == BAD_OUT_OF_RANGE
    assert run(rig, 1.0) == [10.0]
