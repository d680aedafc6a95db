"""Registers on a screen: as words, and as every type in every order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from scada.cli.modbus_values import (
    BCD,
    BIT_TABLES,
    NUMBERS,
    WORDS,
    ascii_text,
    bits_text,
    exception_text,
    likely,
    number,
    number_text,
    orders_of,
    value_of,
)
from scada.cli.render import out, show_table

if TYPE_CHECKING:
    from scada.cli.modbus_line import Part

VIEWS: Final = ("words", *NUMBERS, *BCD)
USUAL: Final = ("words", "float32", "int32")


def show(parts: Sequence[Part], views: Sequence[str]) -> None:
    """Prints what was read, refused addresses in their place.

    Args:
        parts: In order.
        views: Of `VIEWS`; bits are shown as bits in any case.
    """
    blank = False
    for bits in (True, False):
        mine = [part for part in parts if (part.range.table in BIT_TABLES) == bits]
        for view in ("words",) if bits else views:
            size = 1 if view == "words" else WORDS[view]
            if not any(len(part.values) >= size or (size == 1 and part.exception) for part in mine):
                continue
            if blank:
                out.print()
            blank = True
            if bits:
                show_table(("address", "number", "bit"), _bits(mine))
            elif view == "words":
                show_table(("address", "number", "hex", "uint16", "int16", "bits", "text"), _words(mine))
            else:
                show_table(
                    ("address", *(f"{view} {order}" for order in orders_of(view))), _values(mine, view)
                )


def _bits(parts: Sequence[Part]) -> list[tuple[str | Text, ...]]:
    rows: list[tuple[str | Text, ...]] = []
    for part in parts:
        if part.exception is not None:
            rows.append(_refused(part))
        for i, value in enumerate(part.values):
            at = part.range.first + i
            rows.append((f"{part.range.table}/{at}", number(part.range.table, at), str(value)))
    return rows


def _words(parts: Sequence[Part]) -> list[tuple[str | Text, ...]]:
    rows: list[tuple[str | Text, ...]] = []
    for part in parts:
        if part.exception is not None:
            rows.append(_refused(part))
        for i, word in enumerate(part.values):
            at = part.range.first + i
            rows.append(
                (
                    f"{part.range.table}/{at}",
                    number(part.range.table, at),
                    f"0x{word:04X}",
                    str(word),
                    str(word - 0x10000 if word >= 0x8000 else word),
                    bits_text(word),
                    ascii_text(word),
                )
            )
    return rows


def _values(parts: Sequence[Part], type_: str) -> list[tuple[str | Text, ...]]:
    """A row for each register where a value of this type could begin."""
    rows: list[tuple[str | Text, ...]] = []
    size = WORDS[type_]
    for part in parts:
        for i in range(len(part.values) - size + 1):
            words = part.values[i : i + size]
            cells: list[str | Text] = [f"{part.range.table}/{part.range.first + i}"]
            for order in orders_of(type_):
                value = value_of(words, type_, order)
                cells.append(Text(number_text(value), style="" if likely(value) else "dim"))
            rows.append(tuple(cells))
    return rows


def _refused(part: Part) -> tuple[str | Text, ...]:
    return str(part.range), number(part.range.table, part.range.first), exception_text(part.exception or 0)


def as_json(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Every address with every meaning."""
    rows: list[dict[str, Any]] = []
    for part in parts:
        if part.exception is not None:
            rows.append({"address": str(part.range), "exception": part.exception})
        for i, value in enumerate(part.values):
            at = part.range.first + i
            row: dict[str, Any] = {
                "address": f"{part.range.table}/{at}",
                "number": number(part.range.table, at),
                "value": value,
            }
            if part.range.table not in BIT_TABLES:
                row["as"] = {
                    type_: {
                        order: value_of(part.values[i : i + size], type_, order) for order in orders_of(type_)
                    }
                    for type_, size in WORDS.items()
                    if i + size <= len(part.values)
                }
            rows.append(row)
    return rows
