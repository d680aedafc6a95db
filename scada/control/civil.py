"""Civil time of the site, for schedules: part of the tick, so that a replay needs no time zone database."""

from __future__ import annotations

import importlib
import zoneinfo
from datetime import datetime
from pathlib import Path

from scada.blocks.base import Tick

_SECOND_NS = 1_000_000_000


class Civil:
    """Makes ticks in the site's time zone.

    Args:
        timezone: IANA name.
        period_ns: Scan period, ns.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: There is no such zone on this machine.
    """

    def __init__(self, timezone: str, period_ns: int) -> None:
        self._zone = zoneinfo.ZoneInfo(timezone)
        self._period_ns = period_ns
        self._second = -1
        self._civil = (0, 0, "")
        self.version = tz_version()

    def tick(self, number: int, periods: int, utc_ns: int) -> Tick:
        """The time of one scan."""
        second = utc_ns // _SECOND_NS
        if second != self._second:
            local = datetime.fromtimestamp(second, self._zone)
            self._second = second
            of_day = local.hour * 3600 + local.minute * 60 + local.second
            self._civil = local.weekday(), of_day, local.date().isoformat()
        weekday, of_day, date = self._civil
        return Tick(number, periods, self._period_ns, utc_ns, weekday, of_day, date, self.version)


def tz_version() -> str:
    """Version of the time zone database, for example `2026b`; "" when it does not say."""
    for folder in zoneinfo.TZPATH:
        try:
            with Path(folder, "tzdata.zi").open(encoding="utf-8") as file:
                return file.readline().removeprefix("# version ").strip()
        except OSError:
            continue
    try:
        return str(importlib.import_module("tzdata").IANA_VERSION)
    except ModuleNotFoundError:
        return ""
