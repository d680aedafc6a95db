"""Many recorded scans as columns, so that they compress: what belongs together lies together.

Times become distances from the scan's grid, values of a tag become steps from one to the next in raw counts of its
device (only where that gives the same bits back), equal things become zeros. Numbers are split into their bytes, the
lowest of all first. `unpack` gives back what `pack` got, but for the order of different tags in one scan, which means
nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from scada.scan.record import Raw

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_COLUMN: Final = struct.Struct("<IqB")
_LENGTH: Final = struct.Struct("<I")
_HEAD: Final = struct.Struct("<Iqqq")
_BITS, _WHOLE, _SCALED, _DECIMAL = range(4)  # how the values of a slot are written
_DECIMALS: Final = 1e6
_EXACT: Final = 2.0**52
_ROUND_NS: Final = 100_000
_MANY: Final = 1 << 24  # samples of one packing: its records are 8 MB


class Scales(NamedTuple):
    """Of each slot, how raw counts became values; shape (slots,).

    Attributes:
        gain: Engineering units per raw count; 0 for what is no float.
        offset: Engineering value at raw 0.
    """

    gain: Floats
    offset: Floats


class _Writer:
    """Columns, one after the other."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def ints(self, column: npt.NDArray[Any]) -> None:
        """Whole numbers of 64 bits: without their common divisor, small ones of either sign as small numbers."""
        wide = column.astype(np.int64, copy=False) if column.dtype != np.uint64 else column.view(np.int64)
        divisor = 1
        if len(wide) and int(wide.min()) > -(2**62) and int(wide.max()) < 2**62:
            divisor = int(np.gcd.reduce(wide)) or 1
            wide = wide // divisor
        folded = ((wide << 1) ^ (wide >> 63)).view(np.uint64)
        top = int(folded.max()) if len(folded) else 0
        width = max(1, (top.bit_length() + 7) // 8)
        planes = folded.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :width].T
        self.parts += [_COLUMN.pack(len(folded), divisor, width), planes.tobytes()]

    def raw(self, data: bytes) -> None:
        """Bytes as they are."""
        self.parts += [_LENGTH.pack(len(data)), data]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def ints(self) -> Ints:
        """The column that `_Writer.ints` wrote."""
        count, divisor, width = _COLUMN.unpack_from(self._data, self._at)
        if not 1 <= width <= 8 or count > len(self._data):
            raise ValueError("a column cannot be read")
        self._at += _COLUMN.size
        planes = np.frombuffer(self._data, np.uint8, count * width, self._at).reshape(width, count)
        self._at += count * width
        wide = np.zeros((count, 8), np.uint8)
        wide[:, :width] = planes.T
        folded = wide.view("<u8").reshape(-1)
        found: Ints = (folded >> np.uint64(1)).view(np.int64) ^ -(folded & np.uint64(1)).view(np.int64)
        found *= divisor
        return found

    def raw(self) -> bytes:
        """What `_Writer.raw` wrote."""
        (length,) = _LENGTH.unpack_from(self._data, self._at)
        self._at += _LENGTH.size + length
        return self._data[self._at - length : self._at]


def _steps(column: Ints, begins: npt.NDArray[np.bool_]) -> Ints:
    """From one to the next; the first of each run as it is."""
    before = np.concatenate(([0], column[:-1])) if len(column) else column
    return column - np.where(begins, 0, before)


def _sums(steps: Ints, begins: npt.NDArray[np.bool_]) -> Ints:
    """The inverse of `_steps`; wraps as 64 bits do."""
    total = np.cumsum(steps)
    where = np.flatnonzero(begins)
    base = np.zeros(len(where), np.int64)
    base[1:] = total[where[1:] - 1]
    found: Ints = total - np.repeat(base, np.diff(np.append(where, len(steps))))
    return found


def _runs(keys: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """True where another key begins."""
    begins = np.ones(len(keys), np.bool_)
    begins[1:] = keys[1:] != keys[:-1]
    return begins


# ---- pack -----------------------------------------------------------------------------------------------------------


def pack(scans: Sequence[Raw], period_ns: int, scales: Scales) -> bytes:
    """Scans as columns, not yet compressed.

    Args:
        scans: One after the other, at least one.
        period_ns: Scan period, ns.
        scales: Of the slots of the program; slots beyond are taken as they are.
    """
    out = _Writer()
    first = scans[0]
    numbers = np.array([one.number for one in scans], np.int64)
    periods = np.array([one.periods for one in scans], np.int64)
    utc = np.array([one.utc_ns for one in scans], np.int64)
    out.parts.append(_HEAD.pack(len(scans), first.number, first.utc_ns, period_ns))
    out.ints(np.diff(numbers, prepend=first.number))
    out.ints(periods)
    out.ints(utc - _grid(first.utc_ns, periods, period_ns))
    index = np.arange(len(scans))
    out.ints(np.array([len(one.told) for one in scans], np.int64))
    out.raw(b"".join(one.told for one in scans))
    out.ints(np.array([len(one.extra) for one in scans], np.int64))
    out.raw(b"".join(one.extra for one in scans))
    for pairs in ([one.acted for one in scans], [one.versions for one in scans]):
        scan = np.repeat(index, [len(one) for one in pairs])
        both = np.concatenate(pairs)
        order, begins = _by_key(out, both[:, 0].astype(np.int64), scan)
        out.ints(_steps(both[order, 1].view(np.int64), begins))
    scan = np.repeat(index, [len(one.slots) for one in scans])
    slots = np.concatenate([one.slots for one in scans]).astype(np.int64)
    order, begins = _by_key(out, slots, scan)
    slots, scan = slots[order], scan[order]
    statuses = np.concatenate([one.statuses for one in scans])[order].astype(np.int64)
    out.ints(_steps(statuses, begins))
    _pack_times(
        out,
        scan,
        _round_grid(utc[0], periods, period_ns)[scan] - np.concatenate([one.times for one in scans])[order],
    )
    _pack_values(out, np.concatenate([one.bits for one in scans])[order], slots, begins, scales)
    return b"".join(out.parts)


def _grid(utc_ns: int, periods: Ints, period_ns: int) -> Ints:
    """When scans would have begun that are never late."""
    found: Ints = utc_ns + (np.cumsum(periods) - periods[:1]) * period_ns
    return found


def _round_grid(utc_ns: int, periods: Ints, period_ns: int) -> Ints:
    """A grid on which distances of source times, which are rounded, have a common divisor."""
    return _grid(int(utc_ns) - int(utc_ns) % _ROUND_NS, periods, period_ns)


def _by_key(out: _Writer, keys: Ints, scan: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Writes keys and their scans; returns the order that brings equal keys together, and where each begins in it."""
    order = np.argsort(keys, kind="stable")
    begins = _runs(keys[order])
    where = np.flatnonzero(begins)
    out.ints(np.diff(keys[order][where], prepend=0))
    out.ints(np.diff(np.append(where, len(keys))))
    out.ints(_steps(scan[order], begins))
    return order, begins


def _pack_times(out: _Writer, scan: Ints, age: Ints) -> None:
    """Source times: a poll gives many samples of one time, so each scan lists its times, and each sample says which."""
    order = np.lexsort((age, scan))
    begins = _runs(scan[order]) | _runs(age[order])
    times = np.flatnonzero(begins)
    of_scan = scan[order][times]
    out.ints(np.diff(of_scan, prepend=0))
    out.ints(age[order][times])
    number = np.cumsum(begins) - 1
    first = np.searchsorted(of_scan, scan[order])
    rank = np.empty(len(scan), np.int64)
    rank[order] = number - first
    out.ints(rank)


def _pack_values(
    out: _Writer, bits: npt.NDArray[np.uint64], slots: Ints, begins: npt.NDArray[np.bool_], scales: Scales
) -> None:
    """Values, slot by slot, in the way that suits each slot."""
    where = np.flatnonzero(begins)
    known = np.where(slots[where] < len(scales.gain), slots[where], 0) if len(scales.gain) else None
    gain = scales.gain[known] if known is not None else np.zeros(len(where))
    offset = scales.offset[known] if known is not None else np.zeros(len(where))
    counts = np.diff(np.append(where, len(slots)))
    each_gain, each_offset = np.repeat(gain, counts), np.repeat(offset, counts)
    values = bits.view(np.float64)
    ways = np.where(gain == 0.0, _WHOLE, _BITS)
    whole = bits.view(np.int64).copy()
    with np.errstate(all="ignore"):
        for way, raw, back in (
            (_DECIMAL, np.rint(values * _DECIMALS), lambda raw: raw / _DECIMALS),
            (_SCALED, np.rint((values - each_offset) / each_gain), lambda raw: raw * each_gain + each_offset),
        ):
            fits = _same(back, raw, bits)
            good = np.logical_and.reduceat(fits, where) if len(where) else np.zeros(0, np.bool_)
            ways = np.where(good & (gain != 0.0), way, ways)
            use = np.repeat(good & (gain != 0.0), counts)
            whole[use] = raw[use].astype(np.int64)
    each = np.repeat(ways, counts)
    out.ints(ways)
    out.raw(gain[ways == _SCALED].tobytes())
    out.raw(offset[ways == _SCALED].tobytes())
    number = each != _BITS
    out.ints(_steps(whole[number], begins[number]))
    out.ints(_flips(bits[~number], begins[~number]))


def _same(
    back: Callable[[Floats], Floats], raw: Floats, bits: npt.NDArray[np.uint64]
) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = (back(raw).view(np.uint64) == bits) & (np.abs(raw) < _EXACT)
    return found


def _flips(bits: npt.NDArray[np.uint64], begins: npt.NDArray[np.bool_]) -> Ints:
    """Bits that differ from the value before, of the same slot."""
    before = np.concatenate((np.zeros(1, np.uint64), bits[:-1])) if len(bits) else bits
    return (bits ^ np.where(begins, np.uint64(0), before)).view(np.int64)


# ---- unpack ---------------------------------------------------------------------------------------------------------


def first_utc(data: bytes) -> int | None:
    """Time of the first scan, ns UTC; None when there is none."""
    return int(_HEAD.unpack_from(data)[2]) if len(data) >= _HEAD.size else None


def unpack(data: bytes) -> list[Raw]:
    """The scans that `pack` got.

    Raises:
        ValueError: It is damaged.
    """
    try:
        return _unpack(data)
    except (struct.error, IndexError, OverflowError, MemoryError) as error:
        raise ValueError(f"packed scans cannot be read: {error}") from None


def _unpack(data: bytes) -> list[Raw]:
    count, number, utc_ns, period_ns = _HEAD.unpack_from(data)
    if count > len(data):
        raise ValueError("packed scans cannot be read")
    reader = _Reader(data[_HEAD.size :])
    numbers = number + np.cumsum(reader.ints())
    periods = reader.ints()
    utc = reader.ints() + _grid(utc_ns, periods, period_ns)
    told = _cut(reader)
    extra = _cut(reader)
    pairs = []
    for _ in range(2):
        rows, scan, begins = _keys(reader)
        values = _sums(reader.ints(), begins)
        order = np.argsort(scan, kind="stable")
        both = np.stack((rows[order], values[order]), axis=1).view(np.uint64) if len(rows) else None
        pairs.append((both, np.searchsorted(scan[order], np.arange(count + 1))))
    slots, scan, begins = _keys(reader)
    statuses = _sums(reader.ints(), begins)
    times = _round_grid(utc_ns, periods, period_ns)[scan] - _unpack_times(reader, scan)
    bits = _unpack_values(reader, begins)
    order = np.argsort(scan, kind="stable")
    ends = np.searchsorted(scan[order], np.arange(count + 1)).tolist()
    narrow, status = slots[order].astype(np.uint32), statuses[order].astype(np.uint32)
    times, bits = times[order], bits[order]
    none = np.zeros((0, 2), np.uint64)
    found = []
    for n in range(count):
        low, high = ends[n], ends[n + 1]
        acted, versions = (none if both is None else both[cuts[n] : cuts[n + 1]] for both, cuts in pairs)
        found.append(
            Raw(
                int(numbers[n]),
                int(periods[n]),
                int(utc[n]),
                narrow[low:high],
                status[low:high],
                times[low:high],
                bits[low:high],
                acted,
                versions,
                told[n],
                extra[n],
            )
        )
    return found


def _cut(reader: _Reader) -> list[bytes]:
    lengths = reader.ints()
    data = reader.raw()
    ends = np.cumsum(lengths)
    return [data[end - length : end] for end, length in zip(ends.tolist(), lengths.tolist(), strict=True)]


def _keys(reader: _Reader) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
    """Keys, their scans, and where each key begins."""
    unique = np.cumsum(reader.ints())
    counts = reader.ints()
    if len(counts) and (int(counts.min()) < 1 or int(counts.max()) > _MANY or int(counts.sum()) > _MANY):
        raise ValueError("packed scans cannot be read")
    begins = np.zeros(int(counts.sum()), np.bool_)
    begins[np.cumsum(counts) - counts] = True
    return np.repeat(unique, counts), _sums(reader.ints(), begins), begins


def _unpack_times(reader: _Reader, scan: Ints) -> Ints:
    of_scan = np.cumsum(reader.ints())
    ages = reader.ints()
    rank = reader.ints()
    found: Ints = ages[np.searchsorted(of_scan, scan) + rank] if len(scan) else rank
    return found


def _unpack_values(reader: _Reader, begins: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint64]:
    ways = reader.ints()
    where = np.flatnonzero(begins)
    counts = np.diff(np.append(where, len(begins)))
    each = np.repeat(ways, counts)
    gain = np.zeros(len(ways))
    offset = np.zeros(len(ways))
    gain[ways == _SCALED] = np.frombuffer(reader.raw(), np.float64)
    offset[ways == _SCALED] = np.frombuffer(reader.raw(), np.float64)
    bits = np.zeros(len(begins), np.uint64)
    number = each != _BITS
    whole = np.zeros(len(begins), np.int64)
    whole[number] = _sums(reader.ints(), begins[number])
    bits[number] = whole[number].view(np.uint64)
    for way in (_SCALED, _DECIMAL):
        use = each == way
        raw = whole[use].astype(np.float64)
        if way == _SCALED:
            values = raw * np.repeat(gain, counts)[use] + np.repeat(offset, counts)[use]
        else:
            values = raw / _DECIMALS
        bits[use] = values.view(np.uint64)
    flips = reader.ints().view(np.uint64)
    for run in np.split(np.arange(len(flips)), np.flatnonzero(begins[~number])[1:]):
        flips[run] = np.bitwise_xor.accumulate(flips[run])
    bits[~number] = flips
    return bits
