"""Summaries of each minute and each hour of a tag, made when a day is sealed and kept longer than its samples.

`history/rollups/2026-11.minutes.sqlite` and `history/rollups/2026-11.hours.sqlite` hold a month each; one row of `rollup`
holds a day of a tag: the columns of `chunks.SUMMARY`, each by the kind that takes the fewest bytes. A day that is sealed
anew is made anew. Beside its samples a day's summaries only count while they were made of what is sealed now. They are of what was stored; only when the
samples go they are made of what is shown after all corrections.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from historian import chunks, settled
from historian.chunks import Summaries
from historian.chunks.table import pack_table, unpack_table
from historian.days import DAY_NS, DayFile, unlink
from historian.edits import NONE, Overlay
from historian.settled import Columns, Settled
from historian.store import StoreDamagedError
from scada.datadir import make_folder

FOLDER: Final = "rollups"
MINUTE_NS: Final = 60_000_000_000
WIDTHS: Final[Mapping[str, int]] = {"minutes": MINUTE_NS, "hours": settled.HOUR}
_TAGS: Final = "SELECT DISTINCT tag FROM chunk ORDER BY tag"
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS made (day INTEGER PRIMARY KEY, key TEXT NOT NULL, seal BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS rollup (tag INTEGER NOT NULL, day INTEGER NOT NULL, n INTEGER NOT NULL, block BLOB NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS rollup_tag ON rollup (tag, day);
CREATE INDEX IF NOT EXISTS rollup_day ON rollup (day);
"""
_APPLICATION: Final = 0x434C4852  # "CLHR"


def write(history: Path, file: DayFile, day: int, seal: bytes) -> int:
    """Makes the summaries of a day's minutes and hours; what there was of it is replaced.

    What was made of another file of that day stays: that file was forgotten, and this one has only what came late.

    Args:
        history: The data directory's `history` folder.
        file: Of the day, sealed; not in a transaction of its own writer.
        day: Counted from 1970-01-01.
        seal: Digest of the file.

    Returns:
        How many tags.

    Raises:
        sqlite3.Error: A file is damaged.
        OSError: The disk does not let it.
    """
    make_folder(history / FOLDER)
    kinds = settled.kinds(file.db)
    with contextlib.ExitStack() as stack:
        months = {width: stack.enter_context(_writing(path_of(history, day, width))) for width in WIDTHS}
        tags = [row[0] for row in file.db.execute(_TAGS)]
        for width, db in list(months.items()):
            made = db.execute("SELECT key FROM made WHERE day = ?", (day,)).fetchone()
            if made is not None and made[0] != file.key:
                del months[width]
                continue
            db.execute("DELETE FROM rollup WHERE day = ?", (day,))
            db.execute("INSERT OR REPLACE INTO made VALUES (?, ?, ?)", (day, file.key, seal))
        for tag in tags if months else ():
            kind = kinds.get(tag, settled.UNKNOWN)
            for width, records in _of_day(file, tag, kind, months).items():
                months[width].execute(
                    "INSERT INTO rollup (tag, day, n, block) VALUES (?, ?, ?, ?)",
                    (tag, day, len(records), pack_table(records)),
                )
    return len(tags)


def correct(history: Path, file: DayFile, day: int, overlays: Mapping[int, Overlay]) -> None:
    """Makes summaries of a day anew as people have corrected it, because its samples go and corrections with them.

    What is left is said to be of another seal than the file's: while that is there its samples count.

    Args:
        history: The data directory's `history` folder.
        file: Of the day.
        day: Counted from 1970-01-01.
        overlays: All edits, by tag.

    Raises:
        sqlite3.Error: A file is damaged.
        OSError: The disk does not let it.
    """
    kinds = settled.kinds(file.db)
    for width in WIDTHS:
        with _writing(path_of(history, day, width)) as db:
            made = db.execute("SELECT key, seal FROM made WHERE day = ?", (day,)).fetchone()
            if made is None or made[0] != file.key:
                continue
            for tag, overlay in overlays.items():
                found = _of_day(file, tag, kinds.get(tag, settled.UNKNOWN), [width], overlay)
                db.execute("DELETE FROM rollup WHERE tag = ? AND day = ?", (tag, day))
                db.executemany(
                    "INSERT INTO rollup (tag, day, n, block) VALUES (?, ?, ?, ?)",
                    [(tag, day, len(records), pack_table(records)) for records in found.values()],
                )
            seal = hashlib.blake2b(b"corrected" + made[1], digest_size=32).digest()
            db.execute("UPDATE made SET seal = ? WHERE day = ?", (seal, day))


def _of_day(
    file: DayFile, tag: int, kind: settled.Kind, widths: Iterable[str], overlay: Overlay = NONE
) -> dict[str, Summaries]:
    """Part by part: the day of a fast tag would take hundreds of megabytes at once."""
    found: dict[str, list[Summaries]] = {width: [] for width in widths}
    for samples in _hours(file.db, file.chunks, tag, overlay):
        for width, records in found.items():
            number = samples.t // WIDTHS[width]
            starts = np.flatnonzero(np.concatenate(([True], number[1:] != number[:-1])))
            form, ramp = chunks.form_of(kind.type), chunks.ramp_of(kind.scan_ns)
            records.append(chunks.summarised(*samples, starts, tag, form, ramp))
    return {width: np.concatenate(parts) for width, parts in found.items() if parts}


def _hours(db: sqlite3.Connection, store: Settled, tag: int, overlay: Overlay) -> Iterator[Columns]:
    """The samples of a tag, some whole hours at a time."""
    places = settled.places(db, tag)
    start = min((place.t0 for place in places), default=0)
    last = max((place.t1 for place in places), default=-1)
    while start <= last:
        end = min((start // settled.HOUR + 1) * settled.HOUR, chunks.NEVER)
        parts, _ = store.read(db, tag, start, end, chunks.NEVER)
        samples = Columns.joined([overlay.shown(Columns.joined(parts)), overlay.between(start, end)])
        if len(samples.t):
            yield samples
        start = min((place.t0 for place in places if place.t1 >= end), default=last + 1)
        start = max(start, end)


def path_of(history: Path, day: int, width: str) -> Path:
    """Of the file of the month in which a day lies."""
    month = datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m")
    return history / FOLDER / f"{month}.{width}.sqlite"


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[sqlite3.Connection]:
    """A month's file in one transaction."""
    path.touch(mode=0o600)
    db = sqlite3.connect(path, isolation_level=None, timeout=10.0)
    try:
        db.execute("PRAGMA page_size = 8192")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA journal_size_limit = 16777216")
        db.executescript(f"{_TABLES} PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = 1;")
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")
    finally:
        db.close()


def files(history: Path) -> list[Path]:
    """All files of months, in order of their names."""
    folder = history / FOLDER
    return sorted(path for width in WIDTHS for path in folder.glob(f"????-??.{width}.sqlite"))


def forget(history: Path, minutes_before_ns: int, hours_before_ns: int) -> int:
    """Deletes the files of months that are over before a time, UTC, ns; 0 for none.

    Returns:
        How many bytes that frees.

    Raises:
        OSError: The disk does not let it.
    """
    freed = 0
    for path in files(history):
        year, month = int(path.name[:4]), int(path.name[5:7])
        over = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        before = minutes_before_ns if path.name.endswith("minutes.sqlite") else hours_before_ns
        if int(over.timestamp()) * 1_000_000_000 <= before:
            freed += unlink(path)
    return freed


def size(history: Path) -> int:
    """Bytes that they take."""
    folder = history / FOLDER
    return sum(path.stat().st_size for path in folder.glob("*")) if folder.is_dir() else 0


def damage(db: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Every damaged row of a month's file: which, and what is wrong."""
    for tag, day, n, block in db.execute("SELECT tag, day, n, block FROM rollup ORDER BY rowid"):
        try:
            records = unpack_table(block)
        except StoreDamagedError as error:
            yield f"tag {tag}, day {day}", str(error)
            continue
        if len(records) != n or (records["tag"] != tag).any() or (records["t0"] // DAY_NS != day).any():
            yield f"tag {tag}, day {day}", "the summaries of another tag or day stand in its place"
