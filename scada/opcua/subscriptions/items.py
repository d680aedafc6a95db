"""Monitored items on the values of tags, as arrays: which of them have something to report. Pure but for the table.

An item remembers at which refresh of the table it last reported; the table knows at which refresh each tag last moved. So
what a hundred thousand items have to say is one comparison. Items that keep more than one value have queues (`queues`)
and are marked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

# MonitoringMode, OPC 10000-4 §7.23.
DISABLED, SAMPLING, REPORTING = 0, 1, 2
# DataChangeTrigger, OPC 10000-4 §7.22.2.
STATUS, STATUS_VALUE, STATUS_VALUE_TIME = 0, 1, 2

NO_BAND: Final = -1.0
_FIELDS: Final = np.dtype([
    ("id", "u4"), ("row", "i8"), ("handle", "u4"), ("mode", "u1"), ("stamps", "u1"), ("trigger", "u1"),
    ("band", "f8"), ("last", "f8"), ("last_status", "u4"), ("period_ns", "i8"), ("due_ns", "i8"), ("queue", "u4"),
    ("oldest", "?"),
])  # fmt: skip

Places = npt.NDArray[np.intp]


class Samples(Protocol):
    """What is asked of the table."""

    number: int
    moved: npt.NDArray[np.int64]

    def status(self, rows: Places) -> npt.NDArray[np.uint32]:
        """StatusCodes of some tags."""

    def floats(self, rows: Places) -> npt.NDArray[np.float64]:
        """Values of some tags."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One item as it was revised.

    Attributes:
        row: Of the tag.
        handle: The client's.
        mode: `DISABLED`, `SAMPLING` or `REPORTING`.
        stamps: TimestampsToReturn.
        trigger: What counts as a change.
        band: Dead band, engineering units; `NO_BAND` for none.
        period_ns: Sampling interval, ns.
        queue: Values that are kept.
        oldest: The oldest goes when there are more.
    """

    row: int
    handle: int
    mode: int = REPORTING
    stamps: int = 2
    trigger: int = STATUS_VALUE
    band: float = NO_BAND
    period_ns: int = 0
    queue: int = 1
    oldest: bool = True


class TagItems:
    """The items of one subscription whose values are those of tags; a place is an index into the arrays.

    Ids rise, so that an item is found by bisection; places change when items are deleted.
    """

    def __init__(self) -> None:
        self._all = np.zeros(0, _FIELDS)
        self._sent = np.zeros(0, np.int64)  # the refresh at which each reported last; 0 for never
        self._used = 0
        self._next = 0  # where the next message begins that cannot hold everything
        self.edition = 0  # rises with each change of an item
        self.note()

    def __len__(self) -> int:
        return self._used

    @property
    def _items(self) -> npt.NDArray[Any]:
        return self._all[: self._used]

    def column(self, name: str) -> npt.NDArray[Any]:
        """One field of all items by place: `id`, `row`, `handle`, `mode` and so on."""
        column: npt.NDArray[Any] = self._items[name]
        return column

    def find(self, id_: int) -> int:
        """The place of an item; -1 for none."""
        place = int(np.searchsorted(self._ids, id_))
        return place if place < self._used and self._ids[place] == id_ else -1

    def places(self, ids: npt.NDArray[np.uint32]) -> Places:
        """The places of items that there are, in the order of the ids."""
        found = np.searchsorted(self._ids, ids)
        found = np.minimum(found, max(self._used - 1, 0))
        return found[self._ids[found] == ids] if self._used else np.zeros(0, np.intp)

    def add(self, ids: list[int], items: list[Wanted]) -> None:
        """Adds items; ids rise and are higher than those that are there."""
        count = len(items)
        if self._used + count > len(self._all):
            size = max(self._used + count, self._used * 3 // 2)
            self._all = np.concatenate([self._items, np.zeros(size - self._used, _FIELDS)])
        part = self._all[self._used : self._used + count]
        part[:] = 0
        part["id"] = ids
        for name in ("row", "handle", "mode", "stamps", "trigger", "band", "period_ns", "queue", "oldest"):
            part[name] = [getattr(item, name) for item in items]
        self._used += count
        self._sent = np.concatenate([self._sent, np.zeros(count, np.int64)])
        self.note()

    def change(self, place: int, item: Wanted, table: Samples) -> None:
        """New parameters for an item, its row stays; after the last one comes `note`."""
        one = self._all[place : place + 1]
        if item.band != NO_BAND and one["band"][0] == NO_BAND:
            self._begin_band(place, one, table)
        for name in ("handle", "stamps", "trigger", "band", "period_ns", "queue", "oldest"):
            one[name] = getattr(item, name)
        one["due_ns"] = 0

    def _begin_band(self, place: int, one: npt.NDArray[Any], table: Samples) -> None:
        """A dead band counts from what was reported: from what is shown if that was, else the item reports now."""
        rows = one["row"].astype(np.intp)
        if table.moved[STATUS_VALUE, rows[0]] > self._sent[place]:
            self._sent[place] = 0
        else:
            one["last"], one["last_status"] = table.floats(rows), table.status(rows)

    def set_mode(self, places: Places, mode: int) -> None:
        """Sets the monitoring mode; what is enabled again reports its value (OPC 10000-4 §5.13.1.3)."""
        items = self._items
        again = places[items["mode"][places] == DISABLED] if mode != DISABLED else places[:0]
        self._sent[again] = 0
        items["mode"][places] = mode
        self.note()

    def remove(self, places: Places) -> None:
        """Deletes items."""
        kept = np.ones(self._used, np.bool_)
        kept[places] = False
        self._all = self._items[kept]
        self._sent = self._sent[kept]
        self._used = len(self._all)
        self._next = 0
        self.note()

    def resend(self) -> None:
        """Everything that reports will report its value again."""
        self._sent[self._items["mode"] == REPORTING] = 0

    def note(self) -> None:
        """What all items have in common, so that the usual ones cost one comparison."""
        items = self._items
        self._ids = np.ascontiguousarray(items["id"])
        self._rows = np.ascontiguousarray(items["row"])
        self._handles = np.ascontiguousarray(items["handle"])
        self.queued = np.flatnonzero(items["queue"] > 1)
        self._plain = bool((items["trigger"] == STATUS_VALUE).all() and (items["mode"] == REPORTING).all())
        self._single = len(self.queued) == 0
        self._banded = bool((items["band"] != NO_BAND).any())
        self._longest_ns = int(items["period_ns"].max(initial=0))
        self.edition += 1
        stamps = items["stamps"]
        self._stamps = int(stamps[0]) if len(stamps) and (stamps == stamps[0]).all() else None

    def changed(
        self, table: Samples, now_ns: int, interval_ns: int, most: int, also: Places | None = None
    ) -> tuple[Places, bool]:
        """The items that have a new value to report.

        Args:
            table: Refreshed.
            now_ns: Monotonic, ns.
            interval_ns: Between two publishings; items that are sampled more often need no look at the clock.
            most: At most so many.
            also: Places of items in Sampling mode that are reported too, as others trigger them.

        Returns:
            Their places, and whether there are more.
        """
        if not self._used:
            return np.zeros(0, np.intp), False
        items = self._items
        if self._plain and self._single:
            hits = np.flatnonzero(table.moved[STATUS_VALUE][self._rows] > self._sent)
        else:
            wanted = (items["mode"] == REPORTING) & (items["queue"] <= 1)
            if also is not None:
                wanted[also] |= (items["mode"][also] == SAMPLING) & (items["queue"][also] <= 1)
            hits = np.flatnonzero(wanted & (table.moved[items["trigger"], self._rows] > self._sent))
        if self._longest_ns > interval_ns and len(hits):
            hits = self._when_due(hits, now_ns)
        if self._banded and len(hits):
            hits = self._beyond_band(table, hits)
        if len(hits) <= most:
            return hits, False
        first = int(np.searchsorted(hits, self._next))
        chosen = np.concatenate([hits[first : first + most], hits[: max(0, first + most - len(hits))]])
        self._next = int(chosen[-1]) + 1
        return chosen, True

    def _when_due(self, hits: Places, now_ns: int) -> Places:
        return hits[(self._items["due_ns"][hits] <= now_ns) | (self._sent[hits] == 0)]

    def _beyond_band(self, table: Samples, hits: Places) -> Places:
        """Without those that moved within their dead band since they last reported (OPC 10000-4 §7.22.2)."""
        items = self._items
        banded = hits[(items["band"][hits] != NO_BAND) & (self._sent[hits] > 0)]
        if not len(banded):
            return hits
        rows = self._rows[banded]
        with np.errstate(invalid="ignore"):
            moved = np.abs(table.floats(rows) - items["last"][banded]) > items["band"][banded]
        status = table.status(rows)
        moved |= status != items["last_status"][banded]
        still = banded[~moved]
        self._sent[still] = table.number  # only another change can make a difference
        return hits[~np.isin(hits, still, assume_unique=True)] if len(still) else hits

    def report(
        self, places: Places, table: Samples, now_ns: int, interval_ns: int
    ) -> tuple[Places, npt.NDArray[np.uint32], int | npt.NDArray[np.uint8]]:
        """Remembers that items have reported; what a message needs of them: rows, handles, TimestampsToReturn."""
        items = self._items
        self._sent[places] = table.number
        rows = self._rows[places]
        if self._banded:
            banded = places[items["band"][places] != NO_BAND]
            items["last"][banded] = table.floats(self._rows[banded])
            items["last_status"][banded] = table.status(self._rows[banded])
        if self._longest_ns > interval_ns:
            items["due_ns"][places] = now_ns + items["period_ns"][places]
        stamps = self._stamps if self._stamps is not None else items["stamps"][places]
        return rows, self._handles[places], stamps
