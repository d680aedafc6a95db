"""Chunks in the tables of the SQLite store: written when the journal is folded, joined when they are short, read by tag.

All functions work inside a transaction of their caller. Chunks of a tag may overlap, as late samples make them do; their
numbers grow, and of two samples of one time that of the higher number came later. A chunk is never changed: joining
writes a new one and deletes the old ones in one transaction.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from historian import chunks, codec
from historian.store import BAD_DATA_LOST, SAMPLE, StoreDamagedError
from tags.types import FLOAT64

CHUNK_MAX: Final = 8192
SHORT: Final = 4096  # samples; the tables know this number, see `schema`
JOINED: Final = 8  # short chunks beside each other are joined when they are so many
_CACHED: Final = 64  # blocks of time stamps in memory, at most 4 MB

_PLACES: Final = "SELECT id, t0, t1, n FROM chunk WHERE tag = ? AND t1 >= ? AND t0 < ? ORDER BY t0, id"
_CHUNK: Final = "SELECT tag, t0, times, samples FROM chunk WHERE id = ?"
_NEWEST: Final = "SELECT id FROM chunk WHERE tag = ? AND t1 < ? ORDER BY t1 DESC, id DESC LIMIT 1"
_LAST: Final = (
    "SELECT tag.id, chunk.t0, times, samples FROM tag JOIN chunk ON chunk.id = "
    "(SELECT c.id FROM chunk AS c WHERE c.tag = tag.id ORDER BY c.t1 DESC, c.id DESC LIMIT 1)"
)
_SHORT_TAGS: Final = (
    "SELECT tag, min(t0), max(t1) FROM chunk WHERE n < 4096 AND tag > ? GROUP BY tag "
    "HAVING count(*) >= 8 OR (count(*) > 1 AND sum(n) >= 4096) ORDER BY tag LIMIT ?"
)
_UNUSED: Final = (
    "DELETE FROM times WHERE id IN (SELECT id FROM times WHERE {} AND NOT EXISTS "
    "(SELECT 1 FROM chunk WHERE chunk.t1 = times.t1 AND chunk.times = times.id) LIMIT 2000)"
)

Rows = npt.NDArray[np.void]


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
        parts = list(parts)
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


class _Place(NamedTuple):
    id: int
    t0: int
    t1: int
    n: int


class Settled:
    """The chunks of a store. Keeps blocks of time stamps that were read, for the next tag of the scan group."""

    def __init__(self) -> None:
        self._stamps: OrderedDict[tuple[int, int], npt.NDArray[np.int64]] = OrderedDict()
        self._join_from: int | None = 0

    @property
    def joins(self) -> bool:
        """There may be short chunks to join."""
        return self._join_from is not None

    def add(self, db: sqlite3.Connection, samples: Rows) -> None:
        """Writes samples of many tags, in the order in which they came, as new chunks."""
        types = dict(db.execute("SELECT id, type FROM tag").fetchall())
        for tag, part in _by_tag(samples):
            _insert(db, tag, types.get(tag, FLOAT64), part)
        self._join_from = 0

    def join_short(self, db: sqlite3.Connection, tags: int) -> int:
        """Joins short chunks of a tag that lie beside each other, and whatever overlaps them.

        Args:
            db: In a transaction.
            tags: Looks at so many tags at most; the next call goes on behind them.

        Returns:
            How many chunks went into others; also 0 when all was looked at since the last `add`.
        """
        found = db.execute(_SHORT_TAGS, (self._join_from or 0, tags)).fetchall()
        self._join_from = found[-1][0] if len(found) == tags else None
        types: Mapping[int, str] = dict(db.execute("SELECT id, type FROM tag").fetchall()) if found else {}
        gone = 0
        for tag, start, end in found:
            for run in _runs(_around(db, tag, start, end)):
                gone += self._join(db, tag, types.get(tag, FLOAT64), run)
        return gone

    def _join(self, db: sqlite3.Connection, tag: int, type_: str, run: list[_Place]) -> int:
        ids = sorted(place.id for place in run)
        parts = []
        for number in tuple(ids):
            try:
                parts.append(self._read(db, number, tag))
            except StoreDamagedError:
                ids.remove(number)  # it stays as it is, for whoever wants to repair it
        if len(parts) < 2:
            return 0
        marks = ",".join("?" * len(ids))
        used = db.execute(f"SELECT DISTINCT times FROM chunk WHERE id IN ({marks})", ids).fetchall()  # noqa: S608 - only placeholders
        db.execute(f"DELETE FROM chunk WHERE id IN ({marks})", ids)  # noqa: S608 - only placeholders
        _insert(db, tag, type_, Columns.joined(parts))
        db.executemany(_UNUSED.format("id = ?"), used)
        return len(ids)

    def read(
        self, db: sqlite3.Connection, tag: int, start_ns: int, end_ns: int, limit: int
    ) -> tuple[list[Columns], bool]:
        """Samples in a range, in the order in which they came, and whether all were read: at least `limit` of the oldest are."""
        found: dict[int, Columns] = {}
        count, newest = 0, -(2**63)
        for row in db.execute(_PLACES, (tag, start_ns, end_ns)).fetchall():
            place = _Place(*row)
            if count >= limit and place.t0 > newest:
                return _ordered(found), False
            part = self._whole(db, place.id, tag).within(start_ns, end_ns)
            found[place.id] = part
            count += len(part.t)
            newest = max(newest, int(part.t[-1]) if len(part.t) else newest)
        return _ordered(found), True

    def before(self, db: sqlite3.Connection, tag: int, start_ns: int) -> list[Columns]:
        """Parts that end with the last sample before a time; in the order in which they came."""
        rows = db.execute(_PLACES, (tag, start_ns, start_ns)).fetchall()
        rows += db.execute(_NEWEST, (tag, start_ns)).fetchall()
        return _ordered(
            {
                row[0]: self._whole(db, row[0], tag).within(-(2**63), start_ns).cut(slice(-1, None))
                for row in rows
            }
        )

    def last(self, db: sqlite3.Connection) -> Rows:
        """The last sample of every tag that has chunks; dtype `SAMPLE`."""
        found = []
        for tag, t0, times, blob in db.execute(_LAST):
            try:
                if times is None:
                    found.append(codec.unpack_chunk(blob, tag)[-1].item())
                    continue
                head = _checked(chunks.summary(blob), tag)
                found.append((tag, head.last_status, head.end, head.last))
            except StoreDamagedError:
                found.append((tag, BAD_DATA_LOST, t0, 0))
        return np.array(found, SAMPLE)

    def _whole(self, db: sqlite3.Connection, number: int, tag: int) -> Columns:
        """A chunk; of a damaged one a mark that its samples are missing, so that a trend shows the gap."""
        try:
            return self._read(db, number, tag)
        except StoreDamagedError:
            (t0,) = db.execute("SELECT t0 FROM chunk WHERE id = ?", (number,)).fetchone()
            return Columns(np.array([t0]), np.zeros(1, np.uint64), np.array([BAD_DATA_LOST], np.uint32))

    def _read(self, db: sqlite3.Connection, number: int, tag: int) -> Columns:
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


def forget_times(db: sqlite3.Connection, before_ns: int) -> None:
    """Deletes blocks of time stamps older than a time that no chunk needs any more."""
    db.execute(_UNUSED.format("t1 < ?"), (before_ns,))


def _around(db: sqlite3.Connection, tag: int, start: int, end: int) -> list[_Place]:
    """The chunks that lie in a time, that overlap those, that overlap those, …."""
    while True:
        places = [_Place(*row) for row in db.execute(_PLACES, (tag, start, end + 1))]
        wider = min(place.t0 for place in places), max(place.t1 for place in places)
        if wider == (start, end):
            return places
        start, end = wider


def _insert(db: sqlite3.Connection, tag: int, type_: str, samples: Columns) -> None:
    pieces = -(-len(samples.t) // CHUNK_MAX)
    edges = [len(samples.t) * i // pieces for i in range(pieces + 1)]  # as long as each other: none is short
    for start, end in pairwise(edges):
        part = samples.cut(slice(start, end))
        number, checksum = _shared_times(db, part.t)
        blob = chunks.pack(tag, type_, part.t, part.bits, part.status, checksum)
        db.execute(
            "INSERT INTO chunk (tag, t0, t1, n, times, samples) VALUES (?, ?, ?, ?, ?, ?)",
            (tag, int(part.t[0]), int(part.t[-1]), len(part.t), number, blob),
        )


def _shared_times(db: sqlite3.Connection, t: npt.NDArray[np.int64]) -> tuple[int, int]:
    """Number and checksum of the block of these stamps; the tags of a scan group find the one of the first."""
    digest = hashlib.blake2b(t.tobytes(), digest_size=16).digest()
    row = db.execute("SELECT id, block FROM times WHERE digest = ?", (digest,)).fetchone()
    if row is not None:
        return row[0], chunks.checksum_of(row[1])
    block = chunks.pack_times(t)
    added = db.execute(
        "INSERT INTO times (digest, t1, block) VALUES (?, ?, ?)", (digest, int(t[-1]), block)
    ).lastrowid
    assert added is not None
    return added, chunks.checksum_of(block)


def newest(samples: Rows) -> Rows:
    """The last sample of each tag; of those of one time the one that came last."""
    tags, order = _sorted_by_tag(samples)
    t = np.ascontiguousarray(samples["t"])[order]
    if ((t[1:] < t[:-1]) & (tags[1:] == tags[:-1])).any():
        order = np.lexsort((samples["t"], samples["tag"]))
    ends = np.flatnonzero(np.concatenate([tags[1:] != tags[:-1], np.ones(min(1, len(tags)), bool)]))
    found: Rows = samples[order[ends]]
    return found


def _sorted_by_tag(samples: Rows) -> tuple[npt.NDArray[Any], npt.NDArray[np.intp]]:
    """Tags in order, and the order; samples of a tag as they came."""
    tags = np.ascontiguousarray(samples["tag"])
    if len(tags) and tags.max() < 1 << 16:
        tags = tags.astype(np.uint16)  # sorted by radix
    order = np.argsort(tags, kind="stable")
    return tags[order], order


def _by_tag(samples: Rows) -> Iterator[tuple[int, Columns]]:
    """The samples of each tag by time; those of one time as they came."""
    tags, order = _sorted_by_tag(samples)
    columns = Columns(*(np.ascontiguousarray(samples[name])[order] for name in Columns._fields))
    starts = [0, *(np.flatnonzero(tags[1:] != tags[:-1]) + 1).tolist()] if len(tags) else []
    for start, end in zip(starts, [*starts[1:], len(tags)], strict=True):
        yield int(tags[start]), Columns.joined([columns.cut(slice(start, end))])


def _runs(places: list[_Place]) -> Iterator[list[_Place]]:
    """Groups worth joining: short chunks that follow each other, and whatever overlaps them.

    A group holds every chunk that overlaps its time, so that the order against all others stays what it was.
    """
    groups: list[list[_Place]] = []
    end = -(2**63)
    open_ = False
    for place in places:
        overlaps = bool(groups) and place.t0 <= end
        if overlaps or (open_ and place.n < SHORT):
            groups[-1].append(place)
        else:
            groups.append([place])
        end = max(end, place.t1)
        open_ = place.n < SHORT
    for group in groups:
        short = [place for place in group if place.n < SHORT]
        if len(short) >= JOINED or (len(group) > 1 and sum(place.n for place in short) >= SHORT):
            yield group


def _ordered(parts: Mapping[int, Columns]) -> list[Columns]:
    return [parts[number] for number in sorted(parts)]
