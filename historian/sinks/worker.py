"""The work for one sink, a step at a time: read, encode, send, move the cursor. It never waits itself."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol

from historian.sinks.delivery import Action, Delivery, Pace
from historian.sinks.feed import Feed, Portion
from historian.sinks.influx import Reply
from historian.sinks.lines import Encoder, Lines
from historian.sinks.state import Cursor, Refused, State
from historian.store import StoreError
from scada.clock import Clock
from tags.model import Sink, Site

IDLE_S: Final = 0.5
PORTION: Final = 8  # requests between two moves of the cursor
REFUSED_AT_ONCE: Final = 1000

Report = Callable[[str, str], object]  # state, message


class Target(Protocol):
    """A database that takes lines."""

    def post(self, body: bytes) -> Reply:
        """Sends lines."""
        ...

    def create(self) -> str:
        """Makes what they go into; returns what went wrong, or ""."""
        ...

    def close(self) -> None:
        """Lets go of it."""
        ...


class Worker:
    """Forwards history to one sink. Call `turn` again and again, in one thread.

    Args:
        sink: Which.
        site: The compiled site.
        folder: The data directory's `history` folder.
        clock: For ages.
        target: The database.
        report: Takes what should be an event.

    Attributes:
        sent: Samples delivered.
        lost: Commits that it never got.
        refused: Samples in quarantine.
        problem: Why nothing can be delivered now, or "".
    """

    def __init__(
        self, sink: Sink, site: Site, folder: Path, clock: Clock, target: Target, report: Report
    ) -> None:
        self._sink, self._clock, self._target, self._report = sink, clock, target, report
        self._encoder = Encoder(sink, site.tags, site.name)
        self._state = State.writer(folder)
        self._cursor = self._state.cursors().get(sink.name, Cursor())
        self._feed = Feed(folder)
        self._pace = Pace(sink.batch)
        self._most = PORTION * sink.batch
        self._pool = ThreadPoolExecutor(1)
        self._ahead: Future[tuple[Portion, list[Lines]] | None] | None = None
        self._portion: Portion | None = None
        self._parts: list[Lines] = []
        self._delivery = Delivery(0)
        self._aside: list[tuple[str, str, int]] = []
        self._retried: list[Refused] = []
        self._oldest_ns = 0
        self.sent = self.lost = 0
        self.refused = self._state.count(sink.name)
        self.problem = ""
        self._made = ""

    def lag_s(self) -> float:
        """Age of the oldest sample that waits, s; 0 when none does."""
        oldest = self._oldest_ns
        return max(0.0, (self._clock.utc_ns() - oldest) / 1e9) if oldest else 0.0

    def turn(self) -> float:
        """Does the next thing; returns how long to wait before the next turn, s."""
        try:
            if self._parts:
                return self._send()
            self._settle()
            self._again()
            return self._load()
        except StoreError as error:
            self._is(f"{error}")
            return IDLE_S

    def close(self) -> None:
        """Lets go of everything; what was not delivered is sent at the next start."""
        self._pool.shutdown()
        self._feed.close()
        self._target.close()
        self._state.close()

    def _prepare(self, cursor: Cursor) -> tuple[Portion, list[Lines]] | None:
        """The next portion behind a cursor and its lines; also called while the one before it is on its way."""
        portion = self._feed.next(cursor, self._most)
        if portion is None:
            return None
        parts = (self._encoder.samples(portion.samples), self._encoder.texts(portion.texts))
        return portion, [part for part in parts if len(part)]

    def _load(self) -> float:
        ahead, self._ahead = self._ahead, None
        ready = self._prepare(self._cursor) if ahead is None else ahead.result()
        if ready is None:
            self._oldest_ns = 0
            return IDLE_S
        portion, self._parts = ready
        if len(portion.samples) >= self._most:  # there is more: make its lines while these travel
            self._ahead = self._pool.submit(self._prepare, portion.cursor)
        if portion.lost:
            self.lost += portion.lost
            self._report(
                "gap", f"{portion.lost} commits of history waited too long and are not in {self._sink.name}"
            )
        self._portion, self._oldest_ns = portion, portion.oldest_ns
        if not self._parts:
            self._settle()
        else:
            self._delivery = Delivery(len(self._parts[0]))
        return 0.0

    def _send(self) -> float:
        lines = self._parts[0]
        span = self._delivery.next(self._pace.size)
        if span is None:
            del self._parts[0]
            if self._parts:
                self._delivery = Delivery(len(self._parts[0]))
            return 0.0
        reply = self._target.post(lines.body(*span))
        rows = span[1] - span[0]
        wait = self._pace.learn(reply.status, rows, reply.retry_after_s)
        action = self._delivery.answer(reply.status, reply.dropped)
        if action is Action.KEEP:
            self._keep(reply)
            return wait
        self._is("")
        self._made = ""
        if action is Action.ADVANCE:
            self.sent += rows
        elif action is Action.PUT_ASIDE:
            for at in range(*span):
                line = lines.body(at, at + 1).decode(errors="replace").rstrip("\n")
                self._aside.append((line, reply.text, self._clock.utc_ns()))
            if len(self._aside) >= REFUSED_AT_ONCE:
                self._put_aside(None)
        return wait

    def _keep(self, reply: Reply) -> None:
        self._is(reply.text)
        if reply.status == 404 and self._sink.create:
            made = self._target.create() or "made"
            if made != self._made:
                self._report("create", f"{self._sink.bucket}: {made}")
            self._made = made
        if self._aside:
            self._put_aside(None)

    def _settle(self) -> None:
        """Everything of the portion is delivered or in quarantine."""
        if self._portion is not None:
            self._put_aside(self._portion.cursor)
            self._cursor, self._portion = self._portion.cursor, None

    def _put_aside(self, cursor: Cursor | None) -> None:
        self._state.commit(self._sink.name, cursor, self._aside)
        if self._aside:
            first = self._aside[0]
            self._report("refused", f"{len(self._aside)} samples are in quarantine: {first[1]}")
            self._aside.clear()
            self.refused = self._state.count(self._sink.name)

    def _again(self) -> None:
        """Sends once more, one by one, what somebody took out of quarantine."""
        name = self._sink.name
        asked = self._state.quarantine(name, retry=True, limit=REFUSED_AT_ONCE)
        for row in asked:
            reply = self._target.post(row.line.encode() + b"\n")
            if 200 <= reply.status < 300:
                self._state.drop(name, [row.id])
                self.sent += 1
            elif self._pace.learn(reply.status, 1):
                break  # the server has a trouble of its own: the row waits
            else:
                self._state.commit(name, None, [(row.line, reply.text, self._clock.utc_ns())])
        if asked or self.refused:
            self.refused = self._state.count(name)

    def _is(self, problem: str) -> None:
        """Says once that nothing can be delivered, and once that it can again."""
        if problem and not self.problem:
            self._report("failing", f"{problem}. Nothing is lost; it is tried again")
        elif self.problem and not problem:
            self._report("recovered", "delivering again")
        self.problem = problem
