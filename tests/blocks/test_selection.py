"""Selector and voting: every combination of values and qualities against a plain reference."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tags.quality import (
    BAD_NO_COMMUNICATION,
    BAD_SENSOR_FAILURE,
    GOOD,
    UNCERTAIN_EU_EXCEEDED,
    UNCERTAIN_LAST_USABLE,
    is_good,
)
from tests.blocks.rig import SECOND, Rig, block

INPUTS = ("t/A", "t/B", "t/C", "t/D")
REFERENCE: dict[str, Callable[[list[float]], float]] = {
    "min": min,
    "max": max,
    "median": statistics.median,
    "average": statistics.fmean,
    "first": lambda values: values[0],
}


def select(kind: str, count: int = 3, least: int = 1) -> Rig:
    config = {"inputs": list(INPUTS[:count]), "kind": kind, "least": least}
    one = block("t/S", "select", "USED SELECTED", at_path="OUT", **config)
    return Rig([one], {path: {} for path in INPUTS}, SECOND)


@given(
    st.sampled_from(sorted(REFERENCE)),
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.booleans()), min_size=2, max_size=4),
    st.integers(1, 4),
)
def test_select_equals_the_reference(kind: str, given_: list[tuple[float, bool]], least: int) -> None:
    least = min(least, len(given_))
    rig = select(kind, len(given_), least)
    for path, (value, good) in zip(INPUTS, given_, strict=False):
        rig.set(path, value, GOOD if good else BAD_SENSOR_FAILURE)
    rig.scan()
    usable = [value for value, good in given_ if good]
    assert rig.get("t/S/USED") == len(usable)
    if len(usable) < least:
        assert (rig.get("t/S"), rig.status("t/S"), rig.get("t/S/SELECTED")) == (0.0, BAD_SENSOR_FAILURE, 0)
        return
    assert rig.get("t/S") == pytest.approx(REFERENCE[kind](usable), rel=1e-12, abs=1e-9)
    assert rig.status("t/S") == GOOD
    selected = rig.get("t/S/SELECTED")
    if selected:
        assert given_[selected - 1] == (rig.get("t/S"), True)


def test_one_broken_transmitter_of_three_moves_the_median_by_nothing() -> None:
    rig = select("median")
    for value, broken in itertools.product((10.0, 10.2), (-1e6, 0.0, 1e6, math.nan)):
        rig.set("t/A", value)
        rig.set("t/B", 10.1)
        rig.set("t/C", broken)
        rig.scan()
        assert 10.0 <= rig.get("t/S") <= 10.2


def test_a_selection_is_a_new_sample_when_any_input_is() -> None:
    rig = select("min")
    for path in INPUTS[:3]:
        rig.set(path, 1.0)
    rig.scan()
    slot = rig.binder.index["t/S"]
    for new in ("", *INPUTS):
        before = rig.signals.time_ns[slot]
        if new:
            rig.set(new, 1.0)
        rig.scan()
        assert (rig.signals.time_ns[slot] > before) is (new in INPUTS[:3])


def test_the_worst_quality_and_the_first_of_equals() -> None:
    rig = select("max", least=3)
    rig.set("t/A", 2.0)
    rig.set("t/B", 2.0, UNCERTAIN_EU_EXCEEDED)
    rig.set("t/C", 1.0)
    rig.scan()
    assert (rig.get("t/S/SELECTED"), rig.status("t/S")) == (1, GOOD)
    rig.set("t/A", 1.0)
    rig.scan()
    assert (rig.get("t/S/SELECTED"), rig.status("t/S")) == (2, UNCERTAIN_EU_EXCEEDED)
    rig.set("t/A", 0.0, BAD_SENSOR_FAILURE)
    rig.set("t/C", 0.0, UNCERTAIN_LAST_USABLE)
    rig.scan()
    assert (rig.get("t/S"), rig.status("t/S"), rig.get("t/S/USED")) == (2.0, BAD_SENSOR_FAILURE, 1)


def test_main_and_reserve() -> None:
    rig = select("first", 2)
    rig.set("t/A", 1.0)
    rig.set("t/B", 2.0)
    rig.scan()
    assert (rig.get("t/S"), rig.get("t/S/SELECTED")) == (1.0, 1)
    rig.set("t/A", 1.0, BAD_SENSOR_FAILURE)
    rig.scan()
    assert (rig.get("t/S"), rig.get("t/S/SELECTED"), rig.status("t/S")) == (2.0, 2, GOOD)
    rig.set("t/B", 2.0, BAD_SENSOR_FAILURE)
    rig.scan()
    assert (rig.get("t/S"), rig.get("t/S/SELECTED"), rig.status("t/S")) == (2.0, 0, BAD_SENSOR_FAILURE)


def test_a_sum_beyond_all_numbers_is_bad() -> None:
    rig = select("average", 2)
    rig.set("t/A", 1.7e308)
    rig.set("t/B", 1.7e308)
    rig.scan()
    assert not is_good(rig.status("t/S"))


def test_more_than_there_are_cannot_be_wanted() -> None:
    with pytest.raises(ValueError, match="3 of 2 inputs"):
        select("min", 2, least=3)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="none of min, max"):
        select("mean")


# -- voting


def vote(need: int = 2, count: int = 3, on_bad: str = "vote", disagree_s: int = 3) -> Rig:
    config = {
        "inputs": list(INPUTS[:count]),
        "need": need,
        "on_bad": on_bad,
        "disagree_ns": disagree_s * SECOND,
    }
    one = block("t/V", "vote", "VOTES DISAGREE", at_path="Q", **config)
    return Rig([one], {path: {"type": "bool"} for path in INPUTS}, SECOND)


@pytest.mark.parametrize("on_bad", ["vote", "abstain"])
@pytest.mark.parametrize(
    ("need", "count"), [(need, count) for count in (2, 3, 4) for need in range(1, count + 1)]
)
def test_every_combination(need: int, count: int, on_bad: str) -> None:
    for states in itertools.product((True, False, None), repeat=count):
        rig = vote(need, count, on_bad)
        for path, state in zip(INPUTS, states, strict=False):
            rig.set(path, bool(state), BAD_SENSOR_FAILURE if state is None else GOOD)
        rig.scan()
        true, bad = states.count(True), states.count(None)
        votes = true + bad if on_bad == "vote" else true
        assert rig.get("t/V/VOTES") == votes
        if on_bad == "abstain" and count - bad < need:
            assert (rig.get("t/V"), rig.status("t/V")) == (False, UNCERTAIN_LAST_USABLE)
        else:
            assert (rig.get("t/V"), rig.status("t/V")) == (votes >= need, GOOD)


def test_disagreement_takes_its_time() -> None:
    rig = vote()
    for path in INPUTS[:3]:
        rig.set(path, False)
    rig.scan(5)
    assert rig.get("t/V/DISAGREE") is False
    rig.set("t/A", True)
    rig.scan(3)
    assert rig.get("t/V/DISAGREE") is False
    rig.scan()
    assert (rig.get("t/V/DISAGREE"), rig.get("t/V")) == (True, False)
    rig.set("t/A", False)
    rig.scan()
    assert rig.get("t/V/DISAGREE") is False


def test_a_device_that_goes_away_and_comes_back_trips_nothing() -> None:
    rig = vote()
    rig.scan(3)
    assert (rig.get("t/V"), rig.status("t/V"), rig.get("t/V/VOTES")) == (False, UNCERTAIN_LAST_USABLE, 0), (
        "not read yet"
    )
    for path in INPUTS[:3]:
        rig.set(path, False)
        rig.scan()
        assert (rig.get("t/V"), rig.status("t/V")) == (False, GOOD), "they are read one after the other"
    for path in INPUTS[:3]:
        rig.set(path, False, BAD_NO_COMMUNICATION)
    rig.scan(10)
    assert (rig.get("t/V"), rig.status("t/V"), rig.get("t/V/DISAGREE")) == (
        False,
        UNCERTAIN_LAST_USABLE,
        False,
    )
    for path in INPUTS[:3]:
        rig.set(path, False, UNCERTAIN_LAST_USABLE)
    rig.scan()
    assert (rig.get("t/V"), rig.status("t/V")) == (False, GOOD)


def test_one_device_of_three_that_is_away_weakens_no_protection() -> None:
    rig = vote()
    for path in INPUTS[:3]:
        rig.set(path, False)
    rig.scan()
    rig.set("t/C", False, BAD_NO_COMMUNICATION)
    rig.scan(10)
    assert (rig.get("t/V"), rig.get("t/V/VOTES"), rig.get("t/V/DISAGREE")) == (False, 1, False)
    rig.set("t/A", True)
    rig.scan()
    assert rig.get("t/V") is True


def test_a_stale_input_votes_as_it_did_last() -> None:
    rig = vote()
    for path, value in zip(INPUTS[:3], (True, False, False), strict=True):
        rig.set(path, value)
    rig.scan()
    rig.set("t/A", False, UNCERTAIN_LAST_USABLE)
    rig.set("t/B", True)
    rig.scan()
    assert (rig.get("t/V"), rig.get("t/V/VOTES")) == (True, 2)


def test_the_last_decision_survives_a_restart_until_inputs_can_vote() -> None:
    rig = vote(on_bad="abstain")
    rig.set("t/A", True)
    rig.set("t/B", True)
    rig.set("t/C", True)
    rig.scan()
    again = vote(on_bad="abstain")
    again.restore(rig.retained())
    again.scan()
    assert (again.get("t/V"), again.status("t/V")) == (True, UNCERTAIN_LAST_USABLE)


@pytest.mark.parametrize("need", [0, 4])
def test_more_or_fewer_votes_than_can_be_are_refused(need: int) -> None:
    with pytest.raises(ValueError, match=f"{need} out of 3"):
        vote(need)


def test_without_a_time_disagreement_shows_at_once() -> None:
    rig = vote(disagree_s=0)
    rig.set("t/A", True)
    rig.set("t/B", False)
    rig.set("t/C", False)
    rig.scan()
    assert rig.get("t/V/DISAGREE") is True
    rig.set("t/A", False)
    rig.scan()
    assert rig.get("t/V/DISAGREE") is False
