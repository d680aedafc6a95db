"""The course of a value through time: segments between samples, broken where it is not known.

A segment begins at a sample. It has no value when that sample is not usable, so a gap stays a gap. Otherwise the value
is held (stepped tags, and before a sample that is not usable) or leads straight to the next sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from historian.read.signal import Mask, Signal, Statuses, Times, Values, inserted, usable
from tags.quality import BAD_NO_DATA


@dataclass(frozen=True, slots=True)
class Line:
    """Segments: `i` leads from `t[i]` to `t[i + 1]`.

    Attributes:
        t: Where segments begin, and the end of the last one; shape (n + 1,), or (0,) without samples.
        v0: Values at their begin, NaN for none; shape (n,), as all below.
        v1: Values that they come close to at their end.
        code: StatusCodes of the samples that they begin with; BadNoData where a pause was too long.
        raw: They begin with a stored sample.
        unsure: Their value is Uncertain (OPC 10000-13 §3.1.8, §3.1.9): a sample at one of its ends is not Good.
    """

    t: Times
    v0: Values
    v1: Values
    code: Statuses
    raw: Mask
    unsure: Mask

    def inside(self, at: Times, segment: npt.NDArray[np.intp]) -> Values:
        """Values at times within given segments (their end included, as what they come close to)."""
        begin = self.t[segment]
        length = self.t[segment + 1] - begin
        share = (at - begin) / np.maximum(length, 1)
        v0, v1 = self.v0[segment], self.v1[segment]
        found: Values = np.where(share >= 1, v1, v0 + (v1 - v0) * share)
        return np.where(share <= 0, v0, found)


def line_of(signal: Signal, now_ns: int, *, uncertain: bool = False, bridge: bool = False) -> Line:
    """The course of a signal.

    Args:
        signal: The samples.
        now_ns: Nothing is known after this, UTC, ns.
        uncertain: Calculate with Uncertain samples too.
        bridge: Lead over samples that are not usable as if they were not there (Interpolated Bounding Values).
    """
    t, v, code = signal.t, signal.v, signal.status
    good = usable(v, code, uncertain=uncertain)
    jumped = np.zeros(len(t), np.bool_)
    if bridge:
        index = np.flatnonzero(good)
        jumped = np.diff(index, append=len(t)) > 1
        t, v, code = t[index], v[index], code[index]
    elif not good.all():
        v = np.where(good, v, np.nan)
    if not len(t):
        return Line(t, v, v, code, jumped, jumped)
    end = max(int(t[-1]), _end(signal, int(t[-1]), now_ns))
    t, v, code = np.append(t, end), np.append(v, np.nan), np.append(code, np.uint32(BAD_NO_DATA))
    raw, jumped = np.append(np.ones(len(jumped), np.bool_), values=False), np.append(jumped, values=False)
    if signal.longest_ns and not bridge:
        at = np.flatnonzero((np.diff(t) > signal.longest_ns) & ~np.isnan(v[:-1])) + 1
        new = t[at - 1] + signal.longest_ns
        t, v, code, raw, jumped = inserted(
            at, [(t, new), (v, np.nan), (code, BAD_NO_DATA), (raw, False), (jumped, False)]
        )
    if signal.rest_ns and not signal.stepped:
        # Also before a bad sample: only the last step towards it is doubtful, not the rest before.
        rested = (np.diff(t) > signal.rest_ns) & ~np.isnan(v[:-1])
        rested[-1] = False
        at = np.flatnonzero(rested) + 1
        t, v, code, raw, jumped = inserted(
            at,
            [
                (t, t[at] - signal.ramp_ns),
                (v, v[at - 1]),
                (code, code[at - 1]),
                (raw, False),
                (jumped, jumped[at - 1]),
            ],
        )
    return _segments(t, v, code, raw, jumped, stepped=signal.stepped, bridge=bridge)


def _end(signal: Signal, last_ns: int, now_ns: int) -> int:
    # OPC 10000-13 §5.4.2.4: a value that may not be held at all still lasts one unit of time.
    return now_ns if signal.hold_ns is None else min(now_ns, last_ns + max(signal.hold_ns, 1))


def _segments(
    t: Times, v: Values, code: Statuses, raw: Mask, jumped: Mask, *, stepped: bool, bridge: bool
) -> Line:
    v0, following = v[:-1], v[1:]
    doubtful = code >> np.uint32(30) != 0
    unsure = doubtful[:-1] | jumped[:-1]
    last = np.zeros(len(v0), np.bool_)
    last[-1] = True
    if stepped:
        v1 = v0
    else:
        v1 = np.where(np.isnan(following) | (np.diff(t) == 0), v0, following)
        unsure = unsure | (doubtful[1:] & ~last)
    if bridge:
        unsure = unsure | last
    return Line(t, v0, v1, code[:-1], raw[:-1], unsure & ~np.isnan(v0))
