"""What was learnt of a heartbeat register is kept as long as it is the same register."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from scada.datadir import DataDir
from scada.field.heartbeat import Heartbeat
from scada.field.trust import Trust
from tags.model import Device
from tests.field.plc import plc
from tests.field.running import Plant, at_port
from tests.field.test_service import RESTARTS, with_heartbeat, with_restarts
from tests.support.site import make_site
from tests.support.wait import wait_for

PLC = Device(
    name="PLC1", driver="modbus", service="field", config={"endpoint": "tcp://plc", "unit_id": 1},
    heartbeat={"address": "holding/100", "every_ns": 1_000_000_000},
)  # fmt: skip


def test_what_was_learnt_is_known_to_a_later_life(tmp_path: Path) -> None:
    path = tmp_path / "field.heartbeats.json"
    trust = Trust(path)
    assert not trust.knows(PLC)
    trust.note(PLC, keeps=True)
    trust.save()
    assert Trust(path).knows(PLC)
    trust.note(PLC, keeps=False)
    trust.save()
    assert not Trust(path).knows(PLC)


@pytest.mark.parametrize(
    "change",
    [
        {"config": {"endpoint": "tcp://other", "unit_id": 1}},
        {"config": {"endpoint": "tcp://plc", "unit_id": 2}},
        {"heartbeat": {"address": "holding/101", "every_ns": 1_000_000_000}},
    ],
)
def test_another_register_is_not_known(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "field.heartbeats.json"
    trust = Trust(path)
    trust.note(PLC, keeps=True)
    trust.save()
    assert not Trust(path).knows(dataclasses.replace(PLC, **change))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"PLC1": 3}'])
def test_a_damaged_file_says_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "field.heartbeats.json"
    path.write_text(text)
    trust = Trust(path)
    assert not trust.knows(PLC)
    trust.note(PLC, keeps=True)
    trust.save()
    assert Trust(path).knows(PLC)


def test_only_news_are_written(tmp_path: Path) -> None:
    path = tmp_path / "field.heartbeats.json"
    trust = Trust(path)
    trust.note(PLC, keeps=True)
    trust.save()
    path.unlink()
    trust.note(PLC, keeps=True)
    trust.save()
    assert not path.exists()
    nowhere = Trust(tmp_path / "no" / "such" / "folder")
    nowhere.note(PLC, keeps=True)
    nowhere.save()
    assert nowhere.knows(PLC)


def test_who_is_trusted_tells_of_a_restart_after_one_heartbeat() -> None:
    heart = Heartbeat()
    heart.trust()
    assert not heart.read(0), "nothing was written in this life"
    heart.wrote()
    assert heart.read(0)
    assert heart.restarts == 1


def test_a_plc_that_restarts_right_after_the_plant_was_started_is_noticed(tmp_path: Path) -> None:
    """Between the first two heartbeats. That it keeps the register was learnt in an earlier life of the whole plant."""
    with plc() as water:
        site = at_port(with_restarts(with_heartbeat(make_site())), water.port)
        beat = {"address": "holding/100", "every_ns": 400_000_000}
        site = dataclasses.replace(site, devices=(dataclasses.replace(site.devices[0], heartbeat=beat),))
        data = DataDir(tmp_path / "data")
        data.create()
        trust = Trust(data.state / "field.heartbeats.json")
        trust.note(site.devices[0], keeps=True)
        trust.save()
        plant = Plant(tmp_path / "data", site)
        try:
            plant.arm("PLC1")
            wait_for(lambda: water.get("holding", 100) == 1, what="the first heartbeat")
            water.set("holding", 100, 0)
            plant.until(RESTARTS, 1)
        finally:
            assert plant.close() == 0
