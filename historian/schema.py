"""The tables of the SQLite store and the pragmas of its connections."""

from __future__ import annotations

import sqlite3
from typing import Final

VERSION: Final = 2
_APPLICATION: Final = 0x434C4849  # "CLHI"
_CHECKED_BYTES: Final = 64 << 20  # a larger file is not read through at start: it would take too long

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tag (id INTEGER PRIMARY KEY, path TEXT NOT NULL, type TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS position (
    writer TEXT, ring TEXT, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (writer, ring)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS journal (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL, n INTEGER NOT NULL,
    samples BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS damaged (id INTEGER PRIMARY KEY, samples BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS chunk (
    id INTEGER PRIMARY KEY AUTOINCREMENT, tag INTEGER NOT NULL, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL,
    n INTEGER NOT NULL, times INTEGER, samples BLOB NOT NULL
);
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
_SETTLED: Final = """
CREATE TABLE IF NOT EXISTS times (
    id INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE, t1 INTEGER NOT NULL, block BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS times_age ON times (t1);
CREATE INDEX IF NOT EXISTS chunk_age ON chunk (t1, times);
CREATE INDEX IF NOT EXISTS chunk_tag ON chunk (tag, t1, t0, n);
CREATE INDEX IF NOT EXISTS chunk_short ON chunk (tag, t0, t1, n) WHERE n < 4096;
"""
# Layout 1 had its time stamps inside the chunks; such chunks stay readable (`times` is NULL).
_FROM_1: Final = "ALTER TABLE chunk ADD COLUMN times INTEGER; DROP INDEX chunk_tag; DROP INDEX chunk_age;"


def prepare(db: sqlite3.Connection) -> None:
    """Makes the tables where they are missing, and every commit one flush to the disk.

    Raises:
        sqlite3.Error: Damaged, or the disk does not let it.
    """
    db.execute("PRAGMA page_size = 8192")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA journal_size_limit = 16777216")
    db.execute("PRAGMA cache_size = -4000")
    if _number(db, "page_count") * _number(db, "page_size") <= _CHECKED_BYTES:
        verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(str(verdict))
    version = _number(db, "user_version")
    if version == 0:
        db.executescript(
            f"BEGIN; {_TABLES} {_SETTLED} PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
        )
    elif version == 1 and _number(db, "application_id") == _APPLICATION:
        db.executescript(f"BEGIN; {_FROM_1} {_SETTLED} PRAGMA user_version = {VERSION}; COMMIT;")
    check(db)


def check(db: sqlite3.Connection) -> None:
    """Refuses a file of another program or of a later version.

    Raises:
        sqlite3.DatabaseError: It is one.
    """
    version = _number(db, "user_version")
    if version == 0 and _number(db, "application_id") == 0:
        raise sqlite3.OperationalError("there is no history in it yet")
    if _number(db, "application_id") != _APPLICATION:
        raise sqlite3.DatabaseError("this is not a history file")
    if version != VERSION:
        raise sqlite3.OperationalError(
            f"made by another version of this program (layout {version}, wanted {VERSION})"
        )


def _number(db: sqlite3.Connection, pragma: str) -> int:
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])
