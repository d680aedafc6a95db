"""A chunk: samples of one tag without their time stamps, and what they come to."""

from __future__ import annotations

import struct
import zlib
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from historian.chunks.quality import Status, pack_quality, unpack_quality
from historian.chunks.sections import COUNT_MAX, Cursor, Whole, pack_whole, unpack_whole
from historian.chunks.times import Times
from historian.chunks.values import pack_values, unpack_values
from historian.store import StoreDamagedError
from tags.types import FLOATS, UINT64

LAYOUT: Final = 3
HASTY: Final = 6
_FLOAT, _SIGNED, _UNSIGNED = 0, 1, 2
_FRONT: Final = struct.Struct("<BI")  # layout, CRC-32 of all that follows
_HEAD: Final = struct.Struct("<BIIIIqqddddqQQI")
_SHORT_HEAD: Final = struct.Struct("<BIIIqq")  # form, tag, times, samples, start, end


class Summary(NamedTuple):
    """What the samples of a chunk come to.

    Attributes:
        form: 0: the bits are float64, 1: int64, 2: uint64.
        tag: Its id.
        times: Checksum of the block of its time stamps.
        samples: How many.
        good: Of them with a Good status and not NaN.
        start: Time of the first sample, UTC, ns.
        end: Time of the last sample.
        low: Least of the good, NaN without any; an integer beyond 2**53 is rounded.
        high: Greatest of the good, likewise.
        total: Sum of the good.
        integral: Sum over the good of value by time to the next sample, in value·s; the last sample counts 0.
        good_ns: Time that `integral` covers, ns.
        first: Value bits of the first sample, whatever its status.
        last: Value bits of the last sample.
        last_status: StatusCode of the last sample.
    """

    form: int
    tag: int
    times: int
    samples: int
    good: int
    start: int
    end: int
    low: float
    high: float
    total: float
    integral: float
    good_ns: int
    first: int
    last: int
    last_status: int


def pack(tag: int, type_: str, t: Times, bits: Whole, status: Status, times: int) -> bytes:
    """Samples as a chunk.

    Args:
        tag: Id of the tag.
        type_: Of the tag, for the summary and the choice of the kind; any type keeps any bits.
        t: UTC, ns, shape (n,), int64.
        bits: Value bits, shape (n,), uint64.
        status: OPC UA StatusCodes, shape (n,), uint32.
        times: Checksum of the block that `pack_times(t)` makes.

    Raises:
        ValueError: No samples, too many, or not as many of each.
    """
    if not 0 < len(t) <= COUNT_MAX or len(bits) != len(t) or len(status) != len(t):
        raise ValueError(f"{len(t)} times, {len(bits)} values, {len(status)} statuses in one chunk")
    bits = np.ascontiguousarray(bits)
    form = _form(type_)
    found = _summary(form, tag, times, t, bits, status)
    body = _HEAD.pack(*found) + pack_quality(status) + pack_values(bits, floats=form == _FLOAT)
    return _FRONT.pack(LAYOUT, zlib.crc32(body)) + body


def pack_hastily(tag: int, type_: str, t: Times, bits: Whole, status: Status, times: int) -> bytes:
    """As `pack`, in a third of the time and twice the bytes, without saying what they come to: for an hour at most."""
    if not 0 < len(t) <= COUNT_MAX or len(bits) != len(t) or len(status) != len(t):
        raise ValueError(f"{len(t)} times, {len(bits)} values, {len(status)} statuses in one chunk")
    head = _SHORT_HEAD.pack(_form(type_), tag, times, len(t), int(t[0]), int(t[-1]))
    body = head + pack_quality(status) + pack_whole(np.ascontiguousarray(bits), hasty=True)
    return _FRONT.pack(HASTY, zlib.crc32(body)) + body


def is_hasty(chunk: bytes) -> bool:
    """`pack_hastily` made it."""
    return chunk[:1] == bytes([HASTY])


def unpack(chunk: bytes) -> tuple[Summary, Whole, Status]:
    """A chunk's summary, value bits and statuses.

    Whoever calls compares `tag` and `times` of the summary with where it found the chunk.

    Args:
        chunk: What `pack` or `pack_hastily` returned; of the latter nothing is known of the good values.

    Raises:
        StoreDamagedError: Not what was written.
    """
    cursor = Cursor(chunk)
    if is_hasty(chunk):
        return _unpack_hasty(chunk, cursor)
    head = _checked(chunk, cursor)
    status = unpack_quality(cursor, head.samples)
    bits = unpack_values(cursor, head.samples)
    cursor.finish()
    return head, bits, status


def summary(chunk: bytes) -> Summary:
    """What a chunk comes to, without unpacking it; its checksum is looked at.

    Raises:
        StoreDamagedError: Not what was written.
    """
    return _checked(chunk, Cursor(chunk))


def _unpack_hasty(chunk: bytes, cursor: Cursor) -> tuple[Summary, Whole, Status]:
    _check_front(chunk, cursor, HASTY)
    form, tag, times, count, start, end = cursor.fields(_SHORT_HEAD)
    _check_count(count)
    status = unpack_quality(cursor, count)
    bits = unpack_whole(cursor, count)
    cursor.finish()
    known = (int(bits[0]), int(bits[-1]), int(status[-1]))
    head = Summary(form, tag, times, count, 0, start, end, np.nan, np.nan, 0.0, 0.0, 0, *known)
    return head, bits, status


def _checked(chunk: bytes, cursor: Cursor) -> Summary:
    _check_front(chunk, cursor, LAYOUT)
    head = Summary(*cursor.fields(_HEAD))
    _check_count(head.samples)
    return head


def _check_front(chunk: bytes, cursor: Cursor, wanted: int) -> None:
    layout, checksum = cursor.fields(_FRONT)
    if layout != wanted:
        raise StoreDamagedError(f"a chunk has layout {layout}, wanted {wanted}: made by a newer version?")
    if zlib.crc32(memoryview(chunk)[_FRONT.size :]) != checksum:
        raise StoreDamagedError("a chunk is damaged: its checksum is another")


def _check_count(count: int) -> None:
    if not 0 < count <= COUNT_MAX:
        raise StoreDamagedError(f"a chunk says it has {count} samples")


def _form(type_: str) -> int:
    return _FLOAT if type_ in FLOATS else _UNSIGNED if type_ == UINT64 else _SIGNED


def _summary(form: int, tag: int, times: int, t: Times, bits: Whole, status: Status) -> Summary:
    values = _numbers(form, bits)
    gaps = t[1:] - t[:-1]
    with np.errstate(all="ignore"):  # sums of what a broken device sends may overflow
        good = (status >> np.uint32(30) == 0) & (values == values)  # noqa: PLR0124 - NaN
        count = int(np.count_nonzero(good))
        usable = values
        if count < len(values):
            usable, values, gaps = values[good], np.where(good, values, 0.0), np.where(good[:-1], gaps, 0)
        low, high, total = (
            (float(usable.min()), float(usable.max()), float(usable.sum()))
            if count
            else (np.nan, np.nan, 0.0)
        )
        integral = float(values[:-1] @ (gaps * 1e-9))
    return Summary(
        form,
        tag,
        times,
        len(t),
        count,
        int(t[0]),
        int(t[-1]),
        low,
        high,
        total,
        integral,
        int(gaps.sum()),
        int(bits[0]),
        int(bits[-1]),
        int(status[-1]),
    )


def _numbers(form: int, bits: Whole) -> npt.NDArray[np.float64]:
    if form == _FLOAT:
        return bits.view(np.float64)
    return (bits if form == _UNSIGNED else bits.view(np.int64)).astype(np.float64)
