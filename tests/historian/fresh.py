"""Stores for properties: each example has one of its own, in memory."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from historian.sqlite import SqliteStore


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """An empty folder on a file system in memory."""
    with tempfile.TemporaryDirectory(prefix="history-", dir="/dev/shm") as name:
        yield Path(name)


@contextlib.contextmanager
def fresh() -> Iterator[SqliteStore]:
    """An empty store."""
    with folder() as path, contextlib.closing(SqliteStore.writer(path)) as store:
        yield store
