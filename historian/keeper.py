"""The work of the historian: once a second everything new goes to the disk, and a bad disk stops nothing.

While the store cannot be written, batches wait in memory up to a bound, then in the rings; when a ring overruns, the
loss is counted and marked. A damaged store is moved aside and a new one begun.

How long things are kept is the site's `historian:` section (`tags.model.Retention`); recordings of control's inputs take
256 MiB.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from typing import Final

from historian import wal
from historian.auditor import Auditor
from historian.collector import Collector
from historian.damage import move_aside, set_log_aside
from historian.fold.work import Work
from historian.fold.worker import Worker
from historian.recording import Recorder
from historian.sinks.spool import Spool
from historian.sqlite import SqliteStore
from historian.state import StateSaver
from historian.store import Batch, StoreDamagedError, StoreError
from scada.clock import Clock
from scada.datadir import DataDir
from tags.model import Site
from tags.publish import writers

WAITING_MAX: Final = 400_000  # samples and events in memory while the disk is bad: about 10 MB
_STEP_S: Final = 0.5  # slewing moves it far less in a second
_FIRST_NS: Final = 3600 * 1_000_000_000  # after the start nothing is forgotten for so long
_HOLD_NS: Final = 86_400 * 1_000_000_000
_LONG_OFF_NS: Final = 30 * 86_400 * 1_000_000_000

Report = Callable[..., None]  # report(kind, **fields): an event of the service


class Keeper:
    """Everything that the historian keeps.

    Args:
        data: The data directory.
        site: The compiled site.
        clock: Of the service.
        report: Appends an event of the service.
        threaded: Folds, seals and forgets in a thread; otherwise in `tick`.

    Attributes:
        rows: Samples committed since the start.
        gaps: Gaps found since the start.
        problem: Why the disk cannot be written now; "" when it can.
    """

    def __init__(
        self, data: DataDir, site: Site, clock: Clock, report: Report, *, threaded: bool = False
    ) -> None:
        self._data, self._site, self._clock, self._report = data, site, clock, report
        self._store: SqliteStore | None = None
        self._collector: Collector | None = None
        self._auditor: Auditor | None = None
        self._recorder: Recorder | None = None
        self._state: StateSaver | None = None
        self._waiting: list[Batch] = []
        self._looked = False
        self._problems: dict[str, str] = {}
        self._threaded = threaded
        self._worker: Worker | None = None
        self._silent_to = -1
        self._trust_from_ns = clock.monotonic_ns() + _FIRST_NS
        self._holding = False
        self._offset_ns = clock.utc_ns() - clock.monotonic_ns()
        names = [sink.name for sink in site.sinks]
        self._spool = Spool(data.history, names, max(s.spool for s in site.sinks)) if names else None
        self._spool_full = False
        self.rows = 0
        self.gaps = 0

    @property
    def ok(self) -> bool:
        """Everything new is on the disk."""
        return not self._problems

    @property
    def problem(self) -> str:
        """What is wrong with the disk, or ""."""
        return "; ".join(self._problems.values())

    def lag_s(self) -> float:
        """Age of the oldest thing that waits for the disk, s."""
        return max(0, self._clock.utc_ns() - self._waiting[0].utc_ns) / 1e9 if self._waiting else 0.0

    @property
    def journal(self) -> int:
        """Samples that are not in the files of their days yet."""
        return self._worker.journal if self._worker else 0

    @property
    def size_mb(self) -> float:
        """What samples, summaries, texts and events take on the disk, MB."""
        return self._worker.size / 1e6 if self._worker else 0.0

    def disk_free_mb(self) -> float:
        """Free on the disk of the history, MB; 0 when that cannot be known."""
        try:
            return shutil.disk_usage(self._data.history).free / 1e6
        except OSError:
            return 0.0

    def tick(self) -> None:
        """Collects and commits; call it about once a second."""
        self._watch_clock()
        self._guard(
            "audit", self._audit
        )  # first: on a full disk it has a reserve, and may not wait for the others
        self._guard("journal", self._journal)
        self._guard("days", self._background)
        self._guard("recording", self._record)
        self._guard("state", self._save_state)

    def close(self) -> None:
        """A last commit, then lets go of everything."""
        if self._auditor is not None:
            self._auditor.tell()
        self.tick()
        self._end_worker()
        for part in (self._auditor, self._recorder, self._state, self._store, self._spool):
            if part is not None:
                with contextlib.suppress(OSError):
                    part.close()

    def _guard(self, part: str, work: Callable[[], None]) -> None:
        """Says once when a part stops working, and once when it works again."""
        try:
            work()
        except (StoreError, OSError) as error:
            if part not in self._problems:
                message = f"{part}: {error}. Nothing stops; what is new waits in memory"
                self._report("service", name="historian", state="failing", message=message)
            self._problems[part] = f"{part}: {error}"
        else:
            if self._problems.pop(part, None) is not None:
                self._report("service", name="historian", state="recovered", message=f"{part}: writing again")

    def _watch_clock(self) -> None:
        """A step of the wall clock is an event: later it explains times that overlap or are missing."""
        offset = self._clock.utc_ns() - self._clock.monotonic_ns()
        step_s = (offset - self._offset_ns) / 1e9
        self._offset_ns = offset
        if abs(step_s) > _STEP_S:
            if step_s > 0:
                self._hold_pruning()
            self._report("clock", step_s=step_s, message=f"the clock was set by {step_s:+.1f} s")

    def _audit(self) -> None:
        if self._auditor is None:
            self._auditor = Auditor(self._data, writers(self._site), self._clock, self._report)
        self._auditor.tick()

    def _journal(self) -> None:
        try:
            store = self._open()
            self._collect(store)
            while self._waiting:
                batch = self._waiting[0]
                if store.append(batch):
                    self.rows += len(batch.samples)
                del self._waiting[0]
        except StoreDamagedError as error:
            self._begin_anew(error)

    def _open(self) -> SqliteStore:
        if self._store is not None and self._store.gone():
            self._let_go()
        if self._store is None:
            self._look_at_logs()
            self._store = SqliteStore.writer(self._data.history)
            self._store.declare(self._site.tags)
            now_ns = self._clock.utc_ns()
            held_ns = self._store.held_ns()
            # One that began less than a day ago, or later than now, was not over when the last process ended.
            if now_ns - self._store.last_commit_ns() > _LONG_OFF_NS or now_ns < held_ns + _HOLD_NS:
                self._hold_pruning()
        if self._holding:
            self._store.hold(self._clock.utc_ns())
            self._holding = False
        return self._store

    def _look_at_logs(self) -> None:
        """Once, before SQLite opens what a crash has left: it would drop commits behind a flipped bit without a word."""
        if self._looked:
            return
        for path, wrong in wal.damaged(self._data.history):
            aside = set_log_aside(path, self._clock.utc_ns())
            message = (
                f"{path}-wal: frame {wrong.frame} is damaged; the {wrong.commits} commits behind it are lost "
                f"if no other program holds the file open. A copy is in {aside}"
            )
            self._report("service", name="historian", state="history damaged", message=message)
        self._looked = True

    def _collect(self, store: SqliteStore) -> None:
        if self._collector is None:
            self._collector = Collector(self._data, self._site, store, self._clock)
        if sum(len(batch.samples) + len(batch.events) for batch in self._waiting) > WAITING_MAX:
            return
        batch = self._collector.collect()
        for gap in self._collector.gaps:
            self.gaps += 1
            self._report("gap", **gap)
        self._collector.gaps.clear()
        self._waiting.append(batch)

    def _background(self) -> None:
        """Sees to the worker: starts it, passes on what it says, and raises what it could not do."""
        if self._store is None:
            return
        if self._worker is None:
            path = self._store.path
            self._worker = Worker(
                lambda say: Work(self._data.history, path, say),
                self._clock,
                self._site.retention,
                self._spool.take if self._spool else None,
                self._trim if self._spool else None,
            )
            self._worker.distrust(self._trust_from_ns)
            if self._threaded:
                self._worker.start()
        if not self._threaded:
            self._worker.turn()
        while not self._worker.said.empty():
            kind, fields = self._worker.said.get()
            self._report(kind, **{"name": "historian", **fields} if kind == "service" else fields)
        problem = self._worker.problem
        if "journal" in self._problems:
            self._silent_to = (
                self._worker.turns + 1
            )  # what is wrong was said; a turn tells whether it still is
        if isinstance(problem, StoreDamagedError):
            self._begin_anew(problem)
        elif problem is not None and self._worker.turns > self._silent_to:
            raise problem

    def _end_worker(self) -> None:
        if self._worker is not None:
            self._worker.stop()
            self._worker = None
            self._silent_to = -1

    def _trim(self) -> None:
        """In the worker's thread, as everything that is done with the spool."""
        if self._spool is None or self._store is None or self._worker is None:
            return
        gone = self._spool.trim(self._store.key())
        if gone and not self._spool_full:
            message = (
                "the spool has its share of the disk: the oldest samples that wait for a sink are given up"
            )
            self._worker.said.put(("service", {"state": "spool full", "message": message}))
        self._spool_full = bool(gone)

    def _let_go(self) -> None:
        self._end_worker()
        if self._store is not None:
            self._store.close()
            self._store = None

    def _begin_anew(self, error: StoreDamagedError) -> None:
        self._let_go()
        aside = move_aside(self._data.history, self._clock.utc_ns())
        message = f"{error}. It was moved to {aside}, a new history was begun"
        self._report("service", name="historian", state="history damaged", message=message)

    def _hold_pruning(self) -> None:
        """A clock that is wrong by years must not forget all history: a day for somebody to see it."""
        self._trust_from_ns = self._clock.monotonic_ns() + _HOLD_NS
        self._holding = True
        if self._worker is not None:
            self._worker.distrust(self._trust_from_ns)

    def _record(self) -> None:
        if self._recorder is None:
            self._recorder = Recorder(self._data.recordings, self._data.record_ring, self._clock, self._site)
        self._recorder.tick()

    def _save_state(self) -> None:
        if self._state is None:
            self._state = StateSaver(self._data.control_state, self._data.control_state_saved)
        self._state.tick()
