"""On change: what moved by the dead band, changed its quality, or comes after the longest gap.

Left out is what repeats the last kept sample, as a restarted service does for all its tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from historian.keeping.rows import NEVER, Fresh, Indices, Mask, Turns, by_tag
from tags.model import Tag

_NO_GAP: Final = np.iinfo(np.int64).max


class OnChange:
    """Tags kept on change.

    Args:
        tags: Of this way.
    """

    def __init__(self, tags: Sequence[Tag]) -> None:
        n = len(tags)
        self._deadband = np.array([tag.history.deadband for tag in tags], np.float64)
        self._gap = np.array([tag.history.max_gap_ns or _NO_GAP for tag in tags], np.int64)
        self._t = np.full(n, NEVER, np.int64)
        self._bits = np.zeros(n, np.uint64)
        self._status = np.zeros(n, np.uint32)
        self._v = np.zeros(n)

    def start(self, last: Fresh) -> None:
        """Takes what was kept last of each tag."""
        self._put(last.at, last)

    def keep(self, fresh: Fresh) -> Fresh:
        """Those worth keeping, in their order."""
        if not len(fresh):
            return fresh
        kept = np.ones(len(fresh), np.bool_)
        order, starts = by_tag(fresh.at)
        ordered = fresh[order]
        self._one_after_the_other(fresh, self._decided(ordered, order, starts, kept), kept)
        return fresh[kept]

    def _decided(self, ordered: Fresh, order: Indices, starts: Indices, kept: Mask) -> Indices:
        """Decides tags all of whose samples but the last are kept, as if each were compared with the one before it.

        Returns:
            The samples of the other tags.
        """
        first = ordered.at[starts]
        t, status, v = np.roll(ordered.t, 1), np.roll(ordered.status, 1), np.roll(ordered.v, 1)
        t[starts], status[starts], v[starts] = self._t[first], self._status[first], self._v[first]
        late = (ordered.t <= t) & (t != NEVER)
        gap = ordered.t - t >= self._gap[ordered.at]
        gap |= t == NEVER
        keep = self._moved(ordered, v, ordered.at) | (ordered.status != status) | gap
        is_last = np.zeros(len(order), np.bool_)
        is_last[np.append(starts[1:], len(order)) - 1] = True
        hard = np.logical_or.reduceat(late | ~(keep | is_last), starts)
        lengths = np.diff(starts, append=len(order))
        easy = np.repeat(~hard, lengths)
        kept[order[easy]] = keep[easy]
        # The last kept of an easy tag is its last sample, or the one before where that was left out.
        ends = np.append(starts[1:], len(order)) - 1
        ends = np.where(keep[ends], ends, ends - 1)[~hard]
        ends = ends[ends >= starts[~hard]]
        self._put(ordered.at[ends], ordered[ends])
        left: Indices = order[~easy]
        return left

    def _one_after_the_other(self, fresh: Fresh, left: Indices, kept: Mask) -> None:
        order, bounds, at = Turns.of(fresh.at[left])
        if not len(order):
            return
        order = left[order]
        turned = fresh[order]
        t, bits, status, v = self._t[at], self._bits[at], self._status[at], self._v[at]
        deadband, gap = self._deadband[at], self._gap[at]
        is_new = t == NEVER
        for begin, end in pairwise(bounds):
            n = end - begin
            now = turned.t[begin:end]
            same = turned.status[begin:end] == status[:n]
            with np.errstate(invalid="ignore", over="ignore"):
                within = np.abs(turned.v[begin:end] - v[:n]) < deadband[:n]
            late = now <= t[:n]
            repeated = late & (turned.bits[begin:end] == bits[:n])
            if late.any():
                now[:] = np.where(late, np.maximum(now, turned.published[begin:end]), now)
            within &= now - t[:n] < gap[:n]
            keep = ~(same & (within | repeated))
            if is_new is not None:
                keep |= is_new
                is_new = None
            kept[order[begin:end]] = keep
            for column, state in (
                (turned.t, t),
                (turned.bits, bits),
                (turned.status, status),
                (turned.v, v),
            ):
                np.copyto(state[:n], column[begin:end], where=keep)
        fresh.t[order] = turned.t
        self._t[at], self._bits[at], self._status[at], self._v[at] = t, bits, status, v

    def _moved(self, fresh: Fresh, v: npt.NDArray[np.float64], at: Indices) -> Mask:
        with np.errstate(invalid="ignore", over="ignore"):
            moved: Mask = ~(np.abs(fresh.v - v) < self._deadband[at])
        return moved

    def due(self, now_ns: int) -> Indices:
        """Places of tags whose last kept sample is as old as their longest gap at a time (UTC, ns), or ahead by as much.

        What lies ahead has its time from a clock that was wrong: it must not keep a quiet tag silent until then.
        """
        old = (self._t != NEVER) & (self._t <= now_ns - np.where(self._gap == _NO_GAP, 0, self._gap))
        return np.flatnonzero((old & (self._gap != _NO_GAP)) | self._ahead(now_ns))

    def take(self, fresh: Fresh, now_ns: int) -> Fresh:
        """Keeps samples of different tags whatever they are, if they are newer than the last kept ones, or those lie ahead."""
        back = self._ahead(now_ns)[fresh.at] & (fresh.t <= now_ns)
        taken = fresh[(fresh.t > self._t[fresh.at]) | back]
        self._put(taken.at, taken)
        return taken

    def _ahead(self, now_ns: int) -> Mask:
        gap = np.where(self._gap == _NO_GAP, 0, self._gap)
        mask: Mask = (self._gap != _NO_GAP) & (self._t > now_ns + gap)
        return mask

    def last(self, at: Indices) -> Fresh:
        """What was kept last; its time is `NEVER` where nothing was."""
        return Fresh(at, self._t[at], self._bits[at], self._status[at], self._v[at], self._t[at])

    def lost(self, marks: Fresh) -> Fresh:
        """Samples are missing: these marks stand for them."""
        self._put(marks.at, marks)
        return marks

    def _put(self, at: Indices, fresh: Fresh) -> None:
        self._t[at], self._bits[at] = fresh.t, fresh.bits
        self._status[at], self._v[at] = fresh.status, fresh.v
