"""Stretches of history that a sink gets once more, or for the first time: how far each has come survives everything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import orjson

from historian.sinks.tables import Desk, errors, transaction

_COLUMNS: Final = "id, sink, start, end, reason, paths, at, till, tag, sent"


class Job(NamedTuple):
    """Samples with start <= source time < end, to be read from the history, window after window.

    Attributes:
        id: Number of the job.
        sink: Name.
        start: UTC, ns.
        end: UTC, ns.
        reason: Why.
        paths: Patterns of paths; JSON.
        at: All before this time is delivered, UTC, ns.
        till: End of the window that begins there, UTC, ns; 0 when it has not been chosen.
        tag: In the window all tags up to this id are delivered.
        sent: Samples delivered.
    """

    id: int
    sink: str
    start: int
    end: int
    reason: str
    paths: str
    at: int
    till: int
    tag: int
    sent: int

    @property
    def patterns(self) -> list[str]:
        """Of paths."""
        return list(orjson.loads(self.paths))

    @property
    def share(self) -> float:
        """How far it has come, 0 … 1, by time."""
        return min(1.0, max(0.0, (self.at - self.start) / max(1, self.end - self.start)))


class Jobs(Desk):
    """What is to be sent from the history."""

    def ask(self, sink: str, start: int, end: int, reason: str, paths: Sequence[str] = ("*",)) -> None:
        """Asks for a stretch of history; one that lies inside of it is not done twice.

        Args:
            sink: Name.
            start: UTC, ns.
            end: UTC, ns.
            reason: Why, for people.
            paths: Patterns of paths.
        """
        wanted = orjson.dumps(list(paths)).decode()
        with errors(self._path), transaction(self._db) as db:
            db.execute(
                "DELETE FROM job WHERE sink = ? AND start >= ? AND end <= ? AND (paths = ? OR ?)",
                (sink, start, end, wanted, list(paths) == ["*"]),
            )
            db.execute(
                "INSERT INTO job (sink, start, end, reason, paths, at, till, tag, sent) "
                "VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0)",
                (sink, start, end, reason, wanted, start),
            )

    def jobs(self, sink: str | None = None) -> list[Job]:
        """What is still to be sent, the oldest request first.

        Args:
            sink: Of one sink only.
        """
        with errors(self._path):
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM job WHERE ?1 IS NULL OR sink = ?1 ORDER BY id",  # noqa: S608 - our own names
                (sink,),
            ).fetchall()
        return [Job(*row) for row in rows]

    def cancel(self, sink: str) -> int:
        """Forgets what a sink was to get of the history; returns how many stretches."""
        with errors(self._path), transaction(self._db) as db:
            return db.execute("DELETE FROM job WHERE sink = ?", (sink,)).rowcount
