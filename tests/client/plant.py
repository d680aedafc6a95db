"""A plant without services: real image, ring and slot files, written by the test, and a real datagram responder."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from scada.clock import SimulatedClock
from scada.datadir import DataDir
from tags.events import EventWriter
from tags.image import ImageWriter
from tags.model import Site, dump
from tags.ring import RingWriter
from tags.slots import SlotWriter
from tags.types import STRING, Value, to_bits
from tests.support.site import make_site

SECOND = 1_000_000_000


class Plant:
    """All writers of a site played by the test."""

    def __init__(self, root: Path, site: Site | None = None) -> None:
        self.site = site or make_site()
        self.tags = self.site.by_path()
        self.data = DataDir(root)
        self.data.create()
        self.clock = SimulatedClock(monotonic_ns=1000 * SECOND)
        self.counter = 0
        self.make()

    def make(self, epoch: int = 1) -> None:
        """Files as the supervisor makes them; anew when called again."""
        self.images: dict[str, ImageWriter] = {}
        self.events: dict[str, EventWriter] = {}
        for writer in self.site.writers():
            tags = self.site.of_writer(writer)
            strings = [tag.row for tag in tags if tag.type == STRING]
            self.images[writer] = ImageWriter.create(self.data.image(writer), len(tags), strings, epoch)
            RingWriter.create(self.data.ring(writer), 4096, epoch).close()
            self.events[writer] = EventWriter.create(self.data.events(writer), 1 << 18, epoch)
        self.forces = SlotWriter.create(self.data.forces, 1 << 16)
        fresh = self.data.site_json.with_suffix(".new")
        fresh.write_bytes(dump(self.site))
        fresh.rename(self.data.site_json)

    def put(self, path: str, value: Value, status: int = 0, source_ns: int | None = None) -> None:
        tag = self.tags[path]
        self.counter += 1
        image = self.images[tag.writer]
        text = {tag.row: value} if isinstance(value, str) else None
        bits = self.counter if isinstance(value, str) else to_bits(tag.type, value)
        image.publish(
            slice(tag.row, tag.row + 1),
            bits,
            status,
            self.clock.utc_ns() if source_ns is None else source_ns,
            self.clock.monotonic_ns(),
            version=(1 << 32) | self.counter,
            texts=text,
        )

    def event(self, kind: str, writer: str = "control", **fields: Any) -> None:
        self.events[writer].append(orjson.dumps({"kind": kind, "t": self.clock.utc_ns(), **fields}))

    def alarm_event(self, path: str, before: int, after: int) -> None:
        fields: dict[str, Any] = {"path": path, "from": before, "to": after}
        self.event("alarm", **fields)

    def beat(self, *but: str) -> None:
        for writer, image in self.images.items():
            if writer not in but:
                image.beat()

    def close(self) -> None:
        parts: list[Any] = [*self.images.values(), *self.events.values(), self.forces]
        for part in parts:
            part.close()


class Responder:
    """The control end of the request socket: answers each request with the outcomes that `answer` gives."""

    def __init__(self, plant: Plant, answer: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> None:
        self.requests: list[dict[str, Any]] = []
        self._plant, self._answer = plant, answer
        self._stop = threading.Event()
        self.doorbell = True
        path = str(plant.data.control_socket.resolve())
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path)
        self._socket.settimeout(0.05)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                payload, address = self._socket.recvfrom(65536)
            except TimeoutError:
                continue
            request = orjson.loads(payload)
            self.requests.append(request)
            for outcome in self._answer(request):
                items = request["items"]
                self._plant.event(
                    "request", id=request["id"], request=request["kind"], items=items, **outcome
                )
            if address and self.doorbell:
                with contextlib.suppress(OSError):  # it has seen the outcome and is gone
                    self._socket.sendto(b"", address)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()
        self._plant.data.control_socket.unlink(missing_ok=True)


def answers(
    *statuses: str, reasons: tuple[str, ...] = ()
) -> Callable[[dict[str, Any]], list[dict[str, Any]]]:
    """An `answer` that always gives the same statuses."""
    return lambda _: [{"status": status, "reasons": list(reasons), "old": [2.5]} for status in statuses]
