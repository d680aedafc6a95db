"""A PLC without a plant: registers that keep what is written to them, for devices that no simulator plays."""

from __future__ import annotations

from collections.abc import Iterable

from scada.simulate.plant import HEARTBEAT, Plant
from scada.simulate.registers import Registers
from tags.model import Tag


class Memory(Plant):
    """Registers and nothing behind them; a Local/Remote selector stands in Remote.

    Args:
        tags: Of the device, addresses parsed.
        seed: Not used; every plant has one.
    """

    def __init__(self, tags: Iterable[Tag], seed: int = 0) -> None:
        size = {"coil": 1, "discrete": 1, "holding": HEARTBEAT + 1, "input": 1}
        placed = [(tag, tag.address) for tag in tags if tag.address is not None]
        for _, at in placed:
            size[at["table"]] = max(size[at["table"]], at["offset"] + int(at.get("count", 1)))
        registers = Registers(size["coil"], size["discrete"], size["holding"], size["input"])
        super().__init__(seed, registers)
        selectors = {tag.remote for tag, _ in placed if tag.remote is not None}
        for tag, at in placed:
            if tag.path in selectors and at["table"] == "discrete":
                registers.discretes[at["offset"]] = True

    def power_cycle(self) -> None:
        """All that was written is gone."""
        super().power_cycle()
        self.registers.holding[:] = [0] * len(self.registers.holding)

    def program(self, dt_s: float, pressed: set[int]) -> None:
        """None."""

    def physics(self, dt_s: float) -> None:
        """None."""

    def measure(self) -> None:
        """Nothing."""
