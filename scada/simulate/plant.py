"""What every simulated PLC has: registers, a step, a panel to turn knobs on, power to lose."""

from __future__ import annotations

import difflib
import random
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from scada.simulate.parts import Starter, Watchdog
from scada.simulate.registers import BROKEN, Registers, counts

HEARTBEAT = 100
"""Holding register in which the master counts."""
STEP_MAX_S = 0.1
"""Longer steps are divided, so that the physics stays stable and pulses keep their order."""
COIL_LIFE_S = 2.0
"""The PLC clears a command coil that its master forgot."""


class Plant(ABC):
    """One simulated PLC and the piece of the world wired to it.

    Pure: no clock, no network; the same seed and the same steps give the same values.

    Attributes:
        registers: What the network sees.
        watchdog: Of the heartbeat in holding register 100.
        pulses: Coils that the PLC clears by itself after 2 s.
        kept: Attributes (with dots, list positions as numbers) that make up the state of plant and PLC.
    """

    pulses: ClassVar[tuple[int, ...]] = ()
    kept: ClassVar[tuple[str, ...]] = ()

    def __init__(self, seed: int, registers: Registers) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - a disturbance, not a secret
        self.registers = registers
        self.watchdog = Watchdog()
        self._knobs: dict[str, tuple[object, str, type]] = {}
        self._sensors: dict[str, Sensor] = {}
        self._held_s = dict.fromkeys(self.pulses, 0.0)

    def step(self, dt_s: float) -> None:
        """Lets `dt_s` seconds pass: the PLC's program, then the physics, then the measurements.

        Args:
            dt_s: Seconds, > 0.
        """
        parts = max(1, round(dt_s / STEP_MAX_S + 0.499))
        for _ in range(parts):
            self._step(dt_s / parts)

    def _step(self, dt_s: float) -> None:
        self.watchdog.step(dt_s, self.registers.holding[HEARTBEAT])
        self.program(dt_s, self.registers.take_pressed())
        self.physics(dt_s)
        self.measure()
        coils = self.registers.coils
        for coil in self.pulses:
            self._held_s[coil] = self._held_s[coil] + dt_s if coils[coil] else 0.0
            if self._held_s[coil] > COIL_LIFE_S:
                coils[coil] = False

    @abstractmethod
    def program(self, dt_s: float, pressed: set[int]) -> None:
        """One scan of the PLC's program.

        Args:
            dt_s: Seconds since the last scan.
            pressed: Coils that the master has set since then.
        """

    @abstractmethod
    def physics(self, dt_s: float) -> None:
        """What the world does meanwhile."""

    @abstractmethod
    def measure(self) -> None:
        """Writes the measurements and feedbacks into the registers."""

    def power_cycle(self) -> None:
        """The PLC loses its power and starts again: motors off, counters and coils at zero; the world goes on."""
        self.registers.coils[:] = [False] * len(self.registers.coils)
        self.registers.pressed.clear()
        self.registers.holding[HEARTBEAT] = 0
        self.watchdog = Watchdog()

    def save(self) -> dict[str, object]:
        """The state, as JSON: a PLC lives on while its simulator starts again."""
        registers = self.registers
        parts = {path: getattr(*self._find(path)) for path in self.kept}
        return {"holding": list(registers.holding), "coils": list(registers.coils), "parts": parts}

    def load(self, saved: dict[str, object]) -> None:
        """Takes up what `save` gave, all or nothing.

        Raises:
            ValueError: It is not of this plant.
        """
        holding, coils, parts = saved.get("holding"), saved.get("coils"), saved.get("parts")
        registers = self.registers
        if not (
            isinstance(holding, list)
            and isinstance(coils, list)
            and isinstance(parts, dict)
            and (len(holding), len(coils)) == (len(registers.holding), len(registers.coils))
            and all(type(word) is int and 0 <= word <= 0xFFFF for word in holding)
            and set(parts) == set(self.kept)
            and all(type(value) is type(getattr(*self._find(path))) for path, value in parts.items())
        ):
            raise ValueError("saved by another version")
        for path in self.kept:
            setattr(*self._find(path), parts[path])
        registers.holding[:] = holding
        registers.coils[:] = [coil is True for coil in coils]
        self.measure()

    def _find(self, path: str) -> tuple[object, str]:
        """The object that has the last attribute of a path, and its name."""
        owner: Any = self
        *steps, last = path.split(".")
        for step in steps:
            owner = owner[int(step)] if step.isdigit() else getattr(owner, step)
        return owner, last

    # -- the panel -----------------------------------------------------------------------------------------------

    def knob(self, name: str, owner: object, attribute: str, kind: type = bool) -> None:
        """Makes an attribute of a part settable from outside as `name`."""
        self._knobs[name] = (owner, attribute, kind)

    def starter_knobs(self, name: str, starter: Starter) -> None:
        """The panel of a motor: local, start, stop, reset, and its faults."""
        for attribute in ("local", "start", "stop", "reset", "no_run"):
            self.knob(f"{name}.{attribute}", starter, attribute)
        self.knob(f"{name}.fault", starter, "trouble")

    def sensor(self, name: str, address: int, low: float, high: float, noise: float) -> Sensor:
        """A 4-20 mA transmitter on an input register; `<name>.broken` breaks its wire."""
        sensor = Sensor(self, address, low, high, noise)
        self.knob(f"{name}.broken", sensor, "broken")
        return sensor

    @property
    def knobs(self) -> tuple[str, ...]:
        """All names that `turn` knows."""
        return tuple(sorted(self._knobs))

    def turn(self, settings: dict[str, object]) -> None:
        """Turns knobs, all or none; selectors first, so that `hand` given with `local` counts.

        Args:
            settings: For example `{"LV-101.local": True, "LV-101.hand": 40}`.

        Raises:
            ValueError: A name that this plant does not have, or a value of the wrong kind.
        """
        todo = []
        for name in sorted(settings, key=lambda name: not name.endswith(".local")):
            if name not in self._knobs:
                near = difflib.get_close_matches(name, self._knobs, n=1)
                hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(self.knobs)}"
                raise ValueError(f"{name}: nothing of that name here; {hint}")
            owner, attribute, kind = self._knobs[name]
            value = settings[name]
            if kind is bool and not isinstance(value, bool):
                raise ValueError(f"{name}: {value!r} is not true or false")
            if (
                kind is float
                and value is not None
                and (isinstance(value, bool) or not isinstance(value, int | float))
            ):
                raise ValueError(f"{name}: {value!r} is not a number")
            if kind is float and isinstance(value, int | float):
                value = float(value)
                if not -1e6 < value < 1e6:  # also refuses NaN
                    raise ValueError(f"{name}: {value!r} is out of any sense")
            todo.append((owner, attribute, value))
        for owner, attribute, value in todo:
            setattr(owner, attribute, value)


class Sensor:
    """A transmitter with noise on an input card.

    Attributes:
        broken: Its wire is broken: the card gives -32768.
    """

    def __init__(self, plant: Plant, address: int, low: float, high: float, noise: float) -> None:
        self._registers = plant.registers
        self._gauss = plant.dice.gauss
        self._address, self._low, self._high, self._noise = address, low, high, noise
        self.broken = False

    def put(self, value: float) -> None:
        """Measures `value` (in the unit of the range) into the register."""
        noise = self._gauss(0.0, self._noise)
        self._registers.input_signed(
            self._address, BROKEN if self.broken else counts(value + noise, self._low, self._high)
        )
