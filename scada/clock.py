"""Time as an argument: the clock of the machine, and one that tests and simulations set."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Monotonic for durations and ages, UTC for stamps; both in ns."""

    def monotonic_ns(self) -> int:
        """Time that only ever rises, ns since an arbitrary start."""
        ...

    def utc_ns(self) -> int:
        """Wall clock, ns since 1970-01-01T00:00:00 UTC; may step."""
        ...


class SystemClock:
    """The clock of this machine: CLOCK_MONOTONIC and CLOCK_REALTIME, ns, read without a detour."""

    monotonic_ns = staticmethod(time.monotonic_ns)
    utc_ns = staticmethod(time.time_ns)


class SimulatedClock:
    """A clock that stands still until it is moved."""

    def __init__(self, monotonic_ns: int = 0, utc_ns: int = 1_750_000_000_000_000_000) -> None:
        self._monotonic_ns = monotonic_ns
        self._utc_ns = utc_ns

    def monotonic_ns(self) -> int:
        """Simulated monotonic time, ns."""
        return self._monotonic_ns

    def utc_ns(self) -> int:
        """Simulated UTC, ns since 1970."""
        return self._utc_ns

    def advance(self, ns: int) -> None:
        """Lets both clocks run on.

        Args:
            ns: Nanoseconds, not negative.

        Raises:
            ValueError: Time would run backwards.
        """
        if ns < 0:
            raise ValueError(f"time cannot advance by {ns} ns")
        self._monotonic_ns += ns
        self._utc_ns += ns

    def step_utc(self, ns: int) -> None:
        """Steps the wall clock alone, as an administrator or NTP would; may be negative."""
        self._utc_ns += ns
