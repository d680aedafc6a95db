"""Rows that a sink refused: kept, listed, repaired, sent again, forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from historian.sinks.tables import Desk, errors, transaction

QUARANTINE_MAX: Final = 100_000


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


class Quarantine(Desk):
    """What sinks refused."""

    def quarantine(
        self,
        sink: str | None = None,
        *,
        retry: bool = False,
        limit: int = 1000,
        ids: Iterable[int] | None = None,
    ) -> list[Refused]:
        """Rows that were refused, the oldest first.

        Args:
            sink: Of one sink only.
            retry: Only those to be sent again.
            limit: At most so many.
            ids: Only these.
        """
        with errors(self._path):
            rows = self._db.execute(
                "SELECT id, sink, line, error, since, retry FROM quarantine "
                "WHERE (?1 IS NULL OR sink = ?1) AND retry >= ?2 ORDER BY id LIMIT ?3",
                (sink, int(retry), limit if ids is None else QUARANTINE_MAX),
            ).fetchall()
        wanted = None if ids is None else set(ids)
        found = [Refused(*row)._replace(retry=bool(row[5])) for row in rows]
        return [row for row in found if wanted is None or row.id in wanted][:limit]

    def count(self, sink: str) -> int:
        """How many rows of a sink are in quarantine."""
        with errors(self._path):
            return int(
                self._db.execute("SELECT count(*) FROM quarantine WHERE sink = ?", (sink,)).fetchone()[0]
            )

    def retry(self, sink: str, ids: Iterable[int] | None = None) -> int:
        """Asks for rows to be sent again, all of a sink or some; returns how many."""
        return self._change("UPDATE quarantine SET retry = 1", sink, ids)

    def drop(self, sink: str, ids: Iterable[int] | None = None) -> int:
        """Forgets rows, all of a sink or some; returns how many."""
        return self._change("DELETE FROM quarantine", sink, ids)

    def repair(self, sink: str, lines: Mapping[int, str]) -> int:
        """Gives rows other lines and asks for them to be sent again; returns how many.

        Args:
            sink: Of the rows.
            lines: New lines by number of the row. One that another row has already takes its place.
        """
        done = 0
        with errors(self._path), transaction(self._db) as db:
            for id_, line in lines.items():
                db.execute(
                    "DELETE FROM quarantine WHERE sink = ? AND line = ? AND id <> ?", (sink, line, id_)
                )
                done += db.execute(
                    "UPDATE quarantine SET line = ?, retry = 1 WHERE sink = ? AND id = ?", (line, sink, id_)
                ).rowcount
        return done

    def _change(self, what: str, sink: str, ids: Iterable[int] | None) -> int:
        with errors(self._path), transaction(self._db) as db:
            if ids is None:
                return db.execute(f"{what} WHERE sink = ?", (sink,)).rowcount
            return sum(db.execute(f"{what} WHERE sink = ? AND id = ?", (sink, one)).rowcount for one in ids)
