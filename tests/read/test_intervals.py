from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from historian.read import civil, fixed

HOUR = 3_600_000_000_000
MADRID = "Europe/Madrid"


def ns(text: str, zone: str = MADRID) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1_000_000_000


def hours(
    start: str, end: str, every: str = "day", shifts: tuple[str, ...] = ("06:00", "14:00", "22:00")
) -> list[float]:
    edges = civil(ns(start), ns(end), every, MADRID, shifts).edges
    return [float(length) for length in np.diff(edges) / HOUR]


def test_days_have_23_and_25_hours() -> None:
    assert hours("2026-03-28", "2026-03-31") == [24, 23, 24]
    assert hours("2026-10-24", "2026-10-27") == [24, 25, 24]


def test_the_night_shift_bears_the_change() -> None:
    assert hours("2026-03-28T22:00", "2026-03-29T22:00", "shift") == [7, 8, 8]
    assert hours("2026-10-24T22:00", "2026-10-25T22:00", "shift") == [9, 8, 8]


def test_a_shift_that_begins_in_the_hour_that_is_skipped_or_repeated() -> None:
    assert hours("2026-03-29", "2026-03-30", "shift", ("00:00", "02:30", "03:00")) == [2, 21]
    assert hours("2026-10-25", "2026-10-26", "shift", ("00:00", "02:30", "03:00")) == [2.5, 1.5, 21]


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    assert hours("2026-03-23", "2026-04-06", "week") == [167, 168]
    assert hours("2026-02-01", "2026-05-01", "month") == [28 * 24, 31 * 24 - 1, 30 * 24]


def test_what_the_range_cuts_is_marked() -> None:
    grid = civil(ns("2026-05-01T12:00"), ns("2026-05-04"), "day", MADRID)
    assert grid.cut.tolist() == [True, False, False]
    assert civil(ns("2026-05-01T12:00"), ns("2026-05-01T13:00"), "day", MADRID).cut.tolist() == [True]
    assert fixed(3, 12, 4, 100).edges.tolist() == [3, 4, 8, 12]
    assert fixed(3, 12, 4, -100).cut.tolist() == [True, False, False]
    assert fixed(5, 6, 4, 0).edges.tolist() == [5, 6]
    assert fixed(0, 10, 4).edges.tolist() == [0, 4, 8, 10]
    assert fixed(0, 10, 4).cut.tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: fixed(5, 5, 1), "not after"),
        (lambda: fixed(0, 5, 0), "longer than nothing"),
        (lambda: fixed(0, 10**9, 1), "more than 100000"),
        (lambda: civil(0, HOUR, "hour", MADRID), "'hour' is no interval: one of day"),
        (lambda: civil(0, HOUR, "shift", MADRID, ("6 o'clock",)), "shifts begin at times such as 06:00"),
        (lambda: civil(0, HOUR, "shift", MADRID, ()), "shifts begin"),
        (lambda: civil(0, 10**9 * HOUR, "day", MADRID), "more than"),
    ],
)
def test_what_cannot_be_is_refused(ask: object, message: str) -> None:
    assert callable(ask)
    with pytest.raises(ValueError, match=message):
        ask()


@given(
    start=st.integers(0, 2 * 10**9),
    days=st.integers(1, 400),
    zone=st.sampled_from(
        [MADRID, "UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"]
    ),
)
def test_days_begin_at_midnight_wherever_there_is_one(start: int, days: int, zone: str) -> None:
    edges = civil(start * 10**9, (start + days * 86_400) * 10**9, "day", zone).edges
    assert (np.diff(edges) > 0).all()
    assert (np.diff(edges) <= 25 * HOUR).all()
    for edge in edges[1:-1].tolist():
        local = dt.datetime.fromtimestamp(edge // 10**9, ZoneInfo(zone))
        before = dt.datetime.fromtimestamp(edge // 10**9 - 1, ZoneInfo(zone))
        assert local.date() != before.date()
