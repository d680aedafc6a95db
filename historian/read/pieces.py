"""The course of a value cut at the edges of intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from historian.read.line import Line
from historian.read.signal import Mask, Times, Values

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Pieces:
    """Parts of segments, each within one interval; in order of time.

    Attributes:
        t0: Begin, UTC, ns, shape (n,).
        t1: End, >= begin.
        seconds: Length, s.
        x0: Value at the begin, NaN for none.
        x1: Value that it comes close to at the end.
        segment: Of the line.
        interval: That it lies in.
    """

    t0: Times
    t1: Times
    seconds: Values
    x0: Values
    x1: Values
    segment: Indices
    interval: Indices

    def of(self, mask: Mask) -> Pieces:
        """Some of them."""
        if mask.all():
            return self
        return Pieces(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))


def pieces_of(line: Line, edges: Times) -> Pieces:
    """Cuts a line.

    Args:
        line: Of a signal.
        edges: Rising; interval i is `[edges[i], edges[i + 1])`.
    """
    if not len(line.t):
        none = np.empty(0)
        times, indices = none.astype(np.int64), none.astype(np.intp)
        return Pieces(times, times, none, none, none, indices, indices)
    first = max(int(np.searchsorted(line.t, edges[0], "left")) - 1, 0)
    past = int(np.searchsorted(line.t, edges[-1], "left")) + 1
    near = line.t[first:past]
    where = np.searchsorted(near, edges, "right")
    marks = where + np.arange(len(edges))  # where the edges stand among the points of the line
    t = np.insert(near, where, edges)
    segment = first + np.arange(len(t))
    segment -= np.repeat(np.arange(len(edges) + 1), np.diff(marks, prepend=0, append=len(t)))
    low = max(int(np.searchsorted(t, edges[0], "left")), int(np.searchsorted(segment, 0, "left")))
    high = min(
        int(np.searchsorted(t, edges[-1], "left")), int(np.searchsorted(segment, len(line.v0), "left"))
    )
    high = max(high, low)
    t0, t1, segment = t[low:high], t[low + 1 : high + 1], segment[low:high]
    x0, x1 = line.v0[segment], line.v1[segment]
    begins = marks[(marks >= low) & (marks < high)] - low
    x0[begins] = line.inside(t0[begins], segment[begins])
    stops = marks[(marks > low) & (marks <= high)] - low - 1
    x1[stops] = line.inside(t1[stops], segment[stops])
    return Pieces(t0, t1, (t1 - t0) / 1e9, x0, x1, segment, group_of(t0, edges))


def group_of(t: Times, edges: Times) -> Indices:
    """The interval of each time; times never fall and lie within the edges."""
    return np.repeat(np.arange(len(edges) - 1), np.diff(np.searchsorted(t, edges, "left")))


def total(values: npt.NDArray[Any], group: Indices, count: int) -> Values:
    """Sums by group; 0 for empty ones."""
    return np.bincount(group, values, count).astype(np.float64)


def extreme(ufunc: np.ufunc, values: Values, group: Indices, count: int) -> Values:
    """A reduction by group; NaN for empty ones.

    Args:
        ufunc: `np.minimum` or `np.maximum`.
        values: Shape (n,).
        group: Of each value, never falling.
        count: How many groups.
    """
    found = np.full(count, np.nan)
    if len(values):
        starts = np.flatnonzero(np.diff(group, prepend=-1))
        found[group[starts]] = ufunc.reduceat(values, starts)
    return found


def ends(values: Values, group: Indices, count: int, *, last: bool) -> Values:
    """The first or last value of each group; NaN for empty ones. `group` never falls."""
    found = np.full(count, np.nan)
    if len(values):
        change = np.diff(group) != 0
        at = np.flatnonzero(np.append(change, values=True) if last else np.insert(change, 0, values=True))
        found[group[at]] = values[at]
    return found
