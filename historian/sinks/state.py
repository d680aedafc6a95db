"""How far each sink has come: cursors and marks, and with them what it refused and what it is to get again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from historian.sinks.jobs import Job, Jobs
from historian.sinks.quarantine import QUARANTINE_MAX, Quarantine, Refused
from historian.sinks.tables import FILE, errors, transaction

__all__ = ["FILE", "Cursor", "Job", "Refused", "State"]


class Cursor(NamedTuple):
    """Everything up to here is delivered or in quarantine.

    Attributes:
        store: Key of the store; "" before the first delivery.
        seq: Commit of samples.
        text: Sample of a string tag.
        event: Event.
        edit: Correction of history.
        t: Newest source time delivered, UTC, ns; 0 before the first delivery.
    """

    store: str = ""
    seq: int = 0
    text: int = 0
    event: int = 0
    edit: int = 0
    t: int = 0


class State(Quarantine, Jobs):
    """Cursors, marks, quarantine and jobs. Use one in one thread."""

    def cursors(self) -> dict[str, Cursor]:
        """All cursors, by sink."""
        with errors(self._path):
            there = {row[1] for row in self._db.execute("PRAGMA table_info(cursor)")}
            names = [
                name for name in Cursor._fields if name in there
            ]  # a file of the first version has fewer
            rows = self._db.execute(f"SELECT sink, {', '.join(names)} FROM cursor").fetchall()  # noqa: S608 - our own names
        return {row[0]: Cursor(**dict(zip(names, row[1:], strict=True))) for row in rows}

    def commit(
        self,
        sink: str,
        cursor: Cursor | None,
        refused: Sequence[tuple[str, str, int]] = (),
        job: Job | None = None,
    ) -> None:
        """Moves a cursor or a job and puts rows into quarantine, at once; on the disk when it returns.

        Args:
            sink: Name.
            cursor: Where it is now; None leaves it.
            refused: Line, error and UTC ns of each. The oldest go when there are more than `QUARANTINE_MAX`.
            job: How far it is now; it is forgotten when it is at its end.
        """
        with errors(self._path), transaction(self._db) as db:
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
                db.execute(
                    "INSERT OR REPLACE INTO cursor (sink, store, seq, text, event, edit, t) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (sink, *cursor),
                )
            if job is not None and job.at >= job.end:
                db.execute("DELETE FROM job WHERE id = ?", (job.id,))
            elif job is not None:
                db.execute(
                    "UPDATE job SET at = ?, till = ?, tag = ?, sent = ? WHERE id = ?",
                    (job.at, job.till, job.tag, job.sent, job.id),
                )

    def mark(self, sink: str) -> int:
        """Time of the newest mark that the database took, UTC, ns; 0 for none."""
        with errors(self._path):
            row = self._db.execute("SELECT utc FROM mark WHERE sink = ?", (sink,)).fetchone()
        return int(row[0]) if row else 0

    def set_mark(self, sink: str, utc_ns: int) -> None:
        """Remembers a mark that the database took; 0 forgets it."""
        with errors(self._path), transaction(self._db) as db:
            db.execute("INSERT OR REPLACE INTO mark VALUES (?, ?)", (sink, utc_ns))
