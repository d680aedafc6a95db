# ruff: noqa: RUF001 - the names of the standard have these dashes
"""Historical access: values that an engineer put there years ago, so that both clients know them."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from scada.client import OPCUA_NAMES
from tests.opcua.conformance.case import CASES, At, Case, good, is_, negative, positive, refused
from tests.opcua.conformance.peers import Session
from tests.opcua.conformance.services import SERVER, Fields, children, named, read, tag, value

FLOW, NEW = tag("tank1/FT-105"), tag("tank1/FT-104")
INSERT, REPLACE, UPDATE = 1, 2, 3
INSERTED, REPLACED = 0x00A2_0000, 0x00A3_0000
COUNT: Final = 20


def moment(at: At, seconds: float) -> Fields:
    """A time that only this client writes to."""
    start = dt.datetime(2020, 1, 1 if at.peer.name == "asyncua" else 2, tzinfo=dt.UTC)
    return {"$date": (start + dt.timedelta(seconds=seconds)).isoformat()}


def sample(at: At, seconds: float, number: float) -> Fields:
    """A DataValue for an update."""
    return {"value": {"$variant": "Double", "value": number}, "sourceTimestamp": moment(at, seconds)}


async def update(session: Session, details: Fields) -> Fields:
    """HistoryUpdate of one element: its result."""
    found = await session.call("HistoryUpdate", {"historyUpdateDetails": [details]})
    result: Fields = found["results"][0]
    return result


def put(node: str, how: int, *values: Fields) -> Fields:
    """UpdateDataDetails."""
    return {
        "$type": "UpdateDataDetails",
        "nodeId": node,
        "performInsertReplace": how,
        "updateValues": list(values),
    }


async def stored(at: At) -> Session:
    """A session, when the values that the reads expect are there: 0, 1, 2, … every 10 s."""
    session = await at.session()
    found = await history(session, raw(at, 0, 1000))
    if len(found["historyData"]["dataValues"] or ()) < COUNT:
        engineer = await at.session("engineer")
        values = [sample(at, 10 * n, float(n)) for n in range(COUNT)]
        good((await update(engineer, put(FLOW, UPDATE, *values)))["statusCode"])
    return session


def raw(
    at: At, start: float, end: float, number: int = 0, *, bounds: bool = False, modified: bool = False
) -> Fields:
    """ReadRawModifiedDetails."""
    return {
        "$type": "ReadRawModifiedDetails", "isReadModified": modified, "startTime": moment(at, start),
        "endTime": moment(at, end), "numValuesPerNode": number, "returnBounds": bounds,
    }  # fmt: skip


def processed(at: At, start: float, end: float, every_s: float, *aggregates: str) -> Fields:
    """ReadProcessedDetails."""
    rules = {
        "useServerCapabilitiesDefaults": True, "treatUncertainAsBad": True, "percentDataBad": 100,
        "percentDataGood": 100, "useSlopedExtrapolation": False,
    }  # fmt: skip
    return {
        "$type": "ReadProcessedDetails", "startTime": moment(at, start), "endTime": moment(at, end),
        "processingInterval": every_s * 1000, "aggregateType": list(aggregates), "aggregateConfiguration": rules,
    }  # fmt: skip


async def history(
    session: Session,
    details: Fields,
    node: str = FLOW,
    *,
    point: str = "",
    stamps: int = 0,
    release: bool = False,
) -> Fields:
    """HistoryRead of one node: its result."""
    item: Fields = {"nodeId": node}
    if point:
        item["continuationPoint"] = {"$bytes": point.removeprefix("base64:")}
    found = await session.call(
        "HistoryRead",
        {"historyReadDetails": details, "timestampsToReturn": stamps, "releaseContinuationPoints": release, "nodesToRead": [item]},
    )  # fmt: skip
    result: Fields = found["results"][0]
    return result


def numbers(result: Fields) -> list[Any]:
    """Values of a result."""
    return [
        None if one["value"] is None else one["value"]["value"] for one in result["historyData"]["dataValues"]
    ]


@positive("Attribute Historical Read", "Historical Access Read Raw")
async def stored_values_in_both_directions_and_with_bounds(at: At) -> None:
    session = await stored(at)
    found = await history(session, raw(at, 0, 50))
    good(found["statusCode"])
    assert numbers(found) == [0, 1, 2, 3, 4]
    assert all(one["source"] for one in found["historyData"]["dataValues"])
    assert numbers(await history(session, raw(at, 50, 0))) == [5, 4, 3, 2, 1]
    assert numbers(await history(session, raw(at, 5, 45, bounds=True))) == [0, 1, 2, 3, 4, 5]


@negative("Attribute Historical Read", "Historical Access Read Raw")
async def what_has_no_history(at: At) -> None:
    session = await stored(at)
    is_((await history(session, raw(at, 0, 9), tag("tank1/NOBODY")))["statusCode"], "BadNodeIdUnknown")
    is_((await history(session, raw(at, 0, 9), tag("tank1")))["statusCode"], "BadHistoryOperationUnsupported")
    is_((await history(session, raw(at, -900, -800)))["statusCode"], "GoodNoData")
    is_((await history(session, raw(at, 0, 9), stamps=1))["statusCode"], "BadTimestampNotSupported")
    nothing = {"$type": "ReadRawModifiedDetails", "isReadModified": False, "numValuesPerNode": 0, "returnBounds": False, "startTime": moment(at, 0)}  # fmt: skip
    if at.peer.name == "asyncua":
        nothing["endTime"] = {"$date": "1601-01-01T00:00:00+00:00"}
    is_(
        (await history(session, nothing))["statusCode"],
        "BadHistoryOperationInvalid",
        "BadInvalidTimestampArgument",
    )
    with refused("BadNothingToDo"):
        await session.call("HistoryRead", {"historyReadDetails": raw(at, 0, 9), "timestampsToReturn": 0, "releaseContinuationPoints": False, "nodesToRead": []})  # fmt: skip
    with refused("BadTimestampsToReturnInvalid"):
        await history(session, raw(at, 0, 9), stamps=3)


@positive("Historical Access Data Max Nodes Read Continuation Point")
async def pages_hold_everything_once(at: At) -> None:
    session = await stored(at)
    limits = await children(session, "i=11704")
    assert await value(session, limits["MaxNodesPerHistoryReadData"]) >= 1
    found = await history(session, raw(at, 0, 1000, 7))
    seen = numbers(found)
    while found["continuationPoint"]:
        found = await history(session, raw(at, 0, 1000, 7), point=found["continuationPoint"])
        seen += numbers(found)
    assert seen == list(range(COUNT))


@negative("Historical Access Data Max Nodes Read Continuation Point")
async def a_point_that_was_used_or_released_or_never_was(at: At) -> None:
    session = await stored(at)
    point = (await history(session, raw(at, 0, 1000, 7)))["continuationPoint"]
    good((await history(session, raw(at, 0, 1000, 7), point=point, release=True))["statusCode"])
    for wrong in (point, "base64:AAAAAAAAAAAA"):
        found = await history(session, raw(at, 0, 1000, 7), point=wrong)
        is_(found["statusCode"], "BadContinuationPointInvalid")
    limits = await children(session, "i=11704")
    most = await value(session, limits["MaxNodesPerHistoryReadData"])
    with refused("BadTooManyOperations"):
        await session.call("HistoryRead", {"historyReadDetails": raw(at, 0, 9), "timestampsToReturn": 0, "releaseContinuationPoints": False, "nodesToRead": [{"nodeId": FLOW}] * (most + 1)})  # fmt: skip


@positive("Historical Access Time Instance")
async def values_at_times(at: At) -> None:
    session = await stored(at)
    details = {
        "$type": "ReadAtTimeDetails",
        "reqTimes": [moment(at, t) for t in (20, 0, 10)],
        "useSimpleBounds": True,
    }
    found = await history(session, details)
    good(found["statusCode"])
    assert numbers(found) == [2, 0, 1]


@negative("Historical Access Time Instance")
async def values_at_times_before_there_were_any(at: At) -> None:
    session = await stored(at)
    details = {
        "$type": "ReadAtTimeDetails",
        "reqTimes": [{"$date": "1999-01-01T00:00:00+00:00"}],
        "useSimpleBounds": True,
    }
    found = await history(session, details)
    (one,) = found["historyData"]["dataValues"]
    is_(one["status"] & 0xFFFF0000, "BadNoData", "BadBoundNotFound", "BadDataUnavailable")
    is_((await history(session, details, tag("tank1/NOBODY")))["statusCode"], "BadNodeIdUnknown")


@positive("Historical Access Aggregates")
async def intervals_of_an_aggregate(at: At) -> None:
    session = await stored(at)
    count = await children(session, "i=11201")  # HistoryServerCapabilities/AggregateFunctions
    found = await history(session, processed(at, 0, 100, 50, count["Count"]))
    good(found["statusCode"])
    assert numbers(found) == [5, 5]


@negative("Historical Access Aggregates")
async def aggregates_that_are_none(at: At) -> None:
    session = await stored(at)
    is_((await history(session, processed(at, 0, 100, 50, "i=85")))["statusCode"], "BadAggregateNotSupported")
    with refused("BadAggregateListMismatch"):
        await history(session, processed(at, 0, 100, 50))


def _aggregate(name: str, opcua: str) -> None:
    async def calculated(at: At) -> None:
        session = await stored(at)
        node = (await children(session, "i=11201"))[opcua]
        found = await history(session, processed(at, 0, 100, 50, node))
        good(found["statusCode"])
        assert len(found["historyData"]["dataValues"]) == 2
        assert all(one["status"] >> 31 == 0 for one in found["historyData"]["dataValues"])

    async def of_no_time(at: At) -> None:
        session = await stored(at)
        node = (await children(session, "i=11201"))[opcua]
        found = await history(session, processed(at, 50, 50, 10, node))
        is_(found["statusCode"], "BadInvalidArgument")

    unit = (f"Aggregate – {opcua}",)
    CASES.append(Case(f"history.{name.replace('-', '_')}", unit, positive=True, run=calculated))
    CASES.append(Case(f"history.{name.replace('-', '_')}_of_no_time", unit, positive=False, run=of_no_time))


for _name, _opcua in sorted(OPCUA_NAMES.items()):
    _aggregate(_name, _opcua)


@positive(
    "Attribute Historical Update", "Historical Access Insert Value", "Historical Access Update Value",
    "Historical Access Replace Value", "Historical Access Delete Value", "Historical Access Modified Values",
)  # fmt: skip
async def an_engineer_corrects(at: At) -> None:
    engineer, session = await at.session("engineer"), await at.session()
    await update(engineer, {"$type": "DeleteRawModifiedDetails", "nodeId": NEW, "isDeleteModified": False, "startTime": moment(at, 0), "endTime": moment(at, 900)})  # fmt: skip
    for how, t, number, status in (
        (INSERT, 0, 1.0, INSERTED), (REPLACE, 0, 2.0, REPLACED), (UPDATE, 0, 3.0, REPLACED), (UPDATE, 10, 4.0, INSERTED),
        (INSERT, 20, 5.0, INSERTED),
    ):  # fmt: skip
        found = await update(engineer, put(NEW, how, sample(at, t, number)))
        assert (found["statusCode"], found["operationResults"]) == (0, [status])
    found = await update(
        engineer, {"$type": "DeleteAtTimeDetails", "nodeId": NEW, "reqTimes": [moment(at, 10)]}
    )
    assert (found["statusCode"], found["operationResults"]) == (0, [0])
    found = await update(engineer, {"$type": "DeleteRawModifiedDetails", "nodeId": NEW, "isDeleteModified": False, "startTime": moment(at, 15), "endTime": moment(at, 25)})  # fmt: skip
    good(found["statusCode"])
    assert numbers(await history(session, raw(at, 0, 100), NEW)) == [3]
    old = await history(session, raw(at, 0, 100, modified=True), NEW)
    assert {1.0, 2.0, 4.0, 5.0} <= set(numbers(old))
    assert {one["userName"] for one in old["historyData"]["modificationInfos"]} == {"engineer"}


@negative(
    "Attribute Historical Update", "Historical Access Insert Value", "Historical Access Update Value",
    "Historical Access Replace Value", "Historical Access Delete Value", "Historical Access Modified Values",
)  # fmt: skip
async def corrections_that_cannot_be(at: At) -> None:
    engineer = await at.session("engineer")
    await update(engineer, put(NEW, UPDATE, sample(at, 500, 1.0)))
    found = await update(engineer, put(NEW, INSERT, sample(at, 500, 1.0)))
    is_(found["operationResults"][0], "BadEntryExists")
    found = await update(engineer, put(NEW, REPLACE, sample(at, 555, 1.0)))
    is_(found["operationResults"][0], "BadNoEntryExists")
    text = {"value": {"$variant": "String", "value": "x"}, "sourceTimestamp": moment(at, 600)}
    is_((await update(engineer, put(NEW, UPDATE, text)))["operationResults"][0], "BadTypeMismatch")
    gone = {"$type": "DeleteAtTimeDetails", "nodeId": NEW, "reqTimes": [moment(at, 777)]}
    is_((await update(engineer, gone))["operationResults"][0], "BadNoEntryExists")
    none = {"$type": "DeleteRawModifiedDetails", "nodeId": NEW, "isDeleteModified": False, "startTime": moment(at, 700), "endTime": moment(at, 800)}  # fmt: skip
    is_((await update(engineer, none))["statusCode"], "BadNoData")
    is_(
        (await update(engineer, none | {"isDeleteModified": True}))["statusCode"],
        "BadHistoryOperationUnsupported",
    )
    is_(
        (await update(engineer, put(tag("tank1/NOBODY"), INSERT, sample(at, 0, 1.0))))["statusCode"],
        "BadNodeIdUnknown",
    )
    operator = await at.session("operator")
    is_((await update(operator, put(NEW, INSERT, sample(at, 600, 1.0))))["statusCode"], "BadUserAccessDenied")
    with refused("BadUserAccessDenied"):
        await update(await at.session(), put(NEW, INSERT, sample(at, 600, 1.0)))


@positive("Historical Access Events")
async def events_of_the_past(at: At) -> None:
    engineer = await at.session("engineer")
    now = (await read(engineer, "i=2258"))[0]["value"]["value"]
    details = {
        "$type": "ReadEventDetails", "numValuesPerNode": 5, "startTime": {"$date": now.replace("Z", "+00:00")},
        "endTime": {"$date": "2020-01-01T00:00:00+00:00"}, "filter": {"$type": "EventFilter", **named("Time", "Message", "EventType")},
    }  # fmt: skip
    found = await history(engineer, details, SERVER)
    good(found["statusCode"])
    assert len(found["historyData"]["events"]) == 5
    assert found["continuationPoint"]


@negative("Historical Access Events")
async def events_of_what_has_none(at: At) -> None:
    session = await at.session()
    details = {
        "$type": "ReadEventDetails", "numValuesPerNode": 5, "startTime": moment(at, 0), "endTime": moment(at, 1),
        "filter": {"$type": "EventFilter", **named("Time")},
    }  # fmt: skip
    is_((await history(session, details, FLOW))["statusCode"], "BadHistoryOperationUnsupported")
    is_((await history(session, details, tag("tank1/NOBODY")))["statusCode"], "BadNodeIdUnknown")
    is_((await history(session, details, SERVER))["statusCode"], "GoodNoData")
    is_((await history(session, details | {"filter": {"$type": "EventFilter", "selectClauses": []}}, SERVER))["statusCode"], "BadEventFilterInvalid")  # fmt: skip
