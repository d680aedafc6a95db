"""Whether control is alive, judged by own on-time ticks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scada.field.watch import Watch

TICK = 50_000_000


def test_alive_once_the_counter_moved_and_dead_after_a_second_of_own_ticks() -> None:
    watch = Watch(TICK)
    now = 0
    assert not watch.tick(7, now)
    for count in range(8, 12):
        now += TICK
        assert watch.tick(count, now)
    alive = []
    for _ in range(25):
        now += TICK
        alive.append(watch.tick(11, now))
    assert alive == [True] * 19 + [False] * 6
    assert watch.tick(12, now + TICK)


def test_a_late_watcher_calls_nobody_dead() -> None:
    watch = Watch(TICK)
    watch.tick(1, 0)
    watch.tick(2, TICK)
    now = TICK
    for _ in range(100):
        now += 60_000_000_000  # the machine slept between any two ticks
        assert watch.tick(2, now)


@given(st.lists(st.integers(0, 2), max_size=200))
def test_a_counter_that_moves_every_second_tick_is_never_dead(steps: list[int]) -> None:
    watch = Watch(TICK)
    count, now = 0, 0
    watch.tick(count, now)
    for step in steps:
        now += TICK
        count += 1
        watch.tick(count, now)
        for _ in range(step):
            now += TICK
            assert watch.tick(count, now)
