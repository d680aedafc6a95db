"""Looks at what a PLC holds, over a connection of its own, all the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException

from tests.support.wait import wait_for

EVERY_S = 0.04
FULL_SCALE = 27648


@dataclass(frozen=True)
class Look:
    """PLC1 at one moment.

    Attributes:
        at: Monotonic, s.
        valve: LV-101's output, %.
        speeds: Of both pumps as asked, %.
        beat: The heartbeat register.
        start: Start coils.
        stop: Stop coils.
        run: Run feedbacks.
        alone: The watchdog of PLC1 has tripped.
    """

    at: float
    valve: float
    speeds: tuple[float, float]
    beat: int
    start: tuple[bool, bool]
    stop: tuple[bool, bool]
    run: tuple[bool, bool]
    alone: bool


class Witness:
    """A thread that looks about 25 times a second.

    Attributes:
        looks: All so far, oldest first.
    """

    def __init__(self, port: int) -> None:
        self.looks: list[Look] = []
        self._port = port
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        wait_for(lambda: self.looks, 20, "PLC1 answers")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join(5)

    @property
    def now(self) -> Look:
        """The last look."""
        return self.looks[-1]

    def since(self, at: float) -> Sequence[Look]:
        """All looks from a time on."""
        return [look for look in self.looks if look.at >= at]

    def until(self, true: Callable[[Look], bool], timeout_s: float, what: str) -> float:
        """Waits for a look and returns its time."""
        began = time.monotonic()

        def found() -> Look | None:
            look = self.looks[-1]
            return look if look.at >= began and true(look) else None

        return wait_for(found, timeout_s, f"{what}; now {self.looks[-1]}").at

    def _run(self) -> None:
        client: Any = ModbusTcpClient("127.0.0.1", port=self._port, timeout=1, retries=0)
        while not self._end.wait(EVERY_S):
            try:
                if client.connected or client.connect():
                    self.looks.append(self._look(client))
            except (ModbusException, OSError, IndexError, AttributeError):
                client.close()  # it is without power
        client.close()

    def _look(self, client: Any) -> Look:
        outputs = client.read_holding_registers(0, count=3).registers
        beat = client.read_holding_registers(100, count=1).registers[0]
        coils = client.read_coils(0, count=4).bits
        inputs = client.read_discrete_inputs(0, count=10).bits
        valve, *speeds = (100.0 * word / FULL_SCALE for word in outputs)
        return Look(
            time.monotonic(), valve, (speeds[0], speeds[1]), beat, (coils[0], coils[2]), (coils[1], coils[3]),
            (inputs[1], inputs[4]), inputs[9],
        )  # fmt: skip
