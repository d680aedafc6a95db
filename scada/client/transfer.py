"""History in and out of a data directory, whether its plant runs or not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from historian import audit
from historian.query import History
from historian.reader import open_reader
from historian.sqlite import SqliteStore
from historian.store import Batch, Store, StoreError, TagEntry
from historian.transfer import backup as _backups
from historian.transfer import check as _checks
from historian.transfer import formats, importing
from historian.transfer import grid as grids
from historian.transfer import restore as _restores
from historian.transfer.backup import Backed
from historian.transfer.check import UNCOVERED, Damage, Report
from historian.transfer.export import Exported, Progress, Question
from historian.transfer.export import export as _export
from historian.transfer.importing import Imported, ProblemsError
from historian.transfer.incoming import Problem, Terms
from historian.transfer.manifest import Manifest
from historian.transfer.room import room
from scada.client.archive import Archive
from scada.client.running import is_locked
from scada.datadir import DataDir
from tags.types import STRING

__all__ = [
    "FORMATS",
    "UNCOVERED",
    "Backed",
    "Damage",
    "Exported",
    "Imported",
    "Manifest",
    "Problem",
    "ProblemsError",
    "Report",
    "backup",
    "check",
    "export",
    "export_grid",
    "format_of",
    "import_file",
    "matching",
    "restore",
    "verify",
]

FORMATS = (formats.CSV, formats.PARQUET, formats.LINES)
format_of = formats.format_of


def export(
    data: Path | str,
    target: Path,
    kind: str,
    start_ns: int,
    end_ns: int,
    patterns: Sequence[str] = ("*",),
    progress: Progress = lambda _share, _samples: None,
    *,
    words: dict[str, str] | None = None,
    measurement: str = formats.MEASUREMENT,
    originals: bool = False,
    anew: bool = False,
    replace: bool = False,
) -> Exported:
    """Writes stored samples into a file; see `historian.transfer.export.export`.

    Args:
        data: The plant's data directory.
        target: The file.
        kind: One of `FORMATS`.
        start_ns: UTC, ns.
        end_ns: UTC, ns; not included.
        patterns: Of paths; `*` and `?` match any characters.
        progress: Told the share that is done and the samples.
        words: What a person typed; the same words go on with what an interrupted call has left.
        measurement: Of the line protocol.
        originals: Samples as they were stored, without edits.
        anew: Forget what an interrupted call has left.
        replace: Put it in the place of a file that is there.

    Raises:
        KeyError: A pattern matches no tag.
        StoreError: There is no history, or the target is in the way.
    """
    with _reading(data) as store:
        tags = matching(list(store.ids().values()), patterns)
        asked: dict[str, object] = {
            "tags": list(patterns),
            "format": kind,
            "measurement": measurement,
            "originals": originals,
        }
        asked |= words if words is not None else {"start": start_ns, "end": end_ns}
        question = Question(tags, start_ns, end_ns, kind, asked, measurement, originals)
        return _export(store, question, target, progress, anew=anew, replace=replace)


def export_grid(
    data: Path | str,
    target: Path,
    kind: str,
    start_ns: int,
    end_ns: int,
    every_ns: int,
    patterns: Sequence[str] = ("*",),
    progress: Progress = lambda _share, _rows: None,
    *,
    replace: bool = False,
) -> tuple[int, int, list[str]]:
    """Writes what tags were at the times of a grid, a column for each; see `historian.transfer.grid.export_grid`.

    Args:
        data: The plant's data directory.
        target: The file.
        kind: `csv` or `parquet`.
        start_ns: Time of the first row, UTC, ns.
        end_ns: UTC, ns; not included.
        every_ns: Between two rows, ns.
        patterns: Of paths; texts are left out.
        progress: Told the share that is done and the rows.
        replace: Put it in the place of a file that is there.

    Returns:
        Rows in the file, its bytes, and the paths of its columns.

    Raises:
        KeyError: A pattern matches no tag of numbers.
        StoreError: There is no history, or the target is in the way.
    """
    archive = Archive(data)
    try:
        with _reading(data) as store:
            numbers = [entry for entry in store.ids().values() if entry.type != STRING]
            chosen = [
                archive.tags[entry.path]
                for entry in matching(numbers, patterns)
                if entry.path in archive.tags
            ]
            grid = grids.Grid(start_ns, end_ns, every_ns)
            history = History(store, archive.timezone)
            rows, size = grids.export_grid(history, chosen, grid, target, kind, progress, replace=replace)
    finally:
        archive.close()
    return rows, size, [tag.path for tag in chosen]


def import_file(
    data: Path | str,
    path: Path,
    kind: str,
    zone: str,
    now_ns: int,
    *,
    user: str,
    reason: str = "",
    tag: str = "",
    progress: importing.Progress = lambda _step, _share, _samples: None,
    again: bool = False,
    dry: bool = False,
) -> Imported:
    """Puts the samples of a file into history; see `historian.transfer.importing.import_file`.

    Args:
        data: The plant's data directory; the plant may run or not.
        path: Of the file.
        kind: `csv` or `parquet`.
        zone: IANA name, for times without an offset.
        now_ns: UTC, ns; later samples are refused.
        user: In whose name, for the record.
        reason: Why, for the record.
        tag: Path of the tag of files that name none.
        progress: Told the step, the share that is done and the samples.
        again: Also when the same content was imported before.
        dry: Only look.

    Raises:
        ProblemsError: Something is wrong with the file; nothing was imported.
        StoreError: There is no history, the file is of another kind, or the store cannot be written now.
        OSError: The file cannot be read.
    """
    folder = DataDir(Path(data))
    store = _writing(folder)
    event: dict[str, Any] = {"kind": "import", "t": now_ns, "user": user, "source": "cli", "reason": reason}
    try:
        done = importing.import_file(
            store,
            path,
            kind,
            Terms(store.ids(), ZoneInfo(zone), now_ns, tag),
            now_ns,
            progress=progress,
            room=room(folder.history, store, lambda: _runs(folder)),
            event=event,
            before=lambda event: _audited(folder, event),
            again=again,
            dry=dry,
        )
        return done if dry else done._replace(missing=importing.missing(store, done, progress))
    finally:
        store.close()


def backup(
    data: Path | str,
    target: Path,
    now_ns: int,
    *,
    user: str,
    base: Path | None = None,
    progress: _backups.Progress = lambda _step, _share, _bytes: None,
) -> Backed:
    """Copies history into a folder, whether the plant runs or not; see `historian.transfer.backup.backup`.

    Args:
        data: The plant's data directory.
        target: The folder.
        now_ns: UTC, ns.
        user: In whose name, for the record.
        base: An earlier backup, of which sealed days are linked.
        progress: Told the step, the share that is done and the bytes.

    Raises:
        StoreError: There is no history, it cannot be read, or the target is in the way.
    """
    folder = DataDir(Path(data))
    made = _backups.backup(folder, target, now_ns, base=base, progress=progress)
    _note(
        folder,
        {
            "kind": "backup",
            "t": now_ns,
            "user": user,
            "state": "made",
            "backup": str(target),
            "bytes": made.size,
        },
    )
    return made


def check(folder: Path | str, progress: _checks.Progress = lambda _file, _share, _blocks: None) -> Report:
    """Looks into every block of a history and names each that is not what was written; see `historian.transfer.check`.

    Args:
        folder: A data directory, whose plant may run, or a backup.
        progress: Told the file, the share that is done and the blocks.

    Raises:
        StoreError: There is no history.
    """
    return _checks.check(DataDir(Path(folder)).history, progress)


def verify(
    source: Path, progress: _restores.Progress = lambda _step, _share, _bytes: None
) -> tuple[Manifest, list[str]]:
    """Compares every byte of a backup with what was written; see `historian.transfer.restore.verify`.

    Raises:
        StoreError: It is no backup.
    """
    return _restores.verify(source, progress)


def restore(
    data: Path | str,
    source: Path,
    now_ns: int,
    *,
    user: str,
    progress: _restores.Progress = lambda _step, _share, _bytes: None,
) -> Manifest:
    """Puts a backup into a data directory that has no history; see `historian.transfer.restore.restore`.

    Args:
        data: The data directory.
        source: Folder of the backup.
        now_ns: UTC, ns.
        user: In whose name, for the record.
        progress: Told the step, the share that is done and the bytes.

    Raises:
        StoreError: A plant runs there, there is a history, or the backup is not what was written.
    """
    folder = DataDir(Path(data))
    if _runs(folder):
        raise StoreError(f"{folder.root}: a plant is running there. Stop it first")
    made = _restores.restore(source, folder, progress)
    _note(folder, {"kind": "backup", "t": now_ns, "user": user, "state": "restored", "backup": str(source)})
    return made


def _note(folder: DataDir, event: dict[str, Any]) -> None:
    """Puts an event into history and into the audit trail."""
    try:
        store = _writing(folder)
        try:
            store.append(Batch(events=[event], utc_ns=store.last_commit_ns()))
        finally:
            store.close()
        _audited(folder, event)
    except StoreError as error:
        raise StoreError(f"it is done, but cannot be noted in history: {error}") from error


def _writing(folder: DataDir) -> SqliteStore:
    """A history that is there, beside its historian or alone; one of an earlier version only alone."""
    if _runs(folder):
        return SqliteStore.appender(folder.history)
    open_reader(folder.history).close()  # nobody begins a history by an import
    return SqliteStore.writer(folder.history)


def _audited(folder: DataDir, event: dict[str, Any]) -> None:
    fields = {name: value for name, value in event.items() if name not in ("kind", "t")}
    audit.record(folder.history, event["kind"], event["t"], **fields)


def matching(tags: Sequence[TagEntry], patterns: Sequence[str]) -> list[TagEntry]:
    """Tags whose paths match one of the patterns, ignoring case; each once, in the order of patterns.

    Raises:
        KeyError: A pattern matches none; the message names it.
    """
    found: dict[str, TagEntry] = {}
    for pattern in patterns:
        some = {tag.path: tag for tag in tags if fnmatchcase(tag.path.lower(), pattern.lower())}
        if not some and tags:
            raise KeyError(pattern)
        found |= {path: tag for path, tag in sorted(some.items()) if path not in found}
    return list(found.values())


def _runs(folder: DataDir) -> bool:
    return folder.lock.exists() and is_locked(folder.lock) is not False


@contextlib.contextmanager
def _reading(data: Path | str) -> Iterator[Store]:
    store = open_reader(DataDir(Path(data)).history)
    try:
        yield store
    finally:
        store.close()
