"""The one place in the tests that waits: for real processes and sockets, never for time to pass."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(
    condition: Callable[[], T | None], timeout_s: float = 10.0, what: str = "", *, every_s: float = 0.01
) -> T:
    """Calls `condition` until it is true and returns what it returned.

    Args:
        condition: Cheap and free of effects.
        timeout_s: Seconds before it gives up.
        what: What is being waited for, for the message.
        every_s: Seconds between two looks: more where a look starts an interpreter, which slows down what it waits for.

    Returns:
        The first true result.

    Raises:
        AssertionError: It did not come true in time.
    """
    pause = threading.Event()
    end = time.monotonic() + timeout_s
    while True:
        if result := condition():
            return result
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout_s} s: {what or condition}")
        pause.wait(every_s)


async def until(condition: Callable[[], bool], what: str = "", timeout_s: float = 5.0) -> None:
    """As `wait_for`, while the event loop of the test goes on.

    Args:
        condition: Cheap and free of effects.
        what: What is being waited for, for the message.
        timeout_s: Seconds before it gives up.

    Raises:
        AssertionError: It did not come true in time.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout_s
    while not condition():
        if loop.time() > end:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        await asyncio.sleep(0.005)
