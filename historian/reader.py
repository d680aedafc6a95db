"""History for reading, beside its writer or without one."""

from __future__ import annotations

from pathlib import Path

from historian.sqlite import SqliteStore
from historian.store import Store


def open_reader(folder: Path) -> Store:
    """The history in a data directory's `history` folder.

    Raises:
        StoreError: There is none yet, or it cannot be read.
    """
    return SqliteStore.reader(folder)
