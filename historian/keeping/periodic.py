"""Periodic: the value at each multiple of a period, changed or not, and each change of quality at once.

The value at a time is the last sample at or before it. Of a time in which the tag was Bad nothing more is kept than that
it became so.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from historian.keeping.rows import NEVER, Fresh, Indices, Times, Turns
from historian.store import BAD_DATA_LOST
from tags.model import Tag

GRACE_NS: Final = 1_000_000_000  # what was true a second ago has come by now
MANY: Final = 2_000_000  # samples that all tags together may owe: more is a clock gone wrong


class Periodic:
    """Tags kept at each multiple of a period.

    Args:
        tags: Of this way.
    """

    def __init__(self, tags: Sequence[Tag]) -> None:
        n = len(tags)
        self._period = np.array([max(1, tag.history.period_ns) for tag in tags], np.int64)
        self._next = np.full(n, NEVER, np.int64)
        self._t = np.full(n, NEVER, np.int64)
        self._bits = np.zeros(n, np.uint64)
        self._status = np.zeros(n, np.uint32)
        self._v = np.zeros(n)
        self._most = MANY // max(1, n)

    def start(self, last: Fresh) -> None:
        """Goes on after what was kept last of each tag."""
        self._hold(last)
        self._next[last.at] = self._after(last.t, last.at)

    def keep(self, fresh: Fresh) -> Fresh:
        """What is kept up to each of these samples, in order of each tag's time."""
        order, bounds, _ = Turns.of(fresh.at)
        found: list[Fresh] = []
        for begin, end in pairwise(bounds):
            self._take(fresh[order[begin:end]], found)
        return _joined(fresh[:0], found)

    def _take(self, now: Fresh, found: list[Fresh]) -> None:
        """Samples of different tags."""
        at = now.at
        late = now.t <= self._t[at]
        repeated = late & (now.bits == self._bits[at]) & (now.status == self._status[at])
        now.t = np.where(late, np.maximum(now.t, now.published), now.t)
        now = now[~repeated]
        at = now.at
        self._owed(at, now.t, found)
        became = (now.status != self._status[at]) | (self._t[at] == NEVER)
        if became.any():
            found.append(now[became])
        behind = (self._next[at] == NEVER) | (became & (self._next[at] == now.t))
        self._next[at[behind]] = self._after(now.t[behind], at[behind])
        self._hold(now)

    def flush(self, now_ns: int) -> Fresh:
        """What is kept up to a second ago, of tags that did not change since.

        Args:
            now_ns: UTC.
        """
        found: list[Fresh] = []
        at = np.flatnonzero(self._next != NEVER)
        self._owed(at, np.full(len(at), now_ns - GRACE_NS + 1, np.int64), found)
        return _joined(self.last(at[:0]), found)

    def _owed(self, at: Indices, until: Times, found: list[Fresh]) -> None:
        """The multiples before a time that were not kept yet get the value held."""
        period, first = self._period[at], self._next[at]
        count = np.where(first == NEVER, 0, np.maximum(0, -((first - until) // period)))
        following = np.where(first == NEVER, first, first + count * period)
        count[self._status[at] >> np.uint32(31) == 1] = 0
        too_many = count > self._most
        if too_many.any():
            lost = self.last(at[too_many])
            lost.t = first[too_many]
            lost.status = np.full(len(lost), BAD_DATA_LOST, np.uint32)
            found.append(lost)
            count[too_many] = 0
        self._next[at] = following
        if not count.any():
            return
        each = np.repeat(np.arange(len(at)), count)
        number = np.arange(len(each)) - np.repeat(np.cumsum(count) - count, count)
        held = self.last(at[each])
        held.t = first[each] + number * period[each]
        found.append(held)

    def stepped(self, step_ns: int) -> None:
        """The wall clock was set: what it jumped over was never owed.

        Args:
            step_ns: By how much; negative when it was put back.
        """
        at = np.flatnonzero(self._next != NEVER)
        period = self._period[at]
        self._next[at] = -(-(self._next[at] + step_ns) // period) * period

    def last(self, at: Indices) -> Fresh:
        """The value held; its time is `NEVER` where there is none."""
        return Fresh(at, self._t[at], self._bits[at], self._status[at], self._v[at], self._t[at])

    def lost(self, marks: Fresh) -> Fresh:
        """Samples are missing from these marks on: until the next one nothing is owed."""
        found: list[Fresh] = []
        self._owed(marks.at, marks.t, found)
        self._hold(marks)
        return _joined(marks, [*found, marks])

    def _hold(self, fresh: Fresh) -> None:
        at = fresh.at
        self._t[at], self._bits[at] = fresh.t, fresh.bits
        self._status[at], self._v[at] = fresh.status, fresh.v

    def _after(self, t: Times, at: Indices) -> npt.NDArray[np.int64]:
        """The first multiple after a time."""
        period = self._period[at]
        found: npt.NDArray[np.int64] = (t // period + 1) * period
        return found


def _joined(empty: Fresh, parts: list[Fresh]) -> Fresh:
    if not parts:
        return empty[:0]
    columns = ("at", "t", "bits", "status", "v", "published")
    return Fresh(*(np.concatenate([getattr(part, name) for part in parts]) for name in columns))
