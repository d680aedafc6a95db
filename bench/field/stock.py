"""pymodbus as it ships, with its documented decoding, one tag after the other."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from pymodbus.client import AsyncModbusTcpClient

from bench.field.peer import host


async def stock(port: int, devices: int, floats: int, seconds: float, *, decode: bool) -> float:
    """Processor us for each request of 125 registers, with or without decoding its floats."""
    clients = [AsyncModbusTcpClient(host(number), port=port) for number in range(devices)]
    values = [[0.0] * floats for _ in clients]
    for client in clients:
        assert await client.connect()
    end = time.perf_counter() + seconds
    count = 0

    async def work(client: AsyncModbusTcpClient, out: list[float]) -> None:
        nonlocal count
        while time.perf_counter() < end:
            reply = await client.read_holding_registers(0, count=125, device_id=1)
            count += 1
            for i in range(floats if decode else 0):
                words = list(reply.registers[2 * i : 2 * i + 2])
                value: Any = client.convert_from_registers(words, client.DATATYPE.FLOAT32)
                out[i] = value

    cpu = time.process_time()
    await asyncio.gather(*map(work, clients, values))
    cpu = time.process_time() - cpu
    for client in clients:
        client.close()
    return cpu / count * 1e6
