"""Weekly schedules."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any, Final

from tags.site import models
from tags.site.building import Building, Scope
from tags.site.sources import Source
from tags.site.validate import validate

_TIME: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WORK_DAYS: Final = 5


@dataclass(frozen=True, slots=True)
class Calendar:
    """A compiled schedule.

    Attributes:
        data: As `Block.config["calendar"]` has it.
        states: Names of its states, sorted.
    """

    data: dict[str, Any]
    states: tuple[str, ...]


def compile_schedule(build: Building, name: str, data: Any, source: Source) -> Calendar | None:
    """One schedule, or None with its problems reported."""
    scope = Scope(build, source, f"schedule {name}")
    model = validate(models.Schedule, data, source, scope.subject, build.problems)
    if model is None:
        return None
    periods: list[tuple[int, int, str]] = []
    for number, day in enumerate(_DAYS):
        own: dict[str, str] | None = getattr(model, day)
        key, times = (
            (day, own) if own is not None else ("weekdays", model.weekdays if number < _WORK_DAYS else {})
        )
        for time, state in times.items():
            seconds = _seconds(time)
            if seconds is None:
                scope.report((key, time), f'{time!r} is not a time of day. Write "06:30".', key=True)
            else:
                periods.append((number, seconds, state))
    for i, day in enumerate(model.holidays):
        try:
            dt.date.fromisoformat(day)
        except ValueError:
            scope.report(("holidays", i), f"{day!r} is not a date. Write 2026-12-25.")
    states = tuple(sorted({model.otherwise, *(state for _, _, state in periods)}))
    calendar = {
        "periods": [list(period) for period in sorted(periods)],
        "otherwise": model.otherwise,
        "holidays": sorted(model.holidays),
    }
    return Calendar(calendar, states)


def _seconds(time: str) -> int | None:
    match = _TIME.fullmatch(time)
    return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3] or 0) if match else None
