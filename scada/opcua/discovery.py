"""Registers the server at a discovery server again and again (OPC 10000-4 §5.5.5, §5.5.6; OPC 10000-12 §4.3).

The channel is signed and encrypted; the discovery server is one whom the trust list believes, else nothing is told to it.
A server that ends says so.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from asyncua import Client, Server, ua
from asyncua.crypto.security_policies import (
    SecurityPolicy,
    SecurityPolicyAes128Sha256RsaOaep,
    SecurityPolicyAes256Sha256RsaPss,
    SecurityPolicyBasic256Sha256,
)
from asyncua.crypto.uacrypto import CertProperties

from scada.opcua.security.guard import Guard
from scada.opcua.security.own import Own, hosts, load
from tags.model import Site

EVERY_S: Final = 300.0  # discovery servers forget who was silent for 10 minutes
AGAIN_S: Final = 30.0
TIMEOUT_S: Final = 5.0
WITHDRAW_S: Final = 2.0
_POLICIES: Final[tuple[type[SecurityPolicy], ...]] = (
    SecurityPolicyAes256Sha256RsaPss,
    SecurityPolicyAes128Sha256RsaOaep,
    SecurityPolicyBasic256Sha256,
)
_OLD: Final = frozenset(
    {
        ua.StatusCodes.BadServiceUnsupported,
        ua.StatusCodes.BadNotImplemented,
        ua.StatusCodes.BadDecodingError,
        ua.StatusCodes.BadUnexpectedError,
        ua.StatusCodes.BadInternalError,
    }
)
"""What a discovery server answers that does not know RegisterServer2."""


class DiscoveryError(Exception):
    """The discovery server could not be told; the message says why."""


class Registration:
    """Keeps a server registered.

    Args:
        server: Its names.
        url: `opc.tcp://host:port` of the discovery server.
        own: Gives our certificate as it is now.
        guard: Says whom to believe.
        tell: Told when the server is registered, and when it is so no longer: (registered, why not).
    """

    def __init__(
        self,
        server: Server,
        url: str,
        own: Callable[[], Own],
        guard: Guard,
        tell: Callable[[bool, str], None],
    ) -> None:
        self._server, self._url, self._own, self._guard, self._tell = server, url, own, guard, tell
        self._before: tuple[bool, str] | None = None
        self.registered = self.ended = False

    async def run(self) -> None:
        """Registers until it is cancelled, also where asyncua keeps the cancellation to itself."""
        while not self.ended:
            known = await self.attempt()
            await asyncio.sleep(EVERY_S if known else AGAIN_S)

    async def attempt(self, *, online: bool = True) -> bool:
        """Tells the discovery server once; returns whether it knows now.

        Args:
            online: False when the server ends.
        """
        why = ""
        try:
            await asyncio.wait_for(self._register(online=online), 4 * TIMEOUT_S)
        except DiscoveryError as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001 - whatever another server does, ours goes on
            why = str(error) or type(error).__name__
        self.registered = not why and online
        now = (self.registered, why)
        if now != self._before:
            self._before = now
            self._tell(*now)
        return not why

    async def withdraw(self) -> None:
        """The server ends; a discovery server that does not answer forgets it by itself."""
        if self.registered:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.attempt(online=False), WITHDRAW_S)

    async def _register(self, *, online: bool) -> None:
        client = await self._connected()
        try:
            what = self._described(online=online)
            both = ua.RegisterServer2Parameters(
                Server=what, DiscoveryConfiguration=[_mdns(str(self._server.name))]
            )
            try:
                await client.uaclient.register_server2(both)
            except ua.UaStatusCodeError as error:
                if error.code not in _OLD:
                    raise
                await client.uaclient.register_server(what)
        finally:
            await _left(client)

    async def _connected(self) -> Client:
        """On a channel that is encrypted, with a discovery server that we believe."""
        asking = Client(self._url, timeout=TIMEOUT_S)
        endpoint, policy = _best(await asking.connect_and_get_server_endpoints())
        place = urlsplit(self._url).hostname or ""
        try:
            ders = self._guard.admit(endpoint.ServerCertificate or b"", place)
        except Exception as error:
            text = (
                f"{self._url}: its certificate is not trusted. See scada certs list, then scada certs trust"
            )
            raise DiscoveryError(text) from error
        own = self._own()
        client = Client(self._url, timeout=TIMEOUT_S)
        client.application_uri = self._server.get_application_uri()
        await client.set_security(
            policy,
            own.file,
            own.key,
            server_certificate=CertProperties(ders[0], "der"),
            mode=ua.MessageSecurityMode.SignAndEncrypt,
        )
        await client.connect_sessionless()
        return client

    def _described(self, *, online: bool) -> ua.RegisteredServer:
        """RegisteredServer (OPC 10000-4 §7.32)."""
        endpoint: Any = self._server.endpoint
        urls = [f"opc.tcp://{host}:{endpoint.port}{endpoint.path}" for host in hosts(str(endpoint.hostname))]
        return ua.RegisteredServer(
            ServerUri=self._server.get_application_uri(),
            ProductUri=self._server.product_uri,
            ServerNames=[ua.LocalizedText(str(self._server.name))],
            ServerType=ua.ApplicationType.Server,
            DiscoveryUrls=urls,
            IsOnline=online,
        )


@contextlib.asynccontextmanager
async def registered(
    server: Server, site: Site, certs: Path, tell: Callable[[bool, str], None]
) -> AsyncIterator[None]:
    """Keeps the server registered meanwhile, if the site says where.

    Args:
        server: That listens.
        site: The compiled site.
        certs: Where our certificate and the trust list are.
        tell: As of `Registration`.
    """
    if not site.opcua_discovery:
        yield
        return
    guard: Guard = server.iserver.guard
    registration = Registration(server, site.opcua_discovery, lambda: load(certs), guard, tell)
    task = asyncio.create_task(registration.run())
    try:
        yield
    finally:
        registration.ended = True
        task.cancel()
        await asyncio.wait({task}, timeout=WITHDRAW_S)
        await registration.withdraw()


async def _left(client: Client) -> None:
    """Closes the channel; one that does not close in time is dropped."""
    try:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(client.disconnect_sessionless(), WITHDRAW_S)
    finally:
        client.disconnect_socket()


def _best(endpoints: list[ua.EndpointDescription]) -> tuple[ua.EndpointDescription, type[SecurityPolicy]]:
    """The encrypted endpoint with the policy that we like best."""
    for policy in _POLICIES:
        for endpoint in endpoints:
            if (
                endpoint.SecurityPolicyUri == policy.URI
                and endpoint.SecurityMode == ua.MessageSecurityMode.SignAndEncrypt
            ):
                return endpoint, policy
    raise DiscoveryError("the discovery server has no encrypted endpoint: nothing is told to it")


def _mdns(name: str) -> ua.ExtensionObject:
    """MdnsDiscoveryConfiguration (OPC 10000-4 §7.14): what the discovery server may announce."""
    found: ua.ExtensionObject = ua.MdnsDiscoveryConfiguration(
        MdnsServerName=name[:63], ServerCapabilities=["DA", "HD", "AC", "HE"]
    )
    return found
