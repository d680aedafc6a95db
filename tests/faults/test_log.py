"""A bit flips in a write-ahead log, and then the machine stops: SQLite drops what stands behind it, and must not do so unseen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from historian import wal
from historian.connect import FILE
from historian.sqlite import SqliteStore
from historian.transfer.check import check
from tests.faults.full import CHANGES, Watched
from tests.faults.work import WRITER

_LEFT = """
import os, sys
from pathlib import Path
from historian.sqlite import SqliteStore
from tests.faults.work import batch_of
from tests.historian.contract import TAGS
store = SqliteStore.writer(Path(sys.argv[1]))
store.declare(TAGS.values())
for number in range(1, 41):
    store.append(batch_of(number))
os._exit(0)  # without closing: the log stays
"""


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("log") / "history"
    subprocess.run([sys.executable, "-c", _LEFT, folder], check=True)
    return folder


@pytest.fixture
def flipped(left: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "history"
    shutil.copytree(left, folder)
    log = folder / f"{FILE}-wal"
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 4
    log.write_bytes(data)
    return folder


def test_a_whole_log_and_one_with_a_torn_end_are_in_order(left: Path, tmp_path: Path) -> None:
    assert wal.damaged(left) == []
    shutil.copytree(left, tmp_path / "history")
    log = tmp_path / "history" / f"{FILE}-wal"
    os.truncate(log, log.stat().st_size - 5000)
    assert wal.damaged(tmp_path / "history") == []


def test_the_frame_and_the_commits_behind_it_are_named(flipped: Path) -> None:
    ((path, wrong),) = wal.damaged(flipped)
    report = check(flipped)
    assert path == flipped / FILE
    assert [(damage.file, damage.block) for damage in report.damage] == [
        (f"{FILE}-wal", f"frame {wrong.frame}")
    ]
    store = SqliteStore.writer(flipped)
    reached = store.position(*WRITER)
    store.close()
    assert reached is not None
    assert reached.sequence + wrong.commits in (39, 40)  # the one that was hit is gone, too


@pytest.fixture
def watched(flipped: Path) -> Iterator[Watched]:
    watched = Watched(flipped.parent)
    yield watched
    watched.keeper.close()
    watched.plant.stop()
    shutil.rmtree(watched.plant.data.run.resolve())


def test_the_historian_says_so_keeps_a_copy_and_goes_on(watched: Watched, flipped: Path) -> None:
    before = (flipped / f"{FILE}-wal").read_bytes()
    watched.second()
    said = [report for report in watched.reports if report.get("state") == "history damaged"]
    assert len(said) == 1
    assert "commits behind it are lost" in said[0]["message"]
    (copy,) = flipped.glob("*.damaged-*")
    assert copy.read_bytes() == before
    watched.second()
    assert set(watched.wanted[-CHANGES:]) <= set(
        watched.kept()[0]
    )  # positions in the rings were those of `work`
