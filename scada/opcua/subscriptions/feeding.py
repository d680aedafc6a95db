"""What goes into the queues of one subscription at each look at the plant. Pure but for the table.

An item that is sampled as fast as we look gets each change from the change rings. A slower one, a text, and one that also
wants new times gets what the table shows when its time has come. Staleness is in no ring: it comes from the table.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from scada.opcua.subscriptions import queues
from scada.opcua.subscriptions.items import (
    DISABLED,
    NO_BAND,
    STATUS,
    STATUS_VALUE_TIME,
    Places,
    Samples,
    TagItems,
)
from scada.opcua.subscriptions.queues import Entries, Log
from tags.types import FLOATS, floats

EVERY_NS: Final = 50_000_000  # items with this sampling interval get every change


class Source(Samples, Protocol):
    """What is asked of the table."""

    def bits(self, rows: Places) -> npt.NDArray[np.uint64]:
        """Value bits."""

    def source_ns(self, rows: Places) -> npt.NDArray[np.int64]:
        """Source times."""

    def overruled(self, rows: Places) -> npt.NDArray[np.bool_]:
        """Where the status shown is not the one published."""

    def is_text(self, rows: Places) -> npt.NDArray[np.bool_]:
        """Where tags are texts."""

    def text(self, row: int) -> bytes:
        """A text."""

    def type_of(self, row: int) -> str:
        """A tag's data type."""


class Changed(Protocol):
    """Changes from the rings."""

    @property
    def rows(self) -> npt.NDArray[np.intp]:
        """Tags."""

    @property
    def bits(self) -> npt.NDArray[np.uint64]:
        """Values."""

    @property
    def status(self) -> npt.NDArray[np.uint32]:
        """StatusCodes."""

    @property
    def source_ns(self) -> npt.NDArray[np.int64]:
        """Source times."""

    @property
    def lost(self) -> int:
        """Changes before these that nobody can read any more."""


class Feed:
    """Fills the log of one subscription.

    Args:
        items: Of the subscription.

    Attributes:
        log: What waits.
        discarded: Values that queues had no room for.
    """

    def __init__(self, items: TagItems) -> None:
        self._items = items
        self._edition = -1
        self.log = Log()
        self.discarded = 0
        self._ids = np.zeros(0, np.uint32)
        self._last = np.zeros(0, queues.ENTRY)  # what each item queued last, by its number here
        self._seen = np.zeros(0, np.int64)  # refresh at which each was sampled last; 0 for never
        self._due_ns = np.zeros(0, np.int64)

    def _renew(self, table: Source) -> None:
        """Follows changes of the items; what an item queued last outlives them."""
        if self._edition == self._items.edition:
            return
        self._edition = self._items.edition
        places = self._items.queued
        ids = self._items.column("id")[places]
        self._rows = self._items.column("row")[places].astype(np.intp)
        self._mode = self._items.column("mode")[places]
        self._trigger = self._items.column("trigger")[places]
        self._band = self._items.column("band")[places]
        self._sizes = self._items.column("queue")[places]
        self._oldest = self._items.column("oldest")[places]
        self._period = self._items.column("period_ns")[places]
        last, seen = np.zeros(len(ids), queues.ENTRY), np.zeros(len(ids), np.int64)
        _, old, new = np.intersect1d(self._ids, ids, assume_unique=True, return_indices=True)
        last[new], seen[new] = self._last[old], self._seen[old]
        due = np.zeros(len(ids), np.int64)
        due[new] = self._due_ns[old]
        self._due_ns = due
        self._ids, self._last, self._seen = ids, last, seen
        self._seen[self._mode == DISABLED] = 0  # what is enabled again queues its value
        self._last[self._mode == DISABLED] = np.zeros(1, queues.ENTRY)
        if len(self.log):
            live = ids[self._mode != DISABLED]
            self.log.keep(np.isin(self.log.whole()["id"], live))
        self._every = (
            (self._period <= EVERY_NS) & ~table.is_text(self._rows) & (self._trigger != STATUS_VALUE_TIME)
        )
        every = np.flatnonzero(self._every & (self._mode != DISABLED))
        self._by_row = every[np.argsort(self._rows[every], kind="stable")]
        self._total = int(self._sizes.sum())
        self._is_float = np.zeros(len(ids), np.bool_)
        for number in np.flatnonzero(self._band != NO_BAND).tolist():
            self._is_float[number] = table.type_of(int(self._rows[number])) in FLOATS

    def look(self, changes: Changed, changed: Places, table: Source, now_ns: int) -> None:
        """Takes what changed since the last look.

        Args:
            changes: From the rings.
            changed: Rows that changed in the table, rising.
            table: Refreshed just before the rings were read.
            now_ns: Monotonic, ns.
        """
        self._renew(table)
        if not len(self._ids):
            return
        fresh = np.flatnonzero((self._seen == 0) & (self._mode != DISABLED))
        parts = [(fresh, self._from_table(fresh, table))] if len(fresh) else []
        self._seen[fresh] = -1
        parts += self._of_rings(changes, changed, table)
        self._seen[fresh] = table.number
        sampled = np.flatnonzero(~self._every & (self._mode != DISABLED) & (self._due_ns <= now_ns))
        if len(sampled):
            self._due_ns[sampled] = now_ns + self._period[sampled]
            moved = sampled[table.moved[self._trigger[sampled], self._rows[sampled]] > self._seen[sampled]]
            self._seen[moved] = table.number
            if len(moved):
                parts.append((moved, self._from_table(moved, table)))
        if not parts:
            return
        item = np.concatenate([its for its, _ in parts])
        new = np.concatenate([entries for _, entries in parts])
        kept = self._worth(item, new)
        if len(kept):
            chosen = new[kept]
            if (
                changes.lost
            ):  # whose they were nobody knows: each queue that goes on says that it may lack some
                chosen["status"][np.unique(chosen["id"], return_index=True)[1]] |= queues.OVERFLOW
            self.log.append(chosen)
            if len(self.log) > 2 * self._total + queues.SLACK:
                self.cut()

    def _from_table(self, which: Places, table: Source) -> Entries:
        rows = self._rows[which]
        made = queues.entries(
            self._ids[which], rows, table.bits(rows), table.status(rows), table.source_ns(rows)
        )
        for place in np.flatnonzero(table.is_text(rows)).tolist():
            made["text"][place] = table.text(int(rows[place]))
        return made

    def _of_rings(self, changes: Changed, changed: Places, table: Source) -> list[tuple[Places, Entries]]:
        """Each change for the items that want each, and what the table shows where no ring says it."""
        parts: list[tuple[Places, Entries]] = []
        of = self._rows[self._by_row]
        if not len(of):
            return parts
        if len(changes.rows):
            which, its = queues.spread(changes.rows, of)
            its = self._by_row[its]
            known = self._seen[its] >= 0  # what is fresh has it from the table
            which, its = which[known], its[known]
            if len(its):
                made = queues.entries(
                    self._ids[its],
                    changes.rows[which],
                    changes.bits[which],
                    changes.status[which],
                    changes.source_ns[which],
                )
                parts.append((its, made))
        silent = changed[~np.isin(changed, changes.rows) | table.overruled(changed)]
        _, its = queues.spread(silent, of)
        its = self._by_row[its]
        its = its[self._seen[its] >= 0]
        if len(its):
            parts.append((its, self._from_table(its, table)))
        return parts

    def _worth(self, item: Places, new: Entries) -> Places:
        """Places of the entries that are a change to what their item queued last (OPC 10000-4 §7.22.2), rising."""
        order = np.argsort(item, kind="stable")
        its = item[order]
        at = new[order]
        before = np.empty(len(at), queues.ENTRY)
        before[1:] = at[:-1]
        begins = np.ones(len(at), np.bool_)
        begins[1:] = its[1:] != its[:-1]
        before[begins] = self._last[its[begins]]
        trigger = self._trigger[its]
        worth = at["status"] != before["status"]
        worth |= (trigger != STATUS) & (at["bits"] != before["bits"])
        worth |= (trigger == STATUS_VALUE_TIME) & (at["source_ns"] != before["source_ns"])
        worth |= before["id"] == 0  # nothing was queued yet
        ends = np.append(begins[1:], True)
        banded = np.flatnonzero(self._band[its] != NO_BAND)
        if len(banded):
            first = np.maximum.accumulate(np.where(begins, np.arange(len(at)), 0))
            self._by_band(banded, (np.arange(len(at)) - first)[banded], its, at, worth)
        plain = ends & (self._band[its] == NO_BAND)
        self._last[its[plain]] = at[plain]
        kept: Places = np.sort(order[worth])
        return kept

    def _by_band(
        self, places: Places, rank: Places, its: Places, at: Entries, worth: npt.NDArray[np.bool_]
    ) -> None:
        """Each is compared with what was queued before it: first the first of all items, then the second, and so on."""
        for turn in range(int(rank.max()) + 1):
            now = places[rank == turn]
            number = its[now]
            entry, last = at[now], self._last[number]
            is_float = self._is_float[number]
            with np.errstate(invalid="ignore"):
                moved = np.abs(floats(entry["bits"], is_float) - floats(last["bits"], is_float))
            compared = (last["id"] != 0) & (last["status"] == entry["status"])
            worth[now] &= ~compared | (moved > self._band[number])
            told = worth[now]
            self._last[number[told]] = entry[told]

    def cut(self) -> None:
        """Applies the bounds of the queues."""
        self.discarded += self.log.cut(self._ids, self._sizes, self._oldest)

    def take(self, ids: npt.NDArray[np.uint32], most: int) -> tuple[Entries, bool]:
        """Takes what waits of some items.

        Args:
            ids: Of them, rising.
            most: At most so many, the earliest.

        Returns:
            Entries, and whether there are more.
        """
        if not len(self.log) or not len(ids):
            return np.zeros(0, queues.ENTRY), False
        self.cut()
        log = self.log.whole()
        chosen = np.isin(log["id"], ids)
        places = np.flatnonzero(chosen)
        more = len(places) > most
        chosen[places[most:]] = False
        taken = log[chosen]
        self.log.keep(~chosen)
        return taken, more

    def forget(self) -> None:
        """Every item queues its value again at the next look."""
        self._seen[:] = 0
        self._last[:] = np.zeros(1, queues.ENTRY)
