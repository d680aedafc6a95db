"""The View services as a client sees them: real sockets, asyncua's own client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asyncua import Client, ua

from scada.opcua import limits
from tests.opcua.conftest import Running

pytestmark = pytest.mark.asyncio(loop_scope="module")

TANK = ua.NodeId("tank1", 2)
LEVEL = ua.NodeId("tank1/LT-101", 2)
CODES = ua.StatusCodes
HIERARCHICAL = ua.NodeId(ua.ObjectIds.HierarchicalReferences)


def description(node: ua.NodeId = TANK, **more: Any) -> ua.BrowseDescription:
    wanted: dict[str, Any] = {
        "NodeId": node,
        "BrowseDirection": ua.BrowseDirection.Forward,
        "ReferenceTypeId": HIERARCHICAL,
        "IncludeSubtypes": True,
        "NodeClassMask": 0,
        "ResultMask": 63,
    }
    return ua.BrowseDescription(**(wanted | more))


async def browse(client: Client, *wanted: ua.BrowseDescription, most: int = 0) -> list[ua.BrowseResult]:
    params = ua.BrowseParameters(RequestedMaxReferencesPerNode=ua.Counter(most), NodesToBrowse=list(wanted))
    return list(await client.uaclient.browse(params))


async def browse_next(client: Client, *points: bytes, release: bool = False) -> list[ua.BrowseResult]:
    request = ua.BrowseNextRequest()
    request.Parameters.ContinuationPoints = list(points)
    request.Parameters.ReleaseContinuationPoints = release
    data = await client.uaclient.protocol.send_request(request)
    return list(ua.ua_binary.struct_from_binary(ua.BrowseNextResponse, data).Parameters.Results)


def names(result: ua.BrowseResult) -> list[str]:
    return [str(one.BrowseName.Name) for one in result.References]


async def test_browse_next_gives_the_same_references_in_parts(running: Running) -> None:
    async with Client(running.url, timeout=30) as client:
        whole = names((await browse(client, description()))[0])
        assert {"LT-101", "LV-101"} <= set(whole)
        for most in (1, 3, len(whole) - 1, len(whole)):
            result = (await browse(client, description(), most=most))[0]
            parts = names(result)
            while result.ContinuationPoint:
                assert len(result.References) == most
                result = (await browse_next(client, result.ContinuationPoint))[0]
                assert result.StatusCode.is_good()
                assert result.References
                parts += names(result)
            assert parts == whole


async def test_a_continuation_point_is_good_once_and_for_its_session_alone(running: Running) -> None:
    async with Client(running.url, timeout=30) as client, Client(running.url, timeout=30) as other:
        first = (await browse(client, description(), most=1))[0]
        assert (await browse_next(other, first.ContinuationPoint))[0].StatusCode.value == (
            CODES.BadContinuationPointInvalid
        )
        second = (await browse_next(client, first.ContinuationPoint))[0]
        assert second.StatusCode.is_good()
        assert (await browse_next(client, first.ContinuationPoint))[0].StatusCode.value == (
            CODES.BadContinuationPointInvalid
        )
        released = (await browse_next(client, second.ContinuationPoint, release=True))[0]
        assert released.StatusCode.is_good()
        assert not released.References
        assert not released.ContinuationPoint
        assert (await browse_next(client, second.ContinuationPoint))[0].StatusCode.value == (
            CODES.BadContinuationPointInvalid
        )


async def test_continuation_points_of_a_session_are_bounded(running: Running) -> None:
    most = limits.BROWSE_CONTINUATION_POINTS
    async with Client(running.url, timeout=30) as client:
        old = (await browse(client, description(), most=1))[0]
        results = await browse(client, *[description()] * (most + 1), most=1)
        codes = [one.StatusCode.value for one in results]
        assert codes == [0] * most + [CODES.BadNoContinuationPoints]
        assert (await browse_next(client, old.ContinuationPoint))[0].StatusCode.value == (
            CODES.BadContinuationPointInvalid  # it made room
        )
        after = await browse_next(client, *(one.ContinuationPoint for one in results[:most]))
        assert all(one.StatusCode.is_good() for one in after)


async def test_masks_and_types_choose_what_is_told(running: Running) -> None:
    async with Client(running.url, timeout=30) as client:
        inverse, methods, typed, alone, bare = await browse(
            client,
            description(LEVEL, BrowseDirection=ua.BrowseDirection.Inverse),
            description(NodeClassMask=ua.NodeClass.Method),
            description(LEVEL, ReferenceTypeId=ua.NodeId(ua.ObjectIds.HasTypeDefinition)),
            description(LEVEL, IncludeSubtypes=False),
            description(LEVEL, ReferenceTypeId=ua.NodeId(), ResultMask=0),
        )
        assert "tank1" in names(inverse)
        assert names(methods) == []
        assert names(typed) == ["AnalogItemType"]
        assert names(alone) == []
        assert len(bare.References) > 4
        assert all(one.BrowseName.Name is None and one.NodeClass == 0 for one in bare.References)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (description(ua.NodeId("tank1/nothing", 2)), CODES.BadNodeIdUnknown),
        (description(ua.NodeId()), CODES.BadNodeIdUnknown),
        (description(ReferenceTypeId=ua.NodeId(99999)), CODES.BadReferenceTypeIdInvalid),
        (description(ReferenceTypeId=LEVEL), CODES.BadReferenceTypeIdInvalid),
    ],
)
async def test_what_cannot_be_browsed_says_why(
    running: Running, wanted: ua.BrowseDescription, code: int
) -> None:
    async with Client(running.url, timeout=30) as client:
        bad, good = await browse(client, wanted, description())
        assert bad.StatusCode.value == code
        assert good.StatusCode.is_good()


async def test_views_and_empty_and_great_requests_are_refused(running: Running) -> None:
    async with Client(running.url, timeout=30) as client:
        with pytest.raises(ua.uaerrors.BadNothingToDo):
            await browse(client)
        with pytest.raises(ua.uaerrors.BadTooManyOperations):
            await browse(client, *[description()] * (limits.NODES_PER_BROWSE + 1))
        with pytest.raises(ua.uaerrors.BadNothingToDo):
            await browse_next(client)
        params = ua.BrowseParameters(NodesToBrowse=[description()])
        params.View.ViewId = LEVEL
        with pytest.raises(ua.uaerrors.BadViewIdUnknown):
            await client.uaclient.browse(params)


def path(*names: str, start: ua.NodeId | None = None, **more: Any) -> ua.BrowsePath:
    elements = [
        ua.RelativePathElement(
            ReferenceTypeId=HIERARCHICAL,
            IsInverse=False,
            IncludeSubtypes=True,
            TargetName=ua.QualifiedName.from_string(name),
        )
        for name in names
    ]
    for name, value in more.items():
        setattr(elements[-1], name, value)
    return ua.BrowsePath(start or ua.NodeId(ua.ObjectIds.ObjectsFolder), ua.RelativePath(elements))


@pytest.mark.parametrize(
    ("wanted", "code", "targets"),
    [
        (path("2:small", "2:tank1", "2:LT-101"), 0, ["tank1/LT-101"]),
        (path("2:LT-101", "0:EURange", start=TANK), 0, ["tank1/LT-101#EURange"]),
        (path("2:tank1", start=LEVEL, IsInverse=True), 0, ["tank1"]),
        (path("2:tank1", start=LEVEL), CODES.BadNoMatch, []),
        (path("0:tank1", start=ua.NodeId("small", 2)), CODES.BadNoMatch, []),
        (path("2:LT-101", start=TANK, ReferenceTypeId=ua.NodeId(99999)), CODES.BadNoMatch, []),
        (path("2:x", start=ua.NodeId("nowhere", 2)), CODES.BadNodeIdUnknown, []),
        (path(start=TANK), CODES.BadNothingToDo, []),
        (path("2:LT-101", start=TANK, TargetName=ua.QualifiedName()), CODES.BadBrowseNameInvalid, []),
        (path(*["2:x"] * 33, start=TANK), CODES.BadQueryTooComplex, []),
    ],
)
async def test_browse_paths_lead_to_nodes(
    running: Running, wanted: ua.BrowsePath, code: int, targets: list[str]
) -> None:
    async with Client(running.url, timeout=30) as client:
        result = (await client.uaclient.translate_browsepaths_to_nodeids([wanted]))[0]
        assert result.StatusCode.value == code
        assert [one.TargetId.Identifier for one in result.Targets] == targets


async def test_registered_nodes_are_short_and_work_until_they_are_unregistered(running: Running) -> None:
    running.plant.put("tank1/LT-101", 3.5)
    await running.mirror.push()
    server = ua.NodeId(ua.ObjectIds.Server)
    async with Client(running.url, timeout=30) as client, Client(running.url, timeout=30) as other:
        handle, same = await client.register_nodes([client.get_node(LEVEL), client.get_node(server)])
        short = handle.nodeid  # asyncua's client goes back to the long one when it unregisters
        assert isinstance(short.Identifier, int)
        assert same.nodeid == server
        assert await handle.read_value() == 3.5
        assert await handle.read_browse_name() == ua.QualifiedName("LT-101", 2)
        assert {"EURange"} <= {(await one.read_browse_name()).Name for one in await handle.get_children()}
        with pytest.raises(ua.uaerrors.BadNodeIdUnknown):
            await other.get_node(handle.nodeid).read_value()
        await client.unregister_nodes([handle, same])
        with pytest.raises(ua.uaerrors.BadNodeIdUnknown):
            await client.get_node(short).read_value()
        with pytest.raises(ua.uaerrors.BadNothingToDo):
            await client.register_nodes([])


async def test_handles_of_all_sessions_are_bounded(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Client(running.url, timeout=30) as client, Client(running.url, timeout=30) as other:
        level = client.get_node(LEVEL)
        await client.register_nodes([level, level])
        monkeypatch.setattr(limits, "REGISTERED", 1)
        with pytest.raises(ua.uaerrors.BadTooManyOperations):
            await other.register_nodes([other.get_node(LEVEL)])
        (again,) = await client.register_nodes([level])  # is there already
        assert isinstance(again.nodeid.Identifier, int)


async def test_query_is_no_service_of_this_server(running: Running) -> None:
    async with Client(running.url, timeout=30) as client:
        for request in (ua.QueryFirstRequest(), ua.QueryNextRequest()):
            with pytest.raises(ua.uaerrors.BadServiceUnsupported):
                await client.uaclient.protocol.send_request(request)


class Recorder:
    def __init__(self) -> None:
        self.seen: asyncio.Queue[Any] = asyncio.Queue()

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        self.seen.put_nowait(value)


async def test_handles_and_texts_of_states_can_be_watched(running: Running) -> None:
    running.plant.put("tank1/LT-101", 1.0)
    running.plant.put("tank1/LIC-101/MODE", 1)
    await running.mirror.push()
    levels, texts = Recorder(), Recorder()
    async with Client(running.url, timeout=30) as client:
        (handle,) = await client.register_nodes([client.get_node(LEVEL)])
        first = await client.create_subscription(50, levels)
        await first.subscribe_data_change(handle)
        second = await client.create_subscription(50, texts)
        await second.subscribe_data_change(client.get_node("ns=2;s=tank1/LIC-101/MODE#ValueAsText"))
        assert await asyncio.wait_for(levels.seen.get(), 5) == 1.0
        assert (await asyncio.wait_for(texts.seen.get(), 5)).Text == "Manual"
        running.plant.put("tank1/LT-101", 1.5)
        running.plant.put("tank1/LIC-101/MODE", 2)
        await running.mirror.push()
        assert await asyncio.wait_for(levels.seen.get(), 5) == 1.5
        assert (await asyncio.wait_for(texts.seen.get(), 5)).Text == "Auto"
        await first.delete()
        await second.delete()
