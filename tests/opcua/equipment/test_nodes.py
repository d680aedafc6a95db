"""Nodes of equipment: whole, the same in both directions, browsed by a client."""

from __future__ import annotations

from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.server.address_space import NodeData
from asyncua.ua.ua_binary import Primitives, nodeid_from_binary

from scada.opcua.equipment.nodes import EquipmentNodes
from scada.opcua.information.diagnostics import Diagnostics
from scada.opcua.nodes import make
from scada.opcua.nodes.tags import TagNodes
from tests.opcua.equipment.conftest import Running

pytestmark = pytest.mark.asyncio(loop_scope="package")
HAS_TYPE = make.HAS_TYPE_DEFINITION


def node(path: str) -> ua.NodeId:
    return ua.NodeId(path, 2)


def all_of(running: Running) -> dict[ua.NodeId, NodeData]:
    nodes = running.server.iserver.nodes
    mine = [source for source in nodes.sources if isinstance(source, EquipmentNodes | TagNodes)]
    return {id_: nodes[id_] for source in mine for id_ in source.ids()}


async def test_every_reference_leads_somewhere_and_comes_back(running: Running) -> None:
    nodes, aspace = all_of(running), running.server.iserver.aspace
    one_way = {HAS_TYPE, make.HAS_MODELLING_RULE, ua.NodeId(ua.ObjectIds.HasHistoricalConfiguration)}
    for id_, data in nodes.items():
        for one in data.references:
            other = aspace.get(one.NodeId)
            assert other is not None, f"{id_} -> {one.NodeId}"
            assert other.attributes[ua.AttributeIds.BrowseName].value.Value.Value == one.BrowseName, one
            assert other.attributes[ua.AttributeIds.NodeClass].value.Value.Value == one.NodeClass, one
            back = [(r.NodeId, r.ReferenceTypeId, r.IsForward) for r in other.references]
            wanted = (id_, one.ReferenceTypeId, not one.IsForward)
            assert wanted in back or one.ReferenceTypeId in one_way, f"{id_} -> {one}"


async def test_no_two_children_have_one_name(running: Running) -> None:
    kinds = (make.HAS_COMPONENT, make.HAS_PROPERTY)
    for id_, data in all_of(running).items():
        names = [one.BrowseName for one in data.references if one.IsForward and one.ReferenceTypeId in kinds]
        assert len(names) == len({str(name) for name in names}), id_


async def test_an_object_has_all_that_its_type_makes_mandatory(running: Running) -> None:
    nodes = all_of(running)
    checked = 0
    for data in nodes.values():
        parts = {one.BrowseName.Name for one in data.references if one.IsForward}
        type_ = next((one.NodeId for one in data.references if one.ReferenceTypeId == HAS_TYPE), None)
        while type_ in nodes:
            for one in nodes[type_].references:
                if not (one.IsForward and one.ReferenceTypeId == make.HAS_COMPONENT):
                    continue
                rules = [
                    r.BrowseName.Name
                    for r in nodes[one.NodeId].references
                    if r.ReferenceTypeId == make.HAS_MODELLING_RULE
                ]
                assert rules in (["Mandatory"], ["Optional"])
                if rules == ["Mandatory"]:
                    assert one.BrowseName.Name in parts
                    checked += 1
            above = [
                one.NodeId
                for one in nodes[type_].references
                if not one.IsForward and one.ReferenceTypeId == make.HAS_SUBTYPE
            ]
            type_ = above[0]
    assert checked > 100


async def test_a_client_finds_the_valves(running: Running) -> None:
    type_ = running.viewer.get_node(node("#type/control_valve"))
    assert (await type_.read_browse_name()).Name == "ControlValveType"
    valve = running.viewer.get_node(node("tank1/LV-101"))
    assert await valve.read_type_definition() == type_.nodeid
    assert (await valve.read_description()).Text == "Inlet valve"
    assert {child.nodeid.Identifier for child in await valve.get_methods()} == {
        f"tank1/LV-101#{name}" for name in ("Open", "Close", "SetPosition")
    }
    members = {child.nodeid.Identifier for child in await valve.get_children(refs=ua.ObjectIds.HasComponent)}
    assert {"tank1/LV-101/OUT", "tank1/LV-101/POS", "tank1/LV-101/STROKES"} <= members


async def test_types_stand_below_the_base_type(running: Running) -> None:
    base = running.viewer.get_node(ua.ObjectIds.BaseObjectType)
    mine = next(
        one for one in await base.get_children(refs=ua.ObjectIds.HasSubtype) if one.nodeid.NamespaceIndex == 2
    )
    assert mine.nodeid == node("#equipment")
    assert (await mine.read_attribute(ua.AttributeIds.IsAbstract)).Value.Value is True


async def test_arguments_are_described(running: Running) -> None:
    method = running.viewer.get_node(node("tank1/LIC-101#SetPoint"))
    inputs = await (await method.get_child("0:InputArguments")).read_value()
    assert [(one.Name, one.DataType, one.ValueRank) for one in inputs] == [("Value", ua.NodeId(11), -1)]
    assert inputs[0].Description.Text == "Set point in m, 1 … 4"
    outputs = await (await method.get_child("0:OutputArguments")).read_value()
    assert [(one.Name, one.ValueRank) for one in outputs] == [("Outcome", -1), ("Reasons", 1)]


async def test_a_method_says_to_each_whether_he_may(running: Running) -> None:
    async def may(client: object, method: str) -> list[bool]:
        found = client.get_node(node(method))  # type: ignore[attr-defined]
        kinds = (ua.AttributeIds.Executable, ua.AttributeIds.UserExecutable)
        return [value.Value.Value for value in await found.read_attributes(kinds)]

    assert await may(running.operator, "tank1/P-101#Start") == [True, True]
    assert await may(running.viewer, "tank1/P-101#Start") == [True, False]
    assert await may(running.operator, "tank1/LIC-101#SetTuning") == [True, False], "tuning is the engineer's"


@pytest.mark.parametrize(
    "path",
    ["#", "#unit", "#type", "#type/", "#type/nothing", "#type/motor/", "#type/motor#", "#type/motor#Fly", "tank1/P-101#",
     "#type/motor#Start/InputArguments", "#block/motor#Start/InputArguments", "tank1/P-101#Start/", "tank1/P-101#Start/x/y",
     "tank1/P-101#unit", "tank1#Start", "#block/pid#SetPoint/InputArguments/x", "#equipment#x", "tank1/LIC-101#SetPoint/InputArguments#"],
)  # fmt: skip
async def test_what_is_not_there_is_unknown(running: Running, path: str) -> None:
    value = await running.viewer.get_node(node(path)).read_attribute(
        ua.AttributeIds.NodeClass, raise_on_bad_status=False
    )
    assert value.StatusCode.value == ua.StatusCodes.BadNodeIdUnknown


async def test_what_a_session_asked_for_is_counted(running: Running) -> None:
    before = running.server.iserver.counters.sessions[session_of(running, "anna")]
    reads, failed = list(before.services.get(0, [0, 0])), before.total[1]
    await running.operator.get_node(node("tank1/LT-101")).read_data_value(raise_on_bad_status=False)
    with pytest.raises(ua.UaStatusCodeError):
        await running.operator.uaclient.call([])
    assert before.services[0][0] > reads[0]  # the client looks now and then by itself
    assert before.total[1] == failed + 1
    assert (before.description.ProductUri, list(before.users)) != ("", [])
    counted = running.viewer.get_node(ua.ObjectIds.Server_ServerDiagnostics_ServerDiagnosticsSummary)
    summary = await counted.read_value()
    assert (summary.CurrentSessionCount, summary.CumulatedSessionCount) == (3, 3)
    assert running.server.iserver.counters.requests_rejected >= 1
    arrays = ua.ObjectIds.Server_ServerDiagnostics_SessionsDiagnosticsSummary_SessionDiagnosticsArray
    sessions = await running.engineer.get_node(arrays).read_value()
    mine = next(one for one in sessions if one.SessionId == session_of(running, "anna").session_id)
    assert mine.ReadCount.TotalCount > reads[0]
    assert mine.CallCount.ErrorCount == before.services[4][1] > 0
    assert (mine.SessionName, mine.ActualSessionTimeout) == ("Pure Python Async Client Session1", 600_000.0)


async def test_who_is_behind_a_session_is_encoded_as_the_standard_says(running: Running) -> None:
    """asyncua's own class of the structure is wrong: its client cannot read it."""
    iserver = running.server.iserver
    diagnostics = Diagnostics(iserver, iserver.counters, running.plant.clock.utc_ns)
    sessions = iserver._external_sessions.values()
    told = {one.user.name: found for one, found in zip(sessions, diagnostics.security(), strict=True)}
    body = Buffer(told["anna"].Body)
    assert nodeid_from_binary(body) == session_of(running, "anna").session_id
    read = Primitives.String.unpack
    assert read(body) == "anna"
    assert [read(body) for _ in range(Primitives.Int32.unpack(body))] == ["anna"]
    assert [read(body) for _ in range(3)] == ["UserName", "UA Binary", "opc.tcp"]
    assert Primitives.Int32.unpack(body) == ua.MessageSecurityMode.SignAndEncrypt
    assert read(body).endswith("#Basic256Sha256")
    assert len(Primitives.Bytes.unpack(body)) > 500
    assert len(body) == 0


def session_of(running: Running, name: str) -> Any:
    return next(one for one in running.server.iserver._external_sessions.values() if one.user.name == name)
