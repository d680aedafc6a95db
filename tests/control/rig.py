"""The control process for real: its files, and the field service's image written by the test itself."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import orjson

from scada.clock import SystemClock
from scada.datadir import DataDir
from tags import model
from tags.events import EventReader
from tags.image import ImageReader
from tags.model import Site
from tags.publish import Publisher, create_files
from tags.quality import GOOD
from tags.types import from_bits
from tests.scan.plant import ARMED, DAMPER, LEVEL, PANEL, PUMP, REMOTE, SPEED, VALVE, plant_site
from tests.support.wait import wait_for

CLOCK = SystemClock()


class Rig:
    """Control in its own process, a field service in this one."""

    def __init__(self, folder: Path, site: Site | None = None) -> None:
        self.site = site or plant_site()
        self.data = DataDir(folder / "data")
        self.data.create()
        self.data.site_json.write_bytes(model.dump(self.site))
        create_files(self.data.run, self.site, 1)
        self.tags = self.site.by_path()
        self.field = Publisher(self.data.run, "field", self.site.of_writer("field"), 1)
        self.image = ImageReader(self.data.image("control"))
        self.ring = EventReader(self.data.events("control"))
        self.registers: dict[str, Any] = {
            LEVEL: 2.0, VALVE: 30.0, "tank1/LV-101/POS": 30.0, REMOTE: True, PUMP: False, SPEED: 50.0,
            "tank1/P-101/RUN": False, PANEL: 20.0, DAMPER: False, ARMED: True, "system/PLC1/connected": True,
        }  # fmt: skip
        self.writes: list[tuple[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.process: subprocess.Popen[bytes] | None = None
        self.epoch = 1
        self.log = folder / "control.log"
        self.doorbell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.doorbell.bind(str(self.data.clients.resolve() / "test.sock"))
        self.doorbell.setblocking(False)
        self._acted: dict[str, int] = {}
        self._next_ns = 0

    def start(self, *flags: str, ready: bool = True) -> None:
        self.epoch += 1
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "scada.control", "--data", str(self.data.root), "--name", "control",
                 "--epoch", str(self.epoch), *flags],
                stderr=log,
            )  # fmt: skip
        if ready:
            self.until(lambda: self.image.ready and self.image.epoch == self.epoch, "control to be ready")

    def kill(self, number: int = signal.SIGKILL) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(10)
        self.process = None
        return code

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
        self.doorbell.close()
        self.field.close()
        self.image.close()
        self.ring.close()

    def until(self, condition: Any, what: str = "") -> Any:
        """Waits, and plays field meanwhile."""

        def once() -> Any:
            self.serve()
            return condition()

        return wait_for(once, 20.0, f"{what}; log: {self.log.read_text()[-2000:]}")

    def serve(self) -> None:
        """One cycle of field: takes up commands, publishes what it reads."""
        self.image.snapshot()
        while found := self.ring.read()[0]:
            self.events += [orjson.loads(payload) for _, payload in found]
        now = CLOCK.monotonic_ns()
        if now < self._next_ns:
            return
        self._next_ns = now + 50_000_000
        for path, tag in self.tags.items():
            if tag.command is not None and tag.kind == "device":
                self._act(path, self.tags[tag.command].row, pulse=tag.write is not None and tag.write.mode == "pulse",
                          once=tag.owner != "scada")  # fmt: skip
        rows = self.field.rows
        for path, value in self.registers.items():
            self.field.put_value(rows[path], value, GOOD, CLOCK.utc_ns(), now, self._acted.get(path))
        self.field.beat()

    def _act(self, path: str, row: int, *, pulse: bool, once: bool) -> None:
        image = self.image
        if image.status[row] >> 30 or not image.aux[row] & 1:
            return
        version = int(image.version[row]) & (2**56 - 1)
        value = from_bits(self.tags[path].type, int(image.value[row]))
        new = self._acted.get(path) != version
        if (once and new) or (not once and value != self.registers[path]):
            self.writes.append((path, value))
            if not pulse:
                self.registers[path] = value
        self._acted[path] = version

    def value(self, path: str) -> Any:
        """Of one of control's tags."""
        tag = self.tags[path]
        return from_bits(tag.type, int(self.image.value[tag.row]))

    def driven(self, path: str) -> bool:
        """The drive flag of a writable tag's command."""
        return bool(self.image.aux[self.tags[f"{path}/command"].row] & 1)

    def send(self, kind: str, *items: tuple[str, Any], **more: Any) -> str:
        """Sends a request; its id."""
        id_ = uuid.uuid4().hex
        body = {"id": id_, "kind": kind, "items": items, "source": "cli", "user": "anna", "role": "engineer",
                "reason": "test", **more}  # fmt: skip
        self.raw(orjson.dumps(body))
        return id_

    def raw(self, datagram: bytes) -> None:
        self.doorbell.sendto(datagram, os.path.realpath(self.data.control_socket))

    def outcome(self, id_: str) -> dict[str, Any]:
        """Waits for the outcome of a request."""

        def ended() -> Any:
            return next(
                (e for e in self.events if e.get("id") == id_ and e["status"] not in ("accepted", "sent")),
                None,
            )

        event: dict[str, Any] = self.until(ended, f"the outcome of {id_}")
        return event
