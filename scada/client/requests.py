"""Sending requests to control and learning what became of them.

A request is one datagram to `run/control.sock`; its outcomes are events in control's ring; an empty datagram back is a
doorbell that says "look at the ring". A lost doorbell costs 50 ms, nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import os
import select
import socket
import uuid
from collections.abc import Sequence
from typing import Any, Final

import orjson

from scada.client.events import drain, parse
from scada.client.types import FINAL, Outcome
from scada.clock import Clock
from scada.datadir import DataDir
from tags.events import EventReader
from tags.types import Value

LOOK_S: Final = 0.05
PAYLOAD_MAX: Final = 60_000
_GRACE_NS: Final = 300_000_000
_ABSENT: Final = (errno.ENOENT, errno.ECONNREFUSED, errno.ENOTCONN, errno.EPIPE)
_NUMBERS = itertools.count(1)

Item = tuple[str, Value | None]


class _Pending:
    """One request on its way."""

    def __init__(self, id_: str, payload: bytes, end_ns: int) -> None:
        self.outcome = Outcome(id_, "submitted")
        self.payload = payload
        self.end_ns = end_ns
        self.sent = False
        self.done: asyncio.Future[Outcome] | None = None


class Requests:
    """The requests of one client; many may be on their way at once. Not for several threads.

    Args:
        data: The plant's data directory.
        clock: Monotonic for deadlines.
    """

    def __init__(self, data: DataDir, clock: Clock) -> None:
        self._data = data
        self._clock = clock
        self._ring = EventReader(data.events("control"))
        self._ring.to_end()
        self._socket, self._name = _bind(data)
        self._pending: dict[str, _Pending] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def submit(self, request: dict[str, Any], deadline_s: float, id_: str | None = None) -> str:
        """Sends a request (contract of `scada.requests`, without `id` and `deadline_ns`); returns its id."""
        id_ = id_ or uuid.uuid4().hex
        body = {"id": id_, **request, "deadline_ns": int(deadline_s * 1e9)}
        now = self._clock.monotonic_ns()
        pending = _Pending(id_, orjson.dumps(body), now + int(deadline_s * 1e9) + _GRACE_NS)
        self._pending[id_] = pending
        if len(pending.payload) > PAYLOAD_MAX:
            self._end(
                pending,
                "rejected",
                f"the request is {len(pending.payload)} bytes long, at most {PAYLOAD_MAX} fit: send fewer items at once",
            )
        else:
            self._send(pending)
        return id_

    def outcome(self, id_: str) -> Outcome:
        """What is known of a request now; once final it is forgotten.

        Raises:
            KeyError: Not one of ours, or its final outcome was already handed out.
        """
        self._look()
        pending = self._pending[id_]
        if pending.outcome.final:
            del self._pending[id_]
        return pending.outcome

    def wait(self, id_: str) -> Outcome:
        """Blocks until a request has its final outcome, at most until its deadline."""
        while not (outcome := self.outcome(id_)).final:
            select.select([self._socket], [], [], LOOK_S)
        return outcome

    async def await_(self, id_: str) -> Outcome:
        """As `wait`, without blocking the running event loop."""
        pending = self._pending[id_]
        if pending.outcome.final:
            return self._pending.pop(id_).outcome
        loop = asyncio.get_running_loop()
        pending.done = loop.create_future()
        if self._loop is not loop:
            self._loop = loop
            loop.add_reader(self._socket, self._look)
        self._look()
        self._tick()
        try:
            return await pending.done
        finally:
            self._pending.pop(id_, None)
            if not any(other.done for other in self._pending.values()):
                self._detach()

    def close(self) -> None:
        """Lets go of socket and ring; what is still awaited ends as unknown."""
        for pending in self._pending.values():
            if not pending.outcome.final:
                self._end(
                    pending,
                    "timed out",
                    "the connection to the plant was closed before the outcome was known",
                )
        self._detach()
        self._socket.close()
        if self._name:
            with contextlib.suppress(OSError):
                os.unlink(self._name)  # noqa: PTH108 - a plain name of a socket
        self._ring.close()

    def _tick(self) -> None:
        """A look every 50 ms while something is awaited: deadlines, full sockets, lost doorbells."""
        if self._timer:
            self._timer.cancel()
        self._timer = None
        if self._loop and any(pending.done and not pending.done.done() for pending in self._pending.values()):
            self._timer = self._loop.call_later(LOOK_S, self._again)

    def _again(self) -> None:
        self._look()
        self._tick()

    def _detach(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._loop and not self._loop.is_closed():
            self._loop.remove_reader(self._socket)
        self._loop = None

    def _look(self) -> None:
        """Takes doorbells, reads outcomes, sends what did not fit, ends what is overdue."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(64)
        records, lost = drain(self._ring, 65_536)
        for _, payload in records:
            self._take(payload)
        now = self._clock.monotonic_ns()
        for pending in list(self._pending.values()):
            if pending.outcome.final:
                continue
            if not pending.sent or lost:
                # Asking again by the same id only repeats a recorded outcome.
                self._send(pending)
            if now > pending.end_ns and not pending.outcome.final:
                self._overdue(pending)

    def _take(self, payload: bytes) -> None:
        event = parse(payload, "control")
        if event is None or event["kind"] != "request":
            return
        pending = self._pending.get(event.get("id", ""))
        if pending is None or pending.outcome.final:
            return
        pending.outcome = Outcome(
            pending.outcome.id,
            str(event["status"]),
            tuple(str(reason) for reason in event.get("reasons", ())),
            tuple((item[0], item[1]) for item in event.get("items", ())),
            tuple(event.get("old", ())),
        )
        self._settle(pending)

    def _overdue(self, pending: _Pending) -> None:
        if not pending.sent:
            self._end(
                pending,
                "rejected",
                "control takes no more requests now (its queue is full): nothing was changed",
            )
        elif pending.outcome.status == "submitted":
            self._end(
                pending,
                "timed out",
                "control did not answer. It may be restarting; look at the value before you try again",
            )
        else:
            self._end(
                pending,
                "timed out",
                f"still only {pending.outcome.status!r}: it is not known whether the device has it. "
                "Look at the value before you try again",
            )

    def _send(self, pending: _Pending) -> None:
        try:
            self._socket.sendto(pending.payload, os.path.realpath(self._data.control_socket))
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            if not pending.sent:
                self._end(
                    pending, "rejected", "control is not running: nothing was changed. See: scada status"
                )
            return
        pending.sent = True

    def _end(self, pending: _Pending, status: str, reason: str) -> None:
        old = pending.outcome
        pending.outcome = Outcome(old.id, status, (*old.reasons, reason), old.items, old.old)
        self._settle(pending)

    @staticmethod
    def _settle(pending: _Pending) -> None:
        if pending.outcome.status in FINAL and pending.done and not pending.done.done():
            pending.done.set_result(pending.outcome)


def _bind(data: DataDir) -> tuple[socket.socket, str]:
    """A datagram socket with an address that control can ring at; "" when it is an anonymous one."""
    bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    name = str(data.clients.resolve() / f"{os.getpid()}-{next(_NUMBERS)}.sock")
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)  # noqa: PTH108 - left by a process that had our number
        bell.bind(name)
    except OSError:
        # Too long a path, or no folder: the kernel gives an abstract address, which serves as well.
        bell.bind("")
        return bell, ""
    return bell, name


def request(
    kind: str,
    items: Sequence[Item],
    *,
    reason: str,
    source: str,
    user: str,
    role: str,
    for_s: float | None,
) -> dict[str, Any]:
    """The body of a request as control reads it.

    Raises:
        ValueError: JSON cannot say it: a value is NaN, infinite or of more than 64 bits, a text is not UTF-8.
    """
    for path, value in items:
        if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):  # noqa: PLR0124
            raise ValueError(f"{path}: {value!r} is not a finite number")
    body: dict[str, Any] = {
        "kind": kind,
        "items": [list(item) for item in items],
        "reason": reason,
        "source": source,
        "user": user,
        "role": role,
    }
    if for_s is not None:
        body["for_ns"] = int(for_s * 1e9)
    try:
        orjson.dumps(body)
    except orjson.JSONEncodeError as error:
        raise ValueError(f"the request cannot be sent: {error}") from error
    return body
