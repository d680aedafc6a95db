"""What a sink gets next, as lines: the next portion is read and its lines are made while the one before it travels."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from historian.sinks import happened
from historian.sinks.backfill import Backfill
from historian.sinks.corrections import Corrections
from historian.sinks.feed import Feed
from historian.sinks.lines import Encoder, Lines
from historian.sinks.portion import Portion
from historian.sinks.state import Cursor, Job
from tags.model import Sink, Site

PORTION: Final = 32  # requests between two moves of the cursor, if they are not large
PORTION_MAX: Final = 160_000  # samples


class Ready(NamedTuple):
    """A portion and its lines, which are sent one after the other.

    Attributes:
        portion: What becomes of the cursor or the job.
        parts: Samples, texts, events; those that there are.
    """

    portion: Portion
    parts: list[Lines]


class Source:
    """Reads for one sink; in the worker's thread. Every method raises `StoreError` when the history cannot be read now.

    Args:
        sink: Which.
        site: The compiled site.
        folder: The data directory's `history` folder.
    """

    def __init__(self, sink: Sink, site: Site, folder: Path) -> None:
        self._sink, self._site = sink, site
        self._encoder = Encoder(sink, site.tags, site.name)
        self._most = max(min(PORTION * sink.batch, PORTION_MAX), sink.parallel * sink.batch)
        self._feed = Feed(folder, events=sink.events)
        self._backfill = Backfill(folder, self._encoder.sends, self._most)
        self._pool = ThreadPoolExecutor(1)
        self._live_ahead: Future[Ready | None] | None = None
        self._job_ahead: Future[Ready] | None = None

    def live(self, cursor: Cursor) -> Ready | None:
        """What is new behind a cursor; None when nothing is."""
        ahead, self._live_ahead = self._live_ahead, None
        ready = self._live(cursor) if ahead is None else ahead.result()
        if ready is not None and ready.portion.more and ready.portion.cursor is not None:
            self._live_ahead = self._pool.submit(self._live, ready.portion.cursor)
        return ready

    def of_job(self, job: Job | None) -> Ready | None:
        """What a job needs next; None without one."""
        ahead, self._job_ahead = self._job_ahead, None
        ready = None if ahead is None else ahead.result()
        if job is None:
            return None
        if ready is None or ready.portion.job is None or ready.portion.job.id != job.id:
            ready = self._of_job(job)
        if ready.portion.more and ready.portion.job is not None:
            self._job_ahead = self._pool.submit(self._of_job, ready.portion.job)
        return ready

    def forget_job(self) -> None:
        """What was read ahead of a job is of before an edit: it is read again."""
        ahead, self._job_ahead = self._job_ahead, None
        if ahead is not None:
            ahead.result()

    def corrections(self, cursor: Cursor) -> Corrections | None:
        """What the next edits behind a cursor come to; None when there are none."""
        return self._feed.corrections(cursor, self._encoder.sends)

    def corrected(self, rows: npt.NDArray[np.void]) -> list[Lines]:
        """Lines of samples that replace others; dtype `SAMPLE`."""
        lines = self._encoder.samples(rows, always=True)
        return [lines] if len(lines) else []

    def close(self) -> None:
        """Lets go of the files."""
        self._pool.shutdown()
        self._feed.close()
        self._backfill.close()

    def _live(self, cursor: Cursor) -> Ready | None:
        portion = self._feed.next(cursor, self._most)
        return None if portion is None else self._encoded(portion)

    def _of_job(self, job: Job) -> Ready:
        return self._encoded(self._backfill.next(job))

    def _encoded(self, portion: Portion) -> Ready:
        parts = [self._encoder.samples(portion.samples), self._encoder.texts(portion.texts)]
        parts.append(happened.lines(self._sink, self._site.name, portion.events))
        return Ready(portion, [part for part in parts if len(part)])
