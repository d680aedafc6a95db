"""The store in SQLite files: a journal of what came last in `history.sqlite`, and everything older in a file for each day.

A batch is one row of `journal`, written with its events and ring positions in one transaction and one flush to the disk.
Rows are folded into the files of their days (`historian.fold`) by a thread with connections of its own. Readers are other
processes (WAL): they never wait for the writer and never stop it; `historian.snapshot` is what they see.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import orjson

from historian import codec, edits, journal, notes, schema, settled
from historian.days import Days
from historian.edits import Edit, Overlay, Who
from historian.edits import write as editing
from historian.fold.adopt import adopt
from historian.fold.fold import Leaving
from historian.fold.work import TAGS_AT_ONCE, Work
from historian.journal import JournalRow
from historian.notes import Annotation
from historian.parts import Choose, Parts, parts
from historian.recent import Recent
from historian.rolled import Rollups
from historian.seal import Seal
from historian.settled import Columns
from historian.snapshot import Snapshot
from historian.store import (
    SAMPLE,
    Batch,
    Committed,
    Samples,
    StoreDamagedError,
    StoreError,
    TagEntry,
    Tail,
    Text,
)
from scada.datadir import flush_folder, make_folder
from tags.mapped import Position
from tags.model import Retention, Tag
from tags.types import FLOAT64, STRING

FILE: Final = "history.sqlite"
FOLD_ROWS: Final = 60
FOLD_SAMPLES: Final = 500_000

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


class SqliteStore:
    """See `historian.store.Store`. Made by `writer` and `reader`; safe to use from several threads.

    Args:
        path: Of the file.
        connection: To it.
        identity: Device and inode of the file that it has open.
        reads: It only reads.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, identity: tuple[int, int], *, reads: bool = False
    ) -> None:
        self.path = path
        self._file = identity
        self._reads = reads
        self._connection = connection
        self._lock = threading.Lock()
        self._recent = Recent()
        self._days = Days(path.parent)
        self._rollups = Rollups(path.parent)
        self._work: Work | None = None
        self._overlays = edits.Overlays()
        self._entries: dict[int, TagEntry] = {}
        self._types: dict[int, str] = {}
        self._kinds: tuple[npt.NDArray[np.uint32], bytes] = np.empty(0, np.uint32), b""
        self._listed: dict[int, str] = {}
        self._store = ""
        self._version: int | None = None  # of what `_listed`, `_store` and `_recent` say

    @classmethod
    def writer(cls, folder: Path) -> Self:
        """Opens or makes the store; one process at a time.

        Raises:
            StoreDamagedError: Damaged: move it aside (`damage.move_aside`).
            StoreError: The disk does not let it.
        """
        path = folder / FILE
        with _errors(path):
            make_folder(folder)
            path.touch(mode=0o600)
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2.0)
            connection.text_factory = schema.text
        try:
            with _errors(path):
                schema.prepare(connection)
                connection.execute("INSERT OR IGNORE INTO meta VALUES ('store', lower(hex(randomblob(16))))")
                flush_folder(folder)
                store = cls(path, connection, _identity(path))
                store._begin()
                return store
        except StoreError:
            connection.close()
            raise

    @classmethod
    def appender(cls, folder: Path) -> Self:
        """Opens a store that is there for short writes of another process beside the historian: edits, imports.

        Raises:
            StoreError: There is none, or it is damaged.
        """
        path = folder / FILE
        if not path.exists():
            raise StoreError(f"{path}: there is no history yet. The historian makes it when the plant runs")
        with _errors(path):
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)
            connection.text_factory = schema.text
            try:
                schema.check(connection)
                schema.tune(connection)
                return cls(path, connection, _identity(path))
            except BaseException:
                connection.close()
                raise

    @classmethod
    def reader(cls, folder: Path) -> Self:
        """Opens a store that is there, for reading only.

        Raises:
            StoreError: There is none, or it is damaged.
        """
        path = folder / FILE
        if not path.exists():
            raise StoreError(f"{path}: there is no history yet. The historian makes it when the plant runs")
        with _errors(path):
            return cls(path, *_connect_reader(path), reads=True)

    # Writing

    def declare(self, tags: Iterable[Tag]) -> None:
        """See `Store`."""
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO tag (id, path, type, scan) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                "path = excluded.path, type = excluded.type, scan = excluded.scan",
                [(tag.id, tag.path, tag.type, _scan(tag)) for tag in tags],
            )
        self._entries.clear()
        self._types.clear()

    def append(self, batch: Batch) -> bool:
        """See `Store`."""
        with self._transaction() as db:
            if batch.positions and all(
                reached is not None and reached >= position
                for (writer, ring), position in batch.positions.items()
                for reached in [_position(db, writer, ring)]
            ):
                return False
            if len(batch.samples):
                journal.insert(db, self._row(db, batch))
            db.executemany("INSERT INTO text (tag, t, status, text) VALUES (?, ?, ?, ?)", batch.texts)
            _tell(db, *batch.events)
            db.executemany(
                "INSERT OR REPLACE INTO position (writer, ring, epoch, sequence) VALUES (?, ?, ?, ?)",
                [(*key, *position) for key, position in batch.positions.items()],
            )
            db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('committed_ns', ?)", (batch.utc_ns,))
            if batch.memory:
                db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('policy', ?)", (batch.memory,))
        return True

    def _row(self, db: sqlite3.Connection, batch: Batch) -> JournalRow:
        t, tags = batch.samples["t"], np.ascontiguousarray(batch.samples["tag"])
        if not self._types:
            self._types = dict(db.execute("SELECT id, type FROM tag").fetchall())
            self._kinds = np.empty(0, np.uint32), b""
        if not np.array_equal(tags, self._kinds[0]):
            self._kinds = tags, codec.kinds_of(tags, self._types)
        return JournalRow(
            journal.next_seq(db),
            int(t.min()),
            int(t.max()),
            len(t),
            codec.pack_batch(batch.samples, self._kinds[1]),
            batch.utc_ns,
            journal.reached(batch.positions),
            None,
        )

    def edit(self, wish: editing.Wish, who: Who, witness: editing.Witness | None = None) -> Edit:
        """Corrects samples of a tag: what was stored stays, and is hidden.

        Args:
            wish: What is wanted.
            who: Whose doing it is.
            witness: Called with the edit before it is committed, returns the event that speaks of it; when it fails
                there is no edit.

        Raises:
            EditError: It does not fit what is there.
            StoreError: The disk does not let it.
        """
        with self._transaction() as db, self._seen(db) as seen:
            self._editable(db, wish.tag)

            def originals(start_ns: int, end_ns: int, limit: int) -> tuple[Columns, bool]:
                return seen.read(wish.tag, start_ns, end_ns, limit)

            made = editing.make(db, originals, self._overlays.of(db, wish.tag), wish, who)
            if witness is not None:
                _tell(db, witness(made))
        return made

    def undo(self, number: int, who: Who, witness: editing.Witness | None = None) -> Edit:
        """Takes an edit back. As `edit`."""
        with self._transaction() as db:
            made = editing.undo(db, number, who)
            if witness is not None:
                _tell(db, witness(made))
        return made

    def annotate(self, tag_id: int, t: int, text: str, who: Who) -> Annotation:
        """Writes an annotation at a time (UTC, ns) of a tag.

        Raises:
            EditError: No text, or too long a one.
            StoreError: The disk does not let it.
        """
        with self._transaction() as db:
            return notes.add(db, tag_id, t, text, who)

    def unannotate(self, number: int, who: Who) -> Annotation:
        """Takes an annotation away. As `annotate`."""
        with self._transaction() as db:
            return notes.remove(db, number, who)

    def work(self) -> Work:
        """What is done in the background; the historian does it in a thread."""
        if self._work is None:
            with _errors(self.path):
                self._work = Work(self.path.parent, self.path)
        return self._work

    @property
    def damaged(self) -> int:
        """Rows of the journal that were found damaged since it was opened."""
        return self._work.damaged if self._work else 0

    def fold(self, *, force: bool = False, leaving: Leaving | None = None) -> int:
        """Turns the journal into chunks when it is long enough.

        Args:
            force: Also when it is short.
            leaving: Called with the store's key and the rows before they leave the journal; when it fails they stay.

        Returns:
            How many samples moved.
        """
        with _errors(self.path):
            work = self.work()
            while work.upgrade():
                pass
            rows, count = work.waiting()
            if not rows or (not force and rows < FOLD_ROWS and count < FOLD_SAMPLES):
                return 0
            moved = 0
            while moved < count or not moved:
                folded = work.fold(leaving)
                moved += folded.samples
                if not folded.last:
                    break
            return moved

    def join_short(self, tags: int = TAGS_AT_ONCE) -> int:
        """Joins short chunks into longer ones, which take fewer bytes and less time to read.

        Args:
            tags: Does so for so many tags at most.

        Returns:
            How many chunks went into others.
        """
        with _errors(self.path):
            return self.work().join_short(tags)

    def retain(self, retention: Retention, now_ns: int, *, by_age: bool = True) -> int:
        """Forgets something that is not kept any longer; see `historian.fold.retention`.

        Returns:
            How many days, or texts and events: call it again while it is not 0.
        """
        with _errors(self.path):
            return self.work().retain(retention, now_ns, by_age=by_age)

    def seal(self, day: int, now_ns: int) -> bytes | None:
        """Closes a day: joins its chunks, and writes its digest; None when it is damaged."""
        with _errors(self.path):
            return self.work().seal(day, now_ns)

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

    # Reading

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
        self, start_ns: int, end_ns: int, kinds: Sequence[str] | None = None, limit: int = 1000
    ) -> list[dict[str, Any]]:
        """See `Store`."""
        where, values = "t >= ? AND t < ?", [start_ns, end_ns]
        if kinds is not None:
            where += f" AND kind IN ({', '.join('?' * len(kinds))})"
        query = f"SELECT t, kind, json FROM event WHERE {where} ORDER BY t DESC, id DESC LIMIT ?"  # noqa: S608 - only placeholders
        with self._reading() as db:
            rows = db.execute(query, (*values, *(kinds or ()), limit)).fetchall()
        return [_event(*row) for row in reversed(rows)]

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
            return _position(db, writer, ring)

    def key(self) -> str:
        """Of this store: another one after it was begun anew; "" before anything could be written."""
        with self._reading() as db:
            return _key(db)

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
            return Tail(_key(db), last[0] if last else 0, rows, [(r[0], Text(*r[1:])) for r in texts])

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

    def hold(self, utc_ns: int) -> None:
        """Keeps in mind, also for the next process, that the clock cannot be trusted since then (its own UTC, ns)."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('held_ns', ?)", (utc_ns,))

    def held_ns(self) -> int:
        """Since when that is so; long ago for never."""
        with self._reading() as db:
            row = db.execute("SELECT value FROM meta WHERE key = 'held_ns'").fetchone()
        return int(row[0]) if row else _NEVER

    def gone(self) -> bool:
        """Somebody deleted or replaced the file: what is written now would be in no folder."""
        try:
            return _identity(self.path) != self._file
        except OSError:
            return True

    def close(self) -> None:
        """See `Store`."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            if self._work is not None:
                self._work.close()
                self._work = None
            self._days.close()
            self._rollups.close()
            self._connection.close()

    # Inside

    def _begin(self) -> None:
        """Takes in files of days that are not listed, and never uses the number of a commit again that a day has."""
        days = Days(self.path.parent, writes=True)
        try:
            adopt(self._connection, _key(self._connection), days)
        finally:
            days.close()

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
            self._store = _key(db)
            self._version = version
        seen = Snapshot(db, self._store, self._listed, self._days, self._recent)
        try:
            yield seen
        finally:
            seen.close()
            self._days.trim()

    @staticmethod
    def _editable(db: sqlite3.Connection, tag_id: int) -> None:
        row = db.execute("SELECT type FROM tag WHERE id = ?", (tag_id,)).fetchone()
        if row is None:
            raise edits.EditError("history has no such tag")
        if row[0] == STRING:
            raise edits.EditError("texts are not edited; annotate them")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and on the disk at the end."""
        with self._lock, _errors(self.path):
            db = self._connection
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """One moment of the store: a fold between two queries would count samples twice or not at all."""
        with self._lock, _errors(self.path):
            self._follow_file()
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def _follow_file(self) -> None:
        """A reader goes over to the new file when the writer has moved a damaged one aside."""
        if self._reads and _identity(self.path) != self._file:
            self._connection.close()
            self._connection, self._file = _connect_reader(self.path)
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


def _tell(db: sqlite3.Connection, *events: Mapping[str, Any]) -> None:
    db.executemany(
        "INSERT INTO event (t, kind, json) VALUES (?, ?, ?)",
        [(event["t"], event["kind"], orjson.dumps(event).decode()) for event in events],
    )


def _scan(tag: Tag) -> int:
    """For summaries; -1 when samples are always joined by straight lines, see `chunks.ramp_of`."""
    return tag.scan_ns if tag.history.policy == "change" else -1


def _event(t: int, kind: str, json: str) -> dict[str, Any]:
    try:
        found = orjson.loads(json)
    except orjson.JSONDecodeError:
        found = None
    return found if isinstance(found, dict) else {"t": t, "kind": kind, "damaged": json}


def _identity(path: Path) -> tuple[int, int]:
    info = path.stat()
    return info.st_dev, info.st_ino


def _connect_reader(path: Path) -> tuple[sqlite3.Connection, tuple[int, int]]:
    identity = _identity(path)
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=2.0)
    connection.text_factory = schema.text
    try:
        schema.check(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection, identity


def _key(db: sqlite3.Connection) -> str:
    row = db.execute("SELECT value FROM meta WHERE key = 'store'").fetchone()
    return str(row[0]) if row else ""


def _position(db: sqlite3.Connection, writer: str, ring: str) -> Position | None:
    row = db.execute(
        "SELECT epoch, sequence FROM position WHERE writer = ? AND ring = ?", (writer, ring)
    ).fetchone()
    return Position(*row) if row else None


@contextlib.contextmanager
def _errors(path: Path) -> Iterator[None]:
    """SQLite's errors as ours, with the file's name."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path}: {error}") from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise StoreDamagedError(f"{path}: {error}") from error
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from error
