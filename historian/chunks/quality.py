"""Quality as runs: it seldom changes."""

from __future__ import annotations

import struct
from typing import Final

import numpy as np
import numpy.typing as npt

from historian.chunks.sections import Cursor, pack_whole, unpack_whole
from historian.store import StoreDamagedError

_RUNS: Final = struct.Struct("<I")
_CODE: Final = struct.Struct("<I")

Status = npt.NDArray[np.uint32]


def pack_quality(status: Status) -> bytes:
    """OPC UA StatusCodes, shape (n,), n > 0."""
    starts = np.flatnonzero(status[1:] != status[:-1]) + 1
    if not len(starts):
        return _RUNS.pack(1) + _CODE.pack(int(status[0]))
    edges = np.concatenate([[0], starts, [len(status)]]).astype(np.uint64)
    codes = status[edges[:-1].astype(np.int64)].astype(np.uint64)
    return _RUNS.pack(len(codes)) + pack_whole(codes) + pack_whole(np.diff(edges))


def unpack_quality(cursor: Cursor, count: int) -> Status:
    """The inverse of `pack_quality`.

    Raises:
        StoreDamagedError: Not what was written.
    """
    (runs,) = cursor.fields(_RUNS)
    if not 0 < runs <= count:
        raise StoreDamagedError(f"a block of {count} samples has {runs} runs of quality")
    if runs == 1:
        return np.full(count, cursor.fields(_CODE)[0], np.uint32)
    codes = unpack_whole(cursor, runs)
    lengths = unpack_whole(cursor, runs)
    if codes.max() > 0xFFFF_FFFF or lengths.max() > count or int(lengths.sum()) != count:
        raise StoreDamagedError("the runs of quality in a block of samples do not fit it")
    return np.repeat(codes.astype(np.uint32), lengths.astype(np.int64))
