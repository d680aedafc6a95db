"""The disk is full: nothing stops, it is said, and when there is room again everything is there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults import crash, space
from tests.faults.crash import Disk
from tests.faults.test_power import record
from tests.faults.verdict import Said, judge
from tests.faults.work import forgotten_before


def run(module: str, *arguments: str | Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_full_disk_stops_nothing_and_history_is_whole_when_there_is_room_again(tmp_path: Path) -> None:
    space.needed()
    found = run("tests.faults.full", tmp_path / "data")
    assert found["before"]
    assert "full" in found["problem"]
    assert found["lag_s"] > 25
    assert found["free_mb"] < 0.1
    assert [report.get("state") for report in found["reports"]] == ["failing", "recovered"]
    assert found["audited"]  # on the full disk, out of its reserve
    assert found["slowest_s"] < 5  # it is not the loop that reads devices, but its heart beats in this time
    assert found["after"]
    assert found["same"], (found["kept"], found["wanted"])
    assert found["logins"]


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 9))])
def test_a_disk_that_is_full_in_the_middle_of_anything_costs_nothing(tmp_path: Path, seed: int) -> None:
    steps = record(tmp_path, "tests.faults.starved", "{}", str(seed), "130")
    disk = Disk()
    for step in steps:
        disk.take(step)
    crash.write_out(disk.cut(crash.everything), tmp_path / "left")
    judge(tmp_path / "left" / "data" / "history", Said(130, forgotten_before(130)), ahead=0)
