"""One device's loop on real sockets: what it says of itself and of the age of its values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scada.field.poller import CONNECTED, NOT_CONNECTED, SLOW
from tags import quality
from tests.field.plc import Plc, plc
from tests.field.rig import SCAN_NS, Rig
from tests.support.wait import until

TIMEOUT_NS = 400_000_000


@pytest.fixture
def device() -> Iterator[Plc]:
    with plc() as made:
        made.set("holding", 0, 7)
        yield made


@pytest.fixture
def one(device: Plc, tmp_path: Path) -> Rig:
    settings = {"endpoint": f"tcp://127.0.0.1:{device.port}", "timeout": "400 ms"}
    return Rig(tmp_path / "run", settings, [{"address": "holding/0", "type": "int16"}])


async def test_what_is_old_says_so_in_time_and_is_good_again(device: Plc, one: Rig) -> None:
    async with one.running():
        await until(lambda: one.status(0) == quality.GOOD, "read")
        device.memory.slow_s = 0.3  # less than the time-out: it still answers
        read = one.clock.monotonic_ns()
        one.poller.look_at_age(read + SCAN_NS // 2)
        assert one.status(0) == quality.GOOD
        one.poller.look_at_age(read + SCAN_NS * 3 // 2 + TIMEOUT_NS)
        assert (one.status(0), one.value(0)) == (quality.UNCERTAIN_LAST_USABLE, 7)
        await until(lambda: one.status(0) == quality.GOOD, "the next reply")


async def test_slow_then_gone_then_back(device: Plc, one: Rig) -> None:
    def state() -> object:
        return one.poller.health(one.clock.monotonic_ns())["state"]

    assert state() is None, "not asked yet"
    async with one.running():
        await until(lambda: state() == CONNECTED, "connected")
        device.memory.slow_s = 0.1
        await until(lambda: state() == SLOW, "it takes twice its period")
        asked, achieved = (
            one.poller.health(one.clock.monotonic_ns())[key] for key in ("period_asked", "period_achieved")
        )
        assert asked == SCAN_NS / 1e9
        assert 1.25 * SCAN_NS / 1e9 < float(str(achieved)) < 30  # the machine may be slow, too
        device.kill()
        await until(lambda: state() == NOT_CONNECTED, "gone")
        assert one.status(0) == quality.BAD_NO_COMMUNICATION
        device.memory.slow_s = 0.0
        device.start()
        await until(lambda: state() == CONNECTED, "back, and as fast as asked")
        await until(lambda: one.status(0) == quality.GOOD, "read")


async def test_why_there_is_no_connection_is_told(device: Plc, one: Rig) -> None:
    device.kill()
    async with one.running():
        await until(lambda: any(e.get("state") == "not connected" for e in one.events), "an event")
        [event] = [e for e in one.events if e.get("state") == "not connected"]
        assert event["reason"] not in ("", "None")
        health = one.poller.health(one.clock.monotonic_ns() + 9_000_000_000)
        assert health["errors_connect"]
        assert (health["connected"], health["state"]) == (False, NOT_CONNECTED)
        assert health["latency_p50"] is health["latency_p99"] is health["period_achieved"] is None, "none yet"
        assert float(str(health["good_age"])) > 9  # none is no fresh one
