"""What breaks heals, and leaves the plant as it was: one plant for all of these."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterator
from functools import partial

import pytest

from scada.client import Client
from tags import quality
from tests.e2e.plant import DemoPlant, largest_step, number, other_process
from tests.support.wait import wait_for

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoPlant]:
    """What these tests write hardly moves the valve of the tank, which one of them watches."""
    with DemoPlant(tmp_path_factory.mktemp("demo")) as plant:
        yield plant


def test_an_unplugged_plc(plant: DemoPlant, client: Client) -> None:
    """Its values are Bad within 2 s, there is one alarm, the valve holds, and the return is bumpless."""
    wait_for(lambda: plant.all_good(client), 10, every_s=0.1)
    held = number(client, "tank1/LV-101/OUT/command")
    plant.inject("PLC1", "unplug")
    began = time.monotonic()

    def bad() -> bool:
        client.refresh()
        return quality.is_bad(client.read("tank1/LT-101").status)

    wait_for(bad, 5, "LT-101 is Bad")
    assert time.monotonic() - began < 2.0

    def alarms() -> list[str]:
        active = [a["path"] for a in plant.json("alarms", "list") if a["active"]]
        return [path for path in active if path.startswith(("tank1", "system/PLC1"))]

    assert wait_for(alarms, 5, every_s=0.5) == ["system/PLC1/COMMS"]
    client.refresh()
    assert client.read("ahu1/TT-201").good  # the others go on
    wait_for(
        lambda: plant.json("history", "tank1/LT-101", "--start=-10s")[-1]["quality"] == "BadNoCommunication",
        5,
        every_s=0.5,
    )
    plant.inject("PLC1", "plug")
    wait_for(lambda: plant.all_good(client), 10, "all Good again", every_s=0.1)
    assert largest_step(client, "tank1/LV-101/OUT/command", time.monotonic() + 3) < 2.0
    assert abs(number(client, "tank1/LV-101/OUT/command") - held) < 10.0
    assert not [a for a in plant.json("alarms", "list") if a["active"] and "COMMS" in a["path"]]


def test_each_frozen_service_is_replaced(plant: DemoPlant, client: Client) -> None:
    wait_for(lambda: plant.all_good(client), 10, every_s=0.1)
    for service in ("field", "control", "hmi"):
        first = plant.pid(service)
        os.kill(first, signal.SIGSTOP)
        wait_for(partial(other_process, plant, service, first), 15, f"{service} was replaced", every_s=0.1)
        wait_for(
            lambda: plant.all_good(client),
            15,
            f"all Good after {service}: {plant.not_good(client)}",
            every_s=0.1,
        )


def test_a_frozen_supervisor_stops_nothing(plant: DemoPlant, client: Client) -> None:
    wait_for(lambda: plant.all_good(client), 10, every_s=0.1)
    os.kill(plant.process.pid, signal.SIGSTOP)
    try:

        def said() -> bool:
            client.refresh()
            return any(s.name == "supervisor" and s.state == "not responding" for s in client.services())

        wait_for(said, 10, "somebody says that the supervisor does not respond")
        assert "confirmed" in plant.scada("write", "tank1/LIC-101/SP", "2.51")
    finally:
        os.kill(plant.process.pid, signal.SIGCONT)
    wait_for(lambda: plant.all_good(client), 10, every_s=0.1)


def test_disk_full_for_the_journal(plant: DemoPlant, client: Client) -> None:
    """The historian says so and goes on; control does not notice; it heals when there is room again."""
    wait_for(lambda: plant.all_good(client), 10, every_s=0.1)
    historian = plant.pid("historian")
    soft, hard = resource.prlimit(historian, resource.RLIMIT_FSIZE)
    scans = number(client, "system/control/scans")
    resource.prlimit(historian, resource.RLIMIT_FSIZE, (4096, hard))
    wait_for(
        lambda: number(client, "system/historian/ok") == 0, 15, "the historian says that it cannot write"
    )

    def alarmed() -> list[bool]:
        found = plant.json("alarms", "list")
        return [a["active"] for a in found if a["path"] == "system/historian/FAILED"]

    wait_for(lambda: alarmed() == [True], 15, "an alarm says so", every_s=0.5)
    assert "confirmed" in plant.scada("write", "tank1/LIC-101/SP", "2.53125")
    assert number(client, "system/control/scans") > scans
    assert plant.pid("historian") == historian
    resource.prlimit(historian, resource.RLIMIT_FSIZE, (soft, hard))
    wait_for(lambda: number(client, "system/historian/ok") == 1, 30, "it writes again")
    wait_for(
        lambda: alarmed() == [False], 15, "the alarm is over, and waits for somebody to see it", every_s=0.5
    )
    rows = wait_for(
        lambda: [
            r for r in plant.json("history", "tank1/LIC-101/SP", "--start=-5min") if r["value"] == 2.53125
        ],
        10,
        every_s=0.5,
    )
    assert rows  # nothing of the outage is missing
