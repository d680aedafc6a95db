"""What is read from the store in SQLite files, by its writer and by any other process.

Readers never wait for the writer and never stop it (WAL); `historian.snapshot` is what they see.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import orjson

from historian import edits, notes, settled
from historian.connect import FILE, connect_reader, errors, identity
from historian.days import Days
from historian.edits import Edit, Overlay
from historian.notes import Annotation
from historian.parts import Choose, Parts, parts
from historian.recent import Recent
from historian.rolled import Rollups
from historian.seal import Seal
from historian.settled import Columns
from historian.snapshot import Snapshot
from historian.store import (
    SAMPLE,
    Committed,
    Samples,
    StoreError,
    TagEntry,
    Tail,
    Text,
)
from tags.mapped import Position
from tags.types import FLOAT64, STRING

_SEALS: Final = "SELECT day, key, utc_ns, chunks, samples, digest, gone_ns FROM seal ORDER BY id"
_TAIL: Final = "SELECT seq, n, t1, samples FROM journal WHERE seq > ? ORDER BY seq"

_WORD: Final = 2**64 - 1
_FOREVER: Final = 2**63 - 1
_NEVER: Final = -(2**62)

Rows = npt.NDArray[np.void]


class Day(NamedTuple):
    """A day that has a file.

    Attributes:
        day: Counted from 1970-01-01.
        key: Of the file.
        path: Of it.
        seal: The last one; None while the day is open.
    """

    day: int
    key: str
    path: Path
    seal: Seal | None


class SqliteReader:
    """The half of `historian.store.Store` that asks; safe to use from several threads.

    Args:
        path: Of the file.
        connection: To it.
        file: Device and inode of the file that it has open.
        reads: It only reads.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, file: tuple[int, int], *, reads: bool = False
    ) -> None:
        self.path = path
        self._file = file
        self._reads = reads
        self._connection = connection
        self._lock = threading.Lock()
        self._recent = Recent()
        self._days = Days(path.parent)
        self._rollups = Rollups(path.parent)
        self._overlays = edits.Overlays()
        self._entries: dict[int, TagEntry] = {}
        self._listed: dict[int, str] = {}
        self._store = ""
        self._version: int | None = None  # of what `_listed`, `_store` and `_recent` say

    @classmethod
    def reader(cls, folder: Path) -> Self:
        """Opens a store that is there, for reading only.

        Raises:
            StoreError: There is none, or it is damaged.
        """
        path = folder / FILE
        if not path.exists():
            raise StoreError(f"{path}: there is no history yet. The historian makes it when the plant runs")
        with errors(path):
            return cls(path, *connect_reader(path), reads=True)

    def days(self) -> list[Day]:
        """The days that have files, in order, with what their last seals say."""
        with self._reading() as db:
            listed = db.execute("SELECT day, key, sealed FROM day ORDER BY day").fetchall()
            seals = {row[0]: Seal(*row) for row in db.execute(_SEALS)}
        return [
            Day(day, key, self._days.path(day), seals.get(day) if sealed else None)
            for day, key, sealed in listed
        ]

    def seals(self) -> list[Seal]:
        """All seals that days ever had, also those of days that were forgotten, in the order in which they were made."""
        with self._reading() as db:
            return [Seal(*row) for row in db.execute(_SEALS)]

    def raw(
        self,
        tag_id: int,
        start_ns: int,
        end_ns: int,
        limit: int = 100_000,
        *,
        before: bool = False,
        originals: bool = False,
    ) -> Samples:
        """See `Store`."""
        entry = self._entry(tag_id)
        type_ = entry.type if entry else FLOAT64
        if type_ == STRING:
            return self._texts(tag_id, start_ns, end_ns, limit, before=before)
        with self._snapshot() as seen:
            overlay = edits.NONE if originals else self._overlays.of(seen.main, tag_id)
            found, more = _read(seen, overlay, tag_id, start_ns, end_ns, limit)
            if before:
                found = Columns.joined([_before(seen, overlay, tag_id, start_ns), found])
        return Samples(*found, more, type_)

    def edits(self, tag_id: int, start_ns: int, end_ns: int) -> list[Edit]:
        """Edits of a tag that have to do with start <= t < end, in the order in which they were made."""
        with self._reading() as db:
            return edits.between(db, tag_id, start_ns, end_ns)

    def edits_since(self, number: int, limit: int = 1000) -> list[Edit]:
        """Edits of all tags after one, the oldest first: what a sink sends on."""
        with self._reading() as db:
            return edits.since(db, number, limit)

    def annotations(
        self, tag_id: int | None, start_ns: int, end_ns: int, limit: int = 1000
    ) -> list[Annotation]:
        """Annotations of a tag, or of all, with start <= t < end by time; the newest `limit`."""
        with self._reading() as db:
            return notes.between(db, tag_id, start_ns, end_ns, limit)

    def memory(self) -> bytes:
        """See `Store`."""
        with self._reading() as db:
            row = db.execute("SELECT value FROM meta WHERE key = 'policy'").fetchone()
        return bytes(row[0]) if row else b""

    def around(
        self, tag_ids: Sequence[int], start_ns: int, end_ns: int, limit: int = 100_000
    ) -> list[Samples]:
        """See `Store`."""
        types = [entry.type if entry else FLOAT64 for entry in map(self._entry, tag_ids)]
        found = []
        with self._snapshot() as seen:
            for tag_id, type_ in zip(tag_ids, types, strict=True):
                overlay = self._overlays.of(seen.main, tag_id)
                if not len(overlay):
                    columns, more = seen.around(tag_id, start_ns, end_ns, limit)
                else:
                    inside, more = _read(seen, overlay, tag_id, start_ns, end_ns, limit)
                    after, _ = _read(seen, overlay, tag_id, end_ns, _FOREVER, 1)
                    before = _before(seen, overlay, tag_id, start_ns)
                    columns = inside if more else Columns.joined([before, inside, after])
                found.append(Samples(*columns, more, type_))
        return found

    def parts(self, tag_id: int, start_ns: int, end_ns: int, choose: Choose) -> Parts:
        """See `Store`."""
        with self._snapshot() as seen:
            overlay = self._overlays.of(seen.main, tag_id)
            changes = overlay if len(overlay) else None
            return parts(seen, tag_id, start_ns, end_ns, choose, changes, self._rollups)

    def events(
        self,
        start_ns: int,
        end_ns: int,
        kinds: Sequence[str] | None = None,
        limit: int = 1000,
        *,
        oldest: bool = False,
    ) -> list[dict[str, Any]]:
        """See `Store`."""
        where, values = "t >= ? AND t < ?", [start_ns, end_ns]
        if kinds is not None:
            where += f" AND kind IN ({', '.join('?' * len(kinds))})"
        order = "t, id" if oldest else "t DESC, id DESC"
        query = f"SELECT t, kind, json FROM event WHERE {where} ORDER BY {order} LIMIT ?"  # noqa: S608 - only placeholders
        with self._reading() as db:
            rows = db.execute(query, (*values, *(kinds or ()), limit)).fetchall()
        return [_event(*row) for row in (rows if oldest else reversed(rows))]

    def last(self, *, originals: bool = False) -> Rows:
        """See `Store`."""
        with self._snapshot() as seen:
            settled_rows = seen.main.execute("SELECT tag, status, t, bits FROM newest").fetchall()
            rows = np.array([(*row[:3], row[3] & _WORD) for row in settled_rows], SAMPLE)
            rows = settled.newest(np.concatenate([rows, self._recent.newest()]))
            edited = () if originals else self._overlays.tags(seen.main)
            if not edited:
                return rows
            parts = [rows[~np.isin(rows["tag"], list(edited))]]
            for tag in edited:
                found = _before(seen, self._overlays.of(seen.main, tag), tag, _FOREVER)
                one = np.empty(len(found.t), SAMPLE)
                one["tag"], one["t"], one["bits"], one["status"] = tag, *found
                parts.append(one)
        return np.concatenate(parts)

    def position(self, writer: str, ring: str) -> Position | None:
        """See `Store`."""
        with self._reading() as db:
            return position_of(db, writer, ring)

    def key(self) -> str:
        """Of this store: another one after it was begun anew; "" before anything could be written."""
        with self._reading() as db:
            return key_of(db)

    def tail(self, seq: int, text: int, limit: int) -> Tail:
        """Commits after a number, the oldest first: what a sink reads.

        Args:
            seq: Number of a commit of samples.
            text: Number of a sample of a string tag.
            limit: About so many samples at most.
        """
        rows: list[Committed] = []
        count = 0
        with self._reading() as db:
            for row in db.execute(_TAIL, (seq,)):
                rows.append(Committed(*row))
                count += rows[-1].n
                if count >= limit:
                    break
            last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'journal'").fetchone()
            texts = db.execute(
                "SELECT id, tag, t, status, text FROM text WHERE id > ? ORDER BY id LIMIT ?", (text, limit)
            ).fetchall()
            return Tail(key_of(db), last[0] if last else 0, rows, [(r[0], Text(*r[1:])) for r in texts])

    def ids(self) -> Mapping[str, TagEntry]:
        """See `Store`."""
        with self._reading() as db:
            rows = db.execute("SELECT id, path, type FROM tag ORDER BY id").fetchall()
        return {row[1]: TagEntry(*row) for row in rows}

    def last_commit_ns(self) -> int:
        """See `Store`."""
        with self._reading() as db:
            row = db.execute("SELECT value FROM meta WHERE key = 'committed_ns'").fetchone()
        return int(row[0]) if row else 0

    def held_ns(self) -> int:
        """Since when that is so; long ago for never."""
        with self._reading() as db:
            row = db.execute("SELECT value FROM meta WHERE key = 'held_ns'").fetchone()
        return int(row[0]) if row else _NEVER

    def close(self) -> None:
        """See `Store`."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._days.close()
            self._rollups.close()
            self._connection.close()

    @contextlib.contextmanager
    def _snapshot(self) -> Iterator[Snapshot]:
        """One moment of the store with the files of its days."""
        with self._reading() as db, self._seen(db) as seen:
            yield seen

    @contextlib.contextmanager
    def _seen(self, db: sqlite3.Connection) -> Iterator[Snapshot]:
        """That, inside a transaction of the caller."""
        # Of what others commit only: a reader alone may go by it.
        version = db.execute("PRAGMA data_version").fetchone()[0]
        if not self._reads or version != self._version:
            self._version = None
            self._recent.follow(db)
            listed = dict(db.execute("SELECT day, key FROM day").fetchall())
            if listed != self._listed:
                self._days.keep_only(listed)
                self._listed = listed
            self._store = key_of(db)
            self._version = version
        seen = Snapshot(db, self._store, self._listed, self._days, self._recent)
        try:
            yield seen
        finally:
            seen.close()
            self._days.trim()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """One moment of the store: a fold between two queries would count samples twice or not at all."""
        with self._lock, errors(self.path):
            self._follow_file()
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def _follow_file(self) -> None:
        """A reader goes over to the new file when the writer has moved a damaged one aside."""
        if self._reads and identity(self.path) != self._file:
            self._connection.close()
            self._connection, self._file = connect_reader(self.path)
            self._recent = Recent()
            self._version = None
            self._overlays = edits.Overlays()
            self._entries.clear()

    def _entry(self, tag_id: int) -> TagEntry | None:
        if tag_id not in self._entries:
            self._entries = {entry.id: entry for entry in self.ids().values()}
        return self._entries.get(tag_id)

    def _texts(self, tag_id: int, start_ns: int, end_ns: int, limit: int, *, before: bool) -> Samples:
        select = "SELECT t, status, text FROM text WHERE tag = ?"
        with self._reading() as db:
            rows = db.execute(
                f"{select} AND t >= ? AND t < ? ORDER BY t, id LIMIT ?",
                (tag_id, start_ns, end_ns, limit + 1),
            ).fetchall()
            first = db.execute(
                f"{select} AND t < ? ORDER BY t DESC, id DESC LIMIT ?", (tag_id, start_ns, int(before))
            ).fetchall()
        more = len(rows) > limit
        rows = first + rows[:limit]
        t, status = (np.array([row[i] for row in rows], np.int64) for i in (0, 1))
        texts = tuple(row[2] for row in rows)
        return Samples(t, np.zeros(len(t), np.uint64), status.astype(np.uint32), more, STRING, texts)


def _read(
    seen: Snapshot, overlay: Overlay, tag: int, start_ns: int, end_ns: int, limit: int
) -> tuple[Columns, bool]:
    if not len(overlay):
        return seen.read(tag, start_ns, end_ns, limit)
    return edits.read(lambda *place: seen.read(tag, *place), overlay, start_ns, end_ns, limit)


def _before(seen: Snapshot, overlay: Overlay, tag: int, start_ns: int) -> Columns:
    if not len(overlay):
        return seen.before(tag, start_ns)
    return edits.before(
        lambda *place: seen.read(tag, *place), lambda t: seen.before(tag, t), overlay, start_ns
    )


def _event(t: int, kind: str, json: str) -> dict[str, Any]:
    try:
        found = orjson.loads(json)
    except orjson.JSONDecodeError:
        found = None
    return found if isinstance(found, dict) else {"t": t, "kind": kind, "damaged": json}


def key_of(db: sqlite3.Connection) -> str:
    """Key of the store; another one after it was begun anew."""
    row = db.execute("SELECT value FROM meta WHERE key = 'store'").fetchone()
    return str(row[0]) if row else ""


def position_of(db: sqlite3.Connection, writer: str, ring: str) -> Position | None:
    """How far a ring of a writer is committed."""
    row = db.execute(
        "SELECT epoch, sequence FROM position WHERE writer = ? AND ring = ?", (writer, ring)
    ).fetchone()
    return Position(*row) if row else None
