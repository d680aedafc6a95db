"""A real server of the demo site over images that the test writes; control is played by `Responder`."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from asyncua import Client as UaClient
from asyncua import Server

from scada.client import Client
from scada.opcua.assembly import assemble
from scada.opcua.security.passwords import SiteUsers
from scada.opcua.server import make_server
from scada.users import Users
from tags.model import Site
from tags.site import read_site
from tests.client.plant import Plant
from tests.opcua.conftest import PASSWORD
from tests.opcua.test_server import signed_in
from tests.support import standard_nodes
from tests.support.ports import free_ports

DEMO = Path(__file__).parents[3] / "config" / "demo"


@dataclass
class Running:
    url: str
    plant: Plant
    server: Server
    operator: UaClient
    viewer: UaClient
    engineer: UaClient


@pytest.fixture(scope="session")
def demo() -> Site:
    return read_site(DEMO)


@pytest.fixture(scope="package")
def demo_plant(demo: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    site = dataclasses.replace(demo, opcua_endpoint=f"opc.tcp://127.0.0.1:{free_ports()}")
    plant = Plant(tmp_path_factory.mktemp("equipment") / "data", site)
    yield plant
    plant.close()
    shutil.rmtree(plant.data.run.resolve())


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def running(demo_plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    plant, site = demo_plant, demo_plant.site
    users = Users(plant.data.users)
    users.add("anna", PASSWORD, "operator")
    users.add("vera", PASSWORD, "viewer")
    users.add("eva", PASSWORD, "engineer")
    plant.beat()
    client = Client(plant.data.root, source="opcua", clock=plant.clock)
    base = plant.data.root.parent.parent
    standard_nodes.lend(base, plant.data)
    manager = SiteUsers(users, plant.clock, lambda _user, _source, _accepted: None)
    server = await make_server(site, plant.data, manager)
    await assemble(server, client, manager, plant.clock)
    await server.start()
    found = Running(site.opcua_endpoint, plant, server, UaClient(""), UaClient(""), UaClient(""))
    found.operator, found.viewer, found.engineer = [
        await signed_in(found, tmp_path_factory.mktemp(name), name)  # type: ignore[arg-type]
        for name in ("anna", "vera", "eva")
    ]
    yield found
    for one in (found.operator, found.viewer, found.engineer):
        await one.disconnect()
    await server.stop()
    client.close()
