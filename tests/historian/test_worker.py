"""The thread of the background work: it folds beside the commits, and what fails is told and tried again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from historian.connect import FILE
from historian.fold import worker as module
from historian.fold.work import Work
from historian.fold.worker import Worker
from historian.sqlite import SqliteStore
from historian.store import Committed, StoreDamagedError, StoreError
from scada.clock import SimulatedClock, SystemClock
from tests.historian.contract import END, LEVEL, TAGS, batch
from tests.support.wait import wait_for

SECOND = 1_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with contextlib.closing(SqliteStore.writer(tmp_path)) as store:
        store.declare(TAGS.values())
        yield store


def opens(folder: Path) -> Callable[[Callable[..., None]], Work]:
    return lambda say: Work(folder, folder / FILE, say)


def test_it_folds_beside_the_commits(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PERIOD_S", 0.01)
    monkeypatch.setattr("historian.fold.chores.FOLD_EVERY_NS", 0)
    worker = Worker(opens(tmp_path), SystemClock())
    worker.start()
    for number in range(1, 201):
        store.append(batch((LEVEL, number, float(number), 0), at=number))
        assert store.raw(LEVEL, 0, END).t.tolist() == list(range(1, number + 1))
    wait_for(lambda: store.work().waiting() == (0, 0))
    worker.stop()
    assert worker.problem is None
    assert store.raw(LEVEL, 0, END).t.tolist() == list(range(1, 201))


def test_what_fails_is_told_and_tried_again(store: SqliteStore, tmp_path: Path) -> None:
    full = True
    left: list[int] = []

    def leaving(key: str, rows: list[Committed]) -> None:
        if full:
            raise StoreError("spool.sqlite: disk full")
        left.extend(row.seq for row in rows)

    clock = SimulatedClock()
    worker = Worker(opens(tmp_path), clock, leaving=leaving)
    store.append(batch((LEVEL, 1, 1.0, 0)))
    worker.turn()
    assert "disk full" in str(worker.problem)
    assert store.work().waiting() == (1, 1)
    full = False
    clock.advance(61 * SECOND)
    worker.turn()
    assert worker.problem is None
    assert (left, store.work().waiting(), worker.journal) == ([1], (0, 0), 0)
    assert worker.size > 0
    worker.stop()


def test_what_nobody_thought_of_is_told_and_ends_no_thread(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PERIOD_S", 0.01)

    def wrong() -> None:
        raise OverflowError("too large")

    worker = Worker(opens(tmp_path), SystemClock(), each=wrong)
    worker.start()
    wait_for(lambda: worker.turns > 1)
    assert "OverflowError: too large" in str(worker.problem)
    worker.stop()


def test_a_damaged_history_file_is_told_as_that(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    def broken(*_: Any) -> None:
        raise sqlite3.DatabaseError("database disk image is malformed")

    monkeypatch.setattr(Work, "waiting", broken)
    worker = Worker(opens(tmp_path), SimulatedClock())
    worker.turn()
    assert isinstance(worker.problem, StoreDamagedError)
    worker.stop()


def test_it_stops_in_the_midst_of_a_long_step(store: SqliteStore, tmp_path: Path) -> None:
    def each() -> None:
        worker._stopping.set()

    worker = Worker(opens(tmp_path), SimulatedClock(), each=each)
    store.append(batch((LEVEL, 1, 1.0, 0)))
    worker.turn()
    worker.stop()
    assert store.work().waiting() == (1, 1)
