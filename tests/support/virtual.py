"""A coroutine in simulated time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from scada.virtual.world import START_NS, Process, World

T = TypeVar("T")
UTC_NS = 1_800_000_000_000_000_000


def run(main: Callable[[World], Coroutine[Any, Any, T]], limit_s: float = 3600.0) -> T:
    """Runs a coroutine to its end in a world of its own.

    Args:
        main: Makes the coroutine.
        limit_s: It must end within so much simulated time.

    Raises:
        AssertionError: It did not end.
    """
    world = World(UTC_NS)
    process = Process(world, "test")
    tasks: list[Any] = []
    process.run(lambda: tasks.append(process.create_task(main(world))))
    end = START_NS + round(limit_s * 1e9)
    step = 1_000_000_000
    while not tasks[0].done() and world.now_ns < end:
        world.run_until(min(world.now_ns + step, end))
    assert tasks[0].done(), "it does not end"
    found: T = tasks[0].result()
    assert not process.errors, process.errors
    return found
