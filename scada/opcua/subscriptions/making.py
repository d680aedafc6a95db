"""Monitored items made, changed, deleted, switched and linked (OPC 10000-4 §5.13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from asyncua import ua

from scada.opcua import limits
from scada.opcua.events.items import EventItems
from scada.opcua.nodes.ids import path_of
from scada.opcua.security.access import Permission
from scada.opcua.subscriptions.items import Wanted
from scada.opcua.subscriptions.parameters import RefusedError, wanted
from scada.opcua.subscriptions.polled import PERIOD_NS
from scada.opcua.subscriptions.subscription import Subscription
from scada.opcua.table import Table

if TYPE_CHECKING:
    from scada.opcua.security.sessions import Session
    from scada.opcua.subscriptions.service import Subscriptions

Codes = ua.StatusCodes
_VALUE: Final = int(ua.AttributeIds.Value)
_EVENT_NOTIFIER: Final = int(ua.AttributeIds.EventNotifier)
_MISSING: Final = frozenset(
    int(code)
    for code in (
        Codes.BadNodeIdUnknown, Codes.BadNodeIdInvalid, Codes.BadAttributeIdInvalid, Codes.BadUserAccessDenied,
        Codes.BadNotReadable, Codes.BadSecurityModeInsufficient, Codes.BadIndexRangeInvalid,
        Codes.BadDataEncodingInvalid, Codes.BadDataEncodingUnsupported,
    )
)  # fmt: skip
"""What a first read says when there is nothing to monitor; anything else is a value with a bad status."""


class Making:
    """Works on the items of subscriptions that the caller was found to own.

    Args:
        all_: All subscriptions.
        iserver: The server.
        table: The tags.
    """

    def __init__(self, all_: Subscriptions, iserver: Any, table: Table) -> None:
        self._all = all_
        self._iserver = iserver
        self._table = table

    # CreateMonitoredItems

    def create(
        self, session: Session, subscription: Subscription, requests: Sequence[Any], stamps: int
    ) -> list[ua.MonitoredItemCreateResult]:
        """One result for each request (§5.13.2)."""
        room = min(
            limits.ITEMS_PER_SUBSCRIPTION - len(subscription),
            limits.ITEMS_PER_SESSION - subscription.owner.items,
            limits.ITEMS - self._all.item_count,
        )
        ids: list[int] = []
        items: list[Wanted] = []
        results = []
        for number, request in enumerate(requests):
            result = ua.MonitoredItemCreateResult()
            results.append(result)
            if number >= room:
                result.StatusCode = ua.StatusCode(Codes.BadTooManyMonitoredItems)
                continue
            try:
                self._make(session, subscription, request, stamps, result, ids, items)
            except RefusedError as refused:
                result.StatusCode = ua.StatusCode(refused.status)
        subscription.tags.add(ids, items)
        made = sum(result.StatusCode.is_good() for result in results)
        self._count(subscription, made)
        self._all.note(subscription)
        return results

    def _make(
        self,
        session: Session,
        subscription: Subscription,
        request: Any,
        stamps: int,
        result: ua.MonitoredItemCreateResult,
        ids: list[int],
        items: list[Wanted],
    ) -> None:
        what, asked = request.ItemToMonitor, request.RequestedParameters
        if int(what.AttributeId) == _EVENT_NOTIFIER:
            self._make_event(session, subscription, request, result)
            return
        node = self._iserver.registered.resolve(session, what.NodeId)
        if node is None:
            raise RefusedError(Codes.BadNodeIdUnknown)
        row = self._row(node, what)
        interval, queue_room = subscription.interval_ms, self._queue_room(subscription)
        mode = int(request.MonitoringMode)
        if row is not None:
            tag = self._table.tags[row]
            access = self._iserver.access
            if not access.rows(session.user, Permission.READ)[row]:
                raise RefusedError(access.refusal(session.user, tag.path, Permission.READ))
            revised = wanted(asked, mode, stamps, interval, queue_room, row=row, tag=tag)
            period_ns = revised.period_ns
            id_ = subscription.new_id()
            ids.append(id_)
            items.append(revised)
        else:
            value = int(what.AttributeId) == _VALUE
            tag = self._tag(node)
            revised = wanted(asked, mode, stamps, interval, queue_room, tag=tag, value=value)
            polled = subscription.owner.polled >= limits.POLLED_PER_SESSION
            if polled or self._all.polled_count >= limits.POLLED:
                raise RefusedError(Codes.BadTooManyMonitoredItems)
            what.NodeId = node
            found = subscription.polled.read(what, stamps)
            status = found.StatusCode.value if found.StatusCode is not None else 0
            if status in _MISSING:
                raise RefusedError(status)
            id_ = subscription.new_id()
            period_ns = max(revised.period_ns, PERIOD_NS)
            subscription.polled.add(id_, what, revised)
            self._poll_more(subscription, 1)
        _tell(result, revised, period_ns)
        result.MonitoredItemId = id_
        self._book(subscription, 1, revised.queue)

    def _make_event(
        self, session: Session, subscription: Subscription, request: Any, result: ua.MonitoredItemCreateResult
    ) -> None:
        hub = getattr(self._iserver, "events", None)
        if hub is None:
            raise RefusedError(Codes.BadNotSupported)
        if subscription.events is None:
            subscription.events = EventItems(hub, session)
        made = subscription.events.create(request, subscription.new_id())
        for name in (
            "StatusCode",
            "MonitoredItemId",
            "RevisedSamplingInterval",
            "RevisedQueueSize",
            "FilterResult",
        ):
            setattr(result, name, getattr(made, name))

    def _row(self, node: ua.NodeId, what: Any) -> int | None:
        """The row of a tag whose whole value is wanted; None for what has to be polled."""
        if int(what.AttributeId) != _VALUE or what.IndexRange:
            return None
        if what.DataEncoding is not None and what.DataEncoding.Name:
            return None
        path = path_of(node)
        return None if path is None else self._table.row_of.get(path)

    def _tag(self, node: ua.NodeId) -> Any:
        path = path_of(node)
        row = None if path is None else self._table.row_of.get(path)
        return None if row is None else self._table.tags[row]

    def _queue_room(self, subscription: Subscription) -> int:
        """Values that one more queue may hold."""
        own = limits.QUEUED_PER_SESSION - subscription.owner.queued
        return max(0, min(own, limits.QUEUED - self._all.queued_room))

    def _book(self, subscription: Subscription, before: int, after: int) -> None:
        """A queue has another size; one value needs none."""
        self._keep_more(subscription, (after if after > 1 else 0) - (before if before > 1 else 0))

    def _keep_more(self, subscription: Subscription, more: int) -> None:
        subscription.owner.queued += more
        self._all.queued_room += more

    def _poll_more(self, subscription: Subscription, more: int) -> None:
        subscription.owner.polled += more
        self._all.polled_count += more

    def _count(self, subscription: Subscription, more: int) -> None:
        subscription.owner.items += more
        self._all.item_count += more

    def forget(self, subscription: Subscription) -> None:
        """A whole subscription goes."""
        self._count(subscription, -len(subscription))
        self._keep_more(subscription, -room_of(subscription))
        self._poll_more(subscription, -len(subscription.polled.items))

    # ModifyMonitoredItems

    def modify(
        self, subscription: Subscription, requests: Sequence[Any], stamps: int
    ) -> list[ua.MonitoredItemModifyResult]:
        """One result for each request (§5.13.3)."""
        results = []
        for request in requests:
            result = ua.MonitoredItemModifyResult()
            results.append(result)
            try:
                result = self._modify(subscription, request, stamps, result)
                results[-1] = result
            except RefusedError as refused:
                result.StatusCode = ua.StatusCode(refused.status)
        subscription.tags.note()
        self._all.note(subscription)
        return results

    def _modify(
        self, subscription: Subscription, request: Any, stamps: int, result: ua.MonitoredItemModifyResult
    ) -> ua.MonitoredItemModifyResult:
        id_, asked = int(request.MonitoredItemId), request.RequestedParameters
        room = self._queue_room(subscription)
        if subscription.events is not None and id_ in subscription.events:
            changed: ua.MonitoredItemModifyResult = subscription.events.modify(request)
            return changed
        place = subscription.tags.find(id_)
        if place >= 0:
            row = int(subscription.tags.column("row")[place])
            mode = int(subscription.tags.column("mode")[place])
            tag = self._table.tags[row]
            revised = wanted(asked, mode, stamps, subscription.interval_ms, room, row=row, tag=tag)
            self._book(subscription, int(subscription.tags.column("queue")[place]), revised.queue)
            subscription.tags.change(place, revised, self._table)
            _tell(result, revised, revised.period_ns)
        elif id_ in subscription.polled.items:
            item = subscription.polled.items[id_]
            value = int(item.what.AttributeId) == _VALUE
            tag = self._tag(item.what.NodeId)
            revised = wanted(
                asked, item.wanted.mode, stamps, subscription.interval_ms, room, tag=tag, value=value
            )
            self._book(subscription, item.wanted.queue, revised.queue)
            subscription.polled.change(id_, revised)
            _tell(result, revised, max(revised.period_ns, PERIOD_NS))
        else:
            raise RefusedError(Codes.BadMonitoredItemIdInvalid)
        return result

    # DeleteMonitoredItems, SetMonitoringMode, SetTriggering

    def delete(self, subscription: Subscription, ids: Sequence[int]) -> list[int]:
        """A StatusCode for each (§5.13.6)."""
        before, polled = room_of(subscription), len(subscription.polled.items)
        codes, places = [], []
        seen: set[int] = set()
        for id_ in ids:
            place = -1 if id_ in seen else subscription.tags.find(id_)
            if place >= 0:
                seen.add(id_)
                places.append(place)
            elif not subscription.polled.remove(id_) and not (
                subscription.events is not None and subscription.events.delete(id_)
            ):
                codes.append(int(Codes.BadMonitoredItemIdInvalid))
                continue
            codes.append(0)
            subscription.unlink(id_)
        if places:
            subscription.tags.remove(np.array(places, np.intp))
        for linked in subscription.links.values():
            linked.difference_update(ids)
        self._count(subscription, -codes.count(0))
        self._keep_more(subscription, room_of(subscription) - before)
        self._poll_more(subscription, len(subscription.polled.items) - polled)
        self._all.note(subscription)
        return codes

    def set_mode(self, subscription: Subscription, mode: int, ids: Sequence[int]) -> list[int]:
        """A StatusCode for each (§5.13.4)."""
        if not 0 <= int(mode) <= 2:
            raise RefusedError(Codes.BadMonitoringModeInvalid)
        codes, places = [], []
        for id_ in ids:
            place = subscription.tags.find(id_)
            code = 0
            if place >= 0:
                places.append(place)
            elif (item := subscription.polled.items.get(id_)) is not None:
                subscription.polled.change(id_, replace(item.wanted, mode=int(mode)))
            elif subscription.events is not None and id_ in subscription.events:
                code = int(subscription.events.set_mode(id_, int(mode)))
            else:
                code = int(Codes.BadMonitoredItemIdInvalid)
            codes.append(code)
        if places:
            subscription.tags.set_mode(np.array(places, np.intp), int(mode))
        return codes

    def link(
        self, subscription: Subscription, trigger: int, add: Sequence[int], remove: Sequence[int]
    ) -> tuple[list[int], list[int]]:
        """StatusCodes of links made and removed (§5.13.5)."""
        if not self._has(subscription, trigger):
            raise RefusedError(Codes.BadMonitoredItemIdInvalid)
        linked = subscription.links.setdefault(trigger, set())
        removed = []
        for id_ in remove:
            removed.append(0 if id_ in linked else int(Codes.BadMonitoredItemIdInvalid))
            linked.discard(id_)
        added = []
        room = limits.LINKS_PER_SUBSCRIPTION - sum(map(len, subscription.links.values()))
        for id_ in add:
            code = 0 if self._has(subscription, id_) else int(Codes.BadMonitoredItemIdInvalid)
            if not code and id_ not in linked:
                if room > 0:
                    linked.add(id_)
                    room -= 1
                else:
                    code = int(Codes.BadResourceUnavailable)
            added.append(code)
        if not linked:
            subscription.unlink(trigger)
        return added, removed

    def _has(self, subscription: Subscription, id_: int) -> bool:
        return (
            subscription.tags.find(id_) >= 0
            or id_ in subscription.polled.items
            or (subscription.events is not None and id_ in subscription.events)
        )


def _tell(result: Any, revised: Wanted, period_ns: int) -> None:
    result.RevisedSamplingInterval = period_ns / 1e6
    result.RevisedQueueSize = revised.queue


def room_of(subscription: Subscription) -> int:
    """Values that the queues of a subscription may hold."""
    tags = subscription.tags
    held = int(tags.column("queue")[tags.queued].astype(np.int64).sum())
    return held + sum(
        item.wanted.queue for item in subscription.polled.items.values() if item.wanted.queue > 1
    )
