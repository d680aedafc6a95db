"""A ring of records of any size up to 60 KB: events, texts, recordings.

Each record is (length u32, CRC-32 u32, sequence u64, payload, filling, sequence u64), a multiple of 16 bytes; none wraps
around the end. `head` is where the next record goes and `tail` where the oldest whole one begins, both in bytes since
the ring began. The writer moves `tail` before it overwrites and `head` after it has written. A reader that was lapped
goes on at `tail`, and the sequence number there tells exactly how many records it lost. A writer that died inside an
append leaves nothing to repair: what lies behind `head` was never there.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Final, Self

from tags.mapped import HEADER_BYTES, TRIES, ImageError, Mapped, Position, create, word_bytes

__all__ = ["PAYLOAD_MAX", "EventReader", "EventWriter", "Position"]

PAYLOAD_MAX: Final = 60 * 1024
CAPACITY_MIN: Final = 128 * 1024
CHUNK: Final = 256 * 1024  # copied at once by a reader

KIND: Final = b"CLEVENT1"
CAPACITY, FIRST, SINCE, EPOCH, TAIL, HEAD = 2, 3, 4, 8, 16, 24
_HEAD: Final = struct.Struct("<IIQ")
_FOOT: Final = struct.Struct("<Q")
_FILLER: Final = 0xFFFF_FFFF  # length of the record that fills the ring up to its end


def _size(length: int) -> int:
    return (_HEAD.size + length + _FOOT.size + 15) // 16 * 16


class _Ring:
    """What writer and reader share: the mapped file and how to walk in it."""

    def __init__(self, path: Path, *, writable: bool) -> None:
        self._mapped = Mapped(path, KIND, writable=writable, populate=writable)
        self._words = self._mapped.words
        self._bytes = memoryview(self._mapped.map)[HEADER_BYTES:]
        self.capacity = int(self._words[CAPACITY])

    def _end(self) -> tuple[int, int]:
        """`head`, and the number of the record that will begin there: it follows the one that ends there."""
        for _ in range(TRIES):
            head = self._words[HEAD]
            if head == 0:
                return 0, self._words[FIRST]
            last: int = _FOOT.unpack_from(self._bytes, (head - _FOOT.size) % self.capacity)[0]
            if self._words[TAIL] < head:
                return head, last + 1
        raise ImageError(f"{self._mapped.path} is written too fast to find its end")

    def numbering(self) -> tuple[int, int]:
        """The number of the next record, and the first epoch of the numbering."""
        return self._end()[1], self._words[SINCE]

    def _after(self, place: int) -> int:
        """Where the record after the one at `place` begins."""
        at = place % self.capacity
        length = _HEAD.unpack_from(self._bytes, at)[0]
        return place + (self.capacity - at if length == _FILLER else _size(length))

    def replaced(self) -> bool:
        """True when the plant was started anew with another ring file: open another reader at `position`."""
        return self._mapped.replaced()

    def close(self) -> None:
        """Lets go of the file; the file stays."""
        self._bytes.release()
        self._mapped.close()


class EventWriter(_Ring):
    """The one writer of an event ring."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, writable=True)
        _, self._next = self._end()

    @classmethod
    def create(cls, path: Path, capacity: int, epoch: int = 0) -> Self:
        """Makes an empty ring; goes on with the sequence numbers of the one that it replaces, if there is one.

        Args:
            path: Of the file.
            capacity: Bytes, a multiple of 16, at least 128 KB so that the largest record always fits.
            epoch: Of the writer.

        Raises:
            ValueError: A capacity that is too small or not a multiple of 16.
        """
        if capacity % 16 or capacity < CAPACITY_MIN:
            raise ValueError(
                f"capacity of {capacity} bytes: take a multiple of 16 of at least {CAPACITY_MIN}"
            )
        following, since = 0, epoch
        try:
            old = _Ring(path, writable=False)
        except ImageError:
            pass
        else:
            following, since = old.numbering()
            old.close()
        contents = [(8 * CAPACITY, word_bytes(capacity, following, since)), (8 * EPOCH, word_bytes(epoch))]
        create(path, KIND, HEADER_BYTES + capacity, contents)
        return cls(path)

    @classmethod
    def open(cls, path: Path, epoch: int) -> Self:
        """Takes over the ring of a writer that is dead.

        Raises:
            ImageError: Absent or of another kind.
        """
        ring = cls(path)
        ring._words[EPOCH] = epoch
        return ring

    def append(self, payload: bytes) -> int:
        """Appends one record.

        Args:
            payload: At most 60 KB.

        Returns:
            Its sequence number.

        Raises:
            ValueError: Too long.
        """
        if len(payload) > PAYLOAD_MAX:
            raise ValueError(f"event of {len(payload)} bytes; at most {PAYLOAD_MAX} fit")
        ring, capacity, sequence = self._bytes, self.capacity, self._next
        head = self._words[HEAD]
        size = _size(len(payload))
        at = head % capacity
        filler = capacity - at if capacity - at < size else 0
        end = head + filler + size
        self._make_room(end - capacity)
        if filler:
            _HEAD.pack_into(ring, at, _FILLER, 0, 0)
            at = 0
        _HEAD.pack_into(ring, at, len(payload), zlib.crc32(payload), sequence)
        ring[at + _HEAD.size : at + _HEAD.size + len(payload)] = payload
        _FOOT.pack_into(ring, at + size - _FOOT.size, sequence)
        self._words[HEAD] = end
        self._next = sequence + 1
        return sequence

    def _make_room(self, least: int) -> None:
        """Moves the tail over whole records up to `least`, before they are overwritten; tests plant its absence."""
        tail = self._words[TAIL]
        while tail < least:
            tail = self._after(tail)
        self._words[TAIL] = tail


class EventReader(_Ring):
    """A reader of an event ring; it starts at the oldest record that is there, or where a position says."""

    def __init__(self, path: Path, position: Position | None = None) -> None:
        """Maps an event ring.

        Args:
            path: Of the file.
            position: Where an earlier reader stood, to go on there.

        Raises:
            ImageError: Absent, or not an event ring of this version.
        """
        super().__init__(path, writable=False)
        self._unreported = 0
        self.to_oldest()
        if position is not None:
            if self._continues(position):
                self._next = position.sequence
            else:
                self._unreported = 1

    @property
    def position(self) -> Position:
        """Where to go on."""
        return Position(self._words[EPOCH], self._next)

    @property
    def behind(self) -> int:
        """Bytes of records not yet read."""
        return self._words[HEAD] - max(self._at, self._words[TAIL])

    def to_end(self) -> None:
        """Skips everything that is there; that is not a loss."""
        self._unreported = 0
        self._at, self._next = self._end()

    def to_oldest(self) -> None:
        """Goes back to the oldest record that is there."""
        self._unreported = 0
        for _ in range(TRIES):
            self._at = tail = self._words[TAIL]
            if tail == self._words[HEAD]:
                self._at, self._next = self._end()
                return
            length, _, sequence = _HEAD.unpack_from(self._bytes, tail % self.capacity)
            if length == _FILLER:
                sequence = _HEAD.unpack_from(self._bytes, 0)[2]
            if self._words[TAIL] == tail:
                self._next = sequence
                return
        raise ImageError(f"{self._mapped.path} is written too fast to find its oldest record")

    def read(self, limit: int = 1000) -> tuple[list[tuple[int, bytes]], int]:
        """The next records.

        Args:
            limit: At most so many.

        Returns:
            (sequence number, payload) of each, and how many were lost before or between them.
        """
        lost, self._unreported = self._unreported, 0
        found: list[tuple[int, bytes]] = []
        laps = 0
        while laps < TRIES and not found:
            start = self._at = max(self._at, self._words[TAIL])
            chunk = self._copy(start)
            if not self._whole(start):
                laps += 1  # overwritten during the copy: go on at the new tail
                continue
            if chunk:
                lost += self._parse(chunk, limit, found)
            if self._at == start:
                break
        return found, lost

    def _copy(self, start: int) -> bytes:
        """Bytes from `start` to the head, the ring's end or a chunk's length, whichever comes first."""
        at = start % self.capacity
        length = min(self._words[HEAD] - start, self.capacity - at, CHUNK)
        return bytes(self._bytes[at : at + max(0, length)])

    def _parse(self, chunk: bytes, limit: int, found: list[tuple[int, bytes]]) -> int:
        """Takes whole records out of a chunk and moves on; returns how many numbers are missing between them."""
        base = lost = 0
        while base < len(chunk) and len(found) < limit:
            length, crc, sequence = _HEAD.unpack_from(chunk, base)
            if length == _FILLER:
                self._at += self.capacity - self._at % self.capacity
                break
            size = _size(length)
            if base + size > len(chunk):
                # A chunk holds the largest record; one that does not fit at its start is damaged.
                return lost + (0 if base else self._skip_damaged())
            payload = chunk[base + _HEAD.size : base + _HEAD.size + length]
            base += size
            self._at += size
            # A record of wrong sum is left out: its number is missing, so it counts as lost.
            if sequence >= self._next and self._sound(payload, crc):
                lost += sequence - self._next
                self._next = sequence + 1
                found.append((sequence, payload))
        return lost

    def _skip_damaged(self) -> int:
        """Goes on at the end; returns how many records that leaves out."""
        before = self._next
        self._at, self._next = self._end()
        return max(0, self._next - before)

    def _continues(self, position: Position) -> bool:
        """The position's number belongs to this ring's numbering; tests plant its absence."""
        return position.epoch >= self._words[SINCE] and position.sequence <= self._end()[1]

    def _whole(self, start: int) -> bool:
        """Nothing from `start` on was overwritten during the copy; tests plant its absence."""
        return self._words[TAIL] <= start

    def _sound(self, payload: bytes, crc: int) -> bool:
        """The record's sum is right; tests plant its absence."""
        return zlib.crc32(payload) == crc
