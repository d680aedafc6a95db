"""ConditionRefresh: tells a client all conditions that it must know of (OPC 10000-9 §4.5, §5.5.7, §5.5.8)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, Final

from asyncua import ua

from scada.clock import Clock
from scada.opcua.conditions.state import Conditions
from scada.opcua.events.event import Event
from scada.opcua.events.hub import Events
from scada.opcua.events.items import EventItems
from scada.opcua.events.mapping import Frame

START: Final = ua.NodeId(ua.ObjectIds.RefreshStartEventType)
END: Final = ua.NodeId(ua.ObjectIds.RefreshEndEventType)
AT_ONCE: Final = 100
S = ua.StatusCodes
Find = Callable[[Any, int], EventItems | None]
"""(session, SubscriptionId) -> the event items of a subscription of this session; None for any other."""


class Refresh:
    """Synchronises one subscription, or one item of it.

    Args:
        conditions: Their state.
        hub: Tells the items.
        frame: Of the site.
        clock: For the events that begin and end it.
        find: Whose subscription it is.
    """

    def __init__(self, conditions: Conditions, hub: Events, frame: Frame, clock: Clock, find: Find) -> None:
        self._conditions, self._hub, self._frame, self._clock, self._find = (
            conditions, hub, frame, clock, find,
        )  # fmt: skip
        self._count = itertools.count()

    async def __call__(self, session: Any, subscription: int, item: int | None) -> int:
        """Queues the events; returns a StatusCode.

        Args:
            session: Of the caller.
            subscription: SubscriptionId, one of his.
            item: MonitoredItemId; None for all event items of the subscription.
        """
        items = self._find(session, subscription)
        if items is None:
            return S.BadSubscriptionIdInvalid
        if item is not None and item not in items:
            return S.BadMonitoredItemIdInvalid
        if items.is_refreshing():
            return S.BadRefreshInProgress
        events = await self._events()
        if items.is_refreshing():  # another one came first
            return S.BadRefreshInProgress
        if not items.has_room(len(events) + 2, only=item):
            return S.BadResourceUnavailable
        first, last = self._mark(START, "begins"), self._mark(END, "ends")
        self._hub.refresh(items, (first, *events, last), only=item)
        return S.Good

    async def _events(self) -> list[Event]:
        """The conditions to tell; others have their turn while there are many."""
        made: dict[str, tuple[tuple[int, int], Event]] = {}
        for path in list(self._conditions.retained()):
            made[path] = (self._stamp(path), self._conditions.event(self._frame, path))
            if len(made) % AT_ONCE == 0:
                await asyncio.sleep(0)
        return [
            made[path][1]
            if path in made and made[path][0] == self._stamp(path)
            else self._conditions.event(self._frame, path)
            for path in self._conditions.retained()
        ]

    def _stamp(self, path: str) -> tuple[int, int]:
        return self._conditions.bits(path), self._conditions.record(path).number

    def _mark(self, type_: ua.NodeId, word: str) -> Event:
        now = self._clock.utc_ns()
        raw = {"t": now, "kind": "refresh", "word": word, "count": next(self._count)}
        return Event(type_, self._frame.base(raw, type_, f"Condition refresh {word}", severity=100), t_ns=now)
