"""Holidays: dates as they are written, and calendar files (iCalendar, RFC 5545)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Final

DAYS_MAX: Final = 10_000
_LONGEST: Final = 366
_YEARLY: Final = re.compile(r"(\d\d)-(\d\d)")
_DATE: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(T\d{6}Z?)?")
_IN_STEP: Final = ("INTERVAL=1", "WKST=")


class CalendarError(ValueError):
    """A calendar file says something that is not understood; the message names the line."""


def date(text: str) -> str | None:
    """A date as `Block.config["calendar"]` has it: `2026-12-25`, or `--12-25` for each year; None for anything else."""
    yearly = _YEARLY.fullmatch(text)
    try:
        if yearly:
            dt.date(2024, int(yearly[1]), int(yearly[2]))  # a year that has 29 February
            return f"--{text}"
        return dt.date.fromisoformat(text).isoformat()
    except ValueError:
        return None


def from_ics(content: bytes) -> list[str]:
    """The days that the events of a calendar file cover, sorted.

    An event with `RRULE:FREQ=YEARLY` counts each year; other repetitions are refused.

    Raises:
        CalendarError: It is no calendar, or a line cannot be understood.
    """
    try:
        lines = list(_unfolded(content.decode("utf-8-sig")))
    except UnicodeDecodeError:
        raise CalendarError("is not UTF-8 text") from None
    if not any(line.upper() == "BEGIN:VCALENDAR" for _, line in lines):
        raise CalendarError("is not a calendar: BEGIN:VCALENDAR is missing")
    found: set[str] = set()
    event: dict[str, tuple[int, str]] | None = None
    for number, line in lines:
        name, _, value = line.partition(":")
        key = name.partition(";")[0].upper()
        if (key, value.upper()) == ("BEGIN", "VEVENT"):
            event = {}
        elif (key, value.upper()) == ("END", "VEVENT"):
            if event is not None:
                found.update(_days(event, number))
            event = None
        elif event is not None:
            event.setdefault(key, (number, value.strip()))
        if len(found) > DAYS_MAX:
            raise CalendarError(f"line {number}: more than {DAYS_MAX} days")
    return sorted(found)


def _unfolded(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; one that begins with a blank goes on with the last."""
    begun, whole = 1, ""
    for number, line in enumerate(text.splitlines(), 1):
        if line[:1] in (" ", "\t"):
            whole += line[1:]
            continue
        if whole:
            yield begun, whole
        begun, whole = number, line
    if whole:
        yield begun, whole


def _days(event: dict[str, tuple[int, str]], line: int) -> list[str]:
    if event.get("STATUS", (0, ""))[1].upper() == "CANCELLED":
        return []
    if "DTSTART" not in event:
        raise CalendarError(f"line {line}: an event has no DTSTART")
    first = _date(*event["DTSTART"])
    last = first
    if "DTEND" in event:
        number, text = event["DTEND"]
        end = _date(number, text)
        if not 0 <= (end - first).days <= _LONGEST:
            raise CalendarError(f"line {number}: the event ends before it begins, or lasts more than a year")
        # At midnight it ends before that day.
        whole = "T" not in text or text.rstrip("Z").endswith("T000000")
        last = max(first, end - dt.timedelta(days=1)) if whole else end
    yearly = False
    if "RRULE" in event:
        number, rule = event["RRULE"]
        parts = [part for part in rule.upper().split(";") if part and not part.startswith(_IN_STEP)]
        if parts != ["FREQ=YEARLY"]:
            raise CalendarError(f"line {number}: RRULE:{rule} is not understood; only FREQ=YEARLY is")
        yearly = True
    days = [first + dt.timedelta(days=i) for i in range((last - first).days + 1)]
    return [f"--{day:%m-%d}" if yearly else day.isoformat() for day in days]


def _date(number: int, text: str) -> dt.date:
    match = _DATE.fullmatch(text)
    try:
        if match:
            return dt.date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        pass
    raise CalendarError(f"line {number}: {text!r} is not a date such as 20261225")
