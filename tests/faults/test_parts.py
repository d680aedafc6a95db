"""Files of one history that do not belong to one moment: lost, deleted, or put back from an older copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from historian.connect import FILE
from historian.sqlite import SqliteStore
from tests.faults.verdict import ALL
from tests.faults.work import SAMPLED, batch_of
from tests.historian.contract import TAGS


def put(folder: Path, first: int, last: int) -> None:
    store = SqliteStore.writer(folder)
    store.declare(TAGS.values())
    for number in range(first, last + 1):
        store.append(batch_of(number))
        if number % 3 == 0:
            store.fold(force=True)
    store.close()


def numbers(folder: Path, tag: int = SAMPLED[0]) -> set[int]:
    """Batches of which there are samples."""
    store = SqliteStore.writer(folder)
    found = store.raw(tag, 0, ALL)
    store.close()
    good = found.bits[found.status == 0].view(np.float64)
    return {int(value) for value in good.tolist()}


def test_an_older_journal_beside_newer_days_swallows_nothing_new(tmp_path: Path) -> None:
    history, copy = tmp_path / "history", tmp_path / FILE
    put(history, 1, 40)
    shutil.copy(history / FILE, copy)
    put(history, 41, 70)
    shutil.copy(copy, history / FILE)
    put(history, 71, 100)  # with numbers of commits that the days have seen already
    assert numbers(history) >= set(range(71, 101)) | set(range(1, 67))


def test_days_are_taken_over_when_the_journal_is_lost(tmp_path: Path) -> None:
    put(tmp_path, 1, 60)
    (tmp_path / FILE).unlink()
    assert numbers(tmp_path) == set(range(1, 61))
    put(tmp_path, 61, 100)
    assert numbers(tmp_path) == set(range(1, 101))


def test_a_day_that_somebody_deleted_is_missing_alone(tmp_path: Path) -> None:
    put(tmp_path, 1, 60)
    files = sorted((tmp_path / "days").glob("*.sqlite"))
    files[1].unlink()
    left = numbers(tmp_path)
    assert left < set(range(1, 61))
    assert len(left) > 30
    put(tmp_path, 61, 100)
    assert numbers(tmp_path) == left | set(range(61, 101))
