"""Periodic and swinging door: what they keep, and the error that a line between kept samples has."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from historian.policy import Policy
from historian.store import BAD_DATA_LOST, SAMPLE
from tags.model import History, Tag
from tests.historian.contract import LEVEL, RUN, TAGS, rows

NOTHING = np.empty(0, SAMPLE)
SECOND = 10**9
BAD = 1 << 31
Rows = npt.NDArray[np.void]
Sample = tuple[int, int, float, int]

DOOR = History(policy="swinging door", deviation=0.5)
EVERY = History(policy="periodic", period_ns=10)


def tags_with(history: History) -> list[Tag]:
    return [dataclasses.replace(tag, history=history) for tag in TAGS.values()]


def policy(history: History, last: Rows = NOTHING, memory: bytes = b"") -> Policy:
    return Policy(tags_with(history), last, memory)


def of(kept: Rows, tag: int = LEVEL) -> list[tuple[int, float, int]]:
    mine = kept[kept["tag"] == tag]
    values = mine["bits"].copy().view(np.float64)
    return [(int(t), float(v), int(s)) for t, v, s in zip(mine["t"], values, mine["status"], strict=True)]


def put(p: Policy, *samples: Sample) -> list[tuple[int, float, int]]:
    found = rows(*samples)
    return of(p.keep(found, found["t"].copy()))


def values(*pairs: tuple[int, float]) -> list[Sample]:
    return [(LEVEL, t, v, 0) for t, v in pairs]


# Swinging door


def test_a_straight_line_is_its_two_ends() -> None:
    p = policy(DOOR)
    assert put(p, *values(*((t, t * 0.3) for t in range(50)))) == [(0, 0.0, 0)]
    assert put(p, *values((50, 99.0))) == [(49, 49 * 0.3, 0)]


def test_what_is_not_good_or_no_number_is_kept_with_its_neighbours() -> None:
    p = policy(DOOR)
    found = put(p, (LEVEL, 1, 1.0, 0), (LEVEL, 2, 1.1, 0), (LEVEL, 3, 1.1, BAD), (LEVEL, 4, 1.2, 0))
    assert [t for t, _, _ in found] == [1, 2, 3, 4]
    found = put(
        p, (LEVEL, 5, 1.2, 0), (LEVEL, 6, float("nan"), 0), (LEVEL, 7, float("inf"), 0), (LEVEL, 8, 1.0, 0)
    )
    assert [t for t, _, _ in found] == [5, 6, 7, 8]


def test_late_samples_are_kept_as_they_are() -> None:
    p = policy(DOOR)
    put(p, *values((10, 1.0), (20, 1.0)))
    late = rows((LEVEL, 15, 3.0, 0))
    assert of(p.keep(late, np.array([12]))) == [(15, 3.0, 0)]
    assert put(p, *values((15, 3.0), (20, 1.0))) == [(15, 3.0, 0)]  # the second repeats the newest
    assert put(p, *values((30, 1.0), (40, 9.0))) == [(30, 1.0, 0)]


def test_a_sample_at_least_each_longest_gap() -> None:
    p = policy(dataclasses.replace(DOOR, max_gap_ns=100))
    found = put(p, *values(*((t, 1.0) for t in range(0, 1000, 10))))
    assert max(b[0] - a[0] for a, b in pairwise(found)) <= 100
    assert len(found) < 30


def test_due_keeps_the_newest_even_if_it_is_the_one_held() -> None:
    p = policy(dataclasses.replace(DOOR, max_gap_ns=100))
    put(p, *values((0, 1.0), (50, 1.0)))
    assert p.due(99).tolist() == []
    assert p.due(100).tolist() == [LEVEL]
    assert of(p.take(rows((LEVEL, 50, 1.0, 0)), 100)) == [(50, 1.0, 0)]
    assert of(p.take(rows((LEVEL, 50, 1.0, 0)), 100)) == []
    assert of(p.take(rows((LEVEL, 160, 1.0, 0)), 160)) == [(160, 1.0, 0)]


def test_samples_of_a_clock_that_was_ahead_keep_nothing_silent() -> None:
    p = policy(dataclasses.replace(DOOR, max_gap_ns=100))
    put(p, *values((5000, 1.0), (5050, 1.0)))  # the clock is set back afterwards
    assert p.due(60).tolist() == [LEVEL]
    assert of(p.take(rows((LEVEL, 60, 1.0, 0)), 60)) == [(5050, 1.0, 0), (60, 1.0, 0)]
    assert p.due(60).tolist() == []
    assert p.due(160).tolist() == [LEVEL]


def test_a_loss_keeps_what_was_held_and_the_mark() -> None:
    p = policy(DOOR)
    put(p, *values((0, 1.0), (50, 1.2)))
    assert of(p.lost(np.array([LEVEL], np.uint32), 70)) == [(50, 1.2, 0), (70, 1.2, BAD_DATA_LOST)]
    assert put(p, *values((80, 1.2))) == [(80, 1.2, 0)]


def test_a_door_that_is_taken_away_leaves_nothing_behind() -> None:
    p = policy(DOOR)
    kept = put(p, *values((0, 1.0), (50, 1.2)))
    assert kept == [(0, 1.0, 0)]
    after = policy(History(), rows((LEVEL, 0, 1.0, 0)), p.memory())
    assert put(after, *values((60, 1.4))) == [(50, 1.2, 0), (60, 1.4, 0)]
    assert policy(History()).memory() == b""


SIGNAL = st.lists(
    st.tuples(
        st.integers(1, 400),
        st.one_of(st.floats(-3, 3), st.floats(-1e6, 1e6), st.just(float("nan"))),
        st.sampled_from([0, 0, 0, 0, BAD]),
    ),
    max_size=60,
)


def timed(signal: Sequence[tuple[int, float, int]]) -> list[Sample]:
    t, found = 0, []
    for step, value, status in signal:
        t += step
        found.append((LEVEL, t, value, status))
    return found


@given(SIGNAL, st.sampled_from([0, 500]))
def test_no_sample_is_missed_by_more_than_the_deviation(
    signal: list[tuple[int, float, int]], gap: int
) -> None:
    samples = timed(signal)
    p = policy(dataclasses.replace(DOOR, max_gap_ns=gap))
    kept = put(p, *samples)
    kept += [
        (int(row["t"]), float(row["v"]), int(row["status"])) for row in np.frombuffer(p.memory()[1:], MEMORY)
    ]
    assert [t for t, _, _ in kept] == sorted({t for t, _, _ in kept})
    times = np.array([t for t, _, _ in kept])
    for _, t, value, status in samples:
        after = int(np.searchsorted(times, t))
        if after < len(times) and times[after] == t:
            assert kept[after][2] == status
            continue
        one, two = kept[after - 1], kept[after]
        assert one[2] == two[2] == status
        line = one[1] + (two[1] - one[1]) * (t - one[0]) / (two[0] - one[0])
        assert abs(line - value) <= 0.5 * (1 + 1e-9) + 1e-9 * max(1.0, abs(value))


MEMORY = np.dtype(
    [("tag", "<u4"), ("status", "<u4"), ("t", "<i8"), ("bits", "<u8"), ("v", "<f8"), ("rest", "V32")]
)


@given(SIGNAL, SIGNAL, st.integers(0, 120), st.booleans())
def test_in_batches_or_after_a_crash_it_is_the_same(
    one: list[tuple[int, float, int]], two: list[tuple[int, float, int]], cut: int, crash: bool
) -> None:
    other = [(RUN, t, value, status) for _, t, value, status in timed(two)]
    samples = sorted(timed(one) + other, key=lambda sample: sample[1])
    history = dataclasses.replace(DOOR, max_gap_ns=700)
    whole, parts = policy(history), policy(history)
    expected = whole.keep(rows(*samples), np.array([s[1] for s in samples], np.int64))
    first, second = rows(*samples[:cut]), rows(*samples[cut:])
    kept = parts.keep(first, first["t"].copy())
    if crash:
        newest = {int(row["tag"]): row for row in kept}
        last = np.array(list(newest.values()), SAMPLE) if newest else NOTHING
        parts = policy(history, last, parts.memory())
    kept = np.concatenate((kept, parts.keep(second, second["t"].copy())))
    for tag in (LEVEL, RUN):
        np.testing.assert_equal(of(kept, tag), of(expected, tag))  # NaN equals NaN here
    assert parts.memory() == whole.memory()


# Periodic


def flushed(p: Policy, now: int) -> list[tuple[int, float, int]]:
    return of(p.flush(now + SECOND))


def test_the_value_at_each_multiple_and_the_first_sample() -> None:
    p = policy(EVERY)
    assert put(p, *values((3, 1.0), (7, 2.0), (10, 3.0), (11, 4.0), (35, 5.0))) == [
        (3, 1.0, 0),
        (10, 3.0, 0),
        (20, 4.0, 0),
        (30, 4.0, 0),
    ]
    assert flushed(p, 40) == [(40, 5.0, 0)]
    assert flushed(p, 49) == []
    assert flushed(p, 61) == [(50, 5.0, 0), (60, 5.0, 0)]


def test_a_change_of_quality_is_kept_at_once_and_bad_is_not_repeated() -> None:
    p = policy(EVERY)
    found = put(p, (LEVEL, 3, 1.0, 0), (LEVEL, 14, 1.0, BAD), (LEVEL, 16, 1.0, BAD))
    assert found == [(3, 1.0, 0), (10, 1.0, 0), (14, 1.0, BAD)]
    assert flushed(p, 50) == []
    assert put(p, (LEVEL, 55, 2.0, 0)) == [(55, 2.0, 0)]
    assert flushed(p, 60) == [(60, 2.0, 0)]


def test_it_goes_on_after_what_is_stored() -> None:
    p = policy(EVERY, rows((LEVEL, 20, 1.0, 0)))
    assert put(p, *values((20, 1.0))) == []
    assert put(p, *values((44, 2.0))) == [(30, 1.0, 0), (40, 1.0, 0)]


def test_nothing_is_owed_for_a_time_that_was_lost() -> None:
    p = policy(EVERY)
    put(p, *values((3, 1.0)))
    assert of(p.lost(np.array([LEVEL], np.uint32), 25)) == [
        (10, 1.0, 0),
        (20, 1.0, 0),
        (25, 1.0, BAD_DATA_LOST),
    ]
    assert flushed(p, 90) == []
    assert put(p, *values((95, 2.0))) == [(95, 2.0, 0)]


@pytest.mark.parametrize("step", [86_400 * SECOND, -3600 * SECOND])
def test_a_clock_that_is_set_owes_nothing_for_the_step(step: int) -> None:
    start = 10**18
    p = policy(dataclasses.replace(EVERY, period_ns=SECOND))
    put(p, *values((start, 1.0)))
    assert len(flushed(p, start + 5 * SECOND)) == 5
    p.stepped(step)
    assert flushed(p, start + step + 8 * SECOND) == [(start + step + i * SECOND, 1.0, 0) for i in (6, 7, 8)]


def test_an_absurd_debt_is_a_mark() -> None:
    p = policy(EVERY)
    put(p, *values((3, 1.0)))
    assert flushed(p, 10**17) == [(10, 1.0, BAD_DATA_LOST)]


@given(
    st.lists(st.tuples(st.integers(1, 40), st.floats(-3, 3), st.sampled_from([0, 0, BAD])), max_size=30),
    st.integers(0, 30),
    st.integers(0, 60),
)
def test_at_each_multiple_stands_what_was_true_then(
    signal: list[tuple[int, float, int]], cut: int, more: int
) -> None:
    samples = timed(signal)
    p = policy(EVERY)
    kept = put(p, *samples[:cut]) + put(p, *samples[cut:])
    end = (samples[-1][1] if samples else 0) + more
    kept += flushed(p, end)
    expected, status = {}, None
    for number, (_, t, value, now) in enumerate(samples):
        if now != status:
            expected[t] = (t, value, now)
        status = now
        until = samples[number + 1][1] if number + 1 < len(samples) else end + 1
        if now == 0:
            expected |= {m: (m, value, 0) for m in range(-(-t // 10) * 10, until, 10)}
    assert [t for t, _, _ in kept] == sorted({t for t, _, _ in kept})
    assert {row[0]: row for row in kept} == expected
