"""Virtual time: order, frozen and killed processes, coroutines that sleep."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from scada.virtual.world import START_NS, Process, World

MS = 1_000_000


def test_what_is_due_at_once_happens_in_the_order_it_was_asked() -> None:
    world, seen = World(0), list[int]()
    for n in range(5):
        world.after(0, lambda n=n: seen.append(n))  # type: ignore[misc]
    world.at(0, lambda: seen.append(9))
    world.run_until(world.now_ns)
    assert seen == [0, 1, 2, 3, 4, 9]
    assert world.now_ns == START_NS


@given(st.lists(st.integers(0, 10_000), max_size=20))
def test_sleepers_wake_at_their_time(delays_ms: list[int]) -> None:
    world = World(1_750_000_000_000_000_000)
    process = Process(world, "p")
    woken: list[tuple[int, int]] = []

    async def sleeper(delay_ms: int) -> None:
        await asyncio.sleep(delay_ms / 1000)
        woken.append((world.clock.monotonic_ns() - START_NS, delay_ms))

    for delay_ms in delays_ms:
        process.start(sleeper(delay_ms))
    world.run_until(START_NS + 20_000 * MS)
    assert woken == [(delay_ms * MS, delay_ms) for _, delay_ms in sorted(woken)]
    assert sorted(delay_ms for _, delay_ms in woken) == sorted(delays_ms)
    assert process.errors == []


def test_a_frozen_process_misses_nothing_and_a_killed_one_does_nothing_more() -> None:
    world, seen = World(0), list[tuple[str, int]]()
    frozen, killed, free = (Process(world, name) for name in ("frozen", "killed", "free"))

    async def ticks(process: Process) -> None:
        try:
            for _ in range(3):
                await asyncio.sleep(1)
                seen.append((process.name, (world.now_ns - START_NS) // MS))
        finally:
            seen.append((process.name, -1))

    for process in (frozen, killed, free):
        process.start(ticks(process))
    world.run_until(START_NS + 500 * MS)
    frozen.freeze()
    killed.kill()
    left = [entry for entry in seen if entry[0] == "killed"]
    world.run_until(START_NS + 5000 * MS)
    frozen.thaw()
    world.run_until(START_NS + 9000 * MS)
    assert [at for name, at in seen if name == "free"] == [1000, 2000, 3000, -1]
    assert [at for name, at in seen if name == "frozen"] == [5000, 6000, 7000, -1]
    assert [entry for entry in seen if entry[0] == "killed"] == left
    assert killed.errors == []


def test_what_nobody_catches_is_kept() -> None:
    world = World(0)
    process = Process(world, "p")

    async def fails() -> None:
        await asyncio.sleep(1)
        raise ValueError("planted")

    async def group() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fails())
            tasks.create_task(asyncio.sleep(100))

    process.start(group())
    world.run_until(START_NS + 2000 * MS)
    (error,) = process.errors
    assert isinstance(error, ExceptionGroup)


def test_a_step_of_the_wall_clock_moves_no_deadline() -> None:
    world, seen = World(10**18), list[int]()
    world.after(1000 * MS, lambda: seen.append(world.clock.utc_ns()))
    world.clock.step_utc(-(10**15))
    world.run_until(START_NS + 1000 * MS)
    assert seen == [10**18 - 10**15 + 1000 * MS]
