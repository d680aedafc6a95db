"""Samples as they are stored: with their bounds, and the place to go on from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from historian.read.signal import Statuses, Times
from historian.store import Samples
from tags.quality import BAD_BOUND_NOT_FOUND


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place between samples.

    Attributes:
        t: Time of the last sample that was read, UTC, ns.
        seq: How many samples of that very time were read.
    """

    t: int
    seq: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `str`.

        Raises:
            ValueError: Not made by `str`.
        """
        t, _, seq = text.partition(":")
        cursor = cls(int(t), int(seq))
        if cursor.seq < 0:
            raise ValueError(f"{text!r} is no place to go on from")
        return cursor

    def __str__(self) -> str:
        return f"{self.t}:{self.seq}"

    @classmethod
    def after(cls, t: Times, previous: Cursor | None) -> Cursor | None:
        """The place behind samples that were read after a previous place; None when there were none."""
        if not len(t):
            return previous
        last = int(t[-1])
        seq = int((t == last).sum())
        return cls(last, seq + (previous.seq if previous and previous.t == last else 0))


@dataclass(frozen=True, slots=True)
class Bounded:
    """Samples of a range with its bounds, in the direction that was asked for.

    Attributes:
        t: UTC, ns, shape (n,).
        bits: Value bits; 0 for a bound that was not found.
        status: StatusCodes; BadBoundNotFound for such a bound.
        more: The limit left some out.
    """

    t: Times
    bits: npt.NDArray[np.uint64]
    status: Statuses
    more: bool = False

    def __len__(self) -> int:
        return len(self.t)


def bounded(samples: Samples, start_ns: int, end_ns: int, limit: int = 0, *, bounds: bool = True) -> Bounded:
    """Raw samples as OPC 10000-11 §6.5.3.2 (ReadRaw) returns them, bounds after its Table 1.

    Args:
        samples: From the last one before the range to the first one after it, by time.
        start_ns: UTC, ns.
        end_ns: UTC, ns. The sample there is left out unless it is a bound. Before the start: newest first.
        limit: At most so many, bounds counted; 0 for all.
        bounds: Add the sample at or before the begin and at or after the end, or that there is none.
    """
    back = end_ns < start_ns
    low, high = (end_ns, start_ns) if back else (start_ns, end_ns)
    t = samples.t
    # The end is not part of the range; going backwards that is the lower one. One instant alone is a range too.
    past_low = back and low != high
    past_high = back or low == high
    first = int(np.searchsorted(t, low, "right" if past_low else "left"))
    past = int(np.searchsorted(t, high, "right" if past_high else "left"))
    index = np.arange(first, past)
    head = tail = False
    if bounds:
        lower = int(np.searchsorted(t, low, "right")) - 1
        upper = int(np.searchsorted(t, high, "left"))
        has_low = bool(len(index)) and int(t[index[0]]) == low
        has_high = bool(len(index)) and int(t[index[-1]]) == high
        if not has_low:
            head = lower < 0
            index = index if head else np.insert(index, 0, lower)
        if not has_high:
            tail = upper >= len(t)
            index = index if tail else np.append(index, upper)
    found_t, bits, status = samples.t[index], samples.bits[index], samples.status[index]
    if head:
        found_t, bits, status = _with(0, low, found_t, bits, status)
    if tail:
        found_t, bits, status = _with(len(found_t), high, found_t, bits, status)
    if back:
        found_t, bits, status = found_t[::-1], bits[::-1], status[::-1]
    more = bool(limit) and len(found_t) > limit
    if more:
        found_t, bits, status = found_t[:limit], bits[:limit], status[:limit]
    return Bounded(found_t, bits, status, more)


def _with(
    at: int, moment: int, t: Times, bits: npt.NDArray[np.uint64], status: Statuses
) -> tuple[Times, npt.NDArray[np.uint64], Statuses]:
    return (
        np.insert(t, at, moment),
        np.insert(bits, at, np.uint64(0)),
        np.insert(status, at, np.uint32(BAD_BOUND_NOT_FOUND)),
    )
