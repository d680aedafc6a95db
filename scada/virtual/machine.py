"""A plant in virtual time: its data directory, its processes, its PLCs and the network between them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from scada import arming
from scada.datadir import DataDir
from scada.field.driver import Session
from scada.field.modbus.bus import Bus
from scada.field.modbus.device import ModbusDevice
from scada.field.service import Field
from scada.scan import build
from scada.scan.program import CONTROL
from scada.simulate.plant import Plant
from scada.simulate.plants import PLANTS
from scada.simulate.simulation import PERIOD_S, POWER_UP_S
from scada.virtual.control import Control
from scada.virtual.memory import Memory
from scada.virtual.service import VirtualService
from scada.virtual.supervisor import Supervisor
from scada.virtual.wire import Wire, Written
from scada.virtual.world import Process, World
from tags import model
from tags.model import Device, Site, Tag
from tags.publish import create_files

MS: Final = 1_000_000
START_NS: Final = 300 * MS
"""From the start of a process to its first work."""
USER: Final = "simulate"


class FieldLife:
    """One life of a field service."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.service: VirtualService | None = None
        self.field: Field | None = None

    def close(self) -> None:
        """Lets its files go."""
        if self.service is not None:
            self.service.publisher.close()


class ControlLife:
    """One life of control."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.control: Control | None = None

    def close(self) -> None:
        """Lets its files go."""
        if self.control is not None:
            self.control.close()


class Machine:
    """Everything of a plant, at work in a world.

    Args:
        site: What runs.
        data: An empty data directory.
        seed: Of plants and network.
        utc_ns: Wall clock at the beginning, ns UTC.

    Attributes:
        world: Its time.
        plants: By device name.
        wires: By device name.
        written: Called with each write when it is sent.
        told: Called with each event of a service: name of the service, event.
        published: Called with control when a scan was published; it may die before it tells of it.
        scanned: Called with control after each scan that was published and told, with its events.
        arms: Called when a device is armed or disarmed.
    """

    def __init__(self, site: Site, data: DataDir, seed: int, utc_ns: int) -> None:
        self.site, self.data, self.seed = site, data, seed
        self.world = World(utc_ns)
        self.program = build(site)
        self.plants: dict[str, Plant] = {}
        self.wires: dict[str, Wire] = {}
        self.written: list[Callable[[Written], None]] = []
        self.told: list[Callable[[str, dict[str, Any]], None]] = []
        self.published: list[Callable[[Control], None]] = []
        self.scanned: list[Callable[[Control, list[dict[str, Any]]], None]] = []
        self.arms: list[Callable[[str, bool], None]] = []
        for number, device in enumerate(site.devices):
            mine = [tag for tag in site.tags if tag.device == device.name and tag.address is not None]
            seeded = 1000 * seed + number
            plays = PLANTS.get(device.simulate or "")
            plant = plays(seeded) if plays else Memory(mine, seeded)
            self.plants[device.name] = plant
            dice = random.Random(f"{seed} {device.name}")  # noqa: S311 - chances, no secrets
            self.wires[device.name] = Wire(self.world, device.name, plant.registers, dice, self._written)
        data.create()
        data.site_json.write_bytes(model.dump(site))
        create_files(data.run, site, 1)
        self.supervisor = Supervisor(self.world, site, data, 1)
        self.fields = tuple(dict.fromkeys(device.service for device in site.devices))
        for name in self.fields:
            self.supervisor.charge(name, partial(self._field, name))
        self.supervisor.charge(CONTROL, self._control)
        self.world.after(0, self._plants_step)

    def run(self, seconds: float) -> None:
        """Lets time pass."""
        self.world.run_until(self.world.now_ns + round(seconds * 1e9))

    # -- what can be done to it -------------------------------------------------------------------------------------

    @property
    def control(self) -> Control | None:
        """Control at work, or None while it is dead or starting."""
        life = self.supervisor.life(CONTROL)
        return life.control if isinstance(life, ControlLife) else None

    def process(self, name: str) -> Process | None:
        """The process of a service, or None while there is none."""
        life = self.supervisor.life(name)
        return life.process if life is not None else None

    def send(self, request: bytes) -> None:
        """Sends a request; lost where nobody listens, as a datagram is."""
        control = self.control
        if control is not None:
            control.mail.append(request)

    def kill(self, name: str, moment: int = 0) -> None:
        """Kills a service: now, or control at a moment of its next scan (see `scada.virtual.control`)."""
        control = self.control
        if name == CONTROL and moment and control is not None:
            control.doomed = moment
        else:
            self.supervisor.killed(name)

    def arm(self, device: str, armed: bool = True) -> None:
        """Arms or disarms a device, as `scada outputs arm` and `disarm` do."""
        path, utc_ns = self.data.armed, self.world.clock.utc_ns()
        if armed:
            (found,) = (one for one in self.site.devices if one.name == device)
            arming.arm(path, found, reason="simulated", user=USER, utc_ns=utc_ns)
        else:
            arming.disarm(path, device, reason="simulated", user=USER, utc_ns=utc_ns)
        for listener in self.arms:
            listener(device, armed)

    def errors(self) -> list[str]:
        """What went wrong inside of the processes since the last call."""
        found: list[str] = []
        for name in (*self.fields, CONTROL):
            life = self.supervisor.life(name)
            if life is None:
                continue
            found += [f"{name}: {error!r}" for error in life.process.errors]
            life.process.errors.clear()
            service = getattr(life, "service", None)
            if service is not None:
                found += [f"{name}: {text}" for text in service.notes.failures]
                service.notes.failures.clear()
        return found

    def power_cycle(self, device: str) -> None:
        """A PLC loses its power and comes back."""
        wire = self.wires[device]
        wire.unplug()
        wire.frozen = False
        self.plants[device].power_cycle()

        def up() -> None:
            wire.plugged = True

        self.world.after(round(POWER_UP_S * 1e9), up)

    def close(self) -> None:
        """Ends everything."""
        self.supervisor.close()

    # -- its processes ----------------------------------------------------------------------------------------------

    def _field(self, name: str, epoch: int, manual: bool) -> FieldLife:
        del manual
        life = FieldLife(Process(self.world, name))

        def begin() -> None:
            life.service = service = VirtualService(self.data, name, epoch, self.world.clock, self._told)
            life.field = field = Field(service, self._session)
            life.process.start(field.run())

        self.world.after(START_NS, begin, life.process)
        return life

    def _session(self, driver: Any, device: Device, tags: Sequence[Tag]) -> Session:
        config, clock = driver.Config.model_validate(device.config), self.world.clock
        return ModbusDevice(config, tags, clock, Bus(config, clock, self.wires[device.name].transport))

    def _control(self, epoch: int, manual: bool) -> ControlLife:
        life = ControlLife(Process(self.world, CONTROL))

        def begin() -> None:
            flags = frozenset({"manual"}) if manual else frozenset[str]()
            service = VirtualService(self.data, CONTROL, epoch, self.world.clock, self._told, flags)
            control = Control(
                self.world,
                life.process,
                service,
                self.program,
                lambda: self._published(control),
                lambda events: self._scanned(control, events),
                lambda: self.supervisor.killed(CONTROL),
            )
            life.control = control
            control.begin()

        self.world.after(START_NS, begin, life.process)
        return life

    def _plants_step(self) -> None:
        for plant in self.plants.values():
            plant.step(PERIOD_S)
        self.world.after(round(PERIOD_S * 1e9), self._plants_step)

    def _written(self, written: Written) -> None:
        for listener in self.written:
            listener(written)

    def _told(self, service: str, event: dict[str, Any]) -> None:
        for listener in self.told:
            listener(service, event)

    def _published(self, control: Control) -> None:
        for listener in self.published:
            listener(control)

    def _scanned(self, control: Control, events: list[dict[str, Any]]) -> None:
        for listener in self.scanned:
            listener(control, events)
