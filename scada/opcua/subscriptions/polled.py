"""Monitored items on what the table does not have: other attributes, other nodes, parts of values.

They are few and slow: each is read like a Read would when its time has come, and compared with what it queued last.
"""

from __future__ import annotations

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


@dataclass(slots=True)
class Item:
    """One of them.

    Attributes:
        what: Node, attribute, range.
        wanted: As revised; its row means nothing.
        due_ns: When it is read next, monotonic.
        last: What it queued last.
        queue: What waits.
    """

    what: ua.ReadValueId
    wanted: Wanted
    due_ns: int = 0
    last: ua.DataValue | None = None
    queue: deque[ua.DataValue] = field(default_factory=deque)


class PolledItems:
    """Those of one subscription, by MonitoredItemId.

    Args:
        read: Reads.
    """

    def __init__(self, read: Read) -> None:
        self.read = read
        self.items: dict[int, Item] = {}
        self._due_ns = 0

    def add(self, id_: int, what: ua.ReadValueId, wanted: Wanted) -> None:
        """Makes an item."""
        self.items[id_] = Item(what, wanted)
        self._due_ns = 0

    def change(self, id_: int, wanted: Wanted) -> None:
        """New parameters."""
        item = self.items[id_]
        item.wanted = wanted
        item.due_ns = self._due_ns = 0
        _bound(item)

    def set_mode(self, id_: int, wanted: Wanted) -> None:
        """Another monitoring mode; what is disabled forgets, what is enabled again reports."""
        item = self.items[id_]
        item.wanted = wanted
        if wanted.mode == DISABLED:
            item.queue.clear()
            item.last = None
        self._due_ns = item.due_ns = 0

    def resend(self) -> None:
        """All that report will report their value again."""
        for item in self.items.values():
            if item.wanted.mode == REPORTING:
                item.last = None
                item.due_ns = self._due_ns = 0

    def look(self, now_ns: int) -> None:
        """Reads those whose time has come (monotonic, ns)."""
        if now_ns < self._due_ns or not self.items:
            return
        for item in self.items.values():
            if item.wanted.mode == DISABLED or item.due_ns > now_ns:
                continue
            item.due_ns = now_ns + max(item.wanted.period_ns, PERIOD_NS)
            value = self.read(item.what, item.wanted.stamps)
            if item.last is None or _moved(item.last, value, item.wanted):
                item.last = value
                item.queue.append(value)
                _bound(item)
        self._due_ns = min(
            (item.due_ns for item in self.items.values() if item.wanted.mode != DISABLED), default=2**62
        )

    def take(self, most: int, also: frozenset[int] = frozenset()) -> tuple[int, bytes, bool]:
        """Takes what waits.

        Args:
            most: At most so many.
            also: Items in Sampling mode that report too, as others trigger them.

        Returns:
            How many, as MonitoredItemNotifications, and whether there are more.
        """
        parts: list[bytes] = []
        for id_, item in self.items.items():
            mode = item.wanted.mode
            if not item.queue or not (mode == REPORTING or (mode == SAMPLING and id_ in also)):
                continue
            while item.queue:
                if len(parts) >= most:
                    return len(parts), b"".join(parts), True
                told = ua.MonitoredItemNotification(item.wanted.handle, item.queue.popleft())
                parts.append(struct_to_binary(told))
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
