"""How devices make values of others: feedback that follows an output, a starter, a level that fills."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from tags import expression
from tags.model import Tag
from tags.quality import GOOD
from tags.site.plant_tests_compiled import Follow

Read = Callable[[str], Any]


class Formula:
    """An expression over the plant, whatever the quality of the measurements.

    Args:
        parsed: Checked.
        tags: All tags of the site.
    """

    __slots__ = ("_bound", "_good", "paths")

    def __init__(self, parsed: expression.Expression, tags: Mapping[str, Tag]) -> None:
        self.paths = parsed.paths
        index = {path: n for n, path in enumerate(parsed.paths)}
        self._bound = expression.bind(parsed, index, {path: tags[path].unit for path in parsed.paths})
        self._good = [GOOD] * len(parsed.paths)

    def __call__(self, read: Read) -> Any:
        """Its value, or None when it does not exist (a division by 0)."""
        values = [read(path) for path in self.paths]
        if None in values:
            return None
        value, status = self._bound(values, self._good)
        return value if status == GOOD else None


class Follower:
    """One value that a device makes.

    Args:
        follow: As compiled.
        tags: All tags of the site.

    Attributes:
        path: The tag.
    """

    def __init__(self, follow: Follow, tags: Mapping[str, Tag]) -> None:
        self._follow, self.path = follow, follow.path
        self._of = None if follow.of is None else Formula(follow.of, tags)
        self._rate = None if follow.rate is None else Formula(follow.rate, tags)
        self._goal: Any = None
        self._waited_ns = 0

    def settled(self, read: Read, value: Any) -> Any:
        """What it is before the first scan: where it would end, so that nothing moves at first."""
        goal = self._of(read) if self._of is not None else None
        return value if goal is None else self._inside(goal)

    def step(self, dt_ns: int, read: Read, value: Any) -> Any:
        """The value after another `dt_ns`."""
        follow = self._follow
        if self._rate is not None:
            rate = self._rate(read)
            return value if rate is None else self._inside(value + rate * dt_ns * 1e-9)
        if self._of is None:
            return self._started(dt_ns, read, value)
        goal = self._of(read)
        if goal is None:
            return value
        if isinstance(value, bool):
            return self._delayed(dt_ns, bool(goal), value)
        if follow.lag_ns:
            goal = goal + (value - goal) * math.exp(-dt_ns / follow.lag_ns)
        if follow.time_ns and math.isfinite(follow.high - follow.low):
            most = (follow.high - follow.low) * dt_ns / follow.time_ns
            goal = min(max(goal, value - most), value + most)
        return self._inside(goal)

    def _inside(self, value: Any) -> Any:
        return value if isinstance(value, bool) else min(max(value, self._follow.low), self._follow.high)

    def _delayed(self, dt_ns: int, goal: bool, value: bool) -> bool:
        if goal is value:
            self._goal = None
            return value
        if self._goal is not goal:
            self._goal, self._waited_ns = goal, 0
        else:
            self._waited_ns += dt_ns
        return goal if self._waited_ns >= self._follow.time_ns else value

    def _started(self, dt_ns: int, read: Read, value: bool) -> bool:
        """A starter: held by the device, Stop wins."""
        follow = self._follow
        if follow.stop is not None and read(follow.stop):
            self._goal = None
            return False
        if self._goal is None and not value and follow.start is not None and read(follow.start):
            self._goal, self._waited_ns = True, -dt_ns
        if self._goal:
            self._waited_ns += dt_ns
            if self._waited_ns >= follow.time_ns:
                self._goal = None
                return True
        return value
