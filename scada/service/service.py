"""What every service does the same way: arguments, site, publishing, heartbeat, health, log, signals, end."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final, Self

from scada.clock import Clock, SystemClock
from scada.datadir import DataDir
from scada.service.death import die_with_parent
from scada.service.log import Log
from tags import model, quality
from tags.model import Site
from tags.publish import Publisher
from tags.types import Value

CONTROL: Final = "control"
PAGE: Final = os.sysconf("SC_PAGESIZE")


class Service:
    """A running service; use `with Service.start(argv) as service:`.

    Attributes:
        name: For example `field`; also the name of its image.
        epoch: Of this start; larger than any before.
        data: The data directory.
        site: The compiled site.
        publisher: Its image and rings.
        clock: Its clock.
        log: Its log.
        flags: Names of the flags that it was started with.
        stopping: True once it was asked to stop: finish what you do and leave the `with` block.
        failed: True after `fail`.
    """

    def __init__(
        self, data: DataDir, name: str, epoch: int, clock: Clock, flags: frozenset[str] = frozenset()
    ) -> None:
        """Opens a service's files; `start` does this from the command line.

        Raises:
            ImageError: The supervisor has not made them.
            OSError: `run/site.json` cannot be read.
            ValueError: It is of another version.
        """
        self.name, self.epoch, self.data, self.clock, self.flags = name, epoch, data, clock, flags
        self.log = Log(clock, service=name, epoch=epoch)
        self.site: Site = model.load(data.site_json.read_bytes())
        self.publisher = Publisher(
            data.run,
            name,
            self.site.of_writer(name),
            epoch,
            utc_ns=clock.utc_ns(),
            now_ns=clock.monotonic_ns(),
        )
        self.stopping = False
        self.failed = False
        self._on_stop: list[Callable[[], object]] = []
        self._prefix = f"system/{name}/"

    @classmethod
    def start(cls, argv: Sequence[str] | None = None, flags: Sequence[str] = ()) -> Self:
        """Starts the service that `python -m <module> --data DIR --name NAME --epoch N` names.

        Call it in the main thread, before anything slow: from here on the process dies with its supervisor, and
        SIGTERM and SIGINT set `stopping`.

        Args:
            argv: Arguments without the program; None for those of the process.
            flags: Further flags that it knows, for example `("manual",)` for `--manual`.

        Raises:
            SystemExit: Wrong arguments.
        """
        parser = argparse.ArgumentParser(description="A service; the supervisor starts it.")
        parser.add_argument("--data", type=Path, required=True)
        parser.add_argument("--name", required=True)
        parser.add_argument("--epoch", type=int, required=True)
        parser.add_argument("--parent", type=int)
        for flag in flags:
            parser.add_argument(f"--{flag}", dest="flags", action="append_const", const=flag)
        parser.set_defaults(flags=[])
        given = parser.parse_args(argv)
        die_with_parent(given.parent)
        service = cls(
            DataDir(given.data), given.name, given.epoch, SystemClock(), frozenset(given.flags or ())
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, service._asked_to_stop)
        if service.name != CONTROL:
            keep_off(service.site.realtime.cpu)
        return service

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and issubclass(kind, Exception):
            self.fail(": ".join(text for text in (kind.__name__, str(error)) if text))
        self.publisher.close()

    def ready(self) -> None:
        """Says that the service is up: its listeners are bound. The plant is ready when all services are."""
        self.publisher.image.beat()
        self.publisher.image.ready()

    def beat(self) -> None:
        """Shows that the work loop runs; call it at least twice a second, from that loop and nowhere else."""
        self.publisher.image.beat()

    def on_stop(self, callback: Callable[[], object]) -> None:
        """Calls back once when asked to stop, in the main thread between two instructions.

        An asyncio service passes `lambda: loop.call_soon_threadsafe(stop.set)`.
        """
        self._on_stop.append(callback)

    def stop(self) -> None:
        """Asks the service to stop, as SIGTERM does."""
        if not self.stopping:
            self.stopping = True
            for callback in self._on_stop:
                callback()

    def fail(self, message: str) -> None:
        """Says in one line why the service cannot run; the supervisor shows it. Return 1 from `main` after it."""
        self.failed = True
        self.log.critical(message)

    def event(self, kind: str, **fields: Any) -> None:
        """Appends an event of this service, stamped with the clock.

        Args:
            kind: For example `login`, `write`, `gap`.
            **fields: More, as JSON.
        """
        self.publisher.event(kind, self.clock.utc_ns(), **fields)

    def health(self, **values: Value) -> None:
        """Publishes `system/<name>/<key>` for each value, and the process's memory.

        Args:
            **values: By key; see `tags.site.system`.

        Raises:
            KeyError: The site has no such tag.
        """
        named: dict[str, Value] = {self._prefix + key: value for key, value in values.items()}
        memory = self._prefix + "memory"
        if memory in self.publisher.rows:
            named[memory] = private_memory()
        self.publish(named)

    def publish(self, values: Mapping[str, Value], status: int = quality.GOOD) -> None:
        """Publishes tags of this service by path, with the time of now.

        Args:
            values: By path.
            status: StatusCode of all.

        Raises:
            KeyError: Not a tag of this service.
            ValueError: A value is not of its tag's type.
        """
        rows = self.publisher.rows
        items = [(rows[path], value) for path, value in values.items()]
        self.publisher.put_values(items, status, self.clock.utc_ns(), self.clock.monotonic_ns())

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.stop()


def keep_off(cpu: int | None) -> None:
    """Keeps this process off the processor that control has for itself, where there is another one for it."""
    if cpu is None:
        return
    with contextlib.suppress(OSError):
        left = os.sched_getaffinity(0) - {cpu}
        if left:
            os.sched_setaffinity(0, left)


def private_memory() -> float:
    """Memory that this process alone uses, MB: resident without shared pages."""
    pages = Path("/proc/self/statm").read_bytes().split()
    return (int(pages[1]) - int(pages[2])) * PAGE / 1e6
