"""The OPC UA service: one event loop that looks at the plant 20 times a second and serves clients between."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
from typing import Final

from asyncua import Server

from scada.client import Client
from scada.opcua.equipment.model import Equipment
from scada.opcua.equipment.wiring import install as install_equipment
from scada.opcua.equipment.wiring import types_of
from scada.opcua.events.audit import Audit
from scada.opcua.history.manager import Histories
from scada.opcua.history.nodes import describe
from scada.opcua.mirror import Mirror
from scada.opcua.nodes.ids import NAMESPACE
from scada.opcua.nodes.tags import TagNodes
from scada.opcua.security.passwords import SiteUsers
from scada.opcua.server import make_server
from scada.opcua.table import Table
from scada.opcua.writes import Writes
from scada.service import Service
from scada.users import Users

TICK_S: Final = 0.05
_HEALTH_TICKS: Final = 20


def run(service: Service) -> int:
    """Serves until the service is asked to stop; returns the exit code."""
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # client mistakes are no news of ours
    try:
        asyncio.run(_serve(service))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        service.fail(f"{service.site.opcua_endpoint}: the port is in use. Choose another with --opcua-port.")
        return 1
    return 0


async def _serve(service: Service) -> None:
    site = service.site
    client = Client(service.data.root, source="opcua")

    def log_login(user: str, source: str, accepted: bool) -> None:
        service.event("login", user=user, source=f"opcua {source}", accepted=accepted)

    users = SiteUsers(Users(service.data.users), service.clock, log_login)
    building = asyncio.create_task(_beat(service))
    server = await make_server(site, service.data, users)
    server.iserver.audit = Audit(service.event, service.clock)
    table = Table(client)
    table.refresh(service.clock.utc_ns())
    equipment = Equipment(site)
    tags = TagNodes(site.name, table.tags, table.data_value, TICK_S * 1000, types_of(equipment))
    server.iserver.nodes.attach(tags)
    install_equipment(server.iserver, equipment, client, site.name, tags.top)
    await describe(server, site, NAMESPACE)
    server.iserver.history_manager = Histories(server.iserver, service.data.root, client.tags)
    server.iserver.attribute_service = Writes(server.iserver.aspace, client, users.still)
    mirror = Mirror(table, server.iserver.nodes, service.clock)
    building.cancel()
    await server.start()
    gc.enable()
    gc.freeze()
    service.ready()
    try:
        await _run(service, mirror, server)
    finally:
        await server.stop()
        client.close()


async def _beat(service: Service) -> None:
    """Stays alive while asyncua builds its standard nodes in a thread."""
    while True:
        service.beat()
        await asyncio.sleep(TICK_S)


async def _run(service: Service, mirror: Mirror, server: Server) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time()
    ticks = 0
    while not service.stopping:
        await mirror.push()
        service.beat()
        if ticks % _HEALTH_TICKS == 0:
            sessions = server.iserver._external_sessions.values()  # noqa: SLF001 - asyncua counts them nowhere else
            service.health(sessions=sum(session.is_activated() for session in sessions))
        ticks += 1
        due = max(due + TICK_S, loop.time())
        await asyncio.sleep(due - loop.time())
