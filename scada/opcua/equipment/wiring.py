"""Puts equipment into a server."""

from __future__ import annotations

from functools import partial
from typing import Any

from asyncua import ua

from scada.client import Client
from scada.opcua.equipment.calls import EquipmentCalls
from scada.opcua.equipment.methods import Method
from scada.opcua.equipment.model import Equipment, Item
from scada.opcua.equipment.nodes import EquipmentNodes
from scada.opcua.events.audit import WHO
from scada.opcua.nodes.ids import NAMESPACE, node_id


def types_of(equipment: Equipment) -> dict[str, tuple[ua.NodeId, ua.QualifiedName]]:
    """NodeId and BrowseName of the type of each folder that is equipment, by its path; for `TagNodes`."""
    return {
        item.path: (node_id(item.kind), ua.QualifiedName(equipment.kinds[item.kind].name, NAMESPACE))
        for item in equipment.items.values()
        if not item.beside
    }


def install(iserver: Any, equipment: Equipment, client: Client, site: str, top: ua.NodeId) -> None:
    """Adds nodes and methods of equipment.

    Args:
        iserver: `SiteServer`; its `nodes` have the tags already, its `table` their values.
        equipment: Of the site.
        client: Takes the requests.
        site: Name of the site.
        top: The site's top folder.
    """
    calls = EquipmentCalls(equipment, client, lambda: getattr(iserver, "access", None), iserver.table)
    iserver.nodes.attach(EquipmentNodes(equipment, site, str(top.Identifier), partial(_executable, calls)))
    iserver.method_service.add(calls)


def _executable(calls: EquipmentCalls, item: Item, method: Method) -> bool:
    return calls.executable(WHO.get().caller, item, method)
