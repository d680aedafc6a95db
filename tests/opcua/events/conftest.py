from __future__ import annotations

import asyncio
import shutil

import pytest
from asyncua.server.address_space import AddressSpace, NodeManagementService

from scada.datadir import DataDir
from scada.opcua.events.types import EventTypes
from scada.opcua.nodes.standard import fill
from tests.support import standard_nodes


@pytest.fixture(scope="session")
def standard(tmp_path_factory: pytest.TempPathFactory) -> AddressSpace:
    """Namespace 0, to be looked at only."""
    base = tmp_path_factory.getbasetemp()
    data = DataDir(tmp_path_factory.mktemp("standard"))
    data.create()
    standard_nodes.lend(base, data)
    aspace = AddressSpace()
    asyncio.run(fill(aspace, NodeManagementService(aspace), data.run))
    shutil.rmtree(data.run.resolve())
    return aspace


@pytest.fixture(scope="session")
def types(standard: AddressSpace) -> EventTypes:
    return EventTypes(standard)
