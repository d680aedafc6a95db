"""How long a Write takes through the whole plant: from the client to the answer, over an encrypted channel, in the demo."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np
from asyncua import ua

from bench.harness import Results
from tests.e2e.plant import DemoPlant
from tests.support.opcua_client import with_certificate

WRITES: Final = 300
SET_POINT: Final = "ns=2;s=tank1/LIC-101/SP"


def measure(results: Results) -> None:
    """Writes a set point again and again, each at another moment of the scan."""
    with tempfile.TemporaryDirectory(prefix="bench-opcua-") as folder:
        home = Path(folder) / "plant"
        home.mkdir()
        plant = DemoPlant(home)
        try:
            scan_ms, times_ms = asyncio.run(_write(plant, Path(folder)))
        finally:
            plant.close()
    goal = f"<= {scan_ms + 10:.0f}"
    results.add("write to answer, one scan and a bit, p99", float(np.percentile(times_ms, 99)), "ms", goal)
    results.add("write to answer, median", float(np.median(times_ms)), "ms")


async def _write(plant: DemoPlant, folder: Path) -> tuple[float, list[float]]:
    with plant.client() as door:
        scan_ms = door.site.scan_ns / 1e6
    client = await with_certificate(plant.opcua, folder, plant.data.certs)
    client.set_user("operator")
    client.set_password(plant.password)
    await client.connect()
    node = client.get_node(SET_POINT)
    shuffle = random.Random(6)
    times = []
    try:
        for number in range(WRITES):
            value = ua.Variant(2.0 + number % 10 / 10, ua.VariantType.Double)
            await asyncio.sleep(shuffle.uniform(0, scan_ms / 1e3))
            began = time.perf_counter()
            await node.write_value(value)
            times.append((time.perf_counter() - began) * 1e3)
    finally:
        await client.disconnect()
    return scan_ms, times
