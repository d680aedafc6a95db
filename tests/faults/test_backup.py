"""Backups are made while history is written, folded, sealed and forgotten: each is the history of one moment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from historian.reader import open_reader
from historian.transfer.backup import backup
from historian.transfer.check import check
from historian.transfer.restore import restore, verify
from scada.datadir import DataDir
from tests.faults.test_readers import committed, open_when_there
from tests.faults.verdict import Said, judge
from tests.faults.work import forgotten_before


@pytest.mark.parametrize("copies", [4, pytest.param(40, marks=pytest.mark.slow)])
def test_a_backup_of_a_history_at_work_is_of_one_moment(tmp_path: Path, copies: int) -> None:
    data = DataDir(tmp_path / "data")
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.work", data.history, tmp_path / "said", str(10**6)],
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    ) as worker:
        try:
            store = open_when_there(data.history)
            moments = []
            base = None
            for number in range(copies):
                target = tmp_path / f"backup-{number}"
                before = committed(store)
                backup(data, target, 0, base=base)
                moments.append((target, before, committed(store)))
                base = target
            store.close()
        finally:
            worker.kill()
    for target, before, after in moments:
        assert verify(target)[1] == []
        restored = DataDir(target.with_name(f"{target.name}-restored"))
        restored.root.mkdir()
        restore(target, restored)
        assert check(restored.history).damage == []
        fresh = open_reader(restored.history)
        newest = committed(fresh)
        fresh.close()
        assert before <= newest <= after
        judge(restored.history, Said(newest, forgotten_before(after)), ahead=0)
