"""Damage in SQLite's write-ahead log, which SQLite itself keeps to itself.

When it opens a log that was left by a crash it takes the frames up to the first whose checksum is wrong, and drops the rest: so
must be, after a power cut. But a bit that flipped in a frame drops all commits behind it, too, flushed or not. Each frame's
checksum begins with that of the frame before it, so the frames behind can be examined all the same.

The format is that of https://sqlite.org/fileformat2.html#walformat.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final, NamedTuple

_HEAD: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">6I")
_LITTLE, _BIG = 0x377F0682, 0x377F0683
_MASK: Final = 0xFFFF_FFFF


class Wrong(NamedTuple):
    """What is wrong with a log.

    Attributes:
        frame: The first whose checksum is wrong, from 1 on.
        commits: Whole commits behind it, which SQLite drops when it opens the log after a crash.
    """

    frame: int
    commits: int


def examine(path: Path) -> Wrong | None:
    """Looks at the log of a database.

    Args:
        path: Of the database.

    Returns:
        None when nothing is wrong, or no more than a power cut explains: each commit is flushed before the next begins, so
        a cut leaves one at most behind a frame that did not get to the disk.

    Raises:
        OSError: It cannot be read.
    """
    try:
        file = path.with_name(f"{path.name}-wal").open("rb")
    except FileNotFoundError:
        return None
    with file:
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return None
        magic, _, size, _, *salt, one, two = _HEAD.unpack(head)
        if magic not in (_LITTLE, _BIG):
            return None
        order = "<" if magic == _LITTLE else ">"
        before = (one, two)
        first = commits = number = 0
        while len(frame := file.read(_FRAME.size + size)) == _FRAME.size + size:
            number += 1
            _, pages, *found, one, two = _FRAME.unpack_from(frame)
            if found != salt:
                if not first:
                    return None  # what follows is of an earlier round
                break
            whole = _sum(order, before, frame[:8] + frame[_FRAME.size :]) == (one, two)
            if not whole and not first:
                first = number
            commits += bool(first and whole and pages)
            before = (one, two)
    return Wrong(first, commits) if commits > 1 else None


def _sum(order: str, before: tuple[int, int], data: bytes) -> tuple[int, int]:
    one, two = before
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for a, b in zip(words[::2], words[1::2], strict=True):
        one = (one + a + two) & _MASK
        two = (two + b + one) & _MASK
    return one, two


def damaged(folder: Path) -> list[tuple[Path, Wrong]]:
    """What is wrong with the logs of all databases in a folder and its folders.

    Raises:
        OSError: One cannot be read.
    """
    found = []
    for log in sorted(folder.rglob("*.sqlite-wal")):
        path = log.with_name(log.name.removesuffix("-wal"))
        wrong = examine(path)
        if wrong is not None and examine(path) == wrong:  # else it was written just now
            found.append((path, wrong))
    return found
