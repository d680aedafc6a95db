"""The field service as a process, and the test in the part of control and supervisor: the real files between them."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from scada import arming
from scada.clock import SystemClock
from scada.datadir import DataDir
from tags import model, publish, quality
from tags.events import EventReader
from tags.image import ImageReader
from tags.model import Site
from tags.slots import SlotWriter
from tags.types import Value, from_bits
from tests.support.wait import wait_for

ROOT = Path(__file__).parents[2]


def at_port(site: Site, port: int, **config: Any) -> Site:
    """The site with its devices on a port."""
    devices = tuple(
        dataclasses.replace(
            device,
            config={**device.config, "endpoint": f"tcp://127.0.0.1:{port}", "timeout": "300 ms", **config},
        )
        for device in site.devices
    )
    return dataclasses.replace(site, devices=devices)


class Plant:
    """A data directory with a running field service; the test publishes control's commands."""

    def __init__(self, folder: Path, site: Site, *, control: bool = True) -> None:
        self.site, self.clock = site, SystemClock()
        self.tags = site.by_path()
        self.data = DataDir(folder)
        self.data.create()
        self.data.site_json.write_bytes(model.dump(site))
        publish.create_files(self.data.run, site, 1)
        self.control = publish.Publisher(self.data.run, "control", site.of_writer("control"), 1)
        self._frozen = threading.Event()
        self._ended = threading.Event()
        if not control:
            self._frozen.set()
        self._beating = threading.Thread(target=self._beat, daemon=True)
        self._beating.start()
        self.epoch = 1
        self.process: subprocess.Popen[bytes] | None = None
        self.start()
        self.image = self._image = ImageReader(self.data.image("field"))
        self._events = EventReader(self.data.events("field"))

    def start(self) -> None:
        """Starts field (again)."""
        self.epoch += 1
        arguments = ["--data", str(self.data.root), "--name", "field", "--epoch", str(self.epoch)]
        self.process = subprocess.Popen([sys.executable, "-m", "scada.field", *arguments], cwd=ROOT)

    def kill(self) -> None:
        """Kills field with -9 and marks its tags, as the supervisor does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(5)
        self.epoch += 1
        publish.mark_dead(
            self.data.run, "field", self.site.of_writer("field"), self.epoch,
            utc_ns=self.clock.utc_ns(), now_ns=self.clock.monotonic_ns(),
        )  # fmt: skip

    def freeze_control(self, frozen: bool = True) -> None:
        """Control's heartbeat stands still, or moves again."""
        (self._frozen.set if frozen else self._frozen.clear)()

    def arm(self, *devices: str) -> None:
        """Arms devices by the arming file."""
        for device in (known for known in self.site.devices if known.name in devices):
            arming.arm(self.data.armed, device, reason="test", user="test", utc_ns=self.clock.utc_ns())

    def command(self, path: str, value: Value, *, drive: bool = True, status: int = quality.GOOD) -> int:
        """Publishes the command of a tag; returns its version."""
        row = self.tags[f"{path}/command"].row
        now, utc = self.clock.monotonic_ns(), self.clock.utc_ns()
        self.control.put_value(row, value, status, utc, now, int(drive))
        return int(self.control.image.version[row])

    def force(self, table: dict[str, tuple[int, int]]) -> None:
        """Publishes the table of forces."""
        import orjson

        writer = SlotWriter.open(self.data.forces)
        writer.write(orjson.dumps(table))
        writer.close()

    def value(self, path: str) -> Any:
        """A tag's value now."""
        self._image.snapshot()
        tag = self.tags[path]
        return (
            self._image.text(tag.row)
            if tag.type == "string"
            else from_bits(tag.type, int(self._image.value[tag.row]))
        )

    def status(self, path: str) -> int:
        """A tag's status now."""
        self._image.snapshot()
        return int(self._image.status[self.tags[path].row])

    def beats(self) -> int:
        """Field's heartbeat."""
        return self._image.heartbeat

    def acted(self, path: str) -> tuple[int, int]:
        """(version, result) that field acted on."""
        self._image.snapshot()
        aux = int(self._image.aux[self.tags[path].row])
        return aux & (2**56 - 1), aux >> 56

    def until(self, path: str, value: Value, timeout_s: float = 8.0) -> None:
        """Waits until a tag is Good and has a value."""
        wait_for(
            lambda: self.status(path) == 0 and abs(self.value(path) - value) < 0.01,
            timeout_s,
            f"{path} == {value}",
        )

    def until_status(self, path: str, status: int, timeout_s: float = 8.0) -> None:
        """Waits until a tag has a status."""
        wait_for(lambda: self.status(path) == status, timeout_s, f"{path} {quality.name(status)}")

    def events(self) -> list[dict[str, Any]]:
        """New events of field."""
        import orjson

        return [orjson.loads(payload) for _, payload in self._events.read(1000)[0]]

    def close(self) -> int:
        """Stops field as the supervisor does; returns its exit code."""
        self._ended.set()
        self._beating.join(5)
        assert self.process is not None
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGTERM)
        try:
            return self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
            raise

    def _beat(self) -> None:
        while not self._ended.wait(0.05):
            if not self._frozen.is_set():
                self.control.beat()
