"""Everything that a PLC stores, from its registers through the real service into the image and back."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tags import quality
from tags.site import read_site
from tags.types import Value
from tests.field.plc import Plc, plc
from tests.field.running import Plant, at_port
from tests.site.helpers import DRIVERS, make_folder
from tests.support.wait import wait_for

SITE = """
devices:
  PLC9: {driver: modbus, endpoint: "tcp://127.0.0.1:5021", order: CDAB}
tags:
  in/zone: {device: PLC9, address: input/0, type: float32, array: 1..3, scan: 100 ms}
  in/door: {device: PLC9, address: discrete/5, type: bool, array: 0..2, scan: 100 ms}
  in/flow: {device: PLC9, address: input/10, type: int16, scaling: square root, raw: [0, 27648], range: [0, 80], cutoff: 2 %,
            scan: 100 ms}
  in/level: {device: PLC9, address: input/11, type: int16, curve: [[0, 0], [1000, 2.5], [27648, 90]], scan: 100 ms}
  in/mode: {device: PLC9, address: input/12.4-7, type: uint16, scan: 100 ms}
  in/total: {device: PLC9, address: input/13, type: bcd32, scan: 100 ms}
  in/text: {device: PLC9, address: input/15x4, type: string, order: BADC, scan: 100 ms}
  in/big: {device: PLC9, address: input/20, type: uint32, order: ABCD, scan: 100 ms}
  out/SP: {device: PLC9, address: holding/0, type: float32, array: 1..2, owner: scada, on_loss: hold, scan: 100 ms}
  out/flow: {device: PLC9, address: holding/10, type: int16, scaling: square root, raw: [0, 27648], range: [0, 80],
             owner: scada, on_loss: hold, scan: 100 ms}
  out/valve: {device: PLC9, address: holding/11, type: int16, curve: [[0, 100], [4000, 0]], owner: scada, on_loss: hold,
              scan: 100 ms}
  out/mode: {device: PLC9, address: holding/12.4-7, type: uint16, owner: scada, on_loss: hold, scan: 100 ms}
  out/count: {device: PLC9, address: holding/13, type: bcd32, owner: scada, on_loss: hold, scan: 100 ms}
  out/swapped: {device: PLC9, address: holding/15, type: float64, order: DCBA, owner: scada, on_loss: hold, scan: 100 ms}
"""
DEFAULTS = "defaults: {output: {deadband: 0, min_interval: 10 ms}}\n"
WRITTEN: list[tuple[str, Value, int, tuple[int, ...]]] = [
    ("out/SP/2", 123.456, 2, (0xE979, 0x42F6)),
    ("out/flow", 40.0, 10, (6912,)),
    ("out/valve", 25.0, 11, (3000,)),
    ("out/mode", 9, 12, (0xA09A,)),
    ("out/count", 12_345_678, 13, (0x5678, 0x1234)),
    ("out/swapped", 123.456, 15, (0x77BE, 0x9F1A, 0x2FDD, 0x5E40)),
]


@pytest.fixture
def device() -> Iterator[Plc]:
    with plc() as one:
        yield one


@pytest.fixture
def plant(tmp_path: Path, device: Plc) -> Iterator[Plant]:
    device.set(
        "input", 0, *(w for v in (1.5, -2.0, 3e7) for w in struct.unpack(">HH", struct.pack(">f", v))[::-1])
    )
    device.set("input", 10, 6912, 500, 0xA57A, 0x5678, 0x1234, 0x7550, 0x706D, 0x3120, 0, 0, 0x0001, 0x86A0)
    device.set("discrete", 5, 1, 0, 1)
    device.set("holding", 12, 0xA0FA)
    folder = make_folder(tmp_path / "site", {"case.yaml": SITE})
    head = folder / "site.yaml"
    head.write_text(head.read_text().partition("defaults:")[0] + DEFAULTS)
    running = Plant(tmp_path / "data", at_port(read_site(folder, drivers=DRIVERS), device.port))
    yield running
    assert running.close() == 0


def test_it_comes_in_and_goes_out(plant: Plant, device: Plc) -> None:
    read: dict[str, Any] = {
        "in/zone/1": 1.5, "in/zone/2": -2.0, "in/zone/3": 3e7, "in/door/0": True, "in/door/1": False, "in/door/2": True,
        "in/flow": 40.0, "in/level": 1.25, "in/mode": 7, "in/total": 12_345_678, "in/big": 100_000,
    }  # fmt: skip
    for path, value in read.items():
        plant.until(path, value)
    wait_for(lambda: plant.value("in/text") == "Pump 1", 8, "text")

    plant.arm("PLC9")
    for path, value, _, _ in WRITTEN:
        plant.command(path, value)
    for path, value, offset, words in WRITTEN:
        plant.until(path, value)
        assert tuple(device.memory.tables["holding"][offset : offset + len(words)]) == words, path
    written = len(device.memory.writes)

    # What is no digit, and what comes back: nothing is written again, since what is read is what was wanted.
    device.set("input", 13, 0xABCD)
    plant.until_status("in/total", quality.BAD_CONFIGURATION_ERROR)
    device.set("input", 13, 0x5679)
    plant.until("in/total", 12_345_679)
    assert len(device.memory.writes) == written
