"""The Read service as a client sees it: real sockets, asyncua's own client, real image files."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from asyncua import Client, ua

from scada.opcua import limits
from tests.opcua.conftest import Running

pytestmark = pytest.mark.asyncio(loop_scope="module")

A, CODES, RETURN = ua.AttributeIds, ua.StatusCodes, ua.TimestampsToReturn
LEVEL, NOTE, RUN = (ua.NodeId(path, 2) for path in ("tank1/LT-101", "tank1/note", "tank1/P-101/RUN"))
NAMESPACES = ua.NodeId(ua.ObjectIds.Server_NamespaceArray)


def item(node: ua.NodeId, attribute: int = A.Value, **more: Any) -> ua.ReadValueId:
    return ua.ReadValueId(NodeId=node, AttributeId=ua.IntegerId(attribute), **more)


async def read(
    client: Client, *items: ua.ReadValueId, timestamps: int = RETURN.Both, max_age: float = 0.0
) -> list[ua.DataValue]:
    params = ua.ReadParameters(max_age, RETURN(timestamps), list(items))
    return list(await client.uaclient.read(params))


def status(value: ua.DataValue) -> int:
    return value.StatusCode.value if value.StatusCode is not None else 0


def content(value: ua.DataValue) -> Any:
    return value.Value.Value if value.Value is not None else None


@pytest.mark.parametrize("timestamps", list(RETURN)[:4])
async def test_the_fast_way_and_the_slow_one_say_the_same(running: Running, timestamps: int) -> None:
    running.plant.put("tank1/LT-101", 2.25)
    await running.mirror.push()
    nodes = [ua.NodeId(tag.path, 2) for tag in running.plant.site.tags]
    async with Client(running.url, timeout=30) as client:
        fast = await read(client, *map(item, nodes), timestamps=timestamps)
        slow = await read(client, *map(item, nodes), item(LEVEL, A.BrowseName), timestamps=timestamps)
    for one, other in zip(fast, slow, strict=False):
        assert content(one) == content(other)
        assert status(one) == status(other)
        wanted = (timestamps in {RETURN.Server, RETURN.Both}, timestamps in {RETURN.Source, RETURN.Both})
        for value in (one, other):
            assert (value.ServerTimestamp is not None) == wanted[0]
        assert one.SourceTimestamp == other.SourceTimestamp
        assert one.SourceTimestamp is None or wanted[1]
    assert any(one.SourceTimestamp is None for one in fast)  # no sample yet


async def test_each_item_has_a_status_of_its_own(running: Running) -> None:
    running.plant.put("tank1/LT-101", 2.25)
    running.plant.put("tank1/note", "levels")
    await running.mirror.push()
    default = ua.QualifiedName("Default Binary", 0)
    cases: list[tuple[ua.ReadValueId, int, Any]] = [
        (item(LEVEL), 0, 2.25),
        (item(ua.NodeId("nowhere", 2)), CODES.BadNodeIdUnknown, None),
        (item(LEVEL, 99), CODES.BadAttributeIdInvalid, None),
        (item(LEVEL, 0), CODES.BadAttributeIdInvalid, None),
        (item(LEVEL, A.EventNotifier), CODES.BadAttributeIdInvalid, None),
        (item(LEVEL, A.BrowseName), 0, ua.QualifiedName("LT-101", 2)),
        (item(LEVEL, A.UserAccessLevel), 0, 5),
        (item(LEVEL, IndexRange="0"), CODES.BadIndexRangeNoData, None),
        (item(LEVEL, IndexRange="1:0"), CODES.BadIndexRangeInvalid, None),
        (item(LEVEL, DataEncoding=default), CODES.BadDataEncodingInvalid, None),
        (item(LEVEL, A.BrowseName, DataEncoding=default), CODES.BadDataEncodingInvalid, None),
        (item(NOTE, IndexRange="1:2"), 0, "ev"),
        (item(NOTE, IndexRange="9"), CODES.BadIndexRangeNoData, None),
        (item(NAMESPACES, IndexRange="2"), 0, ["urn:closedloop:small"]),
        (item(NAMESPACES, IndexRange="7"), CODES.BadIndexRangeNoData, None),
        (item(ua.NodeId("tank1/LT-101#EURange", 2), DataEncoding=default), 0, ua.Range(0.0, 5.0)),
        (
            item(ua.NodeId("tank1/LT-101#EURange", 2), DataEncoding=ua.QualifiedName("Default XML", 0)),
            CODES.BadDataEncodingUnsupported,
            None,
        ),
    ]
    async with Client(running.url, timeout=30) as client:
        found = await read(client, *(one for one, _, _ in cases))
    for (one, code, value), answer in zip(cases, found, strict=True):
        assert status(answer) == code, one
        assert content(answer) == value, one


async def test_a_bad_tag_is_bad_for_the_slow_way_too(running: Running) -> None:
    running.plant.put("tank1/note", "x", status=0x80050000)
    await running.mirror.push()
    async with Client(running.url, timeout=30) as client:
        plain, part = await read(client, item(NOTE), item(NOTE, IndexRange="0"))
    assert status(plain) == status(part) == 0x80050000
    assert content(plain) is None


async def test_times_are_those_that_were_asked_for(running: Running) -> None:
    async with Client(running.url, timeout=30) as client:
        name, constant = await read(client, item(LEVEL, A.BrowseName), item(NAMESPACES))
        assert name.SourceTimestamp is None  # times belong to values
        assert name.ServerTimestamp is not None
        assert isinstance(constant.SourceTimestamp, dt.datetime)
        (neither,) = await read(client, item(NAMESPACES), timestamps=RETURN.Neither)
        assert neither.SourceTimestamp is None
        assert neither.ServerTimestamp is None


async def test_whole_requests_are_refused_before_anything_is_made(running: Running) -> None:
    async with Client(running.url, timeout=30) as client:
        with pytest.raises(ua.uaerrors.BadNothingToDo):
            await read(client)
        with pytest.raises(ua.uaerrors.BadMaxAgeInvalid):
            await read(client, item(LEVEL), max_age=-1.0)
        with pytest.raises(ua.uaerrors.BadMaxAgeInvalid):
            await read(client, item(LEVEL), max_age=float("nan"))
        with pytest.raises(ua.uaerrors.BadTimestampsToReturnInvalid):
            await read(client, item(LEVEL), timestamps=RETURN.Invalid)
        with pytest.raises(ua.uaerrors.BadTooManyOperations):
            await read(client, *[item(LEVEL)] * (limits.NODES_PER_READ + 1))
        assert len(await read(client, *[item(LEVEL)] * limits.NODES_PER_READ)) == limits.NODES_PER_READ
        assert status((await read(client, item(NAMESPACES), max_age=1e300))[0]) == 0


async def test_states_are_told_as_text(running: Running) -> None:
    running.plant.put("tank1/LIC-101/MODE", 2)
    await running.mirror.push()
    async with Client(running.url, timeout=30) as client:
        text = await client.get_node("ns=2;s=tank1/LIC-101/MODE#ValueAsText").read_value()
        assert text == ua.LocalizedText("Auto")
