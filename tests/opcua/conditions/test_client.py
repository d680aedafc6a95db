"""Events and methods of conditions as asyncua's client has them: real sockets, real rings, control played."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from asyncua import Client, ua

from scada.alarms import state
from scada.opcua.conditions.fields import event_id
from tests.opcua.conditions.playing import (
    ALARM,
    LEVEL,
    Control,
    Heard,
    call,
    condition,
    listening,
    ms,
    named,
    signed_in,
)
from tests.opcua.conditions.simulated import HH, LOW, ON, SECOND
from tests.opcua.conftest import PASSWORD, Running
from tests.support.opcua_client import with_certificate
from tests.support.wait import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def control(running: Running) -> Iterator[Control]:
    played = Control(running)
    yield played
    played.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(
    server_of: Running, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Client]]:
    """An operator and an engineer, signed in."""
    server_of.users.add("eva", PASSWORD, "engineer")
    folder = tmp_path_factory.mktemp("clients")
    clients = {user: await signed_in(server_of, folder, user) for user in ("anna", "eva", "vera")}
    yield clients
    for client in clients.values():
        await client.disconnect()


async def test_an_alarm_is_heard_with_its_state(running: Running, control: Control) -> None:
    async with Client(running.url, timeout=30) as client, listening(client) as (heard, _, _):
        number = control.happens(HH, state.RAISE)
        event = await heard.next()
        assert event.EventType == LEVEL
        assert event.EventId == event_id(number)
        assert (event.SourceName, event.ConditionName) == ("tank1/LT-101", "HH")
        assert event.NodeId == condition(HH)  # the ConditionId
        assert getattr(event, "ActiveState/Id") is True
        assert getattr(event, "AckedState/Id") is False
        assert event.HighHighLimit == 4.6
        assert event.Retain is True
        assert event.Severity == 900
        assert event.Message.Text == "Tank 1 level very high"


async def test_an_area_has_its_own_events_only(running: Running, control: Control) -> None:
    async with (
        Client(running.url, timeout=30) as client,
        listening(client, ALARM, ua.NodeId("tank1/P-101", 2)) as (pump, _, _),
        listening(client, ALARM, ua.NodeId("tank1", 2)) as (tank, _, _),
    ):
        control.happens(HH, state.RAISE)
        control.happens(ON, state.RAISE)
        assert [(await tank.next()).SourceName for _ in range(2)] == ["tank1/LT-101", "tank1/P-101/RUN"]
        assert (await pump.next()).SourceName == "tank1/P-101/RUN"
        assert pump.queue.empty()


async def test_acknowledge_confirm_and_comment_are_requests_with_their_caller(
    running: Running, control: Control, people: dict[str, Client]
) -> None:
    anna = people["anna"]
    async with listening(anna) as (heard, _, _):
        number = control.happens(HH, state.RAISE)
        await heard.next()
        assert (
            await call(
                anna, condition(HH), "AcknowledgeableConditionType_Acknowledge", *named(number, "on my way")
            )
            == 0
        )
        assert control.requests == [("acknowledge", HH, "on my way", "anna", "operator")]
        acked = await heard.next()
        assert (getattr(acked, "AckedState/Id"), getattr(acked, "ConfirmedState/Id")) == (True, False)
        assert (acked.Comment.Text, acked.ClientUserId) == ("on my way", "anna")
        again = await call(anna, condition(HH), "AcknowledgeableConditionType_Acknowledge", *named(number))
        assert again == ua.StatusCodes.BadConditionBranchAlreadyAcked
        assert (
            await call(anna, condition(HH), "AcknowledgeableConditionType_Confirm", *named(number, None)) == 0
        )
        assert getattr(await heard.next(), "ConfirmedState/Id") is True
        assert control.requests[-1][2] is None  # a null comment leaves the one that there is
        again = await call(anna, condition(HH), "AcknowledgeableConditionType_Confirm", *named(number))
        assert again == ua.StatusCodes.BadConditionBranchAlreadyConfirmed
        assert (
            await call(anna, condition(HH), "ConditionType_AddComment", *named(number, "valve was stuck"))
            == 0
        )
        assert (await heard.next()).Comment.Text == "valve was stuck"
        shown = anna.get_node(condition(HH, "Comment"))
        assert (await shown.read_value()).Text == "valve was stuck"


async def test_events_that_are_not_known_are_refused(
    running: Running, control: Control, people: dict[str, Client]
) -> None:
    number = control.happens(HH, state.RAISE)
    for wrong in (number + 1, number - 5 * SECOND, 0):
        for method in ("AcknowledgeableConditionType_Acknowledge", "ConditionType_AddComment"):
            code = await call(people["anna"], condition(HH), method, *named(wrong))
            assert code == ua.StatusCodes.BadEventIdUnknown
    nonsense = (ua.Variant(b"?", ua.VariantType.ByteString), named(1)[1])
    code = await call(people["anna"], condition(HH), "AcknowledgeableConditionType_Acknowledge", *nonsense)
    assert code == ua.StatusCodes.BadEventIdUnknown
    assert control.requests == []


async def test_shelving(running: Running, control: Control, people: dict[str, Client]) -> None:
    anna, shelf = people["anna"], condition(HH, "ShelvingState")
    kind = "AlarmConditionType_ShelvingState_"
    control.happens(HH, state.RAISE)
    async with listening(anna) as (heard, _, _):
        assert await call(anna, shelf, f"{kind}Unshelve") == ua.StatusCodes.BadConditionNotShelved
        for wrong in (0.0, -1.0, 1e12, float("nan")):
            code = await call(anna, shelf, f"{kind}TimedShelve", ms(wrong))
            assert code == ua.StatusCodes.BadShelvingTimeOutOfRange
        assert await call(anna, shelf, f"{kind}TimedShelve", ms(60_000.0)) == 0
        assert control.responder.requests[-1]["for_ns"] == 60 * SECOND
        timed = await heard.next()
        assert getattr(timed, "ShelvingState/CurrentState").Text == "Timed Shelved"
        assert timed.SuppressedOrShelved is True
        code = await call(anna, shelf, f"{kind}TimedShelve", ms(60_000.0))
        assert code == ua.StatusCodes.BadConditionAlreadyShelved
        assert (
            await call(anna, condition(HH), "ShelvedStateMachineType_OneShotShelve") == 0
        )  # by ConditionId too
        assert getattr(await heard.next(), "ShelvingState/CurrentState").Text == "One Shot Shelved"
        assert await call(anna, shelf, "ShelvedStateMachineType_Unshelve2", named(1, "enough")[1]) == 0
        free = await heard.next()
        assert (free.SuppressedOrShelved, free.Comment.Text) == (False, "enough")


async def test_what_operators_and_engineers_may(
    running: Running, control: Control, people: dict[str, Client]
) -> None:
    node = condition(HH)
    pairs = [
        ("ConditionType_Disable", "ConditionType_Enable", "BadConditionAlreadyDisabled", "BadConditionAlreadyEnabled"),
        (
            "AlarmConditionType_RemoveFromService", "AlarmConditionType_PlaceInService", "BadInvalidState",
            "BadInvalidState",
        ),
    ]  # fmt: skip
    for there, back, already, already_back in pairs:
        assert await call(people["anna"], node, there) == ua.StatusCodes.BadUserAccessDenied
        assert await call(people["vera"], node, there) == ua.StatusCodes.BadUserAccessDenied
        assert await call(people["eva"], node, back) == getattr(ua.StatusCodes, already_back)
        assert await call(people["eva"], node, there) == 0
        assert await call(people["eva"], node, there) == getattr(ua.StatusCodes, already)
        assert await call(people["eva"], node, back) == 0
    assert await call(people["anna"], node, "AlarmConditionType_Suppress") == 0
    assert await call(people["anna"], node, "AlarmConditionType_Unsuppress") == 0
    assert {user for _, _, _, user, _ in control.requests} == {"anna", "eva"}
    async with Client(running.url, timeout=30) as nobody:
        number = control.happens(HH, state.RAISE)
        code = await call(nobody, node, "AcknowledgeableConditionType_Acknowledge", *named(number))
        assert code == ua.StatusCodes.BadUserAccessDenied


async def test_a_disabled_condition_takes_nothing_but_enable(
    running: Running, control: Control, people: dict[str, Client]
) -> None:
    number = control.happens(HH, state.DISABLE)
    eva, node = people["eva"], condition(HH)
    code = await call(eva, node, "ConditionType_AddComment", *named(number))
    assert code == ua.StatusCodes.BadConditionDisabled
    assert await call(eva, node, "AlarmConditionType_Suppress") == ua.StatusCodes.BadConditionDisabled
    assert await call(eva, node, "ConditionType_Enable") == 0


async def test_methods_of_the_wrong_object_or_with_wrong_arguments(
    running: Running, control: Control, people: dict[str, Client]
) -> None:
    anna, codes = people["anna"], ua.StatusCodes
    number = control.happens(LOW, state.RAISE)
    acknowledge = "AcknowledgeableConditionType_Acknowledge"
    type_ = ua.NodeId(ua.ObjectIds.AcknowledgeableConditionType)
    assert await call(anna, type_, acknowledge, *named(number)) == codes.BadNodeIdInvalid
    assert (
        await call(anna, ua.NodeId("none#condition", 2), acknowledge, *named(number))
        == codes.BadNodeIdUnknown
    )
    assert await call(anna, condition(LOW), "ShelvedStateMachineType_OneShotShelve") == codes.BadMethodInvalid
    assert (
        await call(anna, condition(LOW), "AcknowledgeableConditionType_Confirm", *named(number))
        == codes.BadMethodInvalid
    )
    assert (
        await call(anna, condition(HH, "ShelvingState"), acknowledge, *named(number))
        == codes.BadMethodInvalid
    )
    assert await call(anna, condition(LOW), acknowledge, named(number)[0]) == codes.BadArgumentsMissing
    assert await call(anna, condition(LOW), acknowledge, *named(number), ms(1.0)) == codes.BadTooManyArguments
    assert await call(anna, condition(LOW), acknowledge, ms(1.0), ms(1.0)) == codes.BadInvalidArgument
    assert control.requests == []


async def test_what_control_refuses_the_client_is_told(
    running: Running, control: Control, people: dict[str, Client]
) -> None:
    number = control.happens(HH, state.RAISE)
    for control.outcome, code in (
        ("rejected", ua.StatusCodes.BadInvalidState),
        ("timed out", ua.StatusCodes.BadTimeout),
    ):
        found = await call(
            people["anna"], condition(HH), "AcknowledgeableConditionType_Acknowledge", *named(number)
        )
        assert found == code


async def test_condition_refresh_tells_what_stands(
    running: Running, control: Control, people: dict[str, Client]
) -> None:
    number = control.happens(HH, state.RAISE)
    control.happens(ON, state.RAISE)
    control.happens(LOW, state.RAISE)
    control.happens(LOW, state.ACKNOWLEDGE)
    control.happens(LOW, state.CLEAR)  # at rest again
    anna = people["anna"]
    end = ua.NodeId(ua.ObjectIds.RefreshEndEventType)
    refresh = ("ConditionType_ConditionRefresh", "ConditionType_ConditionRefresh2")
    type_ = ua.NodeId(ua.ObjectIds.ConditionType)
    async with listening(anna, ALARM) as (heard, subscription, item), listening(anna, ALARM) as (other, _, _):
        ids = [ua.Variant(value, ua.VariantType.UInt32) for value in (subscription.subscription_id, item)]
        for count, method in enumerate(refresh, 1):
            assert await call(anna, type_, method, *ids[:count]) == 0
            told = await heard.all_until(end)
            assert told[0].EventType == ua.NodeId(ua.ObjectIds.RefreshStartEventType)
            assert [(one.SourceName, one.ConditionName) for one in told[1:-1]] == [
                ("tank1/LT-101", "HH"), ("tank1/P-101/RUN", "ON"),
            ]  # fmt: skip
            assert told[1].EventId == event_id(number)  # as it was told when it happened
        assert other.queue.empty()
        eva = people["eva"]
        assert await call(eva, type_, refresh[0], ids[0]) == ua.StatusCodes.BadSubscriptionIdInvalid
        wrong = ua.Variant(99_999, ua.VariantType.UInt32)
        assert await call(anna, type_, refresh[0], wrong) == ua.StatusCodes.BadSubscriptionIdInvalid
        assert await call(anna, type_, refresh[1], ids[0], wrong) == ua.StatusCodes.BadMonitoredItemIdInvalid
        room = running.server.iserver.events.room
        most, room.most = room.most, 10
        assert await call(anna, type_, refresh[0], ids[0]) == ua.StatusCodes.BadResourceUnavailable
        room.most = most


async def test_engineers_hear_what_others_do(
    running: Running, control: Control, people: dict[str, Client]
) -> None:
    audit = ua.NodeId(ua.ObjectIds.AuditConditionAcknowledgeEventType)
    async with (
        listening(people["eva"], audit) as (eva, _, _),
        listening(people["anna"], audit) as (anna, _, _),
    ):
        number = control.happens(HH, state.RAISE)
        method = "AcknowledgeableConditionType_Acknowledge"
        assert await call(people["anna"], condition(HH), method, *named(number, "mine")) == 0
        event = await eva.next()
        assert event.EventType == audit
        assert (event.Status, event.ClientUserId, event.SourceName) == (True, "anna", "Method/Acknowledge")
        assert event.MethodId == ua.NodeId(getattr(ua.ObjectIds, method))
        assert event.ConditionEventId == event_id(number)
        assert anna.queue.empty()


async def test_sessions_writes_and_calls_are_told_to_engineers(
    running: Running, control: Control, people: dict[str, Client], tmp_path: Path
) -> None:
    audits = ua.NodeId(ua.ObjectIds.AuditEventType)
    async with listening(people["eva"], audits) as (heard, _, _):
        client = await signed_in(running, tmp_path, "tom")
        set_point = client.get_node("ns=2;s=tank1/LIC-101/SP")
        control.outcome = "rejected"
        with pytest.raises(ua.UaStatusCodeError):
            await set_point.write_value(2.75)
        token = client.uaclient.protocol.authentication_token
        await client.disconnect()
        stranger = await with_certificate(running.url, tmp_path, running.plant.data.certs)
        stranger.set_user("tom")
        stranger.set_password("wrong password")
        with pytest.raises(ua.UaStatusCodeError):
            await stranger.connect()
        seen: dict[str, list[Any]] = {}
        while len(seen.get("AuditActivateSessionEventType", ())) < 2 or "AuditSessionEventType" not in seen:
            event = await heard.next()
            seen.setdefault(ua.ObjectIdNames[event.EventType.Identifier], []).append(event)
    names = {
        "AuditOpenSecureChannelEventType",
        "AuditCreateSessionEventType",
        "AuditActivateSessionEventType",
    }
    assert names <= set(seen)
    good, bad = seen["AuditActivateSessionEventType"]
    assert (good.Status, good.ClientUserId) == (True, "tom")
    assert (bad.Status, bad.ClientUserId) == (False, "")
    write = seen["AuditWriteUpdateEventType"][0]
    assert (write.Status, write.ClientUserId, write.SourceName) == (False, "tom", "Attribute/Write")
    assert write.SourceNode == ua.NodeId("tank1/LIC-101/SP", 2)
    assert seen["AuditSessionEventType"][-1].SourceName == "Session/CloseSession"
    for events in seen.values():
        for event in events:
            assert token.Identifier not in vars(event).values()  # SessionId, never the token


async def subscribe(client: Client, node: Any, wanted: Any) -> tuple[Any, Any]:
    """One event item with a filter of one's own; gives the result of the service."""
    heard = Heard()
    subscription = await client.create_subscription(50, heard)
    request = ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.EventNotifier),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=ua.MonitoringParameters(
            ClientHandle=7, Filter=wanted, QueueSize=5, DiscardOldest=True
        ),
    )
    parameters = ua.CreateMonitoredItemsParameters(
        SubscriptionId=subscription.subscription_id,
        TimestampsToReturn=ua.TimestampsToReturn.Both,
        ItemsToCreate=[request],
    )
    results = await client.uaclient.create_monitored_items(parameters)
    await subscription.delete()
    return results[0], heard


def clause(*names: str, type_: int = ua.ObjectIds.BaseEventType) -> ua.SimpleAttributeOperand:
    return ua.SimpleAttributeOperand(
        TypeDefinitionId=ua.NodeId(type_),
        BrowsePath=[ua.QualifiedName(name, 0) for name in names],
        AttributeId=ua.AttributeIds.Value,
    )


async def test_a_client_is_told_what_is_wrong_with_its_filter(running: Running) -> None:
    server = ua.NodeId(ua.ObjectIds.Server)
    async with Client(running.url, timeout=30) as client:
        wanted = ua.EventFilter(SelectClauses=[clause("Severity"), clause("Nonsense")])
        made, _ = await subscribe(client, server, wanted)
        assert made.StatusCode.is_good()
        codes = [code.value for code in made.FilterResult.SelectClauseResults]
        assert codes == [0, ua.StatusCodes.BadBrowseNameInvalid]
        wanted = ua.EventFilter(SelectClauses=[clause("Severity")])
        wanted.WhereClause.Elements = [
            ua.ContentFilterElement(
                FilterOperator=ua.FilterOperator.Equals,
                FilterOperands=[clause("Severity"), ua.ElementOperand(Index=9)],
            )
        ]
        made, _ = await subscribe(client, server, wanted)
        assert made.StatusCode.value == ua.StatusCodes.BadEventFilterInvalid
        element = made.FilterResult.WhereClauseResult.ElementResults[0]
        assert [code.value for code in element.OperandStatusCodes] == [
            0,
            ua.StatusCodes.BadFilterOperandInvalid,
        ]
        made, _ = await subscribe(
            client, ua.NodeId(HH, 2), ua.EventFilter(SelectClauses=[clause("Severity")])
        )
        assert made.StatusCode.value == ua.StatusCodes.BadAttributeIdInvalid  # a tag has no EventNotifier


async def test_condition_refresh_of_an_area_item(
    running: Running, control: Control, people: dict[str, Client]
) -> None:
    control.happens(HH, state.RAISE)
    control.happens(ON, state.RAISE)
    anna = people["anna"]
    end = ua.NodeId(ua.ObjectIds.RefreshEndEventType)
    async with listening(anna, ALARM, ua.NodeId("tank1/P-101", 2)) as (heard, subscription, _):
        id_ = ua.Variant(subscription.subscription_id, ua.VariantType.UInt32)
        type_ = ua.NodeId(ua.ObjectIds.ConditionType)
        assert await call(anna, type_, "ConditionType_ConditionRefresh", id_) == 0
        told = await heard.all_until(end)
        assert [one.SourceName for one in told[1:-1]] == ["tank1/P-101/RUN"]


async def test_variables_of_conditions_can_be_monitored(running: Running, control: Control) -> None:
    class Seen:
        def __init__(self) -> None:
            self.values: list[Any] = []

        def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
            del node, data
            self.values.append(value)

    seen = Seen()
    async with Client(running.url, timeout=30) as client:
        subscription = await client.create_subscription(50, seen)
        await subscription.subscribe_data_change(client.get_node(condition(ON, "ActiveState", "Id")))
        await until(lambda: seen.values == [False])
        control.happens(ON, state.RAISE)
        await until(lambda: seen.values == [False, True])
        await subscription.delete()
