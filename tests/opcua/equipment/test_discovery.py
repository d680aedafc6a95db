"""Registering at a discovery server: another server of ours that plays it, over its real endpoints."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlparse

import pytest
from asyncua import ua
from asyncua.common.utils import ServiceError
from cryptography.hazmat.primitives.serialization import Encoding

from scada.clock import SystemClock
from scada.opcua import discovery
from scada.opcua.discovery import Registration, registered
from scada.opcua.events.audit import Audit
from scada.opcua.security.guard import Guard
from scada.opcua.security.own import Own, application_uri, ensure
from scada.opcua.security.store import Store
from tests.opcua.equipment.conftest import Running
from tests.support.site import make_site
from tests.support.wait import until

pytestmark = pytest.mark.asyncio(loop_scope="package")
Told = list[tuple[bool, str]]


class Newcomer:
    """A server that wants to be found, with its own certificate and trust list."""

    def __init__(self, folder: Path, running: Running) -> None:
        self.site = make_site(
            name="newcomer", opcua_endpoint="opc.tcp://127.0.0.1:49999", opcua_discovery=running.url
        )
        self.store = Store(folder / "certs")
        self.store.create()
        now = dt.datetime.fromtimestamp(SystemClock().utc_ns() // 1_000_000_000, dt.UTC)
        self.own: Own = ensure(folder / "certs", self.site, now)
        self.certs = folder / "certs"
        self.guard = Guard(self.store, SystemClock(), Audit)
        self.told: Told = []
        self.server: Any = SimpleNamespace(
            name="Closedloop newcomer",
            product_uri="urn:closedloop",
            endpoint=urlparse(self.site.opcua_endpoint),
            get_application_uri=lambda: application_uri(self.site),
            iserver=SimpleNamespace(guard=self.guard),
        )
        self.registration = Registration(
            self.server, running.url, lambda: self.own, self.guard, lambda *told: self.told.append(told)
        )

    def trust_each_other(self, running: Running) -> None:
        Store(running.plant.data.certs).put("trusted", self.own.certificate.public_bytes(Encoding.DER))
        self.store.put("trusted", running.server.iserver.certificate.public_bytes(Encoding.DER))


@pytest.fixture
def newcomer(running: Running, tmp_path: Path) -> Newcomer:
    return Newcomer(tmp_path, running)


@pytest.fixture
def register(running: Running, monkeypatch: pytest.MonkeyPatch) -> list[tuple[ua.RegisteredServer, Any]]:
    """What the discovery server is told."""
    heard: list[tuple[ua.RegisteredServer, Any]] = []
    monkeypatch.setattr(
        running.server.iserver, "register_server", lambda server, conf=None: heard.append((server, conf))
    )
    return heard


async def test_a_server_is_registered_and_says_when_it_ends(
    running: Running, newcomer: Newcomer, register: list[tuple[ua.RegisteredServer, Any]]
) -> None:
    newcomer.trust_each_other(running)
    assert await newcomer.registration.attempt()
    await newcomer.registration.withdraw()
    (first, configuration), (last, _) = register
    assert (first.ServerUri, first.ServerType) == (
        "urn:closedloop:newcomer:server",
        ua.ApplicationType.Server,
    )
    assert "opc.tcp://127.0.0.1:49999" in first.DiscoveryUrls
    assert [name.Text for name in first.ServerNames] == ["Closedloop newcomer"]
    assert configuration[0].MdnsServerName == "Closedloop newcomer"
    assert (first.IsOnline, last.IsOnline) == (True, False)
    assert newcomer.told == [(True, ""), (False, "")]


async def test_a_discovery_server_of_before_knows_the_old_service(
    running: Running, newcomer: Newcomer, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = []

    def old(server: ua.RegisteredServer, conf: Any = None) -> None:
        if conf is not None:
            raise ServiceError(ua.StatusCodes.BadServiceUnsupported)
        heard.append(server)

    monkeypatch.setattr(running.server.iserver, "register_server", old)
    newcomer.trust_each_other(running)
    assert await newcomer.registration.attempt()
    assert len(heard) == 1


async def test_a_discovery_server_that_nobody_trusts_is_told_nothing(
    running: Running, newcomer: Newcomer, register: list[tuple[ua.RegisteredServer, Any]]
) -> None:
    assert not await newcomer.registration.attempt()
    assert not await newcomer.registration.attempt()
    assert register == []
    assert len(newcomer.told) == 1, "said once, until it changes"
    assert "scada certs trust" in newcomer.told[0][1]
    assert len(newcomer.store.certificates("rejected")) == 1, "kept, to be looked at and trusted"
    newcomer.trust_each_other(running)
    assert await newcomer.registration.attempt()
    assert newcomer.told[-1] == (True, "")


async def test_a_discovery_server_that_refuses_or_is_not_there(running: Running, newcomer: Newcomer) -> None:
    newcomer.trust_each_other(running)
    assert not await newcomer.registration.attempt(), "the other one is no discovery server"
    assert newcomer.told[-1][0] is False
    gone = Registration(
        newcomer.server, "opc.tcp://127.0.0.1:1", lambda: newcomer.own, newcomer.guard, lambda *_: None
    )
    assert not await gone.attempt()


async def test_a_server_keeps_registering_while_it_runs(
    running: Running, newcomer: Newcomer, register: list[tuple[ua.RegisteredServer, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(discovery, "EVERY_S", 0.05)
    newcomer.trust_each_other(running)
    async with registered(newcomer.server, newcomer.site, newcomer.certs, lambda *_: None):
        await until(lambda: len(register) >= 3)
    assert [server.IsOnline for server, _ in register][-1] is False
    before = len(register)
    async with registered(newcomer.server, make_site(), newcomer.certs, lambda *_: None):
        pass
    assert len(register) == before, "a site without a discovery server registers nowhere"
