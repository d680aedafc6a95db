"""What can only be judged with all tags of one device in view: overlaps, writers, forbidden ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from scada.field.modbus import writes
from scada.field.modbus.address import BIT_TABLES, TABLES, WRITABLE, Address
from scada.field.modbus.config import ORDERS, Config
from tags import types
from tags.model import Tag

_WITH_BITS: Final = frozenset(
    {types.INT16, types.UINT16, types.UINT32, types.UINT64, "bcd16"}
)  # status words: read as a whole and bit by bit


def check(config: Config, tags: Sequence[Tag]) -> list[tuple[str, str]]:
    """Problems of all tags of one device, as (tag path, what is wrong and what to do)."""
    placed = [(tag, Address.of(tag.address)) for tag in tags if tag.address is not None]
    return [
        *_tables(config, placed),
        *writes.problems(config, placed),
        *_overlaps(placed),
    ]


def _tables(config: Config, placed: list[tuple[Tag, Address]]) -> list[tuple[str, str]]:
    problems, spans = [], config.spans
    for tag, at in placed:
        if tag.owner is not None and at.table not in WRITABLE:
            problems.append(
                (tag.path, f"{at} can only be read. Use a coil or holding address, or leave out owner:")
            )
        if any(s.table == at.table and at.offset <= s.last and at.offset + at.count > s.first for s in spans):
            problems.append(
                (tag.path, f"{at} lies in a forbidden range of the device. Move it, or change forbidden:")
            )
    return problems


def _overlaps(placed: list[tuple[Tag, Address]]) -> list[tuple[str, str]]:
    problems = []
    for table in TABLES:
        ordered = sorted(
            ((tag, at) for tag, at in placed if at.table == table),
            key=lambda pair: (pair[1].offset, pair[0].path),
        )
        open_: list[tuple[Tag, Address]] = []
        for tag, at in ordered:
            open_ = [(other, o) for other, o in open_ if o.offset + o.count > at.offset]
            for other, o in open_:
                problem = _clash(tag, at, other, o)
                if problem:
                    problems.append((tag.path, problem))
                    break
            open_.append((tag, at))
    return problems


def _clash(tag: Tag, at: Address, other: Tag, o: Address) -> str | None:
    """Why two overlapping tags cannot both be right, or None when they can."""
    both_written = tag.owner is not None and other.owner is not None
    where = f"{at} is also {other.path}"
    if at.bit is not None and o.bit is not None:
        if not both_written or not _mask(at) & _mask(o):
            return None
        return f"{where}, and both are written. One bit has one writer: keep one owner:"
    if at.table not in BIT_TABLES and (at.bit is None) != (o.bit is None):
        word_at = at if at.bit is None else o
        if word_at.type not in _WITH_BITS:
            return f"{where} ({other.type}). Two types cannot share registers: correct one address"
        return (
            f"{where}, and both are written. Write the word or its bits, not both" if both_written else None
        )
    if (at.offset, at.count) == (o.offset, o.count):
        if at.type != o.type:
            return f"{where}, which has type {o.type}. Two types cannot share registers: correct one address"
        if at.order != o.order and at.table not in BIT_TABLES:
            return f"{where}, which has the order {o.order}. One of them is wrong: correct order:"
        return (
            f"{where}, and both are written. One place has one writer: keep one owner:"
            if both_written
            else None
        )
    return f"{where} ({o.type}, {o.count} registers from {o}). Correct one address"


def _mask(at: Address) -> int:
    """The bits of a register that belong to an address, as they lie on the wire."""
    mask = (1 << at.width) - 1 << (at.bit or 0)
    return mask >> 8 | (mask & 0xFF) << 8 if ORDERS.get(at.order, ("", ""))[1] == "little" else mask
