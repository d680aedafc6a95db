"""The services of the subscription and monitored item sets, and the clock of all subscriptions.

One look at the plant serves them all: there is no task for a subscription. Each service touches the caller's own only.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.subscription_service import SubscriptionService

from scada.client.records import RecordFollower
from scada.clock import Clock
from scada.opcua import limits
from scada.opcua.subscriptions import messages
from scada.opcua.subscriptions.making import Making, room_of
from scada.opcua.subscriptions.parameters import pace
from scada.opcua.subscriptions.polled import Allowance, PolledItems, Read
from scada.opcua.subscriptions.subscription import Subscription
from scada.opcua.subscriptions.waiting import Request, Waiting
from scada.opcua.table import Table

if TYPE_CHECKING:
    from scada.opcua.security.sessions import Session
    from scada.opcua.wire.dispatch import Call

Codes = ua.StatusCodes
TURN_S: Final = 0.005
"""Of publishing, before others have their turn."""
KNOWN_ROOM: Final = 0.1
"""Part of all subscriptions that only callers with a name can have."""
Reader = Callable[[Any], Read]
"""Makes the reader of one caller."""


class Subscriptions(SubscriptionService):
    """All subscriptions.

    Args:
        iserver: The server.
        table: The tags.
        records: Each change, for queues.
        reader: Reads what the table does not have.
        clock: For times that clients see.
        now_ns: Monotonic, for intervals.

    Attributes:
        subscriptions: By id.
        sent: Notification messages so far.
        lost: Changes that were gone from the rings before queues got them.
        item_count: Monitored items of all subscriptions.
    """

    def __init__(
        self,
        iserver: Any,
        table: Table,
        records: RecordFollower,
        reader: Reader,
        clock: Clock,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        super().__init__(iserver.aspace, iserver)
        self._clock = clock
        self._now_ns = now_ns
        self.subscriptions: dict[int, Subscription] = {}
        self.table = table
        self.making = Making(self, iserver, table)
        self._records = records
        self._reader = reader
        self._waiting: dict[int, Waiting] = {}  # by identity of the session
        self._due: list[tuple[int, int]] = []
        self._following = False
        self._allowance = Allowance()
        self._polling: deque[Subscription] = deque()
        self._queued: dict[int, Subscription] = {}
        self._last_id = 0
        self._discarded = 0  # by subscriptions that are gone
        self._looks = 0
        self.sent = self.lost = self.item_count = 0

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
        while self._due and self._due[0][0] <= now_ns:
            _, id_ = heapq.heappop(self._due)
            subscription = self.subscriptions.get(id_)
            if subscription is None or subscription.next_ns > now_ns:
                continue  # deleted, or slowed down since
            if not subscription.step(now_ns):
                self._end(subscription, Codes.BadTimeout)
                continue
            heapq.heappush(self._due, (subscription.next_ns, id_))
            self._publish(subscription, now_ns, utc_ns)
            if time.perf_counter() - began > TURN_S:
                await asyncio.sleep(0)
                began = time.perf_counter()
        return len(changed)

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
        for subscription in self._queued.values():
            subscription.feed.look(records, changed, self.table, now_ns)

    def note(self, subscription: Subscription) -> None:
        """The items of a subscription have changed: who has queues or is to be polled is known."""
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
        for _ in range(len(self._polling)):
            if not self._allowance.left:
                break
            self._polling.rotate(-1)
            self._polling[-1].polled.look(now_ns)

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
            found = subscription.message(now_ns, utc_ns, request.channel.answer_room)
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
            id_, status = waiting.farewells.popleft()
            message = messages.notification(1, utc_ns, [messages.status_change(status)])
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

    # Services

    def own(self, session: Session, id_: int) -> Subscription:
        """A subscription of the caller.

        Raises:
            ServiceError: He has none of that id.
        """
        found = self.subscriptions.get(id_)
        if found is None or found.owner.session is not session:
            raise ServiceError(Codes.BadSubscriptionIdInvalid)
        found.used()
        return found

    def open(self, session: Session, wanted: ua.CreateSubscriptionParameters) -> ua.CreateSubscriptionResult:
        """CreateSubscription (§5.14.2)."""
        waiting = self._of(session)
        anonymous = getattr(session.user, "name", None) is None
        most = limits.SUBSCRIPTIONS * (1 - KNOWN_ROOM if anonymous else 1)
        if waiting.held >= limits.SUBSCRIPTIONS_PER_SESSION or len(self.subscriptions) >= most:
            raise ServiceError(Codes.BadTooManySubscriptions)
        times = pace(
            wanted.RequestedPublishingInterval,
            wanted.RequestedMaxKeepAliveCount,
            wanted.RequestedLifetimeCount,
        )
        self._last_id += 1
        made = Subscription(
            self._last_id,
            times,
            wanted.MaxNotificationsPerPublish,
            wanted.Priority,
            self._now_ns(),
            self.table,
            PolledItems(self._reader(session.user), self._allowance),
            waiting,
            enabled=wanted.PublishingEnabled,
        )
        waiting.held += 1
        self.subscriptions[made.id] = made
        heapq.heappush(self._due, (made.next_ns, made.id))
        result = ua.CreateSubscriptionResult()
        result.SubscriptionId = made.id
        result.RevisedPublishingInterval = times.interval_ms
        result.RevisedMaxKeepAliveCount, result.RevisedLifetimeCount = times.keep_alive, times.lifetime
        return result

    def modify(
        self, session: Session, wanted: ua.ModifySubscriptionParameters
    ) -> ua.ModifySubscriptionResult:
        """ModifySubscription (§5.14.3)."""
        subscription = self.own(session, wanted.SubscriptionId)
        times = pace(
            wanted.RequestedPublishingInterval,
            wanted.RequestedMaxKeepAliveCount,
            wanted.RequestedLifetimeCount,
        )
        subscription.set_pace(times, wanted.MaxNotificationsPerPublish)
        subscription.priority = wanted.Priority
        subscription.modify_count += 1
        soonest = self._now_ns() + subscription.interval_ns
        if soonest < subscription.next_ns:
            subscription.next_ns = soonest
            heapq.heappush(self._due, (soonest, subscription.id))
        result = ua.ModifySubscriptionResult()
        result.RevisedPublishingInterval = times.interval_ms
        result.RevisedMaxKeepAliveCount, result.RevisedLifetimeCount = times.keep_alive, times.lifetime
        return result

    def set_mode(self, session: Session, ids: Iterable[int], *, enabled: bool) -> list[int]:
        """SetPublishingMode (§5.14.4): a StatusCode for each."""
        codes = []
        for id_ in ids:
            try:
                subscription = self.own(session, id_)
            except ServiceError as refused:
                codes.append(refused.code)
                continue
            subscription.enabled = enabled
            subscription.enable_count += enabled
            subscription.disable_count += not enabled
            codes.append(0)
        return codes

    def sent_again(self, session: Session, id_: int, number: int) -> bytes:
        """Republish (§5.14.6): the notification message as it was sent."""
        subscription = self.own(session, id_)
        subscription.republish_request_count += 1
        subscription.republish_message_request_count += 1
        message = subscription.sent(number)
        if message is None:
            raise ServiceError(Codes.BadMessageNotAvailable)
        subscription.republish_message_count += 1
        return message

    def republished(self, handle: int, message: bytes) -> bytes:
        """A whole RepublishResponse."""
        return messages.republish_response(handle, self.table.now_ns, message)

    def transfer(self, session: Session, ids: Iterable[int], *, initial: bool) -> list[ua.TransferResult]:
        """TransferSubscriptions (§5.14.7): to the caller, from another session of the same user."""
        results = []
        for id_ in ids:
            result = ua.TransferResult()
            result.StatusCode = ua.StatusCode(self._transfer(session, id_, result, initial=initial))
            results.append(result)
        if any(result.StatusCode.is_good() for result in results):
            self._serve(self._of(session), self._now_ns())
        return results

    def _transfer(self, session: Session, id_: int, result: ua.TransferResult, *, initial: bool) -> int:
        subscription = self.subscriptions.get(id_)
        if subscription is None:
            return int(Codes.BadSubscriptionIdInvalid)
        subscription.transfer_request_count += 1
        before, after = subscription.owner, self._of(session)
        if before is after:
            return int(Codes.BadNothingToDo)
        if not same_user(subscription.caller, session.user):
            return int(Codes.BadUserAccessDenied)
        if after.held >= limits.SUBSCRIPTIONS_PER_SESSION:
            return int(Codes.BadTooManySubscriptions)
        before.late.pop(id_, None)
        before.held -= 1
        if not before.session.is_closed:
            before.farewells.append((id_, int(Codes.GoodSubscriptionTransferred)))
            self._serve(before, self._now_ns())
        after.held += 1
        for whose, sign in ((before, -1), (after, 1)):
            whose.items += sign * len(subscription)
            whose.queued += sign * room_of(subscription)
            whose.polled += sign * len(subscription.polled.items)
        subscription.owner, subscription.caller = after, session.user
        subscription.polled.read = self._reader(session.user)
        if subscription.events is not None:
            subscription.events.session = session
        subscription.transferred_to_same_client_count += 1
        subscription.used()
        if initial:
            subscription.resend()
        result.AvailableSequenceNumbers = list(subscription.available)
        after.late[id_] = None
        return 0

    def remove(self, session: Session, ids: Iterable[int]) -> list[int]:
        """DeleteSubscriptions (§5.14.8): a StatusCode for each."""
        codes = []
        for id_ in ids:
            try:
                self._forget(self.own(session, id_))
                codes.append(0)
            except ServiceError as refused:
                codes.append(refused.code)
        waiting = self._of(session)
        if not waiting.farewells and not waiting.held:
            waiting.end(Codes.BadNoSubscription)
        return codes

    def _forget(self, subscription: Subscription) -> None:
        self.subscriptions.pop(subscription.id, None)
        self.making.forget(subscription)
        self._queued.pop(subscription.id, None)
        if subscription in self._polling:
            self._polling.remove(subscription)
        self._discarded += subscription.feed.discarded
        if subscription.events is not None:
            subscription.events.reset()
        subscription.owner.held -= 1
        subscription.owner.late.pop(subscription.id, None)

    def _end(self, subscription: Subscription, status: int) -> None:
        """A subscription nobody cares for (§5.14.1.2): its client is told if he comes back."""
        self._forget(subscription)
        subscription.owner.farewells.append((subscription.id, status))
        self._serve(subscription.owner, self._now_ns())

    # What asyncua and others call

    def health(self) -> dict[str, float]:
        """Figures for the system tags of this service."""
        discarded = self._discarded + sum(one.feed.discarded for one in self.subscriptions.values())
        return {
            "subscriptions": len(self.subscriptions),
            "monitored_items": self.item_count,
            "values_discarded": discarded,
            "changes_lost": self.lost,
        }

    async def delete_subscriptions(self, ids: list[int]) -> list[ua.StatusCode]:
        """Of a session that ends: whoever owns them."""
        codes = []
        for id_ in ids:
            found = self.subscriptions.get(id_)
            if found is not None:
                self._forget(found)
            codes.append(ua.StatusCode(0 if found is not None else Codes.BadSubscriptionIdInvalid))
        return codes

    async def create_subscription(self, *args: Any, **kwargs: Any) -> ua.CreateSubscriptionResult:
        """Refused: asyncua's own subscriptions inside of a server are not ours."""
        del args, kwargs
        raise ServiceError(Codes.BadServiceUnsupported)

    async def trigger_event(self, event: Any, subscription_id: int | None = None) -> None:
        """Nothing: events have their own hub (`events`)."""


def same_user(before: Any, now: Any) -> bool:
    """Whether a subscription may go from one caller to the other (§5.14.7.1)."""
    if getattr(before, "name", None) != getattr(now, "name", None):
        return False
    if getattr(now, "site_role", "") != getattr(before, "site_role", ""):
        return False
    if getattr(now, "mode", 1) < getattr(before, "mode", 1):  # what was encrypted stays so
        return False
    if getattr(now, "name", None) is None:
        return bool(getattr(before, "address", "") == getattr(now, "address", ""))
    return True
