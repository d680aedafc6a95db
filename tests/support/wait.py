"""The one place in the tests that waits: for real processes and sockets, never for time to pass."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(condition: Callable[[], T | None], timeout_s: float = 10.0, what: str = "") -> T:
    """Calls `condition` until it is true and returns what it returned.

    Args:
        condition: Cheap and free of effects.
        timeout_s: Seconds before it gives up.
        what: What is being waited for, for the message.

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
        pause.wait(0.01)
