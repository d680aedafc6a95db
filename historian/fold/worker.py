"""The thread in which the background work is done. numpy, zstandard and SQLite let go of the interpreter meanwhile."""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, Final

from historian.fold.chores import Chores
from historian.fold.fold import Leaving
from historian.fold.work import Work
from historian.store import StoreDamagedError, StoreError
from scada.clock import Clock
from tags.model import Retention

PERIOD_S: Final = 1.0
JOIN_S: Final = 10.0
SIZE_EVERY_NS: Final = 60_000_000_000

Open = Callable[[Callable[..., None]], Work]


class Worker:
    """Does what is due about once a second, in a thread or when it is told to.

    Args:
        opens: Makes the `Work`, given where to say what somebody should know.
        clock: Of the service.
        retention: Of the site; None keeps everything.
        leaving: See `fold.fold`; called in the thread.
        each: Done with each turn, in the thread.

    Attributes:
        said: (kind, fields) of events that somebody must report.
        problem: Why the last turn failed; None when it did not.
        turns: How many turns there were.
        journal: Samples that were not in the files of their days at the end of the last turn.
        size: What the history took on the disk, bytes; looked at once a minute.
    """

    def __init__(
        self,
        opens: Open,
        clock: Clock,
        retention: Retention | None = None,
        leaving: Leaving | None = None,
        each: Callable[[], None] | None = None,
    ) -> None:
        self._opens, self._clock, self._retention = opens, clock, retention
        self._leaving, self._each = leaving, each
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._work: Work | None = None
        self._chores: Chores | None = None
        self._trust_from_ns = 0
        self._size_next_ns = 0
        self.said: queue.SimpleQueue[tuple[str, dict[str, Any]]] = queue.SimpleQueue()
        self.problem: StoreError | None = None
        self.turns = 0
        self.journal = 0
        self.size = 0

    def start(self) -> None:
        """Begins the thread."""
        self._thread = threading.Thread(target=self._run, name="fold", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread after the step that it is in, and lets go of the files."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(JOIN_S)
            if self._thread.is_alive():
                return  # it goes with the process, as if it had been killed: nothing is lost by that
        self._close()

    def distrust(self, until_ns: int) -> None:
        """Forgets nothing for its age until then (monotonic, ns): the clock may be wrong."""
        self._trust_from_ns = until_ns

    def turn(self) -> None:
        """Does all that is due; what fails is in `problem` and tried again in the next turn."""
        try:
            if self._each is not None:
                self._each()
            chores = self._open()
            chores.trust_from_ns = self._trust_from_ns
            while not self._stopping.is_set() and chores.step(
                self._clock.utc_ns(), self._clock.monotonic_ns()
            ):
                pass
            self._measure()
        except sqlite3.OperationalError as error:
            self._failed(StoreError(f"history: {error}"), error)
        except sqlite3.DatabaseError as error:
            self._failed(StoreDamagedError(f"history: {error}"), error)
        except OSError as error:
            self._failed(StoreError(f"{error.filename or 'history'}: {error.strerror or error}"), error)
        except StoreError as error:
            self._failed(error, error.__cause__)
        except Exception as error:  # noqa: BLE001 - a thread that ends without a word would never fold again
            self._failed(StoreError(f"history: {type(error).__name__}: {error}"), error)
        else:
            self.problem = None
        self.turns += 1

    def _measure(self) -> None:
        if self._work is None:
            return
        self.journal = self._work.waiting()[1]
        if self._clock.monotonic_ns() >= self._size_next_ns:
            self._size_next_ns = self._clock.monotonic_ns() + SIZE_EVERY_NS
            self.size = self._work.size()

    def _failed(self, problem: StoreError, cause: BaseException | None) -> None:
        problem.__cause__ = cause
        self.problem = problem
        self._close()

    def _open(self) -> Chores:
        if self._chores is None:
            self._work = self._opens(lambda kind, **fields: self.said.put((kind, fields)))
            self._chores = Chores(self._work, self._retention, self._leaving, self._stopping.is_set)
        return self._chores

    def _close(self) -> None:
        self._chores = None
        if self._work is not None:
            with contextlib.suppress(sqlite3.Error):
                self._work.close()
            self._work = None

    def _run(self) -> None:
        while not self._stopping.wait(PERIOD_S):
            self.turn()
