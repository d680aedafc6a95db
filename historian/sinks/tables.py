"""The file `sinks.sqlite` beside the history: its tables, and who may open it how.

The service writes it; the historian reads the cursors, to know what it must keep; the command line reads the quarantine
and changes it, and asks for history to be sent. Connections are short or each their own thread's.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from historian.store import StoreError

FILE: Final = "sinks.sqlite"
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS cursor (
    sink TEXT PRIMARY KEY, store TEXT NOT NULL, seq INTEGER NOT NULL, text INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT, sink TEXT NOT NULL, line TEXT NOT NULL, error TEXT NOT NULL,
    since INTEGER NOT NULL, retry INTEGER NOT NULL DEFAULT 0, UNIQUE (sink, line)
);
CREATE TABLE IF NOT EXISTS job (
    id INTEGER PRIMARY KEY AUTOINCREMENT, sink TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL,
    reason TEXT NOT NULL, paths TEXT NOT NULL, at INTEGER NOT NULL, till INTEGER NOT NULL, tag INTEGER NOT NULL,
    sent INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS mark (sink TEXT PRIMARY KEY, utc INTEGER NOT NULL) WITHOUT ROWID;
"""
_LATER: Final = ("event", "edit", "t")  # columns of `cursor` that the first version did not have


class Desk:
    """An open `sinks.sqlite`. Use one in one thread.

    Args:
        path: Of the file.
        connection: To it.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path, self._db = path, connection

    @classmethod
    def writer(cls, folder: Path) -> Self:
        """Opens or makes it. A damaged one is renamed and begun anew: what is still there is sent again.

        Raises:
            StoreError: The disk does not let it.
        """
        path = folder / FILE
        try:
            return cls._make(path)
        except sqlite3.OperationalError as error:
            raise StoreError(f"{path}: {error}") from error
        except sqlite3.DatabaseError:
            with errors(path):
                for ending in ("", "-wal", "-shm"):
                    part = path.with_name(path.name + ending)
                    if part.exists():
                        part.rename(part.with_name(f"{FILE}.damaged{ending}"))
                return cls._make(path)

    @classmethod
    def _make(cls, path: Path) -> Self:
        path.touch(mode=0o600)
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.executescript(_TABLES)
            with transaction(db):
                there = {row[1] for row in db.execute("PRAGMA table_info(cursor)")}
                for name in _LATER:
                    if name not in there:
                        db.execute(f"ALTER TABLE cursor ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0")
        except sqlite3.Error:
            db.close()
            raise
        return cls(path, db)

    @classmethod
    def reader(cls, folder: Path) -> Self | None:
        """Opens it for reading only; None when there is none yet.

        Raises:
            StoreError: It cannot be read.
        """
        path = folder / FILE
        if not path.exists():
            return None
        with errors(path):
            uri = f"{path.absolute().as_uri()}?mode=ro"
            return cls(path, sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5.0))

    def close(self) -> None:
        """Lets go of the file."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All or nothing, and on the disk at the end."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def errors(path: Path) -> Iterator[None]:
    """Whatever SQLite or the disk says becomes a `StoreError` that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from error
