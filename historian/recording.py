"""Recordings of control's inputs: files of one hour, from which any stretch of plant can be replayed.

A file is the magic word and then frames: length u32, CRC-32 u32 (of everything behind it in the frame), sequence u64,
epoch u64, payload. Sequence numbers rise by one; a jump is a loss. A torn last frame (power failure) is cut off when
recording goes on, and left out by `read`.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from scada.clock import Clock
from tags.events import PAYLOAD_MAX, EventReader
from tags.mapped import Position

MAGIC: Final = b"CLREC001"
TOTAL_MAX: Final = 256 << 20
_HEAD: Final = struct.Struct("<II")
_NUMBER: Final = struct.Struct("<QQ")


class Frame(NamedTuple):
    """One recorded payload."""

    epoch: int
    sequence: int
    payload: bytes


def files(folder: Path) -> list[Path]:
    """All recordings, oldest first by name."""
    return sorted(folder.glob("*.rec"))


def read(path: Path) -> Iterator[Frame]:
    """The whole frames of a recording, up to the first that is damaged.

    Raises:
        ValueError: Not a recording.
    """
    for frame, _ in _frames(path):
        yield frame


def _frames(path: Path) -> Iterator[tuple[Frame, int]]:
    """Frames and where each ends in the file."""
    with path.open("rb") as file:
        magic = file.read(len(MAGIC))
        if magic != MAGIC:
            if MAGIC.startswith(magic):
                return  # died before the first frame
            raise ValueError(f"{path} is not a recording")
        end = len(MAGIC)
        while True:
            head = file.read(_HEAD.size)
            if len(head) < _HEAD.size:
                return
            length, crc = _HEAD.unpack(head)
            if length > _NUMBER.size + PAYLOAD_MAX:
                return
            body = file.read(length)
            if len(body) < length or length < _NUMBER.size or zlib.crc32(body) != crc:
                return
            end += _HEAD.size + length
            sequence, epoch = _NUMBER.unpack_from(body)
            yield Frame(epoch, sequence, body[_NUMBER.size :]), end


class Recorder:
    """Copies control's record ring into files, and goes on after a restart where the files end.

    Args:
        folder: For the files.
        ring: The record ring.
        clock: UTC names the files.
        total_max: Bytes of all files together; the oldest are deleted.

    Raises:
        OSError: The folder cannot be read.
    """

    def __init__(self, folder: Path, ring: Path, clock: Clock, total_max: int = TOTAL_MAX) -> None:
        self._folder, self._clock, self._total_max = folder, clock, total_max
        self._pending = b""
        self._file: int | None = None
        self._name = ""
        self._reader = EventReader(ring, self._resume())

    def tick(self) -> int:
        """Writes what is new.

        Returns:
            Bytes written.

        Raises:
            OSError: Disk full or broken. Nothing is lost: the next call tries again; meanwhile the ring is the buffer.
        """
        written = 0
        while self._pending or self._fetch():
            self._write(self._pending)
            written += len(self._pending)
            self._pending = b""
        return written

    def close(self) -> None:
        """Brings everything to the disk and lets go of the files."""
        if self._file is not None:
            os.fsync(self._file)
            os.close(self._file)
            self._file = None
        self._reader.close()

    def _fetch(self) -> bool:
        records, _ = self._reader.read()
        epoch = self._reader.position.epoch
        bodies = [_NUMBER.pack(sequence, epoch) + payload for sequence, payload in records]
        self._pending = b"".join(_HEAD.pack(len(body), zlib.crc32(body)) + body for body in bodies)
        return bool(bodies)

    def _write(self, data: bytes) -> None:
        file = self._open()
        end = os.fstat(file).st_size
        try:
            done = 0
            while done < len(data):
                done += os.write(file, data[done:])
        except OSError:
            os.ftruncate(file, end)
            raise

    def _open(self) -> int:
        """The file of this hour; begins it, and makes room, when the hour is new."""
        name = datetime.fromtimestamp(self._clock.utc_ns() // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H.rec")
        if self._file is not None and name == self._name:
            return self._file
        if self._file is not None:
            os.fsync(self._file)
            os.close(self._file)
            self._file = None
        self._make_room()
        self._file = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._name = name
        if os.fstat(self._file).st_size < len(MAGIC):
            os.ftruncate(self._file, 0)
            os.write(self._file, MAGIC)
        return self._file

    def _make_room(self) -> None:
        """Deletes the oldest files while an hour more would not fit."""
        kept = files(self._folder)
        sizes = {path: path.stat().st_size for path in kept}
        hour = max(sizes.values(), default=0)
        while len(kept) > 1 and sum(sizes[path] for path in kept) + hour > self._total_max:
            kept.pop(0).unlink()

    def _resume(self) -> Position | None:
        """After the last whole frame of the file written last; cuts off what is torn behind it."""
        kept = files(self._folder)
        if not kept:
            return None
        newest = max(kept, key=lambda path: path.stat().st_mtime_ns)
        last, end = None, 0
        try:
            for last, end in _frames(newest):  # noqa: B007 - the last one counts
                pass
        except ValueError:
            newest.rename(newest.with_suffix(".damaged"))
            return None
        os.truncate(newest, end)
        return Position(last.epoch, last.sequence + 1) if last else None
