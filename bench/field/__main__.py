"""Bench of the field: what one request and one tag cost, beside pymodbus as it ships.

Run: `python -m bench.field`. The server is another process, on the other core where there is one; processor time is of
this process alone. All in one run, alternating, so that a busy machine hits both sides.
"""

from __future__ import annotations

import asyncio
import os
import struct
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import numpy as np
import uvloop
from pymodbus.client import AsyncModbusTcpClient

from bench.harness import Results
from scada.clock import SystemClock
from scada.field.modbus.address import Address
from scada.field.modbus.bus import Bus
from scada.field.modbus.config import Config
from scada.field.modbus.decode import Decoder, Point
from scada.field.modbus.device import ModbusDevice
from scada.field.modbus.plan import plan
from scada.field.modbus.transport import over_network
from tags.model import Scaling, Tag

DEVICES: Final = 10
BLOCKS: Final = 8
FLOATS: Final = 60  # in 120 registers, one request
SECONDS: Final = 1.0
ROUNDS: Final = 3
SCALING: Final = Scaling(gain=0.5, offset=1.0)


def serve() -> None:
    """The peer: answers FC3 at once from prepared bytes."""
    words = np.arange(65536, dtype=">u2").tobytes() * 2

    class Server(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport: Any = transport

        def data_received(self, data: bytes) -> None:
            while data:
                start, count = struct.unpack_from(">HH", data, 8)
                size = 2 * count
                head = data[:4] + struct.pack(">H", 3 + size) + data[6:8] + bytes((size,))
                self.transport.write(head + words[2 * start : 2 * start + size])
                data = data[12:]

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until the parent goes

    uvloop.run(run())


def tags(count: int, spacing: int = 2) -> list[Tag]:
    """Float tags one after the other, all in one scan group."""
    return [
        Tag(
            id=i + 1, path=f"a/u/{i}", type="float64", kind="device", writer="field", row=i, scan_ns=1_000_000_000,
            address=Address("holding", spacing * i, None, 2, "float32").to_json(), scaling=SCALING,
        )
        for i in range(count)
    ]  # fmt: skip


async def ours(port: int, parse: bool) -> tuple[int, float, float]:
    """Whole poll cycles of the driver; returns requests, seconds, processor seconds."""
    config = Config(endpoint=f"tcp://127.0.0.1:{port}", max_registers=2 * FLOATS)
    clock = SystemClock()
    devices = [
        ModbusDevice(config, tags(FLOATS * BLOCKS), clock, Bus(config, clock, over_network))
        for _ in range(DEVICES)
    ]
    for device in devices:
        await device.link.connect()

    async def cycle(device: ModbusDevice) -> None:
        for number in range(device.count(0)):
            await device.fetch(0, number)
        if parse:
            device.reading(0)

    result = await timed(lambda: asyncio.gather(*map(cycle, devices)))
    for device in devices:
        device.link.close()
    return result


async def stock(port: int, parse: bool) -> tuple[int, float, float]:
    """The same with pymodbus as it ships and its documented decoding, one tag after the other."""
    clients = [AsyncModbusTcpClient("127.0.0.1", port=port) for _ in range(DEVICES)]
    values = [[0.0] * (FLOATS * BLOCKS) for _ in clients]
    for client in clients:
        await client.connect()

    async def cycle(client: AsyncModbusTcpClient, out: list[float]) -> None:
        for block in range(BLOCKS):
            reply = await client.read_holding_registers(2 * FLOATS * block, count=2 * FLOATS, device_id=1)
            if parse:
                for i in range(FLOATS):
                    words = list(reply.registers[2 * i : 2 * i + 2])
                    raw: Any = client.convert_from_registers(words, client.DATATYPE.FLOAT32)
                    out[FLOATS * block + i] = raw * SCALING.gain + SCALING.offset

    result = await timed(lambda: asyncio.gather(*map(cycle, clients, values)))
    for client in clients:
        client.close()
    return result


async def timed(cycle: Callable[[], Awaitable[Any]]) -> tuple[int, float, float]:
    """Repeats a cycle over all devices for a second."""
    await cycle()
    requests, wall, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < SECONDS:
        await cycle()
        requests += DEVICES * BLOCKS
    return requests, time.perf_counter() - wall, time.process_time() - cpu


def best(port: int, parse: bool) -> dict[str, tuple[float, float]]:
    """(requests/s, processor us/request) of the best round of each side."""
    sides: dict[str, tuple[Any, Callable[[int, bool], Any]]] = {
        "ours": (uvloop.run, ours),
        "pymodbus + uvloop": (uvloop.run, stock),
        "pymodbus": (asyncio.run, stock),
    }
    found = dict.fromkeys(sides, (0.0, 1000000000.0))
    for _ in range(ROUNDS):
        for name, (run, side) in sides.items():
            requests, wall, cpu = run(side(port, parse))
            rate, cost = found[name]
            found[name] = max(rate, requests / wall), min(cost, cpu / requests * 1e6)
    return found


def decoding() -> tuple[float, float]:
    """Processor ns per tag of decoding 6,000 scaled floats at once, and ms to plan 10,000 tags."""
    config = Config(endpoint="tcp://127.0.0.1")
    points = [Point(Address("holding", 2 * i, None, 2, "float32"), "float64", SCALING) for i in range(6000)]
    (group,) = plan([p.address for p in points], [1] * len(points), config)
    decoder = Decoder(points, group.requests, config)
    for number, request in enumerate(group.requests):
        decoder.put(number, bytes(request.payload_bytes))
    times = []
    for _ in range(300):
        start = time.perf_counter_ns()
        decoder.decode()
        times.append(time.perf_counter_ns() - start)
    where = [Address("holding", 6 * i, None, 2, "float32") for i in range(10_000)]
    start = time.perf_counter_ns()
    plan(where, [1] * len(where), config)
    return sorted(times)[len(times) // 2] / len(points), (time.perf_counter_ns() - start) / 1e6


def main() -> None:
    """Measures and writes `bench/results/field.json`."""
    results = Results("field")
    server = subprocess.Popen(
        [sys.executable, __file__, "serve"], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    )
    cores = sorted(os.sched_getaffinity(0))
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        if len(cores) > 1:
            os.sched_setaffinity(server.pid, {cores[-1]})
            os.sched_setaffinity(0, {cores[0]})
        plain = best(port, parse=False)
        parsed = best(port, parse=True)
    finally:
        server.kill()
        server.wait()
    per_request = {name: cost for name, (_, cost) in plain.items()}
    results.add(
        "requests of 120 registers, one core", plain["ours"][0], "1/s", "", "pymodbus", plain["pymodbus"][0]
    )
    results.add(
        "processor time per request", per_request["ours"], "us", "<= 30", "pymodbus", per_request["pymodbus"]
    )
    results.add(
        "the same, beside",
        per_request["ours"],
        "us",
        "",
        "pymodbus + uvloop",
        per_request["pymodbus + uvloop"],
    )
    rate = {name: FLOATS / cost * 1e6 for name, (_, cost) in parsed.items()}
    results.add(
        "tags polled and decoded, per core", rate["ours"], "1/s", ">= 1.5e6", "pymodbus", rate["pymodbus"]
    )
    per_tag, planning = decoding()
    results.add("decoding and scaling, 6,000 floats at once", per_tag, "ns/tag", "<= 10")
    results.add("planning 10,000 tags", planning, "ms", "<= 500")
    results.write()


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["serve"] else main()
