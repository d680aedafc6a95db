"""What the standard nodes tell."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pytest
from asyncua import Client, ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary

from scada.opcua import limits
from scada.opcua.events.audit import WHO, Who
from scada.opcua.information.calls import ServerCalls
from scada.opcua.information.capabilities import PROFILES
from scada.opcua.information.diagnostics import Kept
from scada.opcua.information.roles import RULES
from scada.opcua.security.caller import PASSWORD, Caller
from tests.opcua.conftest import Running
from tests.opcua.test_server import signed_in
from tests.support.wait import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def iserver(running: Running) -> Any:
    return running.server.iserver


O = ua.ObjectIds  # noqa: E741 - the table of standard nodes
PARTS = (ua.NodeId(O.HasProperty), ua.NodeId(O.HasComponent))
Codes = ua.StatusCodes


def held(iserver: Any, node: int | ua.NodeId) -> ua.DataValue:
    id_ = node if isinstance(node, ua.NodeId) else ua.NodeId(node)
    value: ua.DataValue = iserver.aspace.read_attribute_value(id_, ua.AttributeIds.Value)
    return value


def told(iserver: Any, node: int | ua.NodeId) -> Any:
    value = held(iserver, node)
    assert value.StatusCode is None or value.StatusCode.is_good()
    assert value.Value is not None
    return value.Value.Value


def variables_below(iserver: Any, number: int) -> dict[str, ua.NodeId]:
    found, waiting = {}, [ua.NodeId(number)]
    while waiting:
        for one in iserver.aspace[waiting.pop()].references:
            if one.IsForward and one.ReferenceTypeId in PARTS and one.NodeId in iserver.aspace:
                waiting.append(one.NodeId)
                if one.NodeClass == ua.NodeClass.Variable:
                    found[one.BrowseName.Name] = one.NodeId
    return found


async def test_every_limit_is_told_and_is_the_one_that_is_kept(iserver: Any) -> None:
    told_limits = {
        name: told(iserver, id_)
        for name, id_ in variables_below(iserver, O.Server_ServerCapabilities_OperationLimits).items()
    }
    assert told_limits == {
        "MaxNodesPerRead": limits.NODES_PER_READ,
        "MaxNodesPerHistoryReadData": limits.NODES_PER_HISTORY_READ,
        "MaxNodesPerHistoryReadEvents": limits.NODES_PER_HISTORY_EVENTS,
        "MaxNodesPerWrite": limits.NODES_PER_WRITE,
        "MaxNodesPerHistoryUpdateData": limits.NODES_PER_HISTORY_UPDATE,
        "MaxNodesPerMethodCall": limits.NODES_PER_CALL,
        "MaxNodesPerBrowse": limits.NODES_PER_BROWSE,
        "MaxNodesPerRegisterNodes": limits.NODES_PER_REGISTER,
        "MaxNodesPerTranslateBrowsePathsToNodeIds": limits.PATHS_PER_TRANSLATE,
        "MaxMonitoredItemsPerCall": limits.ITEMS_PER_CALL,
    }


@pytest.mark.parametrize(
    "number",
    [
        O.Server_ServerStatus,
        O.Server_ServerCapabilities,
        O.Server_ServerDiagnostics,
        O.Server_ServerRedundancy,
    ],
)
async def test_no_standing_value_is_null(iserver: Any, number: int) -> None:
    roles = set(variables_below(iserver, O.Server_ServerCapabilities_RoleSet).values())
    arguments = {"InputArguments", "OutputArguments"}
    for name, id_ in variables_below(iserver, number).items():
        value = held(iserver, id_)
        if (
            id_ not in roles
            and name not in arguments
            and value.StatusCode != ua.StatusCode(Codes.BadUserAccessDenied)
        ):
            assert value.Value is not None, name
            assert value.Value.Value is not None, name


async def test_the_type_of_each_value_is_that_of_its_node(iserver: Any) -> None:
    for number in (O.Server_ServerStatus, O.Server_ServerCapabilities, O.Server_ServerDiagnostics):
        for name, id_ in variables_below(iserver, number).items():
            value = held(iserver, id_)
            if value.Value is None or value.Value.Value is None:
                continue
            data_type = iserver.aspace.read_attribute_value(id_, ua.AttributeIds.DataType).Value.Value
            rank = iserver.aspace.read_attribute_value(id_, ua.AttributeIds.ValueRank).Value.Value
            assert value.Value.is_array == (rank == 1), name
            if data_type.Identifier <= 25 and data_type.Identifier != 22:
                assert value.Value.VariantType.value == data_type.Identifier, name


async def test_what_is_not_there_is_not_told(iserver: Any) -> None:
    for name in ("ServerConfiguration", "PublishSubscribe", "Server_SetSubscriptionDurable", "Server_RequestServerStateChange",
                 "Server_ServerCapabilities_RoleSet_AddRole", "WellKnownRole_Operator_AddIdentity"):  # fmt: skip
        assert ua.NodeId(getattr(O, name)) not in iserver.aspace
    for number in (
        O.Server,
        O.ObjectsFolder,
        O.Server_ServerCapabilities,
        O.Server_ServerCapabilities_RoleSet,
        O.WellKnownRole_Operator,
    ):
        for one in iserver.aspace[ua.NodeId(number)].references:
            assert one.NodeId in iserver.aspace, one


async def test_profiles_and_languages(iserver: Any) -> None:
    assert told(iserver, O.Server_ServerCapabilities_ServerProfileArray) == list(PROFILES)
    assert told(iserver, O.Server_ServerCapabilities_LocaleIdArray) == ["en"]


async def test_the_clock_is_not_overwritten(iserver: Any) -> None:
    assert iserver.disabled_clock
    before = told(iserver, O.Server_ServerStatus)
    status = await iserver.aspace.write_attribute_value(
        ua.NodeId(O.Server_ServerStatus),
        ua.AttributeIds.Value,
        ua.DataValue(ua.Variant(ua.ServerStatusDataType())),
    )
    assert status.is_good()
    assert told(iserver, O.Server_ServerStatus).StartTime == before.StartTime
    assert told(iserver, O.Server_ServerStatus_State) == ua.ServerState.Running


async def test_the_namespace_of_the_site_is_described(iserver: Any) -> None:
    top = iserver.aspace[ua.NodeId(O.Server_Namespaces)]
    mine = [one.NodeId for one in top.references if one.IsForward and one.NodeId.NamespaceIndex == 2]
    assert mine == [ua.NodeId("#namespace", 2)]
    values = {
        one.BrowseName.Name: told(iserver, one.NodeId)
        for one in iserver.aspace[mine[0]].references
        if one.ReferenceTypeId == ua.NodeId(O.HasProperty)
    }
    assert (values["NamespaceUri"], values["NamespaceVersion"]) == ("urn:closedloop:small", "0" * 16)
    assert values["StaticNodeIdTypes"] == [ua.IdType.String]
    assert values["StaticStringNodeIdPattern"] == "%"
    assert values["IsNamespaceSubset"] is False


ARRAYS = (
    O.Server_ServerDiagnostics_SubscriptionDiagnosticsArray,
    O.Server_ServerDiagnostics_SessionsDiagnosticsSummary_SessionDiagnosticsArray,
    O.Server_ServerDiagnostics_SessionsDiagnosticsSummary_SessionSecurityDiagnosticsArray,
)


@pytest.mark.parametrize("number", ARRAYS)
@pytest.mark.parametrize(
    ("role", "sees"),
    [(None, False), ("viewer", False), ("operator", False), ("engineer", True), ("admin", True)],
)
async def test_who_sees_other_peoples_sessions(
    iserver: Any, number: int, role: str | None, sees: bool
) -> None:
    caller = None if role is None else Caller(name="eva", site_role=role, auth=PASSWORD)
    token = WHO.set(Who(caller=caller))
    try:
        value = held(iserver, number)
    finally:
        WHO.reset(token)
    if sees:
        assert value.Value is not None
        assert isinstance(value.Value.Value, list)
    else:
        assert value.StatusCode == ua.StatusCode(Codes.BadUserAccessDenied)


@pytest.mark.parametrize(("role", "sees"), [("viewer", False), ("engineer", True)])
async def test_what_is_monitored_is_read_for_its_subscriber(iserver: Any, role: str, sees: bool) -> None:
    """Also at the ticks of the clock, which nobody has asked for."""
    read = iserver.subscription_service._reader(Caller(name="eva", site_role=role, auth=PASSWORD))
    what = ua.ReadValueId(NodeId=ua.NodeId(ARRAYS[0]), AttributeId=ua.AttributeIds.Value)
    assert read(what, 3).StatusCode.is_good() is sees
    assert WHO.get().caller is None


@pytest.mark.parametrize(("role", "sees"), [(None, False), ("engineer", False), ("admin", True)])
async def test_who_sees_who_has_which_role(iserver: Any, role: str | None, sees: bool) -> None:
    token = WHO.set(Who(caller=None if role is None else Caller(name="eva", site_role=role)))
    try:
        value = held(iserver, O.WellKnownRole_Operator_Identities)
    finally:
        WHO.reset(token)
    if sees:
        assert [(one.CriteriaType, one.Criteria) for one in value.Value.Value] == [
            (ua.IdentityCriteriaType.GroupId, "operator")
        ]
    else:
        assert value.StatusCode == ua.StatusCode(Codes.BadUserAccessDenied)


async def test_the_roles_are_those_that_somebody_can_have(iserver: Any) -> None:
    roles = iserver.aspace[ua.NodeId(O.Server_ServerCapabilities_RoleSet)].references
    kinds = ua.NodeId(O.HasComponent)
    names = {one.BrowseName.Name for one in roles if one.IsForward and one.ReferenceTypeId == kinds}
    assert names == set(RULES)
    for name in names:
        parts = iserver.aspace[ua.NodeId(getattr(O, f"WellKnownRole_{name}"))].references
        assert {one.BrowseName.Name for one in parts if one.IsForward and one.ReferenceTypeId in PARTS} == {
            "Identities"
        }


COUNT = O.Server_ServerDiagnostics_ServerDiagnosticsSummary_CurrentSubscriptionCount


class Subscription:
    """Of somebody."""

    session_id = ua.NodeId(77)
    interval_ms, monitored_item_count, enabled, priority = 250.0, 3, True, 9
    sent = 0

    def item_handles(self) -> tuple[list[int], list[int]]:
        return [1, 2], [11, 12]

    def resend(self) -> None:
        self.sent += 1


async def call(iserver: Any, session: Any, method: int, *inputs: ua.Variant) -> ua.CallMethodResult:
    request = ua.CallMethodRequest(ua.NodeId(O.Server), ua.NodeId(method), list(inputs))
    result: ua.CallMethodResult = (await iserver.method_service.call([request], session))[0]
    return result


@pytest.fixture
def subscription(iserver: Any, monkeypatch: pytest.MonkeyPatch) -> Subscription:
    one = Subscription()
    monkeypatch.setitem(iserver.subscription_service.subscriptions, 5, one)
    return one


def somebody(number: int) -> Any:
    class Session:
        session_id = ua.NodeId(number)
        iserver = None

    return Session()


ID = ua.Variant(5, ua.VariantType.UInt32)


async def test_get_monitored_items_and_resend_data(iserver: Any, subscription: Subscription) -> None:
    result = await call(iserver, somebody(77), O.Server_GetMonitoredItems, ID)
    assert result.StatusCode.is_good()
    assert [one.Value for one in result.OutputArguments] == [[1, 2], [11, 12]]
    result = await call(iserver, somebody(77), O.Server_ResendData, ID)
    assert (result.StatusCode.value, result.OutputArguments, subscription.sent) == (0, [], 1)


@pytest.mark.parametrize("method", [O.Server_GetMonitoredItems, O.Server_ResendData])
@pytest.mark.parametrize(
    ("who", "inputs", "code"),
    [
        (78, [ID], Codes.BadUserAccessDenied),
        (77, [ua.Variant(6, ua.VariantType.UInt32)], Codes.BadSubscriptionIdInvalid),
        (77, [ua.Variant(5, ua.VariantType.Int32)], Codes.BadInvalidArgument),
        (77, [], Codes.BadArgumentsMissing),
        (77, [ID, ID], Codes.BadTooManyArguments),
    ],
)
async def test_neither_helps_with_what_is_not_ones_own(
    iserver: Any, subscription: Subscription, method: int, who: int, inputs: list[ua.Variant], code: int
) -> None:
    result = await call(iserver, somebody(who), method, *inputs)
    assert result.StatusCode.value == code
    assert subscription.sent == 0


async def test_a_subscription_shows_in_the_diagnostics(iserver: Any, subscription: Subscription) -> None:
    token = WHO.set(Who(caller=Caller(name="eva", site_role="engineer")))
    try:
        await until(lambda: bool(told(iserver, ARRAYS[0])), "made anew after half a second")
        (encoded,) = told(iserver, ARRAYS[0])
    finally:
        WHO.reset(token)
    assert encoded.TypeId == ua.NodeId(O.SubscriptionDiagnosticsDataType_Encoding_DefaultBinary)
    found = struct_from_binary(ua.SubscriptionDiagnosticsDataType, Buffer(encoded.Body))
    assert (found.SubscriptionId, found.SessionId, found.PublishingInterval) == (
        5,
        subscription.session_id,
        250.0,
    )
    assert (found.MonitoredItemCount, found.Priority, found.PublishingEnabled) == (3, 9, True)
    await until(lambda: told(iserver, COUNT) == 1, "counted anew after half a second")
    summary = told(iserver, O.Server_ServerDiagnostics_ServerDiagnosticsSummary)
    assert (summary.CurrentSubscriptionCount, summary.PublishingIntervalCount) == (1, 1)


async def test_other_methods_of_the_server_are_nobodys(iserver: Any) -> None:
    request = ua.CallMethodRequest(ua.NodeId(O.ObjectsFolder), ua.NodeId(O.Server_ResendData), [])
    assert await ServerCalls(iserver).call(None, request) is None


ITEM = ua.MonitoredItemCreateRequest()
OVER: Final[dict[str, tuple[int, Callable[[Client, int, int], Awaitable[Any]]]]] = {
    "Read": (limits.NODES_PER_READ, lambda c, n, _: c.uaclient.read(ua.ReadParameters(NodesToRead=[ua.ReadValueId()] * n))),
    "Write": (limits.NODES_PER_WRITE, lambda c, n, _: c.uaclient.write(ua.WriteParameters([ua.WriteValue()] * n))),
    "Call": (limits.NODES_PER_CALL, lambda c, n, _: c.uaclient.call([ua.CallMethodRequest()] * n)),
    "Browse": (limits.NODES_PER_BROWSE, lambda c, n, _: c.uaclient.browse(ua.BrowseParameters(NodesToBrowse=[ua.BrowseDescription()] * n))),
    "RegisterNodes": (limits.NODES_PER_REGISTER, lambda c, n, _: c.uaclient.register_nodes([ua.NodeId()] * n)),
    "TranslateBrowsePaths": (limits.PATHS_PER_TRANSLATE, lambda c, n, _: c.uaclient.translate_browsepaths_to_nodeids([ua.BrowsePath()] * n)),
    "CreateMonitoredItems": (limits.ITEMS_PER_CALL, lambda c, n, s: c.uaclient.create_monitored_items(ua.CreateMonitoredItemsParameters(s, ItemsToCreate=[ITEM] * n))),
    "DeleteMonitoredItems": (limits.ITEMS_PER_CALL, lambda c, n, s: c.uaclient.delete_monitored_items(ua.DeleteMonitoredItemsParameters(s, [1] * n))),
}  # fmt: skip


async def test_one_more_than_the_limit_is_refused(running: Running, tmp_path: Path) -> None:
    client = await signed_in(running, tmp_path, "anna")
    try:
        wanted = ua.CreateSubscriptionParameters(RequestedPublishingInterval=1000.0)
        subscription = (await client.uaclient.create_subscription(wanted, lambda _: None)).SubscriptionId
        for service, (most, ask) in OVER.items():
            with pytest.raises(ua.UaStatusCodeError) as caught:
                await ask(client, most + 1, subscription)
            assert caught.value.code == Codes.BadTooManyOperations, service
        for service in ("Write", "Call", "Browse", "TranslateBrowsePaths"):
            most, ask = OVER[service]
            for one in await ask(client, most, subscription):
                assert getattr(one, "StatusCode", one).value != Codes.BadTooManyOperations, service
    finally:
        await client.disconnect()


async def test_looking_often_costs_little() -> None:
    now, made = [0.0], []

    def read() -> list[ua.ServiceCounterDataType]:
        made.append(now[0])
        now[0] += 0.1  # it is an effort
        return [ua.ServiceCounterDataType(TotalCount=len(made))]

    kept = Kept(read, lambda: now[0])
    first = kept()
    while now[0] < 10.0:
        assert kept()[0].TypeId == first[0].TypeId
        now[0] += 0.05
    assert 3 <= len(made) <= 5, "a twentieth of the time"
    now[0] += 10.0
    assert kept() != first
