"""From the rings of all services to a batch for the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from historian.policy import Policy
from historian.store import SAMPLE, Batch, Store, Text
from scada.clock import Clock
from scada.datadir import DataDir
from tags.events import EventReader
from tags.image import ImageReader
from tags.mapped import Position
from tags.model import Site
from tags.publish import writers
from tags.ring import CHANGE, EPOCH_MARK, RingReader
from tags.types import STRING

CHANGES, EVENTS = "changes", "events"
BLOCK: Final = 1 << 16
_TIME_MAX: Final = 2**63
_TEXTS_MAX: Final = 10_000
_STEP_NS: Final = 500_000_000  # slewing moves the clock far less in a second
RUN: Final = ("supervisor", "run")  # a position that tells one run of the plant from the next
BATCH: Final = ("historian", "batch")  # a position that tells one batch from the next

Rows = npt.NDArray[np.void]


class Source:
    """One service's image and rings, read on from where the store has got to."""

    def __init__(self, data: DataDir, site: Site, writer: str, store: Store) -> None:
        self.writer = writer
        tags = site.of_writer(writer)
        self.ids = np.array([tag.id for tag in tags], np.uint32)
        self._rows = {tag.id: tag.row for tag in tags if tag.type == STRING}
        self.strings = np.array(list(self._rows), np.uint32)
        self.changes = RingReader(data.ring(writer), store.position(writer, CHANGES))
        self.events = EventReader(data.events(writer), store.position(writer, EVENTS))
        self.image = ImageReader(data.image(writer))

    def now(self) -> Rows:
        """All its tags as the image has them."""
        self.image.snapshot()
        n = len(self.ids)
        rows = np.empty(n, SAMPLE)
        rows["tag"] = self.ids
        rows["t"] = self.image.source_ns[:n]
        rows["bits"] = self.image.value[:n]
        rows["status"] = self.image.status[:n]
        return rows

    def text(self, tag: int, bits: int) -> str | None:
        """The text of a string tag, if it is still the one that the value bits count."""
        self.image.snapshot()
        row = self._rows[tag]
        return self.image.text(row) if bits and int(self.image.value[row]) == bits else None


class Collector:
    """Makes batches. What it has read is read: a batch that it returned must be committed, in order.

    Args:
        data: The data directory.
        site: The compiled site.
        store: Tells where to go on.
        clock: For stamps.

    Attributes:
        gaps: What was lost since the last look: fields of `gap` events. Whoever reports them empties the list.
    """

    def __init__(self, data: DataDir, site: Site, store: Store, clock: Clock) -> None:
        self._clock = clock
        self._policy = Policy(site.tags, store.last(originals=True), store.memory())
        self._strings = {tag.id for tag in site.tags if tag.type == STRING and tag.history.keep}
        self._texts: dict[tuple[int, int], str] = {}  # by tag and value bits
        self._last_text: dict[int, tuple[int, str]] = {}
        self._sources = [Source(data, site, writer, store) for writer in writers(site)]
        self._known_ns = store.last_commit_ns()
        self._offset_ns = clock.utc_ns() - clock.monotonic_ns()
        self.gaps: list[dict[str, Any]] = []
        self._run = Position(0, data.site_json.stat().st_mtime_ns)
        self._number = (store.position(*BATCH) or Position(0, 0)).sequence
        before = store.position(*RUN)
        self._was_off = before is not None and before != self._run

    def collect(self) -> Batch:
        """Everything new in all rings, and what is due because it was not kept for long."""
        now = self._clock.utc_ns()
        offset = now - self._clock.monotonic_ns()
        if abs(offset - self._offset_ns) > _STEP_NS:
            self._policy.stepped(offset - self._offset_ns)
        self._offset_ns = offset
        batch = Batch(utc_ns=now)
        parts: list[Rows] = []
        for source in self._sources:
            parts += self._changes(source, batch, now, offset)
            batch.positions[source.writer, CHANGES] = source.changes.position
            batch.positions[source.writer, EVENTS] = source.events.position
        if self._was_off:
            self.gaps.append({"reason": "the plant was not running", "from": self._known_ns, "to": now})
            self._was_off = False
        parts.append(self._policy.flush(now))
        parts.append(self._due(now))
        self._number += 1
        batch.positions[RUN] = self._run
        batch.positions[BATCH] = Position(0, self._number)
        batch.samples = _joined(parts, SAMPLE)
        batch.memory = self._policy.memory()
        self._known_ns = now
        return batch

    def _changes(self, source: Source, batch: Batch, now: int, offset: int) -> list[Rows]:
        # The ring before the events: a text's event is written before its change.
        records, lost = _drain(source.changes)
        events_lost = self._events(source, batch)
        marks = np.flatnonzero(records["tag"] == EPOCH_MARK)
        parts: list[Rows] = []
        if self._was_off:
            # What was still in the ring from before the stop, then the gap, then the new run.
            first = int(marks[0]) if len(marks) else 0
            old, records = records[:first], records[first:]
            parts.append(self._keep(source, old, batch, now, offset))
            newest = int(old["source_ns"].max(initial=self._known_ns))
            parts.append(self._policy.lost(source.ids, min(newest + 1, now)))
        if lost:
            parts.append(self._policy.lost(source.ids, self._known_ns))
            self.gaps.append({"writer": source.writer, "lost": lost, "from": self._known_ns, "to": now})
        if events_lost:
            self.gaps.append(
                {"writer": source.writer, "events_lost": events_lost, "from": self._known_ns, "to": now}
            )
        parts.append(self._keep(source, records, batch, now, offset))
        if lost:
            rows = source.now()
            rows["t"] = np.where(rows["t"] > self._known_ns, rows["t"], now)
            parts.append(self._policy.keep(rows, np.full(len(rows), now, np.int64)))
        return parts

    def _keep(self, source: Source, records: Rows, batch: Batch, now: int, offset: int) -> Rows:
        """What is to be kept of changes, whose columns are looked at while they are in the processor's cache."""
        if len(records) > BLOCK:
            blocks = (records[at : at + BLOCK] for at in range(0, len(records), BLOCK))
            return _joined([self._keep(source, block, batch, now, offset) for block in blocks], SAMPLE)
        rows = np.empty(len(records), SAMPLE)
        rows["tag"], rows["status"], rows["bits"] = records["tag"], records["status"], records["bits"]
        published = np.where(records["publish_ns"] > 0, records["publish_ns"] + offset, now)
        rows["t"] = np.where(records["source_ns"] > 0, records["source_ns"], published)
        if len(source.strings):
            self._string_rows(source, rows, batch)
        return self._policy.keep(rows, np.minimum(published, now))

    def _string_rows(self, source: Source, rows: Rows, batch: Batch) -> None:
        """Samples of string tags: order, time and status from the ring, texts from the events that they count."""
        for i in np.flatnonzero(np.isin(rows["tag"], source.strings)):
            tag, t, status, bits = (int(rows[name][i]) for name in ("tag", "t", "status", "bits"))
            text = self._texts.get((tag, bits))
            if text is None:
                text = source.text(tag, bits)
            if tag not in self._strings or text is None or self._last_text.get(tag) == (status, text):
                continue
            self._last_text[tag] = (status, text)
            batch.texts.append(Text(tag, t, status, text))

    def _events(self, source: Source, batch: Batch) -> int:
        lost = 0
        while True:
            records, gone = source.events.read()
            lost += gone
            if not records:
                return lost
            for _, payload in records:
                self._event(source.writer, payload, batch)

    def _event(self, writer: str, payload: bytes, batch: Batch) -> None:
        try:
            event = orjson.loads(payload)
            event.setdefault("service", writer)
            if event["kind"] == "string":
                self._string(event)
            elif isinstance(event["kind"], str) and 0 <= int(event["t"]) < _TIME_MAX:
                batch.events.append(event)
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError):
            return  # a newer version's, or damage; its number was counted

    def _string(self, event: dict[str, Any]) -> None:
        key = int(event["tag"]), int(event["bits"])
        self._texts.pop(key, None)
        self._texts[key] = str(event["value"])
        while len(self._texts) > _TEXTS_MAX:
            del self._texts[next(iter(self._texts))]

    def _due(self, now: int) -> Rows:
        due = self._policy.due(now)
        if not len(due):
            return np.empty(0, SAMPLE)
        parts = [rows[np.isin(rows["tag"], due)] for source in self._sources for rows in [source.now()]]
        return self._policy.take(np.concatenate(parts), now)


def _drain(ring: RingReader) -> tuple[Rows, int]:
    """Everything in the ring, epoch marks included, and how many records were lost."""
    parts, lost = [], 0
    while True:
        records, gone = ring.read()
        lost += gone
        parts.append(records)
        if not len(records):
            return _joined(parts, CHANGE), lost


def _joined(parts: Sequence[Rows], dtype: np.dtype[np.void]) -> Rows:
    """Records after each other: as words, for numpy copies records one by one."""
    full = [part for part in parts if len(part)]
    if len(full) == 1:
        return full[0]
    width = dtype.itemsize // 8
    words = [np.ascontiguousarray(part).view("<u8").reshape(-1, width) for part in full]
    return np.concatenate([np.empty((0, width), "<u8"), *words]).view(dtype).reshape(-1)
