"""A running plant under every attack that we know of: the others go on, memory comes back, control notices nothing.

How fast the others go on is measured by `python -m bench.opcua.attacks` on a quiet machine; other tests run beside these.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from bench.opcua.attacks import MEMORY_MB, Outcome, Stage, stage

pytestmark = pytest.mark.slow

# The others are seen whole in `test_connections`.
SCALE = {"hoarding": 0.05, "half_open": 0.2, "sessions": 0.05, "subscriptions": 0.05, "items": 0.05, "big_reads": 0.05,
         "slow_readers": 0.1, "publishes": 0.05, "passwords": 0.1, "fuzz": 0.01}  # fmt: skip
READ_MS, NEWCOMER_S = 3000.0, 8.0  # on a machine that does ten things at once
FORBIDDEN = {
    "hoarding": ("taken",),
    "slow_readers": ("kept",),
    "passwords": ("taken",),
}


@pytest.fixture(scope="module")
def plant() -> Iterator[Stage]:
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    with stage() as running:
        yield running


@pytest.mark.parametrize("name", SCALE)
def test_the_others_go_on(plant: Stage, name: str) -> None:
    its: Outcome = asyncio.run(plant.attack(name, SCALE[name], calm_s=0.5, quiet_s=0.5))
    print(its.line())
    assert all(not its.found.get(word) for word in FORBIDDEN.get(name, ())), its.found
    assert max(its.reads_ms) <= READ_MS, its.line()
    assert max(its.newcomers_s) <= NEWCOMER_S, its.line()
    assert its.peak_mb - its.before_mb <= MEMORY_MB, its.line()
    assert its.after_mb - its.before_mb <= MEMORY_MB / 4, its.line()
    assert its.late_ms <= 20 + 2 * its.late_before_ms, its.line()
