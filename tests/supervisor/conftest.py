"""A supervisor as a real process, and what its files say."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from scada.datadir import DataDir
from tags.events import EventReader
from tags.image import ImageReader
from tests.support.wait import wait_for

ROOT = Path(__file__).parents[2]


class Plant:
    """A running supervisor over toys."""

    def __init__(self, data: Path, said: Path, *services: str) -> None:
        self.data = DataDir(data)
        self.out, self.err = said.with_suffix(".out"), said.with_suffix(".err")
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.supervisor.plant", str(data), *services],
                cwd=ROOT, stdout=out, stderr=err, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def ready(self) -> Plant:
        wait_for(lambda: "ready" in self.out.read_text(), 30, f"ready; {self.err.read_text()}")
        return self

    def events(self, **fields: Any) -> list[dict[str, Any]]:
        """The supervisor's events that have these fields."""
        reader = EventReader(self.data.events("supervisor"))
        found = [orjson.loads(payload) for _, payload in reader.read(10_000)[0]]
        return [event for event in found if fields.items() <= event.items()]

    def lines(self) -> list[str]:
        """What it said on stderr, without its progress on a busy machine."""
        return [line for line in self.err.read_text().splitlines() if not line.startswith("Starting ")]

    def process_of(self, service: str) -> int:
        """Process id of a service's newest start."""
        return int(self.events(name=service, state="starting")[-1]["process"])

    def starts(self, service: str) -> int:
        return len(self.events(name=service, state="running"))

    def image(self, writer: str) -> ImageReader:
        reader = ImageReader(self.data.image(writer))
        assert reader.snapshot()
        return reader

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)

    def end(self) -> None:
        """Kills the supervisor; the kernel kills its services."""
        self.process.kill()
        self.process.wait(10)


def alive(process: int) -> bool:
    """Not gone and not a zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Callable[..., Plant]]:
    """Starts plants; ends them after the test."""
    plants: list[Plant] = []

    def start(*services: str, data: Path | None = None) -> Plant:
        plants.append(Plant(data or tmp_path / "data", tmp_path / f"plant-{len(plants)}", *services))
        return plants[-1]

    yield start
    for one in plants:
        os.kill(one.process.pid, signal.SIGCONT) if one.process.poll() is None else None
        one.end()
        target = one.data.run.resolve()
        for file in target.glob("*") if one.data.run.is_symlink() else ():
            if file.is_file():
                file.unlink()
