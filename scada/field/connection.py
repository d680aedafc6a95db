"""A connection to build a driver on: when to try again, how fast the device answers, what went wrong.

For protocols that ask one thing at a time over a connection of the device's own. Derive, and write `_open` and `_drop`; send
through `exchange`. After anything but a right reply or a refusal the connection is dropped, so that a late reply dies
with it.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from scada.clock import Clock
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

T = TypeVar("T")
BACK_OFF_FIRST_NS: Final = 200_000_000
BACK_OFF_MOST_NS: Final = 2_000_000_000
_KEPT: Final = 512


class Connection(ABC):
    """Implements `scada.field.driver.Link`.

    Args:
        clock: Monotonic time for latency and back-off.
        timeout_ns: For opening, and for each reply.

    Attributes:
        timeout_ns: As given.
        errors: See `Link`, as the others.
    """

    def __init__(self, clock: Clock, timeout_ns: int) -> None:
        self.timeout_ns = timeout_ns
        self.errors = 0
        self.errors_by_kind = dict.fromkeys(KINDS, 0)
        self.failures = 0
        self.good_ns = 0
        self.next_try_ns = 0
        self.reason = ""
        self._clock = clock
        self._up = False
        self._latency_ns: deque[int] = deque(maxlen=_KEPT)

    @abstractmethod
    async def _open(self) -> None:
        """Opens it. OSError says that it cannot be; it is cancelled when it takes too long."""

    @abstractmethod
    def _drop(self) -> None:
        """Lets go of it, also half open; does not wait. Fine when there is none."""

    @property
    def open(self) -> bool:
        """Whether requests may be sent."""
        return self._up

    async def connect(self) -> bool:
        """Tries once."""
        self.close()
        try:
            async with asyncio.timeout(self.timeout_ns / 1e9):
                await self._open()
            self._up = True
        except (OSError, TimeoutError) as error:
            self._failed(CONNECT, str(error) or "no connection")
        finally:
            if not self._up:
                self._drop()
        return self._up

    async def exchange(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Sends a request and waits for its reply.

        Args:
            ask: Does it. It may raise RefusedError; ValueError where the reply does not answer the request; OSError or
                EOFError where the connection is lost.

        Raises:
            RefusedError: The device will not; the connection stays.
            NoReplyError: Anything else; the connection has been dropped.
        """
        if not self._up:
            raise NoReplyError("not connected", CLOSED)
        start_ns = self._clock.monotonic_ns()
        try:
            async with asyncio.timeout(self.timeout_ns / 1e9):
                answer = await ask()
        except RefusedError:
            self.errors += 1
            self.errors_by_kind[EXCEPTION] += 1
            self._answered(start_ns)
            raise
        except TimeoutError:
            raise self._failed(TIMEOUT, "no reply in time") from None
        except ValueError as error:
            raise self._failed(MISMATCH, str(error)) from None
        except (OSError, EOFError) as error:
            raise self._failed(CLOSED, str(error) or "the device closed the connection") from None
        except BaseException:
            self.close()  # cancelled: a late reply must find nobody
            raise
        self._answered(start_ns)
        return answer

    def close(self) -> None:
        """Drops the connection."""
        self._up = False
        self._drop()

    def latency_ms(self) -> tuple[float, float]:
        """p50 and p99 of the last 512 replies, ms; zeros before the first."""
        known = sorted(self._latency_ns)
        if not known:
            return 0.0, 0.0
        return known[len(known) // 2] / 1e6, known[min(len(known) * 99 // 100, len(known) - 1)] / 1e6

    def _answered(self, start_ns: int) -> None:
        self.good_ns = self._clock.monotonic_ns()
        self._latency_ns.append(self.good_ns - start_ns)
        self.failures = 0

    def _failed(self, kind: str, reason: str) -> NoReplyError:
        self.close()
        self.failures += 1
        self.errors += kind != CONNECT
        self.errors_by_kind[kind] += 1
        self.reason = reason
        wait_ns = (
            0 if self.failures == 1 else min(BACK_OFF_FIRST_NS << min(self.failures - 2, 8), BACK_OFF_MOST_NS)
        )
        self.next_try_ns = self._clock.monotonic_ns() + wait_ns
        return NoReplyError(reason, kind)
