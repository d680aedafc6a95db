"""An import is interrupted, by a kill or by the power, and called again: each row comes in exactly once."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from historian.sqlite import SqliteStore
from tests.faults import crash
from tests.faults.imports import ROWS, START, STEP, bring_in, csv_file
from tests.faults.test_power import CUTS, cuts_of, record
from tests.faults.verdict import ALL
from tests.historian.contract import LEVEL


def rows_in(folder: Path) -> list[int]:
    store = SqliteStore.writer(folder)
    found = store.raw(LEVEL, 0, ALL)
    store.close()
    places = found.bits.view(np.float64).astype(int).tolist()
    assert found.t.tolist() == [START + place * STEP for place in places]
    return list(places)


@pytest.mark.parametrize("power", [False, True])
@pytest.mark.parametrize("cuts", [4, pytest.param(CUTS // 10, marks=pytest.mark.slow)])
@pytest.mark.timeout(7200)
def test_an_interrupted_import_goes_on_with_the_next_row(tmp_path: Path, cuts: int, power: bool) -> None:
    path = csv_file(tmp_path)
    steps = record(tmp_path, "tests.faults.imports", "{}/data/history", "{}/said", str(path))
    chance = random.Random(cuts)
    begun = 0
    for number, left, said in cuts_of(steps, tmp_path, cuts, chance, chance if power else crash.everything):
        folder = left / "data" / "history"
        before = rows_in(folder)
        assert before == list(range(ROWS if said else len(before))), number
        added = bring_in(folder, path)
        assert added == ROWS - len(before), number
        assert rows_in(folder) == list(range(ROWS)), number
        begun += 0 < len(before) < ROWS
    assert begun > cuts // 4
