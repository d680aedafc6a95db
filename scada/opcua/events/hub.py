"""Tells all event items what happens: follows the event rings of the plant, once for all clients."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from asyncua import ua
from asyncua.server.address_space import AddressSpace

from scada.access import at_least
from scada.clock import Clock
from scada.opcua import limits
from scada.opcua.events import filters
from scada.opcua.events.event import Event, at
from scada.opcua.events.filters import Filter
from scada.opcua.events.items import EventItems, Room
from scada.opcua.events.mapping import SERVER, Mapper, Raw
from scada.opcua.events.types import EventTypes
from scada.opcua.nodes.ids import path_of
from scada.opcua.security.caller import Caller
from scada.opcua.types import time_of

AT_ONCE: Final = 500
"""Events of one service that are told in one look; the rest waits in its ring for the next one."""
TURN_NS: Final = 10_000_000
"""Of telling events, before others have their turn."""
AUDIT_ROLE: Final = "engineer"
"""Who may hear what others do (OPC 10000-4 §6.5: audit events are for those who audit)."""
OVERFLOW: Final = ua.NodeId(ua.ObjectIds.EventQueueOverflowEventType)
V = ua.VariantType
S = ua.StatusCodes
Permits = Callable[[Any, str], bool]
"""(caller, path) -> whether he may receive events of it."""


class Follower(Protocol):
    """`scada.client.EventFollower`."""

    def poll(self, limit: int = ...) -> list[dict[str, Any]]:
        """New events of the plant."""


class Events:
    """What happens, for those who asked.

    Args:
        aspace: Of the server.
        mapper: Makes OPC UA events.
        follower: Of all event rings.
        clock: For events of this server's own.
        top: Path that stands for the whole site in the address space, its name.
        permits: Who may hear of what; everybody of everything while it is None.

    Attributes:
        room: What all items together may keep.
        told: Notifications that were queued.
        lost: How many times a queue was full.
        on_gap: Called when events of the plant were lost before they were read.
        keep: Called for each event while nobody listens.
    """

    def __init__(
        self,
        aspace: AddressSpace,
        mapper: Mapper,
        follower: Follower,
        clock: Clock,
        top: str,
        permits: Permits | None = None,
    ) -> None:
        self._aspace, self._mapper, self._follower, self._clock, self._top = (
            aspace, mapper, follower, clock, top,
        )  # fmt: skip
        self.types = EventTypes(aspace)
        self.permits = permits
        self.on_gap: Callable[[], None] | None = None
        self.keep: Callable[[Raw], object] | None = None
        self._all: dict[int, EventItems] = {}
        self._late: deque[Raw] = deque()
        self.room = Room()
        self._wake: list[Callable[[], None]] = []
        self.told = self.lost = 0

    # For items

    def refusal(self, node: ua.NodeId, caller: Any) -> int:
        """Why there are no events of a node for a caller; Good when there are."""
        value = self._aspace.read_attribute_value(node, ua.AttributeIds.EventNotifier)
        if value.StatusCode is not None and not value.StatusCode.is_good():
            return int(value.StatusCode.value)
        notifier = value.Value.Value if value.Value is not None else None
        if not isinstance(notifier, int) or not notifier & ua.EventNotifier.SubscribeToEvents.mask:
            return S.BadNotSupported
        path = self._scope(node)
        if path and self.permits is not None and not self.permits(caller, path):
            return S.BadUserAccessDenied
        return S.Good

    def filter(self, wanted: Any) -> tuple[Filter | None, ua.EventFilterResult | None, int]:
        """See `filters.build`."""
        return filters.build(wanted, self.types)

    def add(self, items: EventItems) -> None:
        """Tells them from now on."""
        self._all[id(items)] = items

    def drop(self, items: EventItems) -> None:
        """Tells them no more."""
        self._all.pop(id(items), None)

    def has_place(self, session: Any, wanted: Filter, instead: Filter | None = None) -> bool:
        """Whether a session may have one more item with this filter, or this filter instead of that one."""
        more, weight = instead is None, wanted.weight - (0 if instead is None else instead.weight)
        number = total = own_number = own_total = 0
        for items in self._all.values():
            number, total = number + len(items), total + items.weight
            if items.session is session:
                own_number, own_total = own_number + len(items), own_total + items.weight
        if more and (number >= limits.EVENT_ITEMS or own_number >= limits.EVENT_ITEMS_PER_SESSION):
            return False
        return weight <= 0 or (
            total + weight <= limits.EVENT_WEIGHT and own_total + weight <= limits.EVENT_WEIGHT_PER_SESSION
        )

    def concerns(self, node: ua.NodeId, event: Event) -> bool:
        """Whether an event is one of a node: the server has all, a folder those of what lies in it."""
        if node == SERVER:
            return True
        path = self._scope(node)
        if path is None or not event.path:
            return False
        return not path or event.path == path or event.path.startswith(f"{path}/")

    def _scope(self, node: ua.NodeId) -> str | None:
        """Path of a folder, "" for the whole site, None for others."""
        path = path_of(node)
        return "" if path == self._top else path

    # For the service

    @property
    def listeners(self) -> int:
        """Items that are told."""
        return sum(len(items) for items in self._all.values())

    def on_waiting(self, callback: Callable[[], None]) -> None:
        """Calls this after each look that queued something."""
        self._wake.append(callback)

    def poll(self) -> int:
        """One look at the rings; returns how many notifications were queued.

        Goes on in the next look with what would hold up others.
        """
        before, end_ns = self.told, self._clock.monotonic_ns() + TURN_NS
        if not self._late:
            self._late.extend(self._follower.poll(AT_ONCE))
        while self._late:
            raw = self._late.popleft()
            if raw["kind"] == "gap" and self.on_gap is not None:
                self.on_gap()
            if self._all:
                self.publish(raw)
            elif self.keep is not None:
                self.keep(raw)
            if self._clock.monotonic_ns() > end_ns:
                break
        if self.told > before:
            for callback in self._wake:
                callback()
        return self.told - before

    def publish(self, raw: Raw) -> None:
        """Tells an event of the plant."""
        for event in self._mapper.events(raw):
            self.tell(event)

    def tell(self, event: Event) -> None:
        """Tells an event."""
        for items in list(self._all.values()):
            if self.may(getattr(items.session, "user", None), event):
                self.told += items.tell(event, self._overflow)

    def refresh(self, items: EventItems, events: Iterable[Event], *, only: int | None = None) -> None:
        """Tells one subscription, or one item of it, what it must know (ConditionRefresh)."""
        caller = getattr(items.session, "user", None)
        self.told += items.refresh([event for event in events if self.may(caller, event)], only=only)
        for callback in self._wake:
            callback()

    def may(self, caller: Any, event: Event) -> bool:
        """Whether somebody may hear of an event."""
        if event.audit and not (isinstance(caller, Caller) and at_least(caller.site_role, AUDIT_ROLE)):
            return False
        return not event.path or self.permits is None or self.permits(caller, event.path)

    def _overflow(self, wanted: Filter) -> list[ua.Variant]:
        """An EventQueueOverflowEventType, which no where clause keeps away (OPC 10000-4 §7.22.3)."""
        self.lost += 1
        now = self._clock.utc_ns()
        when = ua.Variant(time_of(now), V.DateTime)
        fields = {
            at("EventId"): ua.Variant(secrets.token_bytes(16), V.ByteString),
            at("EventType"): ua.Variant(OVERFLOW, V.NodeId),
            at("SourceNode"): ua.Variant(SERVER, V.NodeId),
            at("SourceName"): ua.Variant("Internal/EventQueueOverflow", V.String),
            at("Time"): when,
            at("ReceiveTime"): when,
            at("Message"): ua.Variant(ua.LocalizedText("Events were lost: the queue was full"), V.LocalizedText),
            at("Severity"): ua.Variant(500, V.UInt16),
        }  # fmt: skip
        return wanted.fields(Event(OVERFLOW, fields, t_ns=now))
