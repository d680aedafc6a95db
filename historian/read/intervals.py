"""Intervals: of one length, or days, weeks, months and shifts in the civil time of a place."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from historian.read.signal import Mask, Times

COUNT_MAX: Final = 100_000
CALENDAR: Final = ("day", "week", "month", "shift")
SHIFTS: Final = ("06:00", "14:00", "22:00")
_DAY: Final = dt.timedelta(days=1)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Grid:
    """Intervals without gaps between them.

    Attributes:
        edges: UTC, ns, rising, shape (n + 1,); interval i is `[edges[i], edges[i + 1])`.
        cut: Which of them the asked range cuts short, shape (n,).
    """

    edges: Times
    cut: Mask


def fixed(start_ns: int, end_ns: int, length_ns: int, origin_ns: int | None = None) -> Grid:
    """Intervals of one length; the last one ends with the range.

    Args:
        start_ns: UTC, ns. The first interval begins here.
        end_ns: UTC, ns.
        length_ns: Of an interval, ns.
        origin_ns: Intervals begin at whole lengths from this time, before or after it; None for the start.

    Raises:
        ValueError: Empty range, no length, or too many intervals.
    """
    _check(start_ns, end_ns)
    if length_ns <= 0:
        raise ValueError("an interval must be longer than nothing")
    if (end_ns - start_ns) / length_ns > COUNT_MAX:
        raise ValueError(f"more than {COUNT_MAX} intervals; ask for longer ones or a shorter time")
    first = start_ns if origin_ns is None else start_ns + (origin_ns - start_ns) % length_ns
    inner = np.arange(first, end_ns, length_ns, dtype=np.int64)
    edges = np.unique(np.concatenate(([start_ns], inner, [end_ns])).astype(np.int64))
    return Grid(edges, np.diff(edges) < length_ns)


def civil(start_ns: int, end_ns: int, every: str, zone: str, shifts: Sequence[str] = SHIFTS) -> Grid:
    """Days, weeks, months or shifts as the clock on the wall has them, with days of 23 and 25 hours.

    Args:
        start_ns: UTC, ns. The first interval begins here, the last one ends at `end_ns`.
        end_ns: UTC, ns.
        every: `day`, `week` (from Monday), `month` or `shift`.
        zone: IANA name of the time zone.
        shifts: When shifts begin, `HH:MM` local time. A time that the clock skips or repeats is taken as the first
            instant at which it, or the time after it, is shown.

    Raises:
        ValueError: Empty range, unknown name, no time of day, or too many intervals.
    """
    _check(start_ns, end_ns)
    if every not in CALENDAR:
        raise ValueError(f"{every!r} is no interval: one of {', '.join(CALENDAR)}, or a length")
    if (end_ns - start_ns) / 86_400e9 > COUNT_MAX / 24:
        raise ValueError(f"more than {COUNT_MAX // 24} days; ask for a shorter time")
    try:
        times = sorted(dt.time.fromisoformat(text) for text in shifts) if every == "shift" else [dt.time()]
    except ValueError:
        raise ValueError(f"shifts begin at times such as 06:00, not at {', '.join(shifts)}") from None
    if not times or any(time.tzinfo for time in times):
        raise ValueError("shifts begin at times of the place such as 06:00")
    place = ZoneInfo(zone)
    marks = np.unique(
        np.fromiter(
            (_instant(day, time, place) for day in _days(start_ns, end_ns, every, place) for time in times),
            np.int64,
        )
    )
    inner = marks[(marks > start_ns) & (marks < end_ns)]
    cut = np.zeros(len(inner) + 1, np.bool_)
    cut[0] |= start_ns not in marks
    cut[-1] |= end_ns not in marks
    return Grid(np.concatenate(([start_ns], inner, [end_ns])).astype(np.int64), cut)


def _check(start_ns: int, end_ns: int) -> None:
    if end_ns <= start_ns:
        raise ValueError("the end is not after the start")


def _days(start_ns: int, end_ns: int, every: str, place: ZoneInfo) -> Iterator[dt.date]:
    """Local days that touch the range and begin what is asked for."""
    day = (_EPOCH + dt.timedelta(microseconds=start_ns // 1000)).astimezone(place).date() - _DAY
    last = (_EPOCH + dt.timedelta(microseconds=end_ns // 1000)).astimezone(place).date() + _DAY
    for number in range((last - day).days + 1):
        found = day + number * _DAY
        if every not in {"week", "month"} or (found.weekday() == 0 if every == "week" else found.day == 1):
            yield found


def _instant(day: dt.date, time: dt.time, place: ZoneInfo) -> int:
    """UTC ns of a local time; of a repeated one the first, of a skipped one the moment of the jump."""
    local = dt.datetime.combine(day, time, place)
    utc = local.astimezone(dt.UTC)
    if utc.astimezone(place).replace(tzinfo=None) != local.replace(tzinfo=None):
        # Skipped: with fold=1 the offset after the jump is used, which gives an instant before it.
        before = local.replace(fold=1).astimezone(dt.UTC)
        utc = _jump(before, utc, place)
    whole = (utc - _EPOCH) // dt.timedelta(seconds=1)
    return whole * 1_000_000_000 + utc.microsecond * 1000


def _jump(before: dt.datetime, after: dt.datetime, place: ZoneInfo) -> dt.datetime:
    """The second at which the offset changes between two UTC times."""
    old = before.astimezone(place).utcoffset()
    low, high = 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if (before + dt.timedelta(seconds=middle)).astimezone(place).utcoffset() == old:
            low = middle
        else:
            high = middle
    return before + dt.timedelta(seconds=high)
