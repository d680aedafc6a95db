"""The tables of the history: `history.sqlite`, and one file for each day; and the pragmas of their connections."""

from __future__ import annotations

import sqlite3
from typing import Final

from historian import edits, notes, settled

VERSION: Final = 3
DAY_VERSION: Final = 1
_APPLICATION: Final = 0x434C4849  # "CLHI"
_DAY_APPLICATION: Final = 0x434C4844  # "CLHD"
_CHECKED_BYTES: Final = 64 << 20  # a larger file is not read through at start: it would take too long

_JOURNAL: Final = """
CREATE TABLE IF NOT EXISTS journal (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL, n INTEGER NOT NULL,
    samples BLOB NOT NULL, utc_ns INTEGER NOT NULL DEFAULT 0, positions TEXT NOT NULL DEFAULT '', crc INTEGER
);
"""
_TABLES: Final = (
    """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tag (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL, type TEXT NOT NULL, scan INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS position (
    writer TEXT, ring TEXT, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (writer, ring)
) WITHOUT ROWID;
"""
    + _JOURNAL
    + """
CREATE TABLE IF NOT EXISTS damaged (id INTEGER PRIMARY KEY, samples BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS text (
    id INTEGER PRIMARY KEY, tag INTEGER NOT NULL, t INTEGER NOT NULL, status INTEGER NOT NULL, text TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS text_tag ON text (tag, t);
CREATE INDEX IF NOT EXISTS text_age ON text (t);
CREATE TABLE IF NOT EXISTS event (
    id INTEGER PRIMARY KEY, t INTEGER NOT NULL, kind TEXT NOT NULL, json TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS event_time ON event (t);
CREATE INDEX IF NOT EXISTS event_kind ON event (kind, t);
"""
)
_DAYS: Final = """
CREATE TABLE IF NOT EXISTS day (
    day INTEGER PRIMARY KEY, key TEXT NOT NULL, sealed INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS seal (
    id INTEGER PRIMARY KEY AUTOINCREMENT, day INTEGER NOT NULL, key TEXT NOT NULL, utc_ns INTEGER NOT NULL,
    chunks INTEGER NOT NULL, samples INTEGER NOT NULL, digest BLOB NOT NULL, gone_ns INTEGER
);
CREATE INDEX IF NOT EXISTS seal_day ON seal (day, id);
CREATE TABLE IF NOT EXISTS newest (
    tag INTEGER PRIMARY KEY, first INTEGER NOT NULL, t INTEGER NOT NULL, status INTEGER NOT NULL, bits INTEGER NOT NULL
);
"""
_DAY_TABLES: Final = (
    """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tag (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL, type TEXT NOT NULL, scan INTEGER NOT NULL DEFAULT 0
);
"""
    + settled.TABLES
)
_DAY_KEY: Final = "INSERT INTO meta VALUES ('key', lower(hex(randomblob(8))));"
# Layout 1 had its time stamps inside the chunks; such chunks stay readable (`times` is NULL).
_FROM_1: Final = """
ALTER TABLE chunk ADD COLUMN times INTEGER;
DROP INDEX chunk_tag; DROP INDEX chunk_age;
CREATE TABLE times (
    id INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE, t1 INTEGER NOT NULL, block BLOB NOT NULL
);
CREATE INDEX chunk_tag ON chunk (tag, t1, t0, n);
"""
# Layout 2 had all chunks in the one file: `historian.fold.upgrade` brings them into the files of their days.
_FROM_2: Final = """
ALTER TABLE journal ADD COLUMN utc_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE journal ADD COLUMN positions TEXT NOT NULL DEFAULT '';
ALTER TABLE journal ADD COLUMN crc INTEGER;
ALTER TABLE tag ADD COLUMN scan INTEGER NOT NULL DEFAULT 0;
ALTER TABLE chunk ADD COLUMN summary BLOB;
"""
_OLD_NEWEST: Final = "INSERT OR REPLACE INTO newest VALUES (?, ?, ?, ?, ?)"
_OLD_FIRST: Final = "SELECT tag, min(t0) FROM chunk GROUP BY tag"


def prepare(db: sqlite3.Connection) -> None:
    """Makes the tables of `history.sqlite` where they are missing, and every commit one flush to the disk.

    Raises:
        sqlite3.Error: Damaged, or the disk does not let it.
    """
    db.execute("PRAGMA page_size = 8192")
    tune(db)
    # The thread that folds writes the log back sooner: no commit waits for it.
    db.execute("PRAGMA wal_autocheckpoint = 4000")
    db.execute("PRAGMA cache_size = -4000")
    examine(db)
    version = number(db, "user_version")
    if version == 0:
        db.executescript(
            f"BEGIN; {_TABLES} {_DAYS} {edits.TABLES} {notes.TABLES} PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
        )
    elif version < VERSION and number(db, "application_id") == _APPLICATION:
        _upgrade(db, version)
    check(db)


def _upgrade(db: sqlite3.Connection, version: int) -> None:
    if version == 1:
        db.executescript(f"BEGIN; {_FROM_1} PRAGMA user_version = 2; COMMIT;")
    db.executescript(f"BEGIN; {_FROM_2} {_DAYS} {edits.TABLES} {notes.TABLES}")
    try:
        first = dict(db.execute(_OLD_FIRST).fetchall())
        last = settled.Settled().last(db)
        db.executemany(
            _OLD_NEWEST,
            [
                (tag, first[tag], t, status, bits - (bits >> 63 << 64))
                for tag, status, t, bits in last.tolist()
            ],
        )
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def prepare_day(db: sqlite3.Connection) -> None:
    """Makes the tables of a day's file.

    Raises:
        sqlite3.Error: Damaged, or the disk does not let it.
    """
    db.execute("PRAGMA page_size = 8192")
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")
    tune(db)
    db.execute("PRAGMA cache_size = -8000")
    if number(db, "user_version") == 0:
        db.executescript(
            f"BEGIN; {_DAY_TABLES} {_DAY_KEY} PRAGMA application_id = {_DAY_APPLICATION};"
            f"PRAGMA user_version = {DAY_VERSION}; COMMIT;"
        )
    check_day(db)


def text(raw: bytes) -> str:
    """Texts of a connection (its `text_factory`): a byte that has flipped must not cost the whole answer it stands in."""
    return raw.decode(errors="replace")


def tune(db: sqlite3.Connection) -> None:
    """What every connection that writes needs: commits are on the disk when they return.

    Raises:
        sqlite3.Error: As `prepare`.
    """
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA journal_size_limit = 16777216")


def examine(db: sqlite3.Connection) -> None:
    """Looks for damage in a small file.

    Raises:
        sqlite3.Error: There is some.
    """
    if number(db, "page_count") * number(db, "page_size") <= _CHECKED_BYTES:
        verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(str(verdict))


def check(db: sqlite3.Connection) -> None:
    """Refuses a file of another program or of another version.

    Raises:
        sqlite3.DatabaseError: It is one.
    """
    _check(db, _APPLICATION, VERSION, "a history file")


def check_day(db: sqlite3.Connection) -> None:
    """Refuses a file that is not a day of this version.

    Raises:
        sqlite3.DatabaseError: It is one.
    """
    _check(db, _DAY_APPLICATION, DAY_VERSION, "a day of a history")


def _check(db: sqlite3.Connection, application: int, version: int, what: str) -> None:
    found = number(db, "user_version")
    if found == 0 and number(db, "application_id") == 0:
        raise sqlite3.OperationalError("there is no history in it yet")
    if number(db, "application_id") != application:
        raise sqlite3.DatabaseError(f"this is not {what}")
    if found != version:
        raise sqlite3.OperationalError(
            f"made by another version of this program (layout {found}, wanted {version})"
        )


def number(db: sqlite3.Connection, pragma: str) -> int:
    """A number that SQLite tells of a file, by the name of its pragma."""
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])
