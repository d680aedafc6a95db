"""What a lagging sink still needs of the journal, kept when the historian folds it: `spool.sqlite` beside the history.

A file of its own, so that the size of the history and its retention mean the history alone. Rows are copied here before
they leave the journal; a crash between the two leaves them in both, and a sink reads the journal first. The spool has a
share of the disk, and less when the disk is nearly full; then its oldest rows go, and the sink that lacks them says so.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from historian.sinks.state import Cursor, State
from historian.store import Committed, StoreError

FILE: Final = "spool.sqlite"
RESERVE: Final = 0.05  # of the disk, for the history itself
_ROWS_AT_ONCE: Final = 200
_PAGES_AT_ONCE: Final = 4000

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS spool (
    store TEXT NOT NULL, seq INTEGER NOT NULL, n INTEGER NOT NULL, t1 INTEGER NOT NULL, samples BLOB NOT NULL,
    PRIMARY KEY (store, seq)
)
"""


class Spool:
    """The historian's side of the spool.

    Args:
        folder: The data directory's `history` folder.
        sinks: Names of the site's sinks.
        share: Of the disk, 0 … 1.
    """

    def __init__(self, folder: Path, sinks: Sequence[str], share: float) -> None:
        self._folder, self._path, self._sinks, self._share = folder, folder / FILE, sinks, share
        self._db: sqlite3.Connection | None = None

    def take(self, store: str, rows: Sequence[Committed]) -> None:
        """Keeps what a sink still needs of rows that leave the journal; on the disk when it returns.

        Raises:
            StoreError: The disk does not let it: the rows must stay.
        """
        needed = self._needed(store)
        wanted = [(store, row.seq, row.n, row.t1, row.blob) for row in rows if row.seq > needed]
        try:
            db = self._open()
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT OR IGNORE INTO spool VALUES (?, ?, ?, ?, ?)", wanted)
            db.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from error

    def trim(self, store: str) -> int:
        """Forgets what no sink needs, and the oldest while it is too large; limited work, call it each second.

        Returns:
            How many commits were forgotten that a sink still needed.
        """
        try:
            db = self._open()
            gone = 0
            for name in _stores(db):
                db.execute(
                    "DELETE FROM spool WHERE rowid IN (SELECT rowid FROM spool WHERE store = ? AND seq <= ? LIMIT ?)",
                    (name, self._needed(name, store), _ROWS_AT_ONCE),
                )
            pages, free, size = (
                db.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
            if (pages - free) * size > self._bytes_max(pages * size):
                oldest = "SELECT rowid FROM spool ORDER BY rowid LIMIT ?"
                gone = db.execute(f"DELETE FROM spool WHERE rowid IN ({oldest})", (_ROWS_AT_ONCE,)).rowcount  # noqa: S608 - our own text
            if free:
                # Not by execute(): Python steps that once, which frees one page.
                db.executescript(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})")
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from error
        return gone

    def close(self) -> None:
        """Lets go of the file."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _open(self) -> sqlite3.Connection:
        if self._db is not None and not self._path.exists():
            self.close()
        if self._db is None:
            self._path.touch(mode=0o600)
            db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=2.0)
            try:
                for pragma in (
                    "auto_vacuum = INCREMENTAL",
                    "journal_mode = WAL",
                    "synchronous = FULL",
                    "journal_size_limit = 16777216",
                ):
                    db.execute(f"PRAGMA {pragma}")
                db.execute(_TABLE)
            except sqlite3.Error:
                db.close()
                raise
            self._db = db
        return self._db

    def _failed(self, error: Exception) -> StoreError:
        """Never `StoreDamagedError`: that would put the history aside. A damaged spool is begun anew."""
        if self._db is not None and self._db.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            self.close()
            with contextlib.suppress(OSError):
                for ending in ("", "-wal", "-shm"):
                    part = self._path.with_name(FILE + ending)
                    if part.exists():
                        part.rename(part.with_name(f"{FILE}.damaged{ending}"))
        return StoreError(f"{self._path}: {error}")

    def _bytes_max(self, mine: int) -> float:
        disk = shutil.disk_usage(self._folder)
        return min(self._share * disk.total, mine + disk.free - RESERVE * disk.total)

    def _needed(self, store: str, current: str | None = None) -> int:
        """The commit up to which every sink has what it wants of a store.

        Args:
            store: Key of the store.
            current: Key of the store that is written now, if that may be another one.
        """
        cursors: dict[str, Cursor] = {}
        try:
            state = State.reader(self._folder)
            if state is not None:
                with contextlib.closing(state):
                    cursors = state.cursors()
        except StoreError:
            return 0  # just being made, or damaged: keep what there is
        earlier = current is not None and current != store
        reached = []
        for name in self._sinks:
            cursor = cursors.get(name, Cursor())
            if cursor.store == store:
                reached.append(cursor.seq)
            elif not earlier:
                reached.append(0)
        return min(reached, default=2**62)


def _stores(db: sqlite3.Connection) -> list[str]:
    """Keys of the stores in the spool; steps from one to the next, for there may be a million rows."""
    found: list[str] = []
    while row := db.execute(
        "SELECT min(store) FROM spool WHERE store > ?", (found[-1] if found else "",)
    ).fetchone():
        if row[0] is None:
            break
        found.append(row[0])
    return found


def spooled(folder: Path, store: str, after: int, before: int, samples: int) -> list[Committed]:
    """Commits of a store in the spool, after < seq < before: the oldest, about so many samples.

    Raises:
        StoreError: It cannot be read.
    """
    path = folder / FILE
    if not path.exists():
        return []
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=2.0)) as db:
            found: list[Committed] = []
            count = 0
            for row in db.execute(
                "SELECT seq, n, t1, samples FROM spool WHERE store = ? AND seq > ? AND seq < ? ORDER BY seq",
                (store, after, before),
            ):
                found.append(Committed(*row))
                count += found[-1].n
                if count >= samples:
                    break
            return found
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error
