"""At the start: what is in the folder of days and what `history.sqlite` lists are made to agree.

They differ after a crash between the two, after a restore, when somebody put a file there or took one away, and when a
damaged `history.sqlite` was put aside: the days stay.
"""

from __future__ import annotations

import sqlite3

from historian.days import DayFile, Days
from historian.fold.fold import LIST, NEWEST, writing


def adopt(main: sqlite3.Connection, key: str, days: Days) -> list[int]:
    """Lists the files that are there.

    Also sees to it that the number of a commit that a day already has is never given again, as it would be when an older
    copy of `history.sqlite` was put back.

    Args:
        main: To `history.sqlite`; not in a transaction.
        key: Of the store.
        days: Opens the files.

    Returns:
        The days of damaged files: they stay as they are.

    Raises:
        sqlite3.OperationalError: The disk does not let it.
    """
    listed: dict[int, str] = dict(main.execute("SELECT day, key FROM day").fetchall())
    there = days.there()
    damaged, last = [], 0
    for day in there:
        try:
            file = days.get(day)
            if file is None:
                continue
            last = max(last, file.rolled(key))
            if listed.get(day) != file.key:
                _take_in(main, day, file)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            damaged.append(day)
    with writing(main):
        missing = sorted(set(listed) - set(there))
        main.executemany("DELETE FROM day WHERE day = ?", [(day,) for day in missing])
        row = main.execute("SELECT seq FROM sqlite_sequence WHERE name = 'journal'").fetchone()
        if row is None:
            main.execute("INSERT INTO sqlite_sequence VALUES ('journal', ?)", (last,))
        elif row[0] < last:
            main.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'journal'", (last,))
    return damaged


def _take_in(main: sqlite3.Connection, day: int, file: DayFile) -> None:
    first = dict(file.db.execute("SELECT tag, min(t0) FROM chunk GROUP BY tag").fetchall())
    tags = file.db.execute("SELECT id, path, type, scan FROM tag WHERE path != ''").fetchall()
    newest = [
        (tag, first[tag], t, status, bits - (bits >> 63 << 64))
        for tag, status, t, bits in file.chunks.last(file.db).tolist()
    ]
    with writing(main):
        main.execute(LIST, (day, file.key))
        main.executemany("INSERT OR IGNORE INTO tag (id, path, type, scan) VALUES (?, ?, ?, ?)", tags)
        main.executemany(NEWEST, newest)
