"""Many summaries of one tag as few bytes: column by column, each by the kind of values that takes the fewest."""

from __future__ import annotations

import struct
import zlib
from typing import Final

import numpy as np
import numpy.typing as npt

from historian.chunks.brief import LAYOUT as SUMMARY_LAYOUT
from historian.chunks.brief import SUMMARY, Summaries, numbers
from historian.chunks.sections import COUNT_MAX, Cursor, Whole
from historian.chunks.values import pack_values, unpack_values
from historian.store import StoreDamagedError

_LAYOUT: Final = 2
_FRONT: Final = struct.Struct("<BI")  # layout, CRC-32 of all that follows
_COUNT: Final = struct.Struct("<I")
_KEPT: Final = tuple(name for name in SUMMARY.names or () if name not in {"crc", "layout"})
_ALIKE: Final = {"good_first": "first", "good_last": "last"}
_SIZES: Final = struct.Struct(f"<{len(_KEPT)}I")


def pack_table(records: Summaries) -> bytes:
    """Summaries of a tag as bytes."""
    bits = {name: _bits(records[name]) for name in _KEPT}
    _turn(bits, int(records["form"][0]), back=False)
    columns = [
        pack_values(bits[name], floats=SUMMARY[name].kind == "f" and name not in _ALIKE) for name in _KEPT
    ]
    body = b"".join([_COUNT.pack(len(records)), _SIZES.pack(*map(len, columns)), *columns])
    return _FRONT.pack(_LAYOUT, zlib.crc32(body)) + body


def unpack_table(block: bytes) -> Summaries:
    """The inverse of `pack_table`.

    Raises:
        StoreDamagedError: Not what was written.
    """
    cursor = Cursor(block)
    layout, checksum = cursor.fields(_FRONT)
    if layout != _LAYOUT or zlib.crc32(memoryview(block)[_FRONT.size :]) != checksum:
        raise StoreDamagedError("the summaries of a day are damaged, or made by a newer version")
    (count,) = cursor.fields(_COUNT)
    if not 0 < count <= COUNT_MAX:
        raise StoreDamagedError(f"the summaries of a day say that they are {count}")
    sizes = cursor.fields(_SIZES)
    columns = {}
    for name, size in zip(_KEPT, sizes, strict=True):
        part = Cursor(cursor.take(size))
        columns[name] = unpack_values(part, count)
        part.finish()
    _turn(columns, int(columns["form"][0]), back=True)
    found = np.zeros(count, SUMMARY)
    for name, bits in columns.items():
        dtype = SUMMARY[name]
        found[name] = bits.view(np.float64) if dtype.kind == "f" else bits.view(np.int64).astype(dtype)
    cursor.finish()
    found["layout"] = SUMMARY_LAYOUT
    return found


def _turn(columns: dict[str, Whole], form: int, *, back: bool) -> None:
    """Takes from columns what others say already, or gives it back: what is left is nearly always 0.

    Times are differences modulo 2**64, the first and last Good numbers differ bit by bit from the first and last ones.
    """
    length = columns["t1"] if back else columns["t1"] - columns["t0"]
    if back:
        columns["t1"] = columns["t0"] + length
    for name, base in (
        ("known", columns["t0"]),
        ("good_t0", columns["t0"]),
        ("good_t1", columns["t1"]),
        ("covered", length),
    ):
        columns[name] = columns[name] + base if back else columns[name] - base
    for name, other in _ALIKE.items():
        columns[name] = columns[name] ^ _bits(numbers(form, columns[other]))
    if not back:
        columns["t1"] = length


def _bits(column: npt.NDArray[np.generic]) -> npt.NDArray[np.uint64]:
    if column.dtype.kind == "f":
        return np.ascontiguousarray(column).view(np.uint64)
    if column.dtype.itemsize == 8:
        return np.ascontiguousarray(column).view(np.uint64)
    return column.astype(np.uint64)
