"""The store in SQLite files: a journal of what came last in `history.sqlite`, and everything older in a file for each day.

A batch is one row of `journal`, written with its events and ring positions in one transaction and one flush to the disk.
Rows are folded into the files of their days (`historian.fold`) by a thread with connections of its own. What is read is in
`historian.sqlite_reader`.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import orjson

from historian import codec, journal, notes, schema
from historian.connect import FILE, errors, identity
from historian.days import Days
from historian.edits import Edit, EditError, Who
from historian.edits import write as editing
from historian.fold.adopt import adopt
from historian.fold.fold import Leaving
from historian.fold.work import TAGS_AT_ONCE, Work
from historian.journal import JournalRow
from historian.notes import Annotation
from historian.settled import Columns
from historian.sqlite_reader import SqliteReader, key_of, position_of
from historian.store import Batch, StoreError
from scada.datadir import flush_folder, make_folder
from tags.model import Retention, Tag
from tags.types import STRING

FOLD_ROWS: Final = 60
FOLD_SAMPLES: Final = 500_000


class SqliteStore(SqliteReader):
    """See `historian.store.Store`. Made by `writer`, `appender` and `reader`; safe to use from several threads.

    Args:
        path: Of the file.
        connection: To it.
        file: Device and inode of the file that it has open.
        reads: It only reads.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, file: tuple[int, int], *, reads: bool = False
    ) -> None:
        super().__init__(path, connection, file, reads=reads)
        self._work: Work | None = None
        self._types: dict[int, str] = {}
        self._kinds: tuple[npt.NDArray[np.uint32], bytes] = np.empty(0, np.uint32), b""

    @classmethod
    def writer(cls, folder: Path) -> Self:
        """Opens or makes the store; one process at a time.

        Raises:
            StoreDamagedError: Damaged: move it aside (`damage.move_aside`).
            StoreError: The disk does not let it.
        """
        path = folder / FILE
        with errors(path):
            make_folder(folder)
            path.touch(mode=0o600)
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2.0)
            connection.text_factory = schema.text
        try:
            with errors(path):
                schema.prepare(connection)
                connection.execute("INSERT OR IGNORE INTO meta VALUES ('store', lower(hex(randomblob(16))))")
                flush_folder(folder)
                store = cls(path, connection, identity(path))
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
        with errors(path):
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)
            connection.text_factory = schema.text
            try:
                schema.check(connection)
                schema.tune(connection)
                return cls(path, connection, identity(path))
            except BaseException:
                connection.close()
                raise

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
                for reached in [position_of(db, writer, ring)]
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
            with errors(self.path):
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
        with errors(self.path):
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
        with errors(self.path):
            return self.work().join_short(tags)

    def retain(self, retention: Retention, now_ns: int, *, by_age: bool = True) -> int:
        """Forgets something that is not kept any longer; see `historian.fold.retention`.

        Returns:
            How many days, or texts and events: call it again while it is not 0.
        """
        with errors(self.path):
            return self.work().retain(retention, now_ns, by_age=by_age)

    def seal(self, day: int, now_ns: int) -> bytes | None:
        """Closes a day: joins its chunks, and writes its digest; None when it is damaged."""
        with errors(self.path):
            return self.work().seal(day, now_ns)

    def hold(self, utc_ns: int) -> None:
        """Keeps in mind, also for the next process, that the clock cannot be trusted since then (its own UTC, ns)."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('held_ns', ?)", (utc_ns,))

    def _begin(self) -> None:
        """Takes in files of days that are not listed, and never uses the number of a commit again that a day has."""
        days = Days(self.path.parent, writes=True)
        try:
            adopt(self._connection, key_of(self._connection), days)
        finally:
            days.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and on the disk at the end."""
        with self._lock, errors(self.path):
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

    def close(self) -> None:
        """See `Store`."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            if self._work is not None:
                self._work.close()
                self._work = None
        super().close()

    def gone(self) -> bool:
        """Somebody deleted or replaced the file: what is written now would be in no folder."""
        try:
            return identity(self.path) != self._file
        except OSError:
            return True

    @staticmethod
    def _editable(db: sqlite3.Connection, tag_id: int) -> None:
        row = db.execute("SELECT type FROM tag WHERE id = ?", (tag_id,)).fetchone()
        if row is None:
            raise EditError("history has no such tag")
        if row[0] == STRING:
            raise EditError("texts are not edited; annotate them")


def _tell(db: sqlite3.Connection, *events: Mapping[str, Any]) -> None:
    db.executemany(
        "INSERT INTO event (t, kind, json) VALUES (?, ?, ?)",
        [(event["t"], event["kind"], orjson.dumps(event).decode()) for event in events],
    )


def _scan(tag: Tag) -> int:
    """For summaries; -1 when samples are always joined by straight lines, see `chunks.ramp_of`."""
    return tag.scan_ns if tag.history.policy == "change" else -1
