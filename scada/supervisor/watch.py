"""Judgement over time, pure: is a heartbeat lost, how long to wait before a restart, does control crash too often."""

from __future__ import annotations

from collections import deque
from typing import Final

SECOND: Final = 1_000_000_000
TICK_NS: Final = SECOND // 10
LATE_NS: Final = 3 * TICK_NS  # a tick later than this is no evidence: the machine was paused, or we were


class Ticker:
    """Says of each tick of the watcher whether it came on time."""

    def __init__(self) -> None:
        self._last: int | None = None

    def on_time(self, now_ns: int) -> bool:
        """True when the last tick was at most 0.3 s ago.

        Args:
            now_ns: Of this tick, ns monotonic.
        """
        last, self._last = self._last, now_ns
        return last is not None and now_ns - last <= LATE_NS


class Heartbeat:
    """Counts the watcher's own on-time ticks without a beat. A late tick starts the count again."""

    def __init__(self, limit_ns: int) -> None:
        """Watches one peer.

        Args:
            limit_ns: It is dead after this much time in ticks of 0.1 s.
        """
        self._limit = max(1, limit_ns // TICK_NS)
        self._beat: int | None = None
        self.silent = 0

    def tick(self, beat: int, *, on_time: bool) -> bool:
        """One look.

        Args:
            beat: The peer's beat count now.
            on_time: This tick of the watcher came on time.

        Returns:
            True when the peer is dead.
        """
        if beat != self._beat or not on_time:
            self._beat = beat
            self.silent = 0
            return False
        self.silent += 1
        return self.silent >= self._limit


class Backoff:
    """Waiting time before a restart: 0.2 s, doubling to 10 s; as new after 60 s of life."""

    FIRST_NS: Final = SECOND // 5
    MOST_NS: Final = 10 * SECOND
    STABLE_NS: Final = 60 * SECOND

    def __init__(self) -> None:
        self._next = self.FIRST_NS

    def after(self, lived_ns: int) -> int:
        """How long to wait now, ns.

        Args:
            lived_ns: How long the process lived that just died.
        """
        if lived_ns >= self.STABLE_NS:
            self._next = self.FIRST_NS
        wait, self._next = self._next, min(self.MOST_NS, 2 * self._next)
        return wait


class Crashes:
    """Three crashes in five minutes: the next start is in Manual."""

    COUNT: Final = 3
    WITHIN_NS: Final = 300 * SECOND

    def __init__(self) -> None:
        self._times: deque[int] = deque(maxlen=self.COUNT)

    def add(self, now_ns: int) -> None:
        """One crash, ns monotonic."""
        self._times.append(now_ns)

    def too_many(self, now_ns: int) -> bool:
        """True while the last three lie within five minutes of now."""
        return len(self._times) == self.COUNT and now_ns - self._times[0] <= self.WITHIN_NS
