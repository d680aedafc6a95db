"""Simulated devices in plant tests hold everything that a PLC stores, coded as field codes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scada.planttest.simulated import SimulatedWorld
from scada.scan import build
from tags.quality import BAD_CONFIGURATION_ERROR, GOOD
from tags.site.plant_tests_compiled import Plant
from tags.types import Value
from tests.site.helpers import compile_case

SITE = """
devices:
  P: {driver: modbus, endpoint: "tcp://127.0.0.1:5021", order: CDAB, simulate: air}
tags:
  a/real: {device: P, address: holding/10, type: float32, owner: scada, on_loss: hold}
  a/digits: {device: P, address: holding/12, type: bcd32, owner: scada, on_loss: hold}
  a/mode: {device: P, address: holding/14.4-7, type: uint16, owner: scada, on_loss: hold}
  a/flag: {device: P, address: holding/14.8, type: bool, owner: plc, write: pulse 1 s}
  a/flow: {device: P, address: holding/15, type: int16, scaling: square root, raw: [0, 27648], range: [0, 80],
           owner: scada, on_loss: hold}
  a/text: {device: P, address: holding/16x3, type: string, owner: scada, on_loss: hold}
  a/none: {device: P, address: holding/9000, type: int16}
"""
WRITTEN: list[tuple[str, Value, int, list[int]]] = [
    ("a/real", 1.5, 10, [0x0000, 0x3FC0]),
    ("a/digits", 12_345_678, 12, [0x5678, 0x1234]),
    ("a/mode", 9, 14, [0x0090]),
    ("a/flag", True, 14, [0x0190]),
    ("a/flow", 40.0, 15, [6912]),
    ("a/text", "Pump", 16, [0x5075, 0x6D70, 0]),
]


@pytest.fixture
def world(tmp_path: Path) -> SimulatedWorld:
    site = compile_case(tmp_path / "site", SITE)
    return SimulatedWorld(build(site), Plant(seed=1))


def test_what_is_written_is_read(world: SimulatedWorld) -> None:
    registers = world._devices["P"].simulator.registers
    for path, value, offset, words in WRITTEN:
        world.written(world.tags[path], value)
        assert registers.holding[offset : offset + len(words)] == words, path
    world._measure()
    assert {path: world.truth[path] for path, *_ in WRITTEN} == {path: value for path, value, *_ in WRITTEN}
    assert {world.status[path] for path, *_ in WRITTEN} == {GOOD}
    assert world.status["a/none"] == BAD_CONFIGURATION_ERROR
