"""What a database does not have, and which stretch of history it gets for that: a new one, a wiped one, one that lagged."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from historian.sinks import marks
from historian.sinks.answers import RefusedError
from historian.sinks.portion import Portion
from historian.sinks.state import State
from scada.clock import Clock
from tags.model import Sink

BEFORE_NS: Final = 600 * 1_000_000_000  # what comes late is sent again with what was lost after it

FLUSHED_NS: Final = 30 * 1_000_000_000

Report = Callable[[str, str], object]  # state, message


class Losses:
    """Watches one sink; in the worker's thread.

    Args:
        sink: Which.
        site: Name of the site.
        state: Where it stands what it is to get.
        clock: For marks.
        target: The database.
        report: Takes what should be an event.
    """

    def __init__(
        self, sink: Sink, site: str, state: State, clock: Clock, target: marks.Marked, report: Report
    ) -> None:
        self._sink, self._site, self._state = sink, site, state
        self._clock, self._target, self._report = clock, target, report
        self._marked_ns = state.mark(sink.name)
        self._unsure = True
        self._fell = False
        self._lately: deque[tuple[int, int, int]] = deque()  # when (monotonic), oldest and newest source time

    def new(self) -> None:
        """The sink has never got anything."""
        if self._sink.history_ns >= 0:
            self._fill("a new sink", self._back(), 0)

    def doubt(self, *, away: bool) -> None:
        """The database did not take a request.

        Args:
            away: It gave no answer at all.
        """
        self._unsure = True
        self._fell = self._fell or away

    def delivered(self, oldest_ns: int, newest_ns: int) -> None:
        """Remembers for a while what was taken: VictoriaMetrics puts it on the disk some seconds later.

        Args:
            oldest_ns: Oldest source time, UTC, ns.
            newest_ns: Newest source time, UTC, ns.
        """
        if self._sink.type == "influxdb":
            return
        now = self._clock.monotonic_ns()
        if not self._fell:
            while self._lately and self._lately[0][0] < now - FLUSHED_NS:
                self._lately.popleft()
        self._lately.append((now, oldest_ns, newest_ns))

    def look(self, newest_ns: int) -> None:
        """After a start and after trouble: has the database still what it took?

        Args:
            newest_ns: Newest source time that it may have been sent, UTC, ns.
        """
        if not self._unsure:
            return
        if self._fell:
            self._fell = False
            self._again()
        if not self._marked_ns:
            self._unsure = False
            return
        if 0 <= self._clock.utc_ns() - self._marked_ns < marks.SETTLES_NS:
            return
        try:
            found = marks.newest(self._target, self._sink, self._site, self._marked_ns)
        except RefusedError:
            return  # it is away: what is sent now will say so
        self._unsure = False
        if found is not None and found < self._marked_ns:
            self.wiped(found, newest_ns)

    def mark(self) -> None:
        """Writes a mark when it is time, and nothing is in doubt."""
        now = self._clock.utc_ns()
        if self._unsure or abs(now - self._marked_ns) < marks.EVERY_NS:
            return
        if 200 <= self._target.post(marks.line(self._sink, self._site, now)).status < 300:
            self._state.set_mark(self._sink.name, now)
            self._marked_ns = now

    def wiped(self, since_ns: int, newest_ns: int) -> None:
        """The database has nothing any more that was sent after a time.

        Args:
            since_ns: UTC, ns; 0 for nothing at all.
            newest_ns: Newest source time that it may have been sent, UTC, ns.
        """
        self._state.set_mark(self._sink.name, 0)
        self._marked_ns, self._unsure = 0, False
        lost = f"{self._sink.name} has lost what it was sent"
        if self._sink.history_ns < 0:
            self._report("wiped", f"{lost}. It does not get it again: history: none")
            return
        self._fill(
            "the database had lost what it was sent", max(self._back(), since_ns - BEFORE_NS), newest_ns
        )
        self._report("wiped", f"{lost}: it gets the history again")

    def gave_up(self, portion: Portion, reached_ns: int) -> None:
        """The spool had no room for all that waited: the history has it still.

        Args:
            portion: What comes behind what is lost.
            reached_ns: Newest source time delivered before it, UTC, ns.
        """
        said = f"{portion.lost} commits of history waited too long"
        if self._sink.history_ns < 0 or not reached_ns:
            self._report("gap", f"{said} and are not in {self._sink.name}")
            return
        start = max(self._back(), reached_ns - BEFORE_NS)
        self._state.ask(
            self._sink.name, start, max(portion.oldest_ns, reached_ns) + 1, "what waited too long"
        )
        self._report("gap", f"{said}; {self._sink.name} gets their samples from the history")

    def _again(self) -> None:
        """Sends once more what a database that fell may not have had on its disk."""
        if self._lately and self._sink.history_ns >= 0:
            start, end = min(row[1] for row in self._lately), max(row[2] for row in self._lately)
            self._state.ask(self._sink.name, start, end + 1, "what it took just before it was away")
        self._lately.clear()

    def _back(self) -> int:
        """Where the history begins that a database is to have, UTC, ns."""
        lengths = [length for length in (self._sink.history_ns, self._sink.retention_ns) if length > 0]
        return max(0, self._clock.utc_ns() - min(lengths)) if lengths else 0

    def _fill(self, reason: str, start_ns: int, newest_ns: int) -> None:
        self._state.ask(self._sink.name, start_ns, max(self._clock.utc_ns(), newest_ns) + 1, reason)
