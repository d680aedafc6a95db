"""Times and lengths as a caller writes them in a query. Pure."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final
from zoneinfo import ZoneInfo

from scada.client import CALENDAR
from tags import units

FORMS: Final = "UTC in ms, -2h, now, 2026-11-22T13:00 (time of the site) or 2026-11-22T12:00:00Z"
LENGTHS: Final = "10min, 1h, …, ms, or day, week, month, shift of the site"
_NUMBER: Final = re.compile(r"\d{1,13}")
_BACK: Final = re.compile(r"-\s*(.+)")
_MS: Final = 1_000_000
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def moment(text: str, now_ns: int, zone: str) -> int:
    """UTC, ns, of one of `FORMS`.

    Args:
        text: As it was written.
        now_ns: UTC, ns.
        zone: IANA name of the site's time zone.

    Raises:
        ValueError: It is none.
    """
    words = text.strip()
    if words == "now":
        return now_ns
    if _NUMBER.fullmatch(words):
        return int(words) * _MS
    if back := _BACK.fullmatch(words):
        return max(0, now_ns - _duration(back[1]))
    try:
        # A plus sign in a query is a blank to most libraries: `…+01:00` comes as `… 01:00`.
        stamp = dt.datetime.fromisoformat(re.sub(r" (\d\d:\d\d)$", r"+\1", words) if "T" in words else words)
    except ValueError:
        raise ValueError(f"{text!r} is no time: {FORMS}") from None
    if not 1970 < stamp.year < 2262:  # what 64 bits of ns since 1970 hold, in any zone
        raise ValueError(f"{text!r}: the year is not between 1971 and 2261")
    if stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=ZoneInfo(zone))
    return (stamp - _EPOCH) // dt.timedelta(microseconds=1) * 1000


def length(text: str) -> int | str:
    """A length in ns, of one of `LENGTHS`, or the name of a civil interval.

    Raises:
        ValueError: It is none.
    """
    words = text.strip()
    if words in CALENDAR:
        return words
    return int(words) * _MS if _NUMBER.fullmatch(words) else _duration(words)


def _duration(text: str) -> int:
    try:
        found = units.duration_ns(re.sub(r"(?<=\d)m$", "min", text.strip()))
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no length: {LENGTHS}") from None
    if not 0 < found < 2**62:
        raise ValueError(f"{text!r} is no length that can be used")
    return found
