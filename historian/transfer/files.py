"""Text files that grow by blocks: plain, gzip or zstandard, each block whole in itself, so that a cut is a place to go on from."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, cast

import orjson
import zstandard

from scada.datadir import write_file

GZIP, ZSTD, PLAIN = ".gz", ".zst", ""
_READ: Final = 1 << 20


def compression(path: Path) -> str:
    """By the end of the name."""
    return path.suffix if path.suffix in (GZIP, ZSTD) else PLAIN


class Growing:
    """A file that blocks are put behind.

    Args:
        path: Made when it is not there.
        packing: `GZIP`, `ZSTD` or `PLAIN`.
        size: Bytes of it that are known to be right; the rest is cut off.

    Raises:
        OSError: The disk does not let it, or fewer bytes are there.
    """

    def __init__(self, path: Path, packing: str, size: int = 0) -> None:
        self._packing = packing
        self._file = path.open("r+b" if size else "wb")
        if self._file.seek(0, os.SEEK_END) < size:
            self._file.close()
            raise OSError(0, "is shorter than it was when it was left", str(path))
        self._file.truncate(size)
        self._file.seek(size)

    def add(self, block: bytes) -> None:
        """Puts a block behind."""
        if self._packing == GZIP:
            block = gzip.compress(block, 6, mtime=0)
        elif self._packing == ZSTD:
            block = zstandard.ZstdCompressor(3, write_checksum=True).compress(block)
        self._file.write(block)

    def sync(self) -> int:
        """Everything is on the disk; how many bytes."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Lets go of it."""
        self._file.close()


class Counting(io.RawIOBase):
    """The bytes of a file, unpacked by the end of its name; knows how many of the file itself were read.

    Args:
        path: To read.
        packing: `GZIP`, `ZSTD` or `PLAIN`; None for what the name says.
    """

    def __init__(self, path: Path, packing: str | None = None) -> None:
        self._raw = path.open("rb")
        packing = compression(path) if packing is None else packing
        self._file: IO[bytes] = self._raw
        if packing == GZIP:
            self._file = cast("IO[bytes]", gzip.GzipFile(fileobj=self._raw))
        elif packing == ZSTD:
            self._file = cast(
                "IO[bytes]", zstandard.ZstdDecompressor().stream_reader(self._raw, read_across_frames=True)
            )

    def readable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def readinto(self, buffer: object) -> int:
        """See `io.RawIOBase`.

        Raises:
            OSError: It is not what a packer wrote.
        """
        view = memoryview(cast("bytearray", buffer))
        try:
            part = self._file.read(len(view))
        except (EOFError, zstandard.ZstdError) as error:
            raise OSError(0, f"cannot be unpacked: {error}", self._raw.name) from None
        view[: len(part)] = part
        return len(part)

    @property
    def done(self) -> int:
        """Bytes of the file that were read."""
        return self._raw.tell()

    def close(self) -> None:
        """Lets go of it."""
        self._file.close()
        self._raw.close()
        super().close()


def lines_in(path: Path, packing: str) -> int:
    """Line feeds in a file."""
    with Counting(path, packing) as file:
        return sum(part.count(b"\n") for part in _parts(file))


def _parts(file: Counting) -> Iterator[bytes]:
    buffer = bytearray(_READ)
    while n := file.readinto(buffer):
        yield bytes(memoryview(buffer)[:n])


def write_json(path: Path, document: object) -> None:
    """Writes a file so that it is there whole or not at all, also after a power cut."""
    write_file(path, orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
