"""What a client finds out about history before it asks: capabilities, aggregates and how each tag is kept (OPC 10000-11 §5).

Tags share two configurations, for values that hold and for values that move in straight lines.
"""

from __future__ import annotations

from typing import Any, Final

from asyncua import Node, Server, ua

from scada.opcua.history.manager import NODES_MAX
from scada.opcua.history.reads import AGGREGATES, VALUES_MAX
from tags.model import Site, Tag
from tags.types import FLOATS

_ID: Final = "#HA {}"
_CAPABILITIES: Final[dict[str, tuple[Any, ua.VariantType]]] = {
    "AccessHistoryDataCapability": (True, ua.VariantType.Boolean),
    "AccessHistoryEventsCapability": (False, ua.VariantType.Boolean),
    "MaxReturnDataValues": (VALUES_MAX, ua.VariantType.UInt32),
    "MaxReturnEventValues": (0, ua.VariantType.UInt32),
    "ServerTimestampSupported": (False, ua.VariantType.Boolean),
} | {
    f"{name}Capability": (False, ua.VariantType.Boolean)
    for name in (
        "InsertData", "ReplaceData", "UpdateData", "DeleteRaw", "DeleteAtTime", "InsertAnnotation",
        "InsertEvent", "ReplaceEvent", "UpdateEvent", "DeleteEvent",
    )
}  # fmt: skip
_RULES: Final[dict[str, tuple[Any, ua.VariantType]]] = {
    "TreatUncertainAsBad": (True, ua.VariantType.Boolean),
    "PercentDataBad": (100, ua.VariantType.Byte),
    "PercentDataGood": (100, ua.VariantType.Byte),
    "UseSlopedExtrapolation": (False, ua.VariantType.Boolean),
}


async def describe(server: Server, site: Site, namespace: int) -> None:
    """Fills the standard nodes and ties each tag that is kept to its configuration.

    Args:
        server: With the site's variables.
        site: The compiled site.
        namespace: Index of the site's namespace.
    """
    for name, (value, kind) in _CAPABILITIES.items():
        await _write(server, f"HistoryServerCapabilities_{name}", value, kind)
    limit = "Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData"
    await _write(server, limit, NODES_MAX, ua.VariantType.UInt32)
    references = [
        _reference(ua.NodeId(folder), ua.ObjectIds.Organizes, ua.NodeId(number), ua.NodeClass.Object)
        for folder in (
            ua.ObjectIds.HistoryServerCapabilities_AggregateFunctions,
            ua.ObjectIds.Server_ServerCapabilities_AggregateFunctions,
        )
        for number in AGGREGATES
    ]
    stepped, sloped = [await _configuration(server, namespace, stepped=kind) for kind in (True, False)]
    references += [
        _reference(
            ua.NodeId(tag.path, namespace),
            ua.ObjectIds.HasHistoricalConfiguration,
            (stepped if _is_stepped(tag) else sloped).nodeid,
            ua.NodeClass.Object,
        )
        for tag in site.tags
        if tag.history.keep
    ]
    for status in server.iserver.node_mgt_service.add_references(references):
        status.check()


def _is_stepped(tag: Tag) -> bool:
    return tag.step or tag.type not in FLOATS


async def _write(server: Server, name: str, value: Any, kind: ua.VariantType) -> None:
    node = server.get_node(ua.NodeId(getattr(ua.ObjectIds, name)))
    await node.write_value(ua.DataValue(ua.Variant(value, kind)))


def _reference(source: ua.NodeId, kind: int, target: ua.NodeId, class_: ua.NodeClass) -> ua.AddReferencesItem:
    return ua.AddReferencesItem(
        SourceNodeId=source,
        ReferenceTypeId=ua.NodeId(kind),
        IsForward=True,
        TargetNodeId=target,
        TargetNodeClass=class_,
    )


async def _configuration(server: Server, namespace: int, *, stepped: bool) -> Node:
    """A HistoricalDataConfigurationType object (§5.2.2) with what is mandatory in it."""
    name = _ID.format("stepped" if stepped else "sloped")
    top = server.get_node(ua.NodeId(ua.ObjectIds.HistoryServerCapabilities))
    found = await _object(
        top, name, "HA Configuration", ua.ObjectIds.HistoricalDataConfigurationType, namespace
    )
    await _property(found, f"{name}/Stepped", "Stepped", stepped, ua.VariantType.Boolean, namespace)
    rules = await _object(
        found,
        f"{name}/Aggregates",
        "AggregateConfiguration",
        ua.ObjectIds.AggregateConfigurationType,
        namespace,
    )
    for rule, (value, kind) in _RULES.items():
        await _property(rules, f"{name}/{rule}", rule, value, kind, namespace)
    return found


async def _object(parent: Node, identifier: str, name: str, type_: int, namespace: int) -> Node:
    item = ua.AddNodesItem(
        ParentNodeId=parent.nodeid,
        ReferenceTypeId=ua.NodeId(ua.ObjectIds.HasComponent),
        RequestedNewNodeId=ua.NodeId(identifier, namespace),
        BrowseName=ua.QualifiedName(name, 0),
        NodeClass=ua.NodeClass.Object,
        NodeAttributes=ua.ObjectAttributes(DisplayName=ua.LocalizedText(name)),
        TypeDefinition=ua.NodeId(type_),
    )
    result = (await parent.session.add_nodes([item]))[0]
    result.StatusCode.check()
    return Node(parent.session, result.AddedNodeId)


async def _property(
    parent: Node, identifier: str, name: str, value: Any, kind: ua.VariantType, namespace: int
) -> None:
    await parent.add_property(
        ua.NodeId(identifier, namespace), ua.QualifiedName(name, 0), ua.Variant(value, kind)
    )
