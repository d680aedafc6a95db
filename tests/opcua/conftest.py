from __future__ import annotations

import asyncio
import dataclasses
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from asyncua import Server

from scada.client import Client
from scada.clock import SimulatedClock
from scada.opcua.assembly import Parts, assemble
from scada.opcua.events.audit import Audit
from scada.opcua.security.passwords import SiteUsers
from scada.opcua.server import make_server
from scada.opcua.subscriptions.service import Subscriptions
from scada.users import Users
from tests.client.plant import Plant
from tests.support import standard_nodes
from tests.support.ports import free_ports
from tests.support.site import make_site

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    site = dataclasses.replace(make_site(), opcua_endpoint=f"opc.tcp://127.0.0.1:{free_ports()}")
    plant = Plant(tmp_path_factory.mktemp("opcua") / "data", site)
    yield plant
    plant.close()
    shutil.rmtree(plant.data.run.resolve())


@dataclass
class Running:
    """A real OPC UA server over the images that the test writes."""

    url: str
    plant: Plant
    mirror: Subscriptions  # push() looks at the plant; it also happens by itself
    logins: list[tuple[str, bool]]
    users: Users
    server: Server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server_of(plant: Plant) -> AsyncIterator[Running]:
    logins: list[tuple[str, bool]] = []
    users = Users(plant.data.users, PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    users.add("anna", PASSWORD, "operator")
    users.add("vera", PASSWORD, "viewer")
    users.add("tom", PASSWORD, "operator")
    clock = SimulatedClock()
    manager = SiteUsers(users, clock, lambda user, _source, accepted: logins.append((user, accepted)))
    plant.beat()
    client = Client(plant.data.root, source="opcua", clock=plant.clock)
    base = plant.data.root.parent.parent
    standard_nodes.lend(base, plant.data)
    server = await make_server(plant.site, plant.data, manager)
    server.iserver.audit = Audit(lambda kind, **fields: plant.event(kind, "opcua", **fields), plant.clock)
    parts = await assemble(server, client, manager, plant.clock)
    mirror = parts.subscriptions
    await server.start()
    await mirror.push()
    ticking = asyncio.create_task(_tick(parts))
    yield Running(plant.site.opcua_endpoint, plant, mirror, logins, users, server)
    ticking.cancel()
    await server.stop()
    client.close()


async def _tick(parts: Parts) -> None:
    while True:
        parts.events.poll()
        await parts.subscriptions.push()
        await asyncio.sleep(0.02)


@pytest.fixture
def running(server_of: Running) -> Running:
    """The module's server (asyncua needs seconds for its standard nodes) with an empty log of log-ins."""
    server_of.logins.clear()
    return server_of
