"""The parts of a node as asyncua keeps them: attributes and references. For all sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from asyncua import ua
from asyncua.server.address_space import AttributeValue, NodeData

A: Final = ua.AttributeIds
ReadValue = Callable[[ua.NodeId, ua.AttributeIds], ua.DataValue]

HAS_COMPONENT: Final = ua.NodeId(ua.ObjectIds.HasComponent)
HAS_PROPERTY: Final = ua.NodeId(ua.ObjectIds.HasProperty)
HAS_SUBTYPE: Final = ua.NodeId(ua.ObjectIds.HasSubtype)
HAS_TYPE_DEFINITION: Final = ua.NodeId(ua.ObjectIds.HasTypeDefinition)
HAS_MODELLING_RULE: Final = ua.NodeId(ua.ObjectIds.HasModellingRule)
ORGANIZES: Final = ua.NodeId(ua.ObjectIds.Organizes)
PROPERTY_TYPE: Final = ua.NodeId(ua.ObjectIds.PropertyType)

_NO_MASK: Final = ua.DataValue(ua.Variant(0, ua.VariantType.UInt32))


def node(
    node_id: ua.NodeId,
    node_class: ua.NodeClass,
    name: ua.QualifiedName,
    *,
    display: str | None = None,
    description: str = "",
    references: Iterable[ua.ReferenceDescription] = (),
) -> NodeData:
    """What each node has (OPC 10000-3 §5.2).

    Args:
        node_id: Of the node.
        node_class: Of the node.
        name: BrowseName.
        display: DisplayName; the BrowseName's if None.
        description: For people; "" for none.
        references: Of the node, both directions.
    """
    data = NodeData(node_id)
    data.references = list(references)
    put(data, A.NodeId, node_id, ua.VariantType.NodeId)
    put(data, A.NodeClass, node_class, ua.VariantType.Int32)
    put(data, A.BrowseName, name, ua.VariantType.QualifiedName)
    text = ua.LocalizedText(str(name.Name) if display is None else display)
    put(data, A.DisplayName, text, ua.VariantType.LocalizedText)
    if description:
        put(data, A.Description, ua.LocalizedText(description), ua.VariantType.LocalizedText)
    data.attributes[A.WriteMask] = AttributeValue(_NO_MASK)
    data.attributes[A.UserWriteMask] = AttributeValue(_NO_MASK)
    return data


def object_(
    node_id: ua.NodeId,
    name: ua.QualifiedName,
    *,
    display: str | None = None,
    description: str = "",
    notifier: int = 0,
    references: Iterable[ua.ReferenceDescription] = (),
) -> NodeData:
    """An Object (OPC 10000-3 §5.5.1).

    Args:
        node_id: Of the node.
        name: BrowseName.
        display: DisplayName; the BrowseName's if None.
        description: For people.
        notifier: EventNotifier bits.
        references: Of the node, with HasTypeDefinition.
    """
    data = node(
        node_id, ua.NodeClass.Object, name, display=display, description=description, references=references
    )
    put(data, A.EventNotifier, notifier, ua.VariantType.Byte)
    return data


def variable(
    node_id: ua.NodeId,
    name: ua.QualifiedName,
    data_type: ua.NodeId,
    value: ua.DataValue | ReadValue,
    *,
    rank: int = ua.ValueRank.Scalar,
    access: int = 1,
    user_access: int | None = None,
    historizing: bool = False,
    sampling_ms: float = 0.0,
    display: str | None = None,
    description: str = "",
    references: Iterable[ua.ReferenceDescription] = (),
) -> NodeData:
    """A Variable (OPC 10000-3 §5.6.2).

    Args:
        node_id: Of the node.
        name: BrowseName.
        data_type: NodeId of its data type.
        value: What it holds, or what gives it when it is read.
        rank: ValueRank.
        access: AccessLevel bits.
        user_access: UserAccessLevel bits; `access` if None.
        historizing: The historian keeps it.
        sampling_ms: MinimumSamplingInterval.
        display: DisplayName; the BrowseName's if None.
        description: For people.
        references: Of the node, with HasTypeDefinition.
    """
    data = node(
        node_id, ua.NodeClass.Variable, name, display=display, description=description, references=references
    )
    held = AttributeValue(value) if isinstance(value, ua.DataValue) else AttributeValue(None)
    if not isinstance(value, ua.DataValue):
        held.value_callback = value
    data.attributes[A.Value] = held
    put(data, A.DataType, data_type, ua.VariantType.NodeId)
    put(data, A.ValueRank, int(rank), ua.VariantType.Int32)
    if rank > 0:
        put(data, A.ArrayDimensions, [0] * int(rank), ua.VariantType.UInt32)
    put(data, A.AccessLevel, access, ua.VariantType.Byte)
    put(data, A.UserAccessLevel, access if user_access is None else user_access, ua.VariantType.Byte)
    put(data, A.MinimumSamplingInterval, sampling_ms, ua.VariantType.Double)
    put(data, A.Historizing, historizing, ua.VariantType.Boolean)
    return data


def property_(
    node_id: ua.NodeId,
    name: str,
    owner: ua.ReferenceDescription,
    data_type: ua.NodeId,
    value: ua.DataValue | ReadValue,
    *,
    rank: int = ua.ValueRank.Scalar,
) -> NodeData:
    """A Property with a standard name (OPC 10000-3 §5.6.3).

    Args:
        node_id: Of the node.
        name: BrowseName in namespace 0.
        owner: The inverse HasProperty reference to whose property it is.
        data_type: NodeId of its data type.
        value: What it holds, or what gives it when it is read.
        rank: ValueRank.
    """
    references = [type_reference(PROPERTY_TYPE, "PropertyType", ua.NodeClass.VariableType), owner]
    return variable(node_id, ua.QualifiedName(name, 0), data_type, value, rank=rank, references=references)


def put(data: NodeData, attribute: ua.AttributeIds, value: Any, kind: ua.VariantType) -> None:
    """Sets an attribute."""
    data.attributes[attribute] = AttributeValue(ua.DataValue(ua.Variant(value, kind)))


def reference(
    kind: ua.NodeId,
    target: ua.NodeId,
    name: ua.QualifiedName,
    node_class: ua.NodeClass,
    type_definition: ua.NodeId | None = None,
    *,
    forward: bool = True,
    display: str | None = None,
) -> ua.ReferenceDescription:
    """A reference with what Browse tells of its target (OPC 10000-4 §7.30).

    Args:
        kind: ReferenceTypeId.
        target: The other node.
        name: Its BrowseName.
        node_class: Its NodeClass.
        type_definition: Its type; None for what is no Object or Variable.
        forward: False for the inverse direction.
        display: Its DisplayName; the BrowseName's if None.
    """
    return ua.ReferenceDescription(
        ReferenceTypeId=kind,
        IsForward=forward,
        NodeId=target,
        BrowseName=name,
        DisplayName=ua.LocalizedText(str(name.Name) if display is None else display),
        NodeClass=node_class,
        TypeDefinition=ua.NodeId() if type_definition is None else type_definition,
    )


def type_reference(type_id: ua.NodeId, name: str, node_class: ua.NodeClass) -> ua.ReferenceDescription:
    """HasTypeDefinition to a standard type.

    Args:
        type_id: Of the type.
        name: Its BrowseName in namespace 0.
        node_class: ObjectType or VariableType.
    """
    return reference(HAS_TYPE_DEFINITION, type_id, ua.QualifiedName(name, 0), node_class)
