from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hmi.decimate import close_runs, cut, hold, keep, merge_gaps

SPAN = 10_000


@st.composite
def series(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    value = st.one_of(st.just(np.nan), st.sampled_from([-1e6, 0.0, 0.5, 3.0]), st.floats(-1e6, 1e6))
    samples = draw(st.lists(st.tuples(st.integers(0, SPAN - 1), value), max_size=50))
    samples.sort(key=lambda sample: sample[0])
    t = np.array([sample[0] for sample in samples], np.int64)
    return t, np.array([sample[1] for sample in samples], np.float64)


@given(series(), st.integers(1, 12))
def test_keeps_the_extremes_in_order_and_not_too_many(
    data: tuple[np.ndarray, np.ndarray], points: int
) -> None:
    t, v = data
    index = keep(t, v, 0, SPAN, points)
    assert np.all(np.diff(index) > 0)
    assert len(index) <= max(5 * points, points)
    if len(t) <= points:
        assert len(index) == len(t)
    good = v[~np.isnan(v)]
    if len(good):
        kept = v[index]
        assert np.nanmax(kept) == good.max()
        assert np.nanmin(kept) == good.min()
        numbers = np.flatnonzero(~np.isnan(v))
        assert numbers[0] in index
        assert numbers[-1] in index


@given(series(), st.integers(1, 12))
def test_every_pixel_shows_its_own_extremes(data: tuple[np.ndarray, np.ndarray], points: int) -> None:
    t, v = data
    index = keep(t, v, 0, SPAN, points)
    pixel = np.clip((t.astype(float) * points / SPAN).astype(int), 0, points - 1)
    for p in range(points):
        inside = v[pixel == p]
        if np.isnan(inside).all():
            continue
        kept = v[index[pixel[index] == p]]
        assert np.nanmax(kept) == np.nanmax(inside)
        assert np.nanmin(kept) == np.nanmin(inside)


@given(series(), st.integers(1, 12))
def test_a_pixel_with_only_bad_samples_stays_a_gap(data: tuple[np.ndarray, np.ndarray], points: int) -> None:
    t, v = data
    index = keep(t, v, 0, SPAN, points)
    pixel = np.clip((t.astype(float) * points / SPAN).astype(int), 0, points - 1)
    for p in range(points):
        inside = v[pixel == p]
        if len(inside) and np.isnan(inside).all():
            assert np.isnan(v[index[pixel[index] == p]]).any()


@given(series())
def test_merging_gaps_leaves_the_numbers_alone(data: tuple[np.ndarray, np.ndarray]) -> None:
    t, v = data
    _, merged = merge_gaps(t, v)
    assert np.array_equal(merged[~np.isnan(merged)], v[~np.isnan(v)])
    nan = np.isnan(merged)
    assert not np.any(nan[1:] & nan[:-1])


@given(series(), st.integers(1, 500))
def test_holding_adds_only_values_that_stood(data: tuple[np.ndarray, np.ndarray], after: int) -> None:
    t, v = data
    t2, v2 = hold(t, v, after, 1)
    assert np.all(np.diff(t2) >= 0)
    assert set(v2[~np.isnan(v2)]) == set(v[~np.isnan(v)])


def test_a_rest_is_drawn_flat_and_then_the_step() -> None:
    t, v = hold(np.array([0, 1000]), np.array([1.0, 5.0]), 30, 10)
    assert t.tolist() == [0, 990, 1000]
    assert v.tolist() == [1.0, 1.0, 5.0]


def test_bad_is_not_held() -> None:
    t, _ = hold(np.array([0, 1000]), np.array([np.nan, 5.0]), 30, 10)
    assert t.tolist() == [0, 1000]


def test_silence_longer_than_the_tag_allows_is_a_gap() -> None:
    t, v = cut(np.array([0, 100, 1000]), np.array([1.0, 2.0, 3.0]), 150)
    assert t.tolist() == [0, 100, 250, 1000]
    assert np.isnan(v[2])


@given(series())
def test_no_longest_silence_no_gap(data: tuple[np.ndarray, np.ndarray]) -> None:
    t, v = cut(*data, 0)
    assert np.array_equal(t, data[0])
    assert np.array_equal(v, data[1], equal_nan=True)


def test_a_value_reaches_as_far_as_it_was_good() -> None:
    t, v = close_runs(np.array([0, 100, 200]), np.array([1.0, np.nan, 3.0]), 1)
    assert t.tolist() == [0, 99, 100, 200]
    assert v[:2].tolist() == [1.0, 1.0]


@given(series(), st.integers(0, 100))
def test_closing_runs_keeps_order_and_values(data: tuple[np.ndarray, np.ndarray], lead: int) -> None:
    t, v = close_runs(*data, lead)
    assert np.all(np.diff(t) >= 0)
    assert set(v[~np.isnan(v)]) == set(data[1][~np.isnan(data[1])])
    assert np.isnan(v).sum() == np.isnan(data[1]).sum()
