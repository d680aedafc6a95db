"""The OPC UA service: one event loop that looks at the plant 20 times a second and serves clients between."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import gc
import logging
from typing import Final

from asyncua import Server

from scada.client import Client
from scada.opcua.assembly import TICK_S, Parts, assemble
from scada.opcua.discovery import registered
from scada.opcua.events.audit import Audit
from scada.opcua.nodes.standard import keep
from scada.opcua.security.passwords import SiteUsers
from scada.opcua.security.watch import Watch
from scada.opcua.server import make_server
from scada.service import Service
from scada.users import Users

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
    client = Client(service.data.root, source="opcua", site=site)

    def log_login(user: str, source: str, accepted: bool) -> None:
        service.event("login", user=user, source=f"opcua {source}", accepted=accepted)

    def log_registration(known: bool, why: str) -> None:
        service.event("discovery", server=site.opcua_discovery, registered=known, why=why)

    users = SiteUsers(Users(service.data.users), service.clock, log_login)
    building = asyncio.create_task(_beat(service))
    server = await make_server(site, service.data, users)
    server.iserver.audit = Audit(service.event, service.clock)
    parts = await assemble(server, client, users, service.clock)
    watch = Watch(server, server.iserver.guard, service.data.users)
    building.cancel()
    await server.start()
    gc.enable()
    gc.freeze()
    _give_back()
    service.ready()
    keeping = asyncio.create_task(keep(service.data.run))
    try:
        async with registered(server, site, service.data.certs, log_registration):
            await _run(service, parts, server, watch)
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})
        server.iserver.status.stop("the service ends")
        await server.stop()
        client.close()


def _give_back() -> None:
    """Gives the system the memory back in which the site was read and the nodes were made."""
    with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)


async def _beat(service: Service) -> None:
    """Stays alive while asyncua builds its standard nodes in a thread."""
    while True:
        service.beat()
        await asyncio.sleep(TICK_S)


async def _run(service: Service, parts: Parts, server: Server, watch: Watch) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time()
    ticks = 0
    while not service.stopping:
        parts.events.poll()
        await parts.subscriptions.push()
        service.beat()
        if ticks % _HEALTH_TICKS == 0:
            sessions = server.iserver.external_sessions()
            service.health(
                sessions=sum(session.is_activated() for session in sessions),
                **parts.subscriptions.health(),
                event_overflows=parts.events.lost,
                audits_suppressed=server.iserver.audit.suppressed,
                **server.bserver.health(),
                **await watch.look(),
            )
        ticks += 1
        due = max(due + TICK_S, loop.time())
        await asyncio.sleep(due - loop.time())
