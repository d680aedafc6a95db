"""What is forgotten, and in which order.

By age: files of days, texts and events; summaries of minutes and hours by their own ages. By space, while the history
takes more than its share: the oldest day first, then the next, but never the newest; when there is none left, the oldest
texts and events. Edits and the audit trail are never forgotten.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from historian import rollups, schema
from historian.days import DAY_NS, FOLDER
from historian.fold.fold import writing
from tags.model import Retention

_ROWS: Final = 2000
_TABLES: Final = ("text", "event")
_OLDEST: Final = "SELECT max(t) FROM (SELECT t FROM {0} ORDER BY t LIMIT (SELECT count(*) / 20 + 1 FROM {0}))"


def due(listed: list[int], retention: Retention, now_ns: int) -> list[int]:
    """The days that are older than their samples are kept, the oldest first.

    Args:
        listed: Days that have files, in order.
        retention: Of the site.
        now_ns: UTC, ns.
    """
    if not retention.samples_ns:
        return []
    return [day for day in listed if (day + 1) * DAY_NS <= now_ns - retention.samples_ns]


def size_of(main: sqlite3.Connection, history: Path) -> int:
    """Bytes that the history takes: pages in use of `history.sqlite`, and all files of days and of summaries."""
    pages, free, size = (schema.number(main, name) for name in ("page_count", "freelist_count", "page_size"))
    return (pages - free) * size + folder_size(history / FOLDER) + rollups.size(history)


def folder_size(folder: Path) -> int:
    """Bytes of the files in a folder; 0 when it is not there."""
    found = 0
    try:
        for path in folder.iterdir():
            try:
                found += path.stat().st_size
            except FileNotFoundError:  # forgotten just now
                continue
    except FileNotFoundError:
        return 0
    return found


def allowed(retention: Retention, disk_total: int) -> int:
    """Bytes that the history may take: the lesser of its size and its share of the disk."""
    share = int(retention.share * disk_total)
    return min(retention.size, share) if retention.size else share


def forget_rows(main: sqlite3.Connection, table: str, before_ns: int) -> int:
    """Deletes some texts, events or annotations that are older than a time; returns how many: call it again while it is not 0.

    The one with the highest number stays: SQLite would give that number again, and a sink that is past it would not send
    what is new.
    """
    old = f"SELECT id FROM {table} WHERE t < ? AND id < (SELECT max(id) FROM {table}) LIMIT ?"  # noqa: S608 - our own names
    if not main.execute(old, (before_ns, 1)).fetchone():
        return 0
    with writing(main):
        return main.execute(f"DELETE FROM {table} WHERE id IN ({old})", (before_ns, _ROWS)).rowcount  # noqa: S608 - likewise


def forget_oldest_rows(main: sqlite3.Connection) -> int:
    """Deletes about a twentieth of the texts and events; space comes back in steps, not all at once."""
    gone = 0
    for table in _TABLES:
        newest = main.execute(_OLDEST.format(table)).fetchone()[0]
        if newest is not None:
            gone += forget_rows(main, table, newest + 1)
    return gone
