"""The files of days: `history/days/2026-11-22.sqlite` holds the chunks of all samples whose time lies in that UTC day.

A file has a key of its own, which `history.sqlite` lists: a file that was forgotten and made anew is another one. The
mark `rolled` says up to which commit of which history its samples are in it; what the journal has of the day up to there
must not be counted again.
"""

from __future__ import annotations

import contextlib
import re
import resource
import sqlite3
from collections import OrderedDict
from datetime import date
from pathlib import Path
from typing import Final

from historian import schema
from historian.settled import Settled
from scada.datadir import flush_folder, make_folder

FOLDER: Final = "days"
DAY_NS: Final = 86_400_000_000_000
ENDINGS: Final = ("", "-wal", "-shm")
_EPOCH: Final = date(1970, 1, 1).toordinal()
_NAME: Final = re.compile(r"(\d{4}-\d\d-\d\d)\.sqlite")
_OPEN_MAX: Final = 48  # each has three files open
_SPARE: Final = 512  # files that a process has open besides


def day_of(t_ns: int) -> int:
    """The UTC day of a time, counted from 1970-01-01."""
    return t_ns // DAY_NS


def name_of(day: int) -> str:
    """Of the file of a day."""
    return f"{date.fromordinal(_EPOCH + day).isoformat()}.sqlite"


def number_of(name: str) -> int | None:
    """The day of a file; None when it is not named like one."""
    found = _NAME.fullmatch(name)
    try:
        return date.fromisoformat(found[1]).toordinal() - _EPOCH if found else None
    except ValueError:
        return None


class DayFile:
    """One open file.

    Args:
        path: Of it.
        db: Connection to it.

    Attributes:
        key: Of this very file.
        lost: There was another one before it, which was damaged and put aside: samples are missing.
        chunks: Reads and writes its chunks.
    """

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path, self.db = path, db
        self.key = str(db.execute("SELECT value FROM meta WHERE key = 'key'").fetchone()[0])
        self.lost = bool(db.execute("SELECT 1 FROM meta WHERE key = 'lost'").fetchone())
        self.chunks = Settled()

    def rolled(self, store: str) -> int:
        """The last commit of a history whose samples of this day are in it.

        Args:
            store: Key of the history; commits of another one are none of its.
        """
        return self._mark("rolled", store)

    def roll(self, store: str, seq: int) -> None:
        """Sets that mark, in the transaction that adds the samples; what is added breaks the seal."""
        self._set_mark("rolled", store, seq)

    def moved(self, store: str) -> int:
        """The last chunk of a history of layout 2 whose samples of this day are in it."""
        return self._mark("moved", store)

    def move(self, store: str, number: int) -> None:
        """Sets that mark, likewise."""
        self._set_mark("moved", store, number)

    def _mark(self, name: str, store: str) -> int:
        row = self.db.execute("SELECT value FROM meta WHERE key = ?", (name,)).fetchone()
        owner, _, reached = str(row[0]).partition(" ") if row else ("", "", "0")
        return int(reached) if owner == store else 0

    def _set_mark(self, name: str, store: str, reached: int) -> None:
        self.db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, f"{store} {reached}"))
        self.db.execute("DELETE FROM meta WHERE key = 'seal'")

    @property
    def seal(self) -> bytes | None:
        """Digest of its contents since it was sealed; None while it is open."""
        row = self.db.execute("SELECT value FROM meta WHERE key = 'seal'").fetchone()
        return bytes(row[0]) if row else None


class Days:
    """Opens files of days and keeps the last few open. One thread at a time.

    Args:
        folder: The data directory's `history` folder.
        writes: May make and change them; only the historian does.
    """

    def __init__(self, folder: Path, *, writes: bool = False) -> None:
        self.folder = folder / FOLDER
        self._writes = writes
        self._open: OrderedDict[int, DayFile] = OrderedDict()

    def path(self, day: int) -> Path:
        """Of the file of a day."""
        return self.folder / name_of(day)

    def there(self) -> list[int]:
        """The days that have a file, in order."""
        try:
            names = [path.name for path in self.folder.iterdir()]
        except FileNotFoundError:
            return []
        return sorted(day for name in names for day in [number_of(name)] if day is not None)

    def get(self, day: int, key: str | None = None) -> DayFile | None:
        """The file of a day; None when there is none with that key.

        Args:
            day: Number of the day.
            key: That it must have; None for any.

        Raises:
            sqlite3.Error: It is damaged, or cannot be read.
        """
        file = self._open.get(day)
        if file is not None and key is not None and file.key != key:
            self.drop(day)
            file = None
        if file is None:
            path = self.path(day)
            if not path.exists():
                return None
            try:
                file = self._remember(day, DayFile(path, self._connect(path)))
            except sqlite3.OperationalError:
                if path.exists():
                    raise
                return None  # forgotten just now
        self._open.move_to_end(day)
        return file if key is None or file.key == key else None

    def make(self, day: int) -> DayFile:
        """The file of a day, made if there is none.

        Raises:
            sqlite3.Error: It is damaged.
            OSError: The disk does not let it.
        """
        file = self.get(day)
        if file is not None:
            return file
        make_folder(self.folder)
        path = self.path(day)
        path.touch(mode=0o600)
        file = DayFile(path, self._connect(path))
        flush_folder(self.folder)
        return self._remember(day, file)

    def put_aside(self, day: int) -> Path:
        """Renames the damaged file of a day, and makes another that says so.

        Returns:
            The new path of the damaged one.

        Raises:
            OSError: The disk does not let it.
        """
        self.drop(day)
        path = self.path(day)
        number = 1
        while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
            number += 1
        for ending in ENDINGS:
            part = path.with_name(path.name + ending)
            if part.exists():
                part.rename(aside.with_name(aside.name + ending))
        file = self.make(day)
        file.db.execute("INSERT OR REPLACE INTO meta VALUES ('lost', 1)")
        file.lost = True
        return aside

    def drop(self, day: int) -> None:
        """Closes the file of a day."""
        file = self._open.pop(day, None)
        if file is not None:
            with contextlib.suppress(sqlite3.Error):
                file.db.close()

    def keep_only(self, listed: dict[int, str]) -> None:
        """Closes what is not listed any more, by day and key: a deleted file takes space until then."""
        for day, file in list(self._open.items()):
            if listed.get(day) != file.key:
                self.drop(day)

    def close(self) -> None:
        """Closes all."""
        for day in list(self._open):
            self.drop(day)

    def trim(self, most: int = _OPEN_MAX) -> None:
        """Closes those that were not used for longest, but for those in a transaction."""
        for other in list(self._open):
            if len(self._open) <= most:
                break
            if not self._open[other].db.in_transaction:
                self.drop(other)

    def _remember(self, day: int, file: DayFile) -> DayFile:
        self.trim(_OPEN_MAX - 1)
        self._open[day] = file
        if len(self._open) > _OPEN_MAX:
            _more_files(3 * len(self._open))
        return file

    def _connect(self, path: Path) -> sqlite3.Connection:
        if self._writes:
            db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)
        else:
            uri = f"{path.absolute().as_uri()}?mode=ro"
            db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=2.0)
        db.text_factory = schema.text
        try:
            if self._writes:
                schema.prepare_day(db)
            else:
                schema.check_day(db)
        except sqlite3.Error:
            db.close()
            raise
        except UnicodeDecodeError as error:  # a damaged name in SQLite's message
            db.close()
            raise sqlite3.DatabaseError(f"damaged: {error}") from error
        return db


def _more_files(wanted: int) -> None:
    """Lets the process have more files open, where the system allows: the journal may have samples of hundreds of days."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    least = wanted + _SPARE
    if soft != resource.RLIM_INFINITY and soft < least:
        new = 2 * least if hard == resource.RLIM_INFINITY else min(2 * least, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(new, soft), hard))


def unlink(path: Path) -> int:
    """Deletes a file of SQLite and what belongs to it; returns how many bytes that frees.

    Raises:
        OSError: The disk does not let it.
    """
    freed = 0
    for ending in ENDINGS:
        part = path.with_name(path.name + ending)
        with contextlib.suppress(FileNotFoundError):
            freed += part.stat().st_size
            part.unlink()
    flush_folder(path.parent)
    return freed
