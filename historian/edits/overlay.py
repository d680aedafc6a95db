"""What edits come to for one tag, and how that is laid over its samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from historian.settled import Columns

EXTRA_DATA: Final = (
    0x0408  # InfoType DataValue, HistorianBits ExtraData: it hides another sample of its time (Part 11)
)
_STRIDE: Final = 2048
_BEGIN: Final = -(2**63)

Times = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Range = Callable[
    [int, int, int], tuple[Columns, bool]
]  # (start, end, limit) → samples, whether there are more


class Change(Protocol):
    """What an edit did: see `table.Edit`."""

    @property
    def old(self) -> Columns:
        """What was there at its times, which it hides."""
        ...

    @property
    def new(self) -> Columns:
        """What it put there."""
        ...


@dataclass(frozen=True, slots=True)
class Overlay:
    """All edits of one tag together.

    Attributes:
        hidden: Times at which stored samples are not shown, rising, shape (m,).
        added: Samples that are shown besides, by time.
    """

    hidden: Times
    added: Columns

    def __len__(self) -> int:
        return len(self.hidden) + len(self.added.t)

    @property
    def times(self) -> Times:
        """Times, rising, at which it shows other samples than were stored."""
        return np.union1d(self.hidden, self.added.t)

    def touches(self, t0: Times, t1: Times) -> Mask:
        """Whether it has to do with t0 <= t <= t1, for many ranges at once, shape (n,)."""
        times = self.times
        mask: Mask = np.searchsorted(times, t0) < np.searchsorted(times, t1, side="right")
        return mask

    def shown(self, samples: Columns) -> Columns:
        """Stored samples without those that are hidden."""
        if not len(self.hidden) or not len(samples.t):
            return samples
        place = np.minimum(np.searchsorted(self.hidden, samples.t), len(self.hidden) - 1)
        keep = self.hidden[place] != samples.t
        return samples if keep.all() else samples.cut(keep)

    def between(self, start_ns: int, end_ns: int) -> Columns:
        """What it adds with start <= t < end."""
        low, high = np.searchsorted(self.added.t, [start_ns, end_ns])
        return self.added.cut(slice(int(low), int(high)))


_EMPTY: Final = Columns(np.empty(0, np.int64), np.empty(0, np.uint64), np.empty(0, np.uint32))
NONE: Final = Overlay(_EMPTY.t, _EMPTY)


def collapse(changes: Iterable[Change]) -> Overlay:
    """Edits in the order in which they were made, as one.

    An edit hides what was there at the times of its old samples, also what earlier edits put there, and adds its new ones.
    """
    hidden: list[Times] = []
    added = _EMPTY
    for change in changes:
        hidden.append(change.old.t)
        added = Columns.joined([Overlay(np.unique(change.old.t), _EMPTY).shown(added), change.new])
    times = np.unique(np.concatenate(hidden)) if hidden else _EMPTY.t
    replaces = np.isin(added.t, times)
    status = np.where(replaces, added.status | np.uint32(EXTRA_DATA), added.status)
    return Overlay(times, Columns(added.t, added.bits, status))


def read(originals: Range, overlay: Overlay, start_ns: int, end_ns: int, limit: int) -> tuple[Columns, bool]:
    """Samples with start <= t < end as they are after all edits: at most `limit`, and whether there are more.

    Of equal times the stored ones come first.

    Args:
        originals: Reads stored samples.
        overlay: Edits.
        start_ns: UTC, ns.
        end_ns: UTC, ns.
        limit: At most so many.
    """
    low, high = np.searchsorted(overlay.hidden, [start_ns, end_ns])
    wanted = limit + int(high - low)
    while True:
        stored, more = originals(start_ns, end_ns, wanted)
        # Of the last time there may be more stored samples than were read, and they come before what is added.
        seen_to = int(stored.t[-1]) if more else end_ns
        found = Columns.joined([overlay.shown(stored), overlay.between(start_ns, seen_to)])
        if len(found.t) > limit:
            return found.cut(slice(limit)), True
        if not more or len(found.t) == limit:
            return found, more
        wanted *= 2


def before(
    originals: Range, last_before: Callable[[int], Columns], overlay: Overlay, start_ns: int
) -> Columns:
    """The last sample before a time as it is after all edits, the one that came last; none or one.

    Args:
        originals: Reads stored samples.
        last_before: Reads the last stored sample before a time.
        overlay: Edits.
        start_ns: UTC, ns.
    """
    added = overlay.between(_BEGIN, start_ns).cut(slice(-1, None))
    least = int(added.t[0]) if len(added.t) else _BEGIN
    until = start_ns
    while until > least:
        stored = last_before(until)
        if not len(stored.t) or stored.t[0] < least:
            break
        if len(overlay.shown(stored).t):
            return Columns.joined([stored, added]).cut(slice(-1, None))
        # Hidden: look at everything that stands between many hidden times at once, not at one after the other.
        place = max(0, int(np.searchsorted(overlay.hidden, until)) - _STRIDE)
        since = max(int(overlay.hidden[place]), least)
        shown = overlay.shown(_all(originals, since, until)).cut(slice(-1, None))
        if len(shown.t):
            return Columns.joined([shown, added]).cut(slice(-1, None))
        until = since
    return added


def _all(originals: Range, start_ns: int, end_ns: int) -> Columns:
    limit = 2 * _STRIDE
    while True:
        found, more = originals(start_ns, end_ns, limit)
        if not more:
            return found
        limit *= 4
