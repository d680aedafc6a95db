"""ServerCapabilities and OperationLimits (OPC 10000-5 §6.3.2, §6.3.11): the table of limits, as clients read it."""

from __future__ import annotations

from typing import Any, Final

from asyncua import ua
from asyncua.server.address_space import AddressSpace

from scada.opcua import limits
from scada.opcua.information.standard import below, prune, put

_PROFILE: Final = "http://opcfoundation.org/UA-Profile/"
PROFILES: Final = (
    *(
        f"{_PROFILE}Server/{name}"
        for name in (
            "StandardUA2017", "DataAccess", "StandardEventSubscription", "Auditing", "Methods", "ACBaseCondition",
            "ACRefresh2", "ACAddressSpaceInstance", "ACEnable", "ACAlarm", "ACAckAlarm", "ACNon-ExclusiveAlarming",
            "HistoricalRawData", "AggregateHistorical", "HistoricalDataAtTime", "HistoricalModifiedData",
            "HistoricalDataInsert", "HistoricalDataUpdate", "HistoricalDataReplace", "HistoricalDataDelete",
            "BaseHistoricalEvent",
        )
    ),
    f"{_PROFILE}Transport/uatcp-uasc-uabinary",
)  # fmt: skip
"""Profiles (OPC 10000-7) whose units the conformance tests cover."""
_U32, _U16, _F64 = ua.VariantType.UInt32, ua.VariantType.UInt16, ua.VariantType.Double
_LIMITS: Final[dict[str, int]] = {
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
_CAPABILITIES: Final[dict[str, tuple[Any, ua.VariantType]]] = {
    "ServerProfileArray": (list(PROFILES), ua.VariantType.String),
    "LocaleIdArray": (["en"], ua.VariantType.String),
    "MinSupportedSampleRate": (limits.SAMPLING_MS, _F64),
    "MaxBrowseContinuationPoints": (limits.BROWSE_CONTINUATION_POINTS, _U16),
    "MaxQueryContinuationPoints": (0, _U16),
    "MaxHistoryContinuationPoints": (limits.HISTORY_CONTINUATION_POINTS, _U16),
    "SoftwareCertificates": ([], ua.VariantType.ExtensionObject),
    "MaxArrayLength": (limits.ARRAY, _U32),
    "MaxStringLength": (limits.STRING, _U32),
    "MaxByteStringLength": (limits.BYTE_STRING, _U32),
    "MaxSessions": (limits.SESSIONS, _U32),
    "MaxSubscriptions": (limits.SUBSCRIPTIONS, _U32),
    "MaxMonitoredItems": (limits.ITEMS, _U32),
    "MaxSubscriptionsPerSession": (limits.SUBSCRIPTIONS_PER_SESSION, _U32),
    "MaxMonitoredItemsPerSubscription": (limits.ITEMS_PER_SUBSCRIPTION, _U32),
    "MaxSelectClauseParameters": (limits.SELECT_CLAUSES, _U32),
    "MaxWhereClauseParameters": (limits.WHERE_ELEMENTS, _U32),
    "MaxMonitoredItemsQueueSize": (limits.QUEUE_PER_ITEM, _U32),
}
_ABSENT: Final = (
    "Server_ServerCapabilities_OperationLimits_MaxNodesPerNodeManagement",
    "Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryUpdateEvents",
    "Server_ServerCapabilities_ConformanceUnits",
    "Server_ServerCapabilities_RoleSet_AddRole",
    "Server_ServerCapabilities_RoleSet_RemoveRole",
    "Server_ServerDiagnostics_SamplingIntervalDiagnosticsArray",
    "Server_ServerRedundancy_RedundantServerArray",
    "Server_SetSubscriptionDurable",
    "Server_RequestServerStateChange",
    "Server_EstimatedReturnTime",
    "Server_LocalTime",
    "Server_UrisVersion",
    "Server_DefaultHEConfiguration",
    "Server_DefaultHAConfiguration",
    "ServerConfiguration",
    "PublishSubscribe",
    "WellKnownRole_SecurityKeyServerAdmin",
    "WellKnownRole_SecurityKeyServerAccess",
    "WellKnownRole_SecurityKeyServerPush",
)
"""Optional nodes of services that this server does not have."""


def fill(aspace: AddressSpace, utc_ns: int) -> None:
    """Tells the limits, and takes away nodes of what is not there.

    Args:
        aspace: With the standard nodes.
        utc_ns: Now.
    """
    for name, number in _LIMITS.items():
        put(aspace, _number(f"OperationLimits_{name}"), number, _U32, utc_ns)
    for name, (value, kind) in _CAPABILITIES.items():
        put(aspace, _number(name), value, kind, utc_ns)
    numbers = [getattr(ua.ObjectIds, name) for name in _ABSENT if hasattr(ua.ObjectIds, name)]
    roles = ua.ObjectIds.Server_ServerCapabilities_RoleSet
    prune(aspace, [*numbers, *below(aspace, roles, (ua.NodeClass.Method,))])


def _number(name: str) -> int:
    number: int = getattr(ua.ObjectIds, f"Server_ServerCapabilities_{name}")
    return number
