"""The field service: one poller per device, and a tick that looks at control, forces and the arming file."""

from __future__ import annotations

import asyncio
import gc
import resource
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Any, Final

import numpy as np
import orjson
import uvloop

from scada import arming
from scada.field.batch import join
from scada.field.driver import Session
from scada.field.health import Healths
from scada.field.heartbeat import Heartbeat
from scada.field.poller import LOOK_NS, Poller
from scada.field.samples import Samples
from scada.field.sleep import Sleeper
from scada.field.trust import Trust
from scada.field.watch import Watch
from scada.service import Service
from tags import quality
from tags.image import ImageReader
from tags.model import DEVICE, Device, Tag
from tags.slots import SlotReader
from tags.types import UINT16

CONTROL: Final = "control"
TICK_NS: Final = LOOK_NS
STOP_S: Final = 1.0
GOLDEN: Final = (3 - 5**0.5) / 2
"""Parts of a period: its multiples lie far apart also for any few neighbours, as behind one gateway."""
STILL_TICKS: Final = 5
SLOW_TICKS: Final = 20


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the service until it is asked to stop.

    Args:
        argv: Arguments without the program; None for those of the process.

    Returns:
        Exit code: 0 stopped as asked, 1 failed.
    """
    gc.disable()  # what a large site is made of stays: nobody needs to look at it over and over
    with Service.start(argv) as service:
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # a connection for each of a thousand devices
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        field = Field(service)
        gc.freeze()
        gc.enable()
        return uvloop.run(field.run())


def open_session(driver: Any, device: Device, tags: Sequence[Tag]) -> Session:
    """The working part of a driver for one device, with the real network behind it."""
    session: Session = driver.session(driver.Config.model_validate(device.config), tags)
    return session


class Field:
    """All devices of one field service.

    Args:
        service: Started, its site loaded.
        session: Makes a device's session of its driver, device and tags; a simulation brings its own.
    """

    def __init__(
        self,
        service: Service,
        session: Callable[[Any, Device, Sequence[Tag]], Session] = open_session,
    ) -> None:
        self._session = session
        self._service = service
        self._clock = service.clock
        self._control = ImageReader(service.data.image(CONTROL))
        self._forces = SlotReader(service.data.forces)
        self._watch = Watch(TICK_NS)
        self._sleeper = Sleeper(self._clock)
        self._drivers: dict[str, Any] = {}
        self._healths = Healths(service.publisher, service.clock)
        self._trust = Trust(service.data.state / f"{service.name}.heartbeats.json")
        by_path = service.site.by_path()
        devices = [device for device in service.site.devices if device.service == service.name]
        self._pollers: list[Poller] = []
        self._samples: list[Samples] = []
        self._rows: list[np.ndarray[Any, np.dtype[np.intp]]] = []
        by_device: dict[str | None, list[Tag]] = defaultdict(list)
        for tag in service.publisher.tags:
            if tag.kind == DEVICE:
                by_device[tag.device].append(tag)
        self._whole = whole = Samples(
            service.publisher, [tag for device in devices for tag in by_device[device.name]]
        )
        first, self._firsts = 0, list[int]()
        for number, device in enumerate(devices):
            tags = by_device[device.name]
            samples = whole.part(first, tags)
            self._firsts.append(first)
            first += len(tags)
            poller = self._poller(device, tags, samples, number)
            self._samples.append(samples)
            self._pollers.append(poller)
            self._rows.append(np.array([by_path[path].row for path in poller.command_paths], np.intp))
        for name, driver in self._drivers.items():
            mine = [n for n, device in enumerate(devices) if device.driver == name]
            join(whole, driver, [(self._pollers[n], self._firsts[n]) for n in mine])
        self._writing = [poller for poller in self._pollers if poller.command_paths]
        self._all_rows = np.concatenate([np.zeros(0, np.intp), *self._rows])
        self._seen: tuple[np.ndarray[Any, Any], ...] = ()
        self._alive = False
        self._sequence = -1
        self._forces_version = -1
        self._force_table: dict[str, tuple[int, int]] = {}
        self._force_now: dict[str, int] = {}
        self._armed_stamp: tuple[int, int, int] | None = None

    async def run(self) -> int:
        """Works until the service is asked to stop; returns the exit code."""
        service, loop = self._service, asyncio.get_running_loop()
        loop.set_exception_handler(self._odd)
        now, utc = self._clock.monotonic_ns(), self._clock.utc_ns()
        for samples in self._samples:
            samples.start(utc, now)
        service.on_stop(lambda: loop.call_soon_threadsafe(self._sleeper.wake))
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(poller.run()) for poller in self._pollers]
                await self._ticks()
                for poller, task in zip(self._pollers, tasks, strict=True):
                    poller.stop()
                    loop.call_later(STOP_S, task.cancel)  # a silent device must not hold the end up
        except ExceptionGroup as errors:  # the supervisor starts the service again
            service.log.exception("a device's loop ended")
            service.fail(f"{type(errors.exceptions[0]).__name__}: {errors.exceptions[0]}")
            return 1
        return 0

    async def _ticks(self) -> None:
        """The tick, on absolute deadlines, until the service is asked to stop."""
        due = self._clock.monotonic_ns()
        count = 0
        self._look_at_arming()
        self._healths.publish(self._pollers, due)
        self._service.health()
        self._service.ready()
        while not self._service.stopping:
            now = self._clock.monotonic_ns()
            self.tick(count, now)
            count += 1
            due = max(due + TICK_NS, now + TICK_NS // 5)
            await self._sleeper.until(due)

    def tick(self, count: int, now_ns: int) -> None:
        """One look at everything that other services and people say.

        Args:
            count: Number of the tick; the rarer looks are taken at multiples.
            now_ns: Monotonic, ns.
        """
        self._service.beat()
        self._look_at_arming()
        self._look_at_control(now_ns)
        self._look_at_forces(now_ns)
        for poller in self._writing:
            poller.hurry()
        for poller in self._pollers:
            if now_ns > poller.groups.fresh_ns:
                poller.look_at_age(now_ns)
        some = slice(count % STILL_TICKS, None, STILL_TICKS)
        still = [
            first + poller.still(now_ns)
            for poller, first in zip(self._pollers[some], self._firsts[some], strict=True)
        ]
        if still:
            self._whole.publish(np.concatenate(still), now_ns)
        # a part at each tick: those of a thousand devices at once would hold up their polls
        told = self._pollers[count % SLOW_TICKS :: SLOW_TICKS]
        self._healths.publish([*told, *(poller for poller in self._pollers if poller.news)], now_ns)
        if count % SLOW_TICKS == 0:
            self._service.health()
            self._trust.save()

    def _poller(self, device: Device, tags: list[Tag], samples: Samples, number: int) -> Poller:
        driver = self._driver(device.driver)
        config = driver.Config.model_validate(device.config)
        heartbeat = device.heartbeat
        if heartbeat is not None and isinstance(heartbeat["address"], str):
            heartbeat = {**heartbeat, "address": driver.parse_address(heartbeat["address"], UINT16, config)}
        session = self._session(driver, device, tags)
        return Poller(
            replace(device, heartbeat=heartbeat),
            tags,
            session,
            samples,
            self._clock,
            self._service.event,
            spread=number * GOLDEN % 1.0,
            heartbeat=self._known_heartbeat(device),
            noticed=lambda counter: self._note_heartbeat(device, counter),
            look=self._look_again,
        )

    def _driver(self, name: str) -> Any:
        """One of each kind works in this service: devices may share what it keeps, for example a connection."""
        if name not in self._drivers:
            self._drivers[name] = load_driver(name)(self._clock)
        return self._drivers[name]

    def _known_heartbeat(self, device: Device) -> Heartbeat | None:
        """What an earlier life of this service knew of a device: its last word stands beside the count of restarts."""
        publisher = self._service.publisher
        row = publisher.rows.get(_restarts(device.name))
        if row is None:
            return None
        known = Heartbeat(int(publisher.image.value[row]), int(publisher.image.aux[row]))
        if not known.written and self._trust.knows(device):
            known.trust()
        return known

    def _note_heartbeat(self, device: Device, counter: Heartbeat) -> None:
        self._trust.note(device, keeps=counter.trusted)
        publisher, clock = self._service.publisher, self._clock
        row = publisher.rows.get(_restarts(device.name))
        if row is not None:
            now = clock.monotonic_ns()
            publisher.put_value(row, counter.restarts, quality.GOOD, clock.utc_ns(), now, counter.word)

    def _look_again(self) -> None:
        """Right before a write: who disarmed, and what control took back, is believed from that moment on.

        Between two ticks this process may have been stopped for any time.
        """
        self._look_at_arming()
        self._take_commands(self._alive)

    def _look_at_control(self, now_ns: int) -> None:
        self._take_commands(self._watch.tick(self._control.heartbeat, now_ns))

    def _take_commands(self, alive: bool) -> None:
        """Shows control's image to the pollers when it, or what is believed of control, has changed."""
        if alive == self._alive and self._control.sequence == self._sequence:
            return
        sequence = self._control.sequence
        if self._control.snapshot():
            self._sequence = sequence
        elif alive or alive == self._alive:
            return  # control froze inside a publish: that it is lost must be known all the same
        image = self._control
        rows = self._all_rows
        seen = (image.version[rows], image.aux[rows], image.status[rows])
        # control publishes every scan, and most scans change no command of most devices
        if alive != self._alive or not self._seen:
            changed = np.ones(len(rows), np.bool_)
        else:
            before = self._seen
            changed = (seen[0] != before[0]) | (seen[1] != before[1]) | (seen[2] != before[2])
        if changed.any() or not self._seen or alive != self._alive:
            self._seen = seen
            start = 0
            for poller, mine in zip(self._pollers, self._rows, strict=True):
                if alive != self._alive or changed[start : start + len(mine)].any():
                    poller.observe(image, mine, alive)
                start += len(mine)
        if alive != self._alive:
            self._service.log.info("control lives" if alive else "control does not answer")
        self._alive = alive

    def _look_at_forces(self, now_ns: int) -> None:
        version = self._forces.version
        if version != self._forces_version:
            payload = self._forces.read()
            if payload is None and version:
                return  # it is being written; the next tick sees it
            self._forces_version = version
            self._force_table = _table(payload)
        elif not self._force_table:
            return
        utc = self._clock.utc_ns()
        current = {path: bits for path, (bits, expires) in self._force_table.items() if expires > utc}
        if current != self._force_now:
            self._force_now = current
            for samples in self._samples:
                samples.force(current, utc, now_ns)

    def _look_at_arming(self) -> None:
        try:
            info = self._service.data.armed.stat()
            stamp = (info.st_mtime_ns, info.st_ino, info.st_size)
        except OSError:
            stamp = (0, 0, 0)
        if stamp == self._armed_stamp:
            return
        self._armed_stamp = stamp
        table = arming.armed(self._service.data.armed, self._service.site.devices)
        for poller in self._pollers:
            poller.arm(poller.name in table, *arming.last_word(self._service.data.armed, poller.name))

    def _odd(self, loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        del loop
        self._service.log.warning(str(context.get("message")), error=repr(context.get("exception")))


def _restarts(device: str) -> str:
    return f"system/{device}/restarts"


def load_driver(name: str) -> Any:
    """The class of a driver.

    Raises:
        LookupError: No package announces it.
    """
    for entry in entry_points(group="scada.drivers", name=name):
        return entry.load()
    raise LookupError(f"no driver {name!r} is installed")


def _table(payload: bytes | None) -> dict[str, tuple[int, int]]:
    if not payload:
        return {}
    return {path: (int(bits), int(expires)) for path, (bits, expires) in orjson.loads(payload).items()}
