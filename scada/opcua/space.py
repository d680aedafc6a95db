"""The address space: folders and variables under `Objects/<site>`, string NodeIds `ns=2;s=<path>`.

A tag with unit and range is an AnalogItemType with EURange and EngineeringUnits (OPC 10000-8 §5.3.2). A tag below
another tag (`tank1/LT-101/HH`) is its component; everything else lies in folders.
"""

from __future__ import annotations

import asyncio
from typing import Final

from asyncua import Node, Server, ua
from asyncua.server.address_space import AttributeValue

from scada.opcua.nodes.ids import NAMESPACE, node_id
from scada.opcua.types import VARIANT, zero
from tags import units
from tags.model import Site, Tag
from tags.types import BOOL, STRING

TURN: Final = 100
"""Tags that are made before others have their turn: asyncua waits for nothing here, and the service must beat."""
_ANALOG_ITEM: Final = ua.NodeId(ua.ObjectIds.AnalogItemType)
_BASE_VARIABLE: Final = ua.NodeId(ua.ObjectIds.BaseDataVariableType)


async def build(server: Server, site: Site) -> dict[str, AttributeValue]:
    """Makes the nodes of a site.

    Args:
        server: Initialised, with the site's namespace registered as index `NAMESPACE`.
        site: The compiled site.

    Returns:
        The Value attribute of each tag by path, for `mirror`.
    """
    top = await server.nodes.objects.add_folder(node_id(site.name), ua.QualifiedName(site.name, NAMESPACE))
    paths = {tag.path for tag in site.tags}
    made: dict[str, Node] = {}
    values: dict[str, AttributeValue] = {}
    for number, tag in enumerate(sorted(site.tags, key=lambda tag: tag.path.count("/"))):
        if number % TURN == 0:
            await asyncio.sleep(0)
        parent = await _parent(top, made, paths, tag.path)
        made[tag.path] = await _variable(parent, tag)
        values[tag.path] = server.iserver.aspace[node_id(tag.path)].attributes[ua.AttributeIds.Value]
    return values


async def _parent(top: Node, made: dict[str, Node], paths: set[str], path: str) -> Node:
    """The node that a path lies under; folders are made on the way."""
    head, slash, _ = path.rpartition("/")
    if not slash:
        return top
    if head not in made:
        if head in paths:
            raise AssertionError(f"{head} comes before {path}: tags are sorted by depth")
        above = await _parent(top, made, paths, head)
        name = head.rpartition("/")[2]
        made[head] = await above.add_folder(node_id(head), ua.QualifiedName(name, NAMESPACE))
    return made[head]


async def _variable(parent: Node, tag: Tag) -> Node:
    """Adds the variable of a tag with one call: asyncua's own helper knows no type definition."""
    name = tag.path.rpartition("/")[2]
    unit = units.find(tag.unit) if tag.unit else None
    analog = unit is not None and tag.range is not None and tag.type not in {BOOL, STRING}
    access = ua.AccessLevel.CurrentRead.mask | (ua.AccessLevel.CurrentWrite.mask if tag.writable else 0)
    access |= ua.AccessLevel.HistoryRead.mask if tag.history.keep else 0
    below_variable = await parent.read_node_class() == ua.NodeClass.Variable
    item = ua.AddNodesItem(
        ParentNodeId=parent.nodeid,
        ReferenceTypeId=ua.NodeId(ua.ObjectIds.HasComponent if below_variable else ua.ObjectIds.Organizes),
        RequestedNewNodeId=node_id(tag.path),
        BrowseName=ua.QualifiedName(name, NAMESPACE),
        NodeClass=ua.NodeClass.Variable,
        NodeAttributes=ua.VariableAttributes(
            DisplayName=ua.LocalizedText(name),
            Description=ua.LocalizedText(tag.description or name),
            Value=ua.Variant(zero(tag.type), VARIANT[tag.type]),
            DataType=ua.NodeId(VARIANT[tag.type].value),
            ValueRank=ua.ValueRank.Scalar,
            AccessLevel=access,
            UserAccessLevel=access,
            Historizing=tag.history.keep,
        ),
        TypeDefinition=_ANALOG_ITEM if analog else _BASE_VARIABLE,
    )
    result = (await parent.session.add_nodes([item]))[0]
    result.StatusCode.check()
    variable = Node(parent.session, result.AddedNodeId)
    if analog and unit is not None and tag.range is not None:
        await _analog_properties(variable, tag.path, unit, tag.range)
    return variable


async def _analog_properties(
    variable: Node, path: str, unit: units.Unit, limits: tuple[float, float]
) -> None:
    await variable.add_property(
        node_id(f"{path}#EURange"), ua.QualifiedName("EURange", 0), ua.Range(Low=limits[0], High=limits[1])
    )
    await variable.add_property(
        node_id(f"{path}#EngineeringUnits"),
        ua.QualifiedName("EngineeringUnits", 0),
        ua.EUInformation(
            NamespaceUri=units.NAMESPACE,
            UnitId=unit.unit_id,
            DisplayName=ua.LocalizedText(unit.symbol),
            Description=ua.LocalizedText(unit.description),
        ),
    )
