"""Restore of a backup, and verification that a backup is what was written."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import orjson

from historian.store import StoreError
from historian.transfer import manifest as manifests
from historian.transfer.manifest import HISTORY, IDS, Copied, Manifest, digest_of
from scada.datadir import DataDir, flush_folder, make_folder, write_file

UNFINISHED: Final = "history.restoring"
_READ: Final = 1 << 20

Progress = Callable[[str, float, int], None]


def verify(
    source: Path, progress: Progress = lambda _step, _share, _bytes: None
) -> tuple[Manifest, list[str]]:
    """Compares every byte of a backup with its manifest.

    Args:
        source: Folder of the backup.
        progress: Told the step, the share that is done and the bytes.

    Returns:
        The manifest, and what is wrong, by file; nothing when the backup is what was written.

    Raises:
        StoreError: There is no manifest that can be trusted.
    """
    made = manifests.read(source)
    total = sum(file.size for file in made.files.values()) or 1
    done = 0
    wrong: list[str] = []

    def tell(size: int) -> None:
        nonlocal done
        done += size
        progress("verifying", min(1.0, done / total), done)

    for name, file in sorted(made.files.items()):
        path = source / name
        try:
            digest = digest_of(path, tell)
        except OSError as error:
            wrong.append(f"{path}: {error.strerror or error}")
            continue
        if digest != file.digest:
            wrong.append(f"{path}: its bytes are not those that were written")
    known = {source / name for name in made.files}
    wrong += [
        f"{path}: does not belong to the backup"
        for path in sorted((source / HISTORY).rglob("*"))
        if path.is_file() and path not in known
    ]
    return made, wrong


def restore(source: Path, data: DataDir, progress: Progress = lambda _step, _share, _bytes: None) -> Manifest:
    """Puts a backup into a data directory that has no history. Nothing is there until all is there.

    Args:
        source: Folder of the backup.
        data: The data directory; no plant runs there.
        progress: Told the step, the share that is done and the bytes.

    Raises:
        StoreError: There is a history, the numbers of tags are others, or the backup is not what was written.
        OSError: The disk does not let it.
    """
    made = manifests.read(source)
    if data.history.exists() and any(data.history.iterdir()):
        raise StoreError(
            f"{data.history} has a history. A restore does not overwrite: move the folder away, or name another with --data"
        )
    ids = _ids(source, data, made)
    fresh = data.root / UNFINISHED
    if fresh.exists():
        shutil.rmtree(fresh)
    make_folder(fresh)
    total = sum(file.size for file in made.files.values()) or 1
    done = 0
    for name, file in sorted(made.files.items()):
        if not name.startswith(f"{HISTORY}/"):
            continue
        target = fresh / Path(name).relative_to(HISTORY)
        make_folder(target.parent)
        _copy(source / name, target, file)
        done += file.size
        progress("restoring", min(1.0, done / total), done)
    if ids is not None:
        make_folder(data.tag_ids.parent)
        write_file(data.tag_ids, ids)
    if data.history.exists():
        data.history.rmdir()
    fresh.rename(data.history)
    flush_folder(data.root)
    return made


def _copy(source: Path, target: Path, file: Copied) -> None:
    """Copies a file and compares its digest on the way.

    Raises:
        StoreError: It is missing or not what was written.
    """
    state = hashlib.blake2b(digest_size=32)
    try:
        with source.open("rb") as one, target.open("xb") as two:
            target.chmod(0o600)
            while part := one.read(_READ):
                state.update(part)
                two.write(part)
            two.flush()
            os.fsync(two.fileno())
    except FileNotFoundError:
        raise StoreError(f"{source} is missing; nothing was restored") from None
    if state.hexdigest() != file.digest:
        raise StoreError(f"{source}: its bytes are not those that were written; nothing was restored")
    flush_folder(target.parent)


def _ids(source: Path, data: DataDir, made: Manifest) -> bytes | None:
    """The numbers of tags that belong to the history; None when they are there already.

    Raises:
        StoreError: Those that are there are others: history would be shown under wrong names.
    """
    if IDS not in made.files:
        return None
    theirs = (source / IDS).read_bytes()
    if hashlib.blake2b(theirs, digest_size=32).hexdigest() != made.files[IDS].digest:
        raise StoreError(f"{source / IDS}: its bytes are not those that were written; nothing was restored")
    if not data.tag_ids.exists():
        return theirs
    ours: dict[str, int] = orjson.loads(data.tag_ids.read_bytes())
    wanted: dict[str, int] = orjson.loads(theirs)
    numbers = {number: path for path, number in ours.items()}
    for path, number in wanted.items():
        if ours.get(path, number) != number or numbers.get(number, path) != path:
            raise StoreError(
                f"{data.tag_ids} gives {path} another number than the backup ({number}): history would stand under wrong "
                "names. Restore into a new data directory, or move that file away as well"
            )
    return orjson.dumps(ours | wanted)
