"""The connection that other drivers are built on: what counts as what, and when it is tried again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from scada.clock import SimulatedClock
from scada.field.connection import BACK_OFF_MOST_NS, Connection
from scada.field.driver import (
    CLOSED,
    CONNECT,
    EXCEPTION,
    KINDS,
    MISMATCH,
    TIMEOUT,
    NoReplyError,
    RefusedError,
)

MS = 1_000_000


class Fake(Connection):
    """Opens as told."""

    def __init__(self, clock: SimulatedClock) -> None:
        super().__init__(clock, 10 * MS)
        self.opens: Callable[[], Coroutine[Any, Any, None]] = self.at_once
        self.held = 0

    async def at_once(self) -> None:
        self.held = 1

    async def _open(self) -> None:
        await self.opens()

    def _drop(self) -> None:
        self.held = 0


async def never() -> None:
    await asyncio.Event().wait()


async def refused() -> None:
    raise ConnectionRefusedError("refused")


def asking(error: Exception) -> Callable[[], Coroutine[Any, Any, None]]:
    async def ask() -> None:
        raise error

    return ask


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(monotonic_ns=1000 * MS)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("odd"), MISMATCH),
        (UnicodeDecodeError("ascii", b"\xff", 0, 1, "odd"), MISMATCH),
        (EOFError("gone"), CLOSED),
        (ConnectionResetError("gone"), CLOSED),
        (TimeoutError("late"), TIMEOUT),
    ],
)
async def test_what_is_no_reply_drops_the_connection(
    clock: SimulatedClock, error: Exception, kind: str
) -> None:
    link = Fake(clock)
    assert await link.connect()
    with pytest.raises(NoReplyError) as told:
        await link.exchange(asking(error))
    assert told.value.kind == kind
    assert (link.open, link.held, link.failures, link.errors) == (False, 0, 1, 1)
    assert link.errors_by_kind == dict.fromkeys(KINDS, 0) | {kind: 1}
    assert link.reason == str(told.value) != ""
    with pytest.raises(NoReplyError, match="not connected"):
        await link.exchange(asking(AssertionError("not asked")))


async def test_silence_and_a_connection_that_does_not_come_end_in_time(clock: SimulatedClock) -> None:
    link = Fake(clock)
    assert await link.connect()
    with pytest.raises(NoReplyError) as told:
        await link.exchange(never)
    assert told.value.kind == TIMEOUT
    link.opens = never
    assert not await link.connect()
    assert link.errors_by_kind[CONNECT] == 1


async def test_a_refusal_is_an_answer(clock: SimulatedClock) -> None:
    link = Fake(clock)
    assert await link.connect()
    link.failures = 3
    with pytest.raises(RefusedError):
        await link.exchange(asking(RefusedError(2)))
    assert (link.open, link.failures, link.errors, link.errors_by_kind[EXCEPTION]) == (True, 0, 1, 1)
    assert link.good_ns == clock.monotonic_ns()


async def test_it_is_tried_again_at_once_then_ever_later_up_to_two_seconds(clock: SimulatedClock) -> None:
    link = Fake(clock)
    link.opens = refused
    waits = []
    for _ in range(8):
        assert not await link.connect()
        waits.append((link.next_try_ns - clock.monotonic_ns()) // MS)
    assert waits == [0, 200, 400, 800, 1600, 2000, 2000, 2000]
    assert waits[-1] * MS == BACK_OFF_MOST_NS


async def test_a_request_that_is_cancelled_drops_the_connection(clock: SimulatedClock) -> None:
    link = Fake(clock)
    link.timeout_ns = 60_000 * MS
    assert await link.connect()
    task = asyncio.ensure_future(link.exchange(never))
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert (link.open, link.held, link.errors) == (False, 0, 0)


async def test_latency_is_that_of_the_replies(clock: SimulatedClock) -> None:
    link = Fake(clock)
    assert link.latency_ms() == (0.0, 0.0)
    assert await link.connect()
    for time_ms in [1] * 60 + [5] * 40:

        async def ask(time_ms: int = time_ms) -> int:
            clock.advance(time_ms * MS)
            return time_ms

        assert await link.exchange(ask) == time_ms
    assert link.latency_ms() == (1.0, 5.0)
