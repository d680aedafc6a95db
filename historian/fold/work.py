"""Everything that is done in the background, step by step, on connections of its own."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any, Final

from historian import schema
from historian.days import DayFile, Days, unlink
from historian.fold import fold as folding
from historian.fold import upgrade as upgrading
from historian.fold.compact import candidates, compact
from historian.fold.fold import Folded, Leaving, writing

TAGS_AT_ONCE: Final = 64
_EVERYTHING: Final = 2**63 - 1


class Work:
    """One at a time, by one thread.

    Args:
        folder: The data directory's `history` folder; its `history.sqlite` is there.
        main: Path of that.

    Attributes:
        days: The files of days.
        damaged: Rows of the journal that could not be read since this was made.
    """

    def __init__(self, folder: Path, main: Path) -> None:
        self.days = Days(folder, writes=True)
        self.damaged = 0
        self._touched: dict[int, int] = {}  # days that were folded into, and the tag to go on behind
        self._main = sqlite3.connect(main, isolation_level=None, check_same_thread=False, timeout=10.0)
        try:
            schema.tune(self._main)
            self._main.execute("PRAGMA cache_size = -4000")
            self._key = self.meta("store") or ""
            self._upgrading = upgrading.pending(self._main)
        except sqlite3.Error:
            self._main.close()
            raise

    def close(self) -> None:
        """Lets go of the files."""
        self.days.close()
        with contextlib.suppress(sqlite3.Error):
            self._main.close()

    def meta(self, name: str) -> Any:
        """A value of the table `meta`."""
        row = self._main.execute("SELECT value FROM meta WHERE key = ?", (name,)).fetchone()
        return row[0] if row else None

    def waiting(self) -> tuple[int, int]:
        """Rows of the journal, and samples in them."""
        row: tuple[int, int] = self._main.execute(
            "SELECT count(*), coalesce(sum(n), 0) FROM journal"
        ).fetchone()
        return row

    def upgrade(self) -> int:
        """Brings over some chunks of a history of an earlier version; returns how many, 0 when there are none left."""
        if not self._upgrading:
            return 0
        moved = upgrading.step(self._main, self._key, self.open_day)
        self._upgrading = moved > 0
        return moved

    def fold(self, leaving: Leaving | None = None) -> Folded:
        """The oldest rows of the journal go into the files of their days."""
        found = folding.fold(self._main, self._key, self.open_day, leaving)
        self.damaged += found.damaged
        for day in found.days:
            self._touched[day] = 0
        return found

    def open_day(self, day: int) -> DayFile:
        """The file of a day, made if there is none."""
        return self.days.make(day)

    def join_short(self, tags: int = TAGS_AT_ONCE) -> int:
        """Joins short chunks of days that were folded into; returns how many chunks went into others."""
        gone = 0
        for day, behind in sorted(self._touched.items()):
            file = self.days.get(day)
            found = [tag for tag in candidates(file.db) if tag > behind][:tags] if file else []
            if found and file is not None:
                with writing(file.db):
                    gone += compact(file.db, file.chunks, found)
            if len(found) < tags:
                del self._touched[day]
            else:
                self._touched[day] = found[-1]
            tags -= len(found)
            if tags <= 0:
                break
        return gone

    def settle(self, day: int) -> int:
        """Joins all that there is to join in a day, whether its hours are over or not; returns how many chunks went."""
        file = self.days.get(day)
        gone = 0
        found = candidates(file.db) if file else []
        for at in range(0, len(found), TAGS_AT_ONCE):
            if file is not None:
                with writing(file.db):
                    gone += compact(file.db, file.chunks, found[at : at + TAGS_AT_ONCE], _EVERYTHING)
        return gone

    def forget(self, day: int) -> int:
        """Deletes the file of a day; returns how many bytes that frees."""
        with writing(self._main):
            self._main.execute("DELETE FROM day WHERE day = ?", (day,))
        self.days.drop(day)
        return unlink(self.days.path(day))

    def listed(self) -> list[int]:
        """The days that have files, in order."""
        return [row[0] for row in self._main.execute("SELECT day FROM day ORDER BY day")]
