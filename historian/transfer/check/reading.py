"""Reading a file of SQLite that may be damaged: everything that can still be read, and the name of what cannot."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from historian import schema, wal
from historian.transfer.check.found import Damage, Report

_AT_ONCE: Final = 200
_LOST_MAX: Final = 2000  # rows in a row that cannot be read: then the rest of the table is given up
_MESSAGES: Final = 20
_DEEP: Final = 64 << 20  # integrity_check also compares indexes; quick_check is enough for larger files


@contextlib.contextmanager
def opened(path: Path, name: str, report: Report) -> Iterator[sqlite3.Connection | None]:
    """A file in a read transaction, its structure looked at; None when SQLite cannot read it at all."""
    report.files += 1
    _examine_log(path, name, report)
    with contextlib.ExitStack() as stack:
        db: sqlite3.Connection | None = None
        try:
            db = stack.enter_context(
                contextlib.closing(
                    sqlite3.connect(
                        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=10.0
                    )
                )
            )
            db.text_factory = schema.text
            db.execute("BEGIN")
            check = "integrity_check" if path.stat().st_size <= _DEEP else "quick_check"
            for (message,) in db.execute(f"PRAGMA {check}({_MESSAGES})").fetchall():
                if message != "ok":
                    said = str(message).removeprefix("*** in database main ***").strip().replace("\n", "; ")
                    report.add(Damage(name, "structure", said))
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # a damaged name in SQLite's message
            if path.exists():
                report.add(Damage(name, "structure", str(error)))
            else:
                report.notes.append(f"{name}: was deleted meanwhile, as retention does")
            if not _readable(db):
                db = None
        yield db


def _examine_log(path: Path, name: str, report: Report) -> None:
    with contextlib.suppress(OSError):
        wrong = wal.examine(path)
        if wrong is not None and wal.examine(path) == wrong:  # else it was written just now
            message = (
                f"its checksum is another; after a crash the {wrong.commits} commits behind it are dropped"
            )
            report.add(Damage(f"{name}-wal", f"frame {wrong.frame}", message))


def _readable(db: sqlite3.Connection | None) -> bool:
    if db is None:
        return False
    try:
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        return False
    return True


def has(db: sqlite3.Connection, table: str) -> bool:
    """There is such a table."""
    row = db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone()
    return row is not None


def columns(db: sqlite3.Connection, table: str) -> list[str]:
    """Names of its columns."""
    return [row[1] for row in db.execute(f"PRAGMA table_info({table})")]


def rows(
    db: sqlite3.Connection, name: str, table: str, key: str, wanted: Sequence[str], report: Report
) -> Iterator[tuple[Any, ...]]:
    """Rows of a table in order of a number; those that cannot be read are told and left out.

    Args:
        db: In a read transaction.
        name: Of the file.
        table: Of the table.
        key: Its column with the number: an INTEGER PRIMARY KEY.
        wanted: Columns.
        report: Is told.
    """
    query = f"SELECT {key}, {', '.join(wanted)} FROM {table}"  # noqa: S608 - our own names
    behind = -(2**63)
    while True:
        try:
            some = db.execute(
                f"{query} WHERE {key} > ? ORDER BY {key} LIMIT ?", (behind, _AT_ONCE)
            ).fetchall()
        except sqlite3.DatabaseError:
            some, further = _one_by_one(db, name, table, key, query, behind, report)
            yield from some
            if further is None:
                return
            behind = further
            continue
        yield from some
        if len(some) < _AT_ONCE:
            return
        behind = some[-1][0]


def _one_by_one(
    db: sqlite3.Connection, name: str, table: str, key: str, query: str, behind: int, report: Report
) -> tuple[list[tuple[Any, ...]], int | None]:
    """The rows behind a place, until as many as usual are read again; and where to go on, None for nowhere."""
    last = _last(db, table, key)
    found: list[tuple[Any, ...]] = []
    number = _next(db, table, key, behind)
    if number is None or last is None:
        report.add(Damage(name, table, "the rest of the table cannot be read"))
        return [], None
    lost = 0
    first_lost: int | None = None

    def told(until: int) -> None:
        if first_lost is not None:
            which = f"{table} {first_lost}" if until == first_lost else f"{table} {first_lost} to {until}"
            report.add(Damage(name, which, "SQLite cannot read it"))

    while number <= last and len(found) < _AT_ONCE:
        try:
            row = db.execute(f"{query} WHERE {key} = ?", (number,)).fetchone()
        except sqlite3.DatabaseError:
            first_lost = number if first_lost is None else first_lost
            lost += 1
            if lost > _LOST_MAX:
                report.add(Damage(name, f"{table} {first_lost} and on", "SQLite cannot read it"))
                return found, None
        else:
            told(number - 1)
            first_lost, lost = None, 0
            if row is not None:
                found.append(row)
        number += 1
    told(number - 1)
    return found, number - 1 if number <= last else None


def _next(db: sqlite3.Connection, table: str, key: str, behind: int) -> int | None:
    """A number from which on there may be rows."""
    if behind > -(2**63):
        return behind + 1
    with contextlib.suppress(sqlite3.DatabaseError):
        row = db.execute(f"SELECT {key} FROM {table} ORDER BY {key} LIMIT 1").fetchone()  # noqa: S608 - our own names
        return int(row[0]) if row else None
    return 1


def _last(db: sqlite3.Connection, table: str, key: str) -> int | None:
    for query in (
        f"SELECT {key} FROM {table} ORDER BY {key} DESC LIMIT 1",  # noqa: S608 - our own names
        f"SELECT seq FROM sqlite_sequence WHERE name = '{table}'",  # noqa: S608
    ):
        with contextlib.suppress(sqlite3.DatabaseError):
            row = db.execute(query).fetchone()
            if row is not None:
                return int(row[0])
    return None
