from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator

import pytest

from tests.client.plant import Plant
from tests.opcua.conditions.simulated import alarms
from tests.opcua.events.conftest import standard, types
from tests.support.ports import free_ports

__all__ = ["standard", "types"]


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    site = dataclasses.replace(alarms(), opcua_endpoint=f"opc.tcp://127.0.0.1:{free_ports()}")
    plant = Plant(tmp_path_factory.mktemp("opcua") / "data", site)
    yield plant
    plant.close()
    shutil.rmtree(plant.data.run.resolve())
