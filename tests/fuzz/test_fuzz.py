"""Nothing that arrives makes a reader raise, hang or grow."""

from __future__ import annotations

import os

import pytest

from tests.fuzz.mutate import inputs
from tests.fuzz.run import FoundError, fuzz
from tests.fuzz.targets import TARGETS, Target

SEED = int(os.environ.get("FUZZ_SEED", "1"))


@pytest.mark.parametrize("name", TARGETS)
def test_a_few_inputs(name: str) -> None:
    assert fuzz(TARGETS[name], SEED, 300).accepted > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_200_000_inputs(name: str) -> None:
    outcome = fuzz(TARGETS[name], SEED, 200_000)
    assert 0.001 < outcome.accepted / outcome.count < 0.999, "inputs are not near enough to valid ones"


def test_a_seed_gives_the_same_inputs() -> None:
    seeds = TARGETS["mbap"].seeds()
    assert list(inputs(seeds, 7, 200)) == list(inputs(seeds, 7, 200))
    assert list(inputs(seeds, 7, 200)) != list(inputs(seeds, 8, 200))


def test_what_raises_hangs_or_grows_is_found() -> None:
    def raises(data: bytes) -> bool:
        return data[3] > 0  # too short a one is not met every time

    def hangs(data: bytes) -> bool:
        return sum(range(3_000_000)) > 0

    kept: list[bytes] = []

    def grows(data: bytes) -> None:
        kept.append(bytes(1_000_000) + data)

    for reader, what in ((raises, "IndexError"), (hangs, "ms"), (grows, "memory")):
        with pytest.raises(FoundError, match=what):
            fuzz(Target("planted", TARGETS["mbap"].seeds, lambda reader=reader: reader), 1, 150)  # type: ignore[misc]
