"""Addresses: the texts of a site to table, zero-based offset, bit and count.

Two forms are read. The plain one names the table and counts from 0 as the wire does (`holding/100`). The traditional
one counts from 1 and carries the table in its first digit (`40101` or `400101`). `00001` for a coil is refused: YAML
reads it as the number 1, and people read it both ways.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from scada.field.modbus.config import MAX_REGISTERS, Config
from tags import types

COIL, DISCRETE, HOLDING, INPUT = "coil", "discrete", "holding", "input"
TABLES: Final = (COIL, DISCRETE, HOLDING, INPUT)
BIT_TABLES: Final = frozenset({COIL, DISCRETE})
WRITABLE: Final = frozenset({COIL, HOLDING})
COUNT: Final = {
    types.INT16: 1,
    types.UINT16: 1,
    types.INT32: 2,
    types.UINT32: 2,
    types.FLOAT32: 2,
    types.INT64: 4,
    types.UINT64: 4,
    types.FLOAT64: 4,
}
_PLAIN = re.compile(r"([a-z]+)/(\d{1,6})(?:\.(\d{1,3}))?(?:\s*x\s*(\d{1,4}))?")
_NUMBER = re.compile(r"([134])(\d{4}|\d{5})(?:\s*x\s*(\d{1,4}))?")
_BY_DIGIT: Final = {"1": DISCRETE, "3": INPUT, "4": HOLDING}
_FORMS = (
    "Write holding/100, input/3, coil/0, discrete/0, holding/10.3 (bit 3), holding/100x8 (text), or 40101"
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a tag lives in a device.

    Attributes:
        table: One of `TABLES`.
        offset: Zero-based, as on the wire.
        bit: Bit of a register, 0 = least significant, or None.
        count: Registers or coils, at least 1.
        type: On the wire, one of `tags.types.TYPES`; a scaled tag's own type is float64.
    """

    table: str
    offset: int
    bit: int | None
    count: int
    type: str

    def to_json(self) -> dict[str, Any]:
        """As it stands in `Tag.address`."""
        return {
            "table": self.table,
            "offset": self.offset,
            "bit": self.bit,
            "count": self.count,
            "type": self.type,
        }

    @classmethod
    def of(cls, data: dict[str, Any]) -> Address:
        """From `Tag.address`."""
        return cls(data["table"], data["offset"], data["bit"], data["count"], data["type"])

    @property
    def end(self) -> int:
        """First offset behind it."""
        return self.offset + self.count

    def __str__(self) -> str:
        return f"{self.table}/{self.offset}" + ("" if self.bit is None else f".{self.bit}")


def parse(text: str, type_: str, config: Config) -> Address:
    """The address that a text of the site means for a type.

    Raises:
        ValueError: Not an address, out of range, or the type does not fit there.
    """
    text = str(text).strip()
    table, offset, bit, registers = _split(text)
    if type_ == types.BOOL:
        count = _bool(text, table, bit, registers)
    elif table in BIT_TABLES:
        raise ValueError(
            f"{text}: a {type_} does not fit into a {table}; use type: bool or a holding or input address"
        )
    elif bit is not None:
        raise ValueError(f"{text}: only a bool has a bit; leave out .{bit} or use type: bool")
    elif type_ == types.STRING:
        if registers is None or not 1 <= registers <= MAX_REGISTERS:
            raise ValueError(f"{text}: a text needs its length in registers, 1 … 125: {table}/{offset}x8")
        count = registers
    else:
        count = COUNT[type_]
        if registers not in (None, count):
            raise ValueError(f"{text}: a {type_} takes {count} registers; leave out x{registers}")
    if table not in BIT_TABLES and count > config.max_registers:
        raise ValueError(
            f"{text}: takes {count} registers, but max_registers of the device is {config.max_registers}"
        )
    if offset + count > 65536:
        raise ValueError(f"{text}: reaches beyond the last address, {table}/65535")
    return Address(table, offset, bit, count, type_)


def _bool(text: str, table: str, bit: int | None, registers: int | None) -> int:
    if registers is not None:
        raise ValueError(f"{text}: a bool has no length; leave out x{registers}")
    if table in BIT_TABLES:
        if bit is not None:
            raise ValueError(f"{text}: a {table} is one bit; leave out .{bit}")
    elif bit is None:
        raise ValueError(
            f"{text}: a bool in a register needs its bit, for example {text}.0 (0 is the lowest)"
        )
    elif bit > 15:
        raise ValueError(f"{text}: a register has bits 0 … 15")
    return 1


def _split(text: str) -> tuple[str, int, int | None, int | None]:
    """Table, offset, bit and registers of a text."""
    if match := _PLAIN.fullmatch(text):
        table, offset, bit, registers = match.groups()
        if table not in TABLES:
            raise ValueError(f"{text}: there is no table {table!r}; it is one of {', '.join(TABLES)}")
        if int(offset) > 65535:
            raise ValueError(f"{text}: offsets are 0 … 65535")
        return (
            table,
            int(offset),
            None if bit is None else int(bit),
            None if registers is None else int(registers),
        )
    if match := _NUMBER.fullmatch(text):
        digit, number, registers = match.groups()
        if not 1 <= int(number) <= 65536:
            raise ValueError(
                f"{text}: numbers of this form count from 1 to 65536 after the first digit. {_FORMS}"
            )
        return _BY_DIGIT[digit], int(number) - 1, None, None if registers is None else int(registers)
    if re.fullmatch(r"\d{1,6}", text):
        number = text.lstrip("0") or "0"
        offset = max(int(number) - 1, 0)
        raise ValueError(
            f"{text}: not clear which table and whether it counts from 0 or 1. "
            f"Write coil/{offset} for the coil that manuals call {offset + 1:05d}, or 40101 for a holding register"
        )
    raise ValueError(f"{text!r} is not a Modbus address. {_FORMS}")
