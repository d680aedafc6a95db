"""Chunks in the tables of a day's file: written when the journal is folded, read by tag.

All functions work inside a transaction of their caller. Chunks of a tag may overlap, as late samples make them do; their
numbers grow, and of two samples of one time that of the higher number came later. A chunk is never changed: compaction
(`historian.fold.compact`) writes a new one and deletes the old ones in one transaction. Where a tag has many samples, no
chunk reaches over a full hour, so that hourly results come from summaries.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from historian import chunks, codec
from historian.store import BAD_DATA_LOST, SAMPLE, StoreDamagedError
from tags.types import FLOAT64

CHUNK_MAX: Final = 8192
SPARSE: Final = 512  # samples: hours that come to fewer stay in one chunk
HOUR: Final = 3_600_000_000_000
_CACHED: Final = 64  # blocks of time stamps in memory, at most 4 MB

TABLES: Final = """
CREATE TABLE IF NOT EXISTS chunk (
    id INTEGER PRIMARY KEY AUTOINCREMENT, tag INTEGER NOT NULL, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL,
    n INTEGER NOT NULL, times INTEGER, summary BLOB, samples BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS times (
    id INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE, t1 INTEGER NOT NULL, block BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS chunk_tag ON chunk (tag, t1, t0, n);
CREATE INDEX IF NOT EXISTS chunk_times ON chunk (times);
CREATE INDEX IF NOT EXISTS chunk_hasty ON chunk (tag, t1) WHERE summary IS NULL;
"""

_PLACES: Final = "SELECT id, t0, t1, n FROM chunk WHERE tag = ? AND t1 >= ? AND t0 < ? ORDER BY t0, id"
_HEADS: Final = (
    "SELECT id, t0, t1, n, summary FROM chunk WHERE tag = ? AND t1 >= ? AND t0 < ? ORDER BY t0, id"
)
_HASTY: Final = "SELECT id FROM chunk WHERE tag = ? AND summary IS NULL"
_CHUNK: Final = "SELECT tag, t0, times, samples FROM chunk WHERE id = ?"
_OLDER: Final = (
    "SELECT id, t0, t1, summary FROM chunk WHERE tag = ? AND t1 < ? ORDER BY t1 DESC, id DESC LIMIT 1"
)
_NEWER: Final = "SELECT id, t0, t1, summary FROM chunk WHERE tag = ? AND t0 >= ? ORDER BY t0, id LIMIT 1"
_LAST: Final = (
    "SELECT tag.id, chunk.id, chunk.t1, summary FROM tag JOIN chunk ON chunk.id = "
    "(SELECT c.id FROM chunk AS c WHERE c.tag = tag.id ORDER BY c.t1 DESC, c.id DESC LIMIT 1)"
)
_INSERT: Final = "INSERT INTO chunk (tag, t0, t1, n, times, summary, samples) VALUES (?, ?, ?, ?, ?, ?, ?)"
_UNUSED: Final = (
    "DELETE FROM times WHERE id = ? AND NOT EXISTS (SELECT 1 FROM chunk WHERE chunk.times = times.id)"
)

Rows = npt.NDArray[np.void]
Seen = dict[
    bytes, tuple[int, int]
]  # blocks of time stamps in this transaction: number and checksum, by digest


class Columns(NamedTuple):
    """Samples of one tag: times, value bits and statuses, each of shape (n,)."""

    t: npt.NDArray[np.int64]
    bits: npt.NDArray[np.uint64]
    status: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, rows: Rows) -> Self:
        """Of samples of dtype `SAMPLE`."""
        return cls(rows["t"], rows["bits"], rows["status"])

    @staticmethod
    def joined(parts: Iterable[Columns]) -> Columns:
        """By time; samples of one time in the order of the parts, which is that of their coming."""
        parts = [part for part in parts if len(part.t)]
        if len(parts) == 1 and not (parts[0].t[1:] < parts[0].t[:-1]).any():
            return parts[0]
        if not parts:
            return Columns(np.empty(0, np.int64), np.empty(0, np.uint64), np.empty(0, np.uint32))
        found = Columns(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
        if (found.t[1:] < found.t[:-1]).any():
            return found.cut(np.argsort(found.t, kind="stable"))
        return found

    def within(self, start_ns: int, end_ns: int) -> Columns:
        """Those with start <= t < end; they are in order of time."""
        if len(self.t) and start_ns <= self.t[0] and self.t[-1] < end_ns:
            return self
        low, high = np.searchsorted(self.t, [start_ns, end_ns]).tolist()
        return self.cut(slice(low, high))

    def cut(self, which: slice | npt.NDArray[Any]) -> Columns:
        """Some of them."""
        return Columns(self.t[which], self.bits[which], self.status[which])


class Place(NamedTuple):
    """Where a chunk stands: its number, its times in ns UTC, its samples, and whether it was packed in haste."""

    id: int
    t0: int
    t1: int
    n: int
    hasty: bool = False


class Heads(NamedTuple):
    """Chunks of one tag without their samples, by time and number; k of them.

    Attributes:
        ids: Numbers of the chunks.
        summaries: Records of `chunks.SUMMARY`, shape (k,); of one that is not sound only `t0`, `t1` and `n` count.
        sound: Which of them can be believed, shape (k,).
    """

    ids: list[int]
    summaries: chunks.Summaries
    sound: npt.NDArray[np.bool_]


class Kind(NamedTuple):
    """What chunks need to know of a tag: its type, and the period at which its device is asked, ns (0 for none)."""

    type: str
    scan_ns: int


UNKNOWN: Final = Kind(FLOAT64, 0)


def kinds(db: sqlite3.Connection) -> dict[int, Kind]:
    """Of all tags in a file, by id."""
    return {row[0]: Kind(*row[1:]) for row in db.execute("SELECT id, type, scan FROM tag")}


class Settled:
    """The chunks of a store. Keeps blocks of time stamps that were read, for the next tag of the scan group."""

    def __init__(self) -> None:
        self._stamps: OrderedDict[tuple[int, int], npt.NDArray[np.int64]] = OrderedDict()

    def add(self, db: sqlite3.Connection, parts: Iterable[tuple[int, Columns]]) -> None:
        """Writes samples of several tags, each by time, then as they came, as new chunks; in haste."""
        known = kinds(db)
        seen: Seen = {}
        for tag, part in parts:
            insert(db, tag, known.get(tag, UNKNOWN), part, hasty=True, seen=seen)

    def read(
        self, db: sqlite3.Connection, tag: int, start_ns: int, end_ns: int, limit: int
    ) -> tuple[list[Columns], bool]:
        """Samples in a range, in the order in which they came, and whether all were read: at least `limit` of the oldest are."""
        found: dict[int, Columns] = {}
        count, newest = 0, -(2**63)
        for row in db.execute(_PLACES, (tag, start_ns, end_ns)).fetchall():
            place = Place(*row)
            if count >= limit and place.t0 > newest:
                return _ordered(found), False
            part = self._whole(db, place.id, tag).within(start_ns, end_ns)
            found[place.id] = part
            count += len(part.t)
            newest = max(newest, int(part.t[-1]) if len(part.t) else newest)
        return _ordered(found), True

    def before(self, db: sqlite3.Connection, tag: int, start_ns: int) -> list[Columns]:
        """Parts that end with the last sample before a time; in the order in which they came."""
        parts = {
            row[0]: self._whole(db, row[0], tag).within(-(2**63), start_ns).cut(slice(-1, None))
            for row in db.execute(_PLACES, (tag, start_ns, start_ns)).fetchall()
        }
        for number, _, t1, blob in db.execute(_OLDER, (tag, start_ns)).fetchall():
            head = _head(blob, tag)
            if head is not None and head["t1"] == t1:
                parts[number] = _one(t1, head["last"], head["last_status"])
            else:
                parts[number] = self._whole(db, number, tag).cut(slice(-1, None))
        return _ordered(parts)

    def after(self, db: sqlite3.Connection, tag: int, start_ns: int) -> list[Columns]:
        """Parts that begin with the first sample at or after a time; in the order in which they came."""
        parts = {
            row[0]: self._whole(db, row[0], tag).within(start_ns, 2**63 - 1).cut(slice(1))
            for row in db.execute(_PLACES, (tag, start_ns, start_ns)).fetchall()
        }
        for number, t0, _, blob in db.execute(_NEWER, (tag, start_ns)).fetchall():
            head = _head(blob, tag)
            if head is not None and head["t0"] == t0:
                parts[number] = _one(t0, head["first"], head["first_status"])
            else:
                parts[number] = self._whole(db, number, tag).cut(slice(1))
        return _ordered(parts)

    def last(self, db: sqlite3.Connection) -> Rows:
        """The last sample of every tag that has chunks; dtype `SAMPLE`."""
        found = []
        for tag, number, t1, blob in db.execute(_LAST).fetchall():
            if chunks.is_summary(blob):
                head = chunks.unpack_summary(blob)
                if (head["tag"], head["t1"]) == (tag, t1):
                    found.append((tag, head["last_status"], t1, head["last"]))
                    continue
            part = self._whole(db, number, tag).cut(slice(-1, None))
            found.append((tag, part.status[0], part.t[0], part.bits[0]))
        return np.array(found, SAMPLE)

    def load(self, db: sqlite3.Connection, tag: int, ids: Iterable[int]) -> list[Columns]:
        """Samples of some chunks of a tag, in the order in which they came; of a damaged one a mark."""
        return [self._whole(db, number, tag) for number in sorted(ids)]

    def _whole(self, db: sqlite3.Connection, number: int, tag: int) -> Columns:
        """A chunk; of a damaged one a mark that its samples are missing, so that a trend shows the gap."""
        try:
            return self.columns(db, number, tag)
        except StoreDamagedError:
            (t0,) = db.execute("SELECT t0 FROM chunk WHERE id = ?", (number,)).fetchone()
            return Columns(np.array([t0]), np.zeros(1, np.uint64), np.array([BAD_DATA_LOST], np.uint32))

    def columns(self, db: sqlite3.Connection, number: int, tag: int) -> Columns:
        """The samples of a chunk.

        Args:
            db: In a transaction.
            number: Of the chunk.
            tag: That it must be of.

        Raises:
            StoreDamagedError: It is not what was written.
        """
        _, _, times, blob = db.execute(_CHUNK, (number,)).fetchone()
        if times is None:  # of the first layout
            return Columns.of(codec.unpack_chunk(blob, tag))
        head, bits, status = chunks.unpack(blob)
        _checked(head, tag)
        t = self._times(db, times, head.times)
        if len(t) != len(bits):
            raise StoreDamagedError(f"a chunk of {len(bits)} samples has {len(t)} time stamps")
        return Columns(t, bits, status)

    def _times(self, db: sqlite3.Connection, number: int, checksum: int) -> npt.NDArray[np.int64]:
        key = (number, checksum)
        if key in self._stamps:
            self._stamps.move_to_end(key)
            return self._stamps[key]
        row = db.execute("SELECT block FROM times WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise StoreDamagedError("the time stamps of a chunk are missing")
        t = chunks.unpack_times(row[0])
        if chunks.checksum_of(row[0]) != checksum:
            raise StoreDamagedError("a chunk has the time stamps of another")
        t.flags.writeable = False
        self._stamps[key] = t
        if len(self._stamps) > _CACHED:
            self._stamps.popitem(last=False)
        return t


def _checked(head: chunks.Summary, tag: int) -> chunks.Summary:
    if head.tag != tag:
        raise StoreDamagedError(f"a chunk of tag {head.tag} stands where one of tag {tag} should")
    return head


def _head(blob: bytes | None, tag: int) -> np.void | None:
    if blob is None or not chunks.is_summary(blob):
        return None
    head = chunks.unpack_summary(blob)
    return head if head["tag"] == tag else None


def _one(t: int, bits: np.uint64, status: np.uint32) -> Columns:
    return Columns(np.array([t]), np.array([bits]), np.array([status]))


def heads(db: sqlite3.Connection, tag: int, start_ns: int, end_ns: int) -> Heads:
    """What the chunks of a tag come to that have to do with start <= t < end, by time and number."""
    rows = db.execute(_HEADS, (tag, start_ns, end_ns)).fetchall()
    found = np.zeros(len(rows), chunks.SUMMARY)
    sound = np.zeros(len(rows), np.bool_)
    for i, (_, t0, t1, n, blob) in enumerate(rows):
        if chunks.is_summary(blob):
            found[i] = chunks.unpack_summary(blob)
            sound[i] = True
        else:
            found[i]["t0"], found[i]["t1"], found[i]["n"] = t0, t1, n
    places = np.array([row[:4] for row in rows], np.int64).reshape(-1, 4)
    for i, name in enumerate(("t0", "t1", "n"), 1):
        sound &= found[name] == places[:, i]
        found[name] = places[:, i]
    return Heads(places[:, 0].tolist(), found, sound & (found["tag"] == tag))


def places(
    db: sqlite3.Connection, tag: int, start_ns: int = -(2**63), end_ns: int = 2**63 - 1
) -> list[Place]:
    """The chunks of a tag that have to do with start <= t < end, by time and number."""
    hasty = {row[0] for row in db.execute(_HASTY, (tag,))}
    return [
        Place(number, t0, t1, n, number in hasty)
        for number, t0, t1, n in db.execute(_PLACES, (tag, start_ns, end_ns))
    ]


def insert(
    db: sqlite3.Connection,
    tag: int,
    kind: Kind,
    samples: Columns,
    *,
    hasty: bool = False,
    seen: Seen | None = None,
) -> None:
    """Writes samples of one tag, in order of time, as new chunks with their summaries.

    Args:
        db: In a transaction.
        tag: Id of the tag.
        kind: Of the tag.
        samples: At least one.
        hasty: Rather soon than short, and without summaries: they are compacted when their hour is over.
        seen: Remembers time stamps from call to call; none may have been removed between.
    """
    seen = {} if seen is None else seen
    edges = cuts(samples.t)
    briefs: list[bytes | None] = [None] * len(edges)
    if not hasty:
        starts = np.array([start for start, _ in edges])
        form, ramp = chunks.form_of(kind.type), chunks.ramp_of(kind.scan_ns)
        briefs = [
            chunks.pack_summary(brief) for brief in chunks.summarised(*samples, starts, tag, form, ramp)
        ]
    pack = chunks.pack_hastily if hasty else chunks.pack
    for (start, end), brief in zip(edges, briefs, strict=True):
        part = samples.cut(slice(start, end))
        number, checksum = _shared_times(db, part.t, seen)
        blob = pack(tag, kind.type, part.t, part.bits, part.status, checksum)
        place = (tag, int(part.t[0]), int(part.t[-1]), len(part.t))
        db.execute(_INSERT, (*place, number, brief, blob))


def remove(db: sqlite3.Connection, ids: list[int]) -> None:
    """Deletes chunks and the time stamps that no other chunk needs."""
    marks = ",".join("?" * len(ids))
    used = db.execute(f"SELECT DISTINCT times FROM chunk WHERE id IN ({marks})", ids).fetchall()  # noqa: S608 - only placeholders
    db.execute(f"DELETE FROM chunk WHERE id IN ({marks})", ids)  # noqa: S608 - only placeholders
    db.executemany(_UNUSED, used)


def cuts(t: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Where samples are cut into chunks: at full hours, except where hours have few samples, and evenly where there are many.

    Args:
        t: UTC, ns, never falling.

    Returns:
        (start, end) of each chunk, at most `CHUNK_MAX` samples long.
    """
    hours = t // HOUR
    edges = [0, *(np.flatnonzero(hours[1:] != hours[:-1]) + 1).tolist(), len(t)]
    found: list[tuple[int, int]] = []
    start = 0
    for end, following in zip(edges[1:], [*edges[2:], 2**63], strict=True):
        if following - start < SPARSE or end == start:
            continue
        pieces = -(-(end - start) // CHUNK_MAX)
        marks = [start + (end - start) * i // pieces for i in range(pieces + 1)]
        found += pairwise(marks)
        start = end
    return found


def _shared_times(db: sqlite3.Connection, t: npt.NDArray[np.int64], seen: Seen) -> tuple[int, int]:
    """Number and checksum of the block of these stamps; the tags of a scan group find the one of the first."""
    digest = hashlib.blake2b(t.tobytes(), digest_size=16).digest()
    found = seen.get(digest)
    if found is None:
        row = db.execute("SELECT id, block FROM times WHERE digest = ?", (digest,)).fetchone()
        if row is not None:
            found = row[0], chunks.checksum_of(row[1])
        else:
            block = chunks.pack_times(t)
            number = db.execute(
                "INSERT INTO times (digest, t1, block) VALUES (?, ?, ?)", (digest, int(t[-1]), block)
            ).lastrowid
            assert number is not None
            found = number, chunks.checksum_of(block)
        seen[digest] = found
    return found


def newest(samples: Rows) -> Rows:
    """The last sample of each tag; of those of one time the one that came last."""
    found: Rows = samples[newest_at(samples)]
    return found


def newest_at(samples: Rows) -> npt.NDArray[np.intp]:
    """Where these are."""
    tags, order = _sorted_by_tag(samples)
    t = np.ascontiguousarray(samples["t"])[order]
    if ((t[1:] < t[:-1]) & (tags[1:] == tags[:-1])).any():
        order = np.lexsort((samples["t"], samples["tag"]))
    return order[np.flatnonzero(np.concatenate([tags[1:] != tags[:-1], np.ones(min(1, len(tags)), bool)]))]


def _sorted_by_tag(samples: Rows) -> tuple[npt.NDArray[Any], npt.NDArray[np.intp]]:
    """Tags in order, and the order; samples of a tag as they came."""
    tags = np.ascontiguousarray(samples["tag"])
    if len(tags) and tags.max() < 1 << 16:
        tags = tags.astype(np.uint16)  # sorted by radix
    order = np.argsort(tags, kind="stable")
    return tags[order], order


def _ordered(parts: Mapping[int, Columns]) -> list[Columns]:
    return [parts[number] for number in sorted(parts)]
