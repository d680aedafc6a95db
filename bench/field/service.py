"""The field service at work, as the supervisor starts it: many tags each second on one PLC or on a hundred."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.field.cycles import SECOND_NS, tags
from bench.field.peer import host
from scada.datadir import DataDir
from tags import model, publish
from tags.image import ImageReader
from tags.model import Device, Site, Tag
from tags.ring import RingReader

TICKS: Final = os.sysconf("SC_CLK_TCK")
SETTLE_S: Final = 3.0
PATIENCE_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Found:
    """What one run showed.

    Attributes:
        processor: Share of a core, %.
        off_ms: 99th percentile of how far the time between two readings of a tag is from a second, ms.
        good: Share of the tags that were Good at the end.
        memory_mb: Resident memory.
    """

    processor: float
    off_ms: float
    good: float
    memory_mb: float


def site(port: int, devices: int, floats: int) -> Site:
    """Devices with float tags, each second."""
    mine = tags(devices, floats)
    system = [
        Tag(id=len(mine) + 1, path="system/field/memory", type="float64", kind="system", writer="field", row=len(mine)),
        *(
            Tag(id=len(mine) + 2 + n, path=f"system/{name}/memory", type="float64", kind="system", writer=name, row=0)
            for n, name in enumerate(("control", "supervisor"))
        ),
    ]  # fmt: skip
    return Site(
        name="bench", timezone="UTC", folder="", digest="0" * 64, scan_ns=100_000_000,
        opcua_endpoint="opc.tcp://127.0.0.1:4840", hmi_host="127.0.0.1", hmi_port=8080,
        services=("field", "control"), tags=(*mine, *system), alarms=(), blocks=(), displays=(),
        devices=tuple(
            Device(name=f"D{n}", driver="modbus", service="field",
                   config={"endpoint": f"tcp://{host(n)}:{port}", "timeout": "1 s"})
            for n in range(devices)
        ),
    )  # fmt: skip


def run(port: int, devices: int, floats: int, seconds: float) -> Found:
    """Starts the service, lets it work, looks at its processor time, its image and its ring."""
    made = site(port, devices, floats)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        data = DataDir(Path(folder))
        data.create()
        data.site_json.write_bytes(model.dump(made))
        publish.create_files(data.run, made, 1)
        command = [sys.executable, "-m", "scada.field", "--data", folder, "--name", "field", "--epoch", "2"]
        field = subprocess.Popen(command)
        try:
            image = ImageReader(data.image("field"))
            _all_good(image, devices * floats)
            time.sleep(SETTLE_S)
            ring = RingReader(data.run / "field.ring")
            ring.to_end()
            start, before = time.perf_counter(), _ticks(field.pid)
            time.sleep(seconds)
            share = (_ticks(field.pid) - before) / TICKS / (time.perf_counter() - start)
            image.snapshot()
            good = float((image.status[: devices * floats] == 0).mean())
            memory = int(Path(f"/proc/{field.pid}/statm").read_text().split()[1]) * 4096 / 1e6
            off = _off_ms(ring)
        finally:
            field.terminate()
            field.wait(10)
            shutil.rmtree(data.run.resolve(), ignore_errors=True)  # files in memory
    return Found(100 * share, off, good, memory)


def _all_good(image: ImageReader, rows: int) -> None:
    """Waits until all have been read once; the service takes a while to load so many tags."""
    end = time.perf_counter() + PATIENCE_S
    while not (image.snapshot() and (image.status[:rows] == 0).all()):
        if time.perf_counter() > end:
            raise TimeoutError("not all tags were read")
        time.sleep(0.2)


def _off_ms(ring: RingReader) -> float:
    """How far the times between two readings of the changing tags are from a second: the 99th percentile, ms."""
    records = []
    while True:
        found, _ = ring.read()
        if not len(found):
            break
        records.append(found.copy())
    every = np.concatenate(records)
    off = []
    for tag in np.unique(every["tag"])[:: max(1, len(np.unique(every["tag"])) // 1000)]:
        times = np.sort(every["source_ns"][every["tag"] == tag])
        gaps = np.diff(times)
        off.append(np.abs(gaps - SECOND_NS))
    ring.close()
    return float(np.percentile(np.concatenate(off), 99)) / 1e6


def _ticks(pid: int) -> int:
    """Processor time of a process, in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])
