"""The digest of a day's file: what is in it, in order, in 32 bytes. Who has it from elsewhere can tell whether the file is the one that was sealed."""

from __future__ import annotations

import hashlib
import sqlite3
import struct
from typing import Any, Final, NamedTuple

TABLES: Final = ("tag", "times", "chunk")
_SIZE: Final = struct.Struct("<I")
_INTEGER: Final = struct.Struct("<q")
_REAL: Final = struct.Struct("<d")


class Seal(NamedTuple):
    """One sealing of a day. A day that got late samples has several; the last one counts.

    Attributes:
        day: Counted from 1970-01-01.
        key: Of the day's file.
        utc_ns: When it was sealed, UTC, ns.
        chunks: In it then.
        samples: In it then.
        digest: See `digest`.
        gone_ns: When the file was deleted, UTC, ns; None while it is kept.
    """

    day: int
    key: str
    utc_ns: int
    chunks: int
    samples: int
    digest: bytes
    gone_ns: int | None


def digest(db: sqlite3.Connection) -> bytes:
    """BLAKE2b with 32 bytes over the tables `tag`, `times` and `chunk`, each row by row in the order of `id`.

    Of each table the name, then of each row every column in the order in which the table has them: one byte that tells
    what follows (`n` nothing, `i` an i64, `r` an f64, `t` text in UTF-8, `b` bytes; the last two with their length as
    u32 in front), little-endian.

    Args:
        db: To the file of a day.

    Raises:
        sqlite3.Error: It cannot be read.
    """
    found = hashlib.blake2b(digest_size=32)
    for table in TABLES:
        found.update(_coded(table))
        for row in db.execute(f"SELECT * FROM {table} ORDER BY id"):  # noqa: S608 - our own names
            for value in row:
                found.update(_coded(value))
    return found.digest()


def _coded(value: Any) -> bytes:
    if value is None:
        return b"n"
    if isinstance(value, int):
        return b"i" + _INTEGER.pack(value)
    if isinstance(value, float):
        return b"r" + _REAL.pack(value)
    if isinstance(value, str):
        text = value.encode()
        return b"t" + _SIZE.pack(len(text)) + text
    blob = bytes(value)
    return b"b" + _SIZE.pack(len(blob)) + blob
