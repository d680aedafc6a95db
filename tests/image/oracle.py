"""What torture writers write, and how a reader of it knows that nothing is torn, lost or unreported.

Every record says who wrote it (epoch) and its number in that epoch, and everything else in it follows from these two.
A writer notes how many it has handed in (`acked`) after each append. Readers keep what they know in a file, replaced in
one step together with their position, so a killed reader goes on where its knowledge ends.
"""

from __future__ import annotations

import json
import os
import struct
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tags.ring import CHANGE

RECORD = struct.Struct("<IQI")


def ring_records(epoch: int, first: int, count: int) -> npt.NDArray[np.void]:
    """`count` ring records of an epoch from number `first` on."""
    number = np.arange(first, first + count, dtype=np.uint64)
    records = np.empty(count, CHANGE)
    records["bits"] = np.uint64(epoch << 40) | number
    _derive(records)
    return records


def _derive(records: npt.NDArray[np.void]) -> None:
    bits = records["bits"]
    records["tag"] = 1 + bits % 997
    records["status"] = (bits * np.uint64(2654435761)) & np.uint64(0xFFFF_FFFF)
    records["source_ns"] = (bits * np.uint64(7)).view(np.int64)
    records["publish_ns"] = (~bits).view(np.int64)


def torn(records: npt.NDArray[np.void]) -> bool:
    """Some record is not what a writer wrote."""
    right = np.empty(len(records), CHANGE)
    right["bits"] = records["bits"]
    _derive(right)
    return not np.array_equal(right, records)


def event(epoch: int, number: int, length: int) -> bytes:
    """One event payload of about `length` bytes."""
    filler = bytes([(epoch * 31 + number) & 0xFF]) * length
    return RECORD.pack(epoch, number, length) + filler


def parse_event(payload: bytes) -> tuple[int, int] | None:
    """Epoch and number of an event; None when it is not what a writer wrote."""
    if len(payload) < RECORD.size:
        return None
    epoch, number, length = RECORD.unpack_from(payload)
    return (epoch, number) if payload == event(epoch, number, length) else None


class Acked:
    """How many records each epoch handed in, noted after the append."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def put(self, epoch: int, count: int) -> None:
        os.pwrite(self._descriptor, struct.pack("<Q", count), 8 * epoch)

    def get(self, epoch: int) -> int:
        data = os.pread(self._descriptor, 8, 8 * epoch)
        return int(struct.unpack("<Q", data)[0]) if len(data) == 8 else 0


@dataclass
class Knowledge:
    """What a reader knows; `problems` is what the test is about.

    Attributes:
        position: Where it stands, or None at first.
        epoch: Of the newest record seen.
        base: Sequence number of that epoch's record 0.
        number: Number of the newest record seen in its epoch.
        seen: Records read.
        lost: Records reported lost.
        since: A loss was reported after the newest record seen.
    """

    position: tuple[int, int] | None = None
    epoch: int = 0
    base: int = 0
    number: int = -1
    seen: int = 0
    lost: int = 0
    since: bool = False
    marked: int = 0
    problems: list[str] = field(default_factory=list)

    def losing(self, lost: int) -> None:
        """The reader was told that it lost records."""
        self.lost += lost
        self.since = self.since or lost > 0

    def stretch(self, epoch: int, sequence: int, number: int, count: int, acked: Acked) -> None:
        """Records `number`… of one epoch were read at `sequence`…; an earlier loss was told by `losing`."""
        base = sequence - number
        if epoch < self.epoch:
            self.problems.append(f"epoch {epoch} after {self.epoch}")
        elif epoch == self.epoch:
            if base != self.base or number <= self.number:
                self.problems.append(
                    f"epoch {epoch}: record {number} at {sequence}, expected at {self.base + number}"
                )
            elif number != self.number + 1 and not self.since:
                self.problems.append(f"epoch {epoch}: record {number} after {self.number}, loss not reported")
        elif not self.since:
            handed_in = acked.get(self.epoch) if self.epoch else 0
            if self.number + 1 < handed_in:
                self.problems.append(f"epoch {self.epoch} ended at {self.number}, {handed_in} were handed in")
            if number:
                self.problems.append(f"epoch {epoch} began at record {number}, loss not reported")
        self.epoch, self.base, self.number = epoch, base, number + count - 1
        self.seen += count
        self.since = False

    def mark(self, epoch: int) -> None:
        """An epoch mark was read."""
        self.marked = epoch

    def check_marked(self, epoch: int) -> None:
        """A new epoch in a ring must have been announced, unless the mark was among the lost."""
        if epoch not in (self.epoch, self.marked) and not self.since:
            self.problems.append(f"epoch {epoch} began without its mark")

    def finish(self, acked: Acked) -> None:
        """The last writer is gone and the reader has read to the end."""
        handed_in = acked.get(self.epoch)
        if self.number + 1 < handed_in and not self.since:
            self.problems.append(f"epoch {self.epoch} ended at {self.number}, {handed_in} were handed in")

    def save(self, path: Path) -> None:
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self)))
        fresh.replace(path)

    @classmethod
    def load(cls, path: Path) -> Knowledge:
        try:
            return cls(**json.loads(path.read_text()))
        except FileNotFoundError:
            return cls()
