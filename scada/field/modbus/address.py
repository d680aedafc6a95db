"""Addresses: the texts of a site to table, zero-based offset, bits, count and order of bytes.

Two forms are read. The plain one names the table and counts from 0 as the wire does (`holding/100`). The traditional
one counts from 1 and carries the table in its first digit (`40101` or `400101`, `40101 bit 3`). Everything that YAML or a reader
could take for something else is refused with what may be meant (`ambiguous`): `00001` for a coil, which YAML reads
as the number 1; `holding/0100`, which may be octal; `holding/40101`, which may be the first form or the second.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, Final

from scada.field.modbus import ambiguous
from scada.field.modbus.config import MAX_REGISTERS, Config
from tags import types

COIL, DISCRETE, HOLDING, INPUT = "coil", "discrete", "holding", "input"
TABLES: Final = (COIL, DISCRETE, HOLDING, INPUT)
BIT_TABLES: Final = frozenset({COIL, DISCRETE})
WRITABLE: Final = frozenset({COIL, HOLDING})
REGISTER_BITS: Final = 16
COUNT: Final = {
    types.INT16: 1,
    types.UINT16: 1,
    types.INT32: 2,
    types.UINT32: 2,
    types.FLOAT32: 2,
    types.INT64: 4,
    types.UINT64: 4,
    types.FLOAT64: 4,
    "bcd16": 1,
    "bcd32": 2,
    "bcd64": 4,
}
_FIELD_TYPES: Final = (types.UINT16, types.INT16)
_LENGTH = r"(?:\s*x\s*(\d{1,4}))?"
_PLAIN = re.compile(
    r"([a-z]+)/(0(?!x)|[1-9]\d{0,5})(?:\.(0|[1-9]\d?)(?:-(0|[1-9]\d?))?)?" + _LENGTH, re.ASCII
)
_NUMBER = re.compile(
    r"([134])(\d{4}|\d{5})(?:\s+bits?\s+(0|[1-9]\d?)(?:\s*-\s*(0|[1-9]\d?))?)?" + _LENGTH, re.ASCII
)
_BY_DIGIT: Final = {"1": DISCRETE, "3": INPUT, "4": HOLDING}
_FORMS = (
    "Write holding/100, input/3, coil/0, discrete/0, holding/10.3 (bit 3), holding/10.4-7 (four bits),"
    " holding/100x8 (text), or 40101"
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a tag lives in a device.

    Attributes:
        table: One of `TABLES`.
        offset: Zero-based, as on the wire.
        bit: Lowest bit of a register that is meant, 0 = least significant; None for the whole value.
        count: Registers or coils, at least 1.
        type: On the wire, one of `tags.types.TYPES` or of `tags.types.BCD`; a scaled tag's own type is float64.
        width: Bits from `bit` on; 1 where it is not a bit field.
        order: Of the bytes: `ABCD`, `CDAB`, `BADC` or `DCBA`, A the most significant; "" for the device's.
    """

    table: str
    offset: int
    bit: int | None
    count: int
    type: str
    width: int = 1
    order: str = ""

    def to_json(self) -> dict[str, Any]:
        """As it stands in `Tag.address`; `limits` where fewer raw values fit than the type has."""
        data: dict[str, Any] = {
            "table": self.table,
            "offset": self.offset,
            "bit": self.bit,
            "count": self.count,
            "type": self.type,
            "order": self.order,
        }
        if self.limits is not None:
            data |= {"width": self.width, "limits": list(self.limits)}
        return data

    @classmethod
    def of(cls, data: dict[str, Any]) -> Address:
        """From `Tag.address`."""
        return cls(
            data["table"],
            data["offset"],
            data["bit"],
            data["count"],
            data["type"],
            data.get("width", 1),
            data.get("order", ""),
        )

    @property
    def end(self) -> int:
        """First offset behind it."""
        return self.offset + self.count

    @property
    def is_field(self) -> bool:
        """A number in some bits of a register."""
        return self.bit is not None and self.type != types.BOOL

    @property
    def limits(self) -> tuple[int, int] | None:
        """Lowest and highest raw value of a bit field; None for what its type holds."""
        if not self.is_field:
            return None
        if self.type == types.INT16:
            return -(1 << self.width - 1), (1 << self.width - 1) - 1
        return 0, (1 << self.width) - 1

    def element(self, index: int, step: int = 0) -> Address:
        """The place of one element of an array whose first element is here.

        Args:
            index: From 0.
            step: Registers or coils from one element to the next; 0 for one directly behind the other, bits of
                a register bit by bit and on into the next register.

        Raises:
            ValueError: Elements would overlap, a bit field would cross a register, or the table ends before.
        """
        if step and step < self.count:
            raise ValueError(
                f"a step of {step} is less than an element, {_registers(self.count)}. Write a larger one"
            )
        offset, bit = self.offset + index * (step or self.count), self.bit
        if bit is not None and not step:
            bits = bit + index * self.width
            if bit % self.width or REGISTER_BITS % self.width:
                raise ValueError(
                    f"fields of {self.width} bits from bit {bit} on do not fill a register. "
                    "Add step: 1 for the same bits of the next register, or write them as single tags"
                )
            offset, bit = self.offset + bits // REGISTER_BITS, bits % REGISTER_BITS
        if offset + self.count > 65536:
            raise ValueError(
                f"its elements reach beyond the last address, {self.table}/65535. Correct array: or address:"
            )
        return dataclasses.replace(self, offset=offset, bit=bit)

    def __str__(self) -> str:
        bits = "" if self.bit is None else str(self.bit)
        if self.is_field:
            bits += f"-{(self.bit or 0) + self.width - 1}"
        return ambiguous.place(self.table, self.offset, bits)


def parse(text: str, type_: str, config: Config) -> Address:
    """The address that a text of the site means for a type.

    Raises:
        ValueError: Not an address, out of range, or the type does not fit there.
    """
    text = str(text).strip()
    table, offset, bits, registers = _split(text)
    bit, width = None, 1
    if bits is not None:
        bit, width = _bits(text, bits)
    if type_ == types.BOOL:
        count = _bool(text, table, bits, registers)
    elif table in BIT_TABLES:
        raise ValueError(
            f"{text}: {_a(type_)} does not fit into a {table}; use type: bool or a holding or input address"
        )
    elif bits is not None:
        count = _field(text, type_, bits, registers)
    elif type_ == types.STRING:
        if registers is None or not 1 <= registers <= MAX_REGISTERS:
            raise ValueError(f"{text}: a text needs its length in registers, 1 … 125: {table}/{offset}x8")
        count = registers
    else:
        count = COUNT[type_]
        if registers not in (None, count):
            raise ValueError(
                f"{text}: {_a(type_)} takes {_registers(count)}; leave out x{registers}, or add array: for several values"
            )
    if table not in BIT_TABLES and count > config.max_registers:
        raise ValueError(
            f"{text}: takes {_registers(count)}, but max_registers of the device is {config.max_registers}"
        )
    if offset + count > 65536:
        raise ValueError(f"{text}: reaches beyond the last address, {table}/65535")
    return Address(table, offset, bit, count, type_, width, config.bytes_order)


def _bits(text: str, bits: tuple[int, int | None]) -> tuple[int, int]:
    """Lowest bit and width."""
    first, last = bits
    if max(first, last or 0) >= REGISTER_BITS:
        raise ValueError(f"{text}: a register has bits 0 … 15")
    if last is not None and last <= first:
        raise ValueError(f"{text}: write the lower bit first and the higher one behind it, for example .4-7")
    return first, 1 if last is None else last - first + 1


def _bool(text: str, table: str, bits: tuple[int, int | None] | None, registers: int | None) -> int:
    if registers is not None:
        raise ValueError(f"{text}: a bool has no length; leave out x{registers}, or add array: for several")
    if table in BIT_TABLES:
        if bits is not None:
            raise ValueError(f"{text}: a {table} is one bit; leave out .{bits[0]}")
    elif bits is None:
        raise ValueError(
            f"{text}: a bool in a register needs its bit, for example {text}.0 (0 is the lowest)"
        )
    elif bits[1] is not None:
        raise ValueError(
            f"{text}: a bool is one bit; write .{bits[0]}, or type: uint16 for the number in these bits"
        )
    return 1


def _field(text: str, type_: str, bits: tuple[int, int | None], registers: int | None) -> int:
    if bits[1] is None:
        raise ValueError(f"{text}: only a bool has a bit; leave bit {bits[0]} out, or use type: bool")
    if type_ not in _FIELD_TYPES:
        raise ValueError(
            f"{text}: the number in some bits of a register is a uint16 (or int16, two's complement), not {_a(type_)}"
        )
    if registers is not None:
        raise ValueError(f"{text}: bits of a register have no length; leave out x{registers}")
    return 1


def _split(text: str) -> tuple[str, int, tuple[int, int | None] | None, int | None]:
    """Table, offset, first and last bit, and registers of a text."""
    if match := _PLAIN.fullmatch(text):
        table, offset, first, last, registers = match.groups()
        if table not in TABLES:
            unknown = f"there is no table {table!r}; it is one of {', '.join(TABLES)}"
            raise ValueError(f"{text}: {ambiguous.forms(text) or unknown}")
        if meant := ambiguous.number_as_offset(table, int(offset)):
            raise ValueError(f"{text}: {meant}")
        if int(offset) > 65535:
            raise ValueError(f"{text}: offsets are 0 … 65535")
        return (
            table,
            int(offset),
            _pair(first, last),
            None if registers is None else int(registers),
        )
    if match := _NUMBER.fullmatch(text):
        digit, number, first, last, registers = match.groups()
        if not 1 <= int(number) <= 65536:
            raise ValueError(
                f"{text}: numbers of this form count from 1 to 65536 after the first digit. {_FORMS}"
            )
        return (
            _BY_DIGIT[digit],
            int(number) - 1,
            _pair(first, last),
            None if registers is None else int(registers),
        )
    if meant := ambiguous.forms(text):
        raise ValueError(f"{text}: {meant}")
    raise ValueError(f"{text!r} is not a Modbus address. {_FORMS}")


def _pair(first: str | None, last: str | None) -> tuple[int, int | None] | None:
    return None if first is None else (int(first), None if last is None else int(last))


def _a(type_: str) -> str:
    return f"{'an' if type_.startswith('int') else 'a'} {type_}"


def _registers(count: int) -> str:
    return f"{count} register" + ("" if count == 1 else "s")
