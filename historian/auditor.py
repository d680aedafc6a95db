"""The historian's work on the audit trail: what the services' event rings tell, once a second.

It reads the rings for itself, so that it goes on while the store of samples is full, slow or damaged.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any, Final

import orjson

from historian.audit import FILE, Trail
from historian.store import StoreDamagedError, StoreError
from scada.clock import Clock
from scada.datadir import DataDir
from tags.events import EventReader
from tags.mapped import Position

# What no person did and the history tells anyway. Acknowledging an alarm is a request.
LEFT_OUT: Final = frozenset({"string", "alarm"})
_ANCHOR_NS: Final = 3600 * 1_000_000_000
_RESERVE_NS: Final = 60 * 1_000_000_000
_TIME_MAX: Final = 2**63
_WAITING_MAX: Final = 50_000

Report = Callable[..., None]


class Auditor:
    """Writes the audit trail.

    Args:
        data: The data directory.
        writers: Services that have an event ring.
        clock: Of the service.
        report: Appends an event of the service.
    """

    def __init__(self, data: DataDir, writers: Iterable[str], clock: Clock, report: Report) -> None:
        self._data, self._clock, self._report = data, clock, report
        self._writers = tuple(writers)
        self._trail: Trail | None = None
        self._readers: dict[str, EventReader] = {}
        self._waiting: list[dict[str, Any]] = []
        self._reached: dict[str, Position] = {}
        self._anchor_next_ns = self._reserve_next_ns = clock.monotonic_ns()

    def tick(self) -> int:
        """Commits what is new; call it about once a second.

        Returns:
            Entries written.

        Raises:
            StoreError: The disk does not let it. Nothing is lost: the next call tries again.
        """
        try:
            return self._tick()
        except StoreDamagedError as error:
            self._begin_anew(error)
            return 0

    def _tick(self) -> int:
        trail = self._open()
        before = dict(self._reached)
        self._collect()
        written = len(self._waiting)
        if written or self._reached != before:
            trail.append(self._waiting, self._reached)
            self._waiting.clear()
        now = self._clock.monotonic_ns()
        if now >= self._reserve_next_ns:
            self._reserve_next_ns = now + _RESERVE_NS
            _fill(trail)
        if now >= self._anchor_next_ns and written:
            self._anchor_next_ns = now + _ANCHOR_NS
            self.tell()
        return written

    def close(self) -> None:
        """Lets go of the files."""
        if self._trail is not None:
            self._trail.close()
        for reader in self._readers.values():
            reader.close()

    def tell(self) -> None:
        """Tells the history how far the chain has come, so that an end that was cut off is noticed."""
        if self._trail is None:
            return
        with contextlib.suppress(StoreError):
            told = self._trail.anchor()
            if told is not None:
                self._report("audit", **told)

    def _open(self) -> Trail:
        if self._trail is None:
            self._trail = Trail(self._data.history, patience_s=0.5)
        for writer in self._writers:
            if writer not in self._readers:
                at = self._trail.reached(writer)
                self._readers[writer] = EventReader(self._data.events(writer), at)
        return self._trail

    def _collect(self) -> None:
        for writer, reader in self._readers.items():
            while len(self._waiting) < _WAITING_MAX:  # then the rings are the buffer
                records, lost = reader.read()
                if lost:
                    self._waiting.append(
                        {"kind": "gap", "t": self._clock.utc_ns(), "service": writer, "events_lost": lost}
                    )
                if not records:
                    break
                for _, payload in records:
                    event = _event(payload, writer)
                    if event is not None:
                        self._waiting.append(event)
            self._reached[writer] = reader.position

    def _begin_anew(self, error: StoreDamagedError) -> None:
        if self._trail is not None:
            self._trail.close()
            self._trail = None
        self._anchor_next_ns = self._clock.monotonic_ns()
        now = self._clock.utc_ns()
        path = self._data.history / FILE
        aside = path.with_name(f"{FILE}.damaged-{now // 1_000_000_000}")
        for ending in ("", "-journal"):
            with contextlib.suppress(FileNotFoundError):
                path.with_name(f"{FILE}{ending}").rename(aside.with_name(f"{aside.name}{ending}"))
        message = f"{error}. It was moved to {aside}, a new audit trail was begun"
        self._report("service", name="historian", state="audit damaged", message=message)


def _fill(trail: Trail) -> None:
    """The disk may become full while the reserve is filled: the entries themselves are written."""
    try:
        trail.keep_reserve()
    except StoreDamagedError:
        raise
    except StoreError:
        return


def _event(payload: bytes, writer: str) -> dict[str, Any] | None:
    """An event that belongs into the audit trail, or None."""
    if b'"kind":"string"' in payload[:64]:
        return None
    try:
        event = orjson.loads(payload)
        event.setdefault("service", writer)
        wanted = isinstance(event["kind"], str) and event["kind"] not in LEFT_OUT
        return event if wanted and isinstance(event["t"], int) and 0 <= event["t"] < _TIME_MAX else None
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return None  # a newer version's, or damage
