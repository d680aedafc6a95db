"""The work for one sink, a step at a time: read, encode, send, move the cursor. It never waits itself.

What is live goes first; between two portions of it a sink gets one of what it lacks of the history, so neither waits for long.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from historian.sinks import corrections, marks
from historian.sinks.answers import RefusedError, Reply
from historian.sinks.corrections import Corrections
from historian.sinks.delivery import Action, Pace, decide
from historian.sinks.lanes import Answer, Lanes
from historian.sinks.lines import Lines
from historian.sinks.losses import Losses
from historian.sinks.portion import Portion
from historian.sinks.source import Ready, Source
from historian.sinks.state import Cursor, Job, Refused, State
from historian.store import StoreError
from scada.clock import Clock
from tags.model import Sink, Site

IDLE_S: Final = 0.5
REFUSED_AT_ONCE: Final = 1000
AGAIN_AT_ONCE: Final = 200  # so that what is new does not wait for them

_NO_DELETE: Final = (403, 404, 405, 501)  # it has no such thing, or the token may not

Report = Callable[[str, str], object]  # state, message


class Target(marks.Marked, Protocol):
    """A database that takes lines."""

    def create(self) -> str:
        """Makes what they go into; returns what went wrong, or ""."""
        ...

    def delete(self, path: str, start_ns: int, end_ns: int) -> None:
        """Deletes samples of one tag."""
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
        sent: Samples, texts and events delivered.
        lost: Commits that were given up while they waited; the history still has their samples.
        refused: Rows in quarantine.
        expired: Samples of the present stretch of history that the database does not keep: too old for it.
        jobs: Stretches of history that it is still to get.
        problem: Why nothing can be delivered now, or "".
    """

    def __init__(
        self, sink: Sink, site: Site, folder: Path, clock: Clock, target: Target, report: Report
    ) -> None:
        self._sink, self._site, self._clock, self._target, self._report = sink, site, clock, target, report
        self._paths = {tag.id: tag.path for tag in site.tags}
        self._state = State.writer(folder)
        self._cursor = self._state.cursors().get(sink.name, Cursor())
        self._source = Source(sink, site, folder)
        self._pace = Pace(sink.batch)
        self._lanes = Lanes(target.post, self._pace, sink.parallel)
        self._portion: Portion | None = None
        self._parts: list[Lines] = []
        self._aside: list[tuple[str, str, int]] = []
        self._oldest_ns = 0
        self._turn_of_job = False
        self._losses = Losses(sink, site.name, self._state, clock, target, report)
        self.sent = self.lost = self.expired = 0
        self.refused = self._state.count(sink.name)
        self.jobs = len(self._state.jobs(sink.name))
        self.problem = ""
        self._made = ""
        if not self._cursor.store and not self.jobs:
            self._losses.new()
            self.jobs = len(self._state.jobs(sink.name))

    def lag_s(self) -> float:
        """Age of the oldest sample that waits, s; 0 when none does."""
        oldest = self._oldest_ns
        return max(0.0, (self._clock.utc_ns() - oldest) / 1e9) if oldest else 0.0

    @property
    def idle(self) -> bool:
        """Nothing waits to be sent."""
        return self._portion is None and not self._oldest_ns and not self.jobs

    def turn(self) -> float:
        """Does the next thing; returns how long to wait before the next turn, s."""
        try:
            if not self._lanes.done:
                return self._step()
            if self._parts:
                self._lanes.begin(self._parts.pop(0))
                return 0.0
            self._settle()
            self._again()
            return self._load()
        except StoreError as error:
            self._is(f"{error}")
            return IDLE_S

    def close(self) -> None:
        """Lets go of everything; what was not delivered is sent at the next start."""
        self._lanes.close()
        self._source.close()
        self._target.close()
        self._state.close()

    # What is next

    def _load(self) -> float:
        of_job = ready = self._of_job() if self._turn_of_job else None
        if ready is None:
            ready = self._source.live(self._cursor)
        if ready is None:
            # Only where all is delivered that was committed before: an edit must not be undone by what it changed.
            changes = self._source.corrections(self._cursor)
            if changes is not None:
                return self._correct(changes)
        if ready is None and not self._turn_of_job:
            of_job = ready = self._of_job()
        self._turn_of_job = ready is not None and of_job is None
        if ready is None:
            self._oldest_ns = 0
            return IDLE_S
        self._look()
        portion, self._parts = ready
        if portion.lost:
            self.lost += portion.lost
            self._losses.gave_up(portion, self._cursor.t)
        self._portion = portion
        if of_job is None:
            self._oldest_ns = portion.oldest_ns
        return 0.0

    def _of_job(self) -> Ready | None:
        jobs = self._state.jobs(self._sink.name)
        self.jobs = len(jobs)
        return self._source.of_job(jobs[0] if jobs else None)

    def _correct(self, changes: Corrections) -> float:
        """Deletes what edits took away, then sends what they put there; or says how long to wait, s."""
        self._source.forget_job()
        rows = [changes.samples]
        for gone in changes.gone:
            try:
                self._target.delete(self._paths[gone.tag], int(gone.times[0]), int(gone.times[-1]))
            except RefusedError as error:
                if decide(error.status, 1) is Action.KEEP and error.status not in _NO_DELETE:
                    self._keep(Reply(error.status, str(error)))
                    return self._pace.learn(error.status, 1)
                rows.append(corrections.marks(gone))
        if len(rows) > 1:
            said = (
                f"{sum(map(len, rows[1:]))} samples that were deleted stay in {self._sink.name}, marked Bad"
            )
            self._report("edit", said)
        self._portion = Portion(self._cursor._replace(edit=changes.number))
        self._parts = self._source.corrected(np.concatenate(rows))
        return 0.0

    # Sending

    def _step(self) -> float:
        answers = self._lanes.step()
        kept = [answer for answer in answers if answer.action is Action.KEEP]
        if kept:
            self._keep(kept[0].reply)
        elif answers:
            self._is("")
            self._made = ""
        for answer in answers:
            if answer.action is Action.ADVANCE:
                self.sent += answer.end - answer.start
            elif answer.action is Action.PUT_ASIDE:
                self._refuse(answer)
        return max((answer.wait_s for answer in answers), default=0.0)

    def _refuse(self, answer: Answer) -> None:
        if self._portion is not None and self._portion.job is not None and "retention" in answer.reply.text:
            self.expired += answer.end - answer.start
            return
        for at in range(answer.start, answer.end):
            line = self._lanes.body(at, at + 1).decode(errors="replace").rstrip("\n")
            self._aside.append((line, answer.reply.text, self._clock.utc_ns()))
        if len(self._aside) >= REFUSED_AT_ONCE:
            self._put_aside(None, None)

    def _keep(self, reply: Reply) -> None:
        self._losses.doubt(away=not reply.status)
        if not (reply.status == 404 and self._sink.create and self._created()):
            self._is(reply.text)
        if self._aside:
            self._put_aside(None, None)

    def _created(self) -> bool:
        """Makes the database; whether that has just been done, so that all may be well now."""
        made = self._target.create() or "made"
        fresh = made == "made" != self._made
        if made != self._made:
            self._report("create", f"{self._sink.bucket}: {made}")
        self._made = made
        if fresh and self._cursor.t:
            self._losses.wiped(0, self._newest())
        return fresh

    def _settle(self) -> None:
        """Everything of the portion is delivered or in quarantine."""
        portion, self._portion = self._portion, None
        if portion is None:
            return
        cursor = portion.cursor
        if cursor is not None and cursor.store == self._cursor.store:
            # Its lines may have been made before an edit was sent.
            cursor = cursor._replace(edit=max(cursor.edit, self._cursor.edit))
        self._put_aside(cursor, portion.job)
        if cursor is not None and not portion.more:
            self._oldest_ns = 0
        if len(portion.samples):
            t = portion.samples["t"]
            self._losses.delivered(int(t.min()), int(t.max()))
        self._cursor = cursor or self._cursor
        if portion.job is not None and portion.job.at >= portion.job.end:
            done = (
                f"{portion.job.sent} samples of history were sent to {self._sink.name}: {portion.job.reason}"
            )
            left = f". It left out {self.expired} that are too old for it" if self.expired else ""
            self._report("filled", done + left)
            self.expired = 0
        self._look()
        if not self.problem:
            self._losses.mark()

    def _look(self) -> None:
        if not self.problem:
            self._losses.look(self._newest())

    def _newest(self) -> int:
        """Newest source time that the database may have been sent, UTC, ns."""
        on_its_way = self._portion.cursor if self._portion is not None else None
        return max(self._cursor.t, on_its_way.t if on_its_way is not None else 0)

    def _put_aside(self, cursor: Cursor | None, job: Job | None) -> None:
        self._state.commit(self._sink.name, cursor, self._aside, job)
        if self._aside:
            first = self._aside[0]
            self._report("refused", f"{len(self._aside)} samples are in quarantine: {first[1]}")
            self._aside.clear()
            self.refused = self._state.count(self._sink.name)

    def _again(self) -> None:
        """Sends once more what somebody took out of quarantine."""
        asked = self._state.quarantine(self._sink.name, retry=True, limit=AGAIN_AT_ONCE)
        if asked:
            self._resend(asked)
        if asked or self.refused:
            self.refused = self._state.count(self._sink.name)

    def _resend(self, rows: list[Refused]) -> bool:
        """Sends rows of the quarantine, fewer and fewer where some are refused; False when the rest has to wait."""
        name = self._sink.name
        reply = self._target.post("".join(f"{row.line}\n" for row in rows).encode())
        if 200 <= reply.status < 300:
            self._state.drop(name, [row.id for row in rows])
            self.sent += len(rows)
            return True
        if decide(reply.status, len(rows)) is Action.KEEP:
            return False  # the server has a trouble of its own
        if len(rows) > 1:
            middle = len(rows) // 2
            return self._resend(rows[:middle]) and self._resend(rows[middle:])
        self._state.commit(name, None, [(rows[0].line, reply.text, self._clock.utc_ns())])
        return True

    def _is(self, problem: str) -> None:
        """Says once that nothing can be delivered, and once that it can again."""
        if problem and not self.problem:
            self._report("failing", f"{problem}. Nothing is lost; it is tried again")
        elif self.problem and not problem:
            self._report("recovered", "delivering again")
        self.problem = problem
