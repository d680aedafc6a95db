"""How `history.sqlite` is opened, and what its errors are called."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from historian import schema
from historian.store import StoreDamagedError, StoreError

FILE: Final = "history.sqlite"


def identity(path: Path) -> tuple[int, int]:
    """Device and inode of a file.

    Raises:
        OSError: There is none.
    """
    info = path.stat()
    return info.st_dev, info.st_ino


def connect_reader(path: Path) -> tuple[sqlite3.Connection, tuple[int, int]]:
    """A connection that only reads, and the identity of the file that it has open.

    Raises:
        sqlite3.Error: It is no history, or cannot be read.
        OSError: There is none.
    """
    file = identity(path)
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=2.0)
    connection.text_factory = schema.text
    try:
        schema.check(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection, file


@contextlib.contextmanager
def errors(path: Path) -> Iterator[None]:
    """SQLite's errors as ours, with the file's name."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path}: {error}") from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise StoreDamagedError(f"{path}: {error}") from error
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from error
