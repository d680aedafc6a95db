"""Policies in the historian itself: from the rings to the store, over restarts and clock steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from historian.keeper import Keeper
from historian.reader import open_reader
from historian.store import BAD_DATA_LOST
from tags.model import History
from tests.historian.plant import SECOND, Plant, site_with

ALL = 2**62
PATH = "tank1/LT-101"
EVERY = History(policy="periodic", period_ns=2 * SECOND, max_gap_ns=2 * SECOND)
DOOR = History(policy="swinging door", deviation=0.5, max_gap_ns=60 * SECOND)


@pytest.fixture
def plants(tmp_path: Path) -> Iterator[Callable[[History], Plant]]:
    made: list[Plant] = []

    def make(history: History) -> Plant:
        made.append(Plant(tmp_path / "data", site_with(tank1_LT_101=history)))
        return made[-1]

    yield make
    for plant in made:
        plant.stop()


def keeper_of(plant: Plant) -> Keeper:
    return Keeper(plant.data, plant.site, plant.clock, lambda kind, **fields: None)


def kept(plant: Plant, start: int = 0) -> list[tuple[float, Any]]:
    """Seconds since the start, and values of the Good samples."""
    store = open_reader(plant.data.history)
    found = store.raw(plant.id(PATH), start, ALL)
    store.close()
    rows = zip(found.t.tolist(), found.values, found.status.tolist(), strict=True)
    return [((t - start) / SECOND, value) for t, value, status in rows if status == 0]


def test_a_periodic_tag_has_a_sample_at_each_multiple(plants: Callable[[History], Plant]) -> None:
    plant = plants(EVERY)
    keeper = keeper_of(plant)
    keeper.tick()
    start = plant.clock.utc_ns()
    assert start % (2 * SECOND) == 0
    plant.put(PATH, 1.0, after_s=0.5)
    plant.put(PATH, 2.0, after_s=0.2)
    for _ in range(8):
        plant.clock.advance(SECOND)
        keeper.tick()
    assert kept(plant, start) == [(0.5, 1.0), (2, 2.0), (4, 2.0), (6, 2.0)]
    plant.clock.step_utc(3600 * SECOND)
    keeper.tick()
    plant.clock.advance(3 * SECOND)
    keeper.tick()
    assert [t for t, _ in kept(plant, start)[4:]] == [3608, 3610]
    keeper.close()


def test_a_plant_that_was_off_owes_nothing(plants: Callable[[History], Plant]) -> None:
    plant = plants(EVERY)
    keeper = keeper_of(plant)
    plant.put(PATH, 1.0)
    plant.clock.advance(5 * SECOND)
    keeper.close()
    plant.stop()
    plant.clock.advance(3600 * SECOND)
    plant.start()
    stopped = plant.clock.utc_ns() - 3600 * SECOND
    keeper = keeper_of(plant)
    keeper.tick()
    assert [round(t) for t, _ in kept(plant)] == [stopped // SECOND - 5 + i for i in (0, 1, 3, 5)]
    store = open_reader(plant.data.history)
    assert BAD_DATA_LOST in store.raw(plant.id(PATH), 0, ALL).status.tolist()
    store.close()
    keeper.close()


def test_a_door_misses_nothing_over_a_crash(plants: Callable[[History], Plant]) -> None:
    plant = plants(DOOR)
    keeper = keeper_of(plant)
    values = [0.0, 0.1, 0.2, 0.3, 0.4, 5.0, 5.1, 5.2, 5.3, 9.0]
    for number, value in enumerate(values):
        plant.put(PATH, value)
        keeper.tick()
        if number in (3, 7):
            keeper = keeper_of(plant)  # nobody saw the last one stop
    assert [value for _, value in kept(plant)] == [0.0, 0.4, 5.0, 5.3]
    plant.clock.advance(61 * SECOND)
    keeper.tick()
    assert [value for _, value in kept(plant)] == [0.0, 0.4, 5.0, 5.3, 9.0]
    keeper.close()
