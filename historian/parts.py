"""What has to be read to answer a question about a range: samples where a summary does not do."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from historian import settled
from historian.chunks import SUMMARY, Summaries
from historian.days import DayFile
from historian.settled import Columns, Heads
from historian.snapshot import Snapshot

Times = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
# Which chunks must be read: of their summaries, which of these are sound, and the times of samples outside of them.
Choose = Callable[[Summaries, Mask, Times], Mask]


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
    seen: Snapshot, tag: int, start_ns: int, end_ns: int, choose: Choose, changes: Changes | None = None
) -> Parts:
    """A tag's samples with start <= t < end, as summaries where these do.

    Args:
        seen: One moment of the store.
        tag: Id of the tag.
        start_ns: UTC, ns.
        end_ns: UTC, ns.
        choose: Says which chunks must be read.
        changes: Edits.
    """
    recent = seen.recent(tag)
    recent = recent.cut((recent.t >= start_ns) & (recent.t < end_ns))
    others = np.sort(recent.t)
    if changes is not None:
        others = np.union1d(others, changes.times)
    whole, found = [], []
    for day in seen.settled_days(tag, start_ns, end_ns):
        heads = _NO_HEADS

        def read(file: DayFile) -> list[Columns]:
            nonlocal heads
            heads = settled.heads(file.db, tag, start_ns, end_ns)
            must = choose(heads.summaries, heads.sound, others)
            wanted = [number for number, yes in zip(heads.ids, must.tolist(), strict=True) if yes]
            loaded = file.chunks.load(file.db, tag, wanted)
            heads = Heads([], heads.summaries[~must], heads.sound)
            return [part.within(start_ns, end_ns) for part in loaded]

        found += seen.of_day(day, start_ns, end_ns, read)
        seen.leave(day)
        if day not in seen.lost:
            whole.append(heads.summaries)
    found.append(recent)
    samples = Columns.joined(found)
    if changes is not None:
        samples = Columns.joined([changes.shown(samples), changes.between(start_ns, end_ns)])
    return Parts(np.concatenate(whole) if whole else np.empty(0, SUMMARY), samples)


_NO_HEADS = Heads([], np.empty(0, SUMMARY), np.empty(0, np.bool_))
