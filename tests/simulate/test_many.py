"""A thousand simulated devices in one process: all answer, a broken one is alone."""

from __future__ import annotations

import asyncio
import resource
import struct
from collections.abc import Iterator

import pytest
import uvloop

from scada.clock import SystemClock
from scada.simulate.simulation import Simulation
from tags.model import Device

DEVICES = 1000
REQUEST = struct.pack(">HHHBBHH", 7, 0, 6, 1, 3, 0, 125)


@pytest.fixture(autouse=True)
def files() -> Iterator[None]:
    """Each device listens, and each client and server has an end of a connection."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def ask_all() -> tuple[int, float]:
    """How many answered rightly, and how long the slowest round of three took, s."""
    devices = [
        Device(
            name=f"D{n}",
            driver="modbus",
            service="field",
            config={"endpoint": "tcp://127.0.0.1:0"},
            simulate="memory",
        )
        for n in range(DEVICES)
    ]
    played = Simulation(devices, SystemClock())
    await played.start()
    loop = asyncio.get_running_loop()
    pairs: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    try:
        for n in range(DEVICES):
            played.plants[f"D{n}"].registers.holding[0] = n
            pairs.append(await asyncio.open_connection("127.0.0.1", played.servers[f"D{n}"].port))
        await played.handle(b'{"device": "D500", "do": "drop"}')
        right, slowest = 0, 0.0
        for _ in range(3):
            start = loop.time()
            for _, writer in pairs:
                writer.write(REQUEST)
            for n, (reader, _) in enumerate(pairs):
                if n != 500:
                    reply = await reader.readexactly(259)
                    right += reply[:9] == struct.pack(">HHHBBB", 7, 0, 253, 1, 3, 250) and reply[
                        9:11
                    ] == n.to_bytes(2, "big")
            played.step()
            slowest = max(slowest, loop.time() - start)
        return right, slowest
    finally:
        for _, writer in pairs:
            writer.close()
        await played.close()


@pytest.mark.slow
def test_a_thousand_devices_answer_and_a_silent_one_is_alone() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        right, slowest = runner.run(ask_all())
    assert right == 3 * (DEVICES - 1)
    assert slowest < 10.0
