"""The power goes while history is written. No acknowledged batch may be missing on any disk that it may leave behind."""

from __future__ import annotations

import os
import pickle
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from historian import audit
from historian.audit import Trail
from historian.days import DayFile
from tests.faults import crash, space
from tests.faults.crash import Disk
from tests.faults.forgetful import Step
from tests.faults.verdict import Said, WrongError, judge

CUTS: Final = int(os.environ.get("SOAK_CUTS", "400"))
PLACES: Final = int(os.environ.get("SOAK_PLACES", "400"))


def record(tmp_path: Path, *command: str) -> list[Step]:
    """The steps of a command on a disk that forgets; `{}` in it is where the disk is."""
    space.needed()
    mount, log = tmp_path / "disk", tmp_path / "log"
    mount.mkdir()
    python = (sys.executable, "-m")
    done = subprocess.run(
        [*python, "tests.faults.forgetful", mount, log, *python, *(word.format(mount) for word in command)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    steps: list[Step] = pickle.loads(log.read_bytes())
    return steps


def cuts_of(
    steps: list[Step], tmp_path: Path, cuts: int, chance: random.Random, what_is_left: random.Random
) -> Iterator[tuple[int, Path, list[str]]]:
    """Cuts the power at `cuts` places: before which step, what is left, and what had been said."""
    disk = Disk()
    places = set(chance.sample(range(len(steps)), min(cuts, len(steps))))
    for number, step in enumerate(steps):
        if number in places:
            left = tmp_path / f"left-{number}"
            crash.write_out(disk.cut(what_is_left), left)
            yield number, left, disk.said
            shutil.rmtree(left, ignore_errors=True)
        disk.take(step)


def cut_everywhere(
    steps: list[Step],
    tmp_path: Path,
    cuts: int,
    chance: random.Random,
    *,
    what_is_left: random.Random | None = None,
) -> None:
    """Cuts the power at `cuts` places and looks at the history on what is left."""
    for number, left, said in cuts_of(steps, tmp_path, cuts, chance, what_is_left or chance):
        try:
            judge(left / "data" / "history", Said.of(said))
        except WrongError as wrong:
            raise WrongError(f"power cut before step {number} {steps[number][:3]}: {wrong}") from wrong


@pytest.mark.parametrize("cuts", [15, pytest.param(CUTS, marks=pytest.mark.slow)])
@pytest.mark.timeout(7200)
def test_no_acknowledged_batch_is_lost_when_the_power_goes(tmp_path: Path, cuts: int) -> None:
    steps = record(tmp_path, "tests.faults.work", "{}/data/history", "{}/said", "130")
    cut_everywhere(steps, tmp_path, cuts, random.Random(cuts))


@pytest.mark.parametrize("places", [12, pytest.param(PLACES, marks=pytest.mark.slow)])
@pytest.mark.timeout(7200)
def test_a_worker_may_be_killed_between_any_two_steps(tmp_path: Path, places: int) -> None:
    """All that was written is there, as after kill -9; in the long run every place is tried."""
    steps = record(tmp_path, "tests.faults.work", "{}/data/history", "{}/said", "45")
    cut_everywhere(steps, tmp_path, places, random.Random(places), what_is_left=crash.everything)


@pytest.mark.parametrize("cuts", [30, pytest.param(CUTS, marks=pytest.mark.slow)])
@pytest.mark.timeout(7200)
def test_no_entry_of_the_audit_trail_is_lost_when_the_power_goes(tmp_path: Path, cuts: int) -> None:
    steps = record(tmp_path, "tests.faults.audited", "{}/data/history", "{}/said", "60")
    chance = random.Random(cuts)
    for number, left, said in cuts_of(steps, tmp_path, cuts, chance, chance):
        written = max(map(int, said), default=0)
        folder = left / "data" / "history"
        with Trail(folder):
            verdict = audit.verify(folder)
        assert verdict.ok, (number, verdict)
        assert written <= verdict.entries <= written + 1, number


@pytest.mark.parametrize("bug", ["lazy", "nameless"])
def test_a_store_that_does_not_flush_is_found_out(tmp_path: Path, bug: str) -> None:
    steps = record(tmp_path, "tests.faults.work", "{}/data/history", "{}/said", "20", bug)
    with pytest.raises(WrongError, match="batch"):
        cut_everywhere(steps, tmp_path, 100, random.Random(1))


def test_rows_that_leave_the_journal_too_early_are_found_out(tmp_path: Path) -> None:
    steps = record(tmp_path, "tests.faults.work", "{}/data/history", "{}/said", "20", "hasty")
    with pytest.raises(WrongError, match="lost"):
        cut_everywhere(steps, tmp_path, 80, random.Random(1), what_is_left=crash.everything)


def test_days_that_do_not_know_what_they_have_are_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = record(tmp_path, "tests.faults.work", "{}/data/history", "{}/said", "20")
    monkeypatch.setattr(DayFile, "rolled", lambda *_: 0)
    with pytest.raises(WrongError, match="twice"):
        cut_everywhere(steps, tmp_path, 80, random.Random(1), what_is_left=crash.everything)
