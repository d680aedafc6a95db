"""Backup of a history while it is written: every file of one moment, without holding the historian up.

For some milliseconds `history.sqlite` is locked for writing. Meanwhile a read transaction is begun in it and in every file that
changes with it: the last days, also sealed ones, which late samples may open again, the spool and the cursors of sinks. These transactions show one moment, however
long the copying takes: no fold can have brought samples into a day that the journal of that moment lacks, or taken them out
of the journal before they were in the day. Older days are copied afterwards, one by one; one that has been opened by late
samples since the moment is refused. Sealed days that an earlier backup has are linked instead.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from historian.connect import FILE
from historian.days import FOLDER as DAYS
from historian.days import name_of
from historian.store import StoreDamagedError, StoreError
from historian.transfer import manifest as manifests
from historian.transfer.manifest import HISTORY, IDS, Copied, Manifest, digest_of
from scada.datadir import DataDir, flush_folder, make_folder, write_file

_PAGES: Final = 512  # 4 MB between two looks at the progress
_HELD: Final = ("spool.sqlite", "sinks.sqlite")  # the spool first: it may only have more than a cursor needs
_HELD_MAX: Final = 200  # files that are open at once
_PATIENCE_S: Final = 10.0

Progress = Callable[[str, float, int], None]


class Backed(NamedTuple):
    """What a backup holds.

    Attributes:
        manifest: Of it.
        size: Bytes of all its files.
        copied: Bytes that were copied; the rest was in an earlier backup.
    """

    manifest: Manifest
    size: int
    copied: int


class _Source(NamedTuple):
    name: str
    path: Path
    key: str
    seal: str


def backup(
    data: DataDir,
    target: Path,
    now_ns: int,
    *,
    base: Path | None = None,
    progress: Progress = lambda _step, _share, _bytes: None,
) -> Backed:
    """Copies a history into a folder.

    Args:
        data: The plant's data directory; the plant may run.
        target: The folder; must not be there, be empty, or be what an interrupted call has left.
        now_ns: UTC, ns.
        base: An earlier backup: sealed days that it has are linked, and take no space a second time.
        progress: Told the step, the share that is done and the bytes.

    Raises:
        StoreError: There is no history, it cannot be read, or the target is in the way.
        OSError: The disk does not let it.
    """
    folder = data.history
    if not (folder / FILE).exists():
        raise StoreError(
            f"{folder / FILE}: there is no history yet. The historian makes it when the plant runs"
        )
    earlier = _before(target, base)
    with contextlib.ExitStack() as stack:
        held = stack.enter_context(_moment(folder))
        main = held[FILE]
        with _errors(folder / FILE):
            made = Manifest(now_ns, _meta(main, "store"), _count(main, "tag"))
            sources = _sources(folder, main)
        make_folder(target / HISTORY)
        made.write(target, manifests.PROGRESS)
        total = sum(source.path.stat().st_size for source in sources if source.path.exists()) or 1
        done = copied = 0
        for source in sources:
            name = f"{HISTORY}/{source.name}"
            step = source.path.stat().st_size if source.path.exists() else 0
            known = earlier.get(name)
            if known is not None and known[1].unchanged(source.key, source.seal):
                made.files[name] = _linked(known[0] / name, target / name, known[1])
            else:

                def tell(size: int, before: int = done) -> None:
                    progress("copying", (before + size) / total, before + size)

                try:
                    made.files[name] = _copy(source, held.pop(source.name, None), target / name, tell)
                except FileNotFoundError:
                    made.gone.append(source.name)
                except StoreDamagedError:
                    made.files |= _copy_bytes(source.path, target / name, name)
                    made.damaged.append(source.name)
                else:
                    copied += made.files[name].size
            made.write(target, manifests.PROGRESS)
            done += step
            progress("copying", min(1.0, done / total), done)
        _of_one_moment(target / HISTORY, made)
    if data.tag_ids.exists():
        make_folder((target / IDS).parent)
        write_file(target / IDS, data.tag_ids.read_bytes())
        made.files[IDS] = Copied((target / IDS).stat().st_size, digest_of(target / IDS))
    made.write(target)
    (target / manifests.PROGRESS).unlink()
    flush_folder(target)
    return Backed(made, sum(file.size for file in made.files.values()), copied)


@contextlib.contextmanager
def _moment(folder: Path) -> Iterator[dict[str, sqlite3.Connection]]:
    """Read transactions of one moment, by name: of the main file and of all that changes with it."""
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(contextlib.closing(_connect(folder / FILE, writes=True)))
        held: dict[str, sqlite3.Connection] = {}

        def hold(name: str) -> sqlite3.Connection:
            db = stack.enter_context(contextlib.closing(_connect(folder / name)))
            db.execute("BEGIN")
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            held[name] = db
            return db

        with _errors(folder / FILE):
            lock.execute("BEGIN IMMEDIATE")
            main = hold(FILE)
        for name in _HELD:
            if (folder / name).exists():
                with _errors(folder / name):
                    hold(name)
        for day in sorted(_listed(main), reverse=True)[:_HELD_MAX]:
            name = f"{DAYS}/{name_of(day)}"
            with contextlib.suppress(StoreError), _errors(folder / name):
                if (folder / name).exists():
                    hold(name)
        lock.execute("ROLLBACK")
        yield held


def _sources(folder: Path, main: sqlite3.Connection) -> list[_Source]:
    """All files, those of the moment first."""
    first = [name for name in (FILE, *_HELD) if (folder / name).exists()]
    found = [_Source(name, folder / name, "", "") for name in first]
    days = []
    for day, key in sorted(_listed(main).items()):
        name = f"{DAYS}/{name_of(day)}"
        days.append(_Source(name, folder / name, key, _sealed(folder / name, key)))
    found += sorted(days, key=lambda source: (bool(source.seal), source.name))
    known = {source.name for source in found}
    for path in sorted(folder.rglob("*.sqlite")):
        name = path.relative_to(folder).as_posix()
        if name not in known and not name.startswith(f"{DAYS}/"):
            found.append(_Source(name, path, "", ""))
    return found


def _copy(
    source: _Source, held: sqlite3.Connection | None, target: Path, tell: Callable[[int], None]
) -> Copied:
    """Copies a file as it is in its transaction; the copy needs no other file beside it.

    Raises:
        FileNotFoundError: It was deleted meanwhile.
    """
    if held is None and not source.path.exists():
        raise FileNotFoundError(source.path)
    make_folder(target.parent)
    target.unlink(missing_ok=True)
    with _errors(source.path), contextlib.closing(held or _connect(source.path)) as db:
        size = int(db.execute("PRAGMA page_size").fetchone()[0])
        with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as to:
            db.backup(to, pages=_PAGES, progress=lambda _, left, total: tell((total - left) * size))
            to.execute("PRAGMA journal_mode = DELETE")
            key, seal = _identity(to) if source.name.startswith(f"{DAYS}/") else ("", "")
    return _finished(target, key, seal)


def _copy_bytes(source: Path, target: Path, name: str) -> dict[str, Copied]:
    """Copies what SQLite cannot read, for whoever wants to repair it."""
    found = {}
    for ending in ("", "-wal"):
        copy = target.with_name(target.name + ending)
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(source.with_name(source.name + ending), copy)
            found[name + ending] = _finished(copy)
    return found


def _finished(target: Path, key: str = "", seal: str = "") -> Copied:
    target.chmod(0o600)
    handle = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    flush_folder(target.parent)
    return Copied(target.stat().st_size, digest_of(target), key, seal)


def _linked(earlier: Path, target: Path, copied: Copied) -> Copied:
    """The same file as in an earlier backup, or a copy of it where links are not possible."""
    if earlier != target:
        make_folder(target.parent)
        target.unlink(missing_ok=True)
        try:
            target.hardlink_to(earlier)
        except OSError:
            shutil.copyfile(earlier, target)
        flush_folder(target.parent)
    return copied


def _of_one_moment(folder: Path, made: Manifest) -> None:
    """No day may have samples of commits that came after the moment: they would be there without those around them.

    Raises:
        StoreError: One has.
    """
    with contextlib.closing(_connect(folder / FILE)) as db:
        row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'journal'").fetchone()
    newest = row[0] if row else 0
    for name in made.files:
        if name.startswith(f"{HISTORY}/{DAYS}/") and name.removeprefix(f"{HISTORY}/") not in made.damaged:
            with contextlib.closing(_connect(folder.parent / name)) as db:
                owner, _, seq = _meta(db, "rolled").partition(" ")
            if owner == made.store and seq and int(seq) > newest:
                raise StoreError(
                    f"{name}: late samples came into this day while it waited to be copied. Call the backup again; "
                    "it goes on where it is"
                )


def _before(target: Path, base: Path | None) -> dict[str, tuple[Path, Copied]]:
    """Files of earlier backups, by name: of the base, and of an interrupted call into the same target.

    Raises:
        StoreError: The target is something else.
    """
    found: dict[str, tuple[Path, Copied]] = {}
    if base is not None:
        found = {name: (base, file) for name, file in manifests.read(base).files.items()}
    if (target / manifests.FILE).exists():
        raise StoreError(
            f"{target} is a backup already. Name another folder; --base {target} copies only what is new"
        )
    if (target / manifests.PROGRESS).exists():
        with contextlib.suppress(StoreError):
            files = manifests.read(target, manifests.PROGRESS).files
            found |= {name: (target, file) for name, file in files.items() if _same_size(target / name, file)}
    elif target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StoreError(f"{target} is there and is no backup. Name a folder that is not there yet")
    return found


def _same_size(path: Path, file: Copied) -> bool:
    return path.exists() and path.stat().st_size == file.size


def _connect(path: Path, *, writes: bool = False) -> sqlite3.Connection:
    mode = "rw" if writes else "ro"
    with _errors(path):
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=_PATIENCE_S
        )


def _listed(main: sqlite3.Connection) -> dict[int, str]:
    """Keys of the files of days, by day."""
    if not main.execute("SELECT count(*) FROM sqlite_master WHERE name = 'day'").fetchone()[0]:
        return {}
    return dict(main.execute("SELECT day, key FROM day").fetchall())


def _sealed(path: Path, key: str) -> str:
    """Seal of a day's file, hex; "" when it has none, is another or cannot be read."""
    try:
        with contextlib.closing(_connect(path)) as db:
            found, seal = _identity(db)
            return seal if found == key else ""
    except (sqlite3.Error, StoreError):
        return ""


def _identity(day: sqlite3.Connection) -> tuple[str, str]:
    """Key and seal (hex) of a day's file."""
    row = day.execute("SELECT value FROM meta WHERE key = 'seal'").fetchone()
    return _meta(day, "key"), bytes(row[0]).hex() if row else ""


def _meta(db: sqlite3.Connection, name: str) -> str:
    row = db.execute("SELECT value FROM meta WHERE key = ?", (name,)).fetchone()
    return str(row[0]) if row else ""


def _count(db: sqlite3.Connection, table: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - our own name


@contextlib.contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise StoreDamagedError(f"{path}: {error}") from error
