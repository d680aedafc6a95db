"""A service of a plant in virtual time: its files are real, its process is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scada.clock import Clock
from scada.datadir import DataDir
from scada.service import Service
from scada.service.log import Log
from tags.types import Value

Told = Callable[[str, dict[str, Any]], None]


class VirtualLog(Log):
    """Keeps what is worse than a warning instead of writing it."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.failures: list[str] = []

    def _write(self, level: str, event: str, fields: dict[str, Any]) -> None:
        if level in ("error", "critical"):
            self.failures.append(f"{event} {fields.get('traceback', '')}".strip())


class VirtualService(Service):
    """As `scada.service.Service`, without what belongs to an operating system's process.

    Args:
        data: The data directory.
        name: Of the service.
        epoch: Of this start.
        clock: The world's.
        told: Takes each event with the name of the service.
        flags: As of the command line.
    """

    def __init__(
        self,
        data: DataDir,
        name: str,
        epoch: int,
        clock: Clock,
        told: Told,
        flags: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(data, name, epoch, clock, flags)
        self.notes = VirtualLog(clock)
        self.log = self.notes
        self._told = told

    def event(self, kind: str, **fields: Any) -> None:
        """As a service's, and told."""
        super().event(kind, **fields)
        self._told(self.name, {"kind": kind, **fields})

    def health(self, **values: Value) -> None:
        """Without the process's memory, which is no business of a simulation."""
        self.publish({f"system/{self.name}/{key}": value for key, value in values.items()})
