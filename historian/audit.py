"""The audit trail: who did what and when, in a file of its own whose entries are chained by hashes.

The hash of an entry covers the one before it: BLAKE2b with 32 bytes over `prev ‖ seq u64 ‖ t i64 ‖ json`, numbers
little-endian, the first `prev` 32 zero bytes. Whoever changes, removes or puts in an entry must make all later hashes
anew, and `audit` events in the history (and in every database that it is forwarded to) still hold the old ones.

The file keeps a reserve of free pages inside itself, and it is changed in place (rollback journal, kept at its size): on
a full disk entries are still written, and nobody else can take that room.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sqlite3
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import orjson

from historian import schema
from historian.connect import errors
from historian.store import StoreError
from scada.datadir import make_folder
from tags.mapped import Position

FILE: Final = "audit.sqlite"
RESERVE: Final = 8 << 20  # bytes: some 15,000 entries
BEGIN: Final = bytes(32)  # what the first entry follows
_APPLICATION: Final = 0x434C4155  # "CLAU"
_VERSION: Final = 1
_NUMBERS: Final = struct.Struct("<Qq")
_ROOM: Final = 2  # the reserve is filled while the disk has so many times its size
_PAGE: Final = 4096
_JOURNAL_PAGES: Final = 128  # pages that one commit may change on a full disk
_AT_ONCE: Final = 1000
_NEWEST: Final = (
    "SELECT seq, t, json, hash FROM entry WHERE t >= ? AND t < ? AND seq < ? ORDER BY seq DESC LIMIT ?"
)

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS entry (
    seq INTEGER PRIMARY KEY, t INTEGER NOT NULL, json TEXT NOT NULL, prev BLOB NOT NULL, hash BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS entry_time ON entry (t);
CREATE TABLE IF NOT EXISTS reached (
    writer TEXT PRIMARY KEY, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reserve (id INTEGER PRIMARY KEY, filler BLOB NOT NULL);
"""


class Entry(NamedTuple):
    """One entry.

    Attributes:
        seq: Its number, from 1 without holes.
        t: UTC, ns.
        event: What happened: at least `kind`.
        hash: Of it and of everything before it.
    """

    seq: int
    t: int
    event: dict[str, Any]
    hash: bytes


class Verdict(NamedTuple):
    """What a look at the whole chain came to.

    Attributes:
        entries: Entries that are as they were written, from the first on.
        head: Hash of the last of these; `BEGIN` for none.
        problem: What is wrong with the next one; "" when there is nothing wrong.
        others: Trails that were told of and are not this one: a damaged one that was moved aside, or one that is gone.
    """

    entries: int
    head: bytes
    problem: str
    others: int = 0

    @property
    def ok(self) -> bool:
        """All entries are as they were written."""
        return not self.problem


def chained(prev: bytes, seq: int, t: int, json: bytes) -> bytes:
    """The hash of an entry that follows `prev`."""
    return hashlib.blake2b(prev + _NUMBERS.pack(seq, t) + json, digest_size=32).digest()


class Trail:
    """The audit trail, open for writing; several processes may have it open.

    Args:
        folder: The data directory's `history` folder.
        patience_s: How long to wait for another process, s.

    Raises:
        StoreDamagedError: The file is damaged.
        StoreError: The disk does not let it.
    """

    def __init__(self, folder: Path, patience_s: float = 5.0) -> None:
        self.path = folder / FILE
        with errors(self.path):
            make_folder(folder)
            self.path.touch(mode=0o600)
            self._db = sqlite3.connect(
                self.path, isolation_level=None, check_same_thread=False, timeout=patience_s
            )
            self._db.text_factory = schema.text
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def _prepare(self) -> None:
        db = self._db
        db.execute(f"PRAGMA page_size = {_PAGE}")
        db.execute("PRAGMA journal_mode = PERSIST")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = OFF")  # it would copy the whole reserve into the journal
        if not _number(db, "user_version"):
            db.executescript(
                f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {_APPLICATION}; "
                f"PRAGMA user_version = {_VERSION}; COMMIT;"
            )
        _check(db)

    def append(
        self, events: Sequence[Mapping[str, Any]], reached: Mapping[str, Position] | None = None
    ) -> None:
        """Commits entries: on the disk, all of them, when this returns.

        Args:
            events: JSON objects with at least `kind` and `t`.
            reached: How far the event rings of some services were read for these.

        Raises:
            StoreError: The disk does not let it; nothing was changed.
        """
        with self._transaction() as db:
            row = db.execute("SELECT seq, hash FROM entry ORDER BY seq DESC LIMIT 1").fetchone()
            seq, prev = row or (0, BEGIN)
            for event in events:
                seq, t, json = seq + 1, int(event["t"]), orjson.dumps(event)
                found = chained(prev, seq, t, json)
                db.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", (seq, t, json.decode(), prev, found))
                prev = found
            db.executemany(
                "INSERT OR REPLACE INTO reached VALUES (?, ?, ?)",
                [(writer, *position) for writer, position in (reached or {}).items()],
            )

    def reached(self, writer: str) -> Position | None:
        """How far the event ring of a service was read."""
        with errors(self.path):
            row = self._db.execute(
                "SELECT epoch, sequence FROM reached WHERE writer = ?", (writer,)
            ).fetchone()
        return Position(*row) if row else None

    def head(self) -> tuple[int, bytes]:
        """Number and hash of the last entry."""
        with errors(self.path):
            row = self._db.execute("SELECT seq, hash FROM entry ORDER BY seq DESC LIMIT 1").fetchone()
        return row or (0, BEGIN)

    def anchor(self) -> dict[str, Any] | None:
        """Fields of an `audit` event, which tells of the chain elsewhere; None before there is an entry.

        `first`, the hash of the first entry, says which trail it speaks of.
        """
        with errors(self.path):
            row = self._db.execute("SELECT hash FROM entry WHERE seq = 1").fetchone()
        seq, head = self.head()
        return {"seq": seq, "hash": head.hex(), "first": row[0].hex()} if row else None

    def keep_reserve(self) -> bool:
        """Fills the reserve up when it is below three quarters and the disk has room.

        Returns:
            Whether it is full enough.

        Raises:
            StoreError: The disk does not let it.
        """
        with errors(self.path):
            missing = RESERVE - _number(self._db, "freelist_count") * _PAGE
            left = self._db.execute("SELECT count(*) FROM reserve").fetchone()[0]
            if missing <= RESERVE // 4 and not left:
                return True
            if shutil.disk_usage(self.path.parent).free < _ROOM * RESERVE:
                return missing <= RESERVE // 4
        # In commits of their own: pages that are used and freed in one commit are never written, so not reserved.
        if not left:
            # As much as the whole reserve: what is free already is taken first.
            rows = [(_PAGE * 3 // 4,)] * _JOURNAL_PAGES + [(_PAGE * 64,)] * (RESERVE // (_PAGE * 64))
            with self._transaction() as db:
                db.executemany("INSERT INTO reserve (filler) VALUES (zeroblob(?))", rows)
            with self._transaction() as db:  # makes the journal as long as a commit of many pages
                db.execute(
                    "UPDATE reserve SET filler = randomblob(length(filler)) WHERE length(filler) < ?",
                    (_PAGE,),
                )
        with self._transaction() as db:
            db.execute("DELETE FROM reserve")
        return True

    def close(self) -> None:
        """Lets go of the file."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        self._db.execute("ROLLBACK")
                raise


def record(folder: Path, kind: str, utc_ns: int, **fields: Any) -> None:
    """One entry of a process that is no service: an edit, an import, a backup.

    Args:
        folder: The data directory's `history` folder.
        kind: For example `import`.
        utc_ns: Now, UTC, ns.
        **fields: More, as JSON; `user`, `source` and `reason` where they are known.

    Raises:
        StoreError: It could not be written: do not do what it speaks of.
    """
    with Trail(folder) as trail:
        trail.append([{"kind": kind, "t": utc_ns, **fields}])


def entries(
    folder: Path, start_ns: int, end_ns: int, kinds: Iterable[str] | None = None, limit: int = 1000
) -> list[Entry]:
    """The newest entries with start <= t < end, of some kinds or all, in their order.

    Raises:
        StoreError: There is no audit trail, or it cannot be read.
    """
    wanted = None if kinds is None else set(kinds)
    found: list[Entry] = []
    before = 2**63 - 1
    with _reading(folder) as db:
        # Some at a time: while a reader looks at a row nobody can write.
        while len(found) < limit:
            rows = db.execute(_NEWEST, (start_ns, end_ns, before, _AT_ONCE)).fetchall()
            for seq, t, json, hash_ in rows:
                try:
                    event = orjson.loads(json)
                except orjson.JSONDecodeError:
                    event = {"kind": "damaged", "json": json}
                if wanted is None or event.get("kind") in wanted:
                    found.append(Entry(seq, t, event, hash_))
            if len(rows) < _AT_ONCE:
                break
            before = rows[-1][0]
    return found[:limit][::-1]


def verify(
    folder: Path, known: Mapping[int, bytes] | None = None, told: Iterable[Mapping[str, Any]] = ()
) -> Verdict:
    """Follows the chain from the first entry to the last.

    Args:
        folder: The data directory's `history` folder.
        known: Hashes by number that were seen elsewhere.
        told: `audit` events of the history, or of a database that it was forwarded to; those of other trails are counted.

    Raises:
        StoreError: There is no audit trail, or SQLite cannot read it.
    """
    seq, prev = 0, BEGIN
    with _reading(folder) as db:
        row = db.execute("SELECT hash FROM entry WHERE seq = 1").fetchone()
        heads, others = _heads(told, row[0] if row else b"")
        left = heads | dict(known or {})
        while True:
            rows = db.execute(
                "SELECT seq, t, json, prev, hash FROM entry WHERE seq > ? ORDER BY seq LIMIT ?",
                (seq, _AT_ONCE),
            ).fetchall()
            for row in rows:
                problem = _problem(row, seq, prev) or _elsewhere(row, left)
                if problem:
                    return Verdict(seq, prev, problem, others)
                seq, prev = row[0], row[4]
            if len(rows) < _AT_ONCE:
                break
    if left:
        return Verdict(seq, prev, f"entry {min(left)}: it is missing, and was there before", others)
    return Verdict(seq, prev, "", others)


def _heads(told: Iterable[Mapping[str, Any]], first: bytes) -> tuple[dict[int, bytes], int]:
    """Hashes by number of the trail that begins so, and how many other trails are spoken of."""
    found: dict[int, bytes] = {}
    others: set[str] = set()
    for event in told:
        with contextlib.suppress(KeyError, TypeError, ValueError):
            if event["first"] == first.hex():
                found[int(event["seq"])] = bytes.fromhex(event["hash"])
            else:
                others.add(str(event["first"]))
    return found, len(others)


def _problem(row: tuple[Any, ...], before: int, hash_before: bytes) -> str:
    seq, t, json, prev, hash_ = row
    if seq != before + 1:
        return f"entry {before + 1}: it is missing; {seq} comes next"
    if prev != hash_before:
        return f"entry {seq}: it does not follow the entry before it"
    text = json.encode() if isinstance(json, str) else bytes(json)
    if not isinstance(t, int) or chained(prev, seq, t, text) != hash_:
        return f"entry {seq}: it is not what was written"
    return ""


def _elsewhere(row: tuple[Any, ...], known: dict[int, bytes]) -> str:
    hash_ = known.pop(row[0], row[4])
    return "" if hash_ == row[4] else f"entry {row[0]}: its hash is not the one that is known elsewhere"


@contextlib.contextmanager
def _reading(folder: Path) -> Iterator[sqlite3.Connection]:
    path = folder / FILE
    if not path.exists():
        raise StoreError(f"{path}: there is no audit trail yet. The historian makes it when the plant runs")
    with errors(path):
        db = _connect(path, "ro")
        try:
            try:
                _check(db)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_READONLY:
                    raise
                # A crash in the midst of a commit: SQLite takes back the half of it that is in the file.
                db.close()
                db = _connect(path, "rw")
                _check(db)
            yield db
        finally:
            db.close()


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=5.0
    )
    db.text_factory = schema.text
    return db


def _check(db: sqlite3.Connection) -> None:
    if _number(db, "application_id") != _APPLICATION:
        raise sqlite3.DatabaseError("this is not an audit trail")
    if _number(db, "user_version") != _VERSION:
        raise sqlite3.OperationalError("made by another version of this program")


def _number(db: sqlite3.Connection, pragma: str) -> int:
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])
