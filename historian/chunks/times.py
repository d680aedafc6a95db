"""Time stamps as a block of their own, which all tags of a scan group share."""

from __future__ import annotations

import struct
import zlib
from typing import Final

import numpy as np
import numpy.typing as npt

from historian.chunks.sections import COUNT_MAX, Cursor, fold_signs, pack_whole, unpack_steps
from historian.store import StoreDamagedError

TIMES: Final = 4
_FRONT: Final = struct.Struct("<BI")  # layout, CRC-32 of all that follows
_HEAD: Final = struct.Struct("<Iqqq")  # count, first, unit, usual step in units
_FAR: Final = 1 << 62
_PROBE: Final = 64

Times = npt.NDArray[np.int64]


def pack_times(t: Times) -> bytes:
    """Time stamps as a block.

    Args:
        t: UTC, ns, shape (n,), int64; any order.

    Raises:
        ValueError: None, or more than `COUNT_MAX`.
    """
    if not 0 < len(t) <= COUNT_MAX:
        raise ValueError(f"{len(t)} time stamps; a block has 1 to {COUNT_MAX}")
    gaps = (t.view(np.uint64)[1:] - t.view(np.uint64)[:-1]).view(np.int64)
    unit, usual = 1, 0
    if len(gaps) and gaps.min() > -_FAR and gaps.max() < _FAR:
        unit = _unit(gaps)
        if unit > 1:
            gaps = gaps // unit
        usual = int(np.partition(gaps, len(gaps) // 2)[len(gaps) // 2])
        gaps = gaps - usual
    body = _HEAD.pack(len(t), int(t[0]), unit, usual) + pack_whole(fold_signs(gaps))
    return _FRONT.pack(TIMES, zlib.crc32(body)) + body


def unpack_times(block: bytes) -> Times:
    """The inverse of `pack_times`.

    Raises:
        StoreDamagedError: Not what was written.
    """
    cursor = Cursor(block)
    layout, checksum = cursor.fields(_FRONT)
    if layout != TIMES:
        raise StoreDamagedError(f"a block of time stamps has layout {layout}, wanted {TIMES}")
    if zlib.crc32(memoryview(block)[_FRONT.size :]) != checksum:
        raise StoreDamagedError("a block of time stamps is damaged: its checksum is another")
    count, first, unit, usual = cursor.fields(_HEAD)
    if not 0 < count <= COUNT_MAX:
        raise StoreDamagedError(f"a block of time stamps says it has {count}")
    gaps = unpack_steps(cursor, count - 1)
    cursor.finish()
    t = np.empty(count, np.int64)
    t[0] = first
    t[1:] = gaps + np.int64(usual)
    if unit != 1:
        t[1:] *= np.int64(unit)
    return np.cumsum(t, dtype=np.int64)


def checksum_of(block: bytes) -> int:
    """The checksum that a block carries, by which chunks know that it is theirs.

    Raises:
        StoreDamagedError: It is too short to have one.
    """
    checksum: int = Cursor(block).fields(_FRONT)[1]
    return checksum


def _unit(gaps: Times) -> int:
    """The greatest common divisor; the first few usually have it already."""
    sizes = np.abs(gaps)
    unit = int(np.gcd.reduce(sizes[:_PROBE]))
    if unit > 1 and (sizes % unit).any():
        unit = int(np.gcd.reduce(sizes, initial=unit))
    elif unit == 0:
        unit = int(np.gcd.reduce(sizes))
    return max(unit, 1)
