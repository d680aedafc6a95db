"""Monitored items on what the table does not have: other attributes, other nodes, parts of values.

They are few and slow: each is read like a Read would when its time has come, and compared with what it queued last.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from scada.opcua.subscriptions.items import (
    DISABLED,
    NO_BAND,
    REPORTING,
    SAMPLING,
    STATUS,
    STATUS_VALUE_TIME,
    Wanted,
)
from scada.opcua.subscriptions.queues import OVERFLOW

Read = Callable[[ua.ReadValueId, int], ua.DataValue]
"""(what, TimestampsToReturn) as the caller of the subscription may read it."""
PERIOD_NS: Final = 250_000_000  # the shortest sampling interval
READS_PER_LOOK: Final = 200  # each some 30 us
SLACK: Final = 100  # times that count no more


@dataclass(slots=True)
class Item:
    """One of them.

    Attributes:
        what: Node, attribute, range.
        wanted: As revised; its row means nothing.
        due_ns: When it is read next, monotonic; 0 for at once.
        last: What it queued last.
        queue: What waits.
    """

    what: ua.ReadValueId
    wanted: Wanted
    due_ns: int = 0
    last: ua.DataValue | None = None
    queue: deque[ua.DataValue] = field(default_factory=deque)


class Allowance:
    """Reads that all polled items together may take at one look at the plant."""

    def __init__(self) -> None:
        self.left = READS_PER_LOOK

    def renew(self) -> None:
        """At each look."""
        self.left = READS_PER_LOOK


class PolledItems:
    """Those of one subscription, by MonitoredItemId.

    Args:
        read: Reads.
        allowance: Shared by all subscriptions; what it does not cover waits for the next look.
    """

    def __init__(self, read: Read, allowance: Allowance) -> None:
        self.read = read
        self._allowance = allowance
        self.items: dict[int, Item] = {}
        self._due: list[tuple[int, int]] = []
        self._ready: dict[int, None] = {}

    def add(self, id_: int, what: ua.ReadValueId, wanted: Wanted) -> None:
        """Makes an item."""
        self.items[id_] = Item(what, wanted)
        self._put(0, id_)

    def remove(self, id_: int) -> bool:
        """Ends an item; False for an unknown one."""
        self._ready.pop(id_, None)
        return self.items.pop(id_, None) is not None

    def change(self, id_: int, wanted: Wanted) -> None:
        """New parameters, also another monitoring mode; what is disabled forgets, what is enabled again reports."""
        item = self.items[id_]
        item.wanted = wanted
        if wanted.mode == DISABLED:
            item.queue.clear()
            item.last = None
            self._ready.pop(id_, None)
        _bound(item)
        self._at_once(id_, item)

    def resend(self) -> None:
        """All that report will report their value again."""
        for id_, item in self.items.items():
            if item.wanted.mode == REPORTING:
                item.last = None
                self._at_once(id_, item)

    def _at_once(self, id_: int, item: Item) -> None:
        if item.due_ns:  # else it is due already, and in the heap once
            item.due_ns = 0
            self._put(0, id_)

    def _put(self, due_ns: int, id_: int) -> None:
        """Notes a time; those that count no more are thrown out when they are the most."""
        if len(self._due) > 2 * len(self.items) + SLACK:
            self._due = [(item.due_ns, one) for one, item in self.items.items() if one != id_]
            heapq.heapify(self._due)
        heapq.heappush(self._due, (due_ns, id_))

    def look(self, now_ns: int) -> None:
        """Reads those whose time has come (monotonic, ns), as far as the allowance goes."""
        due = self._due
        while due and due[0][0] <= now_ns and self._allowance.left > 0:
            at, id_ = heapq.heappop(due)
            item = self.items.get(id_)
            if item is None or item.due_ns != at:
                continue
            item.due_ns = now_ns + max(item.wanted.period_ns, PERIOD_NS)
            heapq.heappush(due, (item.due_ns, id_))
            if item.wanted.mode == DISABLED:
                continue
            self._allowance.left -= 1
            value = self.read(item.what, item.wanted.stamps)
            if item.last is None or _moved(item.last, value, item.wanted):
                item.last = value
                item.queue.append(value)
                _bound(item)
                self._ready[id_] = None

    def take(self, most: int, also: frozenset[int] = frozenset()) -> tuple[int, bytes, bool]:
        """Takes what waits.

        Args:
            most: At most so many.
            also: Items in Sampling mode that report too, as others trigger them.

        Returns:
            How many, as MonitoredItemNotifications, and whether there are more.
        """
        parts: list[bytes] = []
        for id_ in list(self._ready):
            item = self.items[id_]
            mode = item.wanted.mode
            if not (mode == REPORTING or (mode == SAMPLING and id_ in also)):
                continue
            while item.queue:
                if len(parts) >= most:
                    return len(parts), b"".join(parts), True
                told = ua.MonitoredItemNotification(item.wanted.handle, item.queue.popleft())
                parts.append(struct_to_binary(told))
            del self._ready[id_]
        return len(parts), b"".join(parts), False


def _bound(item: Item) -> None:
    size = item.wanted.queue
    while len(item.queue) > size:
        if item.wanted.oldest:
            item.queue.popleft()
            marked = 0
        else:
            del item.queue[-2]
            marked = -1
        if size > 1:
            value = item.queue[marked]
            code = value.StatusCode.value if value.StatusCode is not None else 0
            item.queue[marked] = ua.DataValue(
                Value=value.Value,
                StatusCode=ua.StatusCode(code | int(OVERFLOW)),
                SourceTimestamp=value.SourceTimestamp,
                ServerTimestamp=value.ServerTimestamp,
            )


def _moved(last: ua.DataValue, now: ua.DataValue, wanted: Wanted) -> bool:
    """Whether a value is to be queued (OPC 10000-4 §7.22.2)."""
    if last.StatusCode != now.StatusCode:
        return True
    if wanted.trigger == STATUS:
        return False
    before, after = _value(last), _value(now)
    if wanted.band != NO_BAND and isinstance(before, int | float) and isinstance(after, int | float):
        return abs(after - before) > wanted.band
    if wanted.trigger == STATUS_VALUE_TIME and last.SourceTimestamp != now.SourceTimestamp:
        return True
    both_nan = (
        isinstance(before, float) and isinstance(after, float) and math.isnan(before) and math.isnan(after)
    )
    return not both_nan and bool(before != after)


def _value(data: ua.DataValue) -> Any:
    return data.Value.Value if data.Value is not None else None
