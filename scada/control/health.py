"""Control's own health: how late scans and tasks start and how long they take, as samples for the next scan."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from scada.control.realtime import Grants
from scada.scan import Program
from scada.service.service import private_memory
from tags.quality import GOOD
from tags.types import BOOL, FLOATS

HEALTH_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60_000_000_000
_LATENESS_MAX: Final = 6000  # scans of a minute at 10 ms


class TaskHealth:
    """One task since the last report.

    Attributes:
        lateness_ns: Latest start, ns.
        execution_ns: Longest run, ns.
        overruns: Runs that were left out, since start.
        ran: It ran.
    """

    __slots__ = ("execution_ns", "lateness_ns", "overruns", "ran")

    def __init__(self) -> None:
        self.lateness_ns = self.execution_ns = self.overruns = 0
        self.ran = False


class Health:
    """Measures and, once a second, reports.

    Args:
        program: What runs.
        clock: Now, ns monotonic.

    Attributes:
        lateness_ns: Largest since the last report, ns.
        execution_ns: Largest since the last report, ns.
        overruns: Periods without a scan since the start.
        grants: What the machine let control have; None before it was asked.
        selftest: Lateness at start, (99 of 100 less, largest), ns; None before it was measured.
        tasks: As the program has them.
    """

    def __init__(self, program: Program, clock: Callable[[], int]) -> None:
        own = program.slots[: program.own]
        self._slots = {
            tag.path.removeprefix("system/control/"): slot
            for slot, tag in enumerate(own)
            if tag.kind == "system"
        }
        self._types = {slot: own[slot].type for slot in self._slots.values()}
        self._clock = clock
        self._plans = program.tasks
        self._period_ns = program.site.scan_ns
        count = min(max(MINUTE_NS // self._period_ns, 100), _LATENESS_MAX)
        self._late = array("q", bytes(8 * count))
        self._scans = 0
        self._missed: deque[tuple[int, int]] = deque()  # (when, how many) of the last minute
        self._now_ns = self._count = self._base_ns = self._due_ns = 0
        self.tasks = [TaskHealth() for _ in program.tasks]
        self.lateness_ns = self.execution_ns = self.overruns = 0
        self.grants: Grants | None = None
        self.selftest: tuple[int, int] | None = None

    def count(self, now_ns: int, lateness_ns: int, missed: int) -> None:
        """Notes a scan that begins.

        Args:
            now_ns: Now, ns monotonic.
            lateness_ns: Since it was due, ns.
            missed: Periods that were left out before it.
        """
        self.lateness_ns = max(self.lateness_ns, lateness_ns)
        self._late[self._scans % len(self._late)] = lateness_ns
        self._scans += 1
        if missed:
            self.overruns += missed
            self._missed.append((now_ns, missed))

    def spent(self, execution_ns: int) -> None:
        """Notes how long a scan took, ns."""
        self.execution_ns = max(self.execution_ns, execution_ns)

    def begin(self, base_ns: int, count: int) -> None:
        """Before a step: the grid of the tasks.

        Args:
            base_ns: When scan 0 was due, ns monotonic.
            count: Base periods since scan 0.
        """
        self._base_ns, self._count = base_ns, count

    def watch(self, task: int) -> None:
        """For `scada.scan.step`: times the tasks."""
        now = self._clock()
        if task >= 0:
            one = self.tasks[task]
            every = self._plans[task].every
            due = self._base_ns + self._count // every * every * self._period_ns
            one.lateness_ns = max(one.lateness_ns, self._now_ns - due)
            one.execution_ns = max(one.execution_ns, now - self._now_ns)
            one.ran = True
        self._now_ns = now

    def ran(self, elapsed: list[int]) -> None:
        """After a step: by task, the periods that elapsed to the run in it (`Tasks.ran`)."""
        for task, periods in zip(self.tasks, elapsed, strict=True):
            if periods > 1:
                task.overruns += periods - 1

    def samples(self, now_ns: int, utc_ns: int, scans: int) -> list[tuple[int, Any, int, int]]:
        """Samples of `system/control/…`, or nothing when the second is not over."""
        if now_ns < self._due_ns:
            return []
        self._due_ns = now_ns + HEALTH_NS
        values = self._values(now_ns, scans)
        return [
            (slot, _as(self._types[slot], values[name]), GOOD, utc_ns)
            for name, slot in self._slots.items()
            if name in values
        ]

    def _values(self, now_ns: int, scans: int) -> dict[str, Any]:
        while self._missed and self._missed[0][0] <= now_ns - MINUTE_NS:
            self._missed.popleft()
        values: dict[str, Any] = {
            "lateness_max": self.lateness_ns / 1e6,
            "lateness_p99": self.lateness_p99_ns() / 1e6,
            "execution_max": self.execution_ns / 1e6,
            "overruns": self.overruns,
            "overruns_minute": sum(missed for _, missed in self._missed),
            "scans": scans,
            "realtime": self.grants is not None and self.grants.fifo,
            "locked": self.grants is not None and self.grants.locked,
            "cpu": -1 if self.grants is None or self.grants.cpu is None else self.grants.cpu,
            "memory": private_memory(),
        }
        if self.selftest is not None:
            values["selftest_p99"], values["selftest_max"] = (ns / 1e6 for ns in self.selftest)
        for plan, one in zip(self._plans, self.tasks, strict=True):
            folder = f"tasks/{plan.name}"
            values[f"{folder}/period"] = plan.period_ns / 1e6
            values[f"{folder}/overruns"] = one.overruns
            if one.ran:
                values[f"{folder}/lateness_max"] = one.lateness_ns / 1e6
                values[f"{folder}/execution_max"] = one.execution_ns / 1e6
            one.lateness_ns, one.execution_ns, one.ran = 0, 0, False
        self.lateness_ns = self.execution_ns = 0
        return values

    def lateness_p99_ns(self) -> int:
        """Of the scans of the last minute 99 of 100 started earlier than this, ns; 0 before the first."""
        known = min(self._scans, len(self._late))
        if not known:
            return 0
        at = min(known - 1, -(-known * 99 // 100))
        return int(np.partition(np.frombuffer(self._late, np.int64)[:known], at)[at])


def _as(type_: str, value: Any) -> Any:
    return bool(value) if type_ == BOOL else float(value) if type_ in FLOATS else int(value)
