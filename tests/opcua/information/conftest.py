"""A server with all its parts that does not listen: what it tells is looked up in its address space."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from scada.client import Client
from scada.opcua.assembly import assemble
from scada.opcua.security.passwords import SiteUsers
from scada.opcua.server import make_server
from scada.users import Users
from tests.client.plant import Plant
from tests.support import standard_nodes


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def iserver(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    plant = Plant(tmp_path_factory.mktemp("information") / "data")
    plant.beat()
    client = Client(plant.data.root, source="opcua", clock=plant.clock)
    base = plant.data.root.parent.parent
    manager = SiteUsers(Users(plant.data.users), plant.clock, lambda _user, _source, _accepted: None)
    standard_nodes.lend(base, plant.data)
    server = await make_server(plant.site, plant.data, manager)
    standard_nodes.keep(base, plant.data)
    await assemble(server, client, manager, plant.clock)
    yield server.iserver
    client.close()
    plant.close()
    shutil.rmtree(plant.data.run.resolve())
