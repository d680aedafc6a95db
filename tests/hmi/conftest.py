from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.hmi.plant import PASSWORD, Control, Hmi, Plant, obey


@contextlib.contextmanager
def running(root: Path, **users: str) -> Iterator[tuple[Plant, Hmi]]:
    plant = Plant(root)
    try:
        for name, role in users.items():
            plant.users.add(name, PASSWORD, role)
        Control(plant, obey)
        hmi = Hmi(plant)
        try:
            hmi.url()
            yield plant, hmi
        finally:
            code = hmi.close()
        assert code == 0, hmi.log()
    finally:
        plant.close()
        shutil.rmtree(plant.data.run.resolve())


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Plant, Hmi]]:
    root = tmp_path_factory.mktemp("hmi") / "data"
    with running(root, vera="viewer", anna="operator", emil="engineer") as both:
        yield both


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[tuple[Plant, Hmi]]:
    """For tests that break it."""
    with running(tmp_path / "data", anna="operator") as both:
        yield both


@pytest.fixture
def plant(server: tuple[Plant, Hmi]) -> Plant:
    return server[0]


@pytest.fixture
def url(server: tuple[Plant, Hmi]) -> str:
    return server[1].url()


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=15) as client:
        yield client


@pytest.fixture(scope="session")
def cookies(server: tuple[Plant, Hmi]) -> dict[str, str]:
    """Of one sign-in for all tests: each costs a password hash."""
    with httpx.Client(base_url=server[1].url(), timeout=15) as client:
        assert client.post("/api/login", json={"name": "anna", "password": PASSWORD}).status_code == 200
        return dict(client.cookies)


@pytest.fixture
def anna(url: str, cookies: dict[str, str]) -> Iterator[httpx.Client]:
    """Signed in as an operator."""
    with httpx.Client(base_url=url, timeout=15, cookies=cookies) as client:
        yield client
