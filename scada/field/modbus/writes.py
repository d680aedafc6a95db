"""From values on the wire to write requests: which function codes a device knows, and what goes in one request. Pure.

Outputs that are due together and lie side by side go in one FC15 or FC16, bits of one register in one FC22: a device
that scans its inputs between two requests never sees half of them. A device refuses or takes a request as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scada.field.modbus.address import COIL, WRITABLE, Address
from scada.field.modbus.config import Config
from scada.modbus import wire
from scada.modbus.wire import Pdu
from tags.model import Tag

ONE_BY_ONE: Final = frozenset(
    {"single only", "word by word"}
)  # settings of `writes` that leave out FC15 and FC16


@dataclass(frozen=True, slots=True)
class Part:
    """One value as it stands on the wire.

    Attributes:
        table: `coil` or `holding`.
        offset: First address, zero-based.
        data: Registers as they are sent, 2 bytes each; for a coil one byte, 0 or 1.
        mask: The bits of the one register that belong to the value, or None when all do.
    """

    table: str
    offset: int
    data: bytes
    mask: int | None = None

    @property
    def count(self) -> int:
        """Coils or registers."""
        return 1 if self.table == COIL else len(self.data) // 2


@dataclass(frozen=True, slots=True)
class Change:
    """Some bits of a register of a device without FC22: it is read, changed and written.

    What the device's own program writes into the register between the two requests is undone.

    Attributes:
        offset: Of the holding register.
        and_mask: Bits that stay.
        or_mask: Bits that are set.
    """

    offset: int
    and_mask: int
    or_mask: int

    def applied(self, word: int) -> int:
        """The register as it is to be written, of what was read."""
        return (word & self.and_mask) | (self.or_mask & ~self.and_mask & 0xFFFF)


def together(addresses: Sequence[Address], config: Config) -> list[int]:
    """Which of some outputs go in one request with the first of them.

    Args:
        addresses: Where they are, each writable; no two of them overlap.
        config: Whether values are joined, and how many coils or registers one request may write.

    Returns:
        Positions in `addresses`, in the order of their offsets; the first output is always among them.
    """
    first = addresses[0]
    if not config.join_writes or (first.bit is None and config.writes in ONE_BY_ONE):
        return [0]
    if first.bit is not None:
        return [
            i
            for i, a in enumerate(addresses)
            if (a.table, a.offset) == (first.table, first.offset) and a.bit is not None
        ]
    alike = [i for i, a in enumerate(addresses) if a.table == first.table and a.bit is None]
    most = config.max_write_coils if first.table == COIL else config.max_write_registers
    begins = {addresses[i].offset: i for i in alike}
    ends = {addresses[i].end: i for i in alike}
    found, start, end = [0], first.offset, first.end
    while (i := begins.get(end, 0)) and addresses[i].end - start <= most:
        found.append(i)
        end = addresses[i].end
    while (i := ends.get(start, 0)) and end - addresses[i].offset <= most:
        found.insert(0, i)
        start = addresses[i].offset
    return found


def requests(parts: Sequence[Part], config: Config) -> list[Pdu | Change]:
    """The requests that write values which go together.

    Args:
        parts: Side by side in the order of their offsets, or bits of one register.
        config: Which function codes the device knows.

    Returns:
        One request; more for a value of several registers that is written word by word.
    """
    first = parts[0]
    if first.mask is not None:
        mask = value = 0
        for part in parts:
            mask |= part.mask or 0
            value |= int.from_bytes(part.data, "big")
        and_mask, or_mask = 0xFFFF & ~mask, value & mask
        if config.bit_writes == "mask":
            return [wire.mask_write(first.offset, and_mask, or_mask)]
        return [Change(first.offset, and_mask, or_mask)]
    if first.table == COIL:
        on = [part.data != b"\0" for part in parts]
        if len(on) == 1 and config.writes != "multiple":
            return [wire.write_coil(first.offset, on[0])]
        return [wire.write_coils(first.offset, on)]
    data = b"".join(part.data for part in parts)
    return [*registers(first.offset, data, config)]


def registers(offset: int, data: bytes, config: Config) -> list[Pdu]:
    """The requests that write holding registers.

    Args:
        offset: Of the first.
        data: 2 bytes each, most significant first.
        config: Which function codes the device knows.
    """
    if config.writes == "multiple" or (len(data) > 2 and config.writes not in ONE_BY_ONE):
        return [wire.write_registers(offset, data)]
    return [wire.write_register(offset + i // 2, data[i : i + 2]) for i in range(0, len(data), 2)]


def problems(config: Config, placed: Sequence[tuple[Tag, Address]]) -> list[tuple[str, str]]:
    """Outputs that the device cannot be given, as (tag path, what is wrong and what to do)."""
    found = []
    for tag, at in placed:
        if tag.owner is None or at.table not in WRITABLE or at.table == COIL or at.bit is not None:
            continue
        takes = f"{at} takes {at.count} registers"
        if config.writes == "single only" and at.count > 1:
            text = (
                f"{takes}, and writes: single only writes one at a time. Use a type of one register, "
                "or writes: word by word (for a moment the device holds half of the new value)"
            )
            found.append((tag.path, text))
        elif config.writes not in ONE_BY_ONE and at.count > config.max_write_registers:
            text = (
                f"{takes}, and max_write_registers of the device is {config.max_write_registers}. "
                "Use a shorter type, or change max_write_registers:"
            )
            found.append((tag.path, text))
    return found
