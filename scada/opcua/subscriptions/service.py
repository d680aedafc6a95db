"""The services of the subscription and monitored item sets; each touches the caller's own only."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from asyncua import ua
from asyncua.common.utils import ServiceError

from scada.client.records import RecordFollower
from scada.clock import Clock
from scada.opcua import limits
from scada.opcua.subscriptions import messages
from scada.opcua.subscriptions.making import Making, room_of
from scada.opcua.subscriptions.parameters import pace
from scada.opcua.subscriptions.polled import PolledItems, Read
from scada.opcua.subscriptions.publishing import Publishing
from scada.opcua.subscriptions.subscription import Subscription
from scada.opcua.table import Table

if TYPE_CHECKING:
    from scada.opcua.security.sessions import Session

Codes = ua.StatusCodes
KNOWN_ROOM: Final = 0.1
"""Part of all subscriptions that only callers with a name can have."""
Reader = Callable[[Any], Read]
"""Makes the reader of one caller."""


class Subscriptions(Publishing):
    """All subscriptions and their services.

    Args:
        iserver: The server.
        table: The tags.
        records: Each change, for queues.
        reader: Reads what the table does not have.
        clock: For times that clients see.
        now_ns: Monotonic, for intervals.
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
        super().__init__(iserver, table, records, clock, now_ns)
        self._reader = reader
        self.making = Making(self, iserver, table)

    def _forget(self, subscription: Subscription) -> None:
        self.making.forget(subscription)
        super()._forget(subscription)

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
            self.kept,
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
            number = subscription.next_sequence_number
            before.farewells.append((id_, int(Codes.GoodSubscriptionTransferred), number))
            self._serve(before, self._now_ns())
            self._dismiss(before)
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
        self._dismiss(self._of(session))
        return codes

    # What asyncua calls

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
    """Whether a subscription may go from one caller to the other (§5.14.7.1).

    Of nobody's name it is the application that has to be the same: where there are certificates they prove it, on
    unencrypted channels its address is all that can be asked for.
    """
    if getattr(before, "name", None) != getattr(now, "name", None):
        return False
    if getattr(now, "site_role", "") != getattr(before, "site_role", ""):
        return False
    modes = getattr(before, "mode", 1), getattr(now, "mode", 1)
    if modes[1] < modes[0]:  # what was encrypted stays so
        return False
    if getattr(now, "name", None) is not None:
        return True
    if getattr(before, "application", "") != getattr(now, "application", ""):
        return False
    return min(modes) > 1 or bool(getattr(before, "address", "") == getattr(now, "address", ""))
