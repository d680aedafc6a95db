"""Half of the devices die, each in its own way: the others do not notice, and who is back is read within two seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tags import quality
from tests.field.crowd import Crowd, crowd, way
from tests.field.running import Plant
from tests.support.wait import wait_for

DEVICES, DEAD = 100, 48
BUSY_S = 1.0  # the machine has other things to do


def good(plant: Plant) -> list[bool]:
    """Which devices are read."""
    plant.image.snapshot()
    return [plant.image.status[plant.tags[f"d{n}/u/0"].row] == quality.GOOD for n in range(DEVICES)]


def judge(devices: Crowd, polls: int) -> None:
    """The living are polled each second, whatever becomes of the others."""
    wait_for(lambda: devices.say("count") >= polls, 30, "polls")
    found = devices.say("report")
    gaps = found["gaps_ms"]
    assert found["quiet_s"] < 1.0 + 2 * BUSY_S
    # who waits for a dead one does so again and again; the pauses that the machine makes are few
    assert gaps[len(gaps) * 95 // 100] < 1500, gaps[-10:]
    assert 900 < sum(gaps) / len(gaps) < 1100


@pytest.mark.slow
def test_the_living_stay_on_period_and_the_dead_come_back(tmp_path: Path) -> None:
    with crowd(DEVICES, DEAD) as devices:
        plant = Plant(tmp_path / "data", devices.site(timeout="500 ms"))
        try:
            wait_for(lambda: all(good(plant)), 20, "all are read")
            devices.say("die")
            wait_for(
                lambda: good(plant) == [not way(n, DEAD) for n in range(DEVICES)], 10, "the dead are Bad"
            )
            for n in range(DEAD):
                plant.until_status(f"d{n}/u/9", quality.BAD_NO_COMMUNICATION)
            judge(devices, 6 * (DEVICES - DEAD))
            assert good(plant) == [not way(n, DEAD) for n in range(DEVICES)]
            devices.say("back")
            wait_for(lambda: all(good(plant)), 2 + 2 * BUSY_S, "all are read again")
            back = devices.say("report")["back_s"]
            assert min(back) >= 0
            assert max(back) <= 2 + BUSY_S
            judge(devices, 4 * DEVICES)
        finally:
            assert plant.close() == 0
