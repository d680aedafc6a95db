"""The nodes of a site as a UANodeSet file (OPC 10000-6 Annex F), for engineering tools and other servers.

It holds tags with their properties, folders, and equipment with its types and methods: what the running server shows
below `Objects/<site>`, without values of tags.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, Final

from asyncua import ua
from asyncua.server.address_space import NodeData

from scada.opcua.equipment.model import Equipment
from scada.opcua.equipment.nodes import EquipmentNodes
from scada.opcua.equipment.wiring import types_of
from scada.opcua.nodes import make
from scada.opcua.nodes import values_xml as xml
from scada.opcua.nodes.lazy import LazyNodes
from scada.opcua.nodes.tags import TagNodes
from tags.model import Site

A: Final = ua.AttributeIds
_CLASSES: Final = {
    ua.NodeClass.Object: "UAObject",
    ua.NodeClass.Variable: "UAVariable",
    ua.NodeClass.Method: "UAMethod",
    ua.NodeClass.ObjectType: "UAObjectType",
    ua.NodeClass.VariableType: "UAVariableType",
}
_HOLDING: Final = frozenset({make.ORGANIZES, make.HAS_COMPONENT, make.HAS_PROPERTY, make.HAS_SUBTYPE})
_DEFAULTS: Final = {
    A.EventNotifier: 0,
    A.IsAbstract: False,
    A.Executable: True,
    A.ValueRank: -1,
    A.AccessLevel: 1,
    A.MinimumSamplingInterval: 0.0,
    A.Historizing: False,
}
"""Attributes with a name of their own in the file, and what the file says when it does not say them."""
_BASE_VERSION: Final = ("1.05.03", "2023-12-15T00:00:00Z")
"""The oldest standard node set that has all that the file refers to: version and publication date."""


def nodes_of(site: Site) -> LazyNodes:
    """The nodes of a site that need no running plant."""
    nodes = LazyNodes({})
    equipment = Equipment(site)
    tags = TagNodes(site.name, site.tags, lambda _row: ua.DataValue(), types=types_of(equipment))
    nodes.attach(tags)
    nodes.attach(EquipmentNodes(equipment, site.name, str(tags.top.Identifier), lambda _item, _method: True))
    return nodes


def write(site: Site, version: str, published: dt.datetime) -> Iterator[str]:
    """The file, piece by piece.

    Args:
        site: The compiled site.
        version: Of the model.
        published: When this version was published, UTC.
    """
    uri = f"urn:closedloop:{site.name}"
    moment = published.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    yield (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<UANodeSet xmlns="http://opcfoundation.org/UA/2011/03/UANodeSet.xsd"'
        ' xmlns:uax="http://opcfoundation.org/UA/2008/02/Types.xsd"'
        f' LastModified="{moment}">\n'
        f"<NamespaceUris><Uri>{xml.text(uri)}</Uri></NamespaceUris>\n"
        f"<Models><Model ModelUri={xml.attribute(uri)} Version={xml.attribute(version)}"
        f' PublicationDate="{moment}">'
        f'<RequiredModel ModelUri="http://opcfoundation.org/UA/" Version="{_BASE_VERSION[0]}" PublicationDate="{_BASE_VERSION[1]}"/></Model></Models>\n'
    )
    nodes = nodes_of(site)
    known = {one for source in nodes.sources for one in source.ids()}
    for source in nodes.sources:
        for one in source.ids():
            yield _node(nodes[one], known)
    yield "</UANodeSet>\n"


def _node(data: NodeData, known: set[ua.NodeId]) -> str:
    class_ = _CLASSES[_value(data, A.NodeClass)]
    references = [one for one in data.references if one.NodeId.NamespaceIndex == 0 or one.NodeId in known]
    id_, name = xml.node_id(data.nodeid), xml.name(_value(data, A.BrowseName))
    parts = [f"<{class_} NodeId={xml.attribute(id_)} BrowseName={xml.attribute(name)}"]
    parent = next((one for one in references if not one.IsForward and one.ReferenceTypeId in _HOLDING), None)
    if parent is not None and class_ in {"UAObject", "UAVariable", "UAMethod"}:
        parts.append(f" ParentNodeId={xml.attribute(xml.node_id(parent.NodeId))}")
    parts += _attributes(data)
    parts.append(f">\n <DisplayName>{xml.text(_value(data, A.DisplayName).Text)}</DisplayName>\n")
    if A.Description in data.attributes and (words := _value(data, A.Description).Text):
        parts.append(f" <Description>{xml.text(words)}</Description>\n")
    parts.append(" <References>\n")
    parts += [_reference(one) for one in references]
    parts.append(" </References>\n")
    if A.Value in data.attributes:
        parts.append(_held(data))
    parts.append(f"</{class_}>\n")
    return "".join(parts)


def _attributes(data: NodeData) -> Iterator[str]:
    if A.DataType in data.attributes:
        yield f' DataType="{xml.node_id(_value(data, A.DataType))}"'
    for which, default in _DEFAULTS.items():
        if which in data.attributes:
            value: Any = _value(data, which)
            if value != default:
                words = str(value).lower() if isinstance(value, bool) else str(value)
                yield f' {which.name}="{words}"'
    if A.ArrayDimensions in data.attributes and (sizes := _value(data, A.ArrayDimensions)):
        yield f' ArrayDimensions="{",".join(map(str, sizes))}"'


def _reference(one: ua.ReferenceDescription) -> str:
    back = "" if one.IsForward else ' IsForward="false"'
    kind = xml.node_id(one.ReferenceTypeId)
    return f'  <Reference ReferenceType="{kind}"{back}>{xml.text(xml.node_id(one.NodeId))}</Reference>\n'


def _held(data: NodeData) -> str:
    """The value of a property; values of tags are the plant's and not the model's."""
    held = data.attributes[A.Value].value
    content = xml.variant(held.Value) if held is not None and held.Value is not None else ""
    return f" <Value>{content}</Value>\n" if content else ""


def _value(data: NodeData, which: ua.AttributeIds) -> Any:
    held = data.attributes[which].value
    return held.Value.Value if held is not None and held.Value is not None else _DEFAULTS.get(which)
