"""A store that cannot be read is put aside, so that the plant goes on being recorded and nothing is thrown away."""

from __future__ import annotations

import contextlib
import shutil
from datetime import UTC, datetime
from pathlib import Path

from historian.connect import FILE


def move_aside(folder: Path, utc_ns: int) -> Path:
    """Renames the store's files to `history.sqlite.damaged-<time>…`.

    Args:
        folder: The data directory's `history` folder.
        utc_ns: Now, ns UTC, for the name.

    Returns:
        The new path of the main file.

    Raises:
        OSError: The disk does not let it.
    """
    stamp = _stamp(utc_ns)
    aside = folder / f"{FILE}.damaged-{stamp}"
    for ending in ("", "-wal", "-shm"):
        part = folder / f"{FILE}{ending}"
        if part.exists():
            part.rename(folder / f"{aside.name}{ending}")
    return aside


def set_log_aside(path: Path, utc_ns: int) -> Path:
    """Copies the write-ahead log of a database to `…-wal.damaged-<time>`, for whoever wants to repair it.

    Args:
        path: Of the database.
        utc_ns: Now, ns UTC, for the name.

    Returns:
        The path of the copy, also when the disk did not let it be made.
    """
    log = path.with_name(f"{path.name}-wal")
    copy = log.with_name(f"{log.name}.damaged-{_stamp(utc_ns)}")
    with contextlib.suppress(OSError):
        shutil.copyfile(log, copy)
    return copy


def _stamp(utc_ns: int) -> str:
    return datetime.fromtimestamp(utc_ns // 1_000_000_000, UTC).strftime("%Y%m%dT%H%M%S")
