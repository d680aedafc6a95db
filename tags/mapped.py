"""Files that are mapped into memory by several processes: made whole, opened, and their live 8-byte words.

Every such file begins with a magic word and its size. The rest of the layout belongs to the module that uses it
(`image`, `ring`, `events`, `slots`). A word is loaded and stored as one aligned 8-byte move; x86 keeps the order of
stores and of loads (TSO), so plain stores are enough. Do not port this to ARM without fences.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

HEADER_BYTES: Final = 4096
MAGIC, SIZE = 0, 1  # words of every file
TRIES: Final = 8  # a reader never waits for a writer: it tries this often, then keeps what it has


class ImageError(Exception):
    """A mapped file is absent, or not of the kind or shape that was asked for."""


class Position(NamedTuple):
    """Where a reader of a ring stands.

    Attributes:
        epoch: Epoch of the writer whose records it read last.
        sequence: Number of the next record to read. Numbers go on over epochs.
    """

    epoch: int
    sequence: int


def create(path: Path, kind: bytes, size: int, contents: Iterable[tuple[int, bytes]]) -> None:
    """Makes a file of `size` bytes, zero but for `contents`, and puts it in place in one step.

    The space is allocated now, so that a full tmpfs is an error here and never a SIGBUS in a store later. Readers
    that still map an older file of this name keep that one; `Mapped.replaced` tells them.

    Args:
        path: Where it shall be.
        kind: 8 bytes that name the kind and version of the layout.
        size: Bytes in all, header included.
        contents: (offset, bytes) pieces written over the zeros.

    Raises:
        OSError: No space or no permission.
    """
    fresh = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from None
        os.pwrite(descriptor, kind + size.to_bytes(8, "little"), 0)
        for offset, piece in contents:
            os.pwrite(descriptor, piece, offset)
    finally:
        os.close(descriptor)
    fresh.rename(path)


class Mapped:
    """One mapped file.

    Attributes:
        path: Of the file.
        words: The header as 64-bit words, live.
        map: The whole file.
    """

    def __init__(self, path: Path, kind: bytes, *, writable: bool, populate: bool = False) -> None:
        """Maps an existing file.

        Args:
            path: Of the file.
            kind: Its magic word.
            writable: Map for writing too; exactly one process may.
            populate: Fault all pages in now, not in the first access.

        Raises:
            ImageError: Absent, or of another kind or size.
        """
        self.path = path
        try:
            descriptor = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC)
        except FileNotFoundError:
            raise ImageError(f"{path} does not exist. Is the plant running?") from None
        try:
            status = os.fstat(descriptor)
            head = os.pread(descriptor, 16, 0)
            if head[:8] != kind or int.from_bytes(head[8:], "little") != status.st_size:
                raise ImageError(f"{path} is not a {kind.decode()} file of this version")
            self.map = mmap.mmap(
                descriptor,
                status.st_size,
                flags=mmap.MAP_SHARED | (mmap.MAP_POPULATE if populate else 0),
                prot=mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0),
            )
        finally:
            os.close(descriptor)
        self._file = (status.st_dev, status.st_ino)
        self.words = memoryview(self.map)[:HEADER_BYTES].cast("Q")

    def replaced(self) -> bool:
        """True when another file stands at the path now: the plant was started again; open anew."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return True
        return (status.st_dev, status.st_ino) != self._file

    def close(self) -> None:
        """Unmaps the file as soon as no array looks into it any more."""
        self.words.release()
        with contextlib.suppress(BufferError):
            self.map.close()


def word_bytes(*words: int) -> bytes:
    """Words as they lie in the file, little endian."""
    return b"".join(word.to_bytes(8, "little") for word in words)
