"""ReadModified (OPC 10000-11 §6.5.3.3): values that people replaced or deleted, with who did it and when."""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
from asyncua import ua

from scada.client import Client, Cursor, Edit
from scada.opcua.history import encode
from scada.opcua.history.continuation import Place
from scada.opcua.history.exact import ReadRawModifiedDetails, utc_ns
from scada.opcua.history.reads import Found, RefusedError
from tags.model import Tag
from tags.types import STRING

_REPLACED, _DELETED = 2, 4  # HistoryUpdateType


class Old(NamedTuple):
    """One value that was there once."""

    t: int
    made_ns: int
    bits: int
    status: int
    how: int
    user: str


def modified(
    client: Client, tag: Tag, details: ReadRawModifiedDetails, place: Place | None, most: int
) -> Found:
    """Of a time the values that are no longer shown; of one time the one that went last comes first.

    Args:
        client: Of the plant.
        tag: Whose.
        details: What the client wants.
        place: Where it goes on.
        most: Values in one answer.
    """
    start, end = (
        (place.start_ns, place.end_ns) if place else (utc_ns(details.StartTime), utc_ns(details.EndTime))
    )
    if start is None or end is None:
        raise RefusedError(ua.StatusCodes.BadHistoryOperationInvalid)
    if tag.type == STRING:
        raise RefusedError(ua.StatusCodes.BadHistoryOperationUnsupported)
    low, past = (start, max(end, start + 1)) if end >= start else (end + 1, start + 1)
    rows = [row for edit in client.history_edits(tag.path, low, past) for row in _old(edit, low, past)]
    rows.sort(key=lambda row: (row.t if end >= start else -row.t, -row.made_ns))
    done = place.cursor.seq if place and place.cursor else 0
    limit = min(details.NumValuesPerNode or most, most)
    part = rows[done : done + limit]
    after = Place(start, end, Cursor(0, done + limit)) if len(rows) > done + limit else None
    status = ua.StatusCodes.Good if rows else ua.StatusCodes.GoodNoData
    return Found(status, _body(tag, part), after, modified=True)


def _old(edit: Edit, low: int, past: int) -> list[Old]:
    """What an edit took away, in a range."""
    old, again = edit.old, set(edit.new.t.tolist())
    columns = (old.t.tolist(), old.bits.tolist(), old.status.tolist())
    return [
        Old(t, edit.who.utc_ns, bits, status, _REPLACED if t in again else _DELETED, edit.who.user)
        for t, bits, status in zip(*columns, strict=True)
        if low <= t < past
    ]


def _body(tag: Tag, rows: list[Old]) -> bytes:
    values = encode.numbers(
        tag.type,
        np.array([row.t for row in rows], np.int64),
        np.array([row.bits for row in rows], np.uint64),
        np.array([row.status for row in rows], np.uint32),
    )
    return values + struct.pack("<i", len(rows)) + b"".join(map(_info, rows))


def _info(row: Old) -> bytes:
    """A ModificationInfo."""
    user = row.user.encode()
    tick = int(encode.ticks(np.array([row.made_ns], np.int64))[0])
    return struct.pack("<qii", tick, row.how, len(user)) + user
