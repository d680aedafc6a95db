"""The change ring of one writer: every change of its tags in order, in fixed records of 32 bytes.

The writer sets `reserved`, writes, sets `committed`. A reader copies up to `committed` and then looks at `reserved`:
what lies more than a ring's length behind it may have been overwritten during the copy and is counted as lost. So a
slow reader slows nobody and knows exactly what it lost. Record numbers go on over restarts of the writer (epochs), and
over a new file too as long as the old one was there to read the number from; where they do not (`since`, the first
epoch of the numbering), a reader with an older position is told that it lost at least one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from tags.mapped import HEADER_BYTES, TRIES, ImageError, Mapped, Position, create, word_bytes

__all__ = ["CHANGE", "Position", "RingReader", "RingWriter"]

CHANGE: Final = np.dtype(
    [("tag", "<u4"), ("status", "<u4"), ("source_ns", "<i8"), ("publish_ns", "<i8"), ("bits", "<u8")]
)
EPOCH_MARK: Final = 0  # the tag of a record that only says that a new writer began; its bits are the epoch

KIND: Final = b"CLRING01"
CAPACITY, FIRST, SINCE, EPOCH, RESERVED, COMMITTED = 2, 3, 4, 8, 16, 24

Changes = npt.NDArray[np.void]


def _records(mapped: Mapped) -> npt.NDArray[np.uint64]:
    """The records as rows of four words: numpy copies these as one block, structured records one by one."""
    return np.frombuffer(mapped.map, "<u8", offset=HEADER_BYTES).reshape(-1, 4)


def _as_words(records: Changes) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(records).view("<u8").reshape(-1, 4)


class RingWriter:
    """The one writer of a ring."""

    def __init__(self, path: Path) -> None:
        self._mapped = Mapped(path, KIND, writable=True, populate=True)
        self._words = self._mapped.words
        self._records = _records(self._mapped)
        self.capacity = int(self._words[CAPACITY])

    @classmethod
    def create(cls, path: Path, capacity: int, epoch: int = 0) -> Self:
        """Makes an empty ring; takes its first record number from the ring that it replaces, if there is one.

        Args:
            path: Of the file.
            capacity: Records, at least 2.
            epoch: Of the writer.
        """
        first, since = 0, epoch
        try:
            old = Mapped(path, KIND, writable=False)
        except ImageError:
            pass
        else:
            first, since = max(old.words[RESERVED], old.words[COMMITTED]), old.words[SINCE]
            old.close()
        contents = [
            (8 * CAPACITY, word_bytes(capacity, first, since)),
            (8 * EPOCH, word_bytes(epoch)),
            (8 * RESERVED, word_bytes(first)),
            (8 * COMMITTED, word_bytes(first)),
        ]
        create(path, KIND, HEADER_BYTES + CHANGE.itemsize * capacity, contents)
        return cls(path)

    @classmethod
    def open(cls, path: Path, epoch: int) -> Self:
        """Takes over the ring of a writer that is dead, and appends the mark of the new epoch.

        Records that the dead writer reserved and did not commit were never published; they become epoch marks, as
        the records that they overwrote are gone.

        Raises:
            ImageError: Absent or of another kind.
        """
        ring = cls(path)
        words = ring._words
        ring._repair(epoch)
        words[EPOCH] = epoch
        ring.append(_marks(1, epoch))
        return ring

    def append(self, records: Changes) -> None:
        """Appends records in order.

        Args:
            records: Shape (n,), dtype `CHANGE`.
        """
        rows = _as_words(records)
        words, ring, capacity = self._words, self._records, self.capacity
        step = capacity // 2  # a reservation must never reach what it reserves
        for start in range(0, len(rows), step):
            piece = rows[start : start + step]
            number = words[COMMITTED]
            count = len(piece)
            self._reserve(number + count)
            at = number % capacity
            head = min(count, capacity - at)
            ring[at : at + head] = piece[:head]
            if head < count:
                ring[: count - head] = piece[head:]
            words[COMMITTED] = number + count

    def _reserve(self, end: int) -> None:
        """Says which records are about to be overwritten; tests plant its absence."""
        self._words[RESERVED] = end

    def _repair(self, epoch: int) -> None:
        words = self._words
        number, end = words[COMMITTED], words[RESERVED]
        if end > number:
            self._records[np.arange(number, end) % self.capacity] = _as_words(_marks(end - number, epoch))
            words[COMMITTED] = end

    def close(self) -> None:
        """Lets go of the file; the file stays."""
        self._mapped.close()


class RingReader:
    """A reader of a ring; it starts at the oldest record that is there, or where a position says."""

    def __init__(self, path: Path, position: Position | None = None) -> None:
        """Maps a ring.

        Args:
            path: Of the file.
            position: Where an earlier reader stood, to go on there.

        Raises:
            ImageError: Absent, or not a ring of this version.
        """
        self._mapped = Mapped(path, KIND, writable=False)
        self._words = words = self._mapped.words
        self._records = _records(self._mapped)
        self.capacity = int(words[CAPACITY])
        self._unreported = 0
        if position is None:
            self._epoch, self._next = words[EPOCH], self._oldest()
        elif self._continues(position):
            self._epoch, self._next = position
        else:
            self._epoch, self._next, self._unreported = words[EPOCH], self._oldest(), 1

    @property
    def position(self) -> Position:
        """Where to go on."""
        return Position(self._epoch, self._next)

    @property
    def behind(self) -> int:
        """Records committed and not yet read."""
        return max(0, self._words[COMMITTED] - self._next)

    def to_end(self) -> None:
        """Skips everything committed so far; that is not a loss."""
        self._epoch, self._next, self._unreported = self._words[EPOCH], self._words[COMMITTED], 0

    def read(self, limit: int = 65536) -> tuple[Changes, int]:
        """The next records.

        Args:
            limit: At most so many.

        Returns:
            The records (a copy; epoch marks, tag 0, included) and how many were lost before the first of them. A
            loss may be reported with no records.
        """
        lost, self._unreported = self._unreported, 0
        for _ in range(TRIES):
            lost += self._skip_lost()
            start = self._next
            count = min(limit, self._words[COMMITTED] - start)
            if count <= 0:
                break
            copy = np.empty(count, CHANGE)
            rows = copy.view("<u8").reshape(-1, 4)
            at = start % self.capacity
            head = min(count, self.capacity - at)
            rows[:head] = self._records[at : at + head]
            rows[head:] = self._records[: count - head]
            gone = self._overwritten(start, count)
            lost += gone
            self._next = start + count
            if gone < count:
                kept = copy[gone:]
                self._note_epoch(kept)
                return kept, lost
        return np.empty(0, CHANGE), lost

    def replaced(self) -> bool:
        """True when the plant was started anew with another ring file: open another reader at `position`."""
        return self._mapped.replaced()

    def close(self) -> None:
        """Lets go of the file."""
        self._mapped.close()

    def _oldest(self) -> int:
        return max(self._words[FIRST], self._words[RESERVED] - self.capacity)

    def _continues(self, position: Position) -> bool:
        """The position's number belongs to this ring's numbering; tests plant its absence."""
        return position.epoch >= self._words[SINCE] and position.sequence <= self._words[COMMITTED]

    def _skip_lost(self) -> int:
        gone = max(0, self._oldest() - self._next)
        self._next += gone
        return gone

    def _overwritten(self, start: int, count: int) -> int:
        """How many records from `start` on the writer may have overwritten during the copy; tests plant its absence."""
        return min(max(0, self._oldest() - start), count)

    def _note_epoch(self, records: Changes) -> None:
        marks = np.flatnonzero(records["tag"] == EPOCH_MARK)
        if len(marks):
            self._epoch = int(records["bits"][marks[-1]])


def _marks(count: int, epoch: int) -> Changes:
    marks = np.zeros(count, CHANGE)
    marks["bits"] = epoch
    return marks


def changes(tag: Any, status: Any, source_ns: Any, publish_ns: Any, bits: Any, count: int) -> Changes:
    """Records from columns; each argument has shape (count,) or is one value for all."""
    records = np.empty(count, CHANGE)
    records["tag"], records["status"], records["bits"] = tag, status, bits
    records["source_ns"], records["publish_ns"] = source_ns, publish_ns
    return records
