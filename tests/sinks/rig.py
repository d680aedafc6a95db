"""A history and a worker over it, in the test's own thread."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np

from historian.sinks.influx import Influx
from historian.sinks.spool import Spool
from historian.sinks.worker import Worker
from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch, Text
from scada.clock import SimulatedClock
from tags.model import Sink, Site
from tags.types import to_bits
from tests.support.site import make_site

START = 1_750_000_000_000_000_000
LEVEL = "tank1/LT-101"


def make_sink(url: str, **other: Any) -> Sink:
    fields: dict[str, Any] = {
        "name": "db", "type": "influxdb", "url": url, "api": "v1", "org": "", "bucket": "plant",
        "measurement": "small", "keys": {"id": "path"}, "timeout_ns": 2_000_000_000,
        "history_ns": -1,
    }  # fmt: skip
    return Sink(**{**fields, **other})


class Rig:
    def __init__(self, folder: Path, sink: Sink, step_ns: int = 1000) -> None:
        self.folder, self.sink, self.step_ns = folder, sink, step_ns
        self.site: Site = dataclasses.replace(make_site(), sinks=(sink,))
        self.ids = {tag.path: tag.id for tag in self.site.tags}
        self.clock = SimulatedClock(utc_ns=START)
        self.store = SqliteStore.writer(folder)
        self.store.declare(self.site.tags)
        self.spool = Spool(folder, [sink.name], 0.1)
        self.said: list[tuple[str, str]] = []
        self.number = 0
        self.worker = self.make()

    def make(self) -> Worker:
        return Worker(
            self.sink, self.site, self.folder, self.clock, Influx(self.sink),
            lambda state, message: self.said.append((state, message)),
        )  # fmt: skip

    def restart(self) -> None:
        """As after kill -9: what was not on the disk is gone."""
        self.worker.close()
        self.worker = self.make()

    def commit(self, count: int = 1) -> None:
        """Commits samples 1 unit apart."""
        numbers = np.arange(self.number, self.number + count)
        rows = np.zeros(count, SAMPLE)
        rows["tag"] = self.ids[LEVEL]
        rows["t"] = START + numbers * self.step_ns
        rows["bits"] = [to_bits("float64", float(n)) for n in numbers]
        self.number += count
        self.store.append(Batch(rows))

    def commit_many(self, count: int) -> None:
        """Commits samples of three tags in turn, 1 step apart."""
        tags = np.array(
            [self.ids[LEVEL], self.ids["tank1/LV-101/POS"], self.ids["tank1/LV-101/OUT"]], np.uint32
        )
        numbers = np.arange(self.number, self.number + count)
        rows = np.zeros(count, SAMPLE)
        rows["tag"] = tags[numbers % len(tags)]
        rows["t"] = START + numbers * self.step_ns
        rows["bits"] = numbers.astype(np.float64).view(np.uint64)
        self.number += count
        self.store.append(Batch(rows))

    def note(self, text: str) -> None:
        self.store.append(Batch(texts=[Text(self.ids["tank1/note"], START, 0, text)]))

    def fold(self) -> None:
        self.store.fold(force=True, leaving=self.spool.take)

    def run(self, turns: int = 200) -> list[float]:
        """Turns until one wants to wait; the waits of the last."""
        for _ in range(turns):
            wait = self.worker.turn()
            if wait:
                return [wait]
        raise AssertionError("it never rests")

    def close(self) -> None:
        self.worker.close()
        self.store.close()
        self.spool.close()


def values(lines: list[str]) -> list[float]:
    """Of the lines that have a floating-point value."""
    return [float(found[1]) for line in lines if (found := re.search(r" v=([^, ]+)", line))]
