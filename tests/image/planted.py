"""Readers and writers with one check left out each. The torture test must catch every one of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

from tags import events, image, ring, slots
from tags.mapped import Position


class NoCompare(image.ImageReader):
    """Takes a copy for whole without looking whether a publish began meanwhile."""

    def _unchanged(self, end: int) -> bool:
        return True


class NoRepair(image.ImageWriter):
    """Goes on after a writer that died inside a publish as if its rows were whole."""

    @classmethod
    def open(cls, path: Path, epoch: int) -> Self:
        writer = cls(path)
        writer._words[image.EPOCH] = epoch
        writer._words[image.END] = writer._words[image.BEGIN]
        return writer


class NoReserve(ring.RingWriter):
    """Overwrites without saying so first."""

    def _reserve(self, end: int) -> None:
        pass


class NoMark(ring.RingWriter):
    """Begins an epoch without its mark."""

    @classmethod
    def open(cls, path: Path, epoch: int) -> Self:
        writer = cls(path)
        writer._repair(epoch)
        return writer

    def _repair(self, epoch: int) -> None:
        self._words[ring.RESERVED] = self._words[ring.COMMITTED]


class NoOverwrittenCheck(ring.RingReader):
    """Trusts its copy whatever the writer did meanwhile."""

    def _overwritten(self, start: int, count: int) -> int:
        return 0


class NoContinuityCheck(ring.RingReader):
    """Takes a position of another numbering for one of this ring."""

    def _continues(self, position: Position) -> bool:
        return True


class NoTail(events.EventWriter):
    """Overwrites records without moving the tail first."""

    def _make_room(self, least: int) -> None:
        pass


class NoWholeCheck(events.EventReader):
    """Trusts its copy, and records whatever their sum."""

    def _whole(self, start: int) -> bool:
        return True

    def _sound(self, payload: bytes, crc: int) -> bool:
        return True


class NoEventContinuityCheck(events.EventReader):
    """Takes a position of another numbering for one of this ring."""

    def _continues(self, position: Position) -> bool:
        return True


class NoSum(slots.SlotReader):
    """Takes a slot for whole without looking."""

    def _is_whole(self, payload: bytes, same_version: bool, crc: int) -> bool:
        return True


# name: (class to replace, replacement)
PLANTED: Final[dict[str, tuple[str, Callable[..., Any]]]] = {
    "image-reader-does-not-compare": ("ImageReader", NoCompare),
    "image-writer-does-not-repair": ("ImageWriter", NoRepair),
    "ring-writer-does-not-reserve": ("RingWriter", NoReserve),
    "ring-writer-leaves-out-the-epoch": ("RingWriter", NoMark),
    "ring-reader-does-not-check-the-copy": ("RingReader", NoOverwrittenCheck),
    "ring-reader-ignores-the-epoch": ("RingReader", NoContinuityCheck),
    "event-writer-does-not-move-the-tail": ("EventWriter", NoTail),
    "event-reader-does-not-check-the-copy": ("EventReader", NoWholeCheck),
    "event-reader-ignores-the-epoch": ("EventReader", NoEventContinuityCheck),
    "slot-reader-does-not-check-the-sum": ("SlotReader", NoSum),
}
