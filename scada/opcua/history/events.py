"""The history of events (OPC 10000-11 §6.5.2): what the plant's rings told once, by the same filters as what they tell now.

The historian is asked by its worker; events are made and filtered on the event loop, some at a time.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from scada.client import Client, Lane
from scada.opcua import limits
from scada.opcua.events.audit import WHO
from scada.opcua.events.filters import Filter
from scada.opcua.events.hub import Events
from scada.opcua.events.mapping import Mapper
from scada.opcua.history.exact import ReadEventDetails, utc_ns
from scada.opcua.history.reads import RefusedError

LOOKED_AT_MAX: Final = 20_000
"""Events of the plant that are looked at for one answer, however few of them the filter lets through."""
FIELDS_MAX: Final = 20_000
"""Fields in one answer: with many of them fewer events come at once."""
_ASKED: Final = 1000  # of the historian at a time
_TURN: Final = 100  # events that are made before others have their turn
_FAR: Final = 2**62
_PLACE: Final = struct.Struct("<qqIIB")

Raw = Mapping[str, Any]


class Place(NamedTuple):
    """Where a read goes on.

    Attributes:
        start_ns: Of what is left, UTC, ns: where it began, or the time of the last event that was looked at.
        end_ns: Where it ends.
        skip: Events of the plant with just that time which were looked at.
        part: OPC UA events of the next one that were told.
        left: Events that the client still wants; 0 for all.
        open: One end was not given.
    """

    start_ns: int
    end_ns: int
    skip: int = 0
    part: int = 0
    left: int = 0
    open: bool = False

    @classmethod
    def asked(cls, details: ReadEventDetails) -> Self:
        """Of a request: two of start, end and number have to be given.

        Raises:
            RefusedError: They are not.
        """
        start, end, number = utc_ns(details.StartTime), utc_ns(details.EndTime), details.NumValuesPerNode
        if start is not None and end is not None:
            return cls(start, end)
        if not number or (start is None and end is None):
            raise RefusedError(ua.StatusCodes.BadHistoryOperationInvalid)
        if start is not None:
            return cls(start, _FAR, left=number, open=True)
        assert end is not None
        return cls(end, -1, left=number, open=True)

    @property
    def back(self) -> bool:
        """The newest come first."""
        return self.end_ns < self.start_ns

    def pack(self) -> bytes:
        """As bytes."""
        return _PLACE.pack(self.start_ns, self.end_ns, self.skip, self.left, self.open | self.part << 1)

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """The inverse of `pack`."""
        start, end, skip, left, flags = _PLACE.unpack(data)
        return cls(start, end, skip, flags >> 1, left, bool(flags & 1))


class EventHistory:
    """Answers ReadEventDetails; for `Histories.events`.

    Args:
        hub: Knows types, areas and who may hear what.
        mapper: Makes OPC UA events of events of the plant.
    """

    def __init__(self, hub: Events, mapper: Mapper) -> None:
        self._hub, self._mapper = hub, mapper

    async def __call__(
        self, lane: Lane, item: ua.HistoryReadValueId, details: ReadEventDetails, point: bytes
    ) -> tuple[int, bytes, bytes | None]:
        """StatusCode, HistoryEvent as bytes, where to go on.

        Raises:
            RefusedError: The node has no events, or the caller may not have them, or the filter is wrong.
        """
        caller = WHO.get().caller
        status = self._hub.refusal(item.NodeId, caller)
        if status in (ua.StatusCodes.BadNodeIdUnknown, ua.StatusCodes.BadUserAccessDenied):
            raise RefusedError(status)
        if status:
            raise RefusedError(ua.StatusCodes.BadHistoryOperationUnsupported)
        wanted, _, status = self._hub.filter(details.Filter)
        if wanted is None:
            raise RefusedError(int(status))
        try:
            place = Place.unpack(point) if point else Place.asked(details)
        except struct.error:
            raise RefusedError(ua.StatusCodes.BadContinuationPointInvalid) from None
        asked = place.left if place.open else details.NumValuesPerNode or _FAR
        most = min(asked, limits.HISTORY_EVENTS_PER_NODE, FIELDS_MAX // len(wanted.select))
        rows, after = await self._some(lane, item.NodeId, caller, wanted, place, most)
        found = ua.HistoryEvent(Events=[ua.HistoryEventFieldList(row) for row in rows])
        body = await asyncio.to_thread(struct_to_binary, found)
        if after is not None and place.open:
            after = after._replace(left=place.left - len(rows))
            after = after if after.left > 0 else None
        nothing = not rows and after is None and not point
        status = ua.StatusCodes.GoodNoData if nothing else ua.StatusCodes.Good
        return int(status), body, None if after is None else after.pack()

    async def _some(
        self, lane: Lane, node: ua.NodeId, caller: Any, wanted: Filter, place: Place, most: int
    ) -> tuple[list[list[ua.Variant]], Place | None]:
        """Fields of events from a place on, and where to go on after them."""
        rows: list[list[ua.Variant]] = []
        seen = 0
        while True:
            asked, place_now = _ASKED + place.skip, place
            batch = await lane.ask(lambda client: _raws(client, place_now, asked))  # noqa: B023 - asked at once
            for number, raw in enumerate(batch[place.skip :]):
                if number % _TURN == _TURN - 1:
                    await asyncio.sleep(0)
                made = self._mapper.events(raw)
                for part in range(place.part, len(made)):
                    event = made[part]
                    if not self._hub.concerns(node, event) or not self._hub.may(caller, event):
                        continue
                    if wanted.where(event):
                        if len(rows) >= most:
                            return rows, place._replace(part=part)
                        rows.append(wanted.fields(event))
                place = _behind(place, int(raw["t"]))
                seen += 1
            if len(batch) < asked:
                return rows, None
            if seen >= LOOKED_AT_MAX:
                return rows, place


def _raws(client: Client, place: Place, most: int) -> Sequence[Raw]:
    """Events of the plant from the time of a place on, those that were looked at among them."""
    if place.back:
        found = client.events(place.end_ns + 1, place.start_ns + 1, None, most)
        return found[::-1]
    return client.events(place.start_ns, place.end_ns, None, most, oldest=True)


def _behind(place: Place, t: int) -> Place:
    """The place behind an event of a time."""
    return place._replace(start_ns=t, skip=place.skip + 1 if t == place.start_ns else 1, part=0)
