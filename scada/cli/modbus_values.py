"""What registers may mean: ranges as people write them, words as every type in every order. Pure."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

ORDERS: Final = ("ABCD", "CDAB", "BADC", "DCBA")
"""Order of the bytes of a 32-bit value on the wire, A the most significant; longer values likewise by words."""
NUMBERS: Final[dict[str, str]] = {
    "int16": ">h",
    "uint16": ">H",
    "int32": ">i",
    "uint32": ">I",
    "float32": ">f",
    "int64": ">q",
    "uint64": ">Q",
    "float64": ">d",
}
BCD: Final[dict[str, int]] = {"bcd16": 1, "bcd32": 2}
WORDS: Final[dict[str, int]] = {name: struct.calcsize(code) // 2 for name, code in NUMBERS.items()} | BCD
EXCEPTIONS: Final = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "server device failure",
    5: "acknowledge",
    6: "server device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target device failed to respond",
}
"""Modbus Application Protocol 1.1b3, 7."""
BIT_TABLES: Final = frozenset({"coil", "discrete"})
_DIGITS: Final = {"coil": "0", "discrete": "1", "input": "3", "holding": "4"}
_TABLES: Final = {digit: table for table, digit in _DIGITS.items()}
_PLAIN: Final = re.compile(
    r"(coil|discrete|holding|input)/(\d{1,5})(?:\s*x\s*(\d{1,5})|\s*-\s*(\d{1,5}))?", re.ASCII
)
_NUMBER: Final = re.compile(r"([134])(\d{4}|\d{5})(?:\s*x\s*(\d{1,5}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Range:
    """Consecutive addresses of one table.

    Attributes:
        table: `coil`, `discrete`, `holding` or `input`.
        first: Zero-based.
        count: At least 1.
    """

    table: str
    first: int
    count: int

    def __str__(self) -> str:
        if self.count == 1:
            return f"{self.table}/{self.first}"
        return f"{self.table}/{self.first}-{self.first + self.count - 1}"


def parse_range(text: str) -> Range:
    """The addresses that a text means: `holding/100x20`, `holding/100-119`, `coil/0`, `40101x20`.

    Raises:
        ValueError: It means none; the message says what to write.
    """
    words = text.strip()
    if match := re.fullmatch(r"(coil|discrete|holding|input)/0x(\d+)", words, re.ASCII):
        raise ValueError(
            f"{text!r} may be read as address 0 or as hexadecimal. "
            f"Write {match[1]}/0-{max(int(match[2][:5]) - 1, 0)}, or {match[1]}/{int(match[2][:5], 16)}"
        )
    from scada.field.modbus.ambiguous import forms  # noqa: PLC0415 - other verbs start faster without

    if re.search(r"/0\d", words) and (meant := forms(words)):
        raise ValueError(f"{words}: {meant}")
    if match := _PLAIN.fullmatch(words):
        table, first = match[1], int(match[2])
        count = int(match[4]) - first + 1 if match[4] else int(match[3] or 1)
    elif match := _NUMBER.fullmatch(words):
        table, first, count = _TABLES[match[1]], int(match[2]) - 1, int(match[3] or 1)
    else:
        if meant := forms(words):
            raise ValueError(f"{words}: {meant}")
        raise ValueError(
            f"{text!r} is no range of addresses. Write holding/100x20, holding/100-119, coil/0-15, or 40101x20"
        )
    if first < 0:
        raise ValueError(f"{text!r}: numbers of this form count from 1: {words[0]}0001")
    if count < 1 or first + count > 65536:
        raise ValueError(f"{text!r} does not lie in {table}/0 … {table}/65535, first address first")
    return Range(table, first, count)


def number(table: str, offset: int) -> str:
    """The 1-based number that manuals print for an address: `40101` for holding/100, six digits where five do not do."""
    return f"{_DIGITS[table]}{offset + 1:04d}" if offset < 9999 else f"{_DIGITS[table]}{offset + 1:05d}"


def ordered(data: bytes, order: str) -> bytes:
    """Bytes from the wire's order to most significant first, or back: it is its own inverse.

    Args:
        data: Whole words.
        order: One of `ORDERS`.
    """
    if order in ("BADC", "DCBA"):
        data = b"".join(data[i + 1 : i - 1 if i else None : -1] for i in range(0, len(data), 2))
    if order in ("CDAB", "DCBA"):
        data = b"".join(data[i : i + 2] for i in range(len(data) - 2, -1, -2))
    return data


def value_of(words: Sequence[int], type_: str, order: str) -> int | float | None:
    """The value of some registers.

    Args:
        words: As many as the type takes, each 0 … 65535.
        type_: One of `WORDS`.
        order: One of `ORDERS`.

    Returns:
        None where BCD has a digit above 9.
    """
    data = ordered(struct.pack(f">{len(words)}H", *words), order)
    if type_ in BCD:
        digits = data.hex()
        return int(digits) if digits.isdecimal() else None
    value: int | float = struct.unpack(NUMBERS[type_], data)[0]
    return value


def words_of(value: float, type_: str, order: str) -> tuple[int, ...]:
    """The registers that hold a value; `value_of` gives it back.

    Raises:
        ValueError: The type does not hold it.
    """
    try:
        if type_ in BCD:
            size = 4 * BCD[type_]
            if value < 0 or value != int(value) or len(digits := f"{int(value):0{size}d}") > size:
                raise ValueError(f"{value} is not a whole number of at most {size} digits")
            data = bytes.fromhex(digits)
        else:
            whole = NUMBERS[type_][1] not in "fd"
            if whole and value != int(value):
                raise ValueError(f"{value} is not a whole number, as {type_} needs")
            data = struct.pack(NUMBERS[type_], int(value) if whole else value)
    except (struct.error, OverflowError):
        raise ValueError(f"{value} does not fit into {type_}") from None
    data = ordered(data, order)
    return struct.unpack(f">{len(data) // 2}H", data)


def orders_of(type_: str) -> tuple[str, ...]:
    """The orders that differ for a type: a single word has two."""
    return ("ABCD", "BADC") if WORDS[type_] == 1 else ORDERS


def bits_text(word: int) -> str:
    """A word as bits, the highest first, in fours."""
    text = f"{word:016b}"
    return " ".join(text[i : i + 4] for i in range(0, 16, 4))


def ascii_text(word: int) -> str:
    """A word as two characters; a dot for what is not printable ASCII."""
    return "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in divmod(word, 256))


def number_text(value: float | None) -> str:
    """A number for a narrow column."""
    if value is None:
        return "—"
    if isinstance(value, int):
        return str(value)
    if math.isnan(value) or math.isinf(value):
        return str(value)
    return f"{value:.7g}"


def likely(value: float | None) -> bool:
    """Whether a number looks like something of a plant: neither NaN nor huge, nor tiny without being 0."""
    return value is not None and (value == 0 or 1e-5 < abs(value) < 1e9)


def exception_text(code: int) -> str:
    """`exception 2: illegal data address`."""
    return f"exception {code}: {EXCEPTIONS.get(code, 'of the manufacturer')}"
