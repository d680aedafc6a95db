"""Somebody reads all the time, from another process, while history is written, folded and settled."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from historian.reader import open_reader
from historian.store import Store, StoreError
from tests.faults.verdict import ALL
from tests.faults.work import DAY, KEPT_DAYS, SAMPLED, WRITER, batch_of, time_of
from tests.support.wait import wait_for

Rows = list[tuple[int, int]]


def open_when_there(folder: Path) -> Store:
    def there() -> Store | None:
        try:
            return open_reader(folder)
        except StoreError:
            return None

    return wait_for(there)


def committed(store: Store) -> int:
    reached = store.position(*WRITER)
    return reached.sequence if reached else 0


def wanted(tag: int, newest: int, since_ns: int) -> Rows:
    made = np.concatenate([batch_of(0).samples[:0], *(batch_of(n).samples for n in range(1, newest + 1))])
    made = made[(made["tag"] == tag) & (made["t"] >= since_ns)]
    made = made[np.argsort(made["t"], kind="stable")]
    return list(zip(made["t"].tolist(), made["bits"].tolist(), strict=True))


@pytest.mark.parametrize("last", [40, pytest.param(400, marks=pytest.mark.slow)])
def test_a_reader_sees_every_commit_once_and_in_order(tmp_path: Path, last: int) -> None:
    folder = tmp_path / "history"
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.work", folder, tmp_path / "said", str(last)],
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    ) as worker:
        store = open_when_there(folder)
        looks = 0
        while committed(store) < last:
            tag = SAMPLED[looks % len(SAMPLED)]
            before = committed(store)
            since_ns = time_of(before) - (KEPT_DAYS - 2) * DAY
            found = store.raw(tag, since_ns, ALL)
            rows = list(zip(found.t.tolist(), found.bits.tolist(), strict=True))
            # All from before the question, once and in order; of what came during it, there may be a part.
            old = [row for row in rows if row[1] <= np.float64(before).view(np.uint64)]
            assert old == wanted(tag, before, since_ns)
            every = iter(wanted(tag, committed(store), since_ns))
            assert all(row in every for row in rows)
            latest = {int(row["tag"]): float(row["bits"].view(np.float64)) for row in store.last()}
            assert min(latest.get(tag, 0) for tag in SAMPLED) >= before - 1
            looks += 1
        assert worker.wait(30) == 0
    assert looks > 3
    store.close()
