"""The nights in which clocks are changed: a simulation spends a third of its time in each of them."""

from __future__ import annotations

import datetime as dt
from typing import Final
from zoneinfo import ZoneInfo

YEAR: Final = 2026
_HOUR: Final = dt.timedelta(hours=1)
_NOON: Final = dt.datetime(YEAR, 6, 15, 12, tzinfo=dt.UTC)


def changes(timezone: str, year: int = YEAR) -> list[dt.datetime]:
    """The moments of a year, UTC, at which the civil time of a zone jumps; two in most of Europe, none in many zones."""
    zone = ZoneInfo(timezone)
    found = []
    moment = dt.datetime(year, 1, 1, tzinfo=dt.UTC)
    offset = moment.astimezone(zone).utcoffset()
    while moment.year == year:
        moment += _HOUR
        now = moment.astimezone(zone).utcoffset()
        if now != offset:
            found.append(moment)
            offset = now
    return found


def parts(timezone: str, hours: float) -> list[tuple[str, int, float]]:
    """How a simulation of so many hours is divided.

    Returns:
        (name, wall clock at its beginning in ns UTC, hours) of each part; each change is in the middle of its part.
    """
    nights = changes(timezone)
    share = hours / (len(nights) + 1)
    found = [
        (f"clocks change on {moment.astimezone(ZoneInfo(timezone)):%Y-%m-%d}", _ns(moment) - round(share * 1800e9), share)
        for moment in nights
    ]  # fmt: skip
    return [*found, (f"from {_NOON:%Y-%m-%d %H:%M} UTC", _ns(_NOON), share)]


def _ns(moment: dt.datetime) -> int:
    return round(moment.timestamp()) * 1_000_000_000
