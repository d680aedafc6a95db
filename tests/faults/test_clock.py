"""The clock of the machine is set while the plant runs, by an hour or a day, there and back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from historian.keeper import Keeper
from historian.reader import open_reader
from tags.model import History
from tests.historian.plant import SECOND, Plant, site_with

HOUR, DAY = 3600, 86_400
LEVEL, QUIET = "tank1/LT-101", "tank1/LIC-101/SP"
GAP_S = 10


class Stepped:
    """A plant whose level counts and whose set point rests, with a keeper that ticks once a second."""

    def __init__(self, root: Path) -> None:
        self.plant = Plant(root, site_with(tank1_LIC_101_SP=History(max_gap_ns=GAP_S * SECOND)))
        self.reports: list[tuple[str, dict[str, Any]]] = []
        self.number = 0
        self.keeper = self.start()

    def start(self) -> Keeper:
        return Keeper(
            self.plant.data,
            self.plant.site,
            self.plant.clock,
            lambda kind, **f: self.reports.append((kind, f)),
        )

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.number += 1
            self.plant.put(LEVEL, float(self.number))
            self.plant.put(QUIET, 2.5, after_s=0)  # polled, not changed
            self.keeper.tick()

    def step(self, seconds: int) -> None:
        self.plant.clock.step_utc(seconds * SECOND)

    def raw(self, path: str) -> tuple[np.ndarray, list[float]]:
        store = open_reader(self.plant.data.history)
        found = store.raw(self.plant.id(path), 0, 2**62)
        store.close()
        good = found.status >> 30 == 0
        return found.t[good], found.floats[good].tolist()


@pytest.fixture
def stepped(tmp_path: Path) -> Iterator[Stepped]:
    stepped = Stepped(tmp_path / "data")
    yield stepped
    stepped.keeper.close()
    stepped.plant.stop()
    shutil.rmtree(stepped.plant.data.run.resolve())


@pytest.mark.parametrize("seconds", [HOUR, -HOUR, DAY, -DAY])
@pytest.mark.parametrize("restarted", [False, True])
def test_every_change_is_kept_in_order_and_the_step_is_recorded(
    stepped: Stepped, seconds: int, restarted: bool
) -> None:
    stepped.run(20)
    stepped.step(seconds)
    stepped.run(20)
    if restarted:
        stepped.keeper.close()
        stepped.keeper = stepped.start()
    stepped.run(20)
    t, values = stepped.raw(LEVEL)
    before, after = [float(n) for n in range(1, 21)], [float(n) for n in range(21, 61)]
    assert values == (before + after if seconds > 0 else after + before)
    assert (np.diff(t) >= SECOND // 2).all()
    steps = [fields["step_s"] for kind, fields in stepped.reports if kind == "clock"]
    assert steps == [float(seconds)]


@pytest.mark.parametrize("seconds", [HOUR, DAY])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_clock_that_was_wrong_for_a_while_leaves_no_hole_in_a_quiet_tag(
    stepped: Stepped, seconds: int, restarted: bool
) -> None:
    """Samples from the wrong future must not stand for those that `max_gap` promises."""
    stepped.run(30)
    stepped.step(seconds)
    stepped.run(30)
    stepped.step(-seconds)
    if restarted:
        stepped.keeper.close()
        stepped.keeper = stepped.start()
    stepped.run(60)
    now = stepped.plant.clock.utc_ns()
    t, _ = stepped.raw(QUIET)
    t = t[t <= now]
    assert np.diff(t).max() <= 1.5 * GAP_S * SECOND + 30 * SECOND
    assert now - t.max() <= 1.5 * GAP_S * SECOND


def test_a_device_with_an_absurd_clock_harms_no_other_tag(stepped: Stepped) -> None:
    stepped.run(5)
    for t in (1, 2**62, 2**63 - 1):
        stepped.plant.put("tank1/LV-101/POS", 1.0, source_ns=t)
        stepped.run(1)
    stepped.run(5)
    assert stepped.keeper.ok, stepped.keeper.problem
    assert stepped.raw(LEVEL)[1] == [float(n) for n in range(1, 14)]


def test_a_device_whose_clock_is_ahead_is_not_kept_each_second(stepped: Stepped) -> None:
    ahead = stepped.plant.clock.utc_ns() + DAY * SECOND
    for _ in range(40):
        stepped.plant.put(QUIET, 2.5, source_ns=ahead)
        stepped.keeper.tick()
    t, _ = stepped.raw(QUIET)
    assert t.tolist() == [ahead]
