from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from historian import keeper as keeper_module
from historian.connect import FILE
from historian.keeper import Keeper
from historian.reader import open_reader
from historian.sqlite import SqliteStore
from historian.store import BAD_DATA_LOST, Batch, Samples, StoreError
from tags import quality
from tags.model import History
from tags.slots import SlotWriter
from tests.historian.plant import SECOND, Plant, site_with

ALL = 2**62


class Kept:
    """A keeper and what it reports."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self.reports: list[tuple[str, dict[str, Any]]] = []
        self.keeper = Keeper(
            plant.data, plant.site, plant.clock, lambda kind, **f: self.reports.append((kind, f))
        )

    def tick(self) -> None:
        self.plant.clock.advance(SECOND)
        self.keeper.tick()

    def raw(self, path: str, **options: Any) -> Samples:
        store = open_reader(self.plant.data.history)
        try:
            return store.raw(self.plant.id(path), 0, ALL, **options)
        finally:
            store.close()

    def good(self, path: str) -> list[Any]:
        found = self.raw(path)
        return [
            value
            for value, status in zip(found.values, found.status.tolist(), strict=True)
            if status >> 30 == 0
        ]

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        store = open_reader(self.plant.data.history)
        try:
            return store.events(0, ALL, kinds or None)
        finally:
            store.close()


@pytest.fixture
def kept(plant: Plant) -> Kept:
    return Kept(plant)


def test_every_change_of_every_service_is_kept(plant: Plant, kept: Kept) -> None:
    first = plant.put("tank1/LT-101", 1.0)
    kept.tick()
    second = plant.put("tank1/LT-101", 2.0)
    plant.put("tank1/draining", value=True)
    plant.put("tank1/LT-101", 2.5, quality.BAD_NO_COMMUNICATION)
    kept.tick()
    found = kept.raw("tank1/LT-101")
    assert found.status.tolist() == [quality.BAD_WAITING_FOR_INITIAL_DATA, 0, 0, quality.BAD_NO_COMMUNICATION]
    assert found.t[1:3].tolist() == [first, second]
    assert kept.good("tank1/draining") == [True]
    assert kept.keeper.ok
    assert kept.keeper.lag_s() == 0


def test_texts_and_their_quality_are_kept(plant: Plant, kept: Kept) -> None:
    plant.put("tank1/note", "eins")
    kept.tick()
    plant.put("tank1/note", "eins", quality.UNCERTAIN_LAST_USABLE)
    plant.put("tank1/note", "zwei")
    plant.put("tank1/note", "zwei")
    kept.tick()
    found = kept.raw("tank1/note")
    assert found.values == ["eins", "eins", "zwei"]
    assert found.status.tolist() == [0, quality.UNCERTAIN_LAST_USABLE, 0]


def test_events_are_kept_with_their_service(plant: Plant, kept: Kept) -> None:
    plant.event("alarm", path="tank1/LT-101/HH")
    plant.event("login", writer="hmi", user="anna")
    plant.publishers["hmi"].events.append(b"not json")
    plant.publishers["hmi"].events.append(b'{"kind": "odd", "t": 1e300}')
    kept.tick()
    assert [(e["kind"], e["service"]) for e in kept.events("alarm", "login")] == [
        ("alarm", "control"),
        ("login", "hmi"),
    ]


def test_a_new_keeper_goes_on_where_the_last_one_was(plant: Plant, kept: Kept) -> None:
    plant.put("tank1/LT-101", 1.0)
    kept.tick()
    plant.put("tank1/LT-101", 2.0)  # nobody saw the last one stop
    again = Kept(plant)
    again.tick()
    plant.start_service("field")
    again.tick()
    assert kept.good("tank1/LT-101") == [1.0, 2.0]
    assert again.keeper.gaps == 0


def test_a_ring_that_overran_leaves_a_gap_and_the_value_of_now(plant: Plant, kept: Kept) -> None:
    plant.put("tank1/LT-101", 1.0)
    plant.put("tank1/LV-101/POS", 55.0)
    kept.tick()
    for number in range(20_000):
        plant.put("tank1/LT-101", float(number % 5), after_s=0.001)
    kept.tick()
    position = kept.raw("tank1/LV-101/POS")
    assert position.status.tolist()[-3:] == [0, BAD_DATA_LOST, 0]
    assert position.values[-1] == 55.0
    assert np.diff(position.t).min() > 0
    kept.tick()
    assert kept.keeper.gaps == 1
    assert kept.reports[0][0] == "gap"
    assert kept.reports[0][1]["writer"] == "field"
    assert kept.reports[0][1]["lost"] > 3000


def test_a_night_off_is_a_gap(plant: Plant, kept: Kept) -> None:
    plant.put("tank1/LIC-101/SP", 2.5)
    kept.tick()
    last = plant.put("tank1/LIC-101/SP", 3.0)  # in the ring when everything stops
    plant.stop()
    plant.clock.advance(3600 * SECOND)
    plant.start()
    restored = plant.put("tank1/LIC-101/SP", 3.0, source_ns=last)  # as control restores it
    assert restored == last
    again = Kept(plant)
    again.tick()
    found = again.raw("tank1/LIC-101/SP")
    statuses = found.status.tolist()
    assert statuses[-3:] == [BAD_DATA_LOST, quality.BAD_WAITING_FOR_INITIAL_DATA, 0]
    assert found.t[statuses.index(BAD_DATA_LOST)] - last < SECOND
    assert found.t[-1] >= plant.clock.utc_ns() - 2 * SECOND
    assert again.reports[0][1]["reason"] == "the plant was not running"
    assert len(again.raw("tank1/LT-101/HH")) == 3


def test_a_quiet_tag_is_kept_now_and_then(tmp_path: Path) -> None:
    plant = Plant(tmp_path / "other", site_with(tank1_LT_101=History(max_gap_ns=10 * SECOND)))
    kept = Kept(plant)
    plant.put("tank1/LT-101", 1.0)
    for _ in range(35):
        plant.put("tank1/LT-101", 1.0, after_s=0)  # polled, not changed: not in the ring
        kept.tick()
    steps = np.diff(kept.raw("tank1/LT-101").t[1:])
    assert len(steps) == 3
    assert (steps >= 9 * SECOND).all()
    assert (steps <= 10 * SECOND).all()
    plant.stop()


def test_a_disk_that_fails_stops_nothing(plant: Plant, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    plant.put("tank1/LT-101", 1.0)
    kept.tick()
    append = SqliteStore.append

    def full(self: SqliteStore, batch: Batch) -> bool:
        raise StoreError(f"{self.path}: database or disk is full")

    monkeypatch.setattr(SqliteStore, "append", full)
    for value in (2.0, 3.0, 4.0):
        plant.put("tank1/LT-101", value)
        kept.tick()
    assert "disk is full" in kept.keeper.problem
    assert kept.keeper.lag_s() > 2
    assert [(kind, fields["state"]) for kind, fields in kept.reports] == [("service", "failing")]
    assert "disk is full" in kept.reports[0][1]["message"]
    monkeypatch.setattr(SqliteStore, "append", append)
    kept.tick()
    assert kept.keeper.ok
    assert kept.reports[-1][1]["state"] == "recovered"
    assert kept.good("tank1/LT-101") == [1.0, 2.0, 3.0, 4.0]


def test_a_long_failure_uses_bounded_memory_and_ends_as_a_gap(
    plant: Plant, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.tick()
    append = SqliteStore.append
    monkeypatch.setattr(keeper_module, "WAITING_MAX", 1000)

    def full(self: SqliteStore, batch: Batch) -> bool:
        raise StoreError("full")

    monkeypatch.setattr(SqliteStore, "append", full)
    for number in range(40_000):
        plant.put("tank1/LT-101", float(number), after_s=0.001)
        if number % 1000 == 0:
            kept.tick()
    waiting = sum(len(batch.samples) for batch in kept.keeper._waiting)
    assert waiting < 3000
    monkeypatch.setattr(SqliteStore, "append", append)
    for _ in range(3):
        kept.tick()
    found = kept.raw("tank1/LT-101")
    assert BAD_DATA_LOST in found.status.tolist()
    assert found.values[-1] == 39_999.0
    assert kept.keeper.gaps == 1


def test_a_damaged_history_is_moved_aside_and_a_new_one_begun(plant: Plant, kept: Kept) -> None:
    (plant.data.history / FILE).write_bytes(b"rubbish" * 1000)
    plant.put("tank1/LT-101", 1.0)
    kept.tick()
    kept.tick()
    assert kept.good("tank1/LT-101") == [1.0]
    assert kept.reports[0][1]["state"] == "history damaged"
    assert ".damaged-" in kept.reports[0][1]["message"]
    assert len(list(plant.data.history.glob("*.damaged-*"))) == 1


def test_a_deleted_history_is_begun_anew(plant: Plant, kept: Kept) -> None:
    plant.put("tank1/LT-101", 1.0)
    kept.tick()
    shutil.rmtree(plant.data.history)
    plant.data.history.mkdir()
    plant.put("tank1/LT-101", 2.0)
    kept.tick()
    assert kept.good("tank1/LT-101") == [2.0]


def test_a_clock_that_is_set_is_an_event_and_loses_nothing(plant: Plant, kept: Kept) -> None:
    plant.put("tank1/LT-101", 1.0)
    kept.tick()
    plant.clock.step_utc(-3600 * SECOND)
    plant.put("tank1/LT-101", 2.0)
    kept.tick()
    plant.put("tank1/LT-101", 3.0)
    kept.tick()
    assert [(kind, fields["step_s"]) for kind, fields in kept.reports] == [("clock", -3600.0)]
    assert sorted(kept.good("tank1/LT-101")) == [1.0, 2.0, 3.0]


def test_a_clock_that_is_wrong_by_years_does_not_forget_history(plant: Plant, kept: Kept) -> None:
    plant.put("tank1/LT-101", 1.0)
    kept.tick()
    assert isinstance(kept.keeper._store, SqliteStore)
    kept.keeper._store.fold(force=True)
    plant.clock.step_utc(3 * 365 * 86_400 * SECOND)
    kept.tick()
    again = Kept(plant)
    again.tick()
    assert 1.0 in kept.good("tank1/LT-101")
    plant.clock.advance(86_401 * SECOND)
    kept.tick()
    assert 1.0 not in kept.good("tank1/LT-101")


def test_a_wrong_clock_does_not_forget_history_after_a_restart_either(plant: Plant, kept: Kept) -> None:
    plant.put("tank1/LT-101", 1.0)
    kept.tick()
    assert isinstance(kept.keeper._store, SqliteStore)
    kept.keeper._store.fold(force=True)
    plant.clock.step_utc(10 * 365 * 86_400 * SECOND)
    kept.tick()
    kept.keeper.close()
    again = Kept(plant)
    again.tick()
    for _ in range(3):
        plant.clock.advance(4 * 3600 * SECOND)
        again.tick()
        assert 1.0 in again.good("tank1/LT-101")
    plant.clock.advance(14 * 3600 * SECOND)
    again.tick()
    assert 1.0 not in again.good("tank1/LT-101")
    again.keeper.close()


def test_a_damaged_batch_is_put_aside_and_said(plant: Plant, kept: Kept) -> None:
    plant.put("tank1/LT-101", 1.0)
    kept.tick()
    store = kept.keeper._store
    assert isinstance(store, SqliteStore)
    plant.put("tank1/LT-101", 2.0)
    kept.tick()
    store._connection.execute("UPDATE journal SET samples = zeroblob(100)")
    for _ in range(61):
        kept.tick()
    plant.put("tank1/LT-101", 3.0)
    kept.tick()
    assert kept.good("tank1/LT-101") == [1.0, 3.0]
    assert kept.reports[-1][1]["state"] == "history damaged"
    (path,) = (plant.data.history / "days").glob("*.sqlite")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as day:
        day.execute("UPDATE chunk SET samples = zeroblob(50)")
    found = kept.raw("tank1/LT-101")
    assert found.status.tolist()[0] == BAD_DATA_LOST


def test_controls_state_is_saved_whole(plant: Plant, kept: Kept) -> None:
    slots = SlotWriter.open(plant.data.control_state, 1)
    kept.tick()
    assert [path.name for path in plant.data.state.iterdir()] == []
    slots.write(b"first")
    kept.tick()
    assert plant.data.control_state_saved.read_bytes() == b"first"
    slots.write(b"second")
    kept.keeper.close()
    assert plant.data.control_state_saved.read_bytes() == b"second"
    assert [path.name for path in plant.data.state.iterdir()] == ["control.state"]
    slots.close()


def test_nothing_of_another_site_disturbs(plant: Plant, kept: Kept) -> None:
    kept.tick()
    smaller = Plant(plant.data.root, site_with())
    again = Kept(smaller)
    again.tick()
    assert again.keeper.ok
    smaller.stop()
