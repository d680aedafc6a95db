"""What waits for its turn on a connection that others share: writes are looked at again, and wait for no poll."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scada.field import commands
from scada.field.modbus.turns import HEARTBEAT, POLL, WRITE, Turns
from tests.field.plc import Plc, plc
from tests.field.rig import Rig, output
from tests.support.wait import until

MS = 1_000_000
PERIOD = 20 * MS


@pytest.fixture
def device() -> Iterator[Plc]:
    with plc() as made:
        yield made


def rig(folder: Path, device: Plc, **more: Any) -> Rig:
    tags = [
        output("coil/1", "bool", scan_ns=PERIOD),
        output("holding/10", "int16", scan_ns=PERIOD),
        output("holding/11", "int16", scan_ns=PERIOD, states={"0": "off", "1": "on"}),
    ]
    return Rig(
        folder / "run", {"endpoint": f"tcp://127.0.0.1:{device.port}", "timeout": "300 ms"}, tags, **more
    )


def turns_of(one: Rig) -> Turns:
    """Of the connection, which another device could share."""
    link: Any = one.poller.session.link
    turns: Turns = link._bus.turns
    return turns


async def hold(turns: Turns) -> None:
    """Another device has its turn."""
    if not turns.take_now(WRITE):
        await turns.wait(WRITE, 0)


def waits(turns: Turns, urgency: int) -> bool:
    """Whether somebody waits for his turn."""
    return any(not place.done() for _, _, place in turns._waiting[urgency])


async def pass_by(one: Rig, ms: int) -> None:
    """Time that a write waits."""
    end = one.clock.monotonic_ns() + ms * MS
    await until(lambda: one.clock.monotonic_ns() > end, "time goes by")


def disarm(one: Rig) -> None:
    one.poller.arm(False)


def take_back(one: Rig) -> None:
    one.command({0: True, 1: 7, 2: 1}, drive=False)


def reverse(one: Rig) -> None:
    one.command({0: False, 1: 0, 2: 0})


@pytest.mark.parametrize("change", [disarm, take_back, reverse])
@pytest.mark.parametrize("row", [0, 1, 2])
async def test_what_was_taken_back_while_it_waited_is_not_written(
    device: Plc, tmp_path: Path, change: Callable[[Rig], None], row: int
) -> None:
    one = rig(tmp_path, device)
    async with one.running():
        await until(lambda: one.status(row) == 0, "it was read")
        turns = turns_of(one)
        await hold(turns)
        one.command({row: (True, 7, 1)[row]})
        await until(lambda: waits(turns, WRITE), "the write waits")
        await pass_by(one, 2)
        change(one)
        turns.give()
        reads = device.memory.reads
        await until(lambda: device.memory.reads > reads + 2, "it is polled again")
        if change is reverse and row == 1:
            return  # a quantity that moves: the newest follows at once
        assert device.memory.writes == []
        assert one.events == [] or all(event["kind"] != "write" for event in one.events)


async def test_what_waited_beyond_its_deadline_is_not_written(device: Plc, tmp_path: Path) -> None:
    one = rig(tmp_path, device)
    async with one.running():
        await until(lambda: one.status(0) == 0, "it was read")
        turns = turns_of(one)
        await hold(turns)
        one.command({0: True}, within_ns=30 * MS)
        await until(lambda: waits(turns, WRITE), "the write waits")
        await pass_by(one, 40)
        turns.give()
        reads = device.memory.reads
        await until(lambda: device.memory.reads > reads + 2, "it is polled again")
        assert device.memory.writes == []


async def test_what_is_still_wanted_is_written_however_long_it_waited(device: Plc, tmp_path: Path) -> None:
    one = rig(tmp_path, device)
    async with one.running():
        await until(lambda: one.status(2) == 0, "it was read")
        turns = turns_of(one)
        await hold(turns)
        one.command({0: True, 1: 7, 2: 1})
        await until(lambda: waits(turns, WRITE), "the write waits")
        await pass_by(one, 40)
        one.command({1: 8})  # a controller's output moves all the time
        turns.give()
        await until(lambda: [one.result(row) for row in range(3)] == [commands.OK] * 3, "all is written")
        await until(lambda: one.value(1) == 8, "the newest is written")


async def test_a_heartbeat_that_waits_is_not_written_to_a_disarmed_device(
    device: Plc, tmp_path: Path
) -> None:
    beat = {"address": {"table": "holding", "offset": 50, "bit": None, "count": 1, "type": "uint16"}}
    one = rig(tmp_path, device, heartbeat={**beat, "every_ns": 10 * MS})
    async with one.running():
        turns = turns_of(one)
        one.look()
        await until(lambda: len(device.memory.writes) > 3, "the heart beats")
        while True:  # a write, not the reading back before it
            await hold(turns)
            await until(lambda: waits(turns, HEARTBEAT) or waits(turns, POLL), "somebody waits")
            if waits(turns, HEARTBEAT):
                break
            turns.give()
        one.poller.arm(False)
        written = len(device.memory.writes)
        turns.give()
        reads = device.memory.reads
        await until(lambda: device.memory.reads > reads + 4, "it is polled again")
        assert len(device.memory.writes) == written


async def test_a_write_waits_for_no_poll_of_its_own_device(device: Plc, tmp_path: Path) -> None:
    one = rig(tmp_path, device)
    async with one.running():
        await until(lambda: one.status(0) == 0, "it was read")
        turns = turns_of(one)
        await hold(turns)
        await until(lambda: waits(turns, POLL), "a poll waits")
        other = asyncio.create_task(turns.wait(POLL, 0))  # of another device, and before it
        await asyncio.sleep(0)
        one.command({0: True})
        await until(lambda: waits(turns, WRITE), "the write waits instead of the poll")
        turns.give()
        await until(lambda: bool(device.memory.writes), "it is written")
        assert await other
        turns.give()
        await until(lambda: one.result(0) == commands.OK and one.value(0) is True, "and read back")
