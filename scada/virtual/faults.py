"""What goes wrong, when, and for how long: drawn from a seed, done to a machine."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Final

from scada.scan.program import CONTROL
from scada.simulate.registers import Registers
from scada.virtual.control import PUBLISHED, STEPPED, TOLD
from scada.virtual.machine import Machine
from scada.virtual.wire import Weather

SECOND: Final = 1_000_000_000
CALM: Final = Weather()


class Faults:
    """Does faults to a machine.

    Args:
        machine: At work.
        seed: Of the choices.
        note: Takes a line about each fault.
        storm: Called to send one more request of a storm.
        mean_s: Mean time between two faults, s.
        only: Names of faults; None for all.
    """

    def __init__(
        self,
        machine: Machine,
        seed: int,
        note: Callable[[str], None],
        storm: Callable[[], None],
        mean_s: float = 20.0,
        only: Iterable[str] | None = None,
    ) -> None:
        self._machine, self._note, self._storm, self._mean_s = machine, note, storm, mean_s
        self._dice = random.Random(f"{seed} faults")  # noqa: S311 - chances, no secrets
        self._devices = tuple(machine.wires)
        self._kinds: dict[str, Callable[[], str]] = {
            "unplug": self._unplug,
            "hang": self._hang,
            "weather": self._weather,
            "reset": self._reset,
            "power": self._power,
            "kill control": self._kill_control,
            "kill field": self._kill_field,
            "freeze control": lambda: self._freeze(CONTROL),
            "freeze field": lambda: self._freeze(self._dice.choice(machine.fields)),
            "pause": self._pause,
            "clock": self._clock,
            "disarm": self._disarm,
            "local": self._local,
            "panel": self._panel,
            "storm": self._requests,
        }
        if only is not None:
            self._kinds = {name: self._kinds[name] for name in only}
        self.counts = dict.fromkeys(self._kinds, 0)
        self.ended = False

    def begin(self) -> None:
        """Puts the first fault on the agenda; each draws the next."""
        wait = self._dice.expovariate(1.0 / self._mean_s)
        self._machine.world.after(round(wait * SECOND), self._next)

    def _next(self) -> None:
        if self.ended:
            return
        kind = self._dice.choice(tuple(self._kinds))
        self.counts[kind] += 1
        self._note(f"{kind}: {self._kinds[kind]()}")
        self.begin()

    def calm(self) -> None:
        """No more faults, and what can be mended is mended."""
        self.ended = True
        machine = self._machine
        for name, wire in machine.wires.items():
            wire.plugged, wire.frozen, wire.weather = True, False, CALM
            machine.arm(name)
            _turn(machine, name, "local", False)

    # -- the faults -------------------------------------------------------------------------------------------------

    def _device(self) -> str:
        return self._dice.choice(self._devices)

    def _for(self, low_s: float, high_s: float, end: Callable[[], None]) -> str:
        """Ends a fault after a while; short ones are as likely as long ones."""
        seconds = low_s * (high_s / low_s) ** self._dice.random()
        self._machine.world.after(round(seconds * SECOND), end)
        return f"{seconds:.2f} s"

    def _unplug(self) -> str:
        name = self._device()
        wire = self._machine.wires[name]
        wire.unplug()

        def plug() -> None:
            wire.plugged = True

        return f"{name} {self._for(0.05, 30.0, plug)}"

    def _hang(self) -> str:
        name = self._device()
        wire = self._machine.wires[name]
        wire.frozen = True

        def thaw() -> None:
            wire.frozen = False

        return f"{name} {self._for(0.05, 15.0, thaw)}"

    def _weather(self) -> str:
        name, dice = self._device(), self._dice
        wire = self._machine.wires[name]

        def chance() -> float:
            return dice.choice((0.0, 0.0, 0.02, 0.1))

        delay = dice.choice((1, 10, 80, 400)) * 1_000_000
        wire.weather = Weather(delay, chance(), chance(), chance(), chance(), chance())

        def clear() -> None:
            wire.weather = CALM

        return f"{name} {self._for(1.0, 40.0, clear)} {wire.weather}"

    def _reset(self) -> str:
        name = self._device()
        self._machine.wires[name].reset()
        return name

    def _power(self) -> str:
        name = self._device()
        self._machine.power_cycle(name)
        return name

    def _kill_control(self) -> str:
        moment = self._dice.choice((0, STEPPED, PUBLISHED, TOLD))
        self._machine.kill(CONTROL, moment)
        return f"at moment {moment}"

    def _kill_field(self) -> str:
        name = self._dice.choice(self._machine.fields)
        self._machine.kill(name)
        return name

    def _freeze(self, name: str) -> str:
        process = self._machine.process(name)
        if process is None or process.frozen:
            return "not there"
        process.freeze()
        return self._for(0.01, 8.0, lambda: process.thaw() if process.alive else None)

    def _pause(self) -> str:
        """The whole machine stands still, as a virtual machine that is moved."""
        machine = self._machine
        every = [machine.process(name) for name in (*machine.fields, CONTROL)]
        processes = [machine.supervisor.process, *(p for p in every if p is not None and not p.frozen)]
        for process in processes:
            process.freeze()

        def resume() -> None:
            for process in processes:
                if process.alive:
                    process.thaw()

        return self._for(0.1, 30.0, resume)

    def _clock(self) -> str:
        seconds = self._dice.choice((-86400, -3600, -1, 1, 3600, 86400)) * self._dice.random()
        self._machine.world.clock.step_utc(round(seconds * SECOND))
        return f"{seconds:+.1f} s"

    def _disarm(self) -> str:
        name = self._device()
        self._machine.arm(name, False)
        return f"{name} {self._for(0.05, 20.0, lambda: self._machine.arm(name))}"

    def _local(self) -> str:
        name = self._device()
        if not _turn(self._machine, name, "local", True):
            return "no selector"
        return f"{name} {self._for(0.2, 30.0, lambda: _back(self._machine, name))}"

    def _panel(self) -> str:
        """Somebody at the wall panel, or another master, changes a register that we write too."""
        name = self._device()
        shared = [
            tag for tag in self._machine.site.tags if tag.device == name and tag.owner == "shared" and tag.address
        ]  # fmt: skip
        if not shared:
            return "none"
        tag = self._dice.choice(shared)
        registers: Registers = self._machine.plants[name].registers
        assert tag.address is not None
        offset = int(tag.address["offset"])
        word = self._dice.randint(150, 260)
        for n in range(int(tag.address.get("count", 1))):
            registers.holding[offset + n] = 0
        registers.holding[offset + int(tag.address.get("count", 1)) - 1] = word
        return f"{tag.path} {word}"

    def _requests(self) -> str:
        count = self._dice.choice((50, 200, 600))
        for _ in range(count):
            self._storm()
        return f"{count} requests"


def _turn(machine: Machine, device: str, what: str, value: bool) -> bool:
    """Turns the Local/Remote selectors of a PLC; false when it has none."""
    plant = machine.plants[device]
    knobs: dict[str, object] = {name: value for name in plant.knobs if name.endswith(f".{what}")}
    if knobs:
        plant.turn(knobs)
        return True
    offsets = selectors(machine, device)
    for offset in offsets:
        plant.registers.discretes[offset] = not value
    return bool(offsets)


def _back(machine: Machine, device: str) -> None:
    _turn(machine, device, "local", False)


def selectors(machine: Machine, device: str) -> list[int]:
    """Offsets of the discrete inputs that are Local/Remote selectors of a device."""
    tags = machine.site.by_path()
    paths = {tag.remote for tag in machine.site.tags if tag.device == device and tag.remote is not None}
    return sorted(
        int(at["offset"]) for path in paths if (at := tags[path].address) is not None and at["table"] == "discrete"
    )  # fmt: skip
