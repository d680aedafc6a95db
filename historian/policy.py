"""What is kept of what changed: each tag's history settings, over whole batches at once.

Kept is a sample whose value moved by at least the tag's dead band since the last kept one, whose status differs from it,
or that comes `max_gap` after it. Left out is what repeats it, as a restarted service does for all its tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from historian.store import BAD_DATA_LOST, SAMPLE
from tags.model import Tag
from tags.types import FLOATS, STRING, floats

Rows = npt.NDArray[np.void]
Indices = npt.NDArray[np.intp]

_NEVER: Final = np.iinfo(np.int64).min


class Policy:
    """Remembers the last kept sample of each tag.

    Args:
        tags: Of the site.
        last: The last samples in the store, dtype `SAMPLE`.
    """

    def __init__(self, tags: Sequence[Tag], last: Rows) -> None:
        ordered = sorted(tags, key=lambda tag: tag.id)
        self._ids = np.array([tag.id for tag in ordered], np.uint32)
        self._keep = np.array([tag.history.keep and tag.type != STRING for tag in ordered], np.bool_)
        self._is_float = np.array([tag.type in FLOATS for tag in ordered], np.bool_)
        self._deadband = np.array([tag.history.deadband for tag in ordered], np.float64)
        self._max_gap = np.array([tag.history.max_gap_ns for tag in ordered], np.int64)
        self._last = np.zeros(len(ordered), SAMPLE)
        self._last["t"] = _NEVER
        known, where = self._find(last["tag"])
        self._last[where] = last[known]

    def keep(self, rows: Rows, published_ns: npt.NDArray[np.int64]) -> Rows:
        """The rows worth keeping, in their order, with the times that history has them under.

        Args:
            rows: Dtype `SAMPLE`, in the order in which they happened.
            published_ns: UTC of each row's publication, ns, shape (n,). A value that comes back with an older time
                than the last one (a restored set point) is kept under this: it was not the value in between.
        """
        known, where = self._find(rows["tag"])
        known = known[self._keep[where]]
        where = where[self._keep[where]]
        rows, published_ns = rows[known].copy(), published_ns[known]
        kept = np.zeros(len(rows), np.bool_)
        for turn in _turns(where):
            kept[turn] = self._one_of_each(rows, published_ns, turn, where[turn])
        found: Rows = rows[kept]
        return found

    def _one_of_each(
        self, rows: Rows, published_ns: npt.NDArray[np.int64], turn: Indices, at: Indices
    ) -> npt.NDArray[np.bool_]:
        """Decides on rows of different tags and moves their last samples on."""
        new, old = rows[turn], self._last[at]
        fresh = old["t"] == _NEVER
        same_status = new["status"] == old["status"]
        late = new["t"] <= old["t"]
        repeated = same_status & (new["bits"] == old["bits"]) & late
        new["t"] = np.where(late, np.maximum(new["t"], published_ns[turn]), new["t"])
        is_float = self._is_float[at]
        with np.errstate(invalid="ignore", over="ignore"):
            moved = np.abs(floats(new["bits"].copy(), is_float) - floats(old["bits"].copy(), is_float))
        within = same_status & (moved < self._deadband[at])
        gap = self._max_gap[at]
        within &= (gap == 0) | (new["t"] - np.where(fresh, 0, old["t"]) < gap)
        keep: npt.NDArray[np.bool_] = fresh | ~(repeated | within)
        rows["t"][turn] = new["t"]
        self._last[at[keep]] = new[keep]
        return keep

    def due(self, now_ns: int) -> npt.NDArray[np.uint32]:
        """Ids of tags whose last kept sample is `max_gap` old.

        Args:
            now_ns: UTC, ns.
        """
        waiting = self._keep & (self._max_gap > 0) & (self._last["t"] != _NEVER)
        found: npt.NDArray[np.uint32] = self._ids[waiting & (self._last["t"] <= now_ns - self._max_gap)]
        return found

    def take(self, rows: Rows) -> Rows:
        """Keeps rows of different tags whatever they are, if they are newer than the last kept ones."""
        known, where = self._find(rows["tag"])
        newer = self._keep[where] & (rows["t"][known] > self._last["t"][where])
        found: Rows = rows[known[newer]]
        self._last[where[newer]] = found
        return found

    def lost(self, ids: npt.NDArray[np.uint32], from_ns: int) -> Rows:
        """Marks that samples of some tags are missing from a time (UTC, ns) on; also what it returns to keep."""
        _, where = self._find(ids)
        last = self._last[where]
        where = where[self._keep[where] & (last["t"] != _NEVER) & (last["status"] != BAD_DATA_LOST)]
        marks: Rows = self._last[where].copy()
        marks["status"] = BAD_DATA_LOST
        marks["t"] = np.maximum(marks["t"] + 1, from_ns)
        self._last[where] = marks
        return marks

    def _find(self, ids: npt.NDArray[np.uint32]) -> tuple[Indices, Indices]:
        """Which of the ids are ours, and where their tags stand."""
        if not len(self._ids):
            return np.empty(0, np.intp), np.empty(0, np.intp)
        where = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        known = np.flatnonzero(self._ids[where] == ids)
        return known, where[known]


def _turns(where: Indices) -> list[Indices]:
    """Splits rows into turns in which no tag comes twice: first rows of each tag, and so on."""
    if not len(where):
        return []
    order = np.argsort(where, kind="stable")
    ordered = where[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    lengths = np.diff(starts, append=len(ordered))
    rank = np.arange(len(ordered)) - np.repeat(starts, lengths)
    by_rank = np.argsort(rank, kind="stable")
    bounds = np.flatnonzero(np.diff(rank[by_rank])) + 1
    return np.split(order[by_rank], bounds)
