"""What has to be read to answer a question about a range: samples where a summary does not do."""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from historian import settled
from historian.chunks import NEVER, SUMMARY, Summaries
from historian.chunks.table import unpack_table
from historian.days import DAY_NS, DayFile, day_of
from historian.rolled import Rolled, Rollups
from historian.settled import Columns
from historian.snapshot import Snapshot
from historian.store import StoreDamagedError

Times = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_WORTH: Final = 40_000  # samples: less is read faster than the summaries of a day's minutes
_RUNS: Final = 24
_NONE: Final = np.empty(0, SUMMARY)


class Choose(Protocol):
    """Says what must be read."""

    @property
    def minutes(self) -> bool:
        """No interval begins within a minute."""
        ...

    def __call__(self, found: Summaries, sound: Mask, others: Times) -> Mask:
        """Which chunks must be read.

        Args:
            found: Their summaries, by first time, shape (k,).
            sound: Which of these can be believed.
            others: Times of samples outside of them, rising.
        """
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
        reading = _Day(tag, start_ns, end_ns, choose, others, rolled.get(day))
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
        self, tag: int, start_ns: int, end_ns: int, choose: Choose, others: Times, rolled: Rolled | None
    ) -> None:
        self._tag, self._start, self._end = tag, start_ns, end_ns
        self._choose, self._others, self._rolled = choose, others, rolled
        self.whole = _NONE

    def __call__(self, file: DayFile) -> list[Columns]:
        heads = settled.heads(file.db, self._tag, self._start, self._end)
        must = self._choose(heads.summaries, heads.sound, self._others)
        count = int(heads.summaries["n"][must].sum())
        if count > _WORTH and self._rolled is not None:
            found = self._by_minutes(file, self._rolled)
            if found is not None:
                return found
        self._choose.settle(count)
        self.whole = heads.summaries[~must]
        wanted = [number for number, yes in zip(heads.ids, must.tolist(), strict=True) if yes]
        loaded = file.chunks.load(file.db, self._tag, wanted)
        return [part.within(self._start, self._end) for part in loaded]

    def _by_minutes(self, file: DayFile, rolled: Rolled) -> list[Columns] | None:
        """The same from the summaries of minutes, when they are of this very file and nearly all can be used."""
        if rolled.seal != file.seal or rolled.key != file.key:
            return None
        try:
            records = unpack_table(rolled.block)
        except StoreDamagedError:
            return None
        records = records[(records["t1"] >= self._start) & (records["t0"] < self._end)]
        must = self._choose(records, records["tag"] == self._tag, self._others)
        edges = np.flatnonzero(np.diff(must, prepend=False, append=False)).tolist()
        runs = list(pairwise(edges))[::2]
        if len(runs) > _RUNS:
            return None
        self.whole = records[~must]
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
    gone = not days or days[0] > first or len(days) <= days[-1] - days[0]
    if not gone and (not choose.minutes or end_ns - start_ns < DAY_NS // 2):
        return {}, {}
    minutes = rollups.read(tag, first, last, "minutes")
    hours = rollups.read(tag, first, last, "hours") if gone else {}
    beside: dict[int, Rolled] = {}
    alone: dict[int, Summaries] = {}
    for day, found in sorted((hours | minutes).items()):
        key = seen.key_of(day)
        if key == found.key:
            beside[day] = found
            continue
        for one in (minutes.get(day), hours.get(day)):
            if one is None or day in alone:
                continue
            try:
                alone[day] = unpack_table(one.block)
            except StoreDamagedError:
                continue
    return beside, alone


def _outside(samples: Columns, records: Summaries) -> Columns:
    """Samples that lie in no summarised chunk: what came late to a day that is gone is not in its summaries."""
    if not len(records):
        return samples
    inside = np.searchsorted(records["t0"], samples.t, "right") - 1
    keep = (inside < 0) | (samples.t > records["t1"][np.maximum(inside, 0)])
    return samples.cut(keep)
