"""The clock of all subscriptions: what is looked at, who publishes, and who has asked to be told.

One look at the plant serves them all: there is no task for a subscription.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.subscription_service import SubscriptionService

from scada.client.records import RecordFollower
from scada.clock import Clock
from scada.opcua import limits
from scada.opcua.subscriptions import messages
from scada.opcua.subscriptions.polled import Allowance
from scada.opcua.subscriptions.subscription import Kept, Subscription
from scada.opcua.subscriptions.waiting import Request, Waiting
from scada.opcua.table import Table

if TYPE_CHECKING:
    from scada.opcua.security.sessions import Session
    from scada.opcua.wire.dispatch import Call

_log: Final = logging.getLogger(__name__)
Codes = ua.StatusCodes
TURN_S: Final = 0.005
"""Of publishing, before others have their turn."""


class Publishing(SubscriptionService):
    """All subscriptions and when each has its turn.

    Args:
        iserver: The server.
        table: The tags.
        records: Each change, for queues.
        clock: For times that clients see.
        now_ns: Monotonic, for intervals.

    Attributes:
        subscriptions: By id.
        sent: Notification messages so far.
        lost: Changes that were gone from the rings before queues got them.
        item_count: Monitored items of all subscriptions.
        polled_count: Of these, that have to be read again and again.
        queued_room: Values that all queues may hold.
        kept: What they keep for Republish.
    """

    def __init__(
        self,
        iserver: Any,
        table: Table,
        records: RecordFollower,
        clock: Clock,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        super().__init__(iserver.aspace, iserver)
        self._clock = clock
        self._now_ns = now_ns
        self.subscriptions: dict[int, Subscription] = {}
        self.table = table
        self._records = records
        self._waiting: dict[int, Waiting] = {}  # by identity of the session
        self._due: list[tuple[int, int]] = []
        self._following = False
        self._allowance = Allowance()
        self._polling: deque[Subscription] = deque()
        self._queued: dict[int, Subscription] = {}
        self._last_id = 0
        self.kept = Kept()
        self._discarded = 0  # by subscriptions that are gone
        self._looks = 0
        self.sent = self.lost = self.item_count = self.polled_count = self.queued_room = 0

    @property
    def opened(self) -> int:
        """Subscriptions that were made, in all."""
        return self._last_id

    def waiting_requests(self, session: Session) -> int:
        """Publish requests of a session that are not answered yet."""
        found = self._waiting.get(id(session))
        return 0 if found is None else len(found.requests)

    # The clock

    async def push(self) -> int:
        """As `tick`, now."""
        return await self.tick(self._now_ns(), self._clock.utc_ns())

    async def tick(self, now_ns: int, utc_ns: int) -> int:
        """Looks at the plant and publishes for whom it is time; returns how many tags changed.

        Args:
            now_ns: Monotonic.
            utc_ns: Of the clock on the wall.

        Raises:
            NotRunningError: The plant was stopped.
            SiteChangedError: It was started again with another site.
        """
        changed = self.table.refresh(utc_ns)
        self._feed(changed, now_ns)
        self._poll(now_ns)
        self._looks += 1
        if self._looks % 20 == 0:
            self._sweep()
        began = time.perf_counter()
        for subscription in self._whose_time_has_come(now_ns):
            if self.subscriptions.get(subscription.id) is not subscription or subscription.next_ns > now_ns:
                continue  # deleted or slowed down while others had their turn
            if not subscription.step(now_ns):
                self._end(subscription, Codes.BadTimeout)
                continue
            heapq.heappush(self._due, (subscription.next_ns, subscription.id))
            self._publish(subscription, now_ns, utc_ns)
            if time.perf_counter() - began > TURN_S:
                await asyncio.sleep(0)
                began = time.perf_counter()
        return len(changed)

    def _whose_time_has_come(self, now_ns: int) -> list[Subscription]:
        """In the order in which they publish: the most important first (§5.14.1.2)."""
        found = []
        while self._due and self._due[0][0] <= now_ns:
            _, id_ = heapq.heappop(self._due)
            subscription = self.subscriptions.get(id_)
            if subscription is not None and subscription.next_ns <= now_ns:  # else deleted, or slowed down
                found.append(subscription)
        found.sort(key=lambda one: -one.priority)
        return found

    def _feed(self, changed: Any, now_ns: int) -> None:
        """Gives queues what they must not miss; the rings are read only while somebody has queues."""
        if not self._queued:
            if self._following:
                self._records.skip()
                self._following = False
            return
        if not self._following:
            self._records.skip()
            self._following = True
        records = self._records.poll()
        self.lost += records.lost
        for subscription in list(self._queued.values()):
            try:
                subscription.feed.look(records, changed, self.table, now_ns)
            except Exception:  # noqa: BLE001 - a defect in one subscription is not the end of all
                self._fail(subscription)

    def note(self, subscription: Subscription) -> None:
        """The items of a subscription have changed: who has queues or is to be polled is known."""
        if self.subscriptions.get(subscription.id) is not subscription:  # ended between two turns
            return
        if len(subscription.tags.queued) or len(subscription.feed.log):
            self._queued[subscription.id] = subscription
        else:
            self._queued.pop(subscription.id, None)
        if subscription.polled.items and subscription not in self._polling:
            self._polling.append(subscription)
        elif not subscription.polled.items and subscription in self._polling:
            self._polling.remove(subscription)

    def _poll(self, now_ns: int) -> None:
        """Reads what is in no table; who came last this time comes first the next."""
        self._allowance.renew()
        for subscription in list(self._polling):
            if not self._allowance.left:
                break
            self._polling.rotate(-1)
            try:
                subscription.polled.look(now_ns)
            except Exception:  # noqa: BLE001 - as in `_feed`
                self._fail(subscription)

    def _sweep(self) -> None:
        """Forgets what sessions that are gone have asked for, and times that count no more."""
        if len(self._due) > 2 * len(self.subscriptions) + 100:
            self._due = [(one.next_ns, one.id) for one in self.subscriptions.values()]
            heapq.heapify(self._due)
        for id_, waiting in list(self._waiting.items()):
            if waiting.session.is_closed:
                waiting.end(Codes.BadSessionClosed)
                del self._waiting[id_]

    # Publishing

    def _of(self, session: Session) -> Waiting:
        waiting = self._waiting.get(id(session))
        if waiting is None:
            waiting = self._waiting[id(session)] = Waiting(session)
        return waiting

    def _publish(self, subscription: Subscription, now_ns: int, utc_ns: int) -> None:
        """Sends what a subscription has to say as far as it was asked for."""
        waiting = subscription.owner
        while (request := waiting.take(now_ns)) is not None:
            try:
                found = subscription.message(now_ns, utc_ns, request.channel.answer_room)
            except Exception:  # noqa: BLE001 - as in `_feed`
                waiting.requests.appendleft(request)
                self._fail(subscription)
                return
            if found is None:
                waiting.requests.appendleft(request)
                waiting.late.pop(subscription.id, None)
                return
            message, more = found
            self._send(subscription, request, message, utc_ns, more=more)
            if not more:
                waiting.late.pop(subscription.id, None)
                return
        if subscription.id not in waiting.late:
            waiting.late[subscription.id] = None
            subscription.late_publish_request_count += 1

    def _send(
        self, subscription: Subscription, request: Request, message: bytes, utc_ns: int, *, more: bool
    ) -> None:
        self.sent += 1
        answer = messages.publish_response(
            request.handle,
            utc_ns,
            subscription.id,
            tuple(subscription.available),
            message,
            request.results,
            more=more,
        )
        request.channel.send(request.handle, request.sequence, answer)

    def publish_fast(self, call: Call) -> bytes | None:
        """Publish (OPC 10000-4 §5.14.5): the answer comes when there is something to say."""
        session = call.session
        waiting = self._of(session)
        try:
            acks = messages.acknowledgements(bytes(call.params), limits.ACKNOWLEDGEMENTS_PER_PUBLISH)
        except messages.ShortError:
            return None  # the slow way refuses it
        results = [self._acknowledge(waiting, *one) for one in acks]
        if not waiting.farewells and not waiting.held:
            raise ServiceError(Codes.BadNoSubscription)
        now_ns = self._now_ns()
        hint = int(call.header.TimeoutHint)
        request = Request(
            call.channel,
            call.sequence,
            int(call.header.RequestHandle),
            results,
            now_ns + hint * 1_000_000 if hint else 0,
        )
        waiting.put(request)
        self._serve(waiting, now_ns)
        return b""

    def _serve(self, waiting: Waiting, now_ns: int) -> None:
        """Uses requests that have come for those that waited for them, the most important first."""
        utc_ns = self.table.now_ns
        while waiting.farewells and (request := waiting.take(now_ns)) is not None:
            id_, status, number = waiting.farewells.popleft()
            message = messages.notification(number, utc_ns, [messages.status_change(status)])
            answer = messages.publish_response(
                request.handle, utc_ns, id_, (), message, request.results, more=False
            )
            request.channel.send(request.handle, request.sequence, answer)
        while waiting.late and waiting.requests:
            before = len(waiting.requests), len(waiting.late)
            late = [one for id_ in waiting.late if (one := self.subscriptions.get(id_)) is not None]
            if not late:
                waiting.late.clear()
                return
            self._publish(max(late, key=lambda one: one.priority), now_ns, utc_ns)
            if (len(waiting.requests), len(waiting.late)) == before:  # the client does not read
                return

    def _dismiss(self, waiting: Waiting) -> None:
        """Whoever has no subscription left has nothing to wait for."""
        if not waiting.farewells and not waiting.held:
            waiting.end(Codes.BadNoSubscription)

    def _acknowledge(self, waiting: Waiting, id_: int, number: int) -> int:
        subscription = self.subscriptions.get(id_)
        if subscription is None or subscription.owner is not waiting:
            return int(Codes.BadSubscriptionIdInvalid)
        subscription.publish_request_count += 1
        subscription.used()
        return 0 if subscription.acknowledge(number) else int(Codes.BadSequenceNumberUnknown)

    def cancel(self, session: Session, handle: int) -> int:
        """Cancel (OPC 10000-4 §5.6.5) of Publish requests; how many it ended."""
        waiting = self._of(session)
        ended = [one for one in waiting.requests if one.handle == handle]
        for request in ended:
            waiting.requests.remove(request)
        return Waiting(session, type(waiting.requests)(ended)).end(Codes.BadRequestCancelledByRequest)

    def _forget(self, subscription: Subscription) -> None:
        self.subscriptions.pop(subscription.id, None)
        self._queued.pop(subscription.id, None)
        if subscription in self._polling:
            self._polling.remove(subscription)
        self._discarded += subscription.feed.discarded
        subscription.forget_sent()
        if subscription.events is not None:
            subscription.events.reset()
        subscription.owner.held -= 1
        subscription.owner.late.pop(subscription.id, None)

    def _end(self, subscription: Subscription, status: int) -> None:
        """A subscription nobody cares for (§5.14.1.2): its client is told if he comes back."""
        self._forget(subscription)
        farewell = (subscription.id, status, subscription.next_sequence_number)
        subscription.owner.farewells.append(farewell)
        self._serve(subscription.owner, self._now_ns())

    def _fail(self, subscription: Subscription) -> None:
        """A subscription that we cannot serve ends, and its client is told."""
        _log.exception("subscription %d ends", subscription.id)
        self._end(subscription, Codes.BadInternalError)

    def health(self) -> dict[str, float]:
        """Figures for the system tags of this service."""
        discarded = self._discarded + sum(one.feed.discarded for one in self.subscriptions.values())
        return {
            "subscriptions": len(self.subscriptions),
            "monitored_items": self.item_count,
            "values_discarded": discarded,
            "changes_lost": self.lost,
        }
