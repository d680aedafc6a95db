"""The latest of one thing in two checksummed slots: control's state, the table of forces.

The writer fills the slot that is not current and then moves `version`. One whole slot is always there, also when the
writer dies inside a write.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Final, Self

from tags.mapped import HEADER_BYTES, TRIES, Mapped, create, word_bytes

__all__ = ["SlotReader", "SlotWriter"]

KIND: Final = b"CLSLOTS1"
CAPACITY, EPOCH, VERSION = 2, 8, 16
_HEAD: Final = struct.Struct("<QII")  # version, length, CRC-32 of payload


class _Slots:
    def __init__(self, path: Path, *, writable: bool) -> None:
        self._mapped = Mapped(path, KIND, writable=writable, populate=writable)
        self._words = self._mapped.words
        self._bytes = memoryview(self._mapped.map)[HEADER_BYTES:]
        self.capacity = int(self._words[CAPACITY])

    @property
    def version(self) -> int:
        """Number of writes since the file was made, live; 0 before the first."""
        return self._words[VERSION]

    @property
    def epoch(self) -> int:
        """Of the last writer."""
        return self._words[EPOCH]

    def _place(self, version: int) -> int:
        return (version & 1) * (_HEAD.size + self.capacity)

    def close(self) -> None:
        """Lets go of the file; the file stays."""
        self._bytes.release()
        self._mapped.close()


class SlotWriter(_Slots):
    """The one writer."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, writable=True)

    @classmethod
    def create(cls, path: Path, capacity: int, epoch: int = 0) -> Self:
        """Makes empty slots.

        Args:
            path: Of the file; one of that name is replaced.
            capacity: Largest payload, bytes; rounded up to a multiple of 8.
            epoch: Of the writer.
        """
        capacity = (capacity + 7) // 8 * 8
        contents = [(8 * CAPACITY, word_bytes(capacity)), (8 * EPOCH, word_bytes(epoch))]
        create(path, KIND, HEADER_BYTES + 2 * (_HEAD.size + capacity), contents)
        return cls(path)

    @classmethod
    def open(cls, path: Path, epoch: int = 0) -> Self:
        """Takes over from a writer that is dead; nothing needs repair.

        Raises:
            ImageError: Absent or of another kind.
        """
        slots = cls(path)
        slots._words[EPOCH] = epoch
        return slots

    def write(self, payload: bytes) -> None:
        """Replaces the payload.

        Raises:
            ValueError: More than the capacity.
        """
        if len(payload) > self.capacity:
            raise ValueError(f"{self._mapped.path}: {len(payload)} bytes; at most {self.capacity} fit")
        version = self._words[VERSION] + 1
        at = self._place(version)
        _HEAD.pack_into(self._bytes, at, version, len(payload), zlib.crc32(payload))
        self._bytes[at + _HEAD.size : at + _HEAD.size + len(payload)] = payload
        self._words[VERSION] = version


class SlotReader(_Slots):
    """A reader; any number of them."""

    def __init__(self, path: Path) -> None:
        """Maps the slots.

        Raises:
            ImageError: Absent, or not slots of this version.
        """
        super().__init__(path, writable=False)

    def read(self) -> bytes | None:
        """The newest whole payload; None before the first write, or when the writer was in the way 8 times."""
        for _ in range(TRIES):
            version = self.version
            if version == 0:
                return None
            at = self._place(version)
            written, length, crc = _HEAD.unpack_from(self._bytes, at)
            payload = bytes(self._bytes[at + _HEAD.size : at + _HEAD.size + min(length, self.capacity)])
            if self._is_whole(payload, written == version, crc):
                return payload
        return None

    def _is_whole(self, payload: bytes, same_version: bool, crc: int) -> bool:
        """The slot was not written during the copy; tests plant its absence."""
        return same_version and zlib.crc32(payload) == crc

    def replaced(self) -> bool:
        """True when the plant was started anew: open another reader."""
        return self._mapped.replaced()
