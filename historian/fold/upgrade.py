"""A history of an earlier version had all chunks in `history.sqlite`: they go into the files of their days, oldest number first.

Until all are there, nothing is folded, so that of samples with the same time the older ones stay first; readers find what
was brought over so far. Like a fold, every day keeps a mark (`moved`), so that a crash doubles nothing.
"""

from __future__ import annotations

import sqlite3
from typing import Final, NamedTuple

import numpy as np

from historian import settled
from historian.days import DAY_NS, DayFile
from historian.fold.fold import LIST, OpenDay, damage_of, know, writing
from historian.settled import UNKNOWN, Columns, Settled, kinds
from historian.store import StoreDamagedError

AT_ONCE: Final = 1000  # chunks


class _Piece(NamedTuple):
    number: int
    tag: int
    columns: Columns


def pending(main: sqlite3.Connection) -> bool:
    """There are chunks in `history.sqlite`."""
    return bool(main.execute("SELECT 1 FROM sqlite_schema WHERE name = 'chunk'").fetchone())


def step(main: sqlite3.Connection, key: str, open_day: OpenDay, most: int = AT_ONCE) -> int:
    """Brings some chunks over.

    Args:
        main: To `history.sqlite`; not in a transaction.
        key: Of the store.
        open_day: Gives the file of a day, makes it if there is none.
        most: So many chunks at once.

    Returns:
        How many; 0 when there are none left.

    Raises:
        DayDamagedError: The file of a day is damaged.
        sqlite3.Error: The disk does not let it; what was not done is done the next time.
    """
    rows = main.execute("SELECT id, tag FROM chunk ORDER BY id LIMIT ?", (most,)).fetchall()
    if not rows:
        main.executescript("BEGIN IMMEDIATE; DROP TABLE chunk; DROP TABLE times; COMMIT;")
        return 0
    old = Settled()
    days: dict[int, list[_Piece]] = {}
    damaged = []
    for number, tag in rows:
        try:
            columns = old.columns(main, number, tag)
        except StoreDamagedError:
            damaged.append((number,))
            continue
        for day in np.unique(columns.t // DAY_NS).tolist():
            part = columns.within(day * DAY_NS, (day + 1) * DAY_NS)
            days.setdefault(day, []).append(_Piece(number, tag, part))
    last = rows[-1][0]
    listed = []
    for day, pieces in sorted(days.items()):
        with damage_of(day):
            file = open_day(day)
            _bring(main, file, key, pieces, last)
        listed.append((day, file.key))
    with writing(main):
        main.executemany("INSERT INTO damaged (samples) SELECT samples FROM chunk WHERE id = ?", damaged)
        main.executemany(LIST, listed)
        main.execute("DELETE FROM chunk WHERE id <= ?", (last,))
    return len(rows)


def _bring(main: sqlite3.Connection, file: DayFile, key: str, pieces: list[_Piece], last: int) -> None:
    with writing(file.db):
        moved = file.moved(key)
        rows = main.execute("SELECT id, path, type, scan FROM tag").fetchall()
        know(file, {piece.tag for piece in pieces}, rows)
        known = kinds(file.db)
        for piece in pieces:
            if piece.number > moved:
                settled.insert(file.db, piece.tag, known.get(piece.tag, UNKNOWN), piece.columns)
        file.move(key, last)
