"""Texts that are no address but mean one to a reader, to YAML or to another program: what to write instead. Pure.

Nothing here is ever read as an address. Where two places may be meant both are named, and the engineer chooses.
What is named can be read: `place` writes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

COIL, DISCRETE, HOLDING, INPUT = "coil", "discrete", "holding", "input"
LAST: Final = 65535
MAX_REGISTERS: Final = 125
_DIGIT: Final = {DISCRETE: "1", INPUT: "3", HOLDING: "4"}
_BY_DIGIT: Final = {"0": COIL, "1": DISCRETE, "3": INPUT, "4": HOLDING}
_IEC: Final = {"MW": HOLDING, "IW": INPUT, "QW": HOLDING, "M": COIL, "I": DISCRETE, "Q": COIL}
_SHORT: Final = {
    "hr": (HOLDING, HOLDING),
    "h": (HOLDING, HOLDING),
    "ir": (INPUT, INPUT),
    "c": (COIL, COIL),
    "di": (DISCRETE, DISCRETE),
    "i": (INPUT, DISCRETE),
    "d": (HOLDING, DISCRETE),
}
_WORDS: Final = {
    "coils": COIL,
    "discretes": DISCRETE,
    "discrete input": DISCRETE,
    "discrete inputs": DISCRETE,
    "holding register": HOLDING,
    "holding registers": HOLDING,
    "input register": INPUT,
    "input registers": INPUT,
    "inputs": INPUT,
}


class _NoPlaceError(ValueError):
    """What may be meant lies outside of the tables."""


def place(table: str, offset: int, bits: str = "") -> str:
    """A place as it is written: `holding/100`, `holding/10.3`; with six digits where an offset looks like a number.

    Args:
        table: `coil`, `discrete`, `holding` or `input`.
        offset: Zero-based.
        bits: `3` or `4-7`, or "".

    Raises:
        ValueError: There is no such place.
    """
    if not 0 <= offset <= LAST or (bits and table not in (HOLDING, INPUT)):
        raise _NoPlaceError
    if _is_number(table, offset):
        return f"{_DIGIT[table]}{offset + 1:05d}" + (f" bit {bits}" if bits else "")
    return f"{table}/{offset}" + (f".{bits}" if bits else "")


def forms(text: str) -> str | None:
    """What may be meant by a text that is no address, as a sentence; None where nothing is known of it.

    Args:
        text: As written in the site, without blanks around it.
    """
    for pattern, explain in _CASES:
        if match := pattern.fullmatch(text):
            try:
                return explain(match)
            except _NoPlaceError:
                return None
    return None


def number_as_offset(table: str, offset: int) -> str | None:
    """The two meanings of an offset that looks like a number of manuals (`holding/40101`); None where it does not."""
    number = _is_number(table, offset)
    if not number:
        return None
    if offset > LAST:
        return f"offsets are 0 … {LAST}. Write {place(table, number - 1)} for the number {offset} of manuals"
    return (
        f"{offset} may be a number of manuals or an offset. Write {place(table, number - 1)} for the number {offset},"
        f" or {place(table, offset)} for the offset {offset} as the wire counts"
    )


def _is_number(table: str, offset: int) -> int:
    """The number behind the first digit where an offset looks like a number of its own table, else 0."""
    for ten in (10_000, 100_000):
        number = offset - int(_DIGIT.get(table, "9")) * ten
        if 1 <= number <= min(ten - 1, LAST + 1):
            return number
    return 0


def _fraction(match: re.Match[str]) -> str:
    number, fraction = match.groups()
    table, offset, bit = _BY_DIGIT[number[0]], int(number[1:]) - 1, int(fraction)
    place(table, offset)  # or it is no number
    if table == DISCRETE:
        return f"a discrete input is one bit. Write {number}, or {place(table, offset)}"
    if not fraction.strip("0"):
        return (
            f"a fraction. Write {number} for the register, or {place(table, offset, '0')} for its lowest bit"
        )
    if bit == 1 and len(fraction) == 1:
        return f"YAML cannot tell .1 from .10. Write {place(table, offset, '1')}, or {place(table, offset, '10')}"
    if bit > 15:
        return f"YAML reads a fraction. Write {number} for the register; its bits are 0 … 15"
    return f"YAML reads a fraction. Write {place(table, offset, str(bit))} for bit {bit}, or {number} for the register"


def _decimal(match: re.Match[str]) -> str:
    offset, bit = int(match[1]), int(match[2])
    if bit > 15:
        raise _NoPlaceError
    return f"no table is named. Write {place(HOLDING, offset, str(bit))}, or {place(INPUT, offset, str(bit))}"


def _hexadecimal(match: re.Match[str]) -> str:
    table, digits = match[1] or HOLDING, next(group for group in match.groups()[1:] if group)
    other = ""
    if digits.isdecimal():
        number = int(digits)
        other = f", or {place(table, number)} if it is decimal"
        if match[1] in (HOLDING, INPUT) and match[2]:
            other = _many(f"{table}/0", 0, number) or other
    return f"addresses are written in decimal. Write {place(table, int(digits, 16))} for hexadecimal {digits}{other}"


def _octal(match: re.Match[str]) -> str:
    table, digits = match[1] or HOLDING, match[2]
    return (
        f"addresses are written in decimal. Write {place(table, int(digits, 8))} for octal {digits},"
        f" or {place(table, int(digits))} if it is decimal"
    )


def _zeros(match: re.Match[str]) -> str:
    table, digits, bits = match[1], match[2], _plain_bits(match[3])
    number = int(digits)
    plain = place(table, number, bits)
    if table == COIL and len(digits) >= 5 and number and not bits:
        return (
            f"may count from 0 or 1. Write {place(table, number - 1)} for the coil that manuals call {digits},"
            f" or {plain} for offset {number}"
        )
    if digits != str(number) and set(digits) <= set("01234567") and number:
        octal = place(table, int(digits, 8), bits)
        return f"zeros in front may mean octal. Write {plain}, or {octal} if it is octal"
    return f"has zeros in front. Write {plain}"


def _bare(match: re.Match[str]) -> str:
    digits = match[1]
    number = int(digits)
    if len(digits) == 6 and digits[:2] in ("01", "03", "04") and number % 10_000 >= 1:
        return (
            f"may be a coil or the number {digits[1:]}. Write {place(COIL, number - 1)} for the coil that manuals call"
            f" {digits}, or {digits[1:]}"
        )
    offset = max(number - 1, 0)
    return (
        f"not clear which table and whether it counts from 0 or 1. Write {place(COIL, offset)} for the coil that manuals"
        f" call {offset + 1:05d}, or {place(HOLDING, number)} for the holding register with that offset"
    )


def _grouped(match: re.Match[str]) -> str:
    digits = re.sub(r"[ _,']", "", match[0])
    return f"has marks between its digits. Write {digits}, which is {place(_BY_DIGIT[digits[0]], int(digits[1:]) - 1)}"


def _modicon(match: re.Match[str]) -> str:
    table, number = _BY_DIGIT[match[1]], int(match[2])
    return (
        f"may count from 0 or 1. Write {place(table, number - 1)} if it counts from 1, as manuals do,"
        f" or {place(table, number)} if from 0"
    )


def _pair(match: re.Match[str]) -> str:
    table, first, second = match[1] or HOLDING, int(match[2]), int(match[3])
    why = (
        "not clear what the second number is"
        if match[1]
        else "other YAML readers take it for a time, to base 60"
    )
    if table not in (HOLDING, INPUT) or (second > 15 and match[1]):
        raise _NoPlaceError
    many = _many(place(table, first), first, second)
    if second > 15:
        return f"{why}. Write {place(table, 60 * first + second)}{many}"
    return f"{why}. Write {place(table, first, str(second))} for a bit{many}"


def _many(start: str, first: int, count: int) -> str:
    """The form for several registers, where that many can be written."""
    if not 1 <= count <= MAX_REGISTERS or first + count > LAST + 1:
        return ""
    return f", or {start} x {count} for {_registers(count)}"


def _iec(match: re.Match[str]) -> str:
    kind, number = match[1].upper(), int(match[2])
    table = _IEC[kind]
    why = "where a PLC puts its own variables is its business"
    if not number:
        return f"{why}. Write {place(table, 0)} if the table begins with it"
    return (
        f"{why}. Write {place(table, number)} if the table begins with %{kind}0,"
        f" or {place(table, number - 1)} if with %{kind}1"
    )


def _of_a_plc(_match: re.Match[str]) -> str:
    return "a PLC's own address. Its Modbus table says where that is: write for example holding/100, or 40101"


def _short(match: re.Match[str]) -> str:
    first, second = _SHORT[match[1].lower()]
    number = int(match[2])
    if first != second:
        return f"which table is not clear. Write {place(first, number)}, or {place(second, number)}"
    if not number:
        return f"not the form of an address. Write {place(first, 0)}"
    return f"may count from 0 or 1. Write {place(first, number)} if from 0, or {place(first, number - 1)} if from 1"


def _span(match: re.Match[str]) -> str:
    start, first, last = match[1], int(match[2]), int(match[3])
    count = last - first + 1
    if not 2 <= count <= LAST:
        raise _NoPlaceError
    at = place(start.strip("/"), first) if start else str(first)
    if not start:
        place(_BY_DIGIT[at[0]], int(at[1:]) - 1)  # or it is no number
    text = "" if at.startswith(("coil", "discrete", "1")) else _many(at, first if start else 0, count)
    return f"an address is one place. Write {at} for the first, and array: 1..{count} beside it for all{text}"


def _spelled(match: re.Match[str]) -> str:
    word = " ".join(re.split(r"[\s_]+", match[1].lower().strip(" _")))
    table = _WORDS.get(word, word)
    if table not in _BY_DIGIT.values():
        raise _NoPlaceError
    return f"not the form of an address. Write {place(table, int(match[2]), _plain_bits(match[3] or ''))}"


def _plain_bits(text: str) -> str:
    """Bits such as `.03` without point and zeros."""
    numbers = [int(number) for number in text.strip(".").split("-") if number]
    if any(number > 15 for number in numbers):
        raise _NoPlaceError
    return "-".join(str(number) for number in numbers)


def _registers(count: int) -> str:
    return f"{count} register" + ("" if count == 1 else "s")


_ANY: Final = "(?:(coil|discrete|holding|input)/)?"
_BITS: Final = r"((?:\.\d{1,2}(?:-\d{1,2})?)?)"
_CASES: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...]] = tuple(
    (re.compile(pattern, re.ASCII), explain)
    for pattern, explain in (
        (r"([134]\d{4,5})\.(\d{1,17})", _fraction),
        (r"(\d{1,5})\.(\d{1,3})", _decimal),
        (
            rf"{_ANY}(?:0[xX]([0-9A-Fa-f]{{1,4}})|16#([0-9A-Fa-f]{{1,4}})|([0-9][0-9A-Fa-f]{{0,3}})[hH])",
            _hexadecimal,
        ),
        (rf"{_ANY}(?:0o|8#)([0-7]{{1,6}})", _octal),
        (rf"(coil|discrete|holding|input)/(0\d{{1,6}}){_BITS}", _zeros),
        (r"(holding|input)/(\d{1,5})((?:\.\d{1,2}(?:-\d{1,2})?))", _zeros),
        (r"(\d{1,6})", _bare),
        (r"[134]\d{0,2}[ _,'](?:\d{3}|\d{4,5})", _grouped),
        (r"([0134])[xX](\d{1,5})", _modicon),
        (r"([0134]):(\d{3,5})", _modicon),
        (rf"{_ANY}(\d{{1,5}})[:/,](\d{{1,2}})(?::\d{{1,2}})?", _pair),
        (r"%?((?i:[MIQ]W))(\d{1,5})", _iec),
        (r"%((?i:[MIQ]))(\d{1,5})", _iec),
        (r"(?i:%[MIQ][XBWDL]?|DB)\d+[.A-Za-z0-9]*", _of_a_plc),
        (r"(?i:(hr|h|ir|i|c|di|d))[ :/]?(\d{1,5})", _short),
        (r"(coil/|discrete/|holding/|input/|(?=[134]\d{4}))(\d{1,6})\s*(?:-|\.\.|…|to)\s*(\d{1,6})", _span),
        (rf"([A-Za-z][A-Za-z _]{{3,20}}?)[\s/:.#\[(]*(\d{{1,5}}){_BITS}[\])]?", _spelled),
    )
)
