"""Columns of samples as texts and back: times, values, qualities.

A time is ISO 8601 in UTC with nine digits, a number the shortest text that gives the same bits back, a quality its name, or
eight hex digits where the name alone would lose bits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import orjson

from tags import quality
from tags.types import BOOL, FLOAT32, FLOATS, INTEGER_RANGE, STRING_BYTES_MAX, UINT64

UTC_WIDTH: Final = 30
_WHOLE: Final = 20  # `2026-11-22T12:00:00Z`
_SIGNS: Final = {4: "-", 7: "-", 10: "T", 13: ":", 16: ":", 19: "Z"}
YEARS: Final = (1971, 2261)  # what fits into 64 bits of ns, in any zone
_NS: Final = 1_000_000_000
_EXACT: Final = 2.0**53  # beyond it a float64 skips whole numbers
_DAY_NS: Final = 86_400 * _NS
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))
_CODES: Final = {name.lower(): code for code, name in quality.NAMES.items()}
_SWITCHES: Final = {"true": 1, "false": 0, "1": 1, "0": 0, "on": 1, "off": 0, "1.0": 1, "0.0": 0}

Times = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]
Status = npt.NDArray[np.uint32]


def utc_texts(t: Times) -> list[bytes]:
    """`2026-11-22T12:00:00.123456789Z` of UTC, ns."""
    days, rest = np.divmod(t, _DAY_NS)
    different, which = np.unique(days, return_inverse=True)
    out = np.empty((len(t), UTC_WIDTH), np.uint8)
    dates = np.datetime_as_string(different.astype("datetime64[D]")).astype("S10")
    out[:, :10] = dates.view(np.uint8).reshape(-1, 10)[which]
    seconds, ns = np.divmod(rest, _NS)
    for column, mark in ((10, "T"), (13, ":"), (16, ":"), (19, "."), (29, "Z")):
        out[:, column] = ord(mark)
    for column, number in ((11, seconds // 3600), (14, seconds // 60 % 60), (17, seconds % 60)):
        out[:, column] = number // 10 + 48
        out[:, column + 1] = number % 10 + 48
    ns = ns.astype(np.uint32)
    for column in range(28, 19, -1):
        out[:, column] = ns % 10 + 48
        ns //= 10
    found: list[bytes] = out.view(f"S{UTC_WIDTH}").ravel().tolist()
    return found


def value_texts(type_: str, bits: Bits) -> list[bytes]:
    """Numbers as texts; `nan`, `inf` and `-inf` for what is no finite number."""
    if type_ == BOOL:
        return [b"true" if bit else b"false" for bit in bits.tolist()]
    if type_ in FLOATS:
        numbers = bits.view(np.float64)
        texts = _dumped(numbers)
        for i in np.flatnonzero(~np.isfinite(numbers)).tolist():
            texts[i] = repr(float(numbers[i])).encode()
        return texts
    return _dumped(bits if type_ == UINT64 else bits.view(np.int64))


def quality_texts(status: Status) -> list[bytes]:
    """Names, or `0x80310400` where there are bits that no name has."""
    different, which = np.unique(status, return_inverse=True)
    names = [quality_text(code).encode() for code in different.tolist()]
    if len(names) == 1:
        return names * len(status)
    return [names[i] for i in which.tolist()]


def quality_text(code: int) -> str:
    """As `quality_texts`, of one."""
    return quality.NAMES.get(code) or f"0x{code:08X}"


def quality_of(text: str) -> int:
    """The StatusCode of a name, of hex digits after `0x` or of a decimal number.

    Raises:
        ValueError: It is none.
    """
    words = text.strip()
    known = _CODES.get(words.lower())
    if known is not None:
        return known
    try:
        code = int(words, 16) if words[:2].lower() == "0x" else int(words)
    except ValueError:
        code = -1
    if not 0 <= code < 2**32:
        raise ValueError(
            f"{text!r} is no quality. Write Good, a name of docs/reference/quality.md, or 0x80000000"
        )
    return code


def utc_of(text: str, zone: ZoneInfo) -> int:
    """UTC, ns, of an ISO 8601 time with up to nine digits of a second; without an offset in a zone.

    Raises:
        ValueError: It is no such time.
    """
    words = text.strip()
    whole, point, rest = words.partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789")) if point else 0
    try:
        stamp = datetime.fromisoformat(whole + rest[digits:])
        ns = int(rest[:digits].ljust(9, "0")) if point else 0
        if point and not 0 < digits <= 9:
            raise ValueError  # noqa: TRY301 - as any other wrong time
    except ValueError:
        raise ValueError(f"{text!r} is no time. Write 2026-11-22T12:00:00.5Z or 2026-11-22 13:00") from None
    if not YEARS[0] <= stamp.year <= YEARS[1]:
        raise ValueError(f"{text!r}: the year is not between {YEARS[0]} and {YEARS[1]}")
    if stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=zone)
    since = stamp - _EPOCH
    return (since // timedelta(seconds=1)) * _NS + ns


def utcs_of(texts: Sequence[str], zone: ZoneInfo) -> Times:
    """As `utc_of`, of many; fast where all are in UTC.

    Raises:
        ValueError: One of them is no time; ask `utc_of` which.
    """
    found = _fixed(texts)
    if found is not None:
        return found
    return np.array([utc_of(text, zone) for text in texts], np.int64)


def _fixed(texts: Sequence[str]) -> Times | None:
    """Times of one width in UTC, with or without fractions; None when one of them is anything else."""
    widths = set(map(len, texts))
    if len(widths) != 1 or not ((width := widths.pop()) == _WHOLE or _WHOLE + 1 < width <= UTC_WIDTH):
        return None
    joined = "".join(texts).encode(errors="replace")
    if len(joined) != width * len(texts):
        return None
    marks = np.frombuffer(joined, np.uint8).reshape(-1, width)
    signs = _SIGNS if width == _WHOLE else {**_SIGNS, 19: ".", width - 1: "Z"}
    if any((marks[:, at] != ord(sign)).any() for at, sign in signs.items()):
        return None
    digits = [at for at in range(width) if at not in signs]
    numbers = marks - np.uint8(48)
    if (numbers[:, digits] > 9).any() or (marks[:, 0] != ord("2")).any() or (marks[:, 1] != ord("0")).any():
        return None
    dates, which = np.unique(np.ascontiguousarray(marks[:, :10]).view("S10").ravel(), return_inverse=True)
    try:
        days = dates.astype("U10").astype("datetime64[D]").astype(np.int64)
    except ValueError:
        return None
    pairs = [numbers[:, at].astype(np.int64) * 10 + numbers[:, at + 1] for at in (11, 14, 17)]
    if any((pair >= most).any() for pair, most in zip(pairs, (24, 60, 60), strict=True)):
        return None
    t: Times = (days[which] * 86_400 + pairs[0] * 3600 + pairs[1] * 60 + pairs[2]) * _NS
    scale = _NS
    for at in range(20, width - 1):
        scale //= 10
        t += numbers[:, at].astype(np.int64) * scale
    return t


def bits_of(type_: str, text: str) -> int:
    """The 64 bits of a number as a text.

    Raises:
        ValueError: It does not fit the type.
    """
    words = text.strip()
    if type_ == BOOL:
        if words.lower() not in _SWITCHES:
            raise ValueError(f"{text!r} is not true or false")
        return _SWITCHES[words.lower()]
    try:
        if type_ in FLOATS:
            return int(numbers_bits(type_, np.array([float(words)]))[0])
        return int(_integers_bits(type_, [_whole(words)])[0])
    except (ValueError, OverflowError):
        if type_ in FLOATS:
            raise ValueError(f"{text!r} is not a number that fits into {type_}") from None
        low, high = INTEGER_RANGE[type_]
        raise ValueError(f"{text!r} is not a whole number in {low} … {high}") from None


def many_bits(type_: str, texts: Sequence[str]) -> Bits:
    """As `bits_of`, of many.

    Raises:
        ValueError: One of them does not fit; ask `bits_of` which.
    """
    if type_ in FLOATS:
        return numbers_bits(type_, np.array(list(map(float, texts)), np.float64))
    if type_ != BOOL:
        with contextlib.suppress(ValueError):
            return _integers_bits(type_, list(map(int, texts)))
    return np.array([bits_of(type_, text) for text in texts], np.uint64)


def numbers_bits(type_: str, numbers: npt.NDArray[Any]) -> Bits:
    """The value bits of numbers (float, signed or unsigned).

    Raises:
        ValueError: One of them does not fit the type.
    """
    if type_ in FLOATS:
        values = np.ascontiguousarray(numbers, np.float64)
        if type_ == FLOAT32:
            with np.errstate(over="ignore"):
                short = values.astype(np.float32)
            if (np.isinf(short) & np.isfinite(values)).any():
                raise ValueError("a number does not fit into float32")
            rounded = short.astype(np.float64)
            values = np.where(np.isnan(values), values, rounded)  # a NaN keeps its bits
        return values.view(np.uint64)
    if numbers.dtype.kind == "f":
        if not (np.isfinite(numbers).all() and (numbers == np.floor(numbers)).all()):
            raise ValueError("a number is not whole")
        if (np.abs(numbers) > _EXACT).any():
            raise ValueError("a whole number beyond 2^53 came as one with a fraction")
        numbers = numbers.astype(np.int64)
    low, high = INTEGER_RANGE[type_]
    if len(numbers) and not (low <= int(numbers.min()) and int(numbers.max()) <= high):
        raise ValueError(f"a number is not in {low} … {high}")
    return (
        numbers.astype(np.uint64) if numbers.dtype.kind == "u" else numbers.astype(np.int64).view(np.uint64)
    )


def _integers_bits(type_: str, numbers: list[int]) -> Bits:
    low, high = INTEGER_RANGE[type_]
    if numbers and not (low <= min(numbers) and max(numbers) <= high):
        raise ValueError(f"a number is not in {low} … {high}")
    if type_ == UINT64:
        return np.array(numbers, np.uint64)
    return np.array(numbers, np.int64).view(np.uint64)


def text_of(text: str) -> str:
    """The value of a string tag.

    Raises:
        ValueError: It is too long.
    """
    if len(text.encode()) > STRING_BYTES_MAX:
        raise ValueError(f"text of {len(text.encode())} bytes; at most {STRING_BYTES_MAX} fit")
    return text


def _whole(words: str) -> int:
    try:
        return int(words)
    except ValueError:
        number = float(words)
        if number != int(number) or abs(number) > _EXACT:
            raise
        return int(number)


def _dumped(column: npt.NDArray[Any]) -> list[bytes]:
    if not len(column):
        return []
    return orjson.dumps(np.ascontiguousarray(column), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
