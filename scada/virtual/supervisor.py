"""The supervisor in virtual time: the same judgement of heartbeats, back-off and crashes, over virtual processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from scada.datadir import DataDir
from scada.scan.program import CONTROL
from scada.supervisor.run import SILENCE_NS
from scada.supervisor.supervisor import START_NS
from scada.supervisor.watch import TICK_NS, Backoff, Crashes, Heartbeat, Ticker
from scada.virtual.world import Process, World
from tags.image import ImageReader
from tags.model import Site
from tags.publish import mark_dead


class Life(Protocol):
    """One life of a service."""

    process: Process

    def close(self) -> None:
        """Lets its files go, after its end."""
        ...


@dataclass(slots=True)
class Charge:
    """A service that is looked after.

    Attributes:
        name: Of the service.
        begin: Starts a life of it: epoch and whether in Manual.
        life: The present one, or None.
        starts: How often it was started.
    """

    name: str
    begin: Callable[[int, bool], Life]
    reader: ImageReader
    life: Life | None = None
    starts: int = 0
    epoch: int = 0
    first_beat: int = 0
    beating: bool = False
    born_ns: int = 0
    heartbeat: Heartbeat = field(default_factory=lambda: Heartbeat(START_NS))
    backoff: Backoff = field(default_factory=Backoff)
    crashes: Crashes = field(default_factory=Crashes)


class Supervisor:
    """Starts services, kills those that are silent, and starts what died again.

    Args:
        world: Whose time counts.
        site: The site.
        data: Its data directory; the files exist.
        epoch: The last that was used.

    Attributes:
        process: Its own.
        charges: The services, by name.
    """

    def __init__(self, world: World, site: Site, data: DataDir, epoch: int) -> None:
        self.process = Process(world, "supervisor")
        self._world, self._site, self._data = world, site, data
        self._epoch = epoch
        self._ticker = Ticker()
        self.charges: dict[str, Charge] = {}
        self._due_ns = world.now_ns
        self._tick()

    def charge(self, name: str, begin: Callable[[int, bool], Life]) -> Charge:
        """Takes a service into its charge and starts it."""
        one = self.charges[name] = Charge(name, begin, ImageReader(self._data.image(name)))
        self._start(one)
        return one

    def life(self, name: str) -> Life | None:
        """The present life of a service."""
        return self.charges[name].life

    def killed(self, name: str) -> None:
        """A service is dead; noticed at once, as a reaped child is."""
        one = self.charges[name]
        life, one.life = one.life, None
        if life is None:
            return
        life.process.kill()
        self._world.after(0, lambda: self._buried(one, life), self.process)

    def _buried(self, one: Charge, life: Life) -> None:
        now = self._world.now_ns
        life.close()
        self._epoch += 1
        mark_dead(
            self._data.run, one.name, self._site.of_writer(one.name), self._epoch,
            utc_ns=self._world.clock.utc_ns(), now_ns=now,
        )  # fmt: skip
        one.crashes.add(now)
        self._world.after(one.backoff.after(now - one.born_ns), lambda: self._start(one), self.process)

    def _start(self, one: Charge) -> None:
        now = self._world.now_ns
        self._epoch += 1
        one.epoch, one.born_ns = self._epoch, now
        one.first_beat, one.beating = one.reader.heartbeat, False
        one.heartbeat = Heartbeat(START_NS)
        one.starts += 1
        one.life = one.begin(one.epoch, one.name == CONTROL and one.crashes.too_many(now))

    def _tick(self) -> None:
        now = self._world.now_ns
        on_time = self._ticker.on_time(now)
        for one in self.charges.values():
            if one.life is not None:
                self._look_at(one, on_time)
        self._due_ns = max(self._due_ns + TICK_NS, now)
        self._world.at(self._due_ns, self._tick, self.process)

    def _look_at(self, one: Charge, on_time: bool) -> None:
        reader = one.reader
        beat = reader.heartbeat
        if not one.beating and reader.epoch == one.epoch and beat != one.first_beat:
            one.beating = True
            one.heartbeat = Heartbeat(silence_ns(one.name))
        if one.heartbeat.tick(beat, on_time=on_time):
            self.killed(one.name)

    def close(self) -> None:
        """Lets all files go."""
        for one in self.charges.values():
            if one.life is not None:
                one.life.process.kill()
                one.life.close()
            one.reader.close()


def silence_ns(name: str) -> int:
    """Without a heartbeat for so long control, or a field service, is dead."""
    return SILENCE_NS["scada.control" if name == CONTROL else "scada.field"]
