"""The frames that recordings are made of: checksummed, compressed, and found again behind damage.

A file is frames one after the other: mark `CLf2`, kind, length and CRC-32 of the payload. After damage a reader goes on at
the next mark with a right sum.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import zstandard

MARK: Final = b"CLf2"
PAYLOAD_MAX: Final = 64 << 20
_HEAD: Final = struct.Struct("<4scII")

HEAD, SITE, RECORDS, CHUNK = b"H", b"W", b"R", b"B"
"""Kinds: what the file is; the compiled site; records of the ring as they came; a packed chunk of them."""


class Frame(NamedTuple):
    """One frame.

    Attributes:
        kind: One of the kinds, or empty.
        payload: Uncompressed.
        end: Where it ends in the file.
        damaged: Bytes before it that are no frame.
    """

    kind: bytes
    payload: bytes
    end: int
    damaged: int = 0


def frame(kind: bytes, payload: bytes, level: int = 3) -> bytes:
    """A frame of a payload."""
    packed = zstandard.compress(payload, level)
    return _HEAD.pack(MARK, kind, len(packed), zlib.crc32(kind + packed)) + packed


def read(path: Path) -> Iterator[Frame]:
    """The whole frames of a file, in order; what is damaged at its end comes as one without a kind.

    Raises:
        OSError: It cannot be read.
    """
    data = path.read_bytes()
    at = good = 0
    unpacker = zstandard.ZstdDecompressor()
    while (at := data.find(MARK, at)) >= 0:
        found = _frame_at(data, at, unpacker)
        if found is None:
            at += 1
            continue
        kind, payload, end = found
        yield Frame(kind, payload, end, at - good)
        at = good = end
    if good < len(data):
        yield Frame(b"", b"", len(data), len(data) - good)


def _frame_at(data: bytes, at: int, unpacker: zstandard.ZstdDecompressor) -> tuple[bytes, bytes, int] | None:
    if len(data) < at + _HEAD.size:
        return None
    _, kind, length, crc = _HEAD.unpack_from(data, at)
    end = at + _HEAD.size + length
    packed = data[at + _HEAD.size : end]
    if len(packed) < length or zlib.crc32(kind + packed) != crc:
        return None
    try:
        return kind, unpacker.decompress(packed, PAYLOAD_MAX), end
    except zstandard.ZstdError:
        return None
