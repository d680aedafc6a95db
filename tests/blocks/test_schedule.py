"""The calendar against a walk through every minute, and the override of a schedule."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from scada.blocks.calendar import DAY_S, Calendar
from tests.blocks.rig import SECOND, Rig, block

MONDAY = dt.date(2026, 11, 23)
OFFICE = {
    "periods": [[day, 6 * 3600, "occupied"] for day in range(5)] + [[day, 18 * 3600, "unoccupied"] for day in range(5)],
    "otherwise": "unoccupied",
    "holidays": ["--12-25", "2026-11-25"],
}  # fmt: skip

periods = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 47).map(lambda n: n * 1800), st.sampled_from("abc")),
    max_size=12,
    unique_by=lambda period: period[:2],
)


@given(periods, st.sampled_from("abc"), st.integers(0, 47), st.integers(0, 9), st.sets(st.integers(0, 9)), st.integers(0, 8 * 48))  # fmt: skip
@example(
    [(4, 0, "b"), (5, 0, "b")], "a", 0, 4, set(), 48
)  # midnight is between two periods of the same state
def test_when_a_state_begins_next(
    given_periods: list[tuple[int, int, str]],
    otherwise: str,
    half: int,
    start: int,
    off: set[int],
    within: int,
) -> None:
    days = [MONDAY + dt.timedelta(days=i) for i in range(20)]
    calendar = Calendar(
        {"periods": given_periods, "otherwise": otherwise, "holidays": [days[i].isoformat() for i in off]}
    )
    for state in "abc":
        expected = None
        for n in range(within + 1):
            day, second = divmod(half * 1800 + n * 1800, DAY_S)
            date = days[start + day]
            if calendar.level(date.weekday(), second, date.isoformat()) == state:
                expected = n * 1800
                break
        date = days[start]
        assert (
            calendar.until(state, date.weekday(), half * 1800, date.isoformat(), within * 1800) == expected
        ), state


def test_holidays_of_each_year() -> None:
    calendar = Calendar(OFFICE)
    assert calendar.level(4, 43_200, "2026-12-25") == "unoccupied"
    assert calendar.level(5, 43_200, "2027-12-24") == "unoccupied"
    assert calendar.level(0, 43_200, "2028-12-24") == "occupied"
    assert calendar.level(2, 43_200, "2026-11-25") == "unoccupied"
    assert calendar.until("occupied", 1, 19 * 3600, "2026-11-24", 7 * DAY_S) == 35 * 3600, (
        "Wednesday is a holiday"
    )
    assert calendar.until("occupied", 1, 19 * 3600, "2026-11-24", DAY_S) is None


def overridden(**config: Any) -> Rig:
    settings: dict[str, Any] = {
        "calendar": OFFICE, "target": "t/SP", "values": {"occupied": 21.0, "unoccupied": 17.0},
        "override_max_ns": 3600 * SECOND, **config,
    }  # fmt: skip
    rig = Rig([block("t/S", "schedule", "STATE OVERRIDE LEFT", **settings)], {"t/SP": {}}, SECOND)
    rig.ready(**{"t/SP": 17.0})
    rig.second_of_day = 20 * 3600
    rig.scan()
    return rig


def test_an_override_stands_for_its_time() -> None:
    rig = overridden()
    assert (rig.get("t/S/STATE"), rig.applied("t/SP"), rig.get("t/S/OVERRIDE")) == (1, 17.0, 0)
    assert rig.write("t/S/OVERRIDE", 1) is None
    rig.scan()
    assert (rig.get("t/S/STATE"), rig.applied("t/SP"), rig.get("t/S/LEFT")) == (0, 21.0, 3599.0)
    assert rig.write("t/S/LEFT", 10.0) is None
    rig.scan(9)
    assert (rig.get("t/S/OVERRIDE"), rig.get("t/S/LEFT")) == (1, 1.0)
    rig.scan()
    assert (rig.get("t/S/STATE"), rig.applied("t/SP"), rig.get("t/S/OVERRIDE")) == (1, 17.0, 0)
    assert rig.events[-1]["message"] == "the override has ended"


def test_an_override_can_be_ended_and_is_bounded() -> None:
    rig = overridden()
    assert "not overridden" in str(rig.write("t/S/LEFT", 10.0))
    rig.write("t/S/OVERRIDE", 1)
    rig.scan()
    assert "0 … 3600 s" in str(rig.write("t/S/LEFT", 3601.0))
    assert "no such state" in str(rig.write("t/S/OVERRIDE", 3))
    assert rig.write("t/S/OVERRIDE", 0) is None
    rig.scan()
    assert (rig.get("t/S/STATE"), rig.get("t/S/LEFT")) == (1, 0.0)
    assert overridden(override_max_ns=0).write("t/S/OVERRIDE", 1) is not None


def test_an_override_survives_a_short_stop_only() -> None:
    rig = overridden()
    rig.write("t/S/OVERRIDE", 1)
    rig.scan(100)
    kept = rig.retained()
    for fresh in (True, False):
        again = overridden()
        again.restore(kept, fresh=fresh)
        again.scan()
        assert again.get("t/S/OVERRIDE") == (1 if fresh else 0)
        assert again.get("t/S/LEFT") == (3499.0 if fresh else 0.0)
    shorter = overridden(override_max_ns=60 * SECOND)
    shorter.restore(kept)
    shorter.scan()
    assert shorter.get("t/S/LEFT") == 59.0, "the site's bound of today counts"
