"""What the samples of a chunk come to: enough for every aggregate of an interval that the chunk lies in as a whole.

A summary is a record of fixed size (`SUMMARY`). It says nothing of what lies between two chunks: whoever uses it knows the
first and the last sample of each, and joins them by the rules of the tag.
"""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np
import numpy.typing as npt

from historian.store import StoreDamagedError
from tags.quality import BAD_NO_DATA, BAD_WAITING_FOR_INITIAL_DATA
from tags.types import FLOATS, UINT64

LAYOUT: Final = 1
FLOAT, SIGNED, UNSIGNED = 0, 1, 2
NEVER: Final = np.iinfo(np.int64).max
RESTS: Final = 3  # scans: after a longer pause a value rested and moved in the last scan
LEAST_SCAN: Final = 100_000_000
# What a summary can be made without, when it is not to be kept.
AREA, RANGE, SUM, SQUARES, STEPS, ZERO = "area", "range", "sum", "squares", "steps", "zero"
ALL: Final = frozenset({AREA, RANGE, SUM, SQUARES, STEPS, ZERO})

SUMMARY: Final = np.dtype(
    [
        ("t0", "<i8"),  # of the first sample
        ("t1", "<i8"),  # of the last
        ("known", "<i8"),  # of the first that says more than that there is none yet; NEVER for none
        ("good_t0", "<i8"),  # of the first Good number; NEVER for none. All below are of Good numbers alone
        ("good_t1", "<i8"),
        ("gap", "<i8"),  # longest time from one to the sample that follows
        ("covered", "<i8"),  # time from each to the sample that follows, ns
        ("zero", "<i8"),  # of that at 0
        ("doubt", "<i8"),  # of that before a sample that is not Good
        ("ramp", "<i8"),  # for `line`, see there; 0 for always straight
        ("first", "<u8"),  # bits of the first sample, whatever it is
        ("last", "<u8"),
        ("good_first", "<f8"),  # the first Good number
        ("good_last", "<f8"),
        ("low", "<f8"),
        ("high", "<f8"),
        ("total", "<f8"),  # sum
        ("squares", "<f8"),  # sum of the squared differences from the mean
        ("held", "<f8"),  # integral, value·s, each number held until the sample that follows
        ("line", "<f8"),  # integral of straight lines; after 3 `ramp` of rest only in the last `ramp`
        ("rise", "<f8"),  # sum of the steps up from one Good number to the next
        ("fall", "<f8"),  # sum of the steps down, negative
        ("anew", "<f8"),  # sum of the numbers after a step down
        ("n", "<u4"),
        ("good", "<u4"),
        ("unsure", "<u4"),  # Uncertain numbers
        ("off", "<u4"),  # samples that are no Good number and say more than that there is none yet
        ("falls", "<u4"),  # steps down
        ("changes", "<u4"),  # steps up and down
        ("first_status", "<u4"),
        ("last_status", "<u4"),
        ("tag", "<u4"),
        ("form", "<u2"),  # 0: the bits are float64, 1: int64, 2: uint64
        ("layout", "<u2"),
        ("crc", "<u4"),  # CRC-32 of all before
    ]
)
_CHECKED: Final = SUMMARY.itemsize - 4

Summaries = npt.NDArray[np.void]


def form_of(type_: str) -> int:
    """How the bits of a type are read."""
    return FLOAT if type_ in FLOATS else UNSIGNED if type_ == UINT64 else SIGNED


def ramp_of(scan_ns: int) -> int:
    """In what time, ns, a value that rested moves to its next sample; see `historian.read.rules_of`.

    Args:
        scan_ns: Period at which the tag's device is asked; below 0: it does not rest, samples are joined by straight lines.

    Returns:
        0 for no rest.
    """
    return max(scan_ns, LEAST_SCAN) if scan_ns >= 0 else 0


def nothing_yet(status: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Samples that only say that there are none yet."""
    code = status & np.uint32(0xFFFF_0000)
    found: npt.NDArray[np.bool_] = (code == BAD_NO_DATA) | (code == BAD_WAITING_FOR_INITIAL_DATA)
    return found


def summarised(
    t: npt.NDArray[np.int64],
    bits: npt.NDArray[np.uint64],
    status: npt.NDArray[np.uint32],
    starts: npt.NDArray[np.intp],
    tag: npt.NDArray[np.uint32] | int,
    form: int,
    ramp_ns: int,
    want: frozenset[str] = ALL,
) -> Summaries:
    """Summaries of several chunks of one form at once.

    Args:
        t: UTC, ns, shape (n,); rising within a chunk.
        bits: Value bits, shape (n,).
        status: StatusCodes, shape (n,).
        starts: Where chunks begin, rising, the first at 0, shape (k,).
        tag: Id, or ids of shape (k,).
        form: See `form_of`.
        ramp_ns: Period of the tag's scan, ns; 0 for none.
        want: Which of the fields that need work to fill in.

    Returns:
        Shape (k,), without checksums.
    """
    with np.errstate(all="ignore"):  # sums of what a broken device sends may overflow
        return _summarised(t, bits, status, starts, tag, form, ramp_ns, want)


def _summarised(
    t: npt.NDArray[np.int64],
    bits: npt.NDArray[np.uint64],
    status: npt.NDArray[np.uint32],
    starts: npt.NDArray[np.intp],
    tag: npt.NDArray[np.uint32] | int,
    form: int,
    ramp_ns: int,
    want: frozenset[str],
) -> Summaries:
    size = len(starts)
    found = np.zeros(size, SUMMARY)
    lasts = np.append(starts[1:], len(t)) - 1
    found["tag"], found["form"], found["layout"], found["ramp"] = tag, form, LAYOUT, ramp_ns
    found["n"] = lasts - starts + 1
    found["t0"], found["t1"] = t[starts], t[lasts]
    found["first"], found["last"] = bits[starts], bits[lasts]
    found["first_status"], found["last_status"] = status[starts], status[lasts]
    gaps = np.empty(len(t), np.int64)
    np.subtract(t[1:], t[:-1], out=gaps[:-1])
    gaps[lasts] = 0
    v = numbers(form, bits)
    fine = np.isfinite(v)
    if fine.all() and not status.any():
        found["known"] = found["t0"]
        _good(found, slice(None), starts, t, v, gaps, None, ramp_ns, want)
        return found
    severity = status >> np.uint32(30)
    good = fine & (severity == 0)
    nothing = nothing_yet(status)
    found["unsure"] = _count(fine & (severity == 1), starts)
    found["off"] = _count(~good & ~nothing, starts)
    found["known"] = np.minimum.reduceat(np.where(nothing, NEVER, t), starts)
    index = np.flatnonzero(good)
    doubtful = np.append(severity[1:] != 0, False)
    found["doubt"] = np.add.reduceat(np.where(good & doubtful, gaps, 0), starts)
    begins = np.searchsorted(index, starts)
    there = np.flatnonzero(np.diff(begins, append=len(index)))
    found["good_t0"] = found["good_t1"] = NEVER
    for name in ("good_first", "good_last", "low", "high"):
        found[name] = np.nan
    if len(index):
        _good(found, there, begins[there], t[index], v[index], gaps[index], index, ramp_ns, want)
    return found


def _good(
    found: Summaries,
    rows: npt.NDArray[np.intp] | slice,
    starts: npt.NDArray[np.intp],
    t: npt.NDArray[np.int64],
    v: npt.NDArray[np.float64],
    gaps: npt.NDArray[np.int64],
    index: npt.NDArray[np.intp] | None,
    ramp_ns: int,
    want: frozenset[str],
) -> None:
    """Fills in what Good numbers come to.

    Args:
        found: All summaries.
        rows: Those with Good numbers.
        starts: Where these begin among the Good numbers.
        t: Of the Good numbers.
        v: They.
        gaps: Time to the sample that follows.
        index: Their places among all samples; None when all are Good.
        ramp_ns: See `summarised`.
        want: See `summarised`.
    """
    lasts = np.append(starts[1:], len(t)) - 1
    count = lasts - starts + 1

    def put(name: str, ufunc: np.ufunc, values: npt.NDArray[np.generic]) -> None:
        found[name][rows] = ufunc.reduceat(values, starts)

    found["good"][rows] = count
    found["good_t0"][rows], found["good_t1"][rows] = t[starts], t[lasts]
    found["good_first"][rows], found["good_last"][rows] = v[starts], v[lasts]
    put("gap", np.maximum, gaps)
    if index is None:
        found["covered"] = found["t1"] - found["t0"]
    else:
        put("covered", np.add, gaps)
    if RANGE in want:
        put("low", np.minimum, v)
        put("high", np.maximum, v)
    if SUM in want:
        put("total", np.add, v)
    if SQUARES in want:
        off = v - np.repeat(found["total"][rows] / count, count)
        put("squares", np.add, off * off)
    if ZERO in want:
        put("zero", np.add, np.where(v == 0, gaps, 0))
    if not want & {AREA, STEPS}:
        return
    step = np.empty(len(v))
    np.subtract(v[1:], v[:-1], out=step[1:])
    step[starts] = 0.0
    if AREA in want:
        _area(found, rows, starts, v, gaps, step, index, ramp_ns)
    if STEPS in want:
        found["changes"][rows] = _count(step != 0, starts)
        down = step < 0
        put("rise", np.add, np.where(down, 0.0, step))
        if down.any():
            found["falls"][rows] = _count(down, starts)
            put("fall", np.add, np.where(down, step, 0.0))
            put("anew", np.add, np.where(down, v, 0.0))


def _area(
    found: Summaries,
    rows: npt.NDArray[np.intp] | slice,
    starts: npt.NDArray[np.intp],
    v: npt.NDArray[np.float64],
    gaps: npt.NDArray[np.int64],
    step: npt.NDArray[np.float64],
    index: npt.NDArray[np.intp] | None,
    ramp_ns: int,
) -> None:
    seconds = gaps * 1e-9
    held = np.add.reduceat(v * seconds, starts)
    found["held"][rows] = held
    towards = step[1:]
    if index is not None:  # a number that is not followed by a Good one is held
        towards = np.where(np.diff(index) > 1, 0.0, towards)
    if ramp_ns and int(found["gap"].max()) > RESTS * ramp_ns:
        seconds = np.where(gaps > RESTS * ramp_ns, ramp_ns * 1e-9, seconds)
    bends = np.zeros(len(v))
    np.multiply(towards, seconds[:-1], out=bends[:-1])
    found["line"][rows] = held + np.add.reduceat(bends, starts) / 2


def numbers(form: int, bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    """Value bits as float64; integers beyond 2**53 are rounded."""
    if form == UNSIGNED:
        return bits.astype(np.float64)
    bits = np.ascontiguousarray(bits)
    return bits.view(np.float64) if form == FLOAT else bits.view(np.int64).astype(np.float64)


def pack_summary(record: np.void) -> bytes:
    """A summary as bytes, with its checksum."""
    body = record.tobytes()[:_CHECKED]
    return body + zlib.crc32(body).to_bytes(4, "little")


def unpack_summary(blob: bytes) -> np.void:
    """The inverse of `pack_summary`.

    Raises:
        StoreDamagedError: Not what was written.
    """
    if not is_summary(blob):
        raise StoreDamagedError("the summary of a chunk is damaged, or made by a newer version")
    record: np.void = np.frombuffer(blob, SUMMARY)[0]
    return record


def is_summary(blob: bytes | None) -> bool:
    """These bytes are a whole summary of this layout."""
    return (
        blob is not None
        and len(blob) == SUMMARY.itemsize
        and zlib.crc32(memoryview(blob)[:_CHECKED]) == int.from_bytes(blob[_CHECKED:], "little")
        and int.from_bytes(blob[_CHECKED - 2 : _CHECKED], "little") == LAYOUT
    )


def _count(mask: npt.NDArray[np.bool_], starts: npt.NDArray[np.intp]) -> npt.NDArray[np.uint32]:
    return np.add.reduceat(mask, starts, dtype=np.uint32)
