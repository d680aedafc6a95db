"""Events and audit events."""

from __future__ import annotations

import asyncio

from tests.opcua.conformance.case import At, good, is_, negative, positive
from tests.opcua.conformance.peers import Session
from tests.opcua.conformance.services import (
    EVENTS,
    SERVER,
    Fields,
    call,
    children,
    events,
    field,
    listening,
    literal,
    monitor,
    named,
    of_type,
    publish,
    read,
    subscribe,
    tag,
    value,
    wanted,
    write,
)

SET_POINT = tag("tank1/LIC-101/SP")
AUDIT, AUDIT_WRITE = "i=2052", "i=2100"


async def heard(session: Session, tries: int = 30) -> list[list[object]]:
    """Fields of the next events."""
    for _ in range(tries):
        if found := events(await publish(session)):
            return found
    raise AssertionError("no event")


@positive("Address Space Events", "Monitor Events", "Auditing Base")
async def a_write_is_an_audit_event(at: At) -> None:
    async with at.fresh("engineer") as session:
        subscription = (await subscribe(session, 50))["subscriptionId"]
        what = {
            "selectClauses": [
                field("EventType"), field("SourceName"), field("ClientUserId", kind=AUDIT),
                field("NewValue", kind=AUDIT_WRITE), field("Status", kind=AUDIT), field("ActionTimeStamp", kind=AUDIT),
            ],
            "whereClause": of_type(AUDIT_WRITE),
        }  # fmt: skip
        (item,) = await monitor(session, subscription, listening(SERVER, 1, what))
        good(item["statusCode"])
        waiting = asyncio.create_task(heard(session))
        good(await write(await at.session("operator"), SET_POINT, "Double", 2.15))
        rows = await waiting
        kind, source, user, new, status, time = rows[0]
        assert kind == AUDIT_WRITE
        assert source
        assert user == "operator"
        assert new == 2.15
        assert status is True
        assert time


@negative("Auditing Base")
async def audit_events_are_not_for_a_viewer(at: At) -> None:
    async with at.fresh("viewer") as session:
        subscription = (await subscribe(session, 50, alive=4))["subscriptionId"]
        what = named("EventType") | {"whereClause": of_type(AUDIT)}
        await monitor(session, subscription, listening(SERVER, 1, what))
        await publish(session)
        good(await write(await at.session("operator"), SET_POINT, "Double", 2.16))
        for _ in range(3):
            assert not events(await publish(session))


@negative("Address Space Events", "Monitor Events")
async def filters_and_nodes_that_give_no_events(at: At) -> None:
    async with at.fresh() as session:
        subscription = (await subscribe(session))["subscriptionId"]
        results = await monitor(
            session, subscription,
            listening(tag("tank1/NOBODY"), 1, named("Message")), listening(SET_POINT, 2, named("Message")),
            listening(SERVER, 3, {"selectClauses": [], "whereClause": {"elements": []}}),
            listening(SERVER, 4, {"selectClauses": [field("Nonsense")], "whereClause": {"elements": []}}),
            wanted(SERVER, 5, attribute=EVENTS),
            wanted(SERVER, 6, attribute=EVENTS, what={"$type": "DataChangeFilter", "trigger": 1, "deadbandType": 0, "deadbandValue": 0.0}),
        )  # fmt: skip
        is_(results[0]["statusCode"], "BadNodeIdUnknown")
        is_(results[1]["statusCode"], "BadAttributeIdInvalid")
        is_(results[2]["statusCode"], "BadEventFilterInvalid")
        is_(results[3]["statusCode"], "BadEventFilterInvalid")
        assert results[3]["filterResult"] is not None
        is_(results[4]["statusCode"], "BadEventFilterInvalid", "BadMonitoredItemFilterInvalid")
        is_(
            results[5]["statusCode"],
            "BadEventFilterInvalid",
            "BadFilterNotAllowed",
            "BadMonitoredItemFilterInvalid",
        )


@positive("Address Space Events")
async def areas_notify_of_what_lies_in_them(at: At) -> None:
    session = await at.session()
    for node in (SERVER, tag("riverside"), tag("tank1")):
        (found,) = await read(session, node, attribute=EVENTS)
        assert found["value"]["value"] & 1
    below = await children(session, SERVER, kind="i=48")
    assert below


def _element(operator: int, *operands: Fields) -> Fields:
    return {"filterOperator": operator, "filterOperands": list(operands)}


def _simple(name: str) -> Fields:
    return {"$type": "SimpleAttributeOperand", **field(name)}


def _other(index: int) -> Fields:
    return {"$type": "ElementOperand", "index": index}


@positive("Monitor Complex Event Filter")
async def a_where_clause_of_many_operators(at: At) -> None:
    async with at.fresh("engineer") as session:
        subscription = (await subscribe(session, 50))["subscriptionId"]
        where = {
            "elements": [
                _element(10, _other(1), _other(2)),  # And
                _element(14, literal("NodeId", AUDIT_WRITE)),  # OfType
                _element(11, _other(3), _other(4)),  # Or
                _element(8, _simple("Severity"), literal("UInt16", 1), literal("UInt16", 1000)),  # Between
                _element(7, _other(5)),  # Not
                _element(6, _simple("SourceName"), literal("String", "%no such thing%")),  # Like
            ]
        }  # fmt: skip
        (item,) = await monitor(
            session, subscription, listening(SERVER, 1, named("EventType") | {"whereClause": where})
        )
        good(item["statusCode"])
        waiting = asyncio.create_task(heard(session))
        good(await write(await at.session("operator"), SET_POINT, "Double", 2.17))
        assert (await waiting)[0] == [AUDIT_WRITE]


@negative("Monitor Complex Event Filter")
async def where_clauses_that_cannot_be(at: At) -> None:
    async with at.fresh() as session:
        subscription = (await subscribe(session))["subscriptionId"]
        for element in (
            _element(8, _simple("Severity")),  # Between of one
            _element(10, _other(0), _other(7)),  # And of itself and of nothing
            _element(13, _simple("Severity")),  # InView
            _element(14, literal("NodeId", "i=85")),  # OfType of a folder
        ):
            what = named("EventType") | {"whereClause": {"elements": [element]}}
            (item,) = await monitor(session, subscription, listening(SERVER, 1, what))
            is_(item["statusCode"], "BadEventFilterInvalid", "BadContentFilterInvalid")
            (result,) = item["filterResult"]["whereClauseResult"]["elementResults"]
            assert result["statusCode"] >> 31 == 1


@positive("Base Info EventQueueOverflow EventType", "Monitor QueueSize_ServerMax")
async def a_queue_of_events_that_runs_over_says_so(at: At) -> None:
    async with at.fresh("engineer") as session:
        subscription = (await subscribe(session, 100, enabled=False))["subscriptionId"]
        what = named("EventType") | {"whereClause": of_type(AUDIT_WRITE)}
        large, _ = await monitor(
            session, subscription, listening(SERVER, 1, what, queue=4_000_000_000), listening(SERVER, 2, what, queue=2)
        )  # fmt: skip
        assert 1 < large["revisedQueueSize"] < 4_000_000_000
        operator = await at.session("operator")
        for step in range(5):
            good(await write(operator, SET_POINT, "Double", 2.0 + step / 100))
        await session.call(
            "SetPublishingMode", {"publishingEnabled": True, "subscriptionIds": [subscription]}
        )
        found: list[tuple[int, str]] = []
        while found.count((1, AUDIT_WRITE)) < 5:
            found += [
                (event["clientHandle"], event["eventFields"][0]["value"])
                for part in (await publish(session))["notificationMessage"]["notificationData"]
                for event in part["events"]
            ]
        assert "i=3035" in [kind for handle, kind in found if handle == 2]


@negative("Base Info EventQueueOverflow EventType", "Monitor QueueSize_ServerMax")
async def nobody_makes_events_by_writing(at: At) -> None:
    session = await at.session("engineer")
    is_(await write(session, SERVER, "Byte", 0, attribute=EVENTS), "BadNotWritable", "BadUserAccessDenied")
    is_((await call(session, SERVER, "i=3035"))["statusCode"], "BadMethodInvalid", "BadNodeIdUnknown")
    assert await value(session, "i=2259") == 0
