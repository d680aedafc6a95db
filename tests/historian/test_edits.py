"""Edits as they are laid over samples: pure, against the simplest model of what they mean."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from historian.edits import Overlay, before, collapse, read
from historian.edits.overlay import EXTRA_DATA
from historian.settled import Columns

Pair = tuple[int, int]


class Change(NamedTuple):
    old: Columns
    new: Columns


def columns(pairs: list[Pair], status: int = 0) -> Columns:
    t = np.array([t for t, _ in pairs], np.int64)
    bits = np.array([bits for _, bits in pairs], np.uint64)
    return Columns(t, bits, np.full(len(pairs), status, np.uint32))


def pairs(found: Columns) -> list[Pair]:
    return list(zip(found.t.tolist(), found.bits.tolist(), strict=True))


class Stored:
    """Samples as a store has them, by time, then as they came."""

    def __init__(self, samples: list[Pair]) -> None:
        self.samples = sorted(samples, key=lambda pair: pair[0])

    def range(self, start: int, end: int, limit: int) -> tuple[Columns, bool]:
        found = [pair for pair in self.samples if start <= pair[0] < end]
        return columns(found[:limit]), len(found) > limit

    def before(self, start: int) -> Columns:
        return columns([pair for pair in self.samples if pair[0] < start][-1:])


PAIRS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=25)
CHANGES = st.lists(st.tuples(PAIRS, PAIRS), max_size=5)


def overlay_of(changes: list[tuple[list[Pair], list[Pair]]]) -> Overlay:
    return collapse(Change(columns(sorted(old)), columns(sorted(new))) for old, new in changes)


def expected(stored: Stored, changes: list[tuple[list[Pair], list[Pair]]]) -> list[Pair]:
    """Each edit takes away all that stands at the times of its old samples, and puts its new ones last."""
    hidden: set[int] = set()
    added: list[Pair] = []
    for old, new in changes:
        times = {t for t, _ in old}
        hidden |= times
        added = [pair for pair in added if pair[0] not in times] + sorted(new, key=lambda p: p[0])
        added.sort(key=lambda pair: pair[0])
    shown = [pair for pair in stored.samples if pair[0] not in hidden]
    return sorted(shown + added, key=lambda pair: pair[0])


@given(PAIRS, CHANGES, st.integers(0, 40), st.integers(0, 45), st.integers(1, 12))
def test_a_range_is_as_the_edits_say(
    samples: list[Pair], changes: list[tuple[list[Pair], list[Pair]]], start: int, length: int, limit: int
) -> None:
    changes = [(old, sorted(new)) for old, new in changes]
    stored, overlay = Stored(samples), overlay_of(changes)
    wanted = [pair for pair in expected(stored, changes) if start <= pair[0] < start + length]
    found, more = read(stored.range, overlay, start, start + length, limit)
    assert pairs(found) == wanted[: len(found.t)]
    assert len(found.t) == min(limit, len(wanted))
    assert more or len(wanted) <= limit
    if more:
        assert len(found.t) == limit
    one = before(stored.range, stored.before, overlay, start)
    assert pairs(one) == [pair for pair in expected(stored, changes) if pair[0] < start][-1:]


@given(PAIRS, CHANGES, st.integers(1, 7))
def test_pages_make_the_whole(
    samples: list[Pair], changes: list[tuple[list[Pair], list[Pair]]], limit: int
) -> None:
    changes = [(old, sorted(new)) for old, new in changes]
    stored, overlay = Stored(samples), overlay_of(changes)
    wanted, found, start, skip = expected(stored, changes), list[Pair](), 0, 0
    for _ in range(200):
        page, more = read(stored.range, overlay, start, 50, limit + skip)
        found += pairs(page)[skip:]
        if not more:
            break
        last = int(page.t[-1])
        skip = int((page.t == last).sum())
        start = last
    assert found == wanted


def test_a_long_time_of_hidden_samples_is_left_in_steps() -> None:
    stored = Stored([(t, 1) for t in range(10_000)])
    hidden = [(t, 1) for t in range(3, 10_000)]
    overlay = overlay_of([(hidden, [])])
    asked = 0

    def last_before(start: int) -> Columns:
        nonlocal asked
        asked += 1
        return columns(stored.samples[max(0, start - 1) : start])

    assert pairs(before(stored.range, last_before, overlay, 10_000)) == [(2, 1)]
    assert asked < 8


def test_what_hides_a_sample_says_so() -> None:
    overlay = overlay_of([([(5, 1)], [(5, 2), (6, 3)])])
    assert overlay.added.status.tolist() == [EXTRA_DATA, 0]
    assert overlay.times.tolist() == [5, 6]
    low, high = np.array([0, 5, 6, 7]), np.array([4, 5, 9, 9])
    assert overlay.touches(low, high).tolist() == [False, True, True, False]


def test_no_edits_are_nothing() -> None:
    overlay = collapse([])
    assert len(overlay) == 0
    assert overlay.touches(np.array([0]), np.array([9])).tolist() == [False]
    stored = Stored([(1, 1), (2, 2)])
    assert pairs(read(stored.range, overlay, 0, 9, 5)[0]) == [(1, 1), (2, 2)]
    assert pairs(before(stored.range, stored.before, overlay, 2)) == [(1, 1)]
