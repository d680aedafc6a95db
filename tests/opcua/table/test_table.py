"""The table over real image files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary

from scada.client import Client
from scada.opcua.table import BOTH, Table
from tags import quality
from tests.client.plant import SECOND, Plant

LEVEL, NOTE, PUMP = "tank1/LT-101", "tank1/note", "tank1/P-101/RUN"


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    plant = Plant(tmp_path / "data")
    yield plant
    plant.close()
    shutil.rmtree(plant.data.run.resolve())


@pytest.fixture
def table(plant: Plant) -> Iterator[Table]:
    plant.beat()
    client = Client(plant.data.root, source="opcua", clock=plant.clock)
    table = Table(client)
    assert len(table.refresh(plant.clock.utc_ns())) == len(table)
    yield table
    client.close()


def look(plant: Plant, table: Table) -> set[str]:
    plant.beat()
    return {table.tags[row].path for row in table.refresh(plant.clock.utc_ns()).tolist()}


def read(table: Table, *paths: str) -> list[ua.DataValue]:
    body = Buffer(table.records(np.array([table.row_of[path] for path in paths]), BOTH))
    found = [struct_from_binary(ua.DataValue, body) for _ in paths]
    assert len(body) == 0
    return found


def test_a_refresh_tells_what_changed_and_records_follow(plant: Plant, table: Table) -> None:
    plant.put(LEVEL, 2.5)
    plant.put(NOTE, "Grüße")
    plant.put(PUMP, value=True)
    assert look(plant, table) == {LEVEL, NOTE, PUMP}
    level, note, pump, again = read(table, LEVEL, NOTE, PUMP, LEVEL)
    assert (level.Value.Value, note.Value.Value, pump.Value.Value) == (2.5, "Grüße", True)
    assert again == level
    assert level.StatusCode.value == 0
    assert look(plant, table) == set()
    plant.put(NOTE, "", status=quality.BAD_SENSOR_FAILURE)
    assert look(plant, table) == {NOTE}
    assert read(table, NOTE)[0].Value.Value is None


def test_what_was_never_published_waits_and_has_no_source_time(table: Table) -> None:
    value = read(table, LEVEL)[0]
    assert value.StatusCode.value == quality.BAD_WAITING_FOR_INITIAL_DATA
    assert value.SourceTimestamp is None
    assert value.ServerTimestamp is not None


def test_a_new_time_alone_is_no_change_and_is_read(plant: Plant, table: Table) -> None:
    row = table.row_of[LEVEL]
    plant.put(LEVEL, 2.5)
    look(plant, table)
    before = table.moved[:, row].tolist()
    image = plant.images["field"]
    at = slice(plant.tags[LEVEL].row, plant.tags[LEVEL].row + 1)
    image.publish(at, image.value[at].copy(), 0, plant.clock.utc_ns() + SECOND, plant.clock.monotonic_ns())
    old = read(table, LEVEL)[0].SourceTimestamp
    assert look(plant, table) == set()
    assert (read(table, LEVEL)[0].SourceTimestamp - old).total_seconds() == 1
    assert table.moved[:, row].tolist() == [*before[:2], table.number]


def test_a_silent_writer_is_seen_in_the_status(plant: Plant, table: Table) -> None:
    plant.put(LEVEL, 2.5)
    look(plant, table)
    plant.clock.advance(5 * SECOND)
    assert LEVEL in look(plant, table)
    assert read(table, LEVEL)[0].StatusCode.value == quality.UNCERTAIN_LAST_USABLE


def test_a_plant_that_was_started_again_is_read_anew(plant: Plant, table: Table) -> None:
    plant.put(LEVEL, 2.5)
    look(plant, table)
    old: list[Any] = [*plant.images.values(), *plant.events.values(), plant.forces]
    plant.make(epoch=2)
    plant.put(LEVEL, 3.5)
    plant.clock.advance(2 * SECOND)
    assert len(look(plant, table)) == len(table)
    assert read(table, LEVEL)[0].Value.Value == 3.5
    for part in old:
        part.close()
