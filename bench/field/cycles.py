"""Whole cycles, back to back: 100 devices, 125 registers and 60 tags of float32 each, into the image."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np

from bench.field.peer import host
from bench.field.requests import Client
from scada.clock import SystemClock
from scada.field.modbus import Modbus
from scada.field.modbus.address import Address
from scada.field.modbus.joint import Joint
from scada.field.samples import Samples
from tags.events import EventWriter
from tags.image import ImageWriter
from tags.model import Tag
from tags.publish import Publisher
from tags.ring import RingWriter

DEVICES: Final = 100
FLOATS: Final = 60
REGISTERS: Final = 125
SECOND_NS: Final = 1_000_000_000


def tags(devices: int, floats: int, last: int | None = None) -> list[Tag]:
    """Float tags side by side on each of some devices; with `last` the last one lies in that register."""
    found: list[Tag] = []
    for device in range(devices):
        for i in range(floats):
            at = last - 1 if last is not None and i == floats - 1 else 2 * i
            row = len(found)
            found.append(
                Tag(
                    id=row + 1, path=f"d{device}/u/{i}", type="float32", kind="device", writer="field",
                    device=f"D{device}", row=row, scan_ns=SECOND_NS,
                    address=Address("holding", at, None, 2, "float32").to_json(),
                )
            )  # fmt: skip
    return found


def publisher(folder: Path, mine: list[Tag]) -> Publisher:
    """An image and rings of their own."""
    ImageWriter.create(folder / "field.image", len(mine), [], 1).close()
    RingWriter.create(folder / "field.ring", 1 << 20, 1).close()
    EventWriter.create(folder / "field.events", 1 << 18, 1).close()
    return Publisher(folder, "field", mine, 2)


async def cycles(port: int, client: Client, seconds: float) -> tuple[float, float]:
    """Tags per second of processor time, and us of decoding and publishing in a cycle."""
    clock, mine = SystemClock(), tags(DEVICES, FLOATS, REGISTERS - 1)
    driver = Modbus(clock)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        out = publisher(Path(folder), mine)
        whole = Samples(out, mine)
        sessions = []
        for number in range(DEVICES):
            config = Modbus.Config(endpoint=f"tcp://{host(number)}:{port}", client=client)
            sessions.append(driver.session(config, mine[FLOATS * number : FLOATS * (number + 1)]))
        for session in sessions:
            assert await session.link.connect()
        joint = Joint([session.groups[0] for session in sessions])
        places = [joint.members(number) + FLOATS * number for number in range(DEVICES)]
        where = whole.side_by_side(np.concatenate(places))
        assert where is not None
        loop = asyncio.get_running_loop()
        gate = loop.create_future()
        end = time.perf_counter() + seconds
        answered = count = publish_ns = 0
        over = False

        async def work(number: int) -> None:
            nonlocal answered, count, gate, over, publish_ns
            session = sessions[number]
            while not over:
                mine = gate
                await session.fetch(0, 0)
                answered += 1
                if answered < DEVICES:
                    await mine
                    continue
                start = time.perf_counter_ns()
                whole.take_range(where, joint.reading(), clock.monotonic_ns())
                publish_ns += time.perf_counter_ns() - start
                answered, count = 0, count + 1
                over = time.perf_counter() > end
                gate = loop.create_future()
                mine.set_result(None)

        cpu = time.process_time()
        await asyncio.gather(*map(work, range(DEVICES)))
        cpu = time.process_time() - cpu
        for session in sessions:
            session.link.close()
        out.close()
    return DEVICES * FLOATS * count / cpu, publish_ns / count / 1e3
