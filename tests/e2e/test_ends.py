"""Processes that end: one of the plant's, the supervisor, all of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from scada.client import Client
from tests.e2e.plant import SERVICES, DemoPlant, other_process
from tests.support.wait import wait_for

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoPlant]:
    with DemoPlant(tmp_path_factory.mktemp("demo")) as plant:
        yield plant


@pytest.fixture
def plant(started: DemoPlant) -> DemoPlant:
    """The same for all, started again when the test before has ended it."""
    if started.process.poll() is not None:
        started.start()
    return started


def test_each_killed_service_is_back_within_seconds(plant: DemoPlant, client: Client) -> None:
    wait_for(lambda: plant.all_good(client), 10, every_s=0.1)
    for service in SERVICES:
        first = plant.pid(service)
        os.kill(first, signal.SIGKILL)
        wait_for(
            partial(other_process, plant, service, first), 10, f"{service} was started again", every_s=0.1
        )
        wait_for(
            lambda: plant.all_good(client),
            15,
            f"all Good after {service}: {plant.not_good(client)}",
            every_s=0.1,
        )
    told = wait_for(
        lambda: {e.get("name") for e in client.events(0, 1 << 62, ["service"])} >= set(SERVICES), 10
    )
    assert told, "each restart is an event"


def test_a_killed_supervisor_takes_its_services_along_and_the_plant_starts_again(plant: DemoPlant) -> None:
    pids = [plant.pid(service) for service in SERVICES]
    plant.kill()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 5, "the services ended too")
    plant.start()
    with plant.client() as client:
        wait_for(lambda: plant.all_good(client), 10, every_s=0.1)


def test_ctrl_c_stops_everything_cleanly(plant: DemoPlant) -> None:
    pids = [plant.pid(service) for service in SERVICES]
    assert plant.stop() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert "Traceback" not in plant.output
