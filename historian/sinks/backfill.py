"""History that a sink gets from the store itself: what a new one, a wiped one, or one that lagged for too long lacks.

Time is gone through in windows, in each of them tag after tag: so the samples of a series come in order of time, a portion
holds long runs of few series, and a window is about what the store keeps in one chunk. How far it has come is in the job.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from historian.sinks.jobs import Job
from historian.sinks.portion import Portion, pages, rows_of
from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Samples, TagEntry, Text
from tags.types import STRING

SECOND: Final = 1_000_000_000
FIRST: Final = 900 * SECOND
SHORTEST: Final = SECOND
LONGEST: Final = 64 * FIRST  # 16 h
_SERIES: Final = 16  # a portion should hold at least so many, to be sent in several requests at once


class Backfill:
    """Reads what a job needs; one call at a time.

    Args:
        folder: The data directory's `history` folder.
        wanted: By the id of a tag, whether it goes to the sink.
        samples: About so many in a portion.
    """

    def __init__(self, folder: Path, wanted: Callable[[int], bool], samples: int) -> None:
        self._folder, self._wanted, self._most = folder, wanted, samples
        self._store: SqliteStore | None = None
        self._span = FIRST
        self._longest = 0  # samples of one tag in the window
        self._found = 0  # samples in the window

    def next(self, job: Job) -> Portion:
        """What comes behind a job's place; its `job` is at its end when there is nothing more.

        Raises:
            StoreError: The history cannot be read now.
        """
        if self._store is None:
            self._store = SqliteStore.reader(self._folder)
        tags = self._tags(self._store, job)
        ids = [entry.id for entry in tags]
        if not job.till:
            job = self._open_window(self._store, tags, job)
        rows: list[npt.NDArray[np.void]] = []
        texts: list[Text] = []
        count = 0
        while count < self._most and job.at < job.end:
            place = bisect_right(ids, job.tag)
            if place == len(ids):
                job = self._open_window(self._store, tags, job._replace(at=job.till))
                continue
            entry = tags[place]
            found = pages(self._store, entry.id, job.at, job.till)
            for part in found:
                if entry.type == STRING:
                    texts += _texts(entry.id, part)
                else:
                    rows.append(rows_of(entry.id, part))
            got = sum(len(part) for part in found)
            count, self._found, self._longest = count + got, self._found + got, max(self._longest, got)
            job = job._replace(tag=entry.id)
        job = job._replace(sent=job.sent + count)
        samples = np.concatenate([np.empty(0, SAMPLE), *rows])
        return Portion(job=job, samples=samples, texts=texts, more=job.at < job.end)

    def close(self) -> None:
        """Lets go of the files."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _tags(self, store: SqliteStore, job: Job) -> list[TagEntry]:
        patterns = job.patterns
        found = (
            entry
            for path, entry in store.ids().items()
            if self._wanted(entry.id) and any(fnmatchcase(path, pattern) for pattern in patterns)
        )
        return sorted(found, key=lambda entry: entry.id)

    def _open_window(self, store: SqliteStore, tags: list[TagEntry], job: Job) -> Job:
        """The next window: as long as the last one has taught, and not before there is something."""
        if not self._found:
            job = job._replace(at=min(job.end, self._first(store, tags, job.at, job.end)))
        elif self._longest > self._most // _SERIES:
            self._span = max(SHORTEST, self._span // 2)
        elif self._longest < self._most // _SERIES // 4:
            self._span = min(LONGEST, self._span * 2)
        self._found = self._longest = 0
        return job._replace(till=min(job.end, (job.at // self._span + 1) * self._span), tag=0)

    def _first(self, store: SqliteStore, tags: list[TagEntry], start: int, end: int) -> int:
        """Time of the first sample of any of these tags from a time on; `end` when there is none."""
        first = end
        for entry in tags:
            found = store.raw(entry.id, start, first, 1)
            if len(found):
                first = int(found.t[0])
        return first


def _texts(tag: int, found: Samples) -> list[Text]:
    columns = zip(found.t.tolist(), found.status.tolist(), found.texts or (), strict=True)
    return [Text(tag, t, status, text) for t, status, text in columns]
