"""A cascade through the whole scan: requests by people, a restart, and controllers in tasks of their own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scada.field.modbus import Modbus
from scada.scan import Program, build
from scada.scan.retain import dump
from tags.site import read_site
from tests.scan.plant import ARMED, Plant

SITE = """
site: cascade
timezone: Europe/Madrid
TASKS
devices:
  PLC1: {driver: modbus, endpoint: "tcp://127.0.0.1:5020"}
tags:
  t/LT: {device: PLC1, address: input/0, type: int16, raw: [0, 1000], range: [0, 5], unit: m, scan: 100 ms}
  t/FT: {device: PLC1, address: input/1, type: int16, raw: [0, 1000], range: [0, 50], unit: m3/h, scan: 100 ms}
  t/FV: {device: PLC1, address: holding/0, type: int16, raw: [0, 1000], range: [0, 100], unit: "%", owner: scada, on_loss: hold}
  t/FSP: {type: float64, unit: m3/h, range: [0, 50], initial: 49, writable: true}
control:
  t/LC:
    block: pid
    SLOW
    pv: t/LT
    out: t/FSP
    action: reverse
    tuning: {gain: 1, ti: 60 s}
    setpoint: {initial: 2.5 m}
    mode: {first: auto}
  t/FC:
    block: pid
    pv: t/FT
    out: t/FV
    action: reverse
    tuning: {gain: 0.5, ti: 5 s}
    setpoint: {initial: 20 m3/h, cascade: t/FSP}
    mode: {first: cascade}
"""
REGISTERS = {"t/LT": 2.5, "t/FT": 20.0, "t/FV": 30.0}
Make = Callable[[bool], Program]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    def program(tasks: bool) -> Program:
        folder = tmp_path_factory.mktemp("cascade")
        text = SITE.replace("TASKS", "tasks: {slow: {period: 1 s, priority: 9}}" if tasks else "")
        (folder / "site.yaml").write_text(
            text.replace("SLOW", "task: slow" if tasks else "description: Level")
        )
        return build(read_site(folder, drivers={"modbus": Modbus}))

    return program


def valve(plant: Plant) -> float:
    value = plant.command("t/FV")
    assert isinstance(value, float)
    return value


@pytest.mark.parametrize("tasks", [False, True])
def test_a_cascade_starts_where_the_plant_is_and_then_controls(make: Make, tasks: bool) -> None:
    plant = Plant(make(tasks), registers=REGISTERS)
    seen = []
    for _ in range(30):
        plant.scan()
        seen.append(plant.value("t/FC/SP"))
        if plant.command("t/FV") is not None:
            assert valve(plant) == pytest.approx(30.0, abs=0.01)
    assert set(seen) == {20.0}, "never the 49 that the tag held"
    plant.registers["t/LT"] = 2.0
    plant.scan(scans=30)
    assert plant.value("t/FC/SP") == pytest.approx(25.0, abs=0.6)
    assert valve(plant) > 32.0


@pytest.mark.parametrize("tasks", [False, True])
def test_opened_and_closed_by_requests_and_over_a_restart(make: Make, tasks: bool) -> None:
    program = make(tasks)
    plant = Plant(program, registers=REGISTERS)
    plant.scan(scans=30)
    assert plant.ask("write", ("t/FC/MODE", "Manual"))[-1][0] == "confirmed"
    plant.registers |= {"t/LT": 1.0, "t/FT": 33.0}
    plant.scan(scans=600)  # a minute far too low
    assert plant.value("t/FSP") == 33.0
    plant.registers["t/LT"] = 2.5
    plant.scan(scans=20)
    assert plant.ask("write", ("t/FC/MODE", "Cascade"))[-1][0] == "confirmed"
    plant.scan(scans=20)
    assert plant.value("t/FC/SP") == pytest.approx(33.0, abs=0.01)
    assert valve(plant) == pytest.approx(30.0, abs=0.1)

    again = Plant(program, dump(program, plant.state, plant.utc_ns), registers=dict(plant.registers))
    for _ in range(30):
        again.scan()
        assert again.value("t/FC/SP") == pytest.approx(33.0, abs=0.05)
        if again.command("t/FV") is not None:
            assert valve(again) == pytest.approx(30.0, abs=0.1)
    assert again.value("t/FC/MODE") == 3


def test_the_master_in_manual_is_moved_by_its_output_tag(make: Make) -> None:
    plant = Plant(make(False), registers={**REGISTERS, ARMED: True})
    plant.scan(scans=10)
    status, reasons = plant.ask("write", ("t/FSP", 25.0))[-1]
    assert (status, reasons) == (
        "rejected",
        ["t/FSP is driven by t/LC in Auto: set t/LC/MODE to Manual first"],
    )
    plant.ask("write", ("t/LC/MODE", "Manual"))
    plant.scan(scans=2)
    assert plant.ask("write", ("t/FSP", 25.0))[-1][0] == "confirmed"
    plant.scan(scans=2)
    assert plant.value("t/FC/SP") == 25.0
    plant.ask("write", ("t/FC/MODE", "Auto"))
    plant.scan(scans=2)
    assert "does not take its output" in plant.ask("write", ("t/FSP", 26.0))[-1][1][0]
