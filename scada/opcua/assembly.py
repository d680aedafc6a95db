"""What a server of a site is made of, put together: for the service and for tests over the same parts."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass
from typing import Final

from asyncua import Server, ua

from scada.client import Client
from scada.clock import Clock
from scada.opcua.conditions.wiring import install as install_conditions
from scada.opcua.equipment.model import Equipment
from scada.opcua.equipment.wiring import install as install_equipment
from scada.opcua.equipment.wiring import types_of
from scada.opcua.events.hub import Events
from scada.opcua.history.events import EventHistory
from scada.opcua.history.manager import Histories
from scada.opcua.history.nodes import describe
from scada.opcua.information.wiring import install as install_information
from scada.opcua.nodes.browse import Browsing
from scada.opcua.nodes.ids import NAMESPACE
from scada.opcua.nodes.registered import Registered
from scada.opcua.nodes.services import View
from scada.opcua.nodes.tags import TagNodes
from scada.opcua.reading.attributes import Attributes
from scada.opcua.reading.service import Reads
from scada.opcua.security.access import Access
from scada.opcua.security.passwords import SiteUsers
from scada.opcua.subscriptions.service import Subscriptions
from scada.opcua.subscriptions.wiring import install as install_subscriptions
from scada.opcua.table import Table
from scada.opcua.wire.dispatch import READ, WRITE, Service
from scada.opcua.writes import Writes

TICK_S: Final = 0.05
"""Between two looks at the plant."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the loop of the service goes on with.

    Attributes:
        table: The tags.
        subscriptions: Look at the plant at each tick and publish.
        events: What happens in the plant, for those who asked.
    """

    table: Table
    subscriptions: Subscriptions
    events: Events


async def assemble(server: Server, client: Client, users: SiteUsers, clock: Clock) -> Parts:
    """Gives an initialised server the nodes and services of a site, before it listens.

    Args:
        server: Of `make_server`.
        client: The plant.
        users: Who may sign in.
        clock: The machine's, or of a test.
    """
    iserver, site = server.iserver, client.site
    table = Table(client)
    table.refresh(clock.utc_ns())
    await _turn()
    access = Access(site.opcua_security, table.tags, client.tags)
    iserver.table, iserver.access = table, access
    await _turn()
    equipment = Equipment(site, client.tags)
    await _turn()
    types, notifiers = types_of(equipment), set[str]()
    described = {item.path: item.description for item in equipment.items.values() if item.description}
    tags = TagNodes(site.name, table.tags, table.data_value, TICK_S * 1000, types, notifiers, described)
    await _turn()
    iserver.nodes.attach(tags)
    install_equipment(iserver, equipment, client, site.name, tags.top)
    await _turn()
    events = install_conditions(iserver, client, clock, tags.top, types, users.still)
    notifiers |= events.notifiers
    await describe(server, client.tags, NAMESPACE)
    registered = Registered([tag.path for tag in table.tags], table.row_of)
    iserver.registered = registered
    iserver.services |= View(Browsing(iserver.aspace, access, registered.resolve), registered).services()
    started = dt.datetime.fromtimestamp(clock.utc_ns() // 1_000_000_000, dt.UTC)
    attributes = Attributes(iserver.aspace, client.tags, table, access, started)
    reads = Reads(table, attributes, registered, access, clock)
    iserver.services[READ] = Service(ua.ReadParameters, reads.handle)
    iserver.fast[READ] = reads.fast
    histories = Histories(iserver, client.data.root, client.tags)
    histories.events = EventHistory(events.hub, events.history)
    iserver.history_manager = histories
    iserver.services |= histories.services()
    install_information(iserver, site, table.tags, table.data_value, clock)
    writes = Writes(iserver.aspace, client, table, registered, users.still, access, iserver.audit)
    iserver.attribute_service = writes
    iserver.services[WRITE] = Service(ua.WriteParameters, writes.handle, waits=True)
    subscriptions = install_subscriptions(iserver, client, table, attributes, clock)
    return Parts(table, subscriptions, events.hub)


async def _turn() -> None:
    """Lets the service beat: each step takes a quarter of a second with a hundred thousand tags."""
    await asyncio.sleep(0)
