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
    t = np.insert(near, where, edges)
    is_point = np.insert(np.ones(len(near), np.intp), where, 0)
    segment = first + np.cumsum(is_point)[:-1] - 1
    t0, t1 = t[:-1], t[1:]
    inside = (segment >= 0) & (segment < len(line.v0)) & (t0 >= edges[0]) & (t0 < edges[-1])
    t0, t1, segment = t0[inside], t1[inside], segment[inside]
    interval = np.searchsorted(edges, t0, "right") - 1
    return Pieces(
        t0, t1, (t1 - t0) / 1e9, line.inside(t0, segment), line.inside(t1, segment), segment, interval
    )


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
