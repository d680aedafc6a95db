"""Devices that the site's simulators play: their registers instead of given values."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from scada.planttest.follow import Read
from scada.planttest.world import World, as_tag
from scada.scan import Program
from scada.simulate.plant import HEARTBEAT
from scada.simulate.plant import Plant as Simulator
from scada.simulate.plants import PLANTS
from scada.simulate.registers import Registers
from tags.model import DEVICE, Device, Tag
from tags.quality import BAD_SENSOR_FAILURE, GOOD
from tags.scaling import to_raw, to_value
from tags.site.plant_tests_compiled import Plant
from tags.types import FLOAT64

_WIRE: Final = {
    "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "float32": "f", "int64": "q", "uint64": "Q", "float64": "d",
}  # fmt: skip
_POWER_UP_NS: Final = 2_000_000_000


class SimulatedWorld(World):
    """A world in which devices with `simulate` are simulators, stepped with the scan; the others hold what is given.

    Args:
        program: What runs.
        plant: What the test says of the devices.
    """

    def __init__(self, program: Program, plant: Plant) -> None:
        self._devices: dict[str, _Simulated] = {}
        super().__init__(program, plant)
        for number, device in enumerate(d for d in program.site.devices if d.simulate in PLANTS):
            tags = [tag for tag in self.tags.values() if tag.device == device.name and tag.kind == DEVICE]
            simulator = PLANTS[str(device.simulate)](plant.seed + number)
            simulator.measure()
            self._devices[device.name] = _Simulated(device, simulator, tags)
        self._power_ns: dict[str, int] = {}
        self._measure()

    def advance(self, time_ns: int, dt_ns: int, read: Read) -> None:
        """As `World.advance`; the simulators go on by the same period."""
        for name, back_ns in list(self._power_ns.items()):
            if time_ns >= back_ns:
                del self._power_ns[name]
                self.link(name, linked=True)
        for name, device in self._devices.items():
            device.step(dt_ns * 1e-9, beating=self.linked[name])
        self._measure()
        super().advance(time_ns, dt_ns, read)

    def inject(self, device: str, what: Any, time_ns: int) -> None:
        """A fault, or a hand at the panel.

        Args:
            device: Name.
            what: `power_cycle`, or knobs and their values.
            time_ns: Now, since the first scan, ns.

        Raises:
            ValueError: The simulator knows no such thing.
        """
        simulator = self._devices[device].simulator
        if what == "power_cycle":
            self.link(device, linked=False)
            simulator.power_cycle()
            restarts = f"system/{device}/restarts"  # field notices by the heartbeat that it reads back
            if restarts in self.truth:
                self.truth[restarts] += 1
            self._power_ns[device] = time_ns + _POWER_UP_NS
        elif isinstance(what, Mapping):
            simulator.turn(dict(what))
        else:
            raise ValueError(
                f"{device}: {what!r} is not power_cycle, and no knobs such as {{LT-101.broken: true}}"
            )

    def written(self, tag: Tag, value: Any) -> None:
        """A command that reaches a simulator."""
        if tag.device in self._devices:
            self._devices[tag.device].write(tag, value)

    def _measure(self) -> None:
        for device in self._devices.values():
            for tag in device.tags:
                value, status = device.read(tag)
                if status == GOOD:
                    self.truth[tag.path] = value
                self.status[tag.path] = status


class _Simulated:
    """One simulated device."""

    def __init__(self, device: Device, simulator: Simulator, tags: Sequence[Tag]) -> None:
        self.simulator, self.tags = simulator, tags
        self._low_first = device.config.get("word_order") == "little"
        self._beats = device.heartbeat is not None
        self._since_s = 0.0

    def step(self, dt_s: float, *, beating: bool) -> None:
        """Time goes by; control's heartbeat comes once a second while the connection stands."""
        self._since_s += dt_s
        if self._beats and beating and self._since_s >= 1.0:
            self._since_s = 0.0
            holding = self.simulator.registers.holding
            holding[HEARTBEAT] = holding[HEARTBEAT] % 0xFFFF + 1
        self.simulator.step(dt_s)

    def read(self, tag: Tag) -> tuple[Any, int]:
        """Value and status of a tag."""
        address = tag.address or {}
        table, offset, bit = str(address["table"]), int(address["offset"]), address.get("bit")
        registers = self.simulator.registers
        if table in ("coil", "discrete"):
            return _bits(registers, table)[offset], GOOD
        words = _words(registers, table)[offset : offset + int(address["count"])]
        if bit is not None:
            return bool(words[0] >> int(bit) & 1), GOOD
        raw = self._number(words, str(address["type"]))
        scaling = tag.scaling
        if (scaling.bad_below is not None and raw < scaling.bad_below) or (
            scaling.bad_above is not None and raw > scaling.bad_above
        ):
            return None, BAD_SENSOR_FAILURE
        return as_tag(tag, to_value(raw, scaling, FLOAT64)), GOOD

    def _number(self, words: Sequence[int], wire: str) -> float:
        ordered = list(reversed(words)) if self._low_first else words
        packed = b"".join(word.to_bytes(2, "big") for word in ordered)
        number: float = struct.unpack(">" + _WIRE[wire], packed)[0]
        return number

    def write(self, tag: Tag, value: Any) -> None:
        """A value to its coil or registers."""
        address = tag.address or {}
        table, offset, bit = str(address["table"]), int(address["offset"]), address.get("bit")
        registers = self.simulator.registers
        if table == "coil":
            registers.write_coils(offset, [bool(value)])
            return
        if bit is not None:
            mask = 1 << int(bit)
            word = registers.holding[offset]
            registers.holding[offset] = word | mask if value else word & ~mask
            return
        wire = str(address["type"])
        packed = struct.pack(">" + _WIRE[wire], to_raw(value, tag.scaling, wire))
        words = [int.from_bytes(packed[n : n + 2], "big") for n in range(0, len(packed), 2)]
        registers.holding[offset : offset + len(words)] = list(reversed(words)) if self._low_first else words


def _bits(registers: Registers, table: str) -> list[bool]:
    return registers.coils if table == "coil" else registers.discretes


def _words(registers: Registers, table: str) -> list[int]:
    return registers.holding if table == "holding" else registers.inputs
