"""Whether a peer's heartbeat still moves, judged by the watcher's own on-time ticks: pure."""

from __future__ import annotations


class Watch:
    """Watches one heartbeat counter.

    A late tick (the machine was paused, or this process was) starts the count again, so that a late watcher calls
    nobody dead.

    Args:
        period_ns: Of the ticks, ns.
        limit_ns: Dead after this much on-time ticking without a change, ns.

    Attributes:
        alive: What is believed now; false until the counter was seen to move.
    """

    def __init__(self, period_ns: int, limit_ns: int = 1_000_000_000) -> None:
        self._late_ns = 3 * period_ns
        self._limit = max(2, limit_ns // period_ns)
        self._count: int | None = None
        self._last_ns = 0
        self._silent = 0
        self.alive = False

    def tick(self, count: int, now_ns: int) -> bool:
        """One look at the counter.

        Args:
            count: Its value.
            now_ns: Monotonic, ns.

        Returns:
            Whether the peer is believed alive.
        """
        on_time = now_ns - self._last_ns <= self._late_ns
        self._last_ns = now_ns
        if count != self._count:
            self.alive = self._count is not None
            self._count = count
            self._silent = 0
        elif not on_time:
            self._silent = 0
        else:
            self._silent += 1
            if self._silent >= self._limit:
                self.alive = False
        return self.alive
