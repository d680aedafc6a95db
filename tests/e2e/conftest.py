from __future__ import annotations

from collections.abc import Iterator

import pytest

from scada.client import Client
from tests.e2e.plant import DemoPlant


@pytest.fixture(scope="session")
def shared_plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoPlant]:
    """One running demo for all tests that leave it as they found it."""
    with DemoPlant(tmp_path_factory.mktemp("demo")) as plant:
        yield plant


@pytest.fixture
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoPlant]:
    """A demo of its own, for tests that break it."""
    with DemoPlant(tmp_path_factory.mktemp("demo")) as plant:
        yield plant


@pytest.fixture
def client(plant: DemoPlant) -> Iterator[Client]:
    with plant.client() as client:
        yield client
