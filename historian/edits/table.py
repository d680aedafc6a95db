"""The table of edits: each with who, when and why, what it put there and what had been there."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from historian import codec
from historian.edits.overlay import NONE, Overlay, collapse
from historian.settled import Columns
from historian.store import SAMPLE

INSERT, REPLACE, DELETE, UNDO = "insert", "replace", "delete", "undo"
KINDS: Final = (INSERT, REPLACE, DELETE, UNDO)
SAMPLES_MAX: Final = 100_000  # of one edit

TABLES: Final = """
CREATE TABLE IF NOT EXISTS edit (
    id INTEGER PRIMARY KEY AUTOINCREMENT, tag INTEGER NOT NULL, kind TEXT NOT NULL,
    t0 INTEGER NOT NULL, t1 INTEGER NOT NULL, new BLOB NOT NULL, old BLOB NOT NULL,
    user TEXT NOT NULL, source TEXT NOT NULL, utc_ns INTEGER NOT NULL, reason TEXT NOT NULL, undoes INTEGER
);
CREATE INDEX IF NOT EXISTS edit_tag ON edit (tag, id);
"""
_COLUMNS: Final = "id, tag, kind, new, old, user, source, utc_ns, reason, undoes"
_LIVE: Final = (
    f"SELECT {_COLUMNS} FROM edit WHERE tag = ? AND kind <> 'undo' "  # noqa: S608 - our own names
    "AND id NOT IN (SELECT undoes FROM edit WHERE undoes IS NOT NULL) ORDER BY id"
)


class EditError(ValueError):
    """What cannot be done; the message says why and what to do."""


class Who(NamedTuple):
    """Whose doing something is.

    Attributes:
        user: Name.
        source: `cli`, `hmi`, `opcua`, `script`.
        utc_ns: When, UTC, ns.
        reason: Why, in that person's words.
    """

    user: str
    source: str
    utc_ns: int
    reason: str


class Edit(NamedTuple):
    """One edit.

    Attributes:
        id: Its number; they rise.
        tag: Tag id.
        kind: `insert`, `replace`, `delete`, or `undo`, which takes another one back.
        new: Samples that it put there.
        old: Samples that were there, as they were shown before it. Those stored at their times are hidden.
        who: Whose doing it is.
        undoes: Number of the edit that an `undo` takes back; None for the others.
    """

    id: int
    tag: int
    kind: str
    new: Columns
    old: Columns
    who: Who
    undoes: int | None


def insert(
    db: sqlite3.Connection,
    tag: int,
    kind: str,
    new: Columns,
    old: Columns,
    who: Who,
    undoes: int | None = None,
) -> int:
    """Writes an edit, in a transaction of the caller; returns its number."""
    times = np.concatenate((new.t, old.t))
    cursor = db.execute(
        "INSERT INTO edit (tag, kind, t0, t1, new, old, user, source, utc_ns, reason, undoes) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            tag,
            kind,
            int(times.min()),
            int(times.max()),
            _packed(tag, new),
            _packed(tag, old),
            who.user,
            who.source,
            who.utc_ns,
            who.reason,
            undoes,
        ),
    )
    return int(cursor.lastrowid or 0)


def since(db: sqlite3.Connection, after: int, limit: int = 1000) -> list[Edit]:
    """Edits with a number above `after`, the oldest first: what a sink sends on.

    An `undo` has the old and new samples of what it takes back the other way round.
    """
    rows = db.execute(f"SELECT {_COLUMNS} FROM edit WHERE id > ? ORDER BY id LIMIT ?", (after, limit))  # noqa: S608
    return [_edit(row) for row in rows]


def between(db: sqlite3.Connection, tag: int, start_ns: int, end_ns: int) -> list[Edit]:
    """Edits of a tag that have to do with start <= t < end, in the order in which they were made."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM edit WHERE tag = ? AND t1 >= ? AND t0 < ? ORDER BY id",  # noqa: S608
        (tag, start_ns, end_ns),
    )
    return [_edit(row) for row in rows]


def find(db: sqlite3.Connection, number: int) -> Edit | None:
    """One edit, or None."""
    row = db.execute(f"SELECT {_COLUMNS} FROM edit WHERE id = ?", (number,)).fetchone()  # noqa: S608
    return _edit(row) if row else None


def undone(db: sqlite3.Connection, number: int) -> bool:
    """Whether an edit was taken back."""
    return bool(db.execute("SELECT 1 FROM edit WHERE undoes = ?", (number,)).fetchone())


class Overlays:
    """Edits of all tags as a reader keeps them in mind."""

    def __init__(self) -> None:
        self._newest = -1
        self._tags: frozenset[int] = frozenset()
        self._found: dict[int, Overlay] = {}

    def tags(self, db: sqlite3.Connection) -> frozenset[int]:
        """Tags that have any; call it inside a transaction."""
        newest = db.execute("SELECT max(id) FROM edit").fetchone()[0] or 0
        if newest != self._newest:
            self._tags = frozenset(row[0] for row in db.execute("SELECT DISTINCT tag FROM edit"))
            self._found.clear()
            self._newest = newest
        return self._tags

    def of(self, db: sqlite3.Connection, tag: int) -> Overlay:
        """What the edits of a tag come to; call it inside a transaction."""
        if tag not in self.tags(db):
            return NONE
        if tag not in self._found:
            rows = db.execute(_LIVE, (tag,)).fetchall()
            self._found[tag] = collapse(_edit(row) for row in rows)
        return self._found[tag]


def _edit(row: Sequence[Any]) -> Edit:
    number, tag, kind, new, old, user, source, utc_ns, reason, undoes = row
    return Edit(number, tag, kind, _columns(new), _columns(old), Who(user, source, utc_ns, reason), undoes)


def _packed(tag: int, samples: Columns) -> bytes:
    rows = np.empty(len(samples.t), SAMPLE)
    rows["tag"], rows["t"], rows["bits"], rows["status"] = tag, *samples
    return codec.pack_batch(rows)


def _columns(blob: bytes) -> Columns:
    return Columns.of(codec.unpack_batch(blob))
