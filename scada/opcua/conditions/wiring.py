"""Events and conditions of a server, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from asyncua import ua

from scada.alarms.record import Record
from scada.client import Client
from scada.clock import Clock
from scada.opcua.conditions.methods import ConditionMethods
from scada.opcua.conditions.nodes import ConditionNodes
from scada.opcua.conditions.refresh import Refresh
from scada.opcua.conditions.state import Conditions
from scada.opcua.events import auditing
from scada.opcua.events.hub import Events
from scada.opcua.events.items import EventItems
from scada.opcua.events.mapping import SERVER, Frame, Mapper
from scada.opcua.nodes.tags import NOTIFIES
from scada.opcua.security.access import Access, Permission
from scada.opcua.security.caller import Caller

Types = Mapping[str, tuple[ua.NodeId, ua.QualifiedName]]


class Known:
    """What a client knows of the plant now (`conditions.state.Plant`).

    Args:
        client: The plant.
        clock: For the time that shelves still last.
    """

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock

    def bits(self, path: str) -> int:
        """State of an alarm as shown."""
        return int(self._client.images.bits[self._client.index[path]])

    def record(self, path: str) -> Record:
        """What control knows of it."""
        found = self._client.condition(path)
        return Record(*(getattr(found, name) for name in Record._fields))

    def status(self, path: str) -> int:
        """Quality of a tag."""
        return int(self._client.images.shown[self._client.index[path]])

    def now_ns(self) -> int:
        """UTC."""
        return self._clock.utc_ns()


@dataclass(frozen=True, slots=True)
class Parts:
    """What was put together.

    Attributes:
        hub: To be polled before each publishing.
        conditions: The alarms.
        history: Makes events of what the historian kept.
        notifiers: Folders that one may subscribe to events of; "" is the site.
    """

    hub: Events
    conditions: Conditions
    history: Mapper
    notifiers: set[str]


def install(
    iserver: Any,
    client: Client,
    clock: Clock,
    top: ua.NodeId,
    types: Types,
    still: Callable[[Caller], bool],
) -> Parts:
    """Gives a server its events, conditions and their methods.

    Args:
        iserver: With its nodes, `access` and `audit`; gets `events`.
        client: The plant.
        clock: The machine's, or of a test.
        top: Node of the site in `Objects`.
        types: Types of folders that are equipment.
        still: Whether a caller has the role yet that he signed in with.
    """
    site, access = client.site, iserver.access
    conditions = Conditions(site.alarms, client.tags, Known(client, clock))
    server_id = f"urn:closedloop:{site.name}:server"
    audits = auditing.makers(server_id, iserver.audit.certificates)
    mapper = Mapper(site, {**audits, "alarm": conditions.make}, Frame(site, client.tags))
    follower = client.follow()

    def may_hear(caller: Any, path: str) -> bool:
        return isinstance(access, Access) and access.permits(caller, path, Permission.RECEIVE_EVENTS)

    def may_call(caller: Any, path: str) -> bool:
        return isinstance(access, Access) and access.permits(caller, path, Permission.CALL)

    hub = Events(
        iserver.aspace, mapper, follower, clock, str(top.Identifier), may_hear if access is not None else None
    )
    hub.on_gap = conditions.lost
    hub.keep = lambda raw: raw["kind"] == "alarm" and conditions.keep(raw)
    iserver.events = hub

    def find(session: Any, subscription: int) -> EventItems | None:
        found = iserver.subscription_service.subscriptions.get(subscription)
        if found is None or session is None or found.session_id != session.session_id:
            return None
        items: EventItems | None = getattr(found, "events", None)
        return EventItems(hub, session) if items is None else items

    def look() -> None:
        client.refresh()
        hub.poll()

    refresh = Refresh(conditions, hub, mapper.frame, clock, find)
    iserver.method_service.add(
        ConditionMethods(
            conditions, client, refresh, look, may_call if access is not None else None, still, iserver.table
        )
    )
    notifier = iserver.nodes[SERVER].attributes[ua.AttributeIds.EventNotifier]
    notifier.value = ua.DataValue(ua.Variant(NOTIFIES, ua.VariantType.Byte))
    nodes = ConditionNodes(iserver.aspace, site, conditions, top, types, client.tags)
    iserver.nodes.attach(nodes)
    past = Mapper(site, {**audits, "alarm": conditions.past}, mapper.frame)
    return Parts(hub, conditions, past, nodes.notifiers)
