"""The check of a whole history, file by file."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson

from historian import audit, codec, rollups, seal
from historian.chunks.table import unpack_table
from historian.connect import FILE
from historian.days import DAY_NS, FOLDER, name_of, number_of
from historian.sinks.spool import FILE as SPOOL
from historian.store import StoreDamagedError, StoreError
from historian.transfer.check.found import Damage, Report
from historian.transfer.check.main import check_main, tags_of
from historian.transfer.check.reading import has, opened, rows
from historian.transfer.check.samples import check_samples

Progress = Callable[[str, float, int], None]

# A day that is not marked as sealed may have its seal already: the list is written after the file.
_LISTED: Final = (
    "SELECT digest FROM seal JOIN day USING (day, key) WHERE day = ? AND sealed ORDER BY id DESC LIMIT 1"
)


def check(folder: Path, progress: Progress = lambda _file, _share, _blocks: None) -> Report:
    """Unpacks everything that a history holds.

    Args:
        folder: The data directory's `history` folder, or that of a backup.
        progress: Told the file, the share that is done and the blocks.

    Raises:
        StoreError: There is no history.
    """
    if not (folder / FILE).exists():
        raise StoreError(f"{folder / FILE}: there is no history there")
    report = Report()
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.sqlite"))]
    names = [FILE, *(name for name in names if name != FILE)]
    sizes = {name: (folder / name).stat().st_size for name in names}
    total, done = sum(sizes.values()) or 1, 0
    whole = _Whole(folder, report)
    for name in names:
        progress(name, done / total, report.blocks)
        if (folder / name).exists():  # else retention has deleted it
            whole.look(name)
        done += sizes[name]
    whole.compare()
    for path in sorted(folder.rglob("*.sqlite.damaged-*")):
        if not path.name.endswith(("-wal", "-shm", "-journal")):
            report.notes.append(f"{path.relative_to(folder)}: damaged, was moved aside earlier")
    progress("", 1.0, report.blocks)
    return report


class _Whole:
    """What is known of the history while its files are looked at."""

    def __init__(self, folder: Path, report: Report) -> None:
        self._folder, self._report = folder, report
        self._paths: dict[int, str] = {}
        self._store = ""
        self._listed: dict[int, str] | None = None
        self._days: dict[int, tuple[str, str]] = {}  # key and mark of the files that are there
        self._told: list[dict[str, Any]] = []

    def look(self, name: str) -> None:
        """Into one file."""
        path = self._folder / name
        if name == audit.FILE:
            self._audit()
            return
        with opened(path, name, self._report) as db:
            if db is None:
                return
            try:
                if name == FILE:
                    self._main(db, name)
                elif name.startswith(f"{FOLDER}/"):
                    self._day(db, name)
                elif name.startswith(f"{rollups.FOLDER}/"):
                    self._rollups(db, name)
                elif name == SPOOL:
                    self._spool(db, name)
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                self._report.add(Damage(name, "structure", str(error)))

    def _main(self, db: sqlite3.Connection, name: str) -> None:
        self._store = _meta(db, "store")
        tags = tags_of(db, name, self._report)
        self._paths = {number: entry.path for number, entry in tags.items()}
        if has(db, "day"):
            self._listed = dict(db.execute("SELECT day, key FROM day").fetchall())
        check_main(db, name, tags, self._report)
        check_samples(db, name, self._paths, self._report)
        self._told = _told(db)

    def _day(self, db: sqlite3.Connection, name: str) -> None:
        day = number_of(Path(name).name)
        if day is None:
            self._report.notes.append(f"{name}: is not named like a day")
            return
        own: dict[int, str] = dict(db.execute("SELECT id, path FROM tag").fetchall())
        self._days[day] = _meta(db, "key"), _meta(db, "rolled")
        check_samples(db, name, own | self._paths, self._report, day * DAY_NS, (day + 1) * DAY_NS)
        self._seal(db, name, day)

    def _seal(self, db: sqlite3.Connection, name: str, day: int) -> None:
        """A sealed day against its digest, in the file and in the list of all."""
        row = db.execute("SELECT value FROM meta WHERE key = 'seal'").fetchone()
        if row is None:
            return
        sealed = bytes(row[0])
        if seal.digest(db) != sealed:
            self._report.add(Damage(name, "seal", "what is in it is not what was sealed"))
        listed = self._ask(_LISTED, day)
        # Late samples break a seal and a new one is made, also while we look: only what stays so is damage.
        if listed is not None and bytes(listed[0]) != sealed and _seal_now(self._folder / name) == sealed:
            self._report.add(Damage(name, "seal", "it was sealed with another digest than the history lists"))

    def _rollups(self, db: sqlite3.Connection, name: str) -> None:
        wanted = ("tag", "day", "n", "block")
        for row, tag, day, n, block in rows(db, name, "rollup", "rowid", wanted, self._report):
            self._report.blocks += 1
            wrong = ""
            try:
                records = unpack_table(block)
                if (
                    len(records) != n
                    or (records["tag"] != tag).any()
                    or (records["t0"] // DAY_NS != day).any()
                ):
                    wrong = "it has the summaries of another tag or day"
            except StoreDamagedError as error:
                wrong = str(error)
            if wrong:
                path = self._paths.get(tag, f"tag {tag}")
                start, end = day * DAY_NS, (day + 1) * DAY_NS
                self._report.add(Damage(name, f"rollup {row}", wrong, path, start, end))

    def _spool(self, db: sqlite3.Connection, name: str) -> None:
        for row, seq, blob in rows(db, name, "spool", "rowid", ("seq", "samples"), self._report):
            self._report.blocks += 1
            try:
                self._report.samples += len(codec.unpack_batch(blob))
            except StoreDamagedError as error:
                self._report.add(Damage(name, f"spool {row}", f"commit {seq}: {error}"))

    def _audit(self) -> None:
        self._report.files += 1
        try:
            verdict = audit.verify(self._folder, told=self._told)
        except StoreError as error:
            self._report.add(Damage(audit.FILE, "structure", str(error)))
            return
        self._report.blocks += verdict.entries
        if verdict.others:
            self._report.notes.append(
                f"{audit.FILE}: the history speaks of {verdict.others} other audit trails, too"
            )
        if verdict.problem:
            self._report.add(Damage(audit.FILE, f"entry {verdict.entries + 1}", verdict.problem))

    def compare(self) -> None:
        """The files with each other."""
        last = self._last()
        for day, (key, mark) in sorted(self._days.items()):
            name = f"{FOLDER}/{name_of(day)}"
            owner, _, seq = mark.partition(" ")
            if last is not None and owner == self._store and seq.isdecimal() and int(seq) > last:
                self._report.add(
                    Damage(name, "mark", f"it was folded up to commit {seq}, but the last commit is {last}")
                )
            if self._listed is not None and self._listed.get(day, key) != key:
                self._report.add(
                    Damage(name, "key", "it is another file than the history lists for that day")
                )
            elif self._listed is not None and day not in self._listed:
                self._report.notes.append(f"{name}: is not listed; the historian takes it in when it starts")
        for day in sorted((self._listed or {}).keys() - self._days.keys()):
            name = f"{FOLDER}/{name_of(day)}"
            if not (self._folder / name).exists() and self._still_listed(day):
                self._report.add(
                    Damage(name, "", "the file is missing", "", day * DAY_NS, (day + 1) * DAY_NS)
                )

    def _last(self) -> int | None:
        """Number of the last commit, now: days go on being folded while they are looked at."""
        row = self._ask("SELECT seq FROM sqlite_sequence WHERE name = 'journal'")
        return None if row is None else int(row[0])

    def _still_listed(self, day: int) -> bool:
        return self._ask("SELECT 1 FROM day WHERE day = ?", day) is not None

    def _ask(self, query: str, *values: int) -> tuple[Any, ...] | None:
        path = self._folder / FILE
        try:
            db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10.0)
        except sqlite3.Error:
            return None
        try:
            row: tuple[Any, ...] | None = db.execute(query, values).fetchone()
        except sqlite3.Error:
            return None
        finally:
            db.close()
        return row


def _seal_now(path: Path) -> bytes | None:
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            row = db.execute("SELECT value FROM meta WHERE key = 'seal'").fetchone()
            return bytes(row[0]) if row else None
    except sqlite3.Error:
        return None


def _meta(db: sqlite3.Connection, name: str) -> str:
    row = db.execute("SELECT value FROM meta WHERE key = ?", (name,)).fetchone()
    return str(row[0]) if row else ""


def _told(db: sqlite3.Connection) -> list[dict[str, Any]]:
    """What the history has been told of the audit trail."""
    found = []
    for (text,) in db.execute("SELECT json FROM event WHERE kind = 'audit' ORDER BY id").fetchall():
        with contextlib.suppress(orjson.JSONDecodeError, TypeError):
            found.append(orjson.loads(text))
    return found
