"""What a client finds out about history before it asks: capabilities, aggregates and how each tag is kept (OPC 10000-11 §5).

Tags share two configurations, for values that hold and for values that move in straight lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from asyncua import Node, Server, ua

from scada.opcua import limits
from scada.opcua.history.manager import NODES_MAX
from scada.opcua.history.reads import AGGREGATES, VALUES_MAX
from scada.opcua.nodes import make
from tags.model import Tag
from tags.types import FLOATS

_ID: Final = "#HA {}"
_CAPABILITIES: Final[dict[str, tuple[Any, ua.VariantType]]] = {
    "AccessHistoryDataCapability": (True, ua.VariantType.Boolean),
    "AccessHistoryEventsCapability": (True, ua.VariantType.Boolean),
    "MaxReturnDataValues": (VALUES_MAX, ua.VariantType.UInt32),
    "MaxReturnEventValues": (limits.HISTORY_EVENTS_PER_NODE, ua.VariantType.UInt32),
    "ServerTimestampSupported": (False, ua.VariantType.Boolean),
} | {
    f"{name}Capability": (False, ua.VariantType.Boolean)
    for name in (
        "InsertAnnotation", "InsertEvent", "ReplaceEvent", "UpdateEvent", "DeleteEvent",
    )
} | {
    f"{name}Capability": (True, ua.VariantType.Boolean)
    for name in ("InsertData", "ReplaceData", "UpdateData", "DeleteRaw", "DeleteAtTime")
}  # fmt: skip
_CONFIGURATION: Final = ua.QualifiedName("HA Configuration", 0)
_RULES: Final[dict[str, tuple[Any, ua.VariantType]]] = {
    "TreatUncertainAsBad": (True, ua.VariantType.Boolean),
    "PercentDataBad": (100, ua.VariantType.Byte),
    "PercentDataGood": (100, ua.VariantType.Byte),
    "UseSlopedExtrapolation": (False, ua.VariantType.Boolean),
}


async def describe(server: Server, tags: Mapping[str, Tag], namespace: int) -> None:
    """Fills the standard nodes and ties each tag that is kept to its configuration.

    Args:
        server: With the site's variables.
        tags: Of the site, by path.
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
    for status in server.iserver.node_mgt_service.add_references(references):
        status.check()
    server.iserver.nodes.attach(Configurations(tags, namespace, stepped.nodeid, sloped.nodeid))


class Configurations:
    """The source of the references between tags that are kept and their configuration.

    Args:
        tags: Of the site, by path.
        namespace: Index of the site's namespace.
        stepped: Configuration of tags whose value holds until the next one.
        sloped: Configuration of tags that run in straight lines.
    """

    def __init__(
        self, tags: Mapping[str, Tag], namespace: int, stepped: ua.NodeId, sloped: ua.NodeId
    ) -> None:
        self._tags, self._namespace, self._stepped, self._sloped = tags, namespace, stepped, sloped

    def node(self, node_id: ua.NodeId) -> None:
        """None of its own: the two configurations are ordinary nodes."""

    def references(self, node_id: ua.NodeId) -> Sequence[ua.ReferenceDescription]:
        """HasHistoricalConfiguration of a tag."""
        tag = self._tags.get(str(node_id.Identifier)) if node_id.NamespaceIndex == self._namespace else None
        if tag is None or not tag.history.keep:
            return ()
        found = self._stepped if _is_stepped(tag) else self._sloped
        kind = ua.NodeId(ua.ObjectIds.HasHistoricalConfiguration)
        type_id = ua.NodeId(ua.ObjectIds.HistoricalDataConfigurationType)
        return (make.reference(kind, found, _CONFIGURATION, ua.NodeClass.Object, type_id),)

    def ids(self) -> Sequence[ua.NodeId]:
        """None."""
        return ()


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
