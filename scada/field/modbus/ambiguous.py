"""Texts that are no address but mean one to a reader, to YAML or to another program: what to write instead. Pure.

Nothing here is ever read as an address. Where two places may be meant both are named, and the engineer chooses.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

COIL, DISCRETE, HOLDING, INPUT = "coil", "discrete", "holding", "input"
_BY_DIGIT: Final = {"0": COIL, "1": DISCRETE, "3": INPUT, "4": HOLDING}
_TABLE: Final = "(?:(coil|discrete|holding|input)/)?"
_IEC: Final = {"MW": HOLDING, "IW": INPUT, "QW": HOLDING, "M": COIL, "I": DISCRETE, "Q": COIL}
_SHORT: Final = {"hr": HOLDING, "h": HOLDING, "ir": INPUT, "c": COIL, "di": DISCRETE, "d": DISCRETE}
_WORDS: Final = {
    "coils": COIL,
    "discrete input": DISCRETE,
    "discrete inputs": DISCRETE,
    "holding register": HOLDING,
    "holding registers": HOLDING,
    "input register": INPUT,
    "input registers": INPUT,
}


def forms(text: str) -> str | None:
    """What may be meant by a text that is no address, as a sentence; None where nothing is known of it.

    Args:
        text: As written in the site, without blanks around it.
    """
    for pattern, explain in _CASES:
        if match := pattern.fullmatch(text):
            return explain(match)
    return None


def number_as_offset(table: str, offset: int) -> str | None:
    """The two meanings of an offset that looks like a number of manuals (`holding/40101`); None where it does not."""
    digit = {DISCRETE: 1, INPUT: 3, HOLDING: 4}.get(table)
    if digit is None:
        return None
    for ten in (10_000, 100_000):
        number = offset - digit * ten
        if 1 <= number <= min(ten - 1, 65536):
            if offset > 65535:
                return f"offsets are 0 … 65535. Write {table}/{number - 1} for the number {offset} of manuals"
            return (
                f"{offset} may be a number of manuals or an offset. Write {table}/{number - 1} for the number {offset},"
                f" or {digit}{offset + 1:05d} for the offset {offset} as the wire counts"
            )
    return None


def _fraction(match: re.Match[str]) -> str:
    number, fraction = match.groups()
    table, offset = _BY_DIGIT[number[0]], int(number[1:]) - 1
    first = f"{table}/{max(offset, 0)}"
    if not fraction.strip("0"):
        return f"a fraction. Write {number} for the register, or {first}.0 for its lowest bit"
    if len(fraction) == 1 and int(fraction) == 1:
        return f"YAML cannot tell .1 from .10. Write {first}.1, or {first}.10"
    return f"YAML reads a fraction. Write {first}.{int(fraction)} for bit {int(fraction)}, or {number} for the register"


def _decimal(match: re.Match[str]) -> str:
    number, fraction = match.groups()
    bit = int(fraction)
    return f"no table is named. Write {HOLDING}/{int(number)}.{bit}, or {INPUT}/{int(number)}.{bit}"


def _hexadecimal(match: re.Match[str]) -> str:
    table, digits = match[1] or HOLDING, next(group for group in match.groups()[1:] if group)
    other = ""
    if match[1] and match[2] and digits.isdecimal():
        other = f", or {table}/0 x {int(digits)} for {int(digits)} registers from 0 on"
    elif digits.isdecimal():
        other = f", or {table}/{int(digits)} if it is decimal"
    return (
        f"addresses are written in decimal. Write {table}/{int(digits, 16)} for hexadecimal {digits}{other}"
    )


def _octal(match: re.Match[str]) -> str:
    table, digits = match[1] or HOLDING, match[2]
    return (
        f"addresses are written in decimal. Write {table}/{int(digits, 8)} for octal {digits},"
        f" or {table}/{int(digits)} if it is decimal"
    )


def _zeros(match: re.Match[str]) -> str:
    table, digits, rest = match.groups()
    number = int(digits)
    if table == COIL and len(digits) >= 5 and number:
        return (
            f"may count from 0 or 1. Write {COIL}/{number - 1}{rest} for the coil that manuals call {digits},"
            f" or {COIL}/{number}{rest} for offset {number}"
        )
    if set(digits) <= set("01234567") and number:
        return (
            f"zeros in front may mean octal. Write {table}/{number}{rest}, or {table}/{int(digits, 8)}{rest}"
            " if it is octal"
        )
    return f"has zeros in front. Write {table}/{number}{rest}"


def _bare(match: re.Match[str]) -> str:
    digits = match[1]
    number = int(digits)
    if len(digits) == 6 and digits[:2] in ("01", "03", "04"):
        return (
            f"may be a coil or the number {digits[1:]}. Write {COIL}/{number - 1} for the coil that manuals call"
            f" {digits}, or {digits[1:]}"
        )
    offset = max(number - 1, 0)
    return (
        f"not clear which table and whether it counts from 0 or 1. Write {COIL}/{offset} for the coil that manuals call"
        f" {offset + 1:05d}, or {HOLDING}/{min(number, 65535)} for the holding register with that offset"
    )


def _grouped(match: re.Match[str]) -> str:
    digits = re.sub(r"[ _,']", "", match[0])
    table, number = _BY_DIGIT[digits[0]], int(digits[1:])
    return f"has marks between its digits. Write {digits}, which is {table}/{max(number - 1, 0)}"


def _modicon(match: re.Match[str]) -> str:
    table, number = _BY_DIGIT[match[1]], int(match[2])
    return (
        f"may count from 0 or 1. Write {table}/{max(number - 1, 0)} if it counts from 1, as manuals do,"
        f" or {table}/{number} if from 0"
    )


def _sexagesimal(match: re.Match[str]) -> str:
    first, second = int(match[1]), int(match[2])
    return (
        f"other YAML readers take it for a time or a number to base 60. Write {HOLDING}/{first}.{second} for a bit,"
        f" or {HOLDING}/{first}x{second} for {second} registers"
    )


def _iec(match: re.Match[str]) -> str:
    table, number = _IEC[match[1].upper()], int(match[2])
    return (
        f"where a PLC puts its own variables is its business. Write {table}/{number} if %{match[1].upper()}0 is the first"
        f" of the table, or {table}/{max(number - 1, 0)} if it is number 1"
    )


def _short(match: re.Match[str]) -> str:
    table, number = _SHORT[match[1].lower()], int(match[2])
    return (
        f"may count from 0 or 1. Write {table}/{number} if from 0, or {table}/{max(number - 1, 0)} if from 1"
    )


def _span(match: re.Match[str]) -> str:
    table, first, last = match[1] or "", int(match[2]), int(match[3])
    start = f"{table}/{first}" if table else str(first)
    return (
        f"an address is one place. Write {start} for the first, and array: 1..{max(last - first, 0) + 1} beside it for"
        f" all, or {start}x{max(last - first, 0) + 1} for a text"
    )


def _spelled(match: re.Match[str]) -> str | None:
    word, rest = match[1].lower().replace("_", " "), match[2].rstrip("])")
    table = _WORDS.get(word, word)
    if table not in _BY_DIGIT.values():
        return None
    return f"not the form of an address. Write {table}/{rest}"


_Explain = Callable[[re.Match[str]], str | None]
_CASES: Final[tuple[tuple[re.Pattern[str], _Explain], ...]] = tuple(
    (re.compile(pattern, re.ASCII), explain)
    for pattern, explain in (
        (r"([134]\d{4,5})\.(\d{1,17})", _fraction),
        (r"(\d{1,5})\.(\d{1,3})", _decimal),
        (
            rf"{_TABLE}(?:0[xX]([0-9A-Fa-f]{{1,4}})|16#([0-9A-Fa-f]{{1,4}})|([0-9][0-9A-Fa-f]{{0,3}})[hH])",
            _hexadecimal,
        ),
        (rf"{_TABLE}(?:0o|8#)([0-7]{{1,6}})", _octal),
        (r"(coil|discrete|holding|input)/(0\d{1,6})((?:\.\d{1,2}(?:-\d{1,2})?)?)", _zeros),
        (r"(\d{1,6})", _bare),
        (r"[134]\d{0,2}[ _,'](?:\d{3}|\d{4,5})", _grouped),
        (r"([0134])[xX](\d{1,5})", _modicon),
        (r"([0134]):(\d{3,5})", _modicon),
        (r"(\d{1,5}):(\d{1,2})(?::\d{1,2})?", _sexagesimal),
        (r"%(MW|IW|QW|M|I|Q)(\d{1,5})", _iec),
        (r"%(mw|iw|qw|m|i|q)(\d{1,5})", _iec),
        (r"(?i)(hr|h|ir|c|di|d)[ :/]?(\d{1,5})", _short),
        (r"(?:(coil|discrete|holding|input)/)?(\d{1,6})\s*(?:-|\.\.|…|to)\s*(\d{1,6})", _span),
        (r"([A-Za-z][A-Za-z _]{3,20}?)\s?[/:.#\[( ]\s?(\d{1,5}[\d.x\-]{0,8}[\])]?)", _spelled),
    )
)
