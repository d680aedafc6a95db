"""The historian as the process that it is."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from historian import open_reader
from scada.clock import SystemClock
from tags.image import ImageReader
from tags.types import from_bits
from tests.historian.plant import Plant
from tests.support.wait import wait_for

ALL = 2**62


class Process:
    """A running historian over a plant that the test plays by the real clock."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        plant.clock = SystemClock()  # type: ignore[assignment]
        plant.publishers.pop("historian").close()
        self.image = ImageReader(plant.data.image("historian"))
        self.start()

    def start(self, before: Callable[[], None] | None = None) -> None:
        self.plant.epoch += 1
        command = [
            sys.executable,
            "-m",
            "historian",
            "--data",
            str(self.plant.data.root),
            "--name",
            "historian",
        ]
        self.child = subprocess.Popen([*command, "--epoch", str(self.plant.epoch)], preexec_fn=before)  # noqa: PLW1509
        wait_for(
            lambda: self.image.epoch == self.plant.epoch and self.health("ok"), what="a running historian"
        )

    def put(self, value: float) -> None:
        tag = self.plant.tags["tank1/LT-101"]
        clock = self.plant.clock
        self.plant.publishers["field"].put_value(tag.row, value, 0, clock.utc_ns(), clock.monotonic_ns())

    def health(self, key: str) -> Any:
        tag = self.plant.tags[f"system/historian/{key}"]
        self.image.snapshot()
        return from_bits(tag.type, int(self.image.value[tag.row]))

    def kept(self) -> list[float]:
        store = open_reader(self.plant.data.history)
        found = store.raw(self.plant.id("tank1/LT-101"), 0, ALL)
        store.close()
        values = zip(found.values, found.status.tolist(), strict=True)
        return [float(value) for value, status in values if status == 0]

    def stop(self) -> int:
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(10)


@pytest.fixture
def process(plant: Plant) -> Iterator[Process]:
    process = Process(plant)
    yield process
    process.child.kill()
    process.child.wait()


def test_it_commits_each_second_and_at_the_end(process: Process) -> None:
    process.put(1.0)
    wait_for(lambda: process.kept() == [1.0])
    beat = process.image.heartbeat
    wait_for(lambda: process.image.heartbeat >= beat + 2, 2.0)
    assert process.health("disk_free") > 1
    process.put(2.0)
    assert process.stop() == 0
    assert process.kept() == [1.0, 2.0]


def test_days_are_written_by_the_service(process: Process) -> None:
    process.put(1.0)
    days = process.plant.data.history / "days"
    wait_for(lambda: list(days.glob("*.sqlite")), what="the file of a day")
    wait_for(lambda: process.kept() == [1.0])
    wait_for(lambda: process.health("size") > 0)
    assert process.stop() == 0
    assert process.kept() == [1.0]


def test_killed_and_started_again_it_has_everything_once(process: Process) -> None:
    written = []
    for round_ in range(3):
        for number in range(50):
            written.append(round_ * 100.0 + number)
            process.put(written[-1])
        if round_:
            wait_for(lambda: len(process.kept()) > 60)
        process.child.kill()
        process.child.wait()
        process.start()
    wait_for(lambda: process.kept() == written)
    assert process.health("gaps") == 0


def _fill(folder: Path) -> Path:
    filler = folder / "filler"
    file = os.open(filler, os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(file, bytes(65536))
    os.close(file)
    return filler


@pytest.fixture
def small_disk(plant: Plant) -> Iterator[Path]:
    """The history on a file system of 24 MB."""
    folder = plant.data.history
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_said_and_survived(plant: Plant, small_disk: Path) -> None:
    process = Process(plant)
    try:
        process.put(1.0)
        wait_for(lambda: process.kept() == [1.0])
        filler = _fill(small_disk)
        for number in range(400):
            process.put(number + 2.0)
        wait_for(lambda: not process.health("ok"), what="ok = false")
        wait_for(lambda: process.health("journal_lag") > 1.0)
        assert process.child.poll() is None
        assert process.kept()[:1] == [1.0]
        filler.unlink()
        wait_for(lambda: process.health("ok"), what="ok = true")
        wait_for(lambda: process.kept() == [number + 1.0 for number in range(401)])
        store = open_reader(plant.data.history)
        wait_for(lambda: len(store.events(0, ALL, ["service"])) >= 2)
        states = [event["state"] for event in store.events(0, ALL, ["service"])]
        store.close()
        assert states == ["failing", "recovered"]
        assert process.health("gaps") == 0
        assert process.stop() == 0
    finally:
        process.child.kill()
        process.child.wait()


def test_files_that_may_not_grow_are_said_and_survived(plant: Plant) -> None:
    process = Process(plant)
    try:
        process.put(1.0)
        wait_for(lambda: process.kept() == [1.0])
        resource.prlimit(process.child.pid, resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        process.put(2.0)
        wait_for(lambda: not process.health("ok"), what="ok = false")
        resource.prlimit(
            process.child.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        )
        process.put(3.0)
        wait_for(lambda: process.health("ok"), what="ok = true")
        wait_for(lambda: process.kept() == [1.0, 2.0, 3.0])
    finally:
        process.child.kill()
        process.child.wait()


def test_frozen_and_thawed_it_goes_on(process: Process) -> None:
    process.put(1.0)
    wait_for(lambda: process.kept() == [1.0])
    os.kill(process.child.pid, signal.SIGSTOP)
    for number in range(500):
        process.put(number + 2.0)
    os.kill(process.child.pid, signal.SIGCONT)
    wait_for(lambda: len(process.kept()) == 501)
