"""A recorded device played again: its registers in time, from the first line of the dump to the last, round and round."""

from __future__ import annotations

from typing import Final

from scada.modbus.dump import Dump, Range
from scada.simulate.answer import ILLEGAL_ADDRESS
from scada.simulate.plant import Plant
from scada.simulate.registers import Registers, put

OBJECTS: Final = {
    "VendorName": 0,
    "ProductCode": 1,
    "MajorMinorRevision": 2,
    "VendorUrl": 3,
    "ProductName": 4,
    "ModelName": 5,
    "UserApplicationName": 6,
}


class Playback(Plant):
    """What a dump holds, and nothing else: other addresses are refused with exception 2, refused ones as recorded.

    What is written stands until the dump says something else for that address.

    Args:
        dump: To play.
        seed: Not used; every plant has one.
    """

    def __init__(self, dump: Dump, seed: int = 0) -> None:
        self._ranges = [part for part in dump.ranges if part.exception is None]
        self._length_s = max(dump.length_s, 0.001)
        self._time_s = 0.0
        self._next = 0
        size = {table: _end(self._ranges, table) for table in ("coil", "discrete", "holding", "input")}
        registers = Registers(size["coil"], size["discrete"], size["holding"], size["input"])
        registers.refused = {table: _refused(dump, table, end) for table, end in size.items()}
        if dump.header.identification:
            named = dump.header.identification.items()
            registers.identification = {OBJECTS[name]: text for name, text in named if name in OBJECTS}
        super().__init__(seed, registers)
        for part in reversed(
            self._ranges
        ):  # before it was recorded, an address holds what was recorded first
            self._put(part)
        self._play()

    def step(self, dt_s: float) -> None:
        """Plays the next `dt_s` seconds."""
        self._time_s += dt_s
        if self._time_s >= self._length_s:
            self._time_s %= self._length_s
            self._next = 0
        self._play()

    def _play(self) -> None:
        while self._next < len(self._ranges) and self._ranges[self._next].t_s <= self._time_s:
            self._put(self._ranges[self._next])
            self._next += 1

    def _put(self, part: Range) -> None:
        registers = self.registers
        where = slice(part.address, part.address + part.count)
        if part.table == "holding":
            registers.holding[where] = part.values
        elif part.table == "input":
            registers.inputs[where] = part.values
        else:
            table = registers.coils if part.table == "coil" else registers.discretes
            table[where] = [bool(value) for value in part.values]

    def save(self) -> dict[str, object]:
        """Nothing: it begins again."""
        return {}

    def load(self, saved: dict[str, object]) -> None:
        """Nothing, as `save` gave."""

    def turn(self, settings: dict[str, object]) -> None:
        """Sets registers: `{"holding/5": 77}`; there is no panel.

        Raises:
            ValueError: As for `registers.put`.
        """
        put(self.registers, settings)

    def program(self, dt_s: float, pressed: set[int]) -> None:
        """None."""

    def physics(self, dt_s: float) -> None:
        """None."""

    def measure(self) -> None:
        """Nothing."""

    def power_cycle(self) -> None:
        """The recording begins again."""
        self._time_s, self._next = 0.0, 0
        self._play()


def _end(ranges: list[Range], table: str) -> int:
    return max((part.address + part.count for part in ranges if part.table == table), default=0)


def _refused(dump: Dump, table: str, end: int) -> list[tuple[int, int, int]]:
    """What a table refuses below its end: what was never recorded, and what the device refused."""
    there = sorted(
        {(p.address, p.address + p.count) for p in dump.ranges if p.table == table and p.exception is None}
    )
    codes = {
        (p.address, p.address + p.count, p.exception) for p in dump.ranges if p.table == table and p.exception
    }
    found: list[tuple[int, int, int]] = []
    at = 0
    for first, behind in [*there, (end, end)]:
        if first > at:
            named = [
                (max(a, at), min(b, first), int(code or 0))
                for a, b, code in sorted(codes)
                if a < first and b > at
            ]
            found += [hole for hole in named if hole[0] < hole[1]]
            found.append((at, first, ILLEGAL_ADDRESS))
        at = max(at, behind)
    return found
