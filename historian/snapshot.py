"""One moment of the history: `history.sqlite` first, then the files of the days that are asked for.

A fold commits the days before it takes rows out of the journal. So what this moment's journal lacks is in the days; and
what a day has had since is told by its mark, and left out of the journal's samples.
"""

from __future__ import annotations

import contextlib
import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from historian.days import DAY_NS, DayFile, Days, day_of
from historian.recent import Recent, Rows
from historian.settled import Columns
from historian.store import BAD_DATA_LOST

_AT_ONCE: Final = 16  # files of days in a transaction; the next tag often wants the same


class Snapshot:
    """What a reader sees. Made by the store, inside a transaction of `main`; used by one thread, then closed.

    Args:
        main: Of `history.sqlite`.
        key: Of the store.
        listed: Keys of the days' files, by day.
        days: Opens them.
        recent: Follows the journal of `main`.
    """

    def __init__(
        self, main: sqlite3.Connection, key: str, listed: dict[int, str], days: Days, recent: Recent
    ) -> None:
        self.main = main
        self._key, self._listed, self._days, self._recent = key, listed, days, recent
        self._order = sorted(listed)
        self._entered: dict[int, DayFile | None] = {}
        self._marked: set[int] = set()  # days whose mark was looked at: they stay as they were then
        self._extents: dict[int, tuple[int, int] | None] = {}
        self._recents: dict[int, Columns] = {}
        self._begun: set[int] = set()  # days that have what a fold has not taken out of the journal yet
        self.lost: set[int] = set()
        self._asked: tuple[int, tuple[Rows, npt.NDArray[np.int64]]] | None = None

    def close(self) -> None:
        """Ends the transactions."""
        for file in self._entered.values():
            if file is not None and file.db.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    file.db.execute("ROLLBACK")
        self._entered.clear()

    def leave(self, day: int) -> None:
        """Ends the transaction of a day, unless the journal was compared with it: a year has too many files to be open."""
        if day in self._marked or len(self._entered) <= _AT_ONCE or self._entered.get(day) is None:
            return
        file = self._entered.pop(day)
        if file is not None:
            file.db.execute("ROLLBACK")

    def days(self, start_ns: int, end_ns: int) -> list[int]:
        """The days that have a file and to do with start <= t < end, in order."""
        low, high = day_of(start_ns), day_of(end_ns - 1)
        return self._order[bisect_left(self._order, low) : bisect_right(self._order, high)]

    def key_of(self, day: int) -> str | None:
        """Of the file of a day; None when there is none."""
        return self._listed.get(day)

    def made_again(self, first: int, last: int) -> bool:
        """A file of these days was forgotten; the one that is there now has only what came late."""
        found = self.main.execute(
            "SELECT 1 FROM seal WHERE day BETWEEN ? AND ? AND gone_ns IS NOT NULL LIMIT 1", (first, last)
        )
        return found.fetchone() is not None

    def day(self, day: int) -> DayFile | None:
        """The file of a day, in a transaction until this is closed.

        Returns:
            None when there is none (any more), or it is damaged: then it is in `lost`.
        """
        if day not in self._entered:
            self._entered[day] = self._enter(day)
        return self._entered[day]

    def _enter(self, day: int) -> DayFile | None:
        if day not in self._listed:
            return None
        try:
            file = self._days.get(day, self._listed[day])
            if file is not None:
                file.db.execute("BEGIN")
                file.db.execute("SELECT 1 FROM meta LIMIT 1").fetchone()
        except sqlite3.Error as error:
            self._broken(day, error)
            return None
        return file

    def _broken(self, day: int, error: sqlite3.Error) -> None:
        """A damaged file costs its day; one that cannot be read now costs the answer."""
        if isinstance(error, sqlite3.OperationalError):
            raise error
        self.lost.add(day)
        self._days.drop(day)
        self._entered[day] = None

    def of_day(
        self, day: int, start_ns: int, end_ns: int, read: Callable[[DayFile], list[Columns]]
    ) -> list[Columns]:
        """What a day's file has; with a mark of lost data at the day's begin when it is damaged, or another was.

        Args:
            day: Number of the day.
            start_ns: The mark is left out when it lies before.
            end_ns: Or not before this.
            read: Asks the file.
        """
        file = self.day(day)
        parts: list[Columns] = []
        try:
            if file is not None:
                parts = read(file)
        except sqlite3.DatabaseError as error:
            self._broken(day, error)
            parts = []
        lost = day in self.lost or (file is not None and file.lost)
        if lost and start_ns <= day * DAY_NS < end_ns:
            parts = [_mark(day), *parts]
        return parts

    def _journal(self, tag: int) -> tuple[Rows, npt.NDArray[np.int64]]:
        """All of a tag in the journal, and the commits; kept, as it is asked for twice in a row."""
        if self._asked is None or self._asked[0] != tag:
            self._asked = tag, self._recent.of(tag)
        return self._asked[1]

    def extent(self, tag: int) -> tuple[int, int] | None:
        """First and last time of what may be in files of days, ns UTC; None for nothing.

        That includes the journal: a fold may have brought it there since this moment.
        """
        if tag not in self._extents:
            row = self.main.execute("SELECT first, t FROM newest WHERE tag = ?", (tag,)).fetchone()
            times = list(row or ())
            t = self._journal(tag)[0]["t"]
            if len(t):
                times += [int(t.min()), int(t.max())]
            self._extents[tag] = (min(times), max(times)) if times else None
        return self._extents[tag]

    def settled_days(self, tag: int, start_ns: int, end_ns: int) -> list[int]:
        """The days whose files may have samples of a tag with start <= t < end, in order; call `recent` first.

        The extent is noted when a fold is over, the mark of a day is set before: in between the mark alone tells.
        """
        extent = self.extent(tag)
        found = [] if extent is None else self.days(max(start_ns, extent[0]), min(end_ns, extent[1] + 1))
        begun = self._begun.intersection(self.days(start_ns, end_ns)) if self._begun else ()
        return sorted({*found, *begun}) if begun else found

    def recent(self, tag: int) -> Columns:
        """The journal's samples of a tag that no day has, in the order in which they came."""
        if tag not in self._recents:
            self._recents[tag] = self._not_in_days(tag)
        return self._recents[tag]

    def _not_in_days(self, tag: int) -> Columns:
        rows, seq = self._journal(tag)
        if not len(rows):
            return Columns.of(rows)
        days = rows["t"] // DAY_NS
        keep = np.ones(len(rows), np.bool_)
        # Samples come in about the order of time: far fewer changes of day than samples.
        for day in sorted(set(days[np.flatnonzero(np.diff(days, prepend=days[0] - 1))].tolist())):
            self._marked.add(day)
            file = self.day(day)
            rolled = file.rolled(self._key) if file is not None else 0
            if rolled >= seq[0]:
                self._begun.add(day)
                keep &= (days != day) | (seq > rolled)
        return Columns.of(rows if keep.all() else rows[keep])

    def read(self, tag: int, start_ns: int, end_ns: int, limit: int) -> tuple[Columns, bool]:
        """Samples of a tag with start <= t < end, by time, then as they came: at most `limit`, and whether there are more."""
        recent = self.recent(tag)
        recent = recent.cut((recent.t >= start_ns) & (recent.t < end_ns))
        parts: list[Columns] = []
        settled, seen_to, complete = 0, end_ns, True
        for day in self.settled_days(tag, start_ns, end_ns):
            wanted = limit + 1 - settled

            def read(file: DayFile, wanted: int = wanted) -> list[Columns]:
                nonlocal complete
                found, complete = file.chunks.read(file.db, tag, start_ns, end_ns, wanted)
                return found

            found = self.of_day(day, start_ns, end_ns, read)
            self.leave(day)
            parts += found
            settled += sum(len(part.t) for part in found)
            day_end = (day + 1) * DAY_NS
            if not complete or settled + np.count_nonzero(recent.t < day_end) > limit:
                seen_to, complete = min(end_ns, day_end), False
                break
        parts.append(recent if seen_to == end_ns else recent.cut(recent.t < seen_to))
        joined = Columns.joined(parts)
        more = len(joined.t) > limit or not complete
        return joined.cut(slice(limit)) if more else joined, more

    def before(self, tag: int, start_ns: int) -> Columns:
        """The last sample of a tag before a time, the one that came last; none or one."""
        recent = self.recent(tag)
        recent = recent.cut(recent.t < start_ns)
        newest = int(recent.t.max()) if len(recent.t) else -(2**63)
        parts: list[Columns] = []
        for day in reversed(self.settled_days(tag, -(2**63), start_ns)):
            if newest >= (day + 1) * DAY_NS:
                break
            parts = self.of_day(
                day, -(2**63), start_ns, lambda file: file.chunks.before(file.db, tag, start_ns)
            )
            self.leave(day)
            if parts:
                break
        return Columns.joined([Columns.joined([*parts, recent]).cut(slice(-1, None))])

    def after(self, tag: int, start_ns: int) -> Columns:
        """The first sample of a tag at or after a time, the one that came first; none or one."""
        recent = self.recent(tag)
        recent = recent.cut(recent.t >= start_ns)
        oldest = int(recent.t.min()) if len(recent.t) else 2**63 - 1
        parts: list[Columns] = []
        for day in self.settled_days(tag, start_ns, 2**63 - 1):
            if oldest < day * DAY_NS:
                break
            parts = self.of_day(
                day, start_ns, 2**63 - 1, lambda file: file.chunks.after(file.db, tag, start_ns)
            )
            self.leave(day)
            if parts:
                break
        return Columns.joined([*parts, recent]).cut(slice(1))

    def around(self, tag: int, start_ns: int, end_ns: int, limit: int) -> tuple[Columns, bool]:
        """`read` with the last sample before and the first one after."""
        found, more = self.read(tag, start_ns, end_ns, limit)
        if more:
            return found, True
        parts = [self.before(tag, start_ns), found, self.after(tag, end_ns)]
        return Columns.joined([part for part in parts if len(part.t)]), False


def _mark(day: int) -> Columns:
    return Columns(np.array([day * DAY_NS]), np.zeros(1, np.uint64), np.array([BAD_DATA_LOST], np.uint32))
