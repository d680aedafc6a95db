"""Every change in order, from real rings."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scada.client import Client
from tags.ring import RingWriter, changes
from tags.types import from_bits, to_bits
from tests.client.plant import Plant

LEVEL, PUMP = "tank1/LT-101", "tank1/P-101/RUN"


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    plant = Plant(tmp_path / "data")
    yield plant
    plant.close()
    shutil.rmtree(plant.data.run.resolve())


def append(plant: Plant, path: str, *values: float, epoch: int = 1) -> None:
    tag = plant.tags[path]
    ring = RingWriter.open(plant.data.ring(tag.writer), epoch)
    for value in values:
        ring.append(changes(tag.id, 0, 1, 2, to_bits(tag.type, value), 1))
    ring.close()


def test_changes_come_in_order_from_now_on_and_over_a_restart(plant: Plant) -> None:
    append(plant, LEVEL, 1.0)
    with Client(plant.data.root, clock=plant.clock) as client:
        follower = client.follow_changes()
        append(plant, LEVEL, 2.0, 3.0, 2.0)
        append(plant, PUMP, 1)
        found = follower.poll()
        seen = [
            (client.tag_list[row].path, bits)
            for row, bits in zip(found.rows, found.bits.tolist(), strict=True)
        ]
        assert [from_bits("float64", bits) for path, bits in seen if path == LEVEL] == [2.0, 3.0, 2.0]
        assert [bits for path, bits in seen if path == PUMP] == [1]
        assert len(follower.poll().rows) == 0
        follower.close()


def test_a_follower_that_was_lapped_says_how_many_it_lost(plant: Plant) -> None:
    with Client(plant.data.root, clock=plant.clock) as client:
        follower = client.follow_changes()
        tag = plant.tags[LEVEL]
        ring = RingWriter.open(plant.data.ring(tag.writer), 1)
        ring.append(changes(tag.id, 0, 1, 2, to_bits(tag.type, 5.0), 5000))
        ring.close()
        found = follower.poll()
        assert found.lost + len(found.rows) >= 5000
        assert found.lost > 0
        follower.close()
