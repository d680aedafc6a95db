"""A PLC without a plant: registers that keep what is written to them, and inputs that count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from scada.simulate.plant import HEARTBEAT, Plant
from scada.simulate.registers import Registers, put

SIZE: Final = 1000
"""Addresses of each table, at least."""
COUNTING: Final = 100
"""Input registers and discrete inputs 0 … 99 change: number n by one (or over) each n + 1 seconds."""


class Memory(Plant):
    """Registers of each table; what is written stays, also over a loss of power.

    Args:
        seed: Where the counting inputs begin.
        ends: First address behind the last one that is needed, by table.
    """

    def __init__(self, seed: int = 0, ends: Mapping[str, int] | None = None) -> None:
        size = [max(SIZE, (ends or {}).get(table, 0)) for table in ("coil", "discrete", "holding", "input")]
        super().__init__(seed, Registers(*size))
        self._time_s = 0.0
        self._start = [self.dice.randrange(0x10000) for _ in range(COUNTING)]
        self._second = -1
        self._kept: tuple[list[int], list[bool]] = ([], [])
        self._saved: dict[str, object] = {}
        self.measure()

    def step(self, dt_s: float) -> None:
        """Lets `dt_s` seconds pass; there is no watchdog and no pulse, every address is plain memory."""
        self._time_s += dt_s
        self.measure()

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
        """The counting inputs."""
        second = int(self._time_s)
        if second == self._second:
            return
        self._second = second
        inputs, discretes = self.registers.inputs, self.registers.discretes
        for n, start in enumerate(self._start):
            count = start + second // (n + 1)
            inputs[n] = count & 0xFFFF
            discretes[n] = bool(count & 1)

    def power_cycle(self) -> None:
        """Its memory is retentive, but for the heartbeat."""
        self.registers.holding[HEARTBEAT] = 0

    def save(self) -> dict[str, object]:
        """What was written, without the zeros: there may be a thousand of these devices."""
        holding, coils = self.registers.holding, self.registers.coils
        if holding != self._kept[0] or coils != self._kept[1]:
            self._kept = (list(holding), list(coils))
            self._saved = {
                "holding": {str(n): word for n, word in enumerate(holding) if word},
                "coils": [n for n, coil in enumerate(coils) if coil],
            }
        return self._saved

    def load(self, saved: dict[str, object]) -> None:
        """Takes up what `save` gave.

        Raises:
            ValueError: It is not of this plant.
        """
        holding, coils = saved.get("holding"), saved.get("coils")
        words, bits = self.registers.holding, self.registers.coils
        try:
            if not isinstance(holding, dict) or not isinstance(coils, list):
                raise TypeError  # noqa: TRY301 - all that is wrong is one error
            found = {int(n): int(word) for n, word in holding.items()}
            if not all(0 <= n < len(words) and 0 <= word <= 0xFFFF for n, word in found.items()):
                raise ValueError  # noqa: TRY301 - as above
            if not all(0 <= int(n) < len(bits) for n in coils):
                raise ValueError  # noqa: TRY301 - as above
        except (TypeError, ValueError):
            raise ValueError("saved by another version") from None
        for n, word in found.items():
            words[n] = word
        for n in coils:
            bits[int(n)] = True
