"""The arithmetic of aggregates, and which aggregate is which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from historian.chunks import Summaries
from historian.read.pieces import Indices, Pieces, ends, extreme, total
from historian.read.signal import Mask, Times, Values

# Where the quality of a result comes from.
TIME, SAMPLES, BOUND, ALWAYS = "time", "samples", "bound", "always"


@dataclass(frozen=True, slots=True)
class Work:
    """What one aggregate may look at.

    Attributes:
        pieces: The course of the value cut at the edges; pieces without a value left out.
        edges: Of the intervals.
        every: Values of all samples that can be calculated with.
        inside: Which of them lie in the range.
        interval: Of each of those.
        count: How many there are in each interval.
        covered_s: Time with a value, s, of each interval.
        good_s: Time with a Good value, s.
        known_s: Its part that lies in the past, s.
        state: Asked for.
        roll_over: At which a counter starts again from 0; None when it is not known.
        stepped: The course of the value is stepped.
        whole: Chunks that each lie in one interval, whose samples are not among the others but for their edges.
        at: The interval of each of them.
        own: Which of the samples inside are to be counted; the others are such edges.
        joint: Which of them are a step away from the one before; for the others a summary knows.
    """

    pieces: Pieces
    edges: Times
    every: Values
    inside: slice
    interval: Indices
    count: npt.NDArray[np.int64]
    covered_s: Values
    good_s: Values
    known_s: Values
    state: float
    roll_over: float | None
    stepped: bool
    whole: Summaries
    at: Indices
    own: Mask | slice
    joint: Mask | slice

    @property
    def size(self) -> int:
        """How many intervals."""
        return len(self.edges) - 1

    @property
    def v(self) -> Values:
        """Values of the samples in the range."""
        return self.every[self.inside]

    @property
    def previous(self) -> Values:
        """Of each of them the value before, NaN for the very first."""
        before = self.every[max(self.inside.start - 1, 0) : max(self.inside.stop - 1, 0)]
        return before if self.inside.start else np.concatenate(([np.nan], before))[: self.inside.stop]

    def time(self, values: Values) -> Values:
        """Sums of values over pieces."""
        return total(values, self.pieces.interval, self.size)

    def samples(self, values: Values) -> Values:
        """Sums of values over samples, those of chunks left out."""
        return total(values[self.own], self.interval[self.own], self.size)

    def steps(self, values: Values) -> Values:
        """Sums over samples of what lies between each and the one before, inside of chunks left out."""
        return total(values[self.joint], self.interval[self.joint], self.size)

    def chunks(self, values: npt.NDArray[Any]) -> Values:
        """Sums over chunks."""
        return total(values, self.at, self.size)

    def extreme(self, ufunc: np.ufunc, values: Values, group: Indices) -> Values:
        """The least or greatest of some values by interval, and of all chunks."""
        found = extreme(ufunc, values, group, self.size)
        if not len(self.whole):
            return found
        name = "low" if ufunc is np.minimum else "high"
        known = self.whole["good"] > 0
        of_chunks = extreme(ufunc, self.whole[name][known], self.at[known], self.size)
        both: Values = (np.fmin if ufunc is np.minimum else np.fmax)(found, of_chunks)
        return both


def _area(work: Work) -> Values:
    pieces = work.pieces
    area = work.time((pieces.x0 + pieces.x1) / 2 * pieces.seconds)
    return area + work.chunks(work.whole["held" if work.stepped else "line"])


def _time_average(work: Work) -> Values:
    return divided(_area(work), work.covered_s)


def _total(work: Work) -> Values:
    return _time_average(work) * (np.diff(work.edges) / 1e9)


def _mean(work: Work) -> Values:
    return divided(work.samples(work.v) + work.chunks(work.whole["total"]), work.count.astype(np.float64))


def _squares(work: Work) -> Values:
    mean = _mean(work)
    off = work.v - mean[work.interval]
    chunks, good = work.whole, work.whole["good"].astype(np.float64)
    away = np.nan_to_num(divided(chunks["total"], good)) - mean[work.at]
    return work.samples(off * off) + work.chunks(
        chunks["squares"] + np.where(good > 0, good * away * away, 0.0)
    )


def _deviation(work: Work) -> Values:
    n = work.count.astype(np.float64)
    # OPC 10000-13 §5.4.3.37: the deviation of a single value is 0.
    return np.where(n == 1, 0.0, np.sqrt(divided(_squares(work), n - 1)))


def _deviation_of_all(work: Work) -> Values:
    found: Values = np.sqrt(divided(_squares(work), work.count.astype(np.float64)))
    return found


def _lowest(work: Work) -> Values:
    pieces = work.pieces
    return work.extreme(np.minimum, np.minimum(pieces.x0, pieces.x1), pieces.interval)


def _highest(work: Work) -> Values:
    pieces = work.pieces
    return work.extreme(np.maximum, np.maximum(pieces.x0, pieces.x1), pieces.interval)


def _lowest_sample(work: Work) -> Values:
    return work.extreme(np.minimum, work.v, work.interval)


def _highest_sample(work: Work) -> Values:
    return work.extreme(np.maximum, work.v, work.interval)


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
    moved = ((work.v != work.previous) & ~np.isnan(work.previous)).astype(np.float64)
    return work.steps(moved) + work.chunks(work.whole["changes"])


def _counted(work: Work) -> Values:
    with np.errstate(invalid="ignore"):
        step = work.v - work.previous
        again = work.v if work.roll_over is None else step + work.roll_over
        step = np.where(step < 0, np.where(again >= 0, again, work.v), step)
        inner = work.whole["rise"] + (
            work.whole["anew"]
            if work.roll_over is None
            else work.whole["fall"] + work.whole["falls"] * work.roll_over
        )
    return work.steps(np.where(np.isnan(step), 0.0, step)) + work.chunks(inner)


def _in_state(work: Work, state: float) -> Values:
    outside = work.time(np.where(work.pieces.x0 == state, work.pieces.seconds, 0.0))
    return outside + work.chunks(in_state_ns(work.whole, state)) / 1e9


def _not_zero(work: Work) -> Values:
    outside = work.time(np.where(work.pieces.x0 != 0, work.pieces.seconds, 0.0))
    return outside + work.chunks(work.whole["covered"] - work.whole["zero"]) / 1e9


def in_state_ns(found: Summaries, state: float) -> Values:
    """Time at a state in each of some chunks of which `Need` says that their summaries know it, ns."""
    covered, zero = found["covered"], found["zero"]
    outside = (state < found["low"]) | (state > found["high"]) | (found["good"] == 0)
    some = np.where(state == 0, zero, np.where(found["low"] == found["high"], covered, covered - zero))
    return np.where(outside, 0, some).astype(np.float64)


def divided(above: Values, below: Values) -> Values:
    """A quotient, NaN where there is nothing to divide by."""
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
    Aggregate("count", "Count", lambda work: work.count.astype(np.float64), ALWAYS, None),
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
        lambda work: _in_state(work, 0.0),
        unit="s",
        stepped=True,
    ),
    Aggregate(
        "duration-in-state-non-zero",
        "DurationInStateNonZero",
        _not_zero,
        unit="s",
        stepped=True,
    ),
    Aggregate(
        "time-in-state",
        None,
        lambda work: _in_state(work, work.state),
        unit="s",
        stepped=True,
    ),
    Aggregate("duration-good", "DurationGood", lambda work: work.good_s, ALWAYS, "s"),
    Aggregate("duration-not-good", None, lambda work: work.known_s - work.good_s, ALWAYS, "s"),
    Aggregate(
        "percent-good", "PercentGood", lambda work: 100 * divided(work.good_s, work.known_s), ALWAYS, "%"
    ),
)
NAMES: Final = tuple(item.name for item in _ALL)
BY_NAME: Final = {item.name: item for item in _ALL} | {
    item.opcua: item for item in _ALL if item.opcua is not None
}
OPCUA_NAMES: Final = {item.name: item.opcua for item in _ALL if item.opcua is not None}
DURATIONS: Final = frozenset(item.name for item in _ALL if item.unit == "s")
