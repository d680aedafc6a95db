"""What `bench.isolation` is measured beside: one pymodbus client and one task for each device, in one program.

Run: `python -m bench.isolation_peer HOST:PORT …`. It says its private memory, bytes, before it begins, and ends with its
parent.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from pathlib import Path
from typing import Final

import uvloop
from pymodbus import ModbusException
from pymodbus.client import AsyncModbusTcpClient

PERIOD_S: Final = 1.0
REGISTERS: Final = 20


async def poll(host: str, port: int, phase: float) -> None:
    """Reads a device each second, and connects again where it must."""
    client = AsyncModbusTcpClient(
        host, port=port, timeout=0.5, retries=0, reconnect_delay=0.2, reconnect_delay_max=2
    )
    due = time.monotonic() + phase
    while True:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        try:
            if client.connected or await client.connect():
                await client.read_holding_registers(0, count=REGISTERS)
        except ModbusException:
            client.close()  # who does not do that waits for ever where a connection is half open
        due = max(due + PERIOD_S, time.monotonic())


async def main(ends: list[str]) -> None:
    """Polls all of them, spread over the period."""
    where = [end.rsplit(":", 1) for end in ends]
    await asyncio.gather(*(poll(host, int(port), n / len(where)) for n, (host, port) in enumerate(where)))


if __name__ == "__main__":
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    print(sum(1000 * int(line.split()[1]) for line in lines if line.startswith("Private")), flush=True)
    uvloop.run(main(sys.argv[1:]))
