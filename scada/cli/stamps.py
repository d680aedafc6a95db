"""Times of samples as people write them: to the digit that they can see."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final, NamedTuple

from scada.cli.options import parse_time

_FRACTION: Final = re.compile(r"(\d\d:\d\d:\d\d)\.(\d{1,9})")
_SECOND: Final = 1_000_000_000


class Stamp(NamedTuple):
    """A time and how exactly it is known: start <= t < end, UTC, ns."""

    start: int
    end: int


def parse_stamp(text: str, now_ns: int, zone: str) -> Stamp:
    """The times that somebody may mean: of `12:00:00.25Z` all that begin so, 10 ms; without a fraction a second.

    Args:
        text: As for `parse_time`, with up to nine digits behind the second.
        now_ns: UTC, ns.
        zone: IANA name of the site's time zone.
    """
    found = _FRACTION.search(text)
    if found is None:
        start = parse_time(text, now_ns, zone)
        return Stamp(start, start + (1 if text.strip() == "now" else _SECOND))
    whole = parse_time(_FRACTION.sub(r"\1", text), now_ns, zone)
    unit: int = 10 ** (9 - len(found[2]))
    start = whole + int(found[2]) * unit
    return Stamp(start, start + unit)


def exact(utc_ns: int) -> str:
    """ISO 8601 in UTC with all digits that are not 0, at least milliseconds."""
    seconds, rest = divmod(utc_ns, _SECOND)
    digits = f"{rest:09d}"
    while len(digits) > 3 and digits.endswith("000"):
        digits = digits[:-3]
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%dT%H:%M:%S}.{digits}Z"
