"""Requests alone: 125 registers, 100 devices, one request on its way to each (or a window of 8 to one device)."""

from __future__ import annotations

import asyncio
import time
from typing import Literal

from bench.field.peer import host
from scada.clock import SystemClock
from scada.field.modbus.config import Config
from scada.field.modbus.transport import Transport, over_network
from scada.modbus import wire
from scada.modbus.wire import Ask

Client = Literal["native", "pymodbus"]


async def requests(port: int, client: Client, devices: int, window: int, seconds: float) -> float:
    """Processor us for each request of a transport."""
    clock = SystemClock()
    transports: list[Transport] = []
    for number in range(devices):
        config = Config(endpoint=f"tcp://{host(number)}:{port}", client=client, window=window)
        transports.append(over_network(config, clock)())
    for transport in transports:
        assert await transport.connect(), transport.reason
    asks = [Ask(wire.read("holding", 0, 125), 1)] * window
    end = time.perf_counter() + seconds
    count = 0

    async def work(transport: Transport) -> None:
        nonlocal count
        while time.perf_counter() < end:
            await transport.ask_all(asks)
            count += window

    cpu = time.process_time()
    await asyncio.gather(*map(work, transports))
    cpu = time.process_time() - cpu
    for transport in transports:
        transport.close()
    return cpu / count * 1e6
