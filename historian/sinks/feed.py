"""What a sink gets next: from the spool, then from the journal, in the order of commits.

Rows go from the journal to the spool and nowhere else, so the journal is looked at first: what is in neither was given up.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from historian import codec
from historian.connect import FILE
from historian.sinks import corrections, happened
from historian.sinks.corrections import Corrections
from historian.sinks.happened import Event
from historian.sinks.portion import Portion
from historian.sinks.spool import spooled
from historian.sinks.state import Cursor
from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Committed, StoreDamagedError, Text


class Feed:
    """Reads the history of one folder for one sink; one call at a time.

    Args:
        folder: The data directory's `history` folder.
        events: It gets events too.
    """

    def __init__(self, folder: Path, *, events: bool = False) -> None:
        self._folder = folder
        self._events = events
        self._store: SqliteStore | None = None

    def next(self, cursor: Cursor, samples: int) -> Portion | None:
        """About so many samples behind a cursor; None when there is nothing new.

        Raises:
            StoreError: The history cannot be read now.
        """
        if self._store is None:
            if not (self._folder / FILE).exists():
                return None  # the historian has not begun
            self._store = SqliteStore.reader(self._folder)
        tail = self._store.tail(cursor.seq, cursor.text, samples)
        if not tail.store:
            return None
        if tail.store != cursor.store:
            left = spooled(self._folder, cursor.store, cursor.seq, 2**62, samples) if cursor.store else []
            if left:
                return _portion(cursor, left, [], [], samples, known=True)
            cursor = Cursor(tail.store, t=cursor.t)
            tail = self._store.tail(0, 0, samples)
        if cursor.seq > tail.last:
            cursor = cursor._replace(seq=0)  # an older copy of the history was restored
            tail = self._store.tail(0, cursor.text, samples)
        first = tail.rows[0].seq if tail.rows else tail.last + 1
        rows = tail.rows
        if first > cursor.seq + 1:
            rows = spooled(self._folder, cursor.store, cursor.seq, first, samples) or tail.rows
        cursor, events = self._happened(cursor, samples)
        if not rows and not tail.texts and not events:
            return None
        return _portion(cursor, rows, tail.texts, events, samples, known=cursor.seq > 0)

    def corrections(self, cursor: Cursor, wanted: Callable[[int], bool]) -> Corrections | None:
        """What the next edits behind a cursor come to; None when there are none.

        Raises:
            StoreError: The history cannot be read now.
        """
        if self._store is None:
            return None
        return corrections.after(self._store, cursor.edit, wanted)

    def _happened(self, cursor: Cursor, limit: int) -> tuple[Cursor, list[Event]]:
        if not self._events:
            return cursor, []
        events, last = happened.after(self._folder, cursor.event, min(limit, 10_000))
        if last < cursor.event:  # an older copy was restored, or all were forgotten
            cursor = cursor._replace(event=0)
            events, _ = happened.after(self._folder, 0, min(limit, 10_000))
        return cursor, events

    def close(self) -> None:
        """Lets go of the files."""
        if self._store is not None:
            self._store.close()
            self._store = None


def _portion(
    cursor: Cursor,
    rows: list[Committed],
    texts: list[tuple[int, Text]],
    events: list[Event],
    wanted: int,
    *,
    known: bool,
) -> Portion:
    """Decodes; a sink that begins (not `known`) misses nothing before its first commit."""
    parts, lost = [np.empty(0, SAMPLE)], 0
    for row in rows:
        try:
            parts.append(codec.unpack_batch(row.blob))
        except StoreDamagedError:
            lost += 1
    if rows and known:
        lost += rows[0].seq - cursor.seq - 1
    samples = np.concatenate(parts)
    newest = int(samples["t"].max()) if len(samples) else 0
    after = cursor._replace(
        seq=rows[-1].seq if rows else cursor.seq,
        text=texts[-1][0] if texts else cursor.text,
        event=events[-1].id if events else cursor.event,
        t=max(cursor.t, newest),
    )
    return Portion(
        after,
        samples=samples,
        texts=[text for _, text in texts],
        events=events,
        oldest_ns=rows[0].t1 if rows else texts[0][1].t if texts else events[0].t,
        lost=lost,
        more=len(samples) >= wanted,
    )
