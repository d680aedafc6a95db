"""Chunks that lie within one interval as a whole: their summaries stand for their samples.

Of such a chunk only the samples at its edges are looked at, as stand-ins, since they join it to its neighbours. What lies
between them comes from the summary. So an aggregate is the same as from all samples, but for rounding; where a summary
does not know enough, the chunk is read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from historian.chunks import NEVER, SUMMARY, Summaries, form_of
from historian.chunks.brief import AREA, RANGE, RESTS, SIGNED, SQUARES, STEPS, SUM, ZERO, numbers, summarised
from historian.read.functions import Aggregate
from historian.read.signal import Mask, Signal, Times, Values

_AREAS: Final = frozenset({"time-average", "time-average-bridged", "integral", "total", "total-bridged"})
_WANTED: Final = {name: frozenset({AREA}) for name in _AREAS} | {
    "min": frozenset({RANGE}),
    "max": frozenset({RANGE}),
    "range": frozenset({RANGE}),
    "sample-min": frozenset({RANGE}),
    "sample-max": frozenset({RANGE}),
    "sample-range": frozenset({RANGE}),
    "average": frozenset({SUM}),
    "standard-deviation": frozenset({SUM, SQUARES}),
    "standard-deviation-population": frozenset({SUM, SQUARES}),
    "counter": frozenset({STEPS, RANGE}),
    "number-of-transitions": frozenset({STEPS}),
    "duration-in-state-zero": frozenset({ZERO, RANGE}),
    "duration-in-state-non-zero": frozenset({ZERO, RANGE}),
    "time-in-state": frozenset({ZERO, RANGE}),
}
_FEW: Final = 8  # samples of an interval: summing them up is not worth it
_STRAIGHT: Final = NEVER // RESTS  # no pause is so long that the value rests
_BOUNDS: Final = frozenset({"start-bound", "end-bound", "delta-bounds", "interpolative"})


@dataclass(frozen=True, slots=True)
class Whole:
    """Summaries among the samples of a signal.

    Attributes:
        records: Of `SUMMARY`, shape (k,), by time; they overlap neither each other nor other samples.
        own: Which samples of the signal stand for themselves; the others are edges of a summarised chunk. Shape (n,).
        joint: Which samples are a step away from the usable one before; for the others that step is in a summary.
    """

    records: Summaries
    own: Mask
    joint: Mask

    def inner(self, t: Times) -> Mask:
        """Which segments lie in a summarised chunk.

        Args:
            t: Where they begin, never falling.
        """
        inside = np.searchsorted(self.records["t0"], t, "right") - 1
        found: Mask = (inside >= 0) & (t < self.records["t1"][np.maximum(inside, 0)])
        return found


@dataclass(frozen=True, slots=True)
class Need:
    """What of chunks has to be read to answer a question.

    Attributes:
        item: The aggregate.
        edges: Of the intervals.
        type: Of the tag.
        signal: Without samples: the rules of the tag.
        uncertain: Calculate with Uncertain samples too.
        state: For `time-in-state`.
        roll_over: For `counter`.
        also: Other aggregates of the same samples.
    """

    item: Aggregate
    edges: Times
    type: str
    signal: Signal
    uncertain: bool = False
    state: float | None = None
    roll_over: float | None = None
    also: tuple[Aggregate, ...] = ()

    @property
    def items(self) -> tuple[Aggregate, ...]:
        """All aggregates."""
        return self.item, *self.also

    @property
    def fields(self) -> frozenset[str]:
        """What of a summary they need besides what is always there; see `chunks.brief`."""
        return frozenset().union(*(_WANTED.get(item.name, frozenset()) for item in self.items))

    def read(self, found: Summaries, sound: Mask, others: Times) -> Mask:
        """Which chunks must be read; the others may be taken as a whole.

        Args:
            found: Summaries of chunks, by their first time, shape (k,).
            sound: Which of them can be believed.
            others: Times of samples that are not in these chunks, in order.
        """
        t0, t1 = found["t0"], found["t1"]
        at = np.searchsorted(self.edges, t0, "right")
        must: Mask = ~sound | (t0 == t1) | (at != np.searchsorted(self.edges, t1, "right"))
        must |= (at == 0) | (at == len(self.edges)) | (found["form"] != form_of(self.type))
        must |= _overlapping(t0, t1)
        if len(others):
            must |= np.searchsorted(others, t0, "left") != np.searchsorted(others, t1, "right")
        must |= found["known"] != t0
        if self.signal.longest_ns:
            must |= found["gap"] > self.signal.longest_ns
        if self.uncertain:
            must |= found["unsure"] > 0
        for item in self.items:
            must |= self._special(item, found, at)
        return must

    def _special(self, item: Aggregate, found: Summaries, at: npt.NDArray[np.intp]) -> Mask:
        """What one aggregate or another cannot take from a summary."""
        must: Mask = np.zeros(len(found), np.bool_)
        if item.bridge:
            must |= found["good"] != found["n"]
        if item.name in _AREAS and not self.signal.stepped:
            ramp = self.signal.ramp_ns if self.signal.rest_ns else 0
            shorter = np.minimum(np.where(found["ramp"] > 0, found["ramp"], _STRAIGHT), ramp or _STRAIGHT)
            must |= (found["ramp"] != ramp) & (found["gap"] > RESTS * shorter)
        if item.name in _BOUNDS:
            must |= found["t0"] == self.edges[np.maximum(at - 1, 0)]
        if item.name == "counter" and self.roll_over is not None:
            with np.errstate(all="ignore"):
                must |= (found["falls"] > 0) & ~(found["high"] - found["low"] <= self.roll_over)
        if item.name == "time-in-state" and self.state is not None:
            must |= ~(_known_state(found, self.state) | (found["good"] == 0))
        return must


def summed_up(
    need: Need,
    t: Times,
    bits: npt.NDArray[np.uint64],
    status: npt.NDArray[np.uint32],
    records: Summaries,
) -> tuple[Summaries, Mask]:
    """Summaries of the samples of each interval, where these do: they are quicker to go on with.

    Args:
        need: What they are for.
        t: Times of samples, never falling.
        bits: Value bits.
        status: StatusCodes.
        records: Summaries besides, by time; no sample lies within one.

    Returns:
        All summaries by time, and which samples are not in them.
    """
    rest = np.ones(len(t), np.bool_)
    edges = need.edges
    if len(t) < _FEW * len(edges):
        return records, rest
    marks = np.searchsorted(t, np.concatenate((edges, records["t0"])), "left")
    starts = np.unique(np.append(marks, 0))
    starts = starts[starts < len(t)]
    ramp = need.signal.ramp_ns if need.signal.rest_ns else 0
    mine = summarised(t, bits, status, starts, 0, form_of(need.type), ramp, need.fields)
    must = need.read(mine, np.ones(len(mine), np.bool_), records["t0"])
    rest = np.repeat(must, mine["n"])
    both = np.concatenate((records, mine[~must]))
    return both[np.argsort(both["t0"], kind="stable")], rest


def _known_state(found: Summaries, state: float) -> Mask:
    low, high = found["low"], found["high"]
    binary = (found["form"] == SIGNED) & (low >= 0) & (high <= 1)
    known: Mask = (state < low) | (state > high) | (low == high) | (state == 0) | (binary & (state == 1))
    return known


def _overlapping(t0: Times, t1: Times) -> Mask:
    """Chunks that share a time with another; they come by their first time."""
    found = np.zeros(len(t0), np.bool_)
    if len(t0) > 1:
        touches = t0[1:] <= np.maximum.accumulate(t1)[:-1]
        found[1:] |= touches
        # A long chunk overlaps all of those that follow, not only the next.
        group = np.cumsum(np.concatenate(([False], ~touches)))
        found = np.bincount(group, found)[group] > 0
    return found


def with_whole(signal: Signal, records: Summaries) -> tuple[Signal, Whole | None]:
    """A signal with the edges of summarised chunks among its samples.

    Args:
        signal: All other samples.
        records: See `Whole`.
    """
    if not len(records):
        return signal, None
    t, v, status, joint = _edges(records)
    size = len(signal)
    at = np.searchsorted(signal.t, t, "left")
    place = at + np.arange(len(t))  # where they stand among all
    rest = np.ones(size + len(t), np.bool_)
    rest[place] = False

    def merged(mine: npt.NDArray[Any], theirs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        found = np.empty(size + len(t), mine.dtype)
        found[rest], found[place] = mine, theirs
        return found

    joined = replace(
        signal, t=merged(signal.t, t), v=merged(signal.v, v), status=merged(signal.status, status)
    )
    return joined, Whole(records, rest, merged(np.ones(size, np.bool_), joint))


def _edges(records: Summaries) -> tuple[Times, Values, npt.NDArray[np.uint32], Mask]:
    """First sample, first and last Good one where those are others, last sample of each chunk."""
    form = int(records["form"][0])
    first, last = numbers(form, records["first"]), numbers(form, records["last"])
    good = records["good"]
    head = np.isfinite(first) & (records["first_status"] >> np.uint32(30) == 0)
    tail = np.isfinite(last) & (records["last_status"] >> np.uint32(30) == 0)
    size = len(records)
    t = np.empty((size, 4), np.int64)
    v = np.empty((size, 4))
    status = np.zeros((size, 4), np.uint32)
    t[:, 0], t[:, 1], t[:, 2], t[:, 3] = (records[name] for name in ("t0", "good_t0", "good_t1", "t1"))
    v[:, 0], v[:, 1], v[:, 2], v[:, 3] = first, records["good_first"], records["good_last"], last
    status[:, 0], status[:, 3] = records["first_status"], records["last_status"]
    there = np.ones((size, 4), np.bool_)
    there[:, 1] = ~head & (good > (tail & (good == 1)))  # the last one may be the only Good one
    there[:, 2] = ~tail & (good > 1)
    joint = np.ones((size, 4), np.bool_)
    joint[:, 2] = False
    joint[:, 3] = good <= 1
    return t[there], v[there], status[there], joint[there]


def none_of() -> Summaries:
    """No summaries."""
    return np.empty(0, SUMMARY)
