from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from historian.read import NAMES, Grid, Signal, aggregate, at
from tags import quality
from tests.read.slow import Rules, S, Sample, course, interval
from tests.support.examples import examples

STATUSES = [
    quality.GOOD,
    quality.GOOD,
    quality.GOOD,
    quality.UNCERTAIN,
    quality.BAD_NO_COMMUNICATION,
    0x809D_0000,
]
SAMPLES = st.lists(
    st.builds(
        Sample,
        st.integers(0, 40),
        st.one_of(st.integers(-3, 3).map(float), st.just(math.nan)),
        st.sampled_from(STATUSES),
    ),
    max_size=12,
).map(lambda samples: sorted(samples, key=lambda sample: sample.t))
RULES = st.builds(
    Rules,
    st.booleans(),
    st.sampled_from([0, 5, 9]),
    st.sampled_from([0, 3]),
    st.sampled_from([1, 2]),
    st.booleans(),
)
EDGES = st.lists(st.integers(-2, 45), min_size=2, max_size=6, unique=True).map(sorted)
COMPARED = [name for name in interval([], Rules(), 0, 0, 1) if name != "percent"]


def signal(samples: list[Sample], rules: Rules) -> Signal:
    return Signal(
        np.array([sample.t * S for sample in samples], np.int64),
        np.array([sample.v for sample in samples], np.float64),
        np.array([sample.status for sample in samples], np.uint32),
        stepped=rules.stepped,
        longest_ns=rules.longest * S,
        rest_ns=rules.rest * S,
        ramp_ns=rules.ramp * S,
    )


def grid(edges: list[int]) -> Grid:
    return Grid(np.array(edges, np.int64) * S, np.zeros(len(edges) - 1, np.bool_))


@pytest.mark.parametrize("name", COMPARED)
@examples(40)
@given(samples=SAMPLES, rules=RULES, edges=EDGES, now=st.integers(0, 50))
def test_every_aggregate_is_what_paper_says(
    name: str, samples: list[Sample], rules: Rules, edges: list[int], now: int
) -> None:
    found = aggregate(
        signal(samples, rules), grid(edges), name, now * S, uncertain=rules.uncertain, state=2.0
    )
    for i, (start, end) in enumerate(itertools.pairwise(edges)):
        wanted = interval(samples, rules, now, start, end)
        value = float(found.value[i])
        if name == "count" and math.isnan(value):
            assert wanted["count"] == 0
        elif wanted[name] is None:
            # An instant can be all that is known of an interval.
            assert math.isnan(value) or wanted["sample-min"] is not None
        elif not math.isnan(value):
            assert value == pytest.approx(wanted[name], abs=1e-9)
        else:
            assert found.status[i] & 0xFFFF_0000 == quality.BAD_NO_DATA
            assert wanted["min"] is None
        assert found.percent_good[i] == pytest.approx(wanted["percent"])
        assert found.count[i] == wanted["count"]
        assert math.isnan(value) == (found.status[i] >> 31 == 1)


@given(samples=SAMPLES, rules=RULES, now=st.integers(0, 50))
def test_at_a_time_is_what_paper_says(samples: list[Sample], rules: Rules, now: int) -> None:
    times = list(range(-2, 50))
    values, codes = at(
        signal(samples, rules), np.array(times, np.int64) * S, now * S, uncertain=rules.uncertain
    )
    last = max(now, samples[-1].t) if samples else now
    for time, value, code in zip(times, values.tolist(), codes.tolist(), strict=True):
        if time == last:
            continue  # the very end: still known, no longer held
        wanted = course(samples, rules, now, time, time)
        assert math.isnan(value) == (wanted is None)
        if wanted is not None:
            assert value == pytest.approx(wanted)
            assert code >> 31 == 0


@examples(40)
@given(samples=SAMPLES, rules=RULES, edges=EDGES, now=st.integers(0, 50))
def test_totals_of_parts_are_the_total_of_the_whole(
    samples: list[Sample], rules: Rules, edges: list[int], now: int
) -> None:
    whole = [edges[0], edges[-1]]
    for name in ("integral", "counter", "number-of-transitions", "duration-good", "time-in-state", "count"):
        parts, one = (
            aggregate(signal(samples, rules), grid(some), name, now * S, state=1.0) for some in (edges, whole)
        )
        assert np.nansum(parts.value) == pytest.approx(np.nansum(one.value), abs=1e-9)


@examples(40)
@given(samples=SAMPLES, rules=RULES, edges=EDGES, now=st.integers(0, 50))
def test_every_name_answers(samples: list[Sample], rules: Rules, edges: list[int], now: int) -> None:
    for name in NAMES:
        found = aggregate(signal(samples, rules), grid(edges), name, now * S, state=0.0)
        assert len(found) == len(edges) - 1
        assert ((found.percent_good >= 0) & (found.percent_good <= 100 + 1e-9)).all()
