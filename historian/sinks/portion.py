"""What a sink gets at a time, and samples as the store gives them made into rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from historian.sinks.happened import Event
from historian.sinks.jobs import Job
from historian.sinks.state import Cursor
from historian.store import SAMPLE, Samples, Store, Text

PAGE: Final = 500_000


@dataclass(slots=True)
class Portion:
    """What is delivered before a cursor or a job moves.

    Attributes:
        cursor: Where it moves to then; None for a job's.
        job: How far it is then; None for what is live.
        samples: Dtype `SAMPLE`, in the order in which they came.
        texts: Of string tags.
        events: Of the plant.
        oldest_ns: Newest source time of the oldest commit in it, UTC, ns; 0 for none.
        lost: Commits in front of it that are neither in the journal nor in the spool, or are damaged.
        more: There is probably more behind it.
    """

    cursor: Cursor | None = None
    job: Job | None = None
    samples: npt.NDArray[np.void] = field(default_factory=lambda: np.empty(0, SAMPLE))
    texts: list[Text] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    oldest_ns: int = 0
    lost: int = 0
    more: bool = False

    def __len__(self) -> int:
        return len(self.samples) + len(self.texts) + len(self.events)


def pages(store: Store, tag: int, start: int, end: int) -> list[Samples]:
    """All samples of a tag with start <= t < end; one that stands at the end of a page may stand in the next one too."""
    found = [store.raw(tag, start, end, PAGE)]
    while found[-1].more:
        start = max(int(found[-1].t[-1]), start + 1)
        found.append(store.raw(tag, start, end, PAGE))
    return found


def rows_of(tag: int, found: Samples) -> npt.NDArray[np.void]:
    """Samples of a tag with its id; dtype `SAMPLE`."""
    rows = np.empty(len(found), SAMPLE)
    rows["tag"], rows["status"], rows["t"], rows["bits"] = tag, found.status, found.t, found.bits
    return rows
