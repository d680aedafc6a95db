"""Several requests on their way at once, and still each series in its order: lines are split into lanes, no series in two.

One lane is one request at a time. After a failure a single request is tried until one is taken: a server in trouble does not
get all of them again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import NamedTuple

from historian.sinks.answers import Reply
from historian.sinks.delivery import Action, Delivery, Pace
from historian.sinks.lines import Lines

Post = Callable[[bytes], Reply]


class Answer(NamedTuple):
    """What became of one request.

    Attributes:
        start: Its first line.
        end: Behind its last line.
        reply: Of the server.
        action: What it means.
        wait_s: How long to wait before the next request, s.
    """

    start: int
    end: int
    reply: Reply
    action: Action
    wait_s: float


class Lanes:
    """Sends lines of one portion after the other.

    Args:
        post: Sends one request; called in several threads at once.
        pace: How large requests may be.
        most: Requests on their way at once.
    """

    def __init__(self, post: Post, pace: Pace, most: int) -> None:
        self._post, self._pace, self._most = post, pace, most
        self._lines: Lines | None = None
        self._lanes: list[Delivery] = []
        self._flying: dict[int, tuple[int, int]] = {}
        self._asked: SimpleQueue[tuple[int, bytes] | None] = SimpleQueue()
        self._answered: SimpleQueue[tuple[int, Reply | Exception]] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    @property
    def done(self) -> bool:
        """All lines are delivered or put aside."""
        return self._lines is None

    def body(self, start: int, end: int) -> bytes:
        """Lines that are being sent."""
        return self._lines.body(start, end) if self._lines is not None else b""

    def begin(self, lines: Lines) -> None:
        """Takes lines to send; the ones before are done."""
        self._lines = lines if len(lines) else None
        most = max(1, min(self._most, -(-len(lines) // self._pace.size)))
        self._lanes = [Delivery(start, end) for start, end in lines.lanes(most)]

    def step(self) -> list[Answer]:
        """Sends what may be sent and waits for the next answers; [] when all is done."""
        lines = self._lines
        if lines is None:
            return []
        ready = self._ready()
        if not ready and not self._flying:
            self._lines = None
            return []
        if len(ready) == 1 and not self._flying:
            lane, span = ready[0]
            return [self._take(lane, span, self._post(lines.body(*span)), first=True)]
        for lane, span in ready:
            self._flying[lane] = span
            self._send(lane, lines.body(*span))
        return self._collect()

    def close(self) -> None:
        """Lets the threads go; does not wait for a request that hangs."""
        for _ in self._threads:
            self._asked.put(None)
        self._threads.clear()

    def _ready(self) -> list[tuple[int, tuple[int, int]]]:
        """Requests that may be sent now, by lane."""
        found: list[tuple[int, tuple[int, int]]] = []
        for lane, delivery in enumerate(self._lanes):
            if lane in self._flying:
                continue
            if self._pace.failures and (found or self._flying):
                break
            span = delivery.next(self._pace.size)
            if span is not None:
                found.append((lane, span))
        return found

    def _collect(self) -> list[Answer]:
        """The next answer and all that are there too; all that are on their way when one says: later."""
        answers: list[Answer] = []
        kept = False
        while self._flying:
            try:
                lane, reply = self._answered.get(block=kept or not answers)
            except Empty:
                break
            span = self._flying.pop(lane)
            if isinstance(reply, Exception):
                raise reply
            answers.append(self._take(lane, span, reply, first=not kept))
            kept = kept or answers[-1].action is Action.KEEP
        return answers

    def _take(self, lane: int, span: tuple[int, int], reply: Reply, *, first: bool) -> Answer:
        """Of several that say `later` at once only the first makes the wait longer, and what comes after it not shorter."""
        action = self._lanes[lane].answer(reply.status, reply.dropped)
        wait = 0.0
        if first or action in (Action.SPLIT, Action.PUT_ASIDE):
            wait = self._pace.learn(reply.status, span[1] - span[0], reply.retry_after_s)
        return Answer(*span, reply, action, wait)

    def _send(self, lane: int, body: bytes) -> None:
        if len(self._threads) < self._most:
            thread = threading.Thread(target=self._work, daemon=True)
            thread.start()
            self._threads.append(thread)
        self._asked.put((lane, body))

    def _work(self) -> None:
        while (asked := self._asked.get()) is not None:
            lane, body = asked
            try:
                self._answered.put((lane, self._post(body)))
            except Exception as error:  # noqa: BLE001 - raised again in the worker's thread
                self._answered.put((lane, error))
