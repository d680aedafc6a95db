"""kill -9 at random moments of all that writes history, over and over on the same store."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.faults.verdict import Said, judge
from tests.faults.work import forgotten_before

KILLS: Final = int(os.environ.get("SOAK_KILLS", "100"))
LIFE_US: Final = 60_000
FOR_EVER: Final = 10**6


@contextmanager
def killer(folder: Path, *planted: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.faults.kills", str(folder), *planted]
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
    ) as process:
        yield process
        assert process.stdin
        process.stdin.close()


def kill_over_and_over(folder: Path, rounds: int, chance: random.Random, *planted: str) -> Said:
    said = Said(0, 0)
    with killer(folder, *planted) as process:
        assert process.stdin
        assert process.stdout
        for _ in range(rounds):
            after_us = chance.randrange(1, LIFE_US) * chance.choice((-1, 1, 1, 1))
            process.stdin.write(f"{after_us} {FOR_EVER}\n")
            process.stdin.flush()
            words = process.stdout.readline()
            assert "failed" not in words, words
            heard = Said.of(words.split())
            said = Said(max(said.batch, heard.batch), max(said.first_ns, heard.first_ns))
            newest = judge(folder, said)
            said = Said(newest, max(said.first_ns, forgotten_before(newest)))
    return said


@pytest.mark.parametrize("rounds", [12, pytest.param(KILLS, marks=pytest.mark.slow)])
@pytest.mark.timeout(3600)
def test_kill_9_loses_doubles_and_reorders_nothing(tmp_path: Path, rounds: int) -> None:
    said = kill_over_and_over(tmp_path / "history", rounds, random.Random(rounds))
    assert said.batch > rounds
