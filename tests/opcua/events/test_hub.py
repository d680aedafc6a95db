"""Which item is told of what, and what a full queue does."""

from __future__ import annotations

from typing import Any

import pytest
from asyncua import ua
from asyncua.crypto.permission_rules import UserRole
from asyncua.server.address_space import AddressSpace
from hypothesis import given
from hypothesis import strategies as st

from scada.clock import SimulatedClock
from scada.opcua import limits
from scada.opcua.events import auditing
from scada.opcua.events.filters import Filter
from scada.opcua.events.hub import OVERFLOW, Events
from scada.opcua.events.items import EventItem, EventItems
from scada.opcua.events.mapping import SERVER, Mapper
from scada.opcua.security.caller import Caller
from tests.opcua.events.test_filters import F, element, field, literal, wanted
from tests.support.site import make_site

T = 1_750_000_000_000_000_000
TYPE = field("EventType")


class Rings:
    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def poll(self, limit: int = 10_000) -> list[dict[str, Any]]:
        taken, self.events = self.events[:limit], self.events[limit:]
        return taken

    def add(self, kind: str, **more: Any) -> None:
        self.events.append({"kind": kind, "t": T, "service": "control", **more})


class Session:
    def __init__(self, role: str) -> None:
        self.user = Caller(role=UserRole.User, name=role, site_role=role)


@pytest.fixture
def rings() -> Rings:
    return Rings()


@pytest.fixture
def hub(standard: AddressSpace, rings: Rings) -> Events:
    mapper = Mapper(make_site(), auditing.makers("urn:server"))
    return Events(standard, mapper, rings, SimulatedClock(), "small")


def request(
    node: ua.NodeId = SERVER, filter_: Any = None, size: int = 10, mode: Any = ua.MonitoringMode.Reporting, **more: Any
) -> ua.MonitoredItemCreateRequest:  # fmt: skip
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.EventNotifier),
        MonitoringMode=mode,
        RequestedParameters=ua.MonitoringParameters(
            ClientHandle=5,
            Filter=filter_ or wanted(select=[field("Message")]),
            QueueSize=size,
            DiscardOldest=more.get("oldest", True),
        ),
    )


def texts(items: EventItems, most: int = 100) -> list[str]:
    return [fields.EventFields[0].Value.Text for fields in items.take(most)]


def test_an_item_is_told_what_happens_after_it_was_made(hub: Events, rings: Rings) -> None:
    items = EventItems(hub, Session("viewer"))
    rings.add("mode", path="tank1", message="before")
    hub.poll()
    result = items.create(request(), 17)
    assert result.StatusCode.is_good()
    assert (result.MonitoredItemId, result.RevisedQueueSize, result.RevisedSamplingInterval) == (17, 10, 0.0)
    woken: list[int] = []
    hub.on_waiting(lambda: woken.append(1))
    rings.add("mode", path="tank1/LIC-101", message="one")
    rings.add("mode", path="tank1/LIC-101", message="two")
    assert hub.poll() == 2
    assert (items.waiting, woken) == (2, [1])
    assert texts(items, 1) == ["tank1/LIC-101: one"]
    assert texts(items) == ["tank1/LIC-101: two"]
    assert items.waiting == 0
    assert hub.poll() == 0


@pytest.mark.parametrize(
    ("path", "hears"),
    [("small", True), ("tank1", True), ("tank1/LIC-101", True), ("tank1/LIC", False), ("tank2", False)],
)
def test_a_folder_has_the_events_of_what_lies_in_it(hub: Events, path: str, hears: bool) -> None:
    mapper = Mapper(make_site())
    event = mapper.events({"kind": "mode", "t": T, "path": "tank1/LIC-101/MODE", "message": "x"})[0]
    assert hub.concerns(ua.NodeId(path, 2), event) is hears
    server = mapper.events({"kind": "gap", "t": T, "lost": 1})[0]
    assert hub.concerns(ua.NodeId(path, 2), server) is False
    assert hub.concerns(SERVER, server)


def test_audit_events_are_for_engineers(hub: Events, rings: Rings) -> None:
    of = {role: EventItems(hub, Session(role)) for role in ("viewer", "operator", "engineer", "admin")}
    for items in of.values():
        items.create(request(), 1)
    rings.add("opcua", action="CreateSession", status=0)
    hub.poll()
    assert {role: items.waiting for role, items in of.items()} == {
        "viewer": 0, "operator": 0, "engineer": 1, "admin": 1,
    }  # fmt: skip


def test_what_one_may_not_see_one_does_not_hear_of(hub: Events, rings: Rings) -> None:
    hub.permits = lambda caller, path: caller.site_role == "engineer" or not path.startswith("tank1")
    viewer, engineer = EventItems(hub, Session("viewer")), EventItems(hub, Session("engineer"))
    viewer.create(request(), 1)
    engineer.create(request(), 1)
    rings.add("mode", path="tank1/LIC-101", message="secret")
    rings.add("gap", lost=3)
    hub.poll()
    assert (viewer.waiting, engineer.waiting) == (1, 2)


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        (ua.StatusCodes.BadNodeIdUnknown, request(ua.NodeId("nothing", 2))),
        (ua.StatusCodes.BadAttributeIdInvalid, request(ua.NodeId(ua.ObjectIds.Server_ServerStatus_State))),
        (ua.StatusCodes.BadNotSupported, request(ua.NodeId(ua.ObjectIds.ObjectsFolder))),
        (ua.StatusCodes.BadMonitoredItemFilterInvalid, request(filter_=ua.DataChangeFilter())),
        (ua.StatusCodes.BadEventFilterInvalid, request(filter_=wanted(select=[field("Nonsense")]))),
    ],
)
def test_requests_that_cannot_be_served(hub: Events, code: int, wrong: ua.MonitoredItemCreateRequest) -> None:
    items = EventItems(hub, Session("viewer"))
    assert items.create(wrong, 3).StatusCode.value == code
    assert len(items) == 0
    assert hub.listeners == 0


def test_the_where_clause_decides(hub: Events, rings: Rings) -> None:
    items = EventItems(hub, Session("viewer"))
    only = element(F.Equals, field("SourceName"), literal("tank1"))
    items.create(request(filter_=wanted(only, select=[field("Message")])), 1)
    rings.add("mode", path="tank1", message="yes")
    rings.add("mode", path="tank1/LIC-101", message="no")
    hub.poll()
    assert texts(items) == ["tank1: yes"]


def test_modes(hub: Events, rings: Rings) -> None:
    items = EventItems(hub, Session("viewer"))
    items.create(request(mode=ua.MonitoringMode.Disabled), 1)
    items.create(request(mode=ua.MonitoringMode.Sampling), 2)
    rings.add("mode", path="tank1", message="one")
    hub.poll()
    assert (items.waiting, items.take(10)) == (0, [])
    items.set_mode(2, ua.MonitoringMode.Reporting)
    assert texts(items) == ["tank1: one"]
    assert items.set_mode(99, ua.MonitoringMode.Reporting) == ua.StatusCodes.BadMonitoredItemIdInvalid


def test_modify_takes_a_new_filter_and_keeps_the_old_one_when_it_is_bad(hub: Events, rings: Rings) -> None:
    items = EventItems(hub, Session("viewer"))
    items.create(request(), 1)

    def change(id_: int, filter_: Any) -> int:
        parameters = ua.MonitoringParameters(ClientHandle=6, Filter=filter_, QueueSize=0, DiscardOldest=True)
        changed = ua.MonitoredItemModifyRequest(MonitoredItemId=id_, RequestedParameters=parameters)
        return int(items.modify(changed).StatusCode.value)

    assert change(9, wanted()) == ua.StatusCodes.BadMonitoredItemIdInvalid
    assert change(1, wanted(select=[])) == ua.StatusCodes.BadEventFilterInvalid
    assert change(1, wanted(select=[field("SourceName")])) == 0
    rings.add("mode", path="tank1", message="x")
    hub.poll()
    told = items.take(5)[0]
    assert (told.ClientHandle, told.EventFields[0].Value) == (6, "tank1")


def test_after_the_last_item_nobody_is_told(hub: Events, rings: Rings) -> None:
    items = EventItems(hub, Session("viewer"))
    items.create(request(), 1)
    assert items.delete(1)
    assert not items.delete(1)
    assert hub.listeners == 0
    rings.add("mode", path="tank1", message="x")
    assert hub.poll() == 0


def test_a_full_queue_says_so_once_and_in_its_place(hub: Events, rings: Rings) -> None:
    of = {}
    for oldest in (True, False):
        of[oldest] = EventItems(hub, Session("viewer"))
        filter_ = wanted(
            element(F.Not, element_operand()),
            element(F.OfType, literal(OVERFLOW)),
            select=[field("Message"), TYPE],
        )
        of[oldest].create(request(filter_=filter_, size=3, oldest=oldest), 1)
    for number in range(6):
        rings.add("mode", path="tank1", message=str(number))
    hub.poll()
    told = {
        oldest: [
            (fields.EventFields[0].Value.Text[-1], fields.EventFields[1].Value == OVERFLOW)
            for fields in items.take(100)
        ]
        for oldest, items in of.items()
    }
    assert told[True] == [("l", True), ("3", False), ("4", False), ("5", False)]
    assert told[False] == [("0", False), ("1", False), ("2", False), ("l", True)]
    assert hub.lost == 2


def element_operand() -> ua.ElementOperand:
    return ua.ElementOperand(Index=1)


@given(st.integers(1, 8), st.booleans(), st.lists(st.integers(0, 5), max_size=40))
def test_a_queue_never_holds_more_than_it_may(size: int, oldest: bool, steps: list[int]) -> None:
    item = EventItem(1, SERVER, int(ua.MonitoringMode.Reporting), Filter((), lambda _: True))
    item.size, item.discard_oldest = size, oldest
    put, seen, overflows = 0, [], 0
    for step in steps:
        if step:
            item.put([ua.Variant(put)], lambda _: [ua.Variant("overflow")])
            put += 1
        else:
            for fields in item.take(3):
                if fields[0].Value == "overflow":
                    overflows += 1
                else:
                    seen.append(fields[0].Value)
        assert len(item.queue) <= size
        assert item.waiting <= size + 1
    rest = [fields[0].Value for fields in item.take(100)]
    overflows += rest.count("overflow")
    seen += [value for value in rest if value != "overflow"]
    assert seen == sorted(seen)
    assert (len(seen) < put) == (overflows > 0)


def test_queue_sizes_are_revised(hub: Events) -> None:
    items = EventItems(hub, Session("viewer"))
    sizes = {
        size: items.create(request(size=size), size + 1).RevisedQueueSize for size in (0, 1, 7, 2**32 - 1)
    }
    assert sizes == {
        0: limits.EVENT_QUEUE_PER_ITEM, 1: 1, 7: 7, 2**32 - 1: limits.EVENT_QUEUE_PER_ITEM,
    }  # fmt: skip


def test_all_queues_together_are_bounded(hub: Events, rings: Rings) -> None:
    hub.room.most = 20
    many = [EventItems(hub, Session("viewer")) for _ in range(5)]
    for items in many:
        items.create(request(filter_=wanted(select=[field("Message"), TYPE]), size=100), 1)
    for number in range(30):
        rings.add("mode", path="tank1", message=str(number))
    hub.poll()
    assert hub.room.used <= 20
    for items in many:
        told = texts(items)
        assert told[0] == "Events were lost: the queue was full"
        assert told[-1] == "tank1: 29" or len(told) == 1
    assert hub.room.used == 0
    many[0].create(request(), 2)
    rings.add("mode", path="tank1", message="x")
    hub.poll()
    assert hub.room.used > 0
    for items in many:
        items.reset()
    assert hub.room.used == 0


def test_a_session_has_only_so_many_items(hub: Events) -> None:
    session = Session("viewer")
    first, second = EventItems(hub, session), EventItems(hub, session)
    for number in range(limits.EVENT_ITEMS_PER_SESSION):
        assert (first, second)[number % 2].create(request(), number + 1).StatusCode.is_good()
    assert first.create(request(), 999).StatusCode.value == ua.StatusCodes.BadTooManyMonitoredItems
    other = EventItems(hub, Session("viewer"))
    assert other.create(request(), 1).StatusCode.is_good()
    first.delete(1)
    assert second.create(request(), 998).StatusCode.is_good()


def test_what_an_event_costs_is_bounded_over_the_items_of_a_session(hub: Events) -> None:
    like = element(F.Like, field("SourceName"), literal("%a"))
    both = element(F.And, ua.ElementOperand(1), ua.ElementOperand(2))
    heavy = wanted(both, like, element(F.And, ua.ElementOperand(3), ua.ElementOperand(3)), like)
    session = Session("viewer")
    items = EventItems(hub, session)
    made = [items.create(request(filter_=heavy), number).StatusCode.value for number in range(1, 40)]
    count = made.index(ua.StatusCodes.BadTooManyMonitoredItems)
    assert 10 < count < 30
    assert items.weight <= limits.EVENT_WEIGHT_PER_SESSION
    modified = ua.MonitoredItemModifyRequest(1, request(filter_=heavy).RequestedParameters)
    assert items.modify(modified).StatusCode.is_good()  # as heavy as before
    items.create(request(), 100)
    modified.MonitoredItemId = 100
    assert items.modify(modified).StatusCode.value == ua.StatusCodes.BadTooManyMonitoredItems


def test_a_flood_is_told_in_turns(standard: AddressSpace, rings: Rings) -> None:
    class Slow(SimulatedClock):
        def monotonic_ns(self) -> int:
            self.advance(1_000_000)
            return super().monotonic_ns()

    hub = Events(standard, Mapper(make_site()), rings, Slow(), "small")
    items = EventItems(hub, Session("viewer"))
    items.create(request(size=200), 1)
    for number in range(100):
        rings.add("mode", path="tank1", message=str(number))
    assert 0 < hub.poll() < 20
    for _ in range(20):
        hub.poll()
    assert [text.removeprefix("tank1: ") for text in texts(items, 200)] == [str(n) for n in range(100)]
