"""pymscada, from PyPI in an environment of its own: its Modbus client on the same PLCs, into its tags, not over its bus."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

VERSION: Final = "0.2.8"  # needs Python 3.12
_CHILD: Final = """
import asyncio, json, logging, sys, time
import pymscada.iodrivers.modbus_client as client
from pymscada.bus_client import BusClient
logging.disable(logging.CRITICAL)
port, devices, floats, seconds = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])

async def main():
    bus = BusClient(None, None)  # its tags want one; nothing is sent over it
    connections = []
    for n in range(devices):
        tags = {f"d{n}_{i}": {"type": "float32", "read": f"D{n}:1:4x:{2 * i + 1}"} for i in range(floats)}
        reads = [{"unit": 1, "file": "4x", "start": 1, "end": 125}]
        one = client.ModbusClientConnector(
            name=f"D{n}", ip=f"127.0.{1 + n // 250}.{1 + n % 250}", port=port, rate=1, reads=reads, writes=[],
            tags=client.Tags(tags))
        await one.start_connection()
        connections.append(one)
    end, count = time.perf_counter() + seconds, 0
    async def work(one):
        nonlocal count
        while time.perf_counter() < end:
            await one.mb_read(**one.reads[0])
            count += 1
    cpu = time.process_time()
    await asyncio.gather(*map(work, connections))
    cpu = time.process_time() - cpu
    values = sum(one.tags.reads[f"{'d'}{n}_0"].tag.value is not None for n, one in enumerate(connections))
    assert values == devices, values
    print(cpu / count * 1e6)

asyncio.run(main())
"""


class MissingError(Exception):
    """It cannot be installed here; the text says why."""


class Pymscada:
    """An environment with pymscada."""

    def __init__(self) -> None:
        python = next((found for found in map(_works, _interpreters()) if found), None)
        if python is None:
            raise MissingError("pymscada needs Python 3.12")
        self._folder = tempfile.TemporaryDirectory()
        self._python = Path(self._folder.name) / "bin" / "python"
        subprocess.run([python, "-m", "venv", self._folder.name], check=True, capture_output=True)
        done = subprocess.run(
            [self._python, "-m", "pip", "install", "-q", f"pymscada=={VERSION}"],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            self._folder.cleanup()
            raise MissingError(f"pymscada does not install: {done.stderr.strip()[-200:]}")

    def us(self, port: int, devices: int, floats: int, seconds: float) -> float:
        """Processor us for each request of 125 registers, its tags included."""
        words = [str(self._python), "-c", _CHILD, str(port), str(devices), str(floats), str(seconds)]
        return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)

    def close(self) -> None:
        """Removes it."""
        self._folder.cleanup()


def _interpreters() -> list[str]:
    """Pythons that may do: on the path, and those of pyenv."""
    versions = sorted(Path.home().glob(".pyenv/versions/3.1[2-9]*/bin/python"))
    return ["python3.12", "python3.13", "python3.14", *map(str, versions)]


def _works(name: str) -> str | None:
    """Path of an interpreter that runs and can make environments."""
    path = shutil.which(name)
    if path is None:
        return None
    done = subprocess.run([path, "-c", "import venv, ensurepip"], check=False, capture_output=True)
    return None if done.returncode else path
