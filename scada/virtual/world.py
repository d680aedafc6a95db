"""Virtual time: an agenda, processes that can be frozen and killed, and their clock.

Each process has an event loop of its own on which the coroutines of a service run unchanged. All loops share one
agenda. A frozen process misses its events and finds them waiting when it goes on, as after SIGSTOP; of a killed one
nothing runs any more, not even a `finally`, as after SIGKILL.
"""

# ruff: noqa: SLF001 - asyncio gives these names to whoever makes an event loop
from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVarTuple, Unpack

_Ts = TypeVarTuple("_Ts")
_Loop: Any = asyncio.AbstractEventLoop  # most of it is left out: who needs sockets has no place here

START_NS = 1_000_000_000_000
"""Monotonic time at which a world begins, ns: not 0, which means "never" in many places."""


class World:
    """The agenda of everything that happens.

    Args:
        utc_ns: Wall clock at the beginning, ns UTC.

    Attributes:
        now_ns: Monotonic, ns.
        clock: What everybody in this world reads.
    """

    def __init__(self, utc_ns: int) -> None:
        self.now_ns = START_NS
        self.clock = VirtualClock(self, utc_ns - START_NS)
        self._agenda: list[tuple[int, int, Process | None, Callable[[], object]]] = []
        self._count = 0

    def at(self, when_ns: int, what: Callable[[], object], process: Process | None = None) -> None:
        """Puts something on the agenda; what is of a process happens only while that process runs.

        Args:
            when_ns: Monotonic, ns; the past means now.
            what: Called then.
            process: Whose it is, or None: nature's.
        """
        self._count += 1
        heapq.heappush(self._agenda, (max(when_ns, self.now_ns), self._count, process, what))

    def after(self, delay_ns: int, what: Callable[[], object], process: Process | None = None) -> None:
        """As `at`, so long from now."""
        self.at(self.now_ns + delay_ns, what, process)

    def run_until(self, when_ns: int) -> None:
        """Lets everything happen up to and including a moment."""
        agenda = self._agenda
        while agenda and agenda[0][0] <= when_ns:
            self.now_ns, _, process, what = heapq.heappop(agenda)
            if process is None:
                what()
            else:
                process.run(what)
        self.now_ns = max(self.now_ns, when_ns)


class VirtualClock:
    """The clock of a world; monotonic time is the world's, wall time has an offset that can be stepped."""

    def __init__(self, world: World, offset_ns: int) -> None:
        self._world = world
        self._offset_ns = offset_ns

    def monotonic_ns(self) -> int:
        """Time of the world, ns."""
        return self._world.now_ns

    def utc_ns(self) -> int:
        """Wall clock, ns since 1970."""
        return self._world.now_ns + self._offset_ns

    def step_utc(self, ns: int) -> None:
        """Steps the wall clock, as an administrator or NTP would; may be negative."""
        self._offset_ns += ns


class Process(_Loop):  # type: ignore[misc]
    """One process of the world and its event loop: as much of asyncio as a service without sockets needs.

    Args:
        world: Where it lives.
        name: For messages.

    Attributes:
        alive: False once killed.
        frozen: Nothing of it runs, and what is due waits.
        errors: Exceptions that nobody caught.
    """

    def __init__(self, world: World, name: str) -> None:
        self.name = name
        self.alive = True
        self.frozen = False
        self.errors: list[BaseException] = []
        self._world = world
        self._ready: deque[asyncio.Handle] = deque()
        self._missed: deque[Callable[[], object]] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._entered = False

    def run(self, what: Callable[[], object]) -> None:
        """Runs something as this process, then everything that became ready by it."""
        if not self.alive:
            return
        if self.frozen:
            self._missed.append(what)
            return
        if self._entered:  # from within: it is this process already
            what()
            return
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        self._entered = True
        try:
            what()
            while self._ready and self.alive and not self.frozen:
                self._ready.popleft()._run()
        finally:
            self._entered = False
            asyncio._set_running_loop(before)

    def freeze(self) -> None:
        """SIGSTOP."""
        self.frozen = True

    def thaw(self) -> None:
        """SIGCONT: what was missed happens now, in its order."""
        self.frozen = False
        missed, self._missed = self._missed, deque()
        self.run(_nothing)
        for what in missed:
            self.run(what)

    def kill(self) -> None:
        """SIGKILL."""
        self.alive = False
        self._ready.clear()
        self._missed.clear()
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            _end(task.get_coro())

    # -- what asyncio asks of an event loop ---------------------------------------------------------------------

    def time(self) -> float:
        """Monotonic, s."""
        return self._world.now_ns / 1e9

    def call_soon(
        self, callback: Callable[[Unpack[_Ts]], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """As asyncio's."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        if not self._entered:
            self._world.after(0, _nothing, self)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[_Ts]], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As asyncio's."""
        when_ns = self._world.now_ns + max(0, round(delay * 1e9))
        handle = asyncio.TimerHandle(when_ns / 1e9, callback, args, self, context)
        self._world.at(when_ns, lambda: None if handle.cancelled() else handle._run(), self)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[_Ts]], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As asyncio's."""
        return self.call_later(when - self.time(), callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        """As asyncio's."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **more: Any) -> asyncio.Task[Any]:
        """As asyncio's."""
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, **more)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def start(self, coro: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Runs a service's main coroutine; an exception that ends it is kept in `errors`."""
        task = self.create_task(coro)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.errors.append(error)

    def get_debug(self) -> bool:
        """Never."""
        return False

    def is_running(self) -> bool:
        """While the process lives."""
        return self.alive

    def is_closed(self) -> bool:
        """Once it was killed."""
        return not self.alive

    def set_exception_handler(self, handler: Any) -> None:
        """Exceptions are kept in `errors` whatever is asked here."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keeps what went wrong in a callback."""
        error = context.get("exception")
        if self.alive and not isinstance(error, GeneratorExit):
            self.errors.append(error or RuntimeError(str(context.get("message"))))

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Its place on the agenda stays and does nothing."""


def _nothing() -> None:
    """A turn in which only what is ready runs."""


def _end(coroutine: Any) -> None:
    """Takes a coroutine apart whose process is gone; what it awaits on its way out never comes."""
    for _ in range(3):
        try:
            coroutine.close()
        except RuntimeError:  # it awaited once more
            continue
        return
