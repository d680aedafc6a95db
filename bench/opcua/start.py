"""What a start of the OPC UA service with 100,000 tags takes: the first one after a boot, and each one after it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from bench.demo import busy_s
from bench.harness import Results
from bench.opcua import servers
from scada.opcua.nodes.standard import copy_of
from tests.hmi.plant import Plant
from tests.support.ports import free_ports
from tests.support.wait import wait_for

TAGS: Final = 100_000


def measure(results: Results) -> None:
    """Starts the service twice over one plant; the first one makes the standard nodes, the second one reads them."""
    port = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="bench-opcua-") as folder:
        plant = Plant(Path(folder) / "data", servers.site_of(TAGS, port))
        if "opcua" in plant.publishers:
            plant.publishers.pop("opcua").close()
        try:
            for epoch, which in ((1, "first start after a boot"), (2, "start")):
                spent, busy, memory = _start(plant, port, epoch)
                results.add(f"{TAGS:,} tags: {which}, until listening", spent, "s", "<= 3")
                results.add(f"{TAGS:,} tags: {which}, processor time", busy, "s")
            results.add(f"{TAGS:,} tags: memory when listening", memory, "MB", "<= 300")
        finally:
            plant.close()
            shutil.rmtree(plant.data.run.resolve())


def _start(plant: Plant, port: int, epoch: int) -> tuple[float, float, float]:
    """Seconds until it listened, its processor time and its resident memory then, MB."""
    command = [sys.executable, "-m", "scada.opcua", "--data", str(plant.data.root)]
    with servers.serving([*command, "--name", "opcua", "--epoch", str(epoch)], port) as (process, spent):
        busy, memory = busy_s(process.pid), _memory_mb(process.pid)
        wait_for(copy_of(plant.data.run).exists, 120, "the standard nodes are kept")
        return spent, busy, memory


def _memory_mb(pid: int) -> float:
    with open(f"/proc/{pid}/status") as file:  # noqa: PTH123 - no file on a disk
        lines = dict(line.split(":", 1) for line in file)
    return int(lines["VmRSS"].split()[0]) / 1024
