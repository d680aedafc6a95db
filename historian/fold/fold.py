"""From the journal into the files of days.

For each day that the oldest rows have samples of, one transaction adds their chunks and moves the day's mark to the last
of the rows; when all days are on the disk, one transaction takes the rows out of the journal. After a crash between, the
same rows come again and each day leaves out what is at or below its mark.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from historian import codec, journal
from historian.days import DayFile
from historian.fold.order import Ordered, ordered
from historian.journal import JournalRow
from historian.store import SAMPLE, Committed, StoreDamagedError
from tags.types import FLOAT64

AT_ONCE: Final = 2_000_000  # samples: 100 MB of memory while they are folded

_ROWS: Final = f"SELECT {journal.COLUMNS} FROM journal ORDER BY seq"  # noqa: S608 - our own names
LIST: Final = (
    "INSERT INTO day (day, key) VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET key = excluded.key, sealed = 0"
)
TAG: Final = (
    "INSERT INTO tag (id, path, type, scan) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
    "path = excluded.path, type = excluded.type, scan = excluded.scan"
)
NEWEST: Final = """
INSERT INTO newest (tag, first, t, status, bits) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (tag) DO UPDATE SET
first = min(first, excluded.first),
status = CASE WHEN excluded.t >= t THEN excluded.status ELSE status END,
bits = CASE WHEN excluded.t >= t THEN excluded.bits ELSE bits END,
t = max(t, excluded.t)
"""


class DayDamagedError(Exception):
    """The file of a day is damaged: nothing can be added to it."""

    def __init__(self, day: int, error: sqlite3.Error) -> None:
        super().__init__(str(error))
        self.day = day


Rows = npt.NDArray[np.void]
Leaving = Callable[[str, list[Committed]], None]
OpenDay = Callable[[int], DayFile]


class Folded(NamedTuple):
    """What a fold did.

    Attributes:
        samples: That left the journal.
        days: That they lie in, each with the time of its newest, UTC, ns.
        damaged: Rows that could not be read, and were put aside.
        last: Number of the last row; 0 for none.
    """

    samples: int
    days: dict[int, int]
    damaged: int
    last: int


def fold(
    main: sqlite3.Connection, key: str, open_day: OpenDay, leaving: Leaving | None = None, most: int = AT_ONCE
) -> Folded:
    """Folds the oldest rows of the journal.

    Args:
        main: To `history.sqlite`; not in a transaction.
        key: Of the store.
        open_day: Gives the file of a day, makes it if there is none.
        leaving: Called with the store's key and the rows before they leave the journal; when it fails they stay.
        most: About so many samples at once.

    Raises:
        DayDamagedError: The file of a day is damaged.
        sqlite3.Error: The disk does not let it; what was not done is done the next time.
    """
    rows = _oldest(main, most)
    if not rows:
        return Folded(0, {}, 0, 0)
    last = rows[-1].seq
    if leaving is not None:
        leaving(key, [Committed(row.seq, row.n, row.t1, row.samples) for row in rows])
    parts, damaged = _unpack(rows)
    seq = np.repeat(np.array([row.seq for row in rows]), [len(part) for part in parts])
    samples = ordered(np.concatenate([np.empty(0, SAMPLE), *parts]), seq)
    del parts
    tags = main.execute("SELECT id, path, type, scan FROM tag").fetchall()
    days = []
    for day in samples.days():
        with damage_of(day):
            file = open_day(day)
            add(file, key, samples, day, rows[0].seq, last, tags)
        days.append((day, file.key))
    with writing(main):
        main.executemany("INSERT INTO damaged (samples) VALUES (?)", [(row.samples,) for row in damaged])
        main.executemany(LIST, days)
        note(main, samples)
        main.execute("DELETE FROM journal WHERE seq <= ?", (last,))
    newest = {day: samples.newest(day) for day, _ in days}
    return Folded(sum(row.n for row in rows), newest, len(damaged), last)


def add(
    file: DayFile, key: str, samples: Ordered, day: int, first: int, last: int, tags: Sequence[Any]
) -> None:
    """Adds to a day what it does not have yet, and moves its mark, all or nothing.

    Args:
        file: Of the day.
        key: Of the store.
        samples: Of all days.
        day: Number of the day.
        first: Number of the first commit that they are of.
        last: Number of the last.
        tags: Rows of the table `tag`.
    """
    with writing(file.db):
        rolled = file.rolled(key)
        if rolled >= last:
            return
        know(file, set(samples.tag[samples.day == day].tolist()), tags)
        file.chunks.add(file.db, samples.of_day(day, rolled if rolled >= first else 0))
        file.roll(key, last)


def know(file: DayFile, present: set[int], tags: Sequence[Any]) -> None:
    """Writes down what is known of the tags whose samples come into a day; also of a tag that was never declared."""
    known = {row[0]: row for row in tags}
    file.db.executemany(TAG, [known.get(tag, (tag, "", FLOAT64, 0)) for tag in sorted(present)])


def note(main: sqlite3.Connection, samples: Ordered) -> None:
    """Keeps in mind the first time and the newest sample of each tag."""
    found = samples.extremes()
    first, newest = found[::2], found[1::2]
    bits = np.ascontiguousarray(newest["bits"]).view(np.int64)
    columns = (newest["tag"], first["t"], newest["t"], newest["status"], bits)
    main.executemany(NEWEST, list(zip(*(column.tolist() for column in columns), strict=True)))


@contextlib.contextmanager
def damage_of(day: int) -> Iterator[None]:
    """Tells whose damage it is."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        raise DayDamagedError(day, error) from error


@contextlib.contextmanager
def writing(db: sqlite3.Connection) -> Iterator[None]:
    """A transaction that writes: all or nothing, and on the disk at the end."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
        raise


def _oldest(main: sqlite3.Connection, most: int) -> list[JournalRow]:
    rows: list[JournalRow] = []
    count = 0
    cursor = main.execute(_ROWS)
    for found in cursor:
        rows.append(JournalRow(*found))
        count += rows[-1].n
        if count >= most:
            break
    cursor.close()
    return rows


def _unpack(rows: Sequence[JournalRow]) -> tuple[list[Rows], list[JournalRow]]:
    """The samples of each row, and the damaged rows: they have none."""
    parts: list[Rows] = []
    damaged: list[JournalRow] = []
    for row in rows:
        part = np.empty(0, SAMPLE)
        try:
            if row.sound:
                part = codec.unpack_batch(row.samples)
            else:
                damaged.append(row)
        except StoreDamagedError:
            damaged.append(row)
        parts.append(part)
    return parts, damaged
