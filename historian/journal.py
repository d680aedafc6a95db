"""Rows of the journal: one for each commit, with a checksum over all that is in it."""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Mapping
from typing import Final, NamedTuple

import orjson

from tags.mapped import Position

COLUMNS: Final = "seq, t0, t1, n, samples, utc_ns, positions, crc"
_INSERT: Final = (
    "INSERT INTO journal (seq, t0, t1, n, samples, utc_ns, positions, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_NUMBERS: Final = struct.Struct("<qqqqq")


class JournalRow(NamedTuple):
    """One commit.

    Attributes:
        seq: Its number; those of a store rise without holes.
        t0: Oldest source time in it, UTC, ns.
        t1: Newest source time in it.
        n: Samples in it.
        samples: `codec.unpack_batch` reads it.
        utc_ns: When the batch was made, UTC, ns.
        positions: JSON: `[[writer, ring, epoch, sequence], …]`, how far each ring was read with it.
        crc: CRC-32 of all that; None in a row of an earlier version.
    """

    seq: int
    t0: int
    t1: int
    n: int
    samples: bytes
    utc_ns: int
    positions: str
    crc: int | None

    @property
    def sound(self) -> bool:
        """It is what was written, as far as its own checksum can tell."""
        return self.crc is None or self.crc == checksum(self)


def checksum(row: JournalRow) -> int:
    """CRC-32 of the row's samples, then its numbers as five i64 (seq, t0, t1, n, utc_ns), then its positions in UTF-8."""
    numbers = _NUMBERS.pack(row.seq, row.t0, row.t1, row.n, row.utc_ns)
    return zlib.crc32(row.positions.encode(), zlib.crc32(numbers, zlib.crc32(row.samples)))


def insert(db: sqlite3.Connection, row: JournalRow) -> None:
    """Writes a row with its checksum."""
    db.execute(_INSERT, (*row[:-1], checksum(row)))


def next_seq(db: sqlite3.Connection) -> int:
    """The number of the next commit; call it in the transaction that writes it."""
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'journal'").fetchone()
    return (row[0] if row else 0) + 1


def reached(positions: Mapping[tuple[str, str], Position]) -> str:
    """Positions as a row has them."""
    return orjson.dumps([[*key, *position] for key, position in positions.items()]).decode()
