"""Samples of many tags in the order of chunks: by tag, by time, then as they came. Sorted once for all days of a fold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from historian.days import DAY_NS
from historian.settled import Columns
from historian.store import SAMPLE

Rows = npt.NDArray[np.void]


class Ordered(NamedTuple):
    """Samples in order, and the runs of one tag in one day.

    Attributes:
        columns: All samples.
        seq: The commit of each, shape (n,).
        tag: Of each run, shape (k,), rising.
        day: Of each run; rising within a tag.
        start: Where each run begins.
        end: Where it ends.
    """

    columns: Columns
    seq: npt.NDArray[np.int64]
    tag: npt.NDArray[np.int64]
    day: npt.NDArray[np.int64]
    start: npt.NDArray[np.intp]
    end: npt.NDArray[np.intp]

    def days(self) -> list[int]:
        """The days that there are samples of, in order."""
        found: list[int] = np.unique(self.day).tolist()
        return found

    def newest(self, day: int) -> int:
        """Time of the newest sample of a day, UTC, ns."""
        return int(self.columns.t[self.end[self.day == day] - 1].max())

    def of_day(self, day: int, after_seq: int) -> Iterator[tuple[int, Columns]]:
        """The samples of a day by tag.

        Args:
            day: Number of the day.
            after_seq: Samples of this commit and earlier ones are left out.
        """
        for run in np.flatnonzero(self.day == day).tolist():
            which = slice(int(self.start[run]), int(self.end[run]))
            part = self.columns.cut(which)
            if after_seq:
                part = part.cut(self.seq[which] > after_seq)
            if len(part.t):
                yield int(self.tag[run]), part

    def extremes(self) -> Rows:
        """The first and the newest sample of each tag, one after the other; dtype `SAMPLE`."""
        firsts = np.flatnonzero(np.diff(self.tag, prepend=-1))
        lasts = np.flatnonzero(np.diff(self.tag, append=-1))
        found = np.empty(2 * len(firsts), SAMPLE)
        for at, where in ((0, self.start[firsts]), (1, self.end[lasts] - 1)):
            found["tag"][at::2] = self.tag[firsts]
            part = self.columns.cut(where)
            found["t"][at::2], found["bits"][at::2], found["status"][at::2] = part
        return found


def ordered(samples: Rows, seq: npt.NDArray[np.int64]) -> Ordered:
    """Puts samples in order.

    Args:
        samples: Dtype `SAMPLE`, in the order in which they came.
        seq: The commit of each, rising.
    """
    tags = np.ascontiguousarray(samples["tag"])
    narrow = tags.astype(np.uint16) if len(tags) and tags.max() < 1 << 16 else tags  # sorted by radix
    order = np.argsort(narrow, kind="stable")
    tags = tags[order]
    t = samples["t"][order]
    if ((t[1:] < t[:-1]) & (tags[1:] == tags[:-1])).any():
        late = np.lexsort((t, tags))
        order, tags, t = order[late], tags[late], t[late]
    days = t // DAY_NS
    new = np.ones(len(t), np.bool_)
    new[1:] = (tags[1:] != tags[:-1]) | (days[1:] != days[:-1])
    start = np.flatnonzero(new)
    return Ordered(
        Columns(t, samples["bits"][order], samples["status"][order]),
        seq[order],
        tags[start].astype(np.int64),
        days[start],
        start,
        np.append(start[1:], len(t)),
    )
