"""Joins the chunks of a day: a fold a minute makes many short ones, and late samples make some that overlap.

A fold packs in haste. When an hour is over, what lies in it becomes one chunk, or as few as it needs, packed well and with
a summary; hours with few samples share one (`settled.cuts`). Before that, many short chunks are joined, again in haste.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from historian import settled
from historian.settled import CHUNK_MAX, HOUR, SPARSE, UNKNOWN, Columns, Kind, Place, Settled
from historian.store import StoreDamagedError

SHORT: Final = 4096  # samples; longer ones are joined only with what overlaps them
JOINED: Final = 16  # so many chunks beside each other are joined before their hour is over
ALWAYS: Final = -(2**63)
NEVER: Final = 2**63 - 1

_MANY: Final = "SELECT tag FROM chunk WHERE n < 4096 GROUP BY tag HAVING count(*) > 1"
_HASTY: Final = "SELECT tag FROM chunk WHERE summary IS NULL AND t1 >= ? GROUP BY tag HAVING count(*) >= ?"
_OLDEST: Final = "SELECT min(t0) FROM chunk WHERE tag = ? AND summary IS NULL AND t1 >= ?"


def candidates(db: sqlite3.Connection) -> list[int]:
    """Tags with more than one short chunk, or with chunks that were packed in haste; in order."""
    return [row[0] for row in db.execute(f"{_MANY} UNION {_HASTY} ORDER BY tag", (ALWAYS, 1))]


def hasty(db: sqlite3.Connection, since_ns: int = ALWAYS, least: int = 1) -> list[int]:
    """Tags with at least so many chunks that were packed in haste, and end at a time, UTC, ns, or later; in order."""
    return [row[0] for row in db.execute(f"{_HASTY} ORDER BY tag", (since_ns, least))]


def compact(
    db: sqlite3.Connection,
    chunks: Settled,
    tags: Sequence[int],
    kinds: Mapping[int, Kind],
    over_ns: int = ALWAYS,
    since_ns: int | None = None,
) -> int:
    """Joins chunks of some tags.

    Args:
        db: A day's file, in a transaction.
        chunks: Of that file.
        tags: To look at.
        kinds: Of all tags of the file.
        over_ns: What lies before is joined even when it is little: its hour is over.
        since_ns: Looks only at chunks that were packed in haste and end then or later, and at what they touch.

    Returns:
        How many chunks went into others.
    """
    gone = 0
    seen: settled.Seen = {}
    for tag in tags:
        places = settled.places(db, tag) if since_ns is None else _around(db, tag, since_ns)
        for run in runs(places, over_ns):
            parts = _read(db, chunks, tag, run)
            if not parts:
                continue
            settled.remove(db, list(parts))
            kind, samples = kinds.get(tag, UNKNOWN), Columns.joined(parts.values())
            settled.insert(db, tag, kind, samples, hasty=run.end >= over_ns, seen=seen)
            gone += len(parts)
    return gone


def _around(db: sqlite3.Connection, tag: int, since_ns: int) -> list[Place]:
    """The chunks since the first hasty one, what overlaps them, what overlaps that, …."""
    start = db.execute(_OLDEST, (tag, since_ns)).fetchone()[0]
    if start is None:
        return []
    while True:
        found = settled.places(db, tag, start)
        first = min((place.t0 for place in found), default=start)
        if first >= start:
            return found
        start = first


class Run:
    """Chunks in order of time that may go into one.

    Args:
        places: At least one.

    Attributes:
        places: They.
        count: Samples in them.
        end: Time of the last sample, ns.
        overlap: Some reach into others.
        hasty: Some were packed in haste.
    """

    __slots__ = ("count", "end", "hasty", "overlap", "places")

    def __init__(self, *places: Place) -> None:
        self.places: list[Place] = []
        self.count, self.end, self.overlap, self.hasty = 0, ALWAYS, False, False
        for place in places:
            self.add(place)

    def add(self, place: Place) -> None:
        """Puts one more behind."""
        self.overlap |= place.t0 < self.end
        self.places.append(place)
        self.count += place.n
        self.end = max(self.end, place.t1)
        self.hasty |= place.hasty

    def take(self, other: Run) -> None:
        """Puts all of another behind; it begins later."""
        self.places += other.places
        self.count += other.count
        self.end = max(self.end, other.end)
        self.overlap |= other.overlap
        self.hasty |= other.hasty

    def stays(self, over_ns: int) -> bool:
        """It is one chunk that is long enough, and packed well or not yet to be."""
        return len(self.places) == 1 and self.count >= SHORT and not (self.hasty and self.end < over_ns)

    def belongs(self, group: Run, over_ns: int) -> bool:
        """A group behind it would share a chunk with it."""
        if (self.end < over_ns) != (group.end < over_ns):
            return False
        if self.count + group.count < SPARSE:
            return True
        if self.end // HOUR != group.places[0].t0 // HOUR:
            return False
        return not (self.stays(over_ns) or group.stays(over_ns))

    def worth(self, *, over: bool) -> bool:
        """Joining makes fewer chunks, or better ones."""
        fewer = len(self.places) > -(-self.count // CHUNK_MAX)
        if not over:
            many = len(self.places) >= JOINED or (len(self.places) > 1 and self.count >= SHORT)
            return many and (fewer or self.overlap)
        return fewer or self.overlap or self.hasty or any(_reaches_over(place) for place in self.places)


def runs(places: Sequence[Place], over_ns: int) -> Iterator[Run]:
    """Chunks worth joining.

    A run holds every chunk that overlaps its time, so that the order against all others stays what it was.

    Args:
        places: The chunks of a tag, by time and number.
        over_ns: See `compact`.
    """
    run: Run | None = None
    for group in _overlapping(places):
        if run is not None and run.belongs(group, over_ns):
            run.take(group)
            continue
        if run is not None and run.worth(over=run.end < over_ns):
            yield run
        run = group
    if run is not None and run.worth(over=run.end < over_ns):
        yield run


def _overlapping(places: Sequence[Place]) -> Iterator[Run]:
    """Chunks that overlap each other, directly or through others; also those that share an edge."""
    group: Run | None = None
    for place in places:
        if group is not None and place.t0 <= group.end:
            group.add(place)
            continue
        if group is not None:
            yield group
        group = Run(place)
    if group is not None:
        yield group


def _read(db: sqlite3.Connection, chunks: Settled, tag: int, run: Run) -> dict[int, Columns]:
    """The samples of a run by chunk, in the order in which they came; none when it is not worth it without damaged ones."""
    parts: dict[int, Columns] = {}
    for place in sorted(run.places, key=lambda place: place.id):
        try:
            parts[place.id] = chunks.columns(db, place.id, tag)
        except StoreDamagedError:
            continue  # it stays as it is, for whoever wants to repair it
    if len(parts) == len(run.places):
        return parts
    rest = Run(*(place for place in run.places if place.id in parts))
    return parts if rest.places and rest.worth(over=True) else {}


def _reaches_over(place: Place) -> bool:
    return place.n >= SPARSE and place.t0 // HOUR != place.t1 // HOUR
