"""HistoryRead of events over real sockets: by time, filter and pages, forwards and backwards."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from asyncua import Client, ua

from historian.sqlite import SqliteStore
from historian.store import Batch
from scada.opcua import limits
from scada.opcua.history import events
from tests.client.plant import Plant
from tests.opcua.conftest import Running
from tests.opcua.history.test_update import START, moment

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECOND = 1_000_000_000
COUNT = 30
SERVER = "i=2253"
codes = ua.StatusCodes


@pytest.fixture(scope="module")
def stored(plant: Plant) -> Iterator[None]:
    store = SqliteStore.writer(plant.data.history)
    store.declare(plant.site.tags)
    # Three at a time have the same stamp.
    told = [
        {"kind": "service", "t": START + n // 3 * SECOND, "service": "control", "name": "field", "state": f"state {n}"}
        for n in range(COUNT)
    ]  # fmt: skip
    store.append(Batch(events=told, utc_ns=START + 60 * SECOND))
    yield
    store.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(server_of: Running, stored: None) -> AsyncIterator[Client]:
    async with Client(server_of.url, timeout=30) as found:
        yield found


def wanted(*names: str, where: Any = None) -> ua.EventFilter:
    found = ua.EventFilter()
    for name in names:
        clause = ua.SimpleAttributeOperand()
        clause.TypeDefinitionId = ua.NodeId(ua.ObjectIds.BaseEventType)
        clause.BrowsePath = [ua.QualifiedName(name)]
        clause.AttributeId = ua.AttributeIds.Value
        found.SelectClauses.append(clause)
    if where is not None:
        found.WhereClause.Elements.append(where)
    return found


async def ask(
    client: Client, start: float | None, end: float | None, number: int = 0, *,
    node: str = SERVER, point: bytes | None = None, filter_: Any = None, release: bool = False,
) -> Any:  # fmt: skip
    never = dt.datetime(1601, 1, 1, tzinfo=dt.UTC)
    params = ua.HistoryReadParameters()
    params.HistoryReadDetails = ua.ReadEventDetails(
        NumValuesPerNode=number,
        StartTime=never if start is None else moment(start),
        EndTime=never if end is None else moment(end),
        Filter=filter_ or wanted("Time", "Message", "EventId"),
    )
    params.ReleaseContinuationPoints = release
    params.NodesToRead = [ua.HistoryReadValueId(NodeId=ua.NodeId.from_string(node), ContinuationPoint=point)]
    (result,) = await client.uaclient.history_read(params)
    return result


def seconds(result: Any) -> list[int]:
    rows = result.HistoryData.Events
    return [
        round((row.EventFields[0].Value.replace(tzinfo=dt.UTC) - moment(0)).total_seconds()) for row in rows
    ]


async def pages(client: Client, *arguments: Any, **more: Any) -> list[Any]:
    found, point = [], None
    for _ in range(COUNT + 2):
        result = await ask(client, *arguments, point=point, **more)
        assert result.StatusCode.is_good()
        found.append(result)
        point = result.ContinuationPoint
        if point is None:
            return found
    raise AssertionError("it does not end")


@pytest.mark.parametrize("number", [0, 1, 2, 3, 7, 29, 30, 31])
async def test_every_event_comes_once_in_pages_of_any_size(client: Client, number: int) -> None:
    forwards = await pages(client, 0, 100, number)
    assert [t for page in forwards for t in seconds(page)] == [n // 3 for n in range(COUNT)]
    ids = [row.EventFields[2].Value for page in forwards for row in page.HistoryData.Events]
    assert len(set(ids)) == COUNT
    backwards = await pages(client, 100, -1, number)
    assert [row.EventFields[2].Value for page in backwards for row in page.HistoryData.Events] == ids[::-1]
    if number:
        assert max(len(seconds(page)) for page in forwards) <= number


async def test_many_fields_make_smaller_pages(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "FIELDS_MAX", 10)
    found = await pages(client, 0, 100)
    assert [len(seconds(page)) for page in found] == [3] * 10  # of three fields each


async def test_the_end_is_left_out_and_one_time_takes_a_number(client: Client) -> None:
    assert seconds(await ask(client, 2, 4)) == [2, 2, 2, 3, 3, 3]
    assert seconds(await ask(client, 4, 2)) == [4, 4, 4, 3, 3, 3]
    assert seconds(await ask(client, 8, None, 4)) == [8, 8, 8, 9]
    assert seconds(await ask(client, None, 1, 5)) == [1, 1, 1, 0, 0]
    assert (await ask(client, 8, None, 4)).ContinuationPoint is None
    empty = await ask(client, 50, 60)
    assert empty.StatusCode.value == codes.GoodNoData
    assert seconds(empty) == []


async def test_a_where_clause_counts(client: Client) -> None:
    element = ua.ContentFilterElement()
    element.FilterOperator = ua.FilterOperator.OfType
    element.FilterOperands = [ua.LiteralOperand(ua.Variant(ua.NodeId(ua.ObjectIds.AuditEventType)))]
    assert seconds(await ask(client, 0, 100, filter_=wanted("Time", where=element))) == []


async def test_what_is_refused(client: Client) -> None:
    for result, status in (
        (await ask(client, None, None, 5), codes.BadHistoryOperationInvalid),
        (await ask(client, 0, None), codes.BadHistoryOperationInvalid),
        (await ask(client, 0, 9, node="ns=2;s=tank1/LT-101"), codes.BadHistoryOperationUnsupported),
        (await ask(client, 0, 9, node="ns=2;s=nobody"), codes.BadNodeIdUnknown),
        (await ask(client, 0, 9, filter_=wanted()), codes.BadEventFilterInvalid),
        (await ask(client, 0, 9, filter_=wanted("Nonsense")), codes.BadEventFilterInvalid),
        (await ask(client, 0, 9, point=b"no such place"), codes.BadContinuationPointInvalid),
    ):
        assert result.StatusCode.value == status
    page = await ask(client, 0, 100, 5)
    assert (await ask(client, 0, 9, point=page.ContinuationPoint, release=True)).StatusCode.is_good()
    gone = await ask(client, 0, 9, point=page.ContinuationPoint)
    assert gone.StatusCode.value == codes.BadContinuationPointInvalid


async def test_the_server_says_that_it_can(client: Client) -> None:
    for name, value in (
        ("AccessHistoryEventsCapability", True), ("MaxReturnEventValues", limits.HISTORY_EVENTS_PER_NODE),
        ("InsertDataCapability", True), ("InsertEventCapability", False),
    ):  # fmt: skip
        node = client.get_node(ua.NodeId(getattr(ua.ObjectIds, f"HistoryServerCapabilities_{name}")))
        assert await node.read_value() == value
