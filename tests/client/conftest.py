from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scada.client import Client
from tests.client.plant import Plant


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    plant = Plant(tmp_path / "data")
    yield plant
    plant.close()
    shutil.rmtree(plant.data.run.resolve())


@pytest.fixture
def client(plant: Plant) -> Iterator[Client]:
    with Client(plant.data.root, "script", "anna", "operator", clock=plant.clock) as client:
        yield client
