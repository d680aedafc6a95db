"""Every order of answers: what is fine arrives in order, what is poison is put aside, nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from historian.sinks.delivery import GROW_AFTER, WAIT_MAX_S, Action, Delivery, Pace, decide

LATER = [0, 302, 401, 403, 404, 405, 408, 429, 500, 502, 503, 504]


@pytest.mark.parametrize("status", LATER)
@pytest.mark.parametrize("rows", [1, 5000])
def test_what_says_nothing_about_the_rows_keeps_them(status: int, rows: int) -> None:
    assert decide(status, rows) is Action.KEEP


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refusal_is_narrowed_down_to_one_row(status: int) -> None:
    assert decide(status, 2) is Action.SPLIT
    assert decide(status, 1) is Action.PUT_ASIDE


def test_a_request_that_was_dropped_as_a_whole_is_put_aside_as_a_whole() -> None:
    assert decide(400, 5000, 5000) is Action.PUT_ASIDE
    assert decide(422, 5000, 5000) is Action.PUT_ASIDE
    assert decide(400, 5000, 4999) is Action.SPLIT
    assert decide(413, 5000, 5000) is Action.SPLIT
    assert decide(503, 5000, 5000) is Action.KEEP


@given(
    rows=st.integers(0, 300),
    poison=st.sets(st.integers(0, 299)),
    refusal=st.sampled_from([400, 422]),
    counts=st.booleans(),
    largest=st.integers(1, 100),
    batch=st.integers(1, 200),
    troubles=st.lists(st.sampled_from([*LATER, None]), max_size=50),
)
def test_all_is_delivered_in_order_but_poison(
    rows: int,
    poison: set[int],
    refusal: int,
    counts: bool,
    largest: int,
    batch: int,
    troubles: list[int | None],
) -> None:
    delivery, pace = Delivery(0, rows), Pace(batch)
    stored: list[int] = []
    aside: list[int] = []
    requests = 0
    while (span := delivery.next(pace.size)) is not None:
        wanted = range(*span)
        assert 0 < len(wanted) <= batch
        trouble = troubles.pop() if troubles else None
        if trouble is not None:
            status = trouble
        elif len(wanted) > largest:
            status = 413
        elif poison & set(wanted):
            status = refusal
        else:
            status = 204
        requests += 1
        wait = pace.learn(status, len(wanted))
        dropped = len(poison & set(wanted)) if counts and status == refusal else 0
        action = delivery.answer(status, dropped)
        assert (wait > 0) == (action is Action.KEEP)
        if action is Action.ADVANCE:
            stored += wanted
        elif action is Action.PUT_ASIDE:
            aside += wanted
    assert stored == [row for row in range(rows) if row not in poison]
    assert aside == sorted(poison & set(range(rows)))
    assert requests <= 50 + 2 * rows + 20


def test_it_waits_longer_and_longer_up_to_a_bound_and_as_long_as_asked() -> None:
    pace = Pace(10)
    waits = [pace.learn(503, 10) for _ in range(20)]
    assert waits[:4] == [0.5, 1.0, 2.0, 4.0]
    assert waits[-1] == WAIT_MAX_S
    assert pace.learn(429, 10, 120.0) == 120.0
    assert pace.learn(204, 10) == 0.0
    assert pace.learn(503, 10) == 0.5


def test_after_413_requests_stay_small_and_grow_again() -> None:
    pace = Pace(1000)
    pace.learn(413, 1000)
    assert pace.size == 500
    for _ in range(GROW_AFTER):
        pace.learn(204, 500)
    assert pace.size == 1000
