"""A plant whose other services are played by the test: real image, ring and event files, and a real hmi process over them."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from scada.datadir import DataDir
from scada.users import Users
from tags.model import Display, Site, dump
from tags.publish import Publisher, create_files
from tags.types import STRING, Value
from tests.support.site import make_site
from tests.support.wait import wait_for

PASSWORD = "correct horse battery"
Answer = Callable[["Plant", dict[str, Any]], list[dict[str, Any]]]

DRAWING = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 400" role="img" aria-labelledby="t">
  <title id="t">Tank 1</title>
  <rect class="panel" x="8" y="8" width="704" height="384" rx="6"/>
  <text class="t-title" x="28" y="42">Tank 1</text>
  <path class="pipe" d="M40 140 H240 M360 250 H520"/>
  <g class="symbol" data-symbol="tank" data-tag="tank1/LT-101"><path class="equipment" d="M240 110 H360 V290 Q300 310 240 290 Z"/></g>
  <g transform="translate(320 120)"><rect class="glass" width="20" height="160"/>
    <rect id="level" class="bar-fill" width="20" height="160" data-tag="tank1/LT-101" data-show="bar"/>
    <g class="marker" transform="translate(20 160)"><path id="sp" data-tag="tank1/LIC-101/SP" data-show="marker" data-low="0" data-high="5" style="--travel: 160" d="M0 0 L14 -8 V8 Z"/></g></g>
  <g id="valve" class="symbol" transform="translate(120 140)" data-symbol="valve" data-tag="tank1/LV-101/POS" data-show="position" data-mode="tank1/LIC-101/MODE" data-remote="tank1/LV-101/REM">
    <path class="body" d="M-22 -13 L22 13 V-13 L-22 13 Z"/>
    <g class="badge badge-local" transform="translate(-35 -60)"><rect width="22" height="22" rx="3"/><text x="11" y="17" text-anchor="middle">L</text></g>
    <g class="badge badge-manual" transform="translate(-11 -60)"><rect width="22" height="22" rx="3"/><text x="11" y="17" text-anchor="middle">M</text></g>
  </g>
  <g id="pump" class="symbol" transform="translate(520 250)" data-symbol="pump" data-tag="tank1/P-101/RUN" data-show="state"><circle class="body" r="26"/><path class="mark" d="M-9 -14 L16 0 L-9 14 Z"/></g>
  <g id="level-reading" class="reading" transform="translate(400 110)"><rect class="plate" width="120" height="52" rx="4"/><text class="t-label" x="8" y="18">Level</text>
    <text class="t-value" x="112" y="42" text-anchor="end" data-tag="tank1/LT-101">-</text></g>
  <g id="sp-reading" class="reading" transform="translate(540 110)"><rect class="plate" width="120" height="52" rx="4"/><text class="t-label" x="8" y="18">Set point</text>
    <text class="t-value" x="112" y="42" text-anchor="end" data-tag="tank1/LIC-101/SP">-</text></g>
  <script>document.title = "owned"</script><a href="https://example.com/"><text x="28" y="380" onclick="alert(1)">Drawn by hand</text></a>
</svg>"""


def make_displayed_site(**overrides: Any) -> Site:
    """The small site with two displays, on an ephemeral port."""
    bound = ("tank1/LT-101", "tank1/LIC-101/SP", "tank1/LV-101/POS", "tank1/P-101/RUN")
    displays = (
        Display(name="overview", title="Small plant", svg=DRAWING, tags=bound, level=1),
        Display(name="tank1", title="Tank 1", svg=DRAWING, tags=bound, level=2),
    )
    return dataclasses.replace(make_site(), **{"hmi_port": 0, "displays": displays, **overrides})


class Plant:
    """All services but the hmi, played from here; `alive` keeps them beating and their values fresh."""

    def __init__(self, root: Path, site: Site | None = None) -> None:
        self.site = site or make_displayed_site()
        self.tags = self.site.by_path()
        self.data = DataDir(root)
        self.data.create()
        create_files(self.data.run, self.site, epoch=1)
        self.data.site_json.write_bytes(dump(self.site))
        self.users = Users(self.data.users)
        names = {*self.site.services, *self.site.writers()} - {"hmi"}
        self.publishers = {
            name: Publisher(self.data.run, name, self.site.of_writer(name), 1) for name in sorted(names)
        }
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.frozen: set[str] = set()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self.first_values()
        self._thread.start()
        self.control: Control | None = None

    def first_values(self) -> None:
        for path, tag in self.tags.items():
            if tag.writer != "hmi":
                start: Value = "" if tag.type == STRING else tag.type == "bool" and "P-101" not in path
                self.put(path, tag.initial if tag.initial is not None else start)
        for path, value in {
            "tank1/LT-101": 2.5, "tank1/LV-101/OUT": 40.0, "tank1/LV-101/OUT/command": 40.0, "tank1/LV-101/POS": 40.0,
            "tank1/LIC-101/MODE": 2, "system/PLC1/period_asked": 0.1, "system/PLC1/period_achieved": 0.1,
        }.items():  # fmt: skip
            if path in self.tags:
                self.put(path, value)
        for service in self.site.services:
            if f"system/supervisor/{service}" in self.tags:
                self.put(f"system/supervisor/{service}", 2)

    def put(self, path: str, value: Value, status: int = 0) -> None:
        tag = self.tags[path]
        with self._lock:
            self.publishers[tag.writer].put_value(tag.row, value, status, time.time_ns(), time.monotonic_ns())

    def event(self, kind: str, writer: str = "control", **fields: Any) -> None:
        with self._lock:
            self.publishers[writer].event(kind, time.time_ns(), **fields)

    def alarm(self, path: str, bits: int, **more: Any) -> None:
        before = self.value(path)
        self.put(path, bits)
        fields: dict[str, Any] = {"path": path, "from": before, "to": bits, **more}
        self.event("alarm", **fields)

    def value(self, path: str) -> int:
        tag = self.tags[path]
        return int(self.publishers[tag.writer].image.value[tag.row])

    def _live(self) -> None:
        while not self._stop.wait(0.15):
            with self._lock:
                for name, publisher in self.publishers.items():
                    if name in self.frozen:
                        continue
                    publisher.beat()
                    if name == "field":
                        image, all_rows = publisher.image, slice(None)
                        publisher.put(
                            all_rows,
                            image.value.copy(),
                            image.status.copy(),
                            time.time_ns(),
                            time.monotonic_ns(),
                        )

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        if self.control:
            self.control.close()
        for publisher in self.publishers.values():
            publisher.close()


class Control:
    """The control end of the request socket: answers each request with the outcomes that `answer` gives."""

    def __init__(self, plant: Plant, answer: Answer) -> None:
        self.plant, self.answer = plant, answer
        self.requests: list[dict[str, Any]] = []
        self._stop = threading.Event()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(plant.data.control_socket.resolve()))
        self._socket.settimeout(0.05)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        plant.control = self

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                payload, address = self._socket.recvfrom(65536)
            except TimeoutError:
                continue
            request = orjson.loads(payload)
            self.requests.append(request)
            told = {key: request[key] for key in ("id", "user", "source", "role", "reason", "items")}
            for outcome in self.answer(self.plant, request):
                self.plant.event("request", request=request["kind"], **{"old": [], **told, **outcome})
            if address:
                self._socket.sendto(b"", address)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()
        self.plant.data.control_socket.unlink(missing_ok=True)


BITS = {"acknowledge": -2, "shelve": 8, "unshelve": -8, "comment": 0, "remove": 16, "return": -16}


def obey(plant: Plant, request: dict[str, Any]) -> list[dict[str, Any]]:
    """Does as asked: writes go into the image, alarms get or lose their bit."""
    kind = request["kind"]
    for path, value in request["items"]:
        if kind in BITS:
            bits = plant.value(path) | BITS[kind] if BITS[kind] > 0 else plant.value(path) & ~-BITS[kind]
            said = {"action": kind, "user": request["user"], "comment": request["reason"]}
            plant.alarm(path, bits, until=time.time_ns() + request.get("for_ns", 0), **said)
        if request["kind"] == "write":
            plant.put(path, value)
    return [{"status": status, "reasons": []} for status in ("accepted", "sent", "confirmed")]


class Hmi:
    """A real hmi process."""

    def __init__(self, plant: Plant, epoch: int = 1) -> None:
        self.plant = plant
        self._log = (plant.data.root / f"hmi-{epoch}.log").open("w+")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "hmi",
                "--data",
                str(plant.data.root),
                "--name",
                "hmi",
                "--epoch",
                str(epoch),
            ],
            stderr=self._log,
            env={**os.environ, "PYTHONWARNINGS": "default"},
        )

    def url(self) -> str:
        def listening() -> str | None:
            assert self.process.poll() is None, self.log()
            lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
            return next((line["url"] for line in lines if "url" in line), None)

        found = wait_for(listening, 40, "the hmi listens")
        assert found
        return found

    def log(self) -> str:
        return Path(self._log.name).read_text()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> int:
        if self.process.poll() is None:
            self.thaw()
            self.process.terminate()
        try:
            return self.process.wait(10)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self._log.close()
