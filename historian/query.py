"""The past of tags from a store: fetches what `historian.read` needs and asks it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from historian.chunks import Summaries
from historian.pages import Page, page
from historian.read import (
    SHIFTS,
    Bounded,
    Cursor,
    Intervals,
    Signal,
    Trend,
    aggregate,
    align,
    arrow_table,
    at,
    bounded,
    civil,
    fixed,
    named,
    rules_of,
    sensible,
    signal_of,
)
from historian.read.merge import merged
from historian.read.signal import Mask, Statuses, Times, Values, usable
from historian.read.whole import Need, Whole, summed_up, with_whole
from historian.rollups import WIDTHS
from historian.store import Samples, Store
from tags.model import Tag
from tags.types import STRING, UINT16, UINT32

SAMPLES_MAX: Final = 5_000_000
_FAR: Final = 64  # samples that are looked at beyond the range for one that can be calculated with
_FOREVER: Final = 2**63 - 1
_ROLL_OVER: Final = {UINT16: 2.0**16, UINT32: 2.0**32}
_LOOKS_BACK: Final = frozenset({"counter", "number-of-transitions"})


class History:
    """Questions about the past of tags.

    Args:
        store: Open for reading.
        zone: IANA name of the site's time zone.
    """

    def __init__(self, store: Store, zone: str) -> None:
        self._store = store
        self._zone = zone

    def page(
        self,
        tag: Tag,
        start_ns: int,
        end_ns: int,
        limit: int = 10_000,
        cursor: Cursor | None = None,
        *,
        bounds: bool = False,
        originals: bool = False,
    ) -> Page:
        """See `historian.pages.page`."""
        return page(self._store, tag.id, start_ns, end_ns, limit, cursor, bounds=bounds, originals=originals)

    def raw(
        self, tag: Tag, start_ns: int, end_ns: int, limit: int = 10_000, *, bounds: bool = True
    ) -> Bounded:
        """Stored samples with their bounds; newest first when the end is before the start.

        Raises:
            ValueError: It is a text, or there are too many to turn around.
        """
        if tag.type == STRING:
            raise ValueError(f"{tag.path}: a text has no bounds; read its samples")
        low, high = min(start_ns, end_ns), max(start_ns, end_ns) + 1
        most = SAMPLES_MAX if end_ns < start_ns or not limit else limit + 1
        return bounded(self._around(tag, low, high, most), start_ns, end_ns, limit, bounds=bounds)

    def at(
        self, tag: Tag, times_ns: Sequence[int], *, uncertain: bool = False, bridge: bool = False
    ) -> tuple[Values, Statuses]:
        """See `historian.read.at`.

        Raises:
            ValueError: It is a text, or there are too many samples between the times.
        """
        times = np.array(times_ns, np.int64)
        if not len(times):
            return np.empty(0), np.empty(0, np.uint32)
        signal = self._signal(tag, int(times.min()), int(times.max()) + 1, far=bridge, uncertain=uncertain)
        return at(signal, times, self._store.last_commit_ns(), uncertain=uncertain, bridge=bridge)

    def align(
        self, tags: Sequence[Tag], times_ns: Sequence[int], *, uncertain: bool = False
    ) -> npt.NDArray[np.void]:
        """See `historian.read.align`.

        Raises:
            ValueError: As `at`.
        """
        times = np.array(times_ns, np.int64)
        low, high = (int(times.min()), int(times.max()) + 1) if len(times) else (0, 1)
        for tag in tags:
            _check_number(tag)
        found = self._store.around([tag.id for tag in tags], low, high, SAMPLES_MAX)
        for tag, samples in zip(tags, found, strict=True):
            if samples.more:
                raise _too_many(tag)
        signals = {tag.path: signal_of(tag, samples) for tag, samples in zip(tags, found, strict=True)}
        return align(signals, times, self._store.last_commit_ns(), uncertain=uncertain)

    def aggregate(
        self,
        tag: Tag,
        name: str,
        start_ns: int,
        end_ns: int,
        every: int | str,
        *,
        shifts: Sequence[str] = SHIFTS,
        uncertain: bool = False,
        state: float | None = None,
        roll_over: float | None = None,
        origin_ns: int | None = None,
    ) -> Intervals:
        """See `historian.read.aggregate`.

        Args:
            tag: Of the site.
            name: Of the aggregate.
            start_ns: UTC, ns.
            end_ns: UTC, ns, > start.
            every: Length of an interval, ns, or `day`, `week`, `month` or `shift` in the site's time.
            shifts: When shifts begin.
            uncertain: Calculate with Uncertain samples too.
            state: For `time-in-state`.
            roll_over: For `counter`; by default 65536 and 4294967296 for uint16 and uint32 and none for the others,
                0 for none.
            origin_ns: Intervals of a length begin at whole lengths from this time; None for the start.

        Raises:
            ValueError: No such aggregate or interval, a text, or too many samples.
        """
        (found,) = self.aggregates(
            tag,
            [name],
            start_ns,
            end_ns,
            every,
            shifts=shifts,
            uncertain=uncertain,
            state=state,
            roll_over=roll_over,
            origin_ns=origin_ns,
        )
        return found

    def aggregates(
        self,
        tag: Tag,
        names: Sequence[str],
        start_ns: int,
        end_ns: int,
        every: int | str,
        *,
        shifts: Sequence[str] = SHIFTS,
        uncertain: bool = False,
        state: float | None = None,
        roll_over: float | None = None,
        origin_ns: int | None = None,
    ) -> list[Intervals]:
        """Several aggregates of the same intervals, read once. See `aggregate`."""
        items = [named(name) for name in names]
        if not items:
            return []
        if isinstance(every, str):
            grid = civil(start_ns, end_ns, every, self._zone, shifts)
        else:
            grid = fixed(start_ns, end_ns, every, origin_ns)
        again = (_ROLL_OVER.get(tag.type) if roll_over is None else roll_over) or None
        far = any(item.bridge or item.name in _LOOKS_BACK for item in items)
        need = Need(items[0], grid.edges, tag.type, rules_of(tag), uncertain, state, again, tuple(items[1:]))
        signal, whole = self._reduced(tag, start_ns, end_ns, need, far=far, uncertain=uncertain)
        now_ns = self._store.last_commit_ns()
        return [
            aggregate(
                signal,
                grid,
                item.name,
                now_ns,
                uncertain=uncertain,
                state=state,
                roll_over=again,
                unit=tag.unit,
                whole=whole,
            )
            for item in items
        ]

    def trend(self, tag: Tag, start_ns: int, end_ns: int, points: int) -> Trend:
        """The lowest, highest and average value of each pixel: see `historian.read.Trend`.

        Args:
            tag: Of the site.
            start_ns: UTC, ns.
            end_ns: UTC, ns, > start.
            points: Width of the picture, > 0. There are no more intervals than one more than that; on long ranges
                their width fits whole minutes, hours or days, which the historian has summed up already.

        Raises:
            ValueError: As `aggregate`.
        """
        width = sensible(-(-(end_ns - start_ns) // max(points, 1)))
        low, high, mean = self.aggregates(
            tag, ["min", "max", "time-average"], start_ns, end_ns, width, origin_ns=0
        )
        return Trend(low.start, low.end, low.value, high.value, mean.value, low.percent_good, low.count)

    def table(self, tags: Sequence[Tag], times_ns: Sequence[int], *, uncertain: bool = False) -> Any:
        """As `align`, as a table of Arrow: `t` (timestamp, ns, UTC) and a column of float64 for each tag, null in gaps.

        Raises:
            ValueError: As `at`.
            ImportError: pyarrow is not installed.
        """
        return arrow_table(self.align(tags, times_ns, uncertain=uncertain))

    def _reduced(
        self, tag: Tag, start_ns: int, end_ns: int, need: Need, *, far: bool, uncertain: bool
    ) -> tuple[Signal, Whole | None]:
        """The samples of a range and around it, but for chunks that stand for theirs."""
        _check_number(tag)
        whole, samples = self._store.parts(tag.id, start_ns, end_ns, _Choice(tag, need))
        whole, rest = summed_up(need, *samples, whole)
        inside = Samples(*(samples if rest.all() else samples.cut(rest)), type=tag.type)
        before = self._store.raw(tag.id, start_ns, start_ns, 1, before=True)
        if far:
            before = self._further(tag, before, uncertain=uncertain)
        after = self._store.raw(tag.id, end_ns, _FOREVER, _FAR if far else 1)
        return with_whole(signal_of(tag, _joined(before, inside, after)), whole)

    def _signal(
        self, tag: Tag, start_ns: int, end_ns: int, *, far: bool = False, uncertain: bool = False
    ) -> Signal:
        _check_number(tag)
        samples = self._around(tag, start_ns, end_ns, SAMPLES_MAX, after=_FAR if far else 1)
        if samples.more:
            raise _too_many(tag)
        if far:
            samples = self._further(tag, samples, uncertain=uncertain)
        return signal_of(tag, samples)

    def _further(self, tag: Tag, samples: Samples, *, uncertain: bool) -> Samples:
        """The samples with others before, back to one that can be calculated with."""
        for _ in range(_FAR):
            first = signal_of(tag, _first(samples))
            if not len(first) or usable(first.v, first.status, uncertain=uncertain)[0]:
                break
            older = self._store.raw(tag.id, int(first.t[0]), int(first.t[0]), 1, before=True)
            if not len(older) or older.t[0] >= first.t[0]:
                break
            samples = _joined(older, samples)
        return samples

    def _around(self, tag: Tag, start_ns: int, end_ns: int, limit: int, after: int = 1) -> Samples:
        """A range with the last sample before it and the first ones after it."""
        if after == 1:
            return self._store.around([tag.id], start_ns, end_ns, limit)[0]
        inside = self._store.raw(tag.id, start_ns, end_ns, limit, before=True)
        if inside.more:
            return inside
        beyond = self._store.raw(tag.id, end_ns, _FOREVER, after)
        return _joined(inside, dataclasses.replace(beyond, more=False))


class _Choice:
    """Says what must be read, and when that is too much."""

    def __init__(self, tag: Tag, need: Need) -> None:
        self._tag, self._need = tag, need
        self._left = SAMPLES_MAX
        exact = [width for width, length in WIDTHS.items() if not (need.edges % length).any()]
        self.width = exact[-1] if exact else None

    def __call__(self, found: Summaries, sound: Mask, others: Times) -> Mask:
        return self._need.read(found, sound, others)

    def merge(self, found: Summaries, must: Mask, others: Times) -> Summaries:
        return merged(self._need, found, must, others)

    def settle(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise _too_many(self._tag)


def _check_number(tag: Tag) -> None:
    if tag.type == STRING:
        raise ValueError(f"{tag.path}: a text has no numbers to calculate with; read its samples")


def _too_many(tag: Tag) -> ValueError:
    return ValueError(f"{tag.path}: more than {SAMPLES_MAX} samples; ask for a shorter time")


def _first(samples: Samples) -> Samples:
    return dataclasses.replace(samples, t=samples.t[:1], bits=samples.bits[:1], status=samples.status[:1])


def _joined(*parts: Samples) -> Samples:
    return dataclasses.replace(
        parts[0],
        t=np.concatenate([part.t for part in parts]),
        bits=np.concatenate([part.bits for part in parts]),
        status=np.concatenate([part.status for part in parts]),
        more=any(part.more for part in parts),
    )
