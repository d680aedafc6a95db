"""The event items of one subscription: what each is told, and what waits to be published (OPC 10000-4 §5.13, §7.22.3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from asyncua import ua

from scada.opcua import limits
from scada.opcua.events.event import Event
from scada.opcua.events.filters import Filter

if TYPE_CHECKING:
    from scada.opcua.events.hub import Events

S = ua.StatusCodes
Overflow = Callable[[Filter], list[ua.Variant]]
_NONE: Final = int(ua.MonitoringMode.Disabled)
_REPORTING: Final = int(ua.MonitoringMode.Reporting)


class Room:
    """Bounds what all event items together keep.

    Args:
        most: Fields.

    Attributes:
        used: Fields of all events that wait.
    """

    __slots__ = ("most", "used")

    def __init__(self, most: int = limits.EVENT_FIELDS) -> None:
        self.most, self.used = most, 0


class EventItem:
    """One monitored item.

    Attributes:
        id: MonitoredItemId.
        node: Whose events.
        mode: Of monitoring.
        filter: What it gets.
    """

    __slots__ = (
        "client_handle", "discard_oldest", "extra", "filter", "id", "mode", "node", "overflow", "queue", "room", "size",
    )  # fmt: skip

    def __init__(
        self, id_: int, node: ua.NodeId, mode: int, wanted: Filter, room: Room | None = None
    ) -> None:
        self.id, self.node, self.mode, self.filter = id_, node, int(mode), wanted
        self.client_handle, self.size, self.discard_oldest = 0, 1, True
        self.queue: deque[list[ua.Variant]] = deque()
        self.overflow: list[ua.Variant] | None = None  # stands beside the queue, and is not counted in it
        self.room = room or Room()
        self.extra = 0  # that the queue may hold more until a refresh is published

    def set(self, parameters: Any) -> None:
        """Takes what the client asked for."""
        self.client_handle = int(parameters.ClientHandle)
        self.size = queue_size(int(parameters.QueueSize))
        self.discard_oldest = bool(parameters.DiscardOldest)
        while len(self.queue) > self.size + self.extra:
            self._oldest()

    def put(self, fields: list[ua.Variant], overflow: Overflow) -> None:
        """Queues an event; a full queue loses its oldest or this one, and says so once."""
        if len(self.queue) >= self.size + self.extra or self.room.used + len(fields) > self.room.most:
            if self.overflow is None:
                self.overflow = overflow(self.filter)
            if not self.discard_oldest or not self.queue:
                return
            self._oldest()
        self.add(fields)

    def add(self, fields: list[ua.Variant]) -> None:
        """Queues an event without a look at how many there are."""
        self.queue.append(fields)
        self.room.used += len(fields)

    def clear(self) -> None:
        """Forgets what waits."""
        while self.queue:
            self._oldest()
        self.overflow, self.extra = None, 0

    def _oldest(self) -> list[ua.Variant]:
        fields = self.queue.popleft()
        self.room.used -= len(fields)
        return fields

    @property
    def waiting(self) -> int:
        """Events to be published."""
        return len(self.queue) + (self.overflow is not None) if self.mode == _REPORTING else 0

    def take(self, most: int) -> Iterator[list[ua.Variant]]:
        """The oldest events; that some were lost stands where they were."""
        if most and self.overflow is not None and self.discard_oldest:
            yield self._overflowed()
            most -= 1
        while most and self.queue:
            self.extra = max(0, self.extra - 1)
            yield self._oldest()
            most -= 1
        if most and self.overflow is not None:
            yield self._overflowed()

    def _overflowed(self) -> list[ua.Variant]:
        told, self.overflow = self.overflow, None
        return told or []


def queue_size(wanted: int) -> int:
    """Revised QueueSize of an event item; 0 is for our default (OPC 10000-4 §5.13.1.5)."""
    return min(wanted, limits.EVENT_QUEUE_PER_ITEM) if wanted > 0 else limits.EVENT_QUEUE_PER_ITEM


class EventItems:
    """All event items of a subscription.

    Args:
        hub: Tells them what happens.
        session: Whose they are; its `user` says what he may hear. May be exchanged (TransferSubscriptions).
    """

    def __init__(self, hub: Events, session: Any) -> None:
        self._hub = hub
        self.session = session
        self._items: dict[int, EventItem] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, id_: object) -> bool:
        return id_ in self._items

    @property
    def weight(self) -> int:
        """What one event costs for all of them (`Filter.weight`)."""
        return sum(item.filter.weight for item in self._items.values())

    def __iter__(self) -> Iterator[EventItem]:
        return iter(self._items.values())

    def get(self, id_: int) -> EventItem | None:
        """An item by its id."""
        return self._items.get(id_)

    def create(self, request: ua.MonitoredItemCreateRequest, id_: int) -> ua.MonitoredItemCreateResult:
        """Makes an item of a request for the attribute EventNotifier.

        Args:
            request: Of the client.
            id_: MonitoredItemId; taken only when the result is good.
        """
        result = ua.MonitoredItemCreateResult()
        node = request.ItemToMonitor.NodeId
        code = self._hub.refusal(node, getattr(self.session, "user", None))
        if code == S.Good and request.ItemToMonitor.IndexRange:
            code = S.BadIndexRangeInvalid
        if code == S.Good and int(request.MonitoringMode) not in range(3):
            code = S.BadMonitoringModeInvalid
        wanted: Filter | None = None
        if code == S.Good:
            wanted, told, code = self._hub.filter(request.RequestedParameters.Filter)
            result.FilterResult = told if told is not None else ua.ExtensionObject()
        if wanted is not None and not self._hub.has_place(self.session, wanted):
            wanted, code = None, S.BadTooManyMonitoredItems
        result.StatusCode = ua.StatusCode(code)
        if wanted is None:
            return result
        item = EventItem(id_, node, int(request.MonitoringMode), wanted, self._hub.room)
        item.set(request.RequestedParameters)
        self._items[id_] = item
        self._hub.add(self)
        result.MonitoredItemId = id_
        result.RevisedSamplingInterval = 0.0
        result.RevisedQueueSize = item.size
        return result

    def modify(self, request: ua.MonitoredItemModifyRequest) -> ua.MonitoredItemModifyResult:
        """Changes an item; a filter that is bad leaves it as it was."""
        result = ua.MonitoredItemModifyResult()
        item = self._items.get(request.MonitoredItemId)
        if item is None:
            result.StatusCode = ua.StatusCode(S.BadMonitoredItemIdInvalid)
            return result
        wanted, told, code = self._hub.filter(request.RequestedParameters.Filter)
        if wanted is not None and not self._hub.has_place(self.session, wanted, item.filter):
            wanted, code = None, S.BadTooManyMonitoredItems
        result.StatusCode = ua.StatusCode(code)
        result.FilterResult = told if told is not None else ua.ExtensionObject()
        if wanted is not None:
            item.filter = wanted
            item.set(request.RequestedParameters)
            result.RevisedQueueSize = item.size
        return result

    def set_mode(self, id_: int, mode: int) -> int:
        """Changes the monitoring mode; disabled ones forget what waits. Returns a StatusCode."""
        item = self._items.get(id_)
        if item is None:
            return S.BadMonitoredItemIdInvalid
        item.mode = int(mode)
        if item.mode == _NONE:
            item.clear()
        return S.Good

    def delete(self, id_: int) -> bool:
        """Ends an item; False for an unknown one."""
        gone = self._items.pop(id_, None)
        if gone is not None:
            gone.clear()
        if not self._items:
            self._hub.drop(self)
        return gone is not None

    def reset(self) -> None:
        """Ends all items."""
        for id_ in list(self._items):
            self.delete(id_)

    @property
    def waiting(self) -> int:
        """Events to be published."""
        return sum(item.waiting for item in self._items.values())

    def take(self, most: int) -> list[ua.EventFieldList]:
        """What is to be published, at most so many, the oldest of each item first."""
        found: list[ua.EventFieldList] = []
        for item in self._items.values():
            if len(found) >= most:
                break
            if item.mode == _REPORTING:
                found += [
                    ua.EventFieldList(ClientHandle=item.client_handle, EventFields=fields)
                    for fields in item.take(most - len(found))
                ]
        return found

    def is_refreshing(self) -> bool:
        """A refresh is not published yet."""
        return any(item.extra for item in self._items.values())

    def has_room(self, count: int, *, only: int | None = None) -> bool:
        """Whether as many events can be queued for each item, or for this one alone."""
        fields = sum(len(item.filter.select) for item in self._items.values() if only in (None, item.id))
        return self._hub.room.used + count * fields <= self._hub.room.most

    def refresh(self, events: Iterable[Event], *, only: int | None = None) -> int:
        """Queues events that no full queue loses, beside what is there; returns how many.

        Args:
            events: The first and the last of them reach each item, whatever its where clause says.
            only: For this item alone.
        """
        first, *between, last = events
        count = 0
        for item in self._items.values():
            if item.mode == _NONE or (only is not None and item.id != only):
                continue
            found = [
                event
                for event in between
                if self._hub.concerns(item.node, event) and item.filter.where(event)
            ]
            for event in (first, *found, last):
                item.add(item.filter.fields(event))
            item.extra += len(found) + 2
            count += len(found) + 2
        return count

    def tell(self, event: Event, overflow: Overflow) -> bool:
        """Queues an event for each item that asked for it; True when something waits.

        Args:
            event: What happened.
            overflow: Makes the event that says that events were lost.
        """
        told = False
        for item in self._items.values():
            if item.mode == _NONE:
                continue
            if not self._hub.concerns(item.node, event) or not item.filter.where(event):
                continue
            item.put(item.filter.fields(event), overflow)
            told = True
        return told
