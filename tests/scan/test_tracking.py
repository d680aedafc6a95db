"""A controller that writes a memory tag, and what passes it on to devices: through the whole scan."""

from __future__ import annotations

import sys

import pytest

from scada.field.modbus import Modbus
from scada.scan import Program, build
from tags.quality import BAD_INTERNAL_ERROR
from tags.site import read_site
from tests.scan.plant import ARMED, Plant

SITE = """
site: tracking
timezone: Europe/Madrid
devices:
  PLC1: {driver: modbus, endpoint: "tcp://127.0.0.1:5020"}
tags:
  r/TT: {device: PLC1, address: input/0, type: int16, raw: [0, 1000], range: [0, 100], unit: degC, scan: 100 ms}
  r/HV: {device: PLC1, address: holding/0, type: int16, raw: [0, 1000], range: [0, 100], unit: "%", owner: scada, on_loss: hold}
  r/CV: {device: PLC1, address: holding/1, type: int16, raw: [0, 1000], range: [0, 100], unit: "%", owner: scada, on_loss: hold}
  r/U: {type: float64, unit: "%", range: [0, 100], initial: 50, writable: true}
control:
  r/TC:
    block: pid
    pv: r/TT
    out: r/U
    action: direct
    tuning: {gain: 1, ti: 60 s}
    setpoint: {initial: 20 degC}
    mode: {first: auto}
  r/SR:
    block: split_range
    input: r/U
    outs:
      - {out: r/HV, from: [0, 50], to: [100, 0]}
      - {out: r/CV, from: [50, 100], to: [0, 100]}
"""
REGISTERS = {"r/TT": 20.0, "r/HV": 30.0, "r/CV": 0.0}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    folder = tmp_path_factory.mktemp("tracking")
    (folder / "site.yaml").write_text(SITE)
    return build(read_site(folder, drivers={"modbus": Modbus}))


def driven(plant: Plant, path: str) -> float:
    value = plant.command(path)
    assert isinstance(value, float)
    return value


def test_shadow_tracks_and_arming_does_not_bump(program: Program) -> None:
    plant = Plant(program, registers={**REGISTERS, ARMED: False})
    plant.scan(scans=5)
    for _ in range(200):
        plant.registers["r/TT"] = 15.0  # far too cold for twenty seconds, and nothing may be done
        plant.scan()
    assert plant.value("r/U") == pytest.approx(35.0), "the input that belongs to heating at 30 %"
    plant.registers |= {ARMED: True, "r/TT": 20.0}
    plant.scan(scans=4)
    assert driven(plant, "r/HV") == pytest.approx(30.0, abs=0.1)
    assert driven(plant, "r/CV") == 0.0
    plant.registers["r/TT"] = 18.0
    plant.scan(scans=50)
    assert driven(plant, "r/HV") > 32.0
    for _ in range(1200):
        plant.registers["r/TT"] = 40.0
        plant.scan()
    assert driven(plant, "r/HV") == 0.0
    assert driven(plant, "r/CV") > 30.0


def test_an_output_waits_for_what_its_controller_reads(program: Program) -> None:
    needs = {program.slots[slot].path for slot in program.outputs[program.output_of["r/HV"]].needs}
    assert "r/TT" in needs


def test_a_memory_tag_that_cannot_be_written_holds_up_no_device(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant = Plant(program, registers=REGISTERS)
    plant.scan(scans=10)

    def broken(*_: object) -> None:
        raise TypeError("planted")

    monkeypatch.setattr(sys.modules["scada.scan.step"], "_drive_own", broken)
    plant.registers["r/TT"] = 19.0
    plant.scan(scans=20)
    assert plant.quality("r/U") == BAD_INTERNAL_ERROR
    assert driven(plant, "r/HV") == pytest.approx(plant.registers["r/HV"])
    monkeypatch.undo()
    plant.scan(scans=120)
    assert driven(plant, "r/HV") == pytest.approx(30.0, abs=5.0)
