"""An output, an own tag or an alarm that raises stands alone: it is told, alarmed, retried, and the scan goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scada.alarms import watch
from scada.blocks.cause_effect import CauseEffect
from scada.blocks.interlock import Interlock
from scada.blocks.motor import Motor
from scada.requests import Request
from scada.scan import build
from scada.scan.outputs import Output, Stage
from tags.quality import BAD_INTERNAL_ERROR, GOOD
from tests.scan.plant import LEVEL, LOCK, SPEED, VALVE, Plant
from tests.scan.test_protections import Run
from tests.site.helpers import compile_case

ALARM, COUNT = "system/control/FAILED", "system/control/defects"
HH = "tank1/LT-101/HH"


def told(events: list[dict[str, Any]]) -> list[tuple[str, bool]]:
    return [(event["path"], event["failed"]) for event in events if event["kind"] == "block"]


@pytest.fixture
def plant() -> Plant:
    plant = Plant()
    plant.scan(scans=4)
    assert (plant.value(COUNT), plant.value(ALARM)) == (0, 0)
    return plant


def test_an_output_that_raises(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant.ask("write", (SPEED, 55.0), scans=10)
    whole = Stage.run

    def broken(stage: Stage, output: Output) -> None:
        if output.plan.tag.path == SPEED:
            raise TypeError("planted")
        whole(stage, output)

    monkeypatch.setattr(Stage, "run", broken)
    assert told(plant.scan(scans=150)) == [(SPEED, True)], "told once"
    assert plant.quality(f"{SPEED}/command") == BAD_INTERNAL_ERROR, "field does what its on_loss says"
    assert (plant.value(COUNT), plant.value(ALARM) & 1) == (1, 1)
    assert plant.ask("write", (VALVE, 44.0), scans=5)[-1][0] == "confirmed", "the rest of the plant runs"
    assert "being initialised" in plant.ask("write", (SPEED, 60.0))[0][1][0]
    monkeypatch.undo()
    plant.registers[SPEED] = 47.0
    assert told(plant.scan(scans=110)) == [(SPEED, False)]
    assert (plant.command(SPEED), plant.quality(f"{SPEED}/command")) == (47.0, GOOD), "from what is read back"
    assert (plant.value(COUNT), plant.value(ALARM) & 1) == (0, 0)
    assert plant.ask("write", (SPEED, 60.0), scans=40)[-1][0] == "confirmed"


def test_an_alarm_that_raises_silences_no_other(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = watch.condition

    def broken(alarm: Any, value: Any, status: int) -> bool | None:
        if alarm.model.path == HH:
            raise ZeroDivisionError("planted")
        return whole(alarm, value, status)

    monkeypatch.setattr(watch, "condition", broken)
    plant.registers[LEVEL] = 4.9
    assert told(plant.scan(scans=150)) == [(HH, True)]
    assert (plant.value(HH), plant.quality(HH)) == (0, BAD_INTERNAL_ERROR)
    assert (plant.value(COUNT), plant.value(ALARM) & 1) == (1, 1)
    plant.ask("force", ("tank1/draining", True), for_ns=60_000_000_000)
    plant.scan(scans=2)
    assert plant.value("system/control/FORCED") & 1, "others are raised"
    monkeypatch.undo()
    assert told(plant.scan(scans=101)) == [(HH, False)]
    assert (plant.value(HH) & 1, plant.quality(HH)) == (1, GOOD), "what it missed is seen"
    plant.scan()
    assert plant.value(COUNT) == 0


def test_a_block_that_raises_is_alarmed(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(type(plant.state.blocks[0]), "step", broken)
    plant.scan(scans=2)
    assert (plant.value(COUNT), plant.value(ALARM) & 1) == (1, 1)


def test_a_protection_that_raises_does_not_let_go(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its state is not known to be better, and the loop behind it would open the valve at once."""
    plant.registers[LEVEL] = 4.8
    plant.scan(scans=3)
    assert (plant.value(f"{LOCK}/ACTIVE"), plant.command(VALVE)) == (True, 0.0)

    def broken(*_: object) -> None:
        raise TypeError("planted")

    monkeypatch.setattr(Interlock, "step", broken)
    plant.registers[LEVEL] = 2.0
    for _ in range(120):  # it is tried again in between
        plant.scan()
        assert plant.command(VALVE) == 0.0
    assert plant.quality(f"{LOCK}/ACTIVE") == BAD_INTERNAL_ERROR
    assert "interlock" in plant.ask("write", (VALVE, 44.0))[0][1][0]
    monkeypatch.undo()
    plant.scan(scans=110)
    assert plant.value(f"{LOCK}/ACTIVE") is False


def test_a_matrix_that_raises_does_not_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    yaml = """
control:
  a/ESD: {block: cause_effect, causes: {HH: {when: a/LT-1 > 4 m, trips: [inlet]}},
          effects: {inlet: {target: a/LV-1/OUT, value: 5 %, reset: auto}}}
"""
    program = build(compile_case(tmp_path / "site", yaml))
    run = Run(program)
    for level in (2.0, 2.0, 4.5, 4.5):
        run.scan(level)
    assert run.value("a/LV-1/OUT/command") == 5.0

    def broken(*_: object) -> None:
        raise TypeError("planted")

    monkeypatch.setattr(CauseEffect, "step", broken)
    for number in range(20):
        request = Request(f"w{number}", "write", (("a/LV-1/OUT", 40.0),), "test", "hmi", "anna", "admin")
        run.scan(2.0, GOOD, request)
        assert run.value("a/LV-1/OUT/command") == 5.0


def test_a_motor_that_raises_is_stopped_by_its_interlock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is known that it must stand; that needs nothing of what is broken."""
    yaml = """
control:
  a/LSLL: {block: interlock, target: a/P-1, when: a/LT-1 < 1 m, reset: manual}
"""
    run = Run(build(compile_case(tmp_path / "site", yaml)))
    for _ in range(3):
        run.scan(2.0)

    def broken(*_: object) -> None:
        raise TypeError("planted")

    monkeypatch.setattr(Motor, "step", broken)
    run.scan(2.0)
    pulses = []
    for level in (0.5, *[2.0] * 120):
        run.scan(level)
        pulses.append((run.value("a/P-1/START/command"), run.value("a/P-1/STOP/command")))
    assert (False, True) in pulses[:2]
    assert not any(start for start, _ in pulses)
    assert "a/P-1" not in [event["path"] for event in run.events if event["kind"] == "block"][1:], "told once"
