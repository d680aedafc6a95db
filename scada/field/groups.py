"""When the scan groups of one device are due, and how well their periods are held: pure, time is an argument."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

_KEPT: Final = 8


@dataclass(slots=True)
class Group:
    """When one scan group is due, and how well its period is held.

    Attributes:
        number: In the session.
        period_ns: Asked.
        phase_ns: First due so long after the start.
        next_ns: Monotonic time at which it is due next.
        position: Of the request to send next; 0 = not begun.
        good_ns: Monotonic time at which it was last complete; 0 for never.
    """

    number: int
    period_ns: int
    phase_ns: int
    next_ns: int = 0
    position: int = 0
    good_ns: int = 0
    starts: deque[int] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def achieved_ns(self, now_ns: int) -> int:
        """Mean period of the last polls, or the time since the last one where that is longer, ns."""
        if not self.starts:
            return 0
        mean = (self.starts[-1] - self.starts[0]) // max(1, len(self.starts) - 1)
        return max(mean, now_ns - self.starts[-1])

    def begin(self, now_ns: int) -> None:
        """Its first request is about to be sent."""
        self.starts.append(now_ns)

    def done(self, now_ns: int) -> None:
        """Its last reply came; periods that passed meanwhile are left out."""
        self.good_ns = now_ns
        behind = now_ns - self.next_ns
        self.next_ns += self.period_ns * (1 + max(0, behind) // self.period_ns)


class Groups:
    """The scan groups of one device.

    Args:
        periods: Period and phase of each, ns.
        timeout_ns: Longest wait for a reply, ns.
    """

    def __init__(self, periods: Sequence[tuple[int, int]], timeout_ns: int) -> None:
        self._timeout_ns = timeout_ns
        self._groups = [Group(number, period, phase) for number, (period, phase) in enumerate(periods)]

    def connected(self, now_ns: int, delay_ns: int = 0) -> None:
        """Everything is asked anew: at once, or phased when a delay is given because nothing was read yet."""
        for group in self._groups:
            group.next_ns = now_ns + delay_ns + (group.phase_ns if delay_ns else 0)
            group.position = 0

    def at_once(self, now_ns: int) -> None:
        """What was read is of a device that is no more: all is due, from its beginning."""
        for group in self._groups:
            group.next_ns, group.position = now_ns, 0

    def next(self) -> Group | None:
        """The group to go on with: one that was begun is finished first, then the one longest due."""
        return min(self._groups, key=_urgency, default=None)

    def stale(self, now_ns: int) -> list[int]:
        """Numbers of the groups whose values are older than 1.5 periods and a time-out."""
        return [
            group.number
            for group in self._groups
            if group.good_ns
            and now_ns - group.good_ns > group.period_ns + group.period_ns // 2 + self._timeout_ns
        ]

    def period_ns(self, now_ns: int) -> tuple[int, int]:
        """Period asked and achieved: of the fastest group, unless another misses its period by more."""
        worst = max(self._groups, key=lambda g: round(g.achieved_ns(now_ns) / g.period_ns, 1), default=None)
        return (worst.period_ns, worst.achieved_ns(now_ns)) if worst else (0, 0)


def _urgency(group: Group) -> tuple[bool, int]:
    return group.position == 0, group.next_ns
