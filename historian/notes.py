"""Annotations: what people wrote beside the history of a tag, at a time of it."""

from __future__ import annotations

import sqlite3
from typing import Any, Final, NamedTuple

from historian.edits import EditError, Who

TEXT_MAX: Final = 1000  # characters
TABLES: Final = """
CREATE TABLE IF NOT EXISTS annotation (
    id INTEGER PRIMARY KEY AUTOINCREMENT, tag INTEGER NOT NULL, t INTEGER NOT NULL, text TEXT NOT NULL,
    user TEXT NOT NULL, source TEXT NOT NULL, utc_ns INTEGER NOT NULL, gone_ns INTEGER, gone_user TEXT
);
CREATE INDEX IF NOT EXISTS annotation_tag ON annotation (tag, t);
CREATE INDEX IF NOT EXISTS annotation_time ON annotation (t);
"""
_COLUMNS: Final = "id, tag, t, text, user, source, utc_ns, gone_ns"


class Annotation(NamedTuple):
    """One annotation.

    Attributes:
        id: Its number.
        tag: Tag id.
        t: The time that it speaks of, UTC, ns.
        text: What was written.
        user: Who wrote it.
        source: Where: `cli`, `hmi`, `opcua`, `script`.
        utc_ns: When it was written, UTC, ns.
        gone_ns: When it was taken away, UTC, ns; None while it stands.
    """

    id: int
    tag: int
    t: int
    text: str
    user: str
    source: str
    utc_ns: int
    gone_ns: int | None


def add(db: sqlite3.Connection, tag: int, t: int, text: str, who: Who) -> Annotation:
    """Writes one, in a transaction of the caller.

    Raises:
        EditError: No text, or too long a one.
    """
    text = text.strip()
    if not text:
        raise EditError("an annotation without a text says nothing")
    if len(text) > TEXT_MAX:
        raise EditError(f"{len(text)} characters; an annotation has at most {TEXT_MAX}")
    cursor = db.execute(
        "INSERT INTO annotation (tag, t, text, user, source, utc_ns) VALUES (?, ?, ?, ?, ?, ?)",
        (tag, t, text, who.user, who.source, who.utc_ns),
    )
    return Annotation(int(cursor.lastrowid or 0), tag, t, text, who.user, who.source, who.utc_ns, None)


def remove(db: sqlite3.Connection, number: int, who: Who) -> Annotation:
    """Takes one away, in a transaction of the caller; it stays in the table, with when and by whom.

    Raises:
        EditError: There is none with that number, or it is gone already.
    """
    row = db.execute(f"SELECT {_COLUMNS} FROM annotation WHERE id = ?", (number,)).fetchone()  # noqa: S608 - our own names
    if row is None or row[-1] is not None:
        raise EditError(f"there is no annotation {number}")
    db.execute(
        "UPDATE annotation SET gone_ns = ?, gone_user = ? WHERE id = ?", (who.utc_ns, who.user, number)
    )
    return Annotation(*row)._replace(gone_ns=who.utc_ns)


def between(
    db: sqlite3.Connection, tag: int | None, start_ns: int, end_ns: int, limit: int = 1000
) -> list[Annotation]:
    """Those of a tag, or of all, with start <= t < end that stand, by time; at most the newest `limit`."""
    values: list[Any] = [start_ns, end_ns, *([] if tag is None else [tag]), limit]
    where = "t >= ? AND t < ? AND gone_ns IS NULL" + ("" if tag is None else " AND tag = ?")
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM annotation WHERE {where} ORDER BY t DESC, id DESC LIMIT ?",  # noqa: S608
        values,
    ).fetchall()
    return [Annotation(*row) for row in reversed(rows)]


def forget(db: sqlite3.Connection, before_ns: int, limit: int = 2000) -> int:
    """Deletes those that speak of a time before `before_ns`, at most so many; returns how many."""
    return db.execute(
        "DELETE FROM annotation WHERE id IN (SELECT id FROM annotation WHERE t < ? LIMIT ?)",
        (before_ns, limit),
    ).rowcount
