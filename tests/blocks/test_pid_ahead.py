"""Feed-forward and gain schedule of the PID: what they add, and that they never bump."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.blocks.base import LOCAL
from tags.quality import BAD_SENSOR_FAILURE
from tests.blocks.rig import SECOND, Rig, pid

TAGS: dict[str, dict[str, Any]] = {
    "t/PV": {"range": (0.0, 100.0)},
    "t/OUT": {"range": (0.0, 200.0)},
    "t/FT": {},
    "t/X": {},
}
FEED = {"feedforward": {"input": "t/FT", "gain": 3.0}}
SCHEDULE = {"gain_schedule": {"input": "t/X", "curve": [[0.0, 0.5], [10.0, 1.0], [20.0, 4.0]]}}


def make(ahead: dict[str, Any], **config: Any) -> Rig:
    rig = Rig([pid(out_high=200.0, **ahead, **config)], TAGS, SECOND)
    rig.set("t/FT", 10.0)
    rig.set("t/X", 10.0)
    rig.ready(**{"t/OUT": 60.0})
    return rig


def sample(rig: Rig, pv: float = 50.0) -> float:
    rig.set("t/PV", pv)
    rig.scan()
    return float(rig.applied("t/OUT"))


def test_feed_forward_acts_before_an_error_shows() -> None:
    rig = make(FEED)
    assert [sample(rig), sample(rig)] == [60.0, 60.0], (
        "it takes over what is applied, whatever is fed forward"
    )
    rig.set("t/FT", 14.0)
    assert sample(rig) == pytest.approx(60.0 + 3.0 * 4.0)
    rig.set("t/FT", 9.0, BAD_SENSOR_FAILURE)
    assert sample(rig) == pytest.approx(72.0), "the last usable one"
    rig.set("t/FT", 10.0)
    assert sample(rig) == pytest.approx(60.0)


def test_a_perfect_feed_forward_leaves_nothing_to_the_integral() -> None:
    """A plant pv' = out / 2 - load: with gain 2 the load is met before the PV moves."""
    pv = {}
    for name, ahead in (("with", {"feedforward": {"input": "t/FT", "gain": 2.0}}), ("without", {})):
        rig, level, worst = make(ahead, gain=1.0), 50.0, 0.0
        rig.set("t/FT", 30.0)
        for n in range(200):
            load = 30.0 if n < 20 else 45.0
            rig.set("t/FT", load)
            out = sample(rig, level)
            level += (out / 2 - load) * 0.1
            worst = max(worst, abs(level - 50.0))
        pv[name] = worst
    assert pv["with"] < 0.05
    assert pv["without"] > 2.0


@given(st.lists(st.tuples(st.floats(-5, 30), st.floats(0, 100)), min_size=1, max_size=30))
def test_another_gain_never_moves_the_output_by_itself(steps: list[tuple[float, float]]) -> None:
    rig = make(SCHEDULE, ti_ns=0)  # without an integral that goes on: only the error may move the output
    out = sample(rig, 40.0)
    for x, _ in steps:
        rig.set("t/X", x)
        assert sample(rig, 40.0) == pytest.approx(out, abs=1e-6)


@pytest.mark.parametrize(
    ("x", "factor"), [(-3.0, 0.5), (0.0, 0.5), (5.0, 0.75), (10.0, 1.0), (15.0, 2.5), (40.0, 4.0)]
)
def test_the_scheduled_gain_acts(x: float, factor: float) -> None:
    rig = make(SCHEDULE, ti_ns=0, gain=1.0)
    rig.set("t/X", x)
    before = sample(rig, 50.0)
    assert sample(rig, 45.0) - before == pytest.approx(2.0 * 5.0 * factor)  # 5 % of the PV, 2 units a percent
    rig.set("t/X", 0.0, BAD_SENSOR_FAILURE)
    before = sample(rig, 45.0)
    assert sample(rig, 44.0) - before == pytest.approx(2.0 * factor), "the last usable one"


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.floats(-100, 100), st.floats(-5, 30), st.booleans()), max_size=30
    )
)
def test_coming_back_never_bumps(steps: list[tuple[float, float, float, bool]]) -> None:
    rig = make(FEED | SCHEDULE, td_ns=SECOND)
    sample(rig)
    local = False
    for pv, feed, x, away in steps:
        rig.set("t/FT", feed)
        rig.set("t/X", x)
        rig.gates["t/OUT"] = LOCAL if away else 0
        before = float(rig.applied("t/OUT"))
        after = sample(rig, pv)
        assert 0.0 <= after <= 200.0
        if local and not away:
            assert after == pytest.approx(before, abs=0.2)  # 0.1 % of the range
        local = away
