"""What a start of the OPC UA service with 100,000 tags takes: the first one after a boot, and each one after it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from bench.harness import Results
from bench.opcua import servers
from tests.hmi.plant import Plant
from tests.support.ports import free_ports

TAGS: Final = 100_000


def measure(results: Results) -> None:
    """Starts the service twice over one plant; the standard nodes that the first one makes the second one reads."""
    port = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="bench-opcua-") as folder:
        plant = Plant(Path(folder) / "data", servers.site_of(TAGS, port))
        if "opcua" in plant.publishers:
            plant.publishers.pop("opcua").close()
        try:
            for epoch, which in ((1, "first start after a boot"), (2, "start")):
                spent, memory = _start(plant, port, epoch)
                goal = "<= 3" if epoch == 2 else ""
                results.add(f"{TAGS:,} tags: {which}, until listening", spent, "s", goal)
            results.add(f"{TAGS:,} tags: memory when listening", memory, "MB", "<= 300")
        finally:
            plant.close()
            shutil.rmtree(plant.data.run.resolve())


def _start(plant: Plant, port: int, epoch: int) -> tuple[float, float]:
    """Seconds until it listened, and its resident memory then, MB."""
    command = [sys.executable, "-m", "scada.opcua", "--data", str(plant.data.root)]
    with servers.serving([*command, "--name", "opcua", "--epoch", str(epoch)], port) as (process, spent):
        return spent, _memory_mb(process.pid)


def _memory_mb(pid: int) -> float:
    with open(f"/proc/{pid}/status") as file:  # noqa: PTH123 - no file on a disk
        lines = dict(line.split(":", 1) for line in file)
    return int(lines["VmRSS"].split()[0]) / 1024
