"""The forwarding service as the process that it is, beside a historian's process."""

from __future__ import annotations

import dataclasses
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scada.clock import SystemClock
from scada.datadir import DataDir
from scada.supervisor.run import make_plans
from tags.image import ImageReader
from tags.model import Site, Tag
from tags.site import system
from tags.types import from_bits
from tests.historian.plant import Plant
from tests.sinks.faults import FaultServer
from tests.sinks.rig import make_sink, values
from tests.support.site import make_site
from tests.support.wait import wait_for


def with_sink(url: str) -> Site:
    site = make_site()
    made = [tag for tag in system.tags(("forward",), (), False, ("db",)) if tag.writer == "forward"]
    first = max(tag.id for tag in site.tags) + 1
    tags: list[Tag] = [dataclasses.replace(tag, id=first + row, row=row) for row, tag in enumerate(made)]
    sinks = (make_sink(url, tags=("tank1/LT-101",)),)
    return dataclasses.replace(
        site, tags=(*site.tags, *tags), services=(*site.services, "forward"), sinks=sinks
    )


class Running:
    """Both services over a plant that the test plays."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        plant.clock = SystemClock()  # type: ignore[assignment]
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.image = ImageReader(plant.data.image("forward"))
        for name, module in (("historian", "historian"), ("forward", "historian.sinks")):
            plant.publishers.pop(name).close()
            self.start(name, module)

    def start(self, name: str, module: str) -> None:
        self.plant.epoch += 1
        command = [sys.executable, "-m", module, "--data", str(self.plant.data.root), "--name", name]
        self.children[name] = subprocess.Popen([*command, "--epoch", str(self.plant.epoch)])

    def put(self, value: float) -> None:
        tag = self.plant.tags["tank1/LT-101"]
        clock = self.plant.clock
        self.plant.publishers["field"].put_value(tag.row, value, 0, clock.utc_ns(), clock.monotonic_ns())

    def health(self, key: str) -> Any:
        tag = self.plant.tags[f"system/forward/db_{key}"]
        self.image.snapshot()
        return from_bits(tag.type, int(self.image.value[tag.row]))

    def kill(self) -> None:
        for child in self.children.values():
            child.kill()
            child.wait()


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def running(tmp_path: Path, server: FaultServer) -> Iterator[Running]:
    plant = Plant(tmp_path / "data", with_sink(server.url))
    running = Running(plant)
    yield running
    running.kill()
    plant.stop()
    shutil.rmtree(plant.data.run.resolve())


def test_it_follows_through_an_outage_and_a_kill(running: Running, server: FaultServer) -> None:
    running.put(1.0)
    wait_for(lambda: 1.0 in values(server.lines), 30.0, "the first sample")
    wait_for(lambda: running.health("ok"))
    beat = running.image.heartbeat
    wait_for(lambda: running.image.heartbeat >= beat + 2, 3.0)
    server.answers = [503] * 1000
    running.put(2.0)
    wait_for(lambda: not running.health("ok"))
    running.children["forward"].kill()
    running.children["forward"].wait()
    running.put(3.0)
    server.answers = []
    running.start("forward", "historian.sinks")
    wait_for(lambda: 3.0 in values(server.lines), 30.0, "the last sample")
    seen = [value for value in values(server.lines) if value]
    assert sorted(set(seen)) == list(dict.fromkeys(seen)) == [1.0, 2.0, 3.0]
    running.children["forward"].send_signal(signal.SIGTERM)
    assert running.children["forward"].wait(5) == 0


def test_a_request_that_hangs_does_not_hold_its_end(running: Running, server: FaultServer) -> None:
    server.answers = ["slow"] * 10
    running.put(1.0)
    wait_for(lambda: any(path.startswith("/write") for path, _ in server.requests), 30.0)
    running.children["forward"].send_signal(signal.SIGTERM)
    assert running.children["forward"].wait(2) == 0


def test_the_supervisor_runs_it_only_where_there_are_sinks(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    plans = {plan.name: plan for plan in make_plans(with_sink("http://127.0.0.1:1"), data)}
    assert plans["forward"].command[1:3] == ["-m", "historian.sinks"]
    assert "forward" not in {plan.name for plan in make_plans(make_site(), data)}
