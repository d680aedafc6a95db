"""Joins the chunks of a day: a fold a minute makes many short ones, and late samples make some that overlap.

A fold packs in haste. When an hour is over, what lies in it becomes one chunk, or as few as it needs, packed well and with
a summary; hours with few samples share one (`settled.cuts`). Before that, many short chunks are joined, again in haste.
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

_MANY: Final = "SELECT tag FROM chunk WHERE n < 4096 GROUP BY tag HAVING count(*) > 1"
_HASTY: Final = "SELECT DISTINCT tag FROM chunk WHERE summary IS NULL"


def candidates(db: sqlite3.Connection) -> list[int]:
    """Tags with more than one short chunk, or with chunks that were packed in haste; in order."""
    return [row[0] for row in db.execute(f"{_MANY} UNION {_HASTY} ORDER BY tag")]


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
            hasty = _end(run) >= over_ns
            gone += _join(db, chunks, tag, kinds.get(tag, settled.UNKNOWN), run, hasty=hasty)
    return gone


def _join(
    db: sqlite3.Connection,
    chunks: Settled,
    tag: int,
    kind: settled.Kind,
    run: list[Place],
    *,
    hasty: bool,
) -> int:
    parts: dict[int, Columns] = {}
    for place in sorted(run, key=lambda place: place.id):
        try:
            parts[place.id] = chunks.columns(db, place.id, tag)
        except StoreDamagedError:
            continue  # it stays as it is, for whoever wants to repair it
    if len(parts) < len(run) and not _worth([place for place in run if place.id in parts], over=True):
        return 0
    settled.remove(db, list(parts))
    settled.insert(db, tag, kind, Columns.joined(parts.values()), hasty=hasty)
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
        if run and not _belong(run, group, over_ns):
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


def _belong(run: list[Place], group: list[Place], over_ns: int) -> bool:
    """Whether two neighbours would share a chunk."""
    if (_end(run) < over_ns) != (_end(group) < over_ns):
        return False
    if _count(run) + _count(group) < SPARSE:
        return True
    if _end(run) // HOUR != group[0].t0 // HOUR:
        return False
    return not (_stays(run, over_ns) or _stays(group, over_ns))


def _stays(group: list[Place], over_ns: int) -> bool:
    """It is a chunk that is long enough, and packed well or not yet to be."""
    return len(group) == 1 and group[0].n >= SHORT and not (group[0].hasty and group[0].t1 < over_ns)


def _worth(run: list[Place], *, over: bool) -> bool:
    """Whether joining makes fewer chunks, or parts what overlaps or reaches over an hour; now, or when the hour is over."""
    if not run:
        return False
    count = _count(run)
    fewer = len(run) > -(-count // CHUNK_MAX)
    if not over:
        return (len(run) >= JOINED or (len(run) > 1 and count >= SHORT)) and (fewer or _overlap(run))
    return fewer or _overlap(run) or any(place.hasty or _reaches_over(place) for place in run)


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
