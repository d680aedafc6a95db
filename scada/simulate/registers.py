"""The memory of a PLC as Modbus shows it: four tables, and the coding of values in them."""

from __future__ import annotations

import struct
from typing import Any

FULL_SCALE = 27648
"""Raw counts of a 4-20 mA or 0-100 % value at the top of its range."""
BROKEN = -32768
"""What an input card gives when its wire is broken."""

IDENTIFICATION = {0: "Closedloop", 1: "simulated PLC", 2: "1"}
"""Vendor name, product code, revision."""


class Registers:
    """Coils, discrete inputs, holding and input registers of one PLC.

    Attributes:
        coils: Written by masters, read by the PLC's program.
        discretes: Written by the PLC's program.
        holding: Both, each 0 … 65535.
        inputs: Written by the PLC's program, each 0 … 65535.
        pressed: Coils written true since the PLC last looked, so that a short pulse is not missed.
        refused: Addresses that the device does not have or refuses, by table (`coil`, `discrete`, `holding`, `input`):
            first, first behind, exception code.
        identification: What the device says about itself (function code 43/14), by object id.
    """

    def __init__(self, coils: int, discretes: int, holding: int, inputs: int) -> None:
        self.coils = [False] * coils
        self.discretes = [False] * discretes
        self.holding = [0] * holding
        self.inputs = [0] * inputs
        self.pressed: set[int] = set()
        self.refused: dict[str, list[tuple[int, int, int]]] = {}
        self.identification: dict[int, str] = dict(IDENTIFICATION)

    def write_coils(self, address: int, values: list[bool]) -> None:
        """Writes coils as a master does; remembers those that were set."""
        for i, value in enumerate(values):
            if value and not self.coils[address + i]:
                self.pressed.add(address + i)
            self.coils[address + i] = bool(value)

    def take_pressed(self) -> set[int]:
        """The coils set since the last call."""
        taken, self.pressed = self.pressed, set()
        return taken

    def input_signed(self, address: int, raw: float) -> None:
        """Puts a signed 16 bit value into an input register, rounded and limited."""
        self.inputs[address] = signed(raw)

    def input_uint32(self, address: int, value: int) -> None:
        """Puts an unsigned 32 bit value into two input registers, high word first; it wraps around."""
        self.inputs[address] = value >> 16 & 0xFFFF
        self.inputs[address + 1] = value & 0xFFFF

    def input_float32(self, address: int, value: float) -> None:
        """Puts a binary32 value into two input registers, high word first."""
        self.inputs[address], self.inputs[address + 1] = struct.unpack(">HH", struct.pack(">f", value))

    def holding_signed(self, address: int) -> int:
        """The signed value of a holding register."""
        raw = self.holding[address]
        return raw - 0x10000 if raw >= 0x8000 else raw


def put(registers: Registers, settings: dict[str, object]) -> None:
    """Sets registers by their addresses, all or none.

    Args:
        registers: To change.
        settings: For example `{"holding/5": 77, "input/0": -3, "coil/2": True}`.

    Raises:
        ValueError: An address that there is not, or a value that does not fit; the message says which.
    """
    todo: list[tuple[Any, int, int]] = []
    for name, value in settings.items():
        table, _, text = name.partition("/")
        words = {"holding": registers.holding, "input": registers.inputs}.get(table)
        bits = {"coil": registers.coils, "discrete": registers.discretes}.get(table)
        held = words if words is not None else bits
        if held is None or not text.isdecimal() or not text.isascii() or len(text) > 5:
            raise ValueError(
                f"{name}: nothing of that name here; write holding/5, input/5, coil/5 or discrete/5"
            )
        if int(text) >= len(held):
            raise ValueError(f"{name}: the last one is {table}/{len(held) - 1}")
        if not isinstance(value, bool | int | float) or not float(value).is_integer():
            raise ValueError(f"{name}: {value!r} is not a whole number")
        low, high = (-0x8000, 0xFFFF) if bits is None else (0, 1)
        if not low <= value <= high:
            raise ValueError(f"{name}: {value:g} is not in {low} … {high}")
        todo.append((held, int(text), int(value) & 0xFFFF))
    for held, address, word in todo:
        held[address] = word if held is registers.holding or held is registers.inputs else bool(word)


def signed(raw: float) -> int:
    """A value as the 16 bits of a signed register, rounded and limited to -32768 … 32767."""
    return max(-0x8000, min(0x7FFF, round(raw))) & 0xFFFF


def counts(value: float, low: float, high: float) -> float:
    """A measured value in raw counts of a card with this range; the card follows to 3.6 mA and 21 mA.

    Args:
        value: In the unit of the range.
        low: Value at 0 counts.
        high: Value at 27648 counts.
    """
    return max(-691.0, min(29376.0, (value - low) / (high - low) * FULL_SCALE))


def percent(raw: int) -> float:
    """A set point register as 0 … 100 %; what is outside is limited."""
    return max(0.0, min(100.0, raw * 100.0 / FULL_SCALE))
