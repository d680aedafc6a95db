"""Disasters at random moments, over and over on one plant; the seed is printed, and a failing one repeats."""

from __future__ import annotations

import os
import random
from collections import defaultdict
from collections.abc import Iterator

import pytest

from tests.safety.rig import VALVE, Rig
from tests.safety.rounds import ROUNDS, calm

ROUNDS_COUNT = int(os.environ.get("SOAK_ROUNDS", "9"))
SEED = int(os.environ.get("SOAK_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 30)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("safety")) as rig:
        yield rig


@pytest.mark.slow
@pytest.mark.timeout(300 + 60 * ROUNDS_COUNT)
def test_whatever_dies_or_freezes_the_plant_does_what_is_declared(rig: Rig) -> None:
    """Also: nothing at all is written before somebody arms the outputs."""
    unarmed = list(rig.witness.looks)
    touched = [look for look in unarmed if any((*look.start, *look.stop, look.beat))]
    assert not touched, f"written without arming: {touched[0]}"
    assert len({look.valve for look in unarmed}) == 1
    assert "not armed" in rig.client.write(VALVE, 50.0).reasons[0]
    rig.arm()

    chance = random.Random(SEED)
    print(f"seed {SEED}: repeat with SOAK_SEED={SEED} SOAK_ROUNDS={ROUNDS_COUNT}")
    took: dict[str, list[float]] = defaultdict(list)
    order = [ROUNDS[n % len(ROUNDS)] for n in range(ROUNDS_COUNT)]
    chance.shuffle(order)
    for number, (name, disaster) in enumerate(order):
        calm(rig)
        try:
            took[name].append(disaster(rig, chance))
        except AssertionError as error:
            raise AssertionError(f"round {number} of seed {SEED}, {name}: {error}") from error
        del rig.witness.looks[:-10]
    for name, seconds in sorted(took.items()):
        print(f"{name}: {len(seconds)} times, time to safe up to {max(seconds):.2f} s")
