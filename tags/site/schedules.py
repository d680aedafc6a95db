"""Weekly schedules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from tags.site import holidays as _dates
from tags.site import models
from tags.site.building import Building, Scope
from tags.site.sources import Source
from tags.site.validate import validate
from tags.units import did_you_mean

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


def compile_schedule(
    build: Building, name: str, data: Any, source: Source, files: Mapping[str, bytes] | None = None
) -> Calendar | None:
    """One schedule, or None with its problems reported.

    Args:
        build: The site.
        name: Of the schedule.
        data: As written.
        source: Where.
        files: Calendar files (.ics) by path relative to the site folder.
    """
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
    holidays = _holidays(scope, model.holidays, files or {})
    states = tuple(sorted({model.otherwise, *(state for _, _, state in periods)}))
    calendar = {
        "periods": [list(period) for period in sorted(periods)],
        "otherwise": model.otherwise,
        "holidays": holidays,
    }
    return Calendar(calendar, states)


def _holidays(scope: Scope, written: list[str] | str, files: Mapping[str, bytes]) -> list[str]:
    """Dates, days of each year and the days of calendar files, sorted."""
    found: set[str] = set()
    for i, text in enumerate([written] if isinstance(written, str) else written):
        loc = ("holidays",) if isinstance(written, str) else ("holidays", i)
        if not text.endswith(".ics"):
            day = _dates.date(text)
            if day is None:
                scope.report(
                    loc,
                    f"{text!r} is not a date. Write 2026-12-25, 12-25 for each year, or a file such as madrid.ics.",
                )
            else:
                found.add(day)
            continue
        beside = PurePosixPath(scope.source.place().file).parent / text
        file = next((str(path) for path in (beside, PurePosixPath(text)) if str(path) in files), None)
        if file is None:
            hint = did_you_mean(text, [PurePosixPath(path).name for path in files])
            place = PurePosixPath(scope.source.place().file).name
            scope.report(
                loc, f"there is no calendar {text!r} in the site{hint or f'. Put it beside {place}.'}"
            )
            continue
        try:
            found.update(_dates.from_ics(files[file]))
        except _dates.CalendarError as error:
            scope.report(loc, f"{file}: {error}. Correct it, or write the dates here.")
    return sorted(found)


def _seconds(time: str) -> int | None:
    match = _TIME.fullmatch(time)
    return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3] or 0) if match else None
