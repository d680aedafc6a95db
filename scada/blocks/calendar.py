"""A weekly calendar with holidays, by civil time: which state is it, and when does a state begin next."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any, Final

DAY_S: Final = 86_400


class Calendar:
    """See the module. Each day begins in `otherwise`; a holiday is `otherwise` all day.

    Args:
        data: As `Block.config["calendar"]` has it: `periods` ([weekday, second, state]), `otherwise`, `holidays` (ISO
            dates, or `--MM-DD` for each year).
    """

    __slots__ = ("days", "holidays", "otherwise", "states")

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.otherwise = str(data["otherwise"])
        self.holidays = frozenset(data.get("holidays") or ())
        self.days: list[list[tuple[int, str]]] = [[] for _ in range(7)]
        for weekday, second, state in data["periods"]:
            self.days[weekday].append((second, state))
        for day in self.days:
            day.sort()
        names = {self.otherwise, *(state for day in self.days for _, state in day)}
        self.states = {name: i for i, name in enumerate(sorted(names))}

    def is_holiday(self, date: str) -> bool:
        """True on a holiday; `date` is ISO."""
        return date in self.holidays or f"-{date[4:]}" in self.holidays

    def level(self, weekday: int, second_of_day: int, date: str) -> str:
        """The state at a civil time."""
        state = self.otherwise
        if not self.is_holiday(date):
            for begin, name in self.days[weekday % 7]:
                if begin > second_of_day:
                    break
                state = name
        return state

    def until(self, state: str, weekday: int, second_of_day: int, date: str, within_s: int) -> int | None:
        """Civil seconds until a state begins, None when it does not within so many; 0 while it is.

        A night in which the clocks change is counted as if they did not.
        """
        if self.level(weekday, second_of_day, date) == state:
            return 0
        for later, begin, name in self._changes(weekday, date, (second_of_day + within_s) // DAY_S):
            left = later * DAY_S + begin - second_of_day
            if left > within_s:
                return None
            if left > 0 and name == state:
                return left
        return None

    def _changes(self, weekday: int, date: str, days: int) -> Iterator[tuple[int, int, str]]:
        """(days from now, second of that day, state) of what begins."""
        for later in range(days + 1):
            day = date
            if later and date:
                day = (dt.date.fromisoformat(date) + dt.timedelta(days=later)).isoformat()
            periods = () if self.is_holiday(day) else self.days[(weekday + later) % 7]
            if later and not any(begin == 0 for begin, _ in periods):
                yield later, 0, self.otherwise
            for begin, name in periods:
                yield later, begin, name
