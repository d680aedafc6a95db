"""A plant's files with all its writers, played by the test; real rings, no services."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from scada.clock import SimulatedClock
from scada.datadir import DataDir
from tags.model import History, Site, dump
from tags.publish import Publisher, create_files
from tags.types import Value
from tests.support.site import make_site

SECOND = 1_000_000_000


def site_with(**histories: History) -> Site:
    """The small site with other history settings; `tank1_LT_101` means `tank1/LT-101`."""
    site = make_site()
    return dataclasses.replace(
        site,
        tags=tuple(
            dataclasses.replace(
                tag, history=histories.get(tag.path.replace("/", "_").replace("-", "_"), tag.history)
            )
            for tag in site.tags
        ),
    )


class Plant:
    def __init__(self, root: Path, site: Site | None = None) -> None:
        self.site = site or make_site()
        self.tags = self.site.by_path()
        self.data = DataDir(root)
        self.data.create()
        self.clock = SimulatedClock(monotonic_ns=1000 * SECOND)
        self.epoch = 0
        self.publishers: dict[str, Publisher] = {}
        self.start()

    def start(self) -> None:
        """As the supervisor starts a plant."""
        self.epoch += 1
        create_files(self.data.run, self.site, self.epoch)
        self.data.site_json.unlink(missing_ok=True)
        self.data.site_json.write_bytes(dump(self.site))
        for writer in self.site.writers():
            self.start_service(writer)

    def start_service(self, writer: str) -> None:
        self.epoch += 1
        self.publishers[writer] = Publisher(
            self.data.run,
            writer,
            self.site.of_writer(writer),
            self.epoch,
            utc_ns=self.clock.utc_ns(),
            now_ns=self.clock.monotonic_ns(),
        )

    def stop(self) -> None:
        for publisher in self.publishers.values():
            publisher.close()
        self.publishers.clear()

    def id(self, path: str) -> int:
        return self.tags[path].id

    def put(
        self, path: str, value: Value, status: int = 0, *, source_ns: int | None = None, after_s: float = 1.0
    ) -> int:
        """Publishes a value some time after the last; returns its source time."""
        self.clock.advance(int(after_s * SECOND))
        tag = self.tags[path]
        t = self.clock.utc_ns() if source_ns is None else source_ns
        self.publishers[tag.writer].put_value(tag.row, value, status, t, self.clock.monotonic_ns())
        return t

    def event(self, kind: str, writer: str = "control", **fields: Any) -> None:
        self.publishers[writer].event(kind, self.clock.utc_ns(), **fields)
