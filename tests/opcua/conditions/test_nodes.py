"""Conditions in the address space, as a client browses and reads them."""

from __future__ import annotations

import pytest
from asyncua import Client, ua

from scada.alarms.state import ACTIVE, DISABLED, UNACKED
from tests.opcua.conditions.simulated import COMMS, HH, LOW, ON
from tests.opcua.conftest import Running

pytestmark = pytest.mark.asyncio(loop_scope="module")


def condition(client: Client, path: str, *parts: str) -> ua.NodeId:
    return client.get_node("/".join((f"ns=2;s={path}#condition", *parts)))


async def test_a_condition_has_a_type_and_all_of_its_parts(running: Running) -> None:
    async with Client(running.url, timeout=30) as client:
        node = condition(client, HH)
        assert await node.read_type_definition() == ua.NodeId(ua.ObjectIds.NonExclusiveLevelAlarmType)
        assert (await node.read_browse_name()).Name == "LT-101 HH"
        names = {(await child.read_browse_name()).Name for child in await node.get_children()}
        wanted = {
            "EventId", "Retain", "ConditionName", "AckedState", "ConfirmedState", "ActiveState", "EnabledState",
            "HighHighLimit", "HighHighState", "ShelvingState", "SuppressedState", "OutOfServiceState", "Acknowledge",
            "Confirm", "AddComment", "Enable", "Disable", "Suppress", "RemoveFromService", "MaxTimeShelved",
        }  # fmt: skip
        assert wanted - names == set()
        assert "NormalState" not in names
        shelf = {
            (await child.read_browse_name()).Name
            for child in await condition(client, HH, "ShelvingState").get_children()
        }
        assert {"CurrentState", "UnshelveTime", "TimedShelve", "OneShotShelve", "Unshelve"} <= shelf


async def test_what_an_alarm_may_not_do_is_not_there(running: Running) -> None:
    async with Client(running.url, timeout=30) as client:
        names = {
            (await child.read_browse_name()).Name for child in await condition(client, LOW).get_children()
        }
        assert not names & {"ShelvingState", "MaxTimeShelved", "Confirm", "ConfirmedState"}
        with pytest.raises(ua.uaerrors.BadNodeIdUnknown):
            await condition(client, LOW, "ShelvingState").read_browse_name()
        with pytest.raises(ua.uaerrors.BadNodeIdUnknown):
            await condition(client, LOW, "NoSuchPart").read_browse_name()
        with pytest.raises(ua.uaerrors.BadNodeIdUnknown):
            await condition(client, "tank1/LT-101/NONE").read_browse_name()


async def test_its_values_are_the_state_of_the_alarm(running: Running) -> None:
    async with Client(running.url, timeout=30) as client:
        running.plant.put(HH, ACTIVE | UNACKED)
        await running.mirror.push()
        assert await condition(client, HH, "ActiveState", "Id").read_value() is True
        assert (await condition(client, HH, "AckedState").read_value()).Text == "Unacknowledged"
        assert await condition(client, HH, "HighHighLimit").read_value() == 4.6
        assert await condition(client, HH, "InputNode").read_value() == ua.NodeId("tank1/LT-101", 2)
        assert await condition(client, HH, "Retain").read_value() is True
        running.plant.put(HH, DISABLED)
        await running.mirror.push()
        with pytest.raises(ua.uaerrors.BadConditionDisabled):
            await condition(client, HH, "ActiveState", "Id").read_value()
        assert await condition(client, HH, "EnabledState", "Id").read_value() is False
        assert await condition(client, HH, "ConditionName").read_value() == "HH"
        running.plant.put(HH, 0)
        await running.mirror.push()
        assert await condition(client, HH, "ActiveState", "Id").read_value() is False


async def test_each_kind_of_variable_has_the_type_of_its_declaration(running: Running) -> None:
    async with Client(running.url, timeout=30) as client:
        state = condition(client, ON, "AckedState")
        assert await state.read_type_definition() == ua.NodeId(ua.ObjectIds.TwoStateVariableType)
        assert await state.read_data_type() == ua.NodeId(ua.ObjectIds.LocalizedText)
        comment = condition(client, ON, "Comment")
        assert await comment.read_type_definition() == ua.NodeId(ua.ObjectIds.ConditionVariableType)
        assert await condition(client, ON, "Retain").read_type_definition() == ua.NodeId(
            ua.ObjectIds.PropertyType
        )
        shelf = condition(client, ON, "ShelvingState")
        assert await shelf.read_type_definition() == ua.NodeId(ua.ObjectIds.ShelvedStateMachineType)
        with pytest.raises(ua.UaStatusCodeError):
            await comment.write_value(ua.LocalizedText("x"))


async def test_from_the_server_to_each_condition(running: Running) -> None:
    """Server, site, area, tag, condition: HasNotifier, HasEventSource, HasCondition; each inverse stands too."""
    async with Client(running.url, timeout=30) as client:
        found = {}

        async def walk(node: ua.NodeId, kinds: list[int]) -> None:
            for kind in kinds:
                for one in await client.get_node(node).get_references(kind, ua.BrowseDirection.Forward):
                    back = await client.get_node(one.NodeId).get_references(kind, ua.BrowseDirection.Inverse)
                    assert node in [inverse.NodeId for inverse in back], (node, one.NodeId)
                    if kind == ua.ObjectIds.HasCondition:
                        found[one.NodeId.Identifier] = one.TypeDefinition
                    else:
                        await walk(one.NodeId, [ua.ObjectIds.HasNotifier, ua.ObjectIds.HasEventSource, ua.ObjectIds.HasCondition])  # fmt: skip

        await walk(ua.NodeId(ua.ObjectIds.Server), [ua.ObjectIds.HasNotifier])
        assert {f"{path}#condition" for path in (HH, LOW, ON, COMMS)} <= set(found)
        assert found[f"{ON}#condition"] == ua.NodeId(ua.ObjectIds.OffNormalAlarmType)
        area = client.get_node("ns=2;s=tank1")
        both = {ua.EventNotifier.SubscribeToEvents, ua.EventNotifier.HistoryRead}
        assert await area.read_event_notifier() == both
        assert await client.nodes.server.read_event_notifier() == both
        children = {one.NodeId for one in await area.get_references(ua.ObjectIds.HasComponent)}
        assert ua.NodeId(f"{HH}#condition", 2) in children
