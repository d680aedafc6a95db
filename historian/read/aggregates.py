"""Aggregates: one value for each interval, with the names and rules of OPC 10000-13 where it has them.

Aggregates of time (averages over time, totals, durations, lowest and highest value) look at the course of the value, so
they know what it was between and around samples. Aggregates of samples (mean, deviation, first, last) look at what was
stored in the interval and nothing else.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from historian.chunks.brief import nothing_yet
from historian.read.at import at
from historian.read.functions import BOUND, BY_NAME, NAMES, SAMPLES, TIME, Aggregate, Work, divided
from historian.read.intervals import Grid
from historian.read.line import Line, line_of
from historian.read.pieces import Pieces, group_of, pieces_of, total
from historian.read.result import Intervals
from historian.read.signal import (
    CALCULATED,
    PARTIAL,
    Mask,
    Signal,
    Statuses,
    Times,
    Values,
    usable,
)
from historian.read.whole import Whole, none_of
from tags.quality import BAD_NO_DATA, UNCERTAIN_DATA_SUB_NORMAL


def named(name: str) -> Aggregate:
    """An aggregate by its name (`time-average`), or by its BrowseName in OPC UA (`TimeAverage2`).

    Raises:
        ValueError: There is none; the message lists all.
    """
    try:
        return BY_NAME[name]
    except KeyError:
        raise ValueError(f"{name!r} is no aggregate: one of {', '.join(NAMES)}") from None


def aggregate(
    signal: Signal,
    grid: Grid,
    name: str,
    now_ns: int,
    *,
    uncertain: bool = False,
    state: float | None = None,
    roll_over: float | None = None,
    unit: str | None = None,
    whole: Whole | None = None,
) -> Intervals:
    """One value for each interval.

    Args:
        signal: The samples, from the last one before the first interval to the first one after the last.
        grid: The intervals.
        name: Of the aggregate, as `NAMES` or as OPC 10000-13 has it.
        now_ns: Nothing is known after this, UTC, ns.
        uncertain: Calculate with Uncertain samples too; the result is Uncertain then.
        state: For `time-in-state`.
        roll_over: For `counter`: the number of different readings, at which it starts again from 0. Without it a
            reading that falls is a counter that was set to 0 and has counted to the reading since.
        unit: Of the tag.
        whole: Chunks that stand for their samples, of which the signal has the edges.

    Raises:
        ValueError: No such aggregate, or its argument is missing.
    """
    item = named(name)
    if item.name == "time-in-state" and state is None:
        raise ValueError("time-in-state needs a state")
    edges, size = grid.edges, len(grid.cut)
    if len(signal):
        now_ns = max(now_ns, int(signal.t[-1]))
    line = line_of(
        replace(signal, stepped=True) if item.stepped else signal,
        now_ns,
        uncertain=uncertain,
        bridge=item.bridge,
    )
    chunks = none_of() if whole is None else whole.records
    chunk_at = np.searchsorted(edges, chunks["t0"], "right") - 1
    pieces = _outside(line, pieces_of(line, edges), whole)
    known_s = np.clip(now_ns - edges[:-1], 0, np.diff(edges)) / 1e9
    plain = line_of(signal, now_ns, uncertain=uncertain) if item.bridge else line
    inner_s = total(chunks["covered"], chunk_at, size) / 1e9
    plain_pieces = _outside(plain, pieces_of(plain, edges), whole) if item.bridge else pieces
    good_s = _good(plain, plain_pieces, size) + inner_s
    doubtful = _doubtful(line, pieces, size)
    if not (item.stepped or signal.stepped):
        doubtful |= total(chunks["doubt"], chunk_at, size) > 0
    pieces = pieces.of(~np.isnan(pieces.x0))
    fine = usable(signal.v, signal.status, uncertain=uncertain)
    t, v = (signal.t, signal.v) if fine.all() else (signal.t[fine], signal.v[fine])
    inside = slice(*np.searchsorted(t, (edges[0], edges[-1]), "left").tolist())
    interval = group_of(t[inside], edges)
    own, joint = (
        (slice(None), slice(None)) if whole is None else (whole.own[fine][inside], whole.joint[fine][inside])
    )
    count = np.bincount(interval[own], minlength=size)
    count += total(chunks["good"], chunk_at, size).astype(np.int64)
    covered_s = total(pieces.seconds, pieces.interval, size) + inner_s
    work = Work(
        pieces,
        edges,
        v,
        inside,
        interval,
        count,
        covered_s,
        good_s,
        known_s,
        state or 0.0,
        roll_over,
        item.stepped or signal.stepped,
        chunks,
        chunk_at,
        own,
        joint,
    )
    begin, end = _extent(signal, line, now_ns)
    outside = ((edges[1:] <= begin) | (edges[:-1] >= end)) & (count == 0)
    if item.quality == TIME:
        status = _by_time(pieces, doubtful, covered_s, known_s, total(chunks["good"], chunk_at, size) > 0)
    elif item.quality == SAMPLES:
        off = total(chunks["off"], chunk_at, size) > 0
        status = _by_samples(signal, fine, edges, count, off, own=None if whole is None else whole.own)
    elif item.quality == BOUND:
        _, status = at(signal, edges[:-1], now_ns, uncertain=uncertain, bridge=item.bridge)
    else:
        status = np.where(outside, BAD_NO_DATA, 0).astype(np.uint32)
    with np.errstate(invalid="ignore", over="ignore"):
        values = np.where(status >> np.uint32(31) == 1, np.nan, item.work(work))
    status = np.where(np.isnan(values), np.uint32(BAD_NO_DATA), status | np.uint32(CALCULATED))
    partial = grid.cut | (edges[:-1] < begin) | (edges[1:] > end)
    status = np.where(partial, status | np.uint32(PARTIAL), status).astype(np.uint32)
    share = np.nan_to_num(100 * divided(good_s, known_s))
    shown = None if item.unit is None else item.unit.replace("{unit}", unit or "").lstrip("·") or None
    return Intervals(edges[:-1], edges[1:], values, status, share, count, shown)


def _outside(line: Line, pieces: Pieces, whole: Whole | None) -> Pieces:
    """Without what lies in chunks that stand for their samples."""
    if whole is None or not len(line.t):
        return pieces
    return pieces.of(~whole.inner(line.t[:-1])[pieces.segment])


def _good(line: Line, pieces: Pieces, size: int) -> Values:
    good = (line.code >> np.uint32(30) == 0) & ~np.isnan(line.v0)
    seconds = pieces.seconds if good.all() else np.where(good[pieces.segment], pieces.seconds, 0.0)
    return total(seconds, pieces.interval, size)


def _doubtful(line: Line, pieces: Pieces, size: int) -> Mask:
    """Intervals with a time whose value is Uncertain."""
    if not line.unsure.any():
        return np.zeros(size, np.bool_)
    found: Mask = total(line.unsure[pieces.segment] * pieces.seconds, pieces.interval, size) > 0
    return found


def _extent(signal: Signal, line: Line, now_ns: int) -> tuple[int, int]:
    """From where to where there are data."""
    nothing = nothing_yet(signal.status)
    if nothing.all() or not len(line.t):
        return now_ns, now_ns
    return int(signal.t[np.argmin(nothing)]), min(int(line.t[-1]), now_ns)


def _by_time(pieces: Pieces, doubtful: Mask, covered_s: Values, known_s: Values, chunks: Mask) -> Statuses:
    """OPC 10000-13 §5.4.3.2.1 with 100 % for both limits: all Good, none, or something between."""
    touched = (covered_s > 0) | chunks
    touched[pieces.interval[pieces.seconds == 0]] = True  # an instant is something too
    whole = (covered_s >= known_s * (1 - 1e-9)) & ~doubtful
    status = np.where(whole, 0, UNCERTAIN_DATA_SUB_NORMAL)
    return np.where(touched, status, BAD_NO_DATA).astype(np.uint32)


def _by_samples(
    signal: Signal,
    fine: Mask,
    edges: Times,
    count: npt.NDArray[np.int64],
    off: Mask,
    own: Mask | None,
) -> Statuses:
    """The same by numbers of samples."""
    bad = ~(fine & (signal.status >> np.uint32(30) == 0))
    if own is not None:
        bad &= own
    t = signal.t[bad]
    t = t[~nothing_yet(signal.status[bad])]
    t = t[(t >= edges[0]) & (t < edges[-1])]
    doubtful = off | (np.bincount(np.searchsorted(edges, t, "right") - 1, minlength=len(count)) > 0)
    status = np.where(doubtful, UNCERTAIN_DATA_SUB_NORMAL, 0)
    return np.where(count > 0, status, BAD_NO_DATA).astype(np.uint32)
