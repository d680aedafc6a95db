"""Joins the chunks of a day: a fold a minute makes many short ones, and late samples make some that overlap.

A chunk of minutes takes 5.5 bytes a sample, one of an hour 1.8. What lies in one hour becomes one chunk, or as few as it
needs; hours with few samples share one (`settled.cuts`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final

from historian import settled
from historian.settled import CHUNK_MAX, HOUR, SPARSE, Columns, Place, Settled
from historian.store import StoreDamagedError

SHORT: Final = 4096  # samples; longer ones are joined only with what overlaps them
JOINED: Final = 8  # so many chunks beside each other are joined before their hour is over

_MANY: Final = (
    "SELECT tag FROM chunk WHERE t1 >= ? AND n < 4096 GROUP BY tag HAVING count(*) > 1 ORDER BY tag"
)


def candidates(db: sqlite3.Connection, since_ns: int = -(2**63)) -> list[int]:
    """Tags with more than one short chunk since a time, ns UTC."""
    return [row[0] for row in db.execute(_MANY, (since_ns,))]


def compact(db: sqlite3.Connection, chunks: Settled, tags: Sequence[int], over_ns: int = -(2**63)) -> int:
    """Joins chunks of some tags.

    Args:
        db: A day's file, in a transaction.
        chunks: Of that file.
        tags: To look at.
        over_ns: What lies before is joined even when it is little: its hour is over.

    Returns:
        How many chunks went into others.
    """
    kinds = settled.kinds(db) if tags else {}
    gone = 0
    for tag in tags:
        for run in runs(settled.places(db, tag), over_ns):
            gone += _join(db, chunks, tag, kinds.get(tag, settled.UNKNOWN), run)
    return gone


def _join(db: sqlite3.Connection, chunks: Settled, tag: int, kind: settled.Kind, run: list[Place]) -> int:
    parts: dict[int, Columns] = {}
    for place in sorted(run, key=lambda place: place.id):
        try:
            parts[place.id] = chunks.columns(db, place.id, tag)
        except StoreDamagedError:
            continue  # it stays as it is, for whoever wants to repair it
    if len(parts) < len(run) and not _worth([place for place in run if place.id in parts], over=True):
        return 0
    settled.remove(db, list(parts))
    settled.insert(db, tag, kind.type, Columns.joined(parts.values()), kind.scan_ns)
    return len(parts)


def runs(places: Sequence[Place], over_ns: int) -> Iterator[list[Place]]:
    """Chunks worth joining.

    A run holds every chunk that overlaps its time, so that the order against all others stays what it was.

    Args:
        places: The chunks of a tag, by time and number.
        over_ns: See `compact`.
    """
    run: list[Place] = []
    for group in _overlapping(places):
        if run and not _belong(run, group):
            if _worth(run, over=_end(run) < over_ns):
                yield run
            run = []
        run += group
    if run and _worth(run, over=_end(run) < over_ns):
        yield run


def _overlapping(places: Sequence[Place]) -> Iterator[list[Place]]:
    """Chunks that overlap each other, directly or through others; also those that share an edge."""
    group: list[Place] = []
    end = -(2**63)
    for place in places:
        if group and place.t0 > end:
            yield group
            group = []
        group.append(place)
        end = max(end, place.t1)
    if group:
        yield group


def _belong(run: list[Place], group: list[Place]) -> bool:
    """Whether two neighbours would share a chunk."""
    if _count(run) + _count(group) < SPARSE:
        return True
    return _end(run) // HOUR == group[0].t0 // HOUR and not (_long(run) or _long(group))


def _long(group: list[Place]) -> bool:
    return len(group) == 1 and group[0].n >= SHORT


def _worth(run: list[Place], *, over: bool) -> bool:
    """Whether joining makes fewer chunks, or parts what overlaps or reaches over an hour; now, or when the hour is over."""
    if not run:
        return False
    count = _count(run)
    fewer = len(run) > -(-count // CHUNK_MAX)
    if len(run) >= JOINED or (len(run) > 1 and count >= SHORT):
        return fewer or _overlap(run)
    return over and (fewer or _overlap(run) or any(_reaches_over(place) for place in run))


def _overlap(run: list[Place]) -> bool:
    end = run[0].t0
    for place in run:
        if place.t0 < end:
            return True
        end = max(end, place.t1)
    return False


def _reaches_over(place: Place) -> bool:
    return place.n >= SPARSE and place.t0 // HOUR != place.t1 // HOUR


def _count(run: list[Place]) -> int:
    return sum(place.n for place in run)


def _end(run: list[Place]) -> int:
    return max(place.t1 for place in run)
