"""What has to be read to answer a question about a range: samples where a summary does not do."""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from historian import settled
from historian.chunks import NEVER, SUMMARY, Summaries
from historian.days import DAY_NS, DayFile, day_of
from historian.rolled import Rolled, Rollups
from historian.rollups import WIDTHS
from historian.settled import Columns
from historian.snapshot import Snapshot

Times = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_RUNS: Final = 24
_NONE: Final = np.empty(0, SUMMARY)


class Choose(Protocol):
    """Says what must be read."""

    @property
    def width(self) -> str | None:
        """`hours` or `minutes`: no interval begins within one. None: some begin anywhere."""
        ...

    def __call__(self, found: Summaries, sound: Mask, others: Times) -> Mask:
        """Which chunks must be read.

        Args:
            found: Their summaries, by first time, shape (k,).
            sound: Which of these can be believed.
            others: Times of samples outside of them, rising.
        """
        ...

    def merge(self, found: Summaries, must: Mask, others: Times) -> Summaries:
        """Those that need not be read, as fewer."""
        ...

    def settle(self, count: int) -> None:
        """So many samples will be read.

        Raises:
            ValueError: All in all too many.
        """
        ...


class Changes(Protocol):
    """Edits of a tag, as `historian.edits.overlay.Overlay` has them."""

    @property
    def times(self) -> Times:
        """Times at which it shows other samples than were stored, rising."""
        ...

    def shown(self, samples: Columns) -> Columns:
        """Stored samples without those that are hidden."""
        ...

    def between(self, start_ns: int, end_ns: int) -> Columns:
        """What it adds with start <= t < end."""
        ...


class Parts(NamedTuple):
    """A range of a tag.

    Attributes:
        whole: Summaries of chunks that were not read, by time; no two overlap, and no sample lies within one.
        samples: All others, by time.
    """

    whole: Summaries
    samples: Columns


def parts(
    seen: Snapshot,
    tag: int,
    start_ns: int,
    end_ns: int,
    choose: Choose,
    changes: Changes | None = None,
    rollups: Rollups | None = None,
) -> Parts:
    """A tag's samples with start <= t < end, as summaries where these do.

    Args:
        seen: One moment of the store.
        tag: Id of the tag.
        start_ns: UTC, ns.
        end_ns: UTC, ns.
        choose: Says which chunks must be read.
        changes: Edits.
        rollups: Summaries of minutes and hours: beside the samples, and of days that are gone.
    """
    recent = seen.recent(tag)
    recent = recent.cut((recent.t >= start_ns) & (recent.t < end_ns))
    others = np.sort(recent.t)
    if changes is not None:
        others = np.union1d(others, changes.times)
    days = seen.settled_days(tag, start_ns, end_ns)
    rolled, alone = _rolled(seen, tag, start_ns, end_ns, choose, days, rollups)
    choose.settle(len(recent.t))
    whole: list[Summaries] = []
    found: list[Columns] = []
    for day in sorted({*days, *alone}):
        if day in alone:
            records = alone[day]
            whole.append(records[(records["t0"] >= start_ns) & (records["t0"] < end_ns)])
        if day not in days:
            continue
        beside = (rolled[day], rollups) if rollups is not None and day in rolled else None
        reading = _Day(tag, start_ns, end_ns, choose, others, beside)
        found += seen.of_day(day, start_ns, end_ns, reading)
        seen.leave(day)
        if day not in seen.lost:
            whole.append(reading.whole)
    found.append(recent)
    samples = Columns.joined(found)
    if changes is not None:
        samples = Columns.joined([changes.shown(samples), changes.between(start_ns, end_ns)])
    records = np.concatenate(whole) if whole else _NONE
    return Parts(records, _outside(samples, records) if alone else samples)


class _Day:
    """Reads one day; calling it gives the samples, then `whole` has the rest."""

    def __init__(
        self,
        tag: int,
        start_ns: int,
        end_ns: int,
        choose: Choose,
        others: Times,
        rolled: tuple[Rolled, Rollups] | None,
    ) -> None:
        self._tag, self._start, self._end = tag, start_ns, end_ns
        self._choose, self._others, self._rolled = choose, others, rolled
        self.whole = _NONE

    def __call__(self, file: DayFile) -> list[Columns]:
        if self._rolled is not None:
            found = self._by_summaries(file, *self._rolled)
            if found is not None:
                return found
        heads = settled.heads(file.db, self._tag, self._start, self._end)
        must = self._choose(heads.summaries, heads.sound, self._others)
        count = int(heads.summaries["n"][must].sum())
        self._choose.settle(count)
        self.whole = heads.summaries[~must]
        wanted = [number for number, yes in zip(heads.ids, must.tolist(), strict=True) if yes]
        loaded = file.chunks.load(file.db, self._tag, wanted)
        return [part.within(self._start, self._end) for part in loaded]

    def _by_summaries(self, file: DayFile, rolled: Rolled, rollups: Rollups) -> list[Columns] | None:
        """The same from the summaries of minutes or hours, when they are of this very file and nearly all can be used."""
        if rolled.key != file.key or rolled.seal != file.seal:
            return None
        records = rollups.read(rolled)
        if records is None:
            return None
        low, high = np.searchsorted(records["t1"], self._start), np.searchsorted(records["t0"], self._end)
        records = records[low:high]
        must = self._choose(records, records["tag"] == self._tag, self._others)
        edges = np.flatnonzero(np.diff(must, prepend=False, append=False)).tolist()
        runs = list(pairwise(edges))[::2]
        if len(runs) > _RUNS:
            return None
        self.whole = self._choose.merge(records, must, self._others)
        found: list[Columns] = []
        for first, past in runs:
            start = max(int(records["t0"][first]), self._start)
            end = min(int(records["t1"][past - 1]) + 1, self._end)
            self._choose.settle(int(records["n"][first:past].sum()))
            found += file.chunks.read(file.db, self._tag, start, end, NEVER)[0]
        return found


def _rolled(
    seen: Snapshot,
    tag: int,
    start_ns: int,
    end_ns: int,
    choose: Choose,
    days: list[int],
    rollups: Rollups | None,
) -> tuple[dict[int, Rolled], dict[int, Summaries]]:
    """Summaries beside days' files, and of days whose file is gone or another one, which has only what came late."""
    if rollups is None:
        return {}, {}
    first, last = day_of(start_ns), day_of(end_ns - 1)
    gone = (
        not days or days[0] > first or len(days) <= days[-1] - days[0] or seen.made_again(days[0], days[-1])
    )
    coarse = choose.width is not None and end_ns - start_ns >= DAY_NS // 2
    if not gone and not coarse:
        return {}, {}
    there: dict[str, dict[int, Rolled]] = {
        width: rollups.find(tag, first, last, width) if gone or width == choose.width else {}
        for width in WIDTHS
    }
    beside: dict[int, Rolled] = {}
    alone: dict[int, Summaries] = {}
    for width, found in there.items():  # minutes first
        for day, place in found.items():
            if place.key == seen.key_of(day):
                if coarse and width == choose.width:
                    beside[day] = place
            elif day not in alone:
                records = rollups.read(place)
                if records is not None:
                    alone[day] = records
    return beside, alone


def _outside(samples: Columns, records: Summaries) -> Columns:
    """Samples that lie in no summarised chunk: what came late to a day that is gone is not in its summaries."""
    if not len(records):
        return samples
    inside = np.searchsorted(records["t0"], samples.t, "right") - 1
    keep = (inside < 0) | (samples.t > records["t1"][np.maximum(inside, 0)])
    return samples.cut(keep)
