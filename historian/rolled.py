"""Reads the summaries of minutes and hours beside the samples and after they are gone (`historian.rollups`)."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import OrderedDict
from pathlib import Path
from typing import Final, NamedTuple

from historian.chunks import Summaries
from historian.chunks.table import unpack_table
from historian.rollups import files, path_of
from historian.store import StoreDamagedError

_OPEN_MAX: Final = 24
_KNOWN_MAX: Final = 64  # days of a tag in memory, 0.3 MB each at most


class Rolled(NamedTuple):
    """Where a day's summaries of a tag stand.

    Attributes:
        path: Of the month's file.
        row: In it.
        key: Of the day's file that they were made of.
        seal: Digest of that file.
    """

    path: Path
    row: int
    key: str
    seal: bytes


class Rollups:
    """Reads summaries; keeps the last few files open. One thread at a time.

    Args:
        history: The data directory's `history` folder.
    """

    def __init__(self, history: Path) -> None:
        self._history = history
        self._open: OrderedDict[Path, tuple[sqlite3.Connection, int]] = OrderedDict()
        self._known: OrderedDict[Rolled, Summaries] = OrderedDict()

    def find(self, tag: int, first: int, last: int, width: str) -> dict[int, Rolled]:
        """What there is of a tag, by day.

        Args:
            tag: Its id.
            first: Day, counted from 1970-01-01.
            last: Day, included.
            width: `minutes` or `hours`.
        """
        found: dict[int, Rolled] = {}
        for path in files(self._history):
            if not path.name.endswith(f"{width}.sqlite"):
                continue
            if (
                not path_of(self._history, first, width).name
                <= path.name
                <= path_of(self._history, last, width).name
            ):
                continue
            db = self._get(path)
            if db is not None:
                rows = db.execute(
                    "SELECT rollup.day, rollup.rowid, made.key, made.seal FROM rollup JOIN made ON made.day = rollup.day "
                    "WHERE tag = ? AND rollup.day BETWEEN ? AND ?",
                    (tag, first, last),
                )
                found |= {row[0]: Rolled(path, *row[1:]) for row in rows}
        return found

    def read(self, place: Rolled) -> Summaries | None:
        """Summaries of a tag's day; None when they are damaged or were replaced just now."""
        known = self._known.get(place)
        if known is not None:
            self._known.move_to_end(place)
            return known
        db = self._get(place.path)
        row = (
            db.execute(
                "SELECT block FROM rollup JOIN made ON made.day = rollup.day WHERE rollup.rowid = ? AND seal = ?",
                (place.row, place.seal),
            ).fetchone()
            if db is not None
            else None
        )
        if row is None:
            return None
        try:
            found = unpack_table(row[0])
        except StoreDamagedError:
            return None
        found.flags.writeable = False
        self._known[place] = found
        if len(self._known) > _KNOWN_MAX:
            self._known.popitem(last=False)
        return found

    def _get(self, path: Path) -> sqlite3.Connection | None:
        try:
            inode = path.stat().st_ino
        except FileNotFoundError:
            return None
        known = self._open.get(path)
        if known is not None and known[1] == inode:
            self._open.move_to_end(path)
            return known[0]
        if known is not None:
            known[0].close()
        uri = f"{path.absolute().as_uri()}?mode=ro"
        db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=2.0)
        self._open[path] = db, inode
        if len(self._open) > _OPEN_MAX:
            self._open.popitem(last=False)[1][0].close()
        return db

    def close(self) -> None:
        """Closes all."""
        for db, _ in self._open.values():
            with contextlib.suppress(sqlite3.Error):
                db.close()
        self._open.clear()
        self._known.clear()
