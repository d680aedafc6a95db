"""Aggregates: one value for each interval, with the names and rules of OPC 10000-13 where it has them.

Aggregates of time (averages over time, totals, durations, lowest and highest value) look at the course of the value, so
they know what it was between and around samples. Aggregates of samples (mean, deviation, first, last) look at what was
stored in the interval and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from historian.read.at import at
from historian.read.intervals import Grid
from historian.read.line import Line, line_of
from historian.read.pieces import Indices, Pieces, ends, extreme, pieces_of, total
from historian.read.result import Intervals
from historian.read.signal import (
    BAD_NO_DATA,
    CALCULATED,
    PARTIAL,
    UNCERTAIN_DATA_SUB_NORMAL,
    Mask,
    Signal,
    Statuses,
    Times,
    Values,
    usable,
)
from tags.quality import BAD_WAITING_FOR_INITIAL_DATA

# Where the quality of a result comes from.
TIME, SAMPLES, BOUND, ALWAYS = "time", "samples", "bound", "always"


@dataclass(frozen=True, slots=True)
class Work:
    """What one aggregate may look at.

    Attributes:
        pieces: The course of the value cut at the edges; pieces without a value left out.
        edges: Of the intervals.
        t, v: Samples in the range that can be calculated with.
        interval: Of each sample.
        previous: Values of the usable samples before each sample, NaN for none.
        good_s: Time with a Good value, s, of each interval.
        known_s: Its part that lies in the past, s.
        state: Asked for.
        roll_over: At which a counter starts again from 0; None when it is not known.
    """

    pieces: Pieces
    edges: Times
    t: Times
    v: Values
    interval: Indices
    previous: Values
    good_s: Values
    known_s: Values
    state: float
    roll_over: float | None

    @property
    def size(self) -> int:
        """How many intervals."""
        return len(self.edges) - 1

    def time(self, values: Values) -> Values:
        """Sums of values over pieces."""
        return total(values, self.pieces.interval, self.size)

    def samples(self, values: Values) -> Values:
        """Sums of values over samples."""
        return total(values, self.interval, self.size)


def _area(work: Work) -> Values:
    pieces = work.pieces
    return work.time((pieces.x0 + pieces.x1) / 2 * pieces.seconds)


def _time_average(work: Work) -> Values:
    return _divided(_area(work), work.time(work.pieces.seconds))


def _total(work: Work) -> Values:
    return _time_average(work) * (np.diff(work.edges) / 1e9)


def _mean(work: Work) -> Values:
    return _divided(work.samples(work.v), work.samples(np.ones(len(work.v))))


def _squares(work: Work) -> Values:
    off = work.v - _mean(work)[work.interval]
    return work.samples(off * off)


def _deviation(work: Work) -> Values:
    n = work.samples(np.ones(len(work.v)))
    # OPC 10000-13 §5.4.3.37: the deviation of a single value is 0.
    return np.where(n == 1, 0.0, np.sqrt(_divided(_squares(work), n - 1)))


def _deviation_of_all(work: Work) -> Values:
    found: Values = np.sqrt(_divided(_squares(work), work.samples(np.ones(len(work.v)))))
    return found


def _lowest(work: Work) -> Values:
    pieces = work.pieces
    return extreme(np.minimum, np.minimum(pieces.x0, pieces.x1), pieces.interval, work.size)


def _highest(work: Work) -> Values:
    pieces = work.pieces
    return extreme(np.maximum, np.maximum(pieces.x0, pieces.x1), pieces.interval, work.size)


def _lowest_sample(work: Work) -> Values:
    return extreme(np.minimum, work.v, work.interval, work.size)


def _highest_sample(work: Work) -> Values:
    return extreme(np.maximum, work.v, work.interval, work.size)


def _first(work: Work) -> Values:
    return ends(work.v, work.interval, work.size, last=False)


def _last(work: Work) -> Values:
    return ends(work.v, work.interval, work.size, last=True)


def _start_bound(work: Work) -> Values:
    pieces = work.pieces
    there = pieces.of(pieces.t0 == work.edges[pieces.interval])
    return ends(there.x0, there.interval, work.size, last=True)


def _end_bound(work: Work) -> Values:
    pieces = work.pieces
    there = pieces.of(pieces.t1 == work.edges[pieces.interval + 1])
    return ends(there.x1, there.interval, work.size, last=True)


def _transitions(work: Work) -> Values:
    return work.samples(((work.v != work.previous) & ~np.isnan(work.previous)).astype(np.float64))


def _counted(work: Work) -> Values:
    with np.errstate(invalid="ignore"):
        step = work.v - work.previous
        again = work.v if work.roll_over is None else step + work.roll_over
        step = np.where(step < 0, np.where(again >= 0, again, work.v), step)
    return work.samples(np.where(np.isnan(step), 0.0, step))


def _in_state(work: Work, wanted: Mask) -> Values:
    return work.time(np.where(wanted, work.pieces.seconds, 0.0))


def _divided(above: Values, below: Values) -> Values:
    found = np.full(len(above), np.nan)
    np.divide(above, below, out=found, where=below > 0)
    return found


class Aggregate(NamedTuple):
    """One aggregate.

    Attributes:
        name: As the command line has it.
        opcua: BrowseName of OPC 10000-13, or None when it has none with this rule.
        work: Calculates it.
        quality: Where the status comes from.
        unit: Of the result: `{unit}` stands for the tag's.
        stepped: Look at the value as stepped, whatever the tag is.
        bridge: Lead over samples that are not usable.
    """

    name: str
    opcua: str | None
    work: Callable[[Work], Values]
    quality: str = TIME
    unit: str | None = "{unit}"
    stepped: bool = False
    bridge: bool = False


_ALL: Final = (
    Aggregate("time-average", "TimeAverage2", _time_average),
    Aggregate("time-average-bridged", "TimeAverage", _time_average, bridge=True),
    Aggregate("integral", None, _area, unit="{unit}·s"),
    Aggregate("total", "Total2", _total, unit="{unit}·s"),
    Aggregate("total-bridged", "Total", _total, unit="{unit}·s", bridge=True),
    Aggregate("min", "Minimum2", _lowest),
    Aggregate("max", "Maximum2", _highest),
    Aggregate("range", "Range2", lambda work: _highest(work) - _lowest(work)),
    Aggregate("average", "Average", _mean, SAMPLES),
    Aggregate("standard-deviation", "StandardDeviationSample", _deviation, SAMPLES),
    Aggregate("standard-deviation-population", "StandardDeviationPopulation", _deviation_of_all, SAMPLES),
    Aggregate("sample-min", "Minimum", _lowest_sample, SAMPLES),
    Aggregate("sample-max", "Maximum", _highest_sample, SAMPLES),
    Aggregate("sample-range", "Range", lambda work: _highest_sample(work) - _lowest_sample(work), SAMPLES),
    Aggregate("count", "Count", lambda work: work.samples(np.ones(len(work.v))), ALWAYS, None),
    Aggregate("first", "Start", _first, SAMPLES),
    Aggregate("last", "End", _last, SAMPLES),
    Aggregate("delta", "Delta", lambda work: _last(work) - _first(work), SAMPLES),
    Aggregate("start-bound", "StartBound", _start_bound, BOUND),
    Aggregate("end-bound", "EndBound", _end_bound),
    Aggregate("delta-bounds", "DeltaBounds", lambda work: _end_bound(work) - _start_bound(work)),
    Aggregate("interpolative", "Interpolative", _start_bound, BOUND, bridge=True),
    Aggregate("counter", None, _counted, stepped=True),
    Aggregate("number-of-transitions", "NumberOfTransitions", _transitions, unit=None, stepped=True),
    Aggregate(
        "duration-in-state-zero",
        "DurationInStateZero",
        lambda work: _in_state(work, work.pieces.x0 == 0),
        unit="s",
        stepped=True,
    ),
    Aggregate(
        "duration-in-state-non-zero",
        "DurationInStateNonZero",
        lambda work: _in_state(work, work.pieces.x0 != 0),
        unit="s",
        stepped=True,
    ),
    Aggregate(
        "time-in-state",
        None,
        lambda work: _in_state(work, work.pieces.x0 == work.state),
        unit="s",
        stepped=True,
    ),
    Aggregate("duration-good", "DurationGood", lambda work: work.good_s, ALWAYS, "s"),
    Aggregate("duration-not-good", None, lambda work: work.known_s - work.good_s, ALWAYS, "s"),
    Aggregate(
        "percent-good", "PercentGood", lambda work: 100 * _divided(work.good_s, work.known_s), ALWAYS, "%"
    ),
)
NAMES: Final = tuple(item.name for item in _ALL)
_BY_NAME: Final = {item.name: item for item in _ALL} | {
    item.opcua: item for item in _ALL if item.opcua is not None
}


def named(name: str) -> Aggregate:
    """An aggregate by its name (`time-average`), or by its BrowseName in OPC UA (`TimeAverage2`).

    Raises:
        ValueError: There is none; the message lists all.
    """
    try:
        return _BY_NAME[name]
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
    pieces = pieces_of(line, edges)
    known_s = np.clip(now_ns - edges[:-1], 0, np.diff(edges)) / 1e9
    plain = line_of(signal, now_ns, uncertain=uncertain) if item.bridge else line
    good_s = _good(plain, pieces_of(plain, edges) if item.bridge else pieces, size)
    fits = ~np.isnan(pieces.x0)
    unsure = pieces.of(fits & line.unsure[pieces.segment])
    pieces = pieces.of(fits)
    index = np.flatnonzero(usable(signal.v, signal.status, uncertain=uncertain))
    t, v = signal.t[index], signal.v[index]
    previous = np.concatenate(([np.nan], v[:-1]))[: len(v)]
    here = (t >= edges[0]) & (t < edges[-1])
    interval = np.searchsorted(edges, t[here], "right") - 1
    work = Work(
        pieces, edges, t[here], v[here], interval, previous[here], good_s, known_s, state or 0.0, roll_over
    )
    count = total(np.ones(len(interval)), interval, size).astype(np.int64)
    begin, end = _extent(signal, line, now_ns)
    outside = ((edges[1:] <= begin) | (edges[:-1] >= end)) & (count == 0)
    if item.quality == TIME:
        status = _by_time(pieces, unsure, known_s, size)
    elif item.quality == SAMPLES:
        status = _by_samples(signal, index, edges, count)
    elif item.quality == BOUND:
        _, status = at(signal, edges[:-1], now_ns, uncertain=uncertain, bridge=item.bridge)
    else:
        status = np.where(outside, BAD_NO_DATA, 0).astype(np.uint32)
    with np.errstate(invalid="ignore", over="ignore"):
        values = np.where(status >> np.uint32(31) == 1, np.nan, item.work(work))
    status = np.where(np.isnan(values), np.uint32(BAD_NO_DATA), status | np.uint32(CALCULATED))
    partial = grid.cut | (edges[:-1] < begin) | (edges[1:] > end)
    status = np.where(partial, status | np.uint32(PARTIAL), status).astype(np.uint32)
    share = np.nan_to_num(100 * _divided(good_s, known_s))
    shown = None if item.unit is None else item.unit.replace("{unit}", unit or "").lstrip("·") or None
    return Intervals(edges[:-1], edges[1:], values, status, share, count, shown)


def _good(line: Line, pieces: Pieces, size: int) -> Values:
    good = (line.code[pieces.segment] >> np.uint32(30) == 0) & ~np.isnan(pieces.x0)
    return total(np.where(good, pieces.seconds, 0.0), pieces.interval, size)


def _extent(signal: Signal, line: Line, now_ns: int) -> tuple[int, int]:
    """From where to where there are data."""
    found = signal.t[~_nothing(signal)]
    if not len(found) or not len(line.t):
        return now_ns, now_ns
    return int(found[0]), min(int(line.t[-1]), now_ns)


def _nothing(signal: Signal) -> Mask:
    """Samples that only say that there are none yet."""
    code = signal.status & np.uint32(0xFFFF_0000)
    found: Mask = (code == BAD_NO_DATA) | (code == BAD_WAITING_FOR_INITIAL_DATA)
    return found


def _by_time(pieces: Pieces, unsure: Pieces, known_s: Values, size: int) -> Statuses:
    """OPC 10000-13 §5.4.3.2.1 with 100 % for both limits: all Good, none, or something between."""
    touched = np.bincount(pieces.interval, minlength=size) > 0
    covered = total((pieces.t1 - pieces.t0).astype(np.float64), pieces.interval, size) / 1e9
    doubtful = total(unsure.seconds, unsure.interval, size) > 0
    whole = (covered >= known_s * (1 - 1e-9)) & ~doubtful
    status = np.where(whole, 0, UNCERTAIN_DATA_SUB_NORMAL)
    return np.where(touched, status, BAD_NO_DATA).astype(np.uint32)


def _by_samples(
    signal: Signal, index: npt.NDArray[np.intp], edges: Times, count: npt.NDArray[np.int64]
) -> Statuses:
    """The same by numbers of samples."""
    good = np.zeros(len(signal), np.bool_)
    good[index] = signal.status[index] >> np.uint32(30) == 0
    t = signal.t[~good & ~_nothing(signal)]
    t = t[(t >= edges[0]) & (t < edges[-1])]
    doubtful = np.bincount(np.searchsorted(edges, t, "right") - 1, minlength=len(count)) > 0
    status = np.where(doubtful, UNCERTAIN_DATA_SUB_NORMAL, 0)
    return np.where(count > 0, status, BAD_NO_DATA).astype(np.uint32)
