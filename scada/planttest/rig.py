"""A program in its plant, scan by scan on simulated time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from scada.control.civil import Civil
from scada.planttest.simulated import SimulatedWorld
from scada.planttest.world import World
from scada.requests import Request
from scada.scan import Program, State, Writes, retain, start, step
from tags.site.plant_tests_compiled import Ask, Plant

START: Final = "2026-01-12T12:00:00"  # a Monday noon in winter, of no holiday that we know


def start_ns(text: str | None, zone: str) -> int:
    """UTC ns of the first scan."""
    stamp = dt.datetime.fromisoformat(text or START)
    if stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=ZoneInfo(zone))
    return int(stamp.timestamp()) * 1_000_000_000 + stamp.microsecond * 1000


class Scene(Protocol):
    """A program that is run scan by scan, in a plant or from a recording."""

    @property
    def program(self) -> Program:
        """What runs."""

    @property
    def state(self) -> State:
        """Of control."""

    @property
    def time_ns(self) -> int:
        """Of the last scan, since the first one, ns."""

    def truth(self, path: str) -> Any:
        """What is so in the plant."""

    def seen(self, path: str) -> tuple[Any, int]:
        """What control sees or says: value and status."""


class Rig:
    """Control and the devices around it.

    Args:
        program: What runs.
        plant: What surrounds it.

    Attributes:
        state: Of control.
        world: The devices.
        time_ns: Of the last scan, since the first one, ns; negative before it.
        scans: Made so far.
    """

    def __init__(self, program: Program, plant: Plant) -> None:
        self.program = program
        site = program.site
        self._period = site.scan_ns
        self._civil = Civil(site.timezone, site.scan_ns)
        self._utc_ns = start_ns(plant.start, site.timezone)
        self.state: State = start(program, None, utc_ns=self._utc_ns)
        self.world: World = SimulatedWorld(program, plant) if plant.simulated else World(program, plant)
        self.time_ns = -self._period
        self.scans = 0
        self._asked = 0
        self._requests: list[Request] = []
        self.writes = Writes([], [], [])

    def restart(self, *, manual: bool) -> None:
        """Control ends as planned and starts again, with what it retained."""
        utc_ns = self._utc_ns + self.time_ns
        retained = retain.dump(self.program, self.state, utc_ns)
        self.state = start(self.program, retained, utc_ns=utc_ns, manual=manual)
        self.world.forget()

    def ask(self, ask: Ask) -> str:
        """Sends a request in the next scan; its id."""
        self._asked += 1
        id_ = f"test-{self._asked}"
        fields: Mapping[str, Any] = {"reason": ask.reason, "user": ask.user, "role": ask.role}
        self._requests.append(Request(id_, ask.kind, ask.items, source="hmi", for_ns=ask.for_ns, **fields))
        return id_

    def scan(self) -> Sequence[dict[str, Any]]:
        """One more scan; its events."""
        self.time_ns += self._period
        utc_ns = self._utc_ns + self.time_ns
        if self.scans:
            self.world.advance(self.time_ns, self._period, self.truth)
        tick = self._civil.tick(self.state.scans + 1, 1, utc_ns)
        inputs = self.world.inputs(self.scans, utc_ns)
        requests, self._requests = self._requests, []
        self.state, self.writes, events = step(self.program, self.state, inputs, requests, tick)
        self.world.take(self.state, self.writes, self.time_ns)
        self.scans += 1
        return events

    def truth(self, path: str) -> Any:
        """What is so: of a device in the plant, whatever its measurement says; of control what it says."""
        if path in self.world.truth:
            return self.world.truth[path]
        slot = self.program.index.get(path)
        return None if slot is None else self.state.signals.value[slot]

    def seen(self, path: str) -> tuple[Any, int]:
        """What control sees or says: value and status."""
        slot = self.program.index.get(path)
        if slot is None:
            return self.world.truth.get(path), self.world.status.get(path, 0)
        return self.state.signals.value[slot], self.state.signals.status[slot]
