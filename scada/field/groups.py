"""When the scan groups of one device are due, and how well their periods are held: pure, time is an argument.

Each group has a grid of due times of its own, so that groups and devices that were spread at start stay spread. The group
with the earliest deadline goes first, one request at a time: a fast group goes between the requests of a slow one. A
group that could not be finished before it was due again begins at once: a slow device runs at its own pace.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

SLOW: Final = 1.25  # of the period asked; half the rate is 2
IN_TIME: Final = 1.1
FIRST_NS: Final = 1_000_000_000  # a first value comes within this, however long the period
_ENOUGH: Final = 4  # polls before a mean says something
_KEPT: Final = (8, 64)
_KEPT_NS: Final = 2_000_000_000


class Group:
    """One scan group.

    Args:
        number: In the session.
        period_ns: Asked.
        phase_ns: First due so long after the start.

    Attributes:
        due_ns: Monotonic time at which the poll is due, or was when it is on its way.
        position: Of the request to send next; 0 = not begun.
        good_ns: Monotonic time at which it was last complete; 0 for never.
        slow: It does not hold its period.
    """

    __slots__ = (
        "_began_ns",
        "_origin_ns",
        "_polls",
        "due_ns",
        "good_ns",
        "number",
        "period_ns",
        "phase_ns",
        "position",
        "slow",
    )

    def __init__(self, number: int, period_ns: int, phase_ns: int) -> None:
        self.number = number
        self.period_ns = period_ns
        self.phase_ns = phase_ns
        self.due_ns = self._origin_ns = self._began_ns = 0
        self.position = 0
        self.good_ns = 0
        self.slow = False
        self._polls: deque[int] = deque(maxlen=1 + min(max(_KEPT_NS // period_ns, _KEPT[0]), _KEPT[1]))

    @property
    def deadline_ns(self) -> int:
        """When the poll should be over."""
        return self.due_ns + self.period_ns

    def achieved_ns(self, now_ns: int) -> int:
        """Mean period of the last complete polls, or the one that goes on where that is longer already; 0: too few."""
        polls = self._polls
        if not polls:
            return 0
        mean = (polls[-1] - polls[0]) // max(1, len(polls) - 1)
        last, began = polls[-1], self._began_ns
        waited = max(began - last, now_ns - began) if began > last else now_ns - last
        return waited if waited > max(mean, self.period_ns) else mean

    def start(self, now_ns: int, spread: float) -> None:
        """The very first connection: the grid of due times begins; nobody waits long for a first value."""
        self._origin_ns = now_ns + round(spread * self.period_ns) + self.phase_ns
        self.again(now_ns + round(spread * min(self.period_ns, FIRST_NS)) + self.phase_ns)

    def again(self, now_ns: int) -> None:
        """A poll from the first request on is due now."""
        self.due_ns, self.position = now_ns, 0

    def forget(self) -> None:
        """The device was away: what was counted before that counts no more."""
        self._polls.clear()
        self.slow = False

    def begin(self, now_ns: int) -> None:
        """Its first request is about to be sent."""
        self._began_ns = now_ns

    def done(self, now_ns: int) -> None:
        """Its last reply came."""
        self.good_ns = now_ns
        self._polls.append(self._began_ns)
        self.put_off(now_ns)

    def put_off(self, now_ns: int) -> None:
        """The poll is over, good or not: the next one is due on the grid, or now when this one took the whole period."""
        self.position = 0
        grid = (self.due_ns + self.period_ns // 2 - self._origin_ns) // self.period_ns + 1
        late = now_ns >= self.deadline_ns
        self.due_ns = now_ns if late else max(self._origin_ns + grid * self.period_ns, now_ns)

    def judge(self, now_ns: int) -> bool:
        """Whether it is slow: from a quarter over its period on until it is nearly held again."""
        achieved = self.achieved_ns(now_ns)
        if len(self._polls) > _ENOUGH or achieved > 2 * self.period_ns:
            self.slow = achieved > (IN_TIME if self.slow else SLOW) * self.period_ns
        return self.slow


class Groups:
    """The scan groups of one device.

    Args:
        periods: Period and phase of each, ns.
        timeout_ns: Longest wait for a reply, ns.
        tick_ns: `stale` is asked this often.

    Attributes:
        fresh_ns: Nothing is stale up to this monotonic time, ns.
    """

    def __init__(self, periods: Sequence[tuple[int, int]], timeout_ns: int, tick_ns: int = 0) -> None:
        self._groups = [Group(number, period, phase) for number, (period, phase) in enumerate(periods)]
        self._limits = [
            (group, group.period_ns + timeout_ns + max(0, group.period_ns // 2 - tick_ns))
            for group in self._groups
        ]
        self.fresh_ns = 0

    def start(self, now_ns: int, spread: float) -> None:
        """The very first connection.

        Args:
            now_ns: Monotonic, ns.
            spread: The device's part of each period, 0 … 1, so that devices do not bunch.
        """
        for group in self._groups:
            group.start(now_ns, spread)

    def again(self, now_ns: int) -> None:
        """Everything is asked anew at once: another connection, or a device that has restarted."""
        for group in self._groups:
            group.again(now_ns)

    def next(self, now_ns: int) -> Group | None:
        """The group whose turn it is, or comes next: of those that are due the one with the earliest deadline."""
        turn: Group | None = None
        first = 0
        for group in self._groups:
            ready = group.position > 0 or group.due_ns <= now_ns
            when = group.deadline_ns if ready else group.due_ns + _LATER
            if turn is None or when < first:
                turn, first = group, when
        return turn

    def forget(self) -> None:
        """The device was away."""
        for group in self._groups:
            group.forget()

    def stale(self, now_ns: int) -> list[tuple[int, int]]:
        """Groups that were not complete for 1.5 periods and a time-out, or will not be at the next look.

        Returns:
            (number, age in ns at which its values are stale) of each.
        """
        if now_ns <= self.fresh_ns:
            return []
        self.fresh_ns = min(
            (group.good_ns + limit_ns if group.good_ns else 0 for group, limit_ns in self._limits), default=0
        )
        return [
            (group.number, limit_ns)
            for group, limit_ns in self._limits
            if group.good_ns and now_ns - group.good_ns > limit_ns
        ]

    def period_ns(self, now_ns: int) -> tuple[int, int]:
        """Period asked and achieved: of the fastest group, unless another misses its period by more."""
        worst = max(self._groups, key=lambda g: round(g.achieved_ns(now_ns) / g.period_ns, 1), default=None)
        return (worst.period_ns, worst.achieved_ns(now_ns)) if worst else (0, 0)

    def slow(self, now_ns: int) -> bool:
        """Whether a group does not hold its period; to be asked about once a second."""
        slow = [group.judge(now_ns) for group in self._groups]
        return any(slow)


_LATER: Final = 2**62
