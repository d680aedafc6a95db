"""Everything that is done in the background, step by step, on connections of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from historian import edits, rollups, schema
from historian.days import DAY_NS, DayFile, Days, name_of, unlink
from historian.fold import fold as folding
from historian.fold import retention as forgetting
from historian.fold import upgrade as upgrading
from historian.fold.compact import ALWAYS, JOINED, NEVER, candidates, compact, hasty
from historian.fold.fold import DayDamagedError, Folded, Leaving, damage_of, writing
from historian.seal import Seal, digest
from historian.settled import HOUR, kinds
from historian.store import StoreError
from tags.model import Retention

TAGS_AT_ONCE: Final = 64
_MENDS: Final = 8
HOUR_AFTER_NS: Final = 120_000_000_000  # of samples after its end, and an hour is over
_SEAL: Final = "INSERT INTO seal (day, key, utc_ns, chunks, samples, digest) VALUES (?, ?, ?, ?, ?, ?)"
_EDITED: Final = "SELECT DISTINCT tag FROM edit WHERE t1 >= ? AND t0 < ?"
_LAST_SEAL: Final = "SELECT digest FROM seal WHERE day = ? AND key = ? ORDER BY id DESC LIMIT 1"

_T = TypeVar("_T")
Say = Callable[..., None]  # say(kind, **fields): becomes an event


def _nothing(_kind: str, **_fields: Any) -> None:
    """Nobody listens."""


class Work:
    """One at a time, by one thread.

    Args:
        folder: The data directory's `history` folder; its `history.sqlite` is there.
        main: Path of that.
        say: Told what somebody should know.

    Attributes:
        days: The files of days.
        damaged: Rows of the journal that could not be read since this was made.
        untidy: Days that were folded into, each with the time of the newest sample, UTC, ns.
    """

    def __init__(self, folder: Path, main: Path, say: Say = _nothing) -> None:
        self.days = Days(folder, writes=True)
        self.damaged = 0
        self.untidy: dict[int, int] = {}
        self._tidied: dict[int, int] = {}  # up to which full hour a day is packed well
        self._tags: list[int] = []  # to look at in the first of the untidy days
        self._joins: dict[int, int] = {}  # days that may have short chunks, and the tag to go on behind
        self._broken: set[int] = set()
        self._folder, self._path, self._say = folder, main, say
        self._main = sqlite3.connect(main, isolation_level=None, check_same_thread=False, timeout=10.0)
        self._main.text_factory = schema.text
        try:
            schema.tune(self._main)
            self._main.execute("PRAGMA cache_size = -4000")
            row = self._main.execute("SELECT value FROM meta WHERE key = 'store'").fetchone()
            self._key = str(row[0]) if row else ""
            self._upgrading = upgrading.pending(self._main)
        except sqlite3.Error:
            self._main.close()
            raise

    def close(self) -> None:
        """Lets go of the files."""
        self.days.close()
        with contextlib.suppress(sqlite3.Error):
            self._main.close()

    def waiting(self) -> tuple[int, int]:
        """Rows of the journal, and samples in them."""
        row: tuple[int, int] = self._main.execute(
            "SELECT count(*), coalesce(sum(n), 0) FROM journal"
        ).fetchone()
        return row

    # Journal into days

    def upgrade(self) -> int:
        """Brings over some chunks of a history of an earlier version; returns how many, 0 when there are none left."""
        if not self._upgrading:
            return 0
        moved = self._mended(lambda: upgrading.step(self._main, self._key, self.days.make))
        self._upgrading = moved > 0
        return moved

    def fold(self, leaving: Leaving | None = None, most: int = folding.AT_ONCE) -> Folded:
        """The oldest rows of the journal go into the files of their days."""
        self._flush_journal()
        found = self._mended(lambda: folding.fold(self._main, self._key, self.days.make, leaving, most))
        self.damaged += found.damaged
        if found.damaged:
            message = (
                f"{self._path}: {found.damaged} damaged batches were put aside; their samples are missing"
            )
            self._say("service", state="history damaged", message=message)
        for day, newest in found.days.items():
            self.untidy[day] = max(newest, self.untidy.get(day, newest))
            self._joins[day] = 0
        self._main.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        return found

    def _flush_journal(self) -> None:
        """A day must never know of a commit that a power cut could still take back."""
        with contextlib.suppress(FileNotFoundError):
            wal = os.open(f"{self._path}-wal", os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fdatasync(wal)
            finally:
                os.close(wal)

    def _mended(self, work: Callable[[], _T]) -> _T:
        """Does it; puts the damaged file of a day aside and goes on with another."""
        for _ in range(_MENDS):
            try:
                return work()
            except DayDamagedError as damage:
                aside = self.days.put_aside(damage.day)
                self._broken.discard(damage.day)
                message = (
                    f"{self.days.path(damage.day)}: {damage}. It was moved to {aside}, a new one was begun"
                )
                self._say("service", state="history damaged", message=message)
        raise StoreError(f"{self.days.folder}: files of days are damaged again as soon as they are made")

    # Chunks of a day

    def tidy(self) -> bool:
        """Joins short chunks of some tags of a day that was folded into; those of an hour that is over are packed well.

        Returns:
            There is more to do.
        """
        if not self.untidy:
            return False
        day = min(self.untidy)
        begun = self._tidied.get(day, ALWAYS)
        over = (self.untidy[day] - HOUR_AFTER_NS) // HOUR * HOUR
        fresh = over > begun and over > day * DAY_NS
        if not self._tags:
            least = 1 if fresh else JOINED
            self._tags = self._on_day(day, lambda file: hasty(file.db, begun, least)) or []
        part, self._tags = self._tags[:TAGS_AT_ONCE], self._tags[TAGS_AT_ONCE:]
        self._on_day(day, partial(_compact, tags=part, over_ns=over if fresh else ALWAYS, since_ns=begun))
        if not self._tags:
            del self.untidy[day]
            if fresh:
                self._tidied[day] = over
        return bool(self.untidy)

    def join_short(self, tags: int = TAGS_AT_ONCE) -> int:
        """Joins short chunks of days that were folded into, whatever the hour; returns how many chunks went into others."""
        gone = 0
        for day, behind in sorted(self._joins.items()):
            did = self._on_day(day, partial(_join, behind=behind, tags=tags))
            gone += did.gone if did else 0
            if did is not None and did.behind is not None:
                self._joins[day] = did.behind
                break
            tags -= did.tags if did else 0
            del self._joins[day]
        return gone

    def settle(self, day: int, stop: Callable[[], bool] = bool) -> bool:
        """Joins all that there is to join in a day.

        Args:
            day: Number of the day.
            stop: Asked now and then whether to leave the rest.

        Returns:
            It is done, or cannot be: the day is damaged.
        """
        return self._on_day(day, partial(_settle, stop=stop)) is not False

    def open_days(self) -> list[int]:
        """The days that are not sealed, in order; without those that were found damaged."""
        days = self._main.execute("SELECT day FROM day WHERE NOT sealed ORDER BY day").fetchall()
        return [day for (day,) in days if day not in self._broken]

    def seal(self, day: int, now_ns: int, stop: Callable[[], bool] = bool) -> bytes | None:
        """Closes a day: all chunks joined, no free pages, the digest in the file and in the list.

        Args:
            day: Number of the day.
            now_ns: UTC, ns.
            stop: As in `settle`.

        Returns:
            The digest; None when it was stopped, or the day is damaged.
        """
        if not self.settle(day, stop=stop):
            return None
        sealed = self._on_day(day, lambda file: _seal(file, day, now_ns))
        if sealed is None:
            return None
        self._summarise(day, sealed.digest)
        with writing(self._main):
            if self._main.execute(_LAST_SEAL, (day, sealed.key)).fetchone() != (sealed.digest,):
                self._main.execute(_SEAL, sealed[:-1])
            self._main.execute("UPDATE day SET sealed = 1 WHERE day = ?", (day,))
        return sealed.digest

    def _summarise(self, day: int, sealed: bytes) -> None:
        """Summaries of its minutes and hours, which are kept longer than the samples."""
        file = self.days.get(day)
        try:
            if file is not None:
                rollups.write(self._folder, file, day, sealed)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            message = f"{name_of(day)}: there are no summaries of its minutes and hours: {error}"
            self._say("service", state="history damaged", message=message)

    def _on_day(self, day: int, do: Callable[[DayFile], _T]) -> _T | None:
        """Does something with the file of a day. None when it is found damaged, which is said once."""
        try:
            with damage_of(day):
                file = self.days.get(day)
                if file is None:
                    raise sqlite3.DatabaseError("the file is not there")
                return do(file)
        except DayDamagedError as damage:
            self.days.drop(day)
            if day not in self._broken:
                message = (
                    f"{self.days.path(day)}: {damage}. What can be read of it is; see `scada history check`"
                )
                self._say("service", state="history damaged", message=message)
            self._broken.add(day)
            return None

    # Forgetting

    def listed(self) -> list[int]:
        """The days that have files, in order."""
        return [row[0] for row in self._main.execute("SELECT day FROM day ORDER BY day")]

    def size(self) -> int:
        """Bytes that the history takes."""
        return forgetting.size_of(self._main, self._folder)

    def forget(self, day: int, now_ns: int) -> int:
        """Deletes the file of a day; returns how many bytes that frees."""
        with contextlib.suppress(
            sqlite3.Error, OSError
        ):  # a disk that is too full for it does not keep the day
            self._correct(day)
        with writing(self._main):
            self._main.execute("DELETE FROM day WHERE day = ?", (day,))
            self._main.execute("UPDATE seal SET gone_ns = ? WHERE day = ? AND gone_ns IS NULL", (now_ns, day))
        for days in (self.untidy, self._joins, self._tidied):
            days.pop(day, None)
        self.days.drop(day)
        return unlink(self.days.path(day))

    def _correct(self, day: int) -> None:
        """Summaries are of what was stored; without the samples they must be of what is shown."""
        file = self.days.get(day)
        tags = self._main.execute(_EDITED, (day * DAY_NS, (day + 1) * DAY_NS)).fetchall()
        if file is not None and tags:
            found = edits.Overlays()
            overlays = {tag: found.of(self._main, tag) for (tag,) in tags}
            rollups.correct(self._folder, file, day, overlays)

    def retain(self, retention: Retention, now_ns: int, *, by_age: bool = True) -> int:
        """Forgets something that is not kept any longer.

        Args:
            retention: Of the site.
            now_ns: UTC, ns.
            by_age: Also what is only old; not while the clock cannot be trusted.

        Returns:
            How many days, or texts and events: call it again while it is not 0.
        """
        listed = self.listed()
        if by_age:
            gone = self._old(listed, retention, now_ns)
            if gone:
                return gone
        allowed = forgetting.allowed(retention, shutil.disk_usage(self._folder).total)
        taken = self.size()
        if taken <= allowed:
            return 0
        if len(listed) > 1:
            self._close_before_forgetting(listed[0], now_ns)
            self.forget(listed[0], now_ns)
            self._tell(listed[0], f"the history took {taken >> 20} MB, it may take {allowed >> 20} MB")
            return 1
        return forgetting.forget_oldest_rows(self._main)

    def _old(self, listed: list[int], retention: Retention, now_ns: int) -> int:
        for day in forgetting.due(listed, retention, now_ns)[:1]:
            self._close_before_forgetting(day, now_ns)
            self.forget(day, now_ns)
            self._tell(day, f"kept for {retention.samples_ns // DAY_NS} days")
            return 1
        for table, kept_ns in (
            ("text", retention.samples_ns),
            ("event", retention.events_ns),
            ("annotation", retention.events_ns),
        ):
            gone = forgetting.forget_rows(self._main, table, now_ns - kept_ns) if kept_ns else 0
            if gone:
                return gone
        minutes, hours = (
            now_ns - kept_ns if kept_ns else 0 for kept_ns in (retention.minutes_ns, retention.hours_ns)
        )
        if rollups.forget(self._folder, minutes, hours):
            return 1
        return 0

    def _close_before_forgetting(self, day: int, now_ns: int) -> None:
        """Its summaries outlive it; a disk that is too full for them does not keep it."""
        if day in self.open_days():
            with contextlib.suppress(sqlite3.OperationalError, OSError):
                self.seal(day, now_ns)

    def _tell(self, day: int, why: str) -> None:
        name = name_of(day).removesuffix(".sqlite")
        self._say("retention", day=name, message=f"the samples of {name} were deleted: {why}")


class _Joined(NamedTuple):
    gone: int
    tags: int
    behind: int | None  # the tag to go on behind; None when all were looked at


def _compact(file: DayFile, tags: list[int], over_ns: int, since_ns: int | None = None) -> int:
    if not tags:
        return 0
    with writing(file.db):
        return compact(file.db, file.chunks, tags, kinds(file.db), over_ns, since_ns)


def _join(file: DayFile, behind: int, tags: int) -> _Joined:
    found = [tag for tag in candidates(file.db) if tag > behind][:tags]
    gone = _compact(file, found, ALWAYS)
    return _Joined(gone, len(found), found[-1] if found and len(found) == tags else None)


def _settle(file: DayFile, stop: Callable[[], bool]) -> bool:
    found = candidates(file.db)
    known = kinds(file.db)
    for at in range(0, len(found), TAGS_AT_ONCE):
        if stop():
            return False
        with writing(file.db):
            compact(file.db, file.chunks, found[at : at + TAGS_AT_ONCE], known, NEVER)
    return True


def _seal(file: DayFile, day: int, now_ns: int) -> Seal:
    db = file.db
    if schema.number(db, "freelist_count"):
        db.executescript(
            "PRAGMA incremental_vacuum"
        )  # `execute` would take one step of it, which is one page
    with writing(db):
        found = digest(db)
        chunks, samples = db.execute("SELECT count(*), coalesce(sum(n), 0) FROM chunk").fetchone()
        db.execute("INSERT OR REPLACE INTO meta VALUES ('seal', ?)", (found,))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return Seal(day, file.key, now_ns, chunks, samples, found, None)
