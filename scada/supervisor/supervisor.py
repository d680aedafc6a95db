"""The supervisor's loop: start, watch ten times a second, restart, stop in order."""

from __future__ import annotations

import os
import selectors
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Final

from scada.clock import Clock
from scada.datadir import DataDir
from scada.service.service import private_memory
from scada.supervisor.epoch import Epochs
from scada.supervisor.logs import Logs, last_words
from scada.supervisor.process import Process, how, log_path
from scada.supervisor.watch import SECOND, TICK_NS, Backoff, Crashes, Heartbeat, Ticker
from tags import quality
from tags.image import ImageReader
from tags.model import Site, Tag
from tags.publish import SUPERVISOR, Publisher, mark_dead

STOPPED, STARTING, RUNNING, RESTARTING, FAILED = range(5)
STATES: Final = ("stopped", "starting", "running", "restarting", "failed")

START_NS: Final = 60 * SECOND  # a service that shows no life this long after its start is killed
MEMORY_TICKS: Final = 100
PATIENCE_NS: Final = (
    2 * SECOND
)  # without news for so long, whoever waits for the plant is told what it waits for
# The phases of a planned stop: who is told, and how long it may take. All in all less than 5 s.
LAST: Final[tuple[tuple[str, float], ...]] = (("field", 1.0), ("historian", 1.6), ("simulate", 0.3))
FIRST_S: Final = 1.4
KILL_S: Final = 0.15


@dataclass(slots=True)
class Plan:
    """How to run one service.

    Attributes:
        name: Of the service.
        command: Program and arguments, without `--epoch`.
        silence_ns: Without a heartbeat for so long it is dead.
        phase: In which phase of a planned stop it is told: "" for the first, else a name in `LAST`.
        manual_after_crashes: Start it with `--manual` after three crashes in five minutes.
    """

    name: str
    command: Sequence[str]
    silence_ns: int = 5 * SECOND
    phase: str = ""
    manual_after_crashes: bool = False


@dataclass(slots=True)
class _Service:
    plan: Plan
    tags: tuple[Tag, ...]
    reader: ImageReader
    state: int = STOPPED
    process: Process | None = None
    epoch: int = 0
    first_beat: int = 0
    heartbeat: Heartbeat = field(default_factory=lambda: Heartbeat(START_NS))
    beating: bool = False
    backoff: Backoff = field(default_factory=Backoff)
    crashes: Crashes = field(default_factory=Crashes)
    due_ns: int = 0
    log_start: int = 0
    why: str = ""


class Supervisor:
    """Runs the services of a site until it is told to stop."""

    def __init__(
        self,
        site: Site,
        data: DataDir,
        plans: Iterable[Plan],
        *,
        lock: int,
        epochs: Epochs,
        clock: Clock,
        say: Callable[[str], None],
    ) -> None:
        """Opens the supervisor's own image; the files of the site exist.

        Args:
            site: The compiled site.
            data: The data directory.
            plans: The services in start order.
            lock: Descriptor of the data directory's lock.
            epochs: Where epochs come from.
            clock: The clock.
            say: Shows one line to whoever started the plant.
        """
        self._data, self._clock, self._lock, self._epochs, self._say = data, clock, lock, epochs, say
        self._logs = Logs(data.run, data.logs)
        self._publisher = Publisher(
            data.run,
            SUPERVISOR,
            site.of_writer(SUPERVISOR),
            epochs.next(),
            utc_ns=clock.utc_ns(),
            now_ns=clock.monotonic_ns(),
        )
        self._services = {
            plan.name: _Service(plan, site.of_writer(plan.name), ImageReader(data.image(plan.name)))
            for plan in plans
        }
        self._selector = selectors.DefaultSelector()
        self._ticker = Ticker()
        self._tick_due = 0
        self._ticks = 0
        self._ready = False
        self._fatal = ""
        self._stop_signals = 0

    def run(self, ready: Callable[[], object]) -> int:
        """Runs until SIGTERM, SIGINT or SIGHUP, or until a service cannot start the first time.

        Args:
            ready: Called once, when all services run.

        Returns:
            0 after a planned stop, 1 when a service could not start.
        """
        restore = self._catch_signals()
        self._logs.start()
        try:
            self._publisher.image.ready()
            for service in self._services.values():
                self._start(service)
            news = self._clock.monotonic_ns() + PATIENCE_NS
            while not self._stop_signals and not self._fatal:
                self._turn()
                if self._ready:
                    continue
                waiting = [name for name, s in self._services.items() if s.state != RUNNING]
                if not waiting:
                    self._ready = True
                    ready()
                elif self._clock.monotonic_ns() > news:
                    news += 2 * PATIENCE_NS
                    self._say(f"Starting {', '.join(waiting)} …")
            self._stop_all()
        finally:
            self._kill_all()
            self._logs.stop()
            restore()
        if self._fatal:
            self._say(self._fatal)
            return 1
        return 0

    def _turn(self) -> None:
        """Waits for the next tick, a death or a signal, and handles it."""
        waiting = [] if self._stopping else [s for s in self._services.values() if s.state == RESTARTING]
        due = min([self._tick_due, *(service.due_ns for service in waiting)])
        wait = max(0, due - self._clock.monotonic_ns()) / SECOND
        for key, _ in self._selector.select(wait):
            if isinstance(key.data, _Service):
                self._ended(key.data)
            else:
                os.read(key.fd, 512)
        now = self._clock.monotonic_ns()
        for service in waiting:
            if now >= service.due_ns and not self._stopping:
                self._start(service)
        if now >= self._tick_due:
            self._tick_due = max(self._tick_due + TICK_NS, now)
            self._tick(now)

    def _tick(self, now: int) -> None:
        on_time = self._ticker.on_time(now)
        self._publisher.beat()
        for service in self._services.values():
            if service.process is not None:
                self._look_at(service, on_time)
        if self._ticks % MEMORY_TICKS == 0:
            self._put("memory", private_memory())
        self._ticks += 1

    def _look_at(self, service: _Service, on_time: bool) -> None:
        reader = service.reader
        beat = reader.heartbeat
        if not service.beating and reader.epoch == service.epoch and beat != service.first_beat:
            service.beating = True
            service.heartbeat = Heartbeat(service.plan.silence_ns)
        if service.heartbeat.tick(beat, on_time=on_time) and not service.why:
            silent = service.heartbeat.silent * TICK_NS / SECOND
            service.why = f"no heartbeat for {silent:.1f} s"
            self._send(service, signal.SIGKILL)
        if service.state == STARTING and reader.epoch == service.epoch and reader.ready:
            self._become(service, RUNNING)

    def _start(self, service: _Service) -> None:
        now = self._clock.monotonic_ns()
        name = service.plan.name
        service.epoch = self._epochs.next()
        service.first_beat = service.reader.heartbeat
        service.beating, service.why = False, ""
        service.heartbeat = Heartbeat(START_NS)
        service.log_start = self._logs.size(name)
        command = [*service.plan.command, "--epoch", str(service.epoch)]
        manual = service.plan.manual_after_crashes and service.crashes.too_many(now)
        if manual:
            command.append("--manual")
        try:
            log = self._logs.open(name)
            try:
                service.process = Process(command, self._lock, log, now)
            finally:
                os.close(log)
        except OSError as error:  # out of processes, memory or tmpfs: the others must not suffer from it
            service.due_ns = now + service.backoff.after(0)
            self._say(
                f"{name}: cannot be started: {error.strerror}; next try in {(service.due_ns - now) / SECOND:.1f} s"
            )
            self._become(service, RESTARTING, reason=f"cannot be started: {error.strerror}")
            return
        self._selector.register(service.process.descriptor, selectors.EVENT_READ, service)
        self._become(service, STARTING, reason="three crashes in five minutes: Manual" if manual else "")

    def _ended(self, service: _Service) -> None:
        """Reaps a dead service, makes its tags Bad under a new epoch, and plans its restart."""
        process = service.process
        if process is None:
            return
        self._selector.unregister(process.descriptor)
        code = process.reap()
        if code is None:  # not yet a zombie: look again at the next turn
            self._selector.register(process.descriptor, selectors.EVENT_READ, service)
            return
        service.process = None
        now = self._clock.monotonic_ns()
        reason = service.why or how(code)
        self._mark_dead(service, now)
        if self._stopping:
            self._become(service, STOPPED, reason=reason)
            return
        words = last_words(log_path(self._data.run, service.plan.name), service.log_start) if code > 0 else ""
        if words:
            reason = f"{reason}: {words}"
        if not self._ready and code > 0 and service.state == STARTING:
            self._become(service, FAILED, reason=reason)
            self._fatal = self._fatal or f"{service.plan.name}: {words or reason}"
            return
        service.crashes.add(now)
        wait = service.backoff.after(now - process.started_ns)
        service.due_ns = now + wait
        self._become(service, RESTARTING, reason=reason)
        self._say(f"{service.plan.name}: {reason}; restart in {wait / SECOND:.1f} s")
        if self._epochs.error:
            self._say(self._epochs.error)
            self._epochs.error = ""

    def _mark_dead(self, service: _Service, now: int) -> None:
        mark_dead(
            self._data.run,
            service.plan.name,
            service.tags,
            self._epochs.next(),
            utc_ns=self._clock.utc_ns(),
            now_ns=now,
        )

    def _become(self, service: _Service, state: int, reason: str = "") -> None:
        service.state = state
        name = service.plan.name
        process = service.process.id if service.process else None
        self._publisher.event(
            "service",
            self._clock.utc_ns(),
            name=name,
            state=STATES[state],
            reason=reason,
            epoch=service.epoch,
            process=process,
        )
        self._put(name, state)

    def _put(self, key: str, value: float) -> None:
        row = self._publisher.rows.get(f"system/{SUPERVISOR}/{key}")
        if row is not None:
            self._publisher.put_value(
                row, value, quality.GOOD, self._clock.utc_ns(), self._clock.monotonic_ns()
            )

    @property
    def _stopping(self) -> bool:
        return bool(self._stop_signals or self._fatal)

    def _stop_all(self) -> None:
        """Tells the services to stop, in order; who does not end in time is killed."""
        phases = {"": FIRST_S, **dict(LAST)}
        for phase, seconds in phases.items():
            members = [s for s in self._services.values() if s.plan.phase == phase and s.process]
            for service in members:
                self._send(service, signal.SIGTERM)
                self._send(service, signal.SIGCONT)
            self._wait_for(members, 0.0 if self._stop_signals > 1 else seconds)
            for service in members:
                self._send(service, signal.SIGKILL)
            self._wait_for(members, KILL_S)
        for service in self._services.values():
            if service.state in (STARTING, RESTARTING):
                self._become(service, STOPPED)

    def _wait_for(self, services: Sequence[_Service], seconds: float) -> None:
        until = self._clock.monotonic_ns() + int(seconds * SECOND)
        while any(s.process for s in services) and self._clock.monotonic_ns() < until:
            self._turn()

    def _kill_all(self) -> None:
        """Nothing that we started outlives us, whatever happened."""
        for service in self._services.values():
            self._send(service, signal.SIGKILL)

    def _send(self, service: _Service, number: int) -> None:
        if service.process is not None:
            service.process.send(number)

    def _catch_signals(self) -> Callable[[], None]:
        read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(read, selectors.EVENT_READ, None)
        wakeup = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        before: Mapping[int, object] = {n: signal.signal(n, self._told_to_stop) for n in numbers}

        def restore() -> None:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)  # type: ignore[arg-type]
            self._selector.close()
            os.close(read)
            os.close(write)

        return restore

    def _told_to_stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stop_signals += 1
