"""Value bits of one tag by the kind that takes the fewest bytes; whatever the kind, every bit comes back.

A kind is only taken when it gives back the very bits: so -0.0 stays -0.0, a NaN keeps its payload, and an integer never
goes through a float.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from historian.chunks.sections import (
    Cursor,
    Whole,
    pack_whole,
    steps,
    sums,
    unpack_steps,
    unpack_whole,
)
from historian.store import StoreDamagedError

CONSTANT, DICTIONARY, DECIMAL, FLOAT32, PLAIN, INTEGER = range(6)
_KIND: Final = struct.Struct("<B")
_BITS: Final = struct.Struct("<Q")
_TABLE: Final = struct.Struct("<IQ")  # entries, the first
_TENS: Final = struct.Struct("<Bq")  # decimals, the first
_PATTERN: Final = struct.Struct("<I")
_DECIMALS: Final = (0, 1, 2, 3, 4, 6)
_SCALES: Final = np.array([[10.0**decimals] for decimals in _DECIMALS])
_EXACT: Final = float(1 << 53)
_PROBE: Final = 16


def pack_values(bits: Whole, *, floats: bool) -> bytes:
    """The shortest of the kinds that fit.

    Args:
        bits: Shape (n,), n > 0, uint64, contiguous.
        floats: They are float64; otherwise integers.
    """
    if (bits == bits[0]).all():
        return _KIND.pack(CONSTANT) + _BITS.pack(int(bits[0]))
    return min(_float_kinds(bits) if floats else _integer_kinds(bits), key=len)


def unpack_values(cursor: Cursor, count: int) -> Whole:
    """The inverse of `pack_values`.

    Raises:
        StoreDamagedError: Not what was written.
    """
    (kind,) = cursor.fields(_KIND)
    if kind == CONSTANT:
        return np.full(count, cursor.fields(_BITS)[0], np.uint64)
    if kind == DICTIONARY:
        return _unpack_dictionary(cursor, count)
    if kind == DECIMAL:
        decimals, first = cursor.fields(_TENS)
        if decimals not in _DECIMALS:
            raise StoreDamagedError(f"a block of samples has values of {decimals} decimals")
        whole = sums(first & (2**64 - 1), unpack_steps(cursor, count - 1)).view(np.int64)
        found: Whole = (whole / 10.0**decimals).view(np.uint64)
        return found
    if kind == FLOAT32:
        return _unpack_float32(cursor, count)
    if kind == PLAIN:
        return unpack_whole(cursor, count)
    if kind == INTEGER:
        (first,) = cursor.fields(_BITS)
        return sums(first, unpack_steps(cursor, count - 1))
    raise StoreDamagedError(f"a block of samples has values of kind {kind}: made by a newer version?")


def _float_kinds(bits: Whole) -> Iterator[bytes]:
    table = _dictionary(bits)
    if table is not None:
        yield table
    found = _decimal(bits) or _float32(bits)
    if found is not None:
        yield found
    elif table is None:
        yield _KIND.pack(PLAIN) + pack_whole(bits)
        yield _integer(bits)


def _integer_kinds(bits: Whole) -> Iterator[bytes]:
    yield _integer(bits)
    table = _dictionary(bits)
    if table is not None:
        yield table


def _integer(bits: Whole) -> bytes:
    return _KIND.pack(INTEGER) + _BITS.pack(int(bits[0])) + pack_whole(steps(bits))


def _dictionary(bits: Whole) -> bytes | None:
    """A table of the values that occur, and the steps through it; None when nearly all differ."""
    ordered = np.sort(bits)
    first = np.empty(len(ordered), np.bool_)
    first[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    table = ordered[first]
    if len(table) * 8 > len(bits) * 7:
        return None
    places = np.zeros(len(bits) + 1, np.uint64)
    places[1:] = np.searchsorted(table, bits)
    return b"".join(
        [
            _KIND.pack(DICTIONARY),
            _TABLE.pack(len(table), int(table[0])),
            pack_whole(table[1:] - table[:-1]),
            pack_whole(steps(places)),
        ]
    )


def _unpack_dictionary(cursor: Cursor, count: int) -> Whole:
    entries, first = cursor.fields(_TABLE)
    if not 0 < entries <= count:
        raise StoreDamagedError(f"a block of {count} samples has a table of {entries} values")
    table = np.empty(entries, np.uint64)
    table[0] = first
    table[1:] = unpack_whole(cursor, entries - 1)
    places = sums(0, unpack_steps(cursor, count))[1:]
    if places.max() >= entries:
        raise StoreDamagedError("a block of samples points outside its table of values")
    found: Whole = np.cumsum(table, out=table)[places.view(np.int64)]
    return found


def _decimal(bits: Whole) -> bytes | None:
    """Numbers of a few decimals, as somebody typed them or a device rounds them."""
    probe = bits[:_PROBE].view(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.rint(probe * _SCALES)
        likely = ((scaled / _SCALES).view(np.uint64) == probe.view(np.uint64)).all(axis=1)
    for at in np.flatnonzero(likely).tolist():
        decimals, scale = _DECIMALS[at], float(_SCALES[at, 0])
        whole = _as_decimals(bits, scale)
        if whole is not None:
            packed = pack_whole(steps(whole.view(np.uint64)))
            return _KIND.pack(DECIMAL) + _TENS.pack(decimals, int(whole[0])) + packed
    return None


def _as_decimals(bits: Whole, scale: float) -> npt.NDArray[np.int64] | None:
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.rint(bits.view(np.float64) * scale)
    if not (np.abs(scaled) < _EXACT).all():
        return None
    whole = scaled.astype(np.int64)
    return whole if ((whole / scale).view(np.uint64) == bits).all() else None


def _float32(bits: Whole) -> bytes | None:
    values = bits.view(np.float64)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        short = values.astype(np.float32)
    # NaNs are left out: what a cast makes of their payload is up to the processor.
    if np.isnan(short).any() or (short.astype(np.float64).view(np.uint64) != bits).any():
        return None
    patterns = short.view(np.int32)
    gaps = np.subtract(patterns[1:], patterns[:-1], dtype=np.int32)
    folded = ((gaps << 1) ^ (gaps >> 31)).view(np.uint32).astype(np.uint64)
    return _KIND.pack(FLOAT32) + _PATTERN.pack(int(patterns[:1].view(np.uint32)[0])) + pack_whole(folded)


def _unpack_float32(cursor: Cursor, count: int) -> Whole:
    (first,) = cursor.fields(_PATTERN)
    patterns = sums(first, unpack_steps(cursor, count - 1)).astype(np.uint32)
    with np.errstate(invalid="ignore"):
        return patterns.view(np.float32).astype(np.float64).view(np.uint64)
