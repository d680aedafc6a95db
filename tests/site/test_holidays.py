"""Dates and calendar files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tags.site.holidays import CalendarError, date, from_ics
from tests.site.helpers import make_folder, problems_of

ICS = """BEGIN:VCALENDAR\r
VERSION:2.0\r
BEGIN:VEVENT\r
SUMMARY:A very long name that \r
 goes on\r
DTSTART;VALUE=DATE:20261224\r
DTEND;VALUE=DATE:20261227\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART;TZID=Europe/Madrid:20270106T000000\r
DTEND;TZID=Europe/Madrid:20270107T000000\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20200501\r
RRULE:FREQ=YEARLY;INTERVAL=1\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20260101\r
STATUS:CANCELLED\r
END:VEVENT\r
END:VCALENDAR\r
"""


def test_days_of_a_calendar_file() -> None:
    assert from_ics(ICS.encode()) == ["--05-01", "2026-12-24", "2026-12-25", "2026-12-26", "2027-01-06"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("BEGIN:VCALENDAR", "X:Y", "is not a calendar"),
        ("20261224", "20261324", "line 6: '20261324' is not a date"),
        ("20261227", "20251227", "line 7: the event ends before it begins"),
        ("INTERVAL=1", "INTERVAL=2", "line 15: RRULE:FREQ=YEARLY;INTERVAL=2 is not understood"),
        ("DTSTART;VALUE=DATE:20200501\r\n", "", "an event has no DTSTART"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(old: str, new: str, said: str) -> None:
    with pytest.raises(CalendarError, match=said.replace("(", r"\(").replace(";", ".")):
        from_ics(ICS.replace(old, new).encode())


@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200).map(lambda text: ICS.replace("20261227", text).encode()),
    )
)
def test_no_file_does_more_than_be_refused(content: bytes) -> None:
    try:
        days = from_ics(content)
    except CalendarError:
        return
    assert days == sorted(set(days))


@pytest.mark.parametrize(
    ("text", "found"),
    [("2026-12-25", "2026-12-25"), ("12-25", "--12-25"), ("02-29", "--02-29"), ("13-01", None), ("x", None)],
)
def test_dates(text: str, found: str | None) -> None:
    assert date(text) == found


def test_a_site_reads_the_file_that_it_names(tmp_path: Path) -> None:
    text = """
schedules:
  office: {weekdays: {"06:30": occupied}, otherwise: unoccupied, holidays: [madrid.ics, 12-25, 2026-13-01, sevilla.ics]}
  shop: {weekdays: {"06:30": occupied}, otherwise: unoccupied, holidays: madrid.ics}
"""
    folder = make_folder(tmp_path / "site", {"case.yaml": text})
    (folder / "madrid.ics").write_text(ICS.replace("FREQ=YEARLY", "FREQ=MONTHLY"))
    found = [line.partition(": schedule ")[2] for line in problems_of(folder)]
    assert found == [
        "office: madrid.ics: line 15: RRULE:FREQ=MONTHLY;INTERVAL=1 is not understood; only FREQ=YEARLY is. Correct it, or write the dates here.",
        "office: '2026-13-01' is not a date. Write 2026-12-25, 12-25 for each year, or a file such as madrid.ics.",
        "office: there is no calendar 'sevilla.ics' in the site. Put it beside case.yaml.",
        "shop: madrid.ics: line 15: RRULE:FREQ=MONTHLY;INTERVAL=1 is not understood; only FREQ=YEARLY is. Correct it, or write the dates here.",
    ]
    (folder / "madrid.ics").write_text(ICS)
    assert len(problems_of(folder)) == 2
