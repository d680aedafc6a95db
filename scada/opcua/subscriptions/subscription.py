"""One subscription: its items, its clock, and what it has sent and not been thanked for (OPC 10000-4 §5.14.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from scada.opcua import limits
from scada.opcua.subscriptions import messages
from scada.opcua.subscriptions.feeding import Feed
from scada.opcua.subscriptions.items import DISABLED, NO_BAND, REPORTING, SAMPLING, TagItems
from scada.opcua.subscriptions.parameters import Pace
from scada.opcua.subscriptions.polled import PolledItems
from scada.opcua.table import Table
from scada.opcua.table.layout import WIDTH
from tags.types import STRING_BYTES_MAX

if TYPE_CHECKING:
    from asyncua import ua

    from scada.opcua.events.items import EventItems
    from scada.opcua.subscriptions.waiting import Waiting

KEPT_BYTES: Final = 2 * 1024 * 1024
"""Of sent messages that nobody acknowledged; the oldest go first."""
KEPT_BYTES_OF_ALL: Final = 32 * 1024 * 1024
"""Of all subscriptions; beyond it each keeps only its last one."""
_SEQUENCE_MAX: Final = 2**32 - 1
_FRAME: Final = 1024  # of a message around its notifications
_POLLED_WIDTH: Final = 512


class Kept:
    """What all subscriptions keep for Republish.

    Attributes:
        bytes: Of messages that nobody acknowledged.
    """

    def __init__(self) -> None:
        self.bytes = 0


class Subscription:
    """A subscription.

    Args:
        id_: SubscriptionId.
        pace: Revised times.
        most: Notifications in one message.
        priority: Who goes first when requests are few.
        enabled: PublishingEnabled.
        now_ns: Monotonic.
        table: The tags.
        polled: Its items on what the table does not have; none yet.
        owner: Of the session that it belongs to; of a closed one when it was left behind.
        all_kept: What it keeps is counted there too.

    Attributes:
        caller: Who may read what it tells.
        events: Its event items; None until there is one.
        links: Ids of items that are reported with another, by its id.
        next_ns: Its next publishing, monotonic.
    """

    def __init__(
        self,
        id_: int,
        pace: Pace,
        most: int,
        priority: int,
        now_ns: int,
        table: Table,
        polled: PolledItems,
        owner: Waiting,
        all_kept: Kept,
        *,
        enabled: bool,
    ) -> None:
        self.id = id_
        self.owner = owner
        self.caller: Any = owner.session.user
        self.enabled = enabled
        self.priority = priority
        self._table = table
        self.tags = TagItems()
        self.feed = Feed(self.tags)
        self.polled = polled
        self.events: EventItems | None = None
        self.links: dict[int, set[int]] = {}
        self._fired: dict[int, Any] = {}
        self._unsaid: frozenset[int] = frozenset()  # triggered, and not all of it told yet
        self._edition, self._width = -1, WIDTH
        self._last_item = 0
        self.set_pace(pace, most)
        self.next_ns = now_ns + self.interval_ns
        self._quiet = self.pace.keep_alive  # the first publishing says at least that it lives
        self._alone = 0
        self._sequence = 1
        self._kept: dict[int, bytes] = {}
        self._kept_bytes = 0
        self._all_kept = all_kept
        # SubscriptionDiagnosticsDataType, OPC 10000-5 §12.15
        self.modify_count = self.enable_count = self.disable_count = 0
        self.republish_request_count = self.republish_message_request_count = self.republish_message_count = 0
        self.transfer_request_count = self.transferred_to_alt_client_count = 0
        self.transferred_to_same_client_count = 0
        self.publish_request_count = self.data_change_notifications_count = 0
        self.event_notifications_count = self.notifications_count = self.late_publish_request_count = 0
        self.discarded_message_count = 0

    def set_pace(self, pace: Pace, most: int) -> None:
        """New times."""
        self.pace = pace
        self.interval_ns = round(pace.interval_ms * 1e6)
        self.most = min(most, limits.NOTIFICATIONS_PER_PUBLISH) if most else limits.NOTIFICATIONS_PER_PUBLISH

    # What diagnostics ask

    @property
    def session_id(self) -> ua.NodeId:
        """Of its session."""
        return self.owner.session.session_id

    @property
    def interval_ms(self) -> float:
        """Publishing interval."""
        return self.pace.interval_ms

    @property
    def max_keep_alive_count(self) -> int:
        """As revised."""
        return self.pace.keep_alive

    @property
    def max_lifetime_count(self) -> int:
        """As revised."""
        return self.pace.lifetime

    @property
    def current_keep_alive_count(self) -> int:
        """Publishings without a message."""
        return self._quiet

    @property
    def current_lifetime_count(self) -> int:
        """Publishings without a client."""
        return self._alone

    @property
    def unacknowledged_message_count(self) -> int:
        """Sent and kept."""
        return len(self._kept)

    @property
    def next_sequence_number(self) -> int:
        """Of the next notification message."""
        return self._sequence

    @property
    def monitored_item_count(self) -> int:
        """Of all kinds."""
        return len(self)

    @property
    def disabled_monitored_item_count(self) -> int:
        """With monitoring mode Disabled."""
        return (
            int(np.count_nonzero(self.tags.column("mode") == DISABLED))
            + sum(item.wanted.mode == DISABLED for item in self.polled.items.values())
            + sum(item.mode == DISABLED for item in self.events or ())
        )

    @property
    def monitoring_queue_overflow_count(self) -> int:
        """Values that queues had no room for."""
        return self.feed.discarded

    def __len__(self) -> int:
        return len(self.tags) + len(self.polled.items) + (len(self.events) if self.events is not None else 0)

    def item_handles(self) -> tuple[list[int], list[int]]:
        """MonitoredItemIds and client handles of all items, for GetMonitoredItems (OPC 10000-5 §9.1)."""
        pairs = list(zip(self.tags.column("id").tolist(), self.tags.column("handle").tolist(), strict=True))
        pairs += [(id_, item.wanted.handle) for id_, item in self.polled.items.items()]
        pairs += [(item.id, item.client_handle) for item in self.events or ()]
        pairs.sort()
        return [id_ for id_, _ in pairs], [handle for _, handle in pairs]

    def new_id(self) -> int:
        """The next MonitoredItemId."""
        self._last_item += 1
        return self._last_item

    # Life

    def used(self) -> None:
        """Its client has spoken of it: its life begins anew."""
        self._alone = 0

    def step(self, now_ns: int) -> bool:
        """A publishing interval is over; False when nobody has wanted to know for too long."""
        self.next_ns += self.interval_ns
        if self.next_ns <= now_ns:  # we are late, or it slept: no burst
            self.next_ns = now_ns + self.interval_ns
        self._quiet += 1
        self._alone += 1
        return self._alone <= self.pace.lifetime

    def resend(self) -> None:
        """The next message has the values of all reporting items (ResendData, SendInitialValues)."""
        self.tags.resend()
        self.feed.forget()
        self.polled.resend()

    # What there is to say

    def collect(self, now_ns: int, room: int) -> tuple[list[bytes], bool]:
        """Takes what is to be told now.

        Args:
            now_ns: Monotonic.
            room: Bytes that the client takes in one message.

        Returns:
            ExtensionObjects for one message, none when there is nothing, and whether there is more.
        """
        if not self.enabled:
            return [], False
        most, more = min(self.most, max(1, (room - _FRAME) // self._widest())), False
        parts: list[bytes] = []
        data: list[bytes] = []
        count = 0
        if self.events is not None and self.events.waiting:
            fields = self.events.take(most)
            more = bool(self.events.waiting)
            if fields:
                parts.append(messages.events(fields))
                most -= len(fields)
                self.event_notifications_count += len(fields)
        self.polled.look(now_ns)
        triggered = self._unsaid | self._triggered() if self.links else self._unsaid
        if len(self.tags):
            count, more = self._tags(data, now_ns, most, triggered, more=more)
        if self.polled.items:
            told, encoded, rest = self.polled.take(most - count, triggered)
            data.append(encoded)
            count += told
            more |= rest
        self._unsaid = triggered if more else frozenset()
        if count:
            parts.insert(0, messages.data_change(count, b"".join(data)))
            self.data_change_notifications_count += count
        return parts, more

    def _widest(self) -> int:
        """Bytes that one of its notifications has at most, or about that of what is no value of a tag."""
        if self._edition != self.tags.edition:
            self._edition = self.tags.edition
            texts = bool(self._table.is_text(self.tags.column("row")).any())
            self._width = WIDTH + (STRING_BYTES_MAX + 4 if texts else 0)
        return (
            max(self._width, _POLLED_WIDTH) if self.polled.items or self.events is not None else self._width
        )

    def _tags(
        self, data: list[bytes], now_ns: int, most: int, triggered: frozenset[int], *, more: bool
    ) -> tuple[int, bool]:
        tags, table, count = self.tags, self._table, 0
        if len(self.feed.log):
            entries, rest = self.feed.take(self._reporting(triggered), most)
            if len(entries):
                data.append(self._encoded(entries))
                count += len(entries)
            more |= rest
        if count < most:
            also = tags.places(_ids(triggered)) if triggered else None
            places, rest = tags.changed(table, now_ns, self.interval_ns, most - count, also)
            more |= rest
            if len(places):
                rows, handles, stamps = tags.report(places, table, now_ns, self.interval_ns)
                data.append(table.notifications(rows, handles, stamps))
                count += len(places)
        else:
            more = True
        return count, more

    def _reporting(self, triggered: frozenset[int]) -> npt.NDArray[np.uint32]:
        ids, mode = self.tags.column("id"), self.tags.column("mode")
        chosen = mode == REPORTING
        if triggered:
            chosen |= (mode == SAMPLING) & np.isin(ids, _ids(triggered))
        found: npt.NDArray[np.uint32] = ids[chosen]
        return found

    def _encoded(self, entries: npt.NDArray[Any]) -> bytes:
        places = np.searchsorted(self.tags.column("id"), entries["id"])
        texts = {
            place: text
            for place, text in enumerate(entries["text"])
            if isinstance(text, bytes) and not entries["status"][place] >> 31
        }
        return self._table.samples(
            entries["row"].astype(np.intp),
            np.ascontiguousarray(entries["bits"]),
            np.ascontiguousarray(entries["status"]),
            np.ascontiguousarray(entries["source_ns"]),
            texts,
            self.tags.column("handle")[places],
            self.tags.column("stamps")[places],
        )

    def unlink(self, id_: int) -> None:
        """Nothing is reported with an item any more."""
        self.links.pop(id_, None)
        self._fired.pop(id_, None)

    def _triggered(self) -> frozenset[int]:
        """Ids of the items that are linked to one that has something new (OPC 10000-4 §5.13.5)."""
        found: set[int] = set()
        for id_, linked in self.links.items():
            mark = self._mark(id_)
            if mark is not None and mark != self._fired.get(id_):
                self._fired[id_] = mark
                found |= linked
        return frozenset(found)

    def _mark(self, id_: int) -> Any:
        """What differs after each change of an item; None while it has none or is disabled."""
        place = self.tags.find(id_)
        if place >= 0:
            if self.tags.column("mode")[place] == DISABLED:
                return None
            row, band = int(self.tags.column("row")[place]), float(self.tags.column("band")[place])
            if band == NO_BAND:
                return int(self._table.moved[self.tags.column("trigger")[place], row])
            at = np.array([row])
            now = (float(self._table.floats(at)[0]), int(self._table.status(at)[0]))
            before = self._fired.get(id_)
            if not isinstance(before, tuple):  # it has had none until now
                return now
            within = now[1] == before[1] and abs(now[0] - before[0]) <= band
            return before if within else now
        item = self.polled.items.get(id_)
        if item is not None:
            return None if item.last is None else id(item.last)
        if self.events is not None and id_ in self.events:
            return self.event_notifications_count + self.events.waiting
        return None

    # What was said

    def message(self, now_ns: int, utc_ns: int, room: int) -> tuple[bytes, bool] | None:
        """The next message, a keep-alive when it is time for one; None for nothing.

        Args:
            now_ns: Monotonic.
            utc_ns: Of the clock on the wall.
            room: Bytes that the client takes in one message.

        Returns:
            A NotificationMessage, and whether there is more to come.
        """
        parts, more = self.collect(now_ns, room)
        if not parts:
            if self._quiet < self.pace.keep_alive:
                return None
            self._quiet = self._alone = 0
            return messages.notification(self._sequence, utc_ns, []), False
        return self._numbered(messages.notification(self._sequence, utc_ns, parts)), more

    def _numbered(self, message: bytes) -> bytes:
        self._kept[self._sequence] = message
        self._keep(len(message))
        while len(self._kept) > 1 and (
            len(self._kept) > limits.UNACKNOWLEDGED_PER_SUBSCRIPTION
            or self._kept_bytes > KEPT_BYTES
            or self._all_kept.bytes > KEPT_BYTES_OF_ALL
        ):
            self._keep(-len(self._kept.pop(next(iter(self._kept)))))
            self.discarded_message_count += 1
        self._sequence = 1 if self._sequence == _SEQUENCE_MAX else self._sequence + 1
        self._quiet = self._alone = 0
        self.notifications_count += 1
        return message

    def acknowledge(self, number: int) -> bool:
        """Forgets a message; False when there is none of that number."""
        message = self._kept.pop(number, None)
        if message is None:
            return False
        self._keep(-len(message))
        return True

    def _keep(self, more: int) -> None:
        self._kept_bytes += more
        self._all_kept.bytes += more

    def forget_sent(self) -> None:
        """It ends: nothing can be had again."""
        self._kept.clear()
        self._keep(-self._kept_bytes)

    def sent(self, number: int) -> bytes | None:
        """A message that was not acknowledged, for Republish."""
        return self._kept.get(number)

    @property
    def available(self) -> Iterable[int]:
        """Numbers of the messages that can be had again."""
        return tuple(self._kept)


def _ids(ids: frozenset[int]) -> npt.NDArray[np.uint32]:
    return np.fromiter(sorted(ids), np.uint32, len(ids))
