"""Devices that the site's simulators play: their registers instead of given values."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from scada.field.modbus import encode
from scada.field.modbus.address import BIT_TABLES, COIL, HOLDING, TABLES, Address
from scada.field.modbus.config import Config
from scada.field.modbus.decode import Decoder, Point
from scada.field.modbus.plan import Request
from scada.planttest.follow import Read
from scada.planttest.world import World
from scada.scan import Program
from scada.simulate.plant import HEARTBEAT
from scada.simulate.plant import Plant as Simulator
from scada.simulate.plants import PLANTS
from scada.simulate.registers import Registers
from tags.model import DEVICE, Device, Tag
from tags.quality import BAD_CONFIGURATION_ERROR, GOOD
from tags.site.plant_tests_compiled import Plant
from tags.types import STRING, Value, from_bits, to_bits

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
            for tag, value, status in device.read():
                if status == GOOD:
                    self.truth[tag.path] = value
                self.status[tag.path] = status


class _Simulated:
    """One simulated device: its registers are read and written as field reads and writes them."""

    def __init__(self, device: Device, simulator: Simulator, tags: Sequence[Tag]) -> None:
        self.simulator, self.tags = simulator, tags
        self._config = Config.model_validate(device.config)
        self._points = {tag.path: Point(Address.of(tag.address or {}), tag.type, tag.scaling) for tag in tags}
        sizes = {table: len(_table(simulator.registers, table)) for table in TABLES}
        places = [(i, self._points[tag.path].address) for i, tag in enumerate(tags)]
        self._missing = [tags[i] for i, at in places if at.end > sizes[at.table]]
        self._requests = [
            Request(table, 0, size, tuple(i for i, at in places if at.table == table and at.end <= size))
            for table, size in sizes.items()
        ]
        self._decoder = Decoder(list(self._points.values()), self._requests, self._config)
        self._order = self._decoder.members.tolist()
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

    def read(self) -> Iterator[tuple[Tag, Value, int]]:
        """Value and status of all tags; where the status is Bad the value is the last usable one."""
        for number, request in enumerate(self._requests):
            self._decoder.put(number, _payload(self.simulator.registers, request.table))
        bits, status = self._decoder.decode()
        for row, (i, value, quality) in enumerate(
            zip(self._order, bits.tolist(), status.tolist(), strict=True)
        ):
            tag = self.tags[i]
            yield tag, self._decoder.text(row) if tag.type == STRING else from_bits(tag.type, value), quality
        for tag in self._missing:
            yield tag, 0, BAD_CONFIGURATION_ERROR

    def write(self, tag: Tag, value: Any) -> None:
        """A value to its coil or registers."""
        text, bits = (value, 0) if tag.type == STRING else ("", to_bits(tag.type, value))
        part = encode.part(self._points[tag.path], bits, text, self._config)
        registers = self.simulator.registers
        if part.table == COIL:
            registers.write_coils(part.offset, [part.data != b"\0"])
            return
        words = struct.unpack(f">{part.count}H", part.data)
        if part.mask is not None:
            words = (registers.holding[part.offset] & ~part.mask | words[0],)
        registers.holding[part.offset : part.offset + part.count] = words


def _payload(registers: Registers, table: str) -> bytes:
    """A whole table as a reply would carry it."""
    values = _table(registers, table)
    if table in BIT_TABLES:
        return np.packbits(np.array(values, np.bool_), bitorder="little").tobytes()
    return struct.pack(f">{len(values)}H", *values)


def _table(registers: Registers, table: str) -> Sequence[int]:
    if table in BIT_TABLES:
        return registers.coils if table == COIL else registers.discretes
    return registers.holding if table == HOLDING else registers.inputs
