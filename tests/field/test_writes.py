"""Writing through the whole driver on real sockets: what goes in one request, and what devices know and refuse."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scada.field import commands
from tags import quality
from tags.model import OnLoss, Write
from tests.field.plc import Plc, plc
from tests.field.rig import Rig, output
from tests.support.wait import until

MS = 1_000_000


@pytest.fixture
def device() -> Iterator[Plc]:
    with plc() as made:
        yield made


def rig(folder: Path, device: Plc, *tags: dict[str, Any], heartbeat: Any = None, **config: Any) -> Rig:
    settings = {"endpoint": f"tcp://127.0.0.1:{device.port}", "timeout": "300 ms", **config}
    return Rig(folder / "run", settings, tags, heartbeat)


async def read(one: Rig) -> None:
    """Everything was read once."""
    await until(lambda: all(one.status(tag.row) == 0 for tag in one.tags), "all is read")


REGISTERS = [output(f"holding/{i}") for i in (11, 10, 13, 12, 20)]
COILS = [output(f"coil/{i}", "bool") for i in (5, 4, 6)]


async def test_outputs_side_by_side_go_in_one_request(device: Plc, tmp_path: Path) -> None:
    one = rig(tmp_path, device, *REGISTERS, *COILS)
    async with one.running():
        await read(one)
        one.command({row: row + 1 for row in range(5)} | {5: True, 6: True, 7: True})
        await until(lambda: all(one.result(row) == commands.OK for row in range(8)), "all are acted on")
        assert sorted(device.memory.writes) == [
            (6, 20, [5]),
            (15, 4, [1, 1, 1]),
            (16, 10, [2, 1, 4, 3]),
        ]
        await until(lambda: [one.value(row) for row in range(5)] == [1, 2, 3, 4, 5], "read back")
        one.command({0: 7})
        await until(lambda: one.value(0) == 7, "one alone")
        assert device.memory.writes[-1] == (6, 11, [7])


async def test_a_stop_goes_first_and_alone(device: Plc, tmp_path: Path) -> None:
    stop = output("coil/7", "bool", owner="plc", write=Write(mode="pulse", time_ns=100 * MS, stop=True),
                  on_loss=OnLoss(action="release"))  # fmt: skip
    one = rig(tmp_path, device, *COILS, stop)
    async with one.running():
        await read(one)
        one.command({3: False}, drive=False)
        one.command({0: True, 1: True, 2: True, 3: True})
        await until(lambda: len(device.memory.writes) == 3, "stop, outputs, release")
        assert device.memory.writes[:2] == [(5, 7, [1]), (15, 4, [1, 1, 1])]
        assert device.memory.writes[2] == (5, 7, [0])


async def test_what_a_device_does_not_take_together_is_written_alone(device: Plc, tmp_path: Path) -> None:
    """It does not know FC16, or one value of several is out of its range: only that one is refused."""
    device.memory.refuse_functions = {16: 1}
    one = rig(tmp_path, device, *REGISTERS)
    async with one.running():
        await read(one)
        one.command(dict.fromkeys(range(5), 3))
        await until(lambda: all(one.result(row) == commands.OK for row in range(5)), "each alone")
        assert {function for function, _, _ in device.memory.writes} == {6}
        device.memory.refuse_functions = {}
        one.command(dict.fromkeys(range(5), 4))
        await until(lambda: all(one.value(row) == 4 for row in range(5)), "read back")
        assert {function for function, _, _ in device.memory.writes} == {6}, "it is not tried again"


async def test_a_joined_write_that_is_refused_by_all_is_told_of_each(device: Plc, tmp_path: Path) -> None:
    device.memory.refuse_writes = 3
    one = rig(tmp_path, device, *REGISTERS)
    async with one.running():
        await read(one)
        one.command({0: 9, 1: 9})
        await until(lambda: one.result(0) == 3 and one.result(1) == 3, "exception 3")
        told = [(e["path"], e["result"]) for e in one.events if e["kind"] == "write"]
        assert sorted(told) == [("t/0", 3), ("t/1", 3)]


async def test_a_joined_write_whose_reply_is_lost_is_unknown_for_each_and_read_back(
    device: Plc, tmp_path: Path
) -> None:
    one = rig(tmp_path, device, *REGISTERS[:2])
    async with one.running():
        await read(one)
        device.memory.lose_replies = 1
        one.command({0: 9, 1: 9})
        await until(lambda: one.value(0) == one.value(1) == 9, "it had arrived")
        await until(lambda: one.result(0) == one.result(1) == commands.OK, "and is settled")
        assert device.memory.writes == [(16, 10, [9, 9])]
        told = [(e["path"], e["result"]) for e in one.events if e["kind"] == "write"]
        assert sorted(told) == [("t/0", commands.UNKNOWN), ("t/1", commands.UNKNOWN)]


@pytest.mark.parametrize("setting", ["single only", "word by word"])
async def test_a_device_that_knows_only_single_writes(device: Plc, tmp_path: Path, setting: str) -> None:
    device.memory.refuse_functions = {15: 1, 16: 1}
    tags = [*REGISTERS[:2], *COILS[:2]]
    if setting == "word by word":
        tags.append(output("holding/30", "int32"))
    one = rig(tmp_path, device, *tags, writes=setting)
    async with one.running():
        await read(one)
        one.command({0: 1, 1: 2, 2: True, 3: True} | ({4: 0x10002} if len(tags) == 5 else {}))
        await until(
            lambda: all(one.result(row) == commands.OK for row in range(len(tags))), "all are acted on"
        )
        assert {function for function, _, _ in device.memory.writes} == {5, 6}
        if len(tags) == 5:
            assert (device.get("holding", 30), device.get("holding", 31)) == (1, 2)
            await until(lambda: one.value(4) == 0x10002, "read back")


async def test_a_device_that_knows_only_multiple_writes(device: Plc, tmp_path: Path) -> None:
    """Its heartbeat too."""
    device.memory.refuse_functions = {5: 1, 6: 1}
    beat = {"address": {"table": "holding", "offset": 100, "bit": None, "count": 1, "type": "uint16"},
            "every_ns": 50 * MS}  # fmt: skip
    one = rig(tmp_path, device, REGISTERS[0], COILS[0], writes="multiple", heartbeat=beat)
    async with one.running():
        await read(one)
        one.command({0: 1, 1: True})
        await until(lambda: one.result(0) == one.result(1) == commands.OK, "acted on")
        await until(lambda: device.get("holding", 100) > 2, "heartbeat")
        assert {function for function, _, _ in device.memory.writes} == {15, 16}


@pytest.mark.parametrize("setting", ["mask", "read and write"])
async def test_bits_of_a_register_leave_the_others_alone(device: Plc, tmp_path: Path, setting: str) -> None:
    device.set("holding", 40, 0b1000_0000_0000_0100)
    tags = [output(f"holding/40.{bit}", "bool") for bit in (0, 2, 5)]
    one = rig(tmp_path, device, *tags, bit_writes=setting)
    if setting != "mask":
        device.memory.refuse_functions = {22: 1}
    async with one.running():
        await read(one)
        one.command({0: True, 1: False, 2: True})
        await until(lambda: all(one.result(row) == commands.OK for row in range(3)), "acted on")
        assert device.get("holding", 40) == 0b1000_0000_0010_0001
        assert len(device.memory.writes) == 1


async def test_a_device_without_mask_writes_refuses_bits_clearly(device: Plc, tmp_path: Path) -> None:
    """Nothing is read and written behind the PLC's back unless the site says so."""
    device.memory.refuse_functions = {22: 1}
    one = rig(tmp_path, device, output("holding/40.3", "bool"))
    async with one.running():
        await read(one)
        one.command({0: True})
        await until(lambda: one.result(0) == 1, "exception 1: it does not know the function")
        assert device.memory.writes == []


async def test_an_output_that_was_changed_in_a_short_break_is_uncertain_until_control_has_let_go(
    device: Plc, tmp_path: Path
) -> None:
    """The connection is back before anybody noticed, so that only field can tell control."""
    one = rig(tmp_path, device, output("holding/10"), output("coil/3", "bool"))
    async with one.running():
        await read(one)
        one.command({0: 40, 1: True})
        await until(lambda: one.value(0) == 40 and one.value(1) is True, "written")
        device.kill()
        device.set("holding", 10, 7)
        device.memory.writes.clear()
        device.start()
        await until(lambda: one.status(0) == quality.UNCERTAIN_LAST_USABLE, "control is told")
        assert one.value(0) == 7
        await until(lambda: one.status(1) == 0, "what was kept is Good")
        assert device.memory.writes == []
        one.command({0: 7}, drive=False)
        await until(lambda: one.status(0) == 0, "control has seen it")
        one.command({0: 8})
        await until(lambda: one.value(0) == 8, "and speaks anew")
        assert device.memory.writes == [(6, 10, [8])]
        assert [e["path"] for e in one.events if e.get("state") == "changed meanwhile"] == ["t/0"]


async def test_a_min_interval_and_a_dead_band_spare_the_memory_of_the_device(
    device: Plc, tmp_path: Path
) -> None:
    one = rig(
        tmp_path,
        device,
        output("holding/10", write=Write(min_interval_ns=400 * MS)),
        output("holding/12", write=Write(deadband=5.0)),
    )
    async with one.running():
        await read(one)
        loop = asyncio.get_running_loop()
        begin = loop.time()
        one.command({0: 1, 1: 3})
        await until(
            lambda: one.result(0) == one.result(1) == commands.OK, "the first at once, the second not at all"
        )
        one.command({0: 2})
        one.command({0: 3})
        await until(lambda: one.value(0) == 3, "the last one, later")
        assert loop.time() - begin >= 0.4
        assert device.memory.writes == [(6, 10, [1]), (6, 10, [3])]


async def test_nothing_is_written_to_a_device_that_is_not_armed(device: Plc, tmp_path: Path) -> None:
    one = rig(tmp_path, device, *REGISTERS)
    async with one.running(armed=False):
        await read(one)
        one.command(dict.fromkeys(range(5), 3))
        await until(lambda: one.result(0) == commands.NOT_ARMED, "told")
        polls = device.memory.reads + 4
        await until(lambda: device.memory.reads > polls, "polling goes on")
        assert device.memory.writes == []
        one.poller.arm(True)
        await until(lambda: one.value(0) == 3, "armed")
        assert (16, 10, [3, 3, 3, 3]) in device.memory.writes


async def test_a_read_back_that_was_on_its_way_does_not_undo_a_write(device: Plc, tmp_path: Path) -> None:
    """A poll of several requests goes on over a write: what it read before the write is older than the read-back."""
    tags = [output("holding/0"), *({"address": f"holding/{60 * i}", "type": "int16"} for i in range(1, 6))]
    one = rig(tmp_path, device, *tags, max_registers=10)
    device.memory.slow_s = 0.01
    async with one.running():
        await read(one)
        for value in range(1, 25):
            one.command({0: value})
            await until(lambda: one.result(0) == commands.OK, "written")
            assert one.value(0) in (value, value - 1)
        assert [words for _, _, words in device.memory.writes] == [[value] for value in range(1, 25)]


async def test_what_was_not_begun_by_its_deadline_is_not_done(device: Plc, tmp_path: Path) -> None:
    """The device was away meanwhile; a command without an end is done when it is back."""
    one = rig(tmp_path, device, output("holding/10"), output("holding/20"))
    async with one.running():
        await read(one)
        device.kill()
        end_ns = one.clock.monotonic_ns() + 100 * MS
        one.command({0: 1}, within_ns=90 * MS)
        one.command({1: 2})
        await until(lambda: not one.poller.connected, "it is away")
        await until(lambda: one.clock.monotonic_ns() > end_ns, "too late")
        device.start()
        await until(lambda: one.value(1) == 2, "what has no deadline")
        assert device.memory.writes == [(6, 20, [2])]


async def test_a_device_that_falls_back_by_itself_is_refreshed(device: Plc, tmp_path: Path) -> None:
    one = rig(tmp_path, device, output("coil/8", "bool", write=Write(mode="refresh", time_ns=60 * MS)))
    async with one.running():
        await read(one)
        one.command({0: True})
        await until(lambda: len(device.memory.writes) >= 4, "again and again")
        one.command({0: True}, drive=False)
        count = len(device.memory.writes) + 1
        polls = device.memory.reads + 6
        await until(lambda: device.memory.reads > polls, "polling goes on")
        assert len(device.memory.writes) <= count
        assert set(map(str, device.memory.writes)) == {"(5, 8, [1])"}


async def test_a_device_that_rounds_within_the_tolerance_has_taken_it(device: Plc, tmp_path: Path) -> None:
    device.memory.rounds_to = 5
    one = rig(
        tmp_path,
        device,
        output("holding/10", write=Write(tolerance=4.0)),
        output("holding/20", write=Write(tolerance=1.0)),
    )
    async with one.running():
        await read(one)
        one.command({0: 43, 1: 43})
        await until(lambda: one.value(0) == one.value(1) == 40, "rounded")
        await until(lambda: len(device.memory.writes) == 3, "what is beyond its tolerance is written again")
        assert device.memory.writes == [(6, 10, [43]), (6, 20, [43]), (6, 20, [43])]
