"""How far each sink has come, and the rows that it refused: `sinks.sqlite` beside the history.

The service writes it; the historian reads the cursors, to know what it must keep; the command line reads the quarantine
and changes it. Connections are short or each their own thread's.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Self

from historian.store import StoreError

FILE: Final = "sinks.sqlite"
QUARANTINE_MAX: Final = 100_000
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS cursor (
    sink TEXT PRIMARY KEY, store TEXT NOT NULL, seq INTEGER NOT NULL, text INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT, sink TEXT NOT NULL, line TEXT NOT NULL, error TEXT NOT NULL,
    since INTEGER NOT NULL, retry INTEGER NOT NULL DEFAULT 0, UNIQUE (sink, line)
);
"""


class Cursor(NamedTuple):
    """Everything up to here is delivered or in quarantine.

    Attributes:
        store: Key of the store; "" before the first delivery.
        seq: Commit of samples.
        text: Sample of a string tag.
    """

    store: str = ""
    seq: int = 0
    text: int = 0


class Refused(NamedTuple):
    """A row in quarantine.

    Attributes:
        id: Number of the row.
        sink: That refused it.
        line: As it was sent.
        error: What the sink said.
        since: UTC, ns.
        retry: It is to be sent again.
    """

    id: int
    sink: str
    line: str
    error: str
    since: int
    retry: bool


class State:
    """Cursors and quarantine. Use one in one thread.

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
            with _errors(path):
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
        with _errors(path):
            uri = f"{path.absolute().as_uri()}?mode=ro"
            return cls(path, sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5.0))

    def cursors(self) -> dict[str, Cursor]:
        """All cursors, by sink."""
        with _errors(self._path):
            rows = self._db.execute("SELECT sink, store, seq, text FROM cursor").fetchall()
        return {row[0]: Cursor(*row[1:]) for row in rows}

    def commit(self, sink: str, cursor: Cursor | None, refused: Sequence[tuple[str, str, int]] = ()) -> None:
        """Moves a cursor and puts rows into quarantine, at once; on the disk when it returns.

        Args:
            sink: Name.
            cursor: Where it is now; None leaves it.
            refused: Line, error and UTC ns of each. The oldest go when there are more than `QUARANTINE_MAX`.
        """
        with _errors(self._path), _transaction(self._db) as db:
            db.executemany(
                "INSERT INTO quarantine (sink, line, error, since) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (sink, line) DO UPDATE SET error = excluded.error, retry = 0",
                [(sink, *row) for row in refused],
            )
            if refused:
                db.execute(
                    "DELETE FROM quarantine WHERE sink = ? AND id <= (SELECT id FROM quarantine WHERE sink = ? "
                    "ORDER BY id DESC LIMIT 1 OFFSET ?)",
                    (sink, sink, QUARANTINE_MAX),
                )
            if cursor is not None:
                db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?, ?)", (sink, *cursor))

    def quarantine(self, sink: str | None = None, *, retry: bool = False, limit: int = 1000) -> list[Refused]:
        """Rows that were refused, the oldest first.

        Args:
            sink: Of one sink only.
            retry: Only those to be sent again.
            limit: At most so many.
        """
        with _errors(self._path):
            rows = self._db.execute(
                "SELECT id, sink, line, error, since, retry FROM quarantine "
                "WHERE (?1 IS NULL OR sink = ?1) AND retry >= ?2 ORDER BY id LIMIT ?3",
                (sink, int(retry), limit),
            ).fetchall()
        return [
            Refused(i, name, line, error, since, bool(again)) for i, name, line, error, since, again in rows
        ]

    def count(self, sink: str) -> int:
        """How many rows of a sink are in quarantine."""
        with _errors(self._path):
            return int(
                self._db.execute("SELECT count(*) FROM quarantine WHERE sink = ?", (sink,)).fetchone()[0]
            )

    def retry(self, sink: str, ids: Iterable[int] | None = None) -> int:
        """Asks for rows to be sent again, all of a sink or some; returns how many."""
        return self._change("UPDATE quarantine SET retry = 1", sink, ids)

    def drop(self, sink: str, ids: Iterable[int] | None = None) -> int:
        """Forgets rows, all of a sink or some; returns how many."""
        return self._change("DELETE FROM quarantine", sink, ids)

    def _change(self, what: str, sink: str, ids: Iterable[int] | None) -> int:
        with _errors(self._path), _transaction(self._db) as db:
            if ids is None:
                return db.execute(f"{what} WHERE sink = ?", (sink,)).rowcount
            return sum(db.execute(f"{what} WHERE sink = ? AND id = ?", (sink, one)).rowcount for one in ids)

    def close(self) -> None:
        """Lets go of the file."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from error
