"""The server: endpoints, security policies, limits and the site's namespace."""

from __future__ import annotations

from typing import Final

from asyncua import Server, ua
from asyncua.crypto.security_policies import SecurityPolicy
from cryptography.hazmat.primitives.serialization import Encoding

from scada.clock import Clock, SystemClock
from scada.datadir import DataDir
from scada.opcua.nodes.ids import NAMESPACE
from scada.opcua.security.guard import Guard
from scada.opcua.security.own import Own, application_uri, ensure
from scada.opcua.security.passwords import SiteUsers
from scada.opcua.security.secured import Offered
from scada.opcua.security.sessions import SiteServer
from scada.opcua.security.store import Store
from scada.opcua.wire.listener import Listener
from tags.model import Site

_SECURE: Final = [
    ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
    ua.SecurityPolicyType.Aes128Sha256RsaOaep_SignAndEncrypt,
    ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
    ua.SecurityPolicyType.Aes256Sha256RsaPss_Sign,
    ua.SecurityPolicyType.Aes128Sha256RsaOaep_Sign,
    ua.SecurityPolicyType.Basic256Sha256_Sign,
]
_UNENCRYPTED: Final = ua.SecurityPolicyType.NoSecurity


class SiteEndpoints(Server):
    """asyncua's server whose endpoints take a name and password where nobody can listen, and no others."""

    def _set_endpoints(self, policy: type[SecurityPolicy], mode: ua.MessageSecurityMode, level: int) -> None:
        offered = self.iserver.supported_tokens
        self.iserver.supported_tokens = tuple(
            token for token in offered if token in self.iserver.tokens_of(mode)
        )
        try:
            super()._set_endpoints(policy, mode, level)
        finally:
            self.iserver.supported_tokens = offered
        for token in self.iserver.endpoints[-1].UserIdentityTokens:
            if token.TokenType == ua.UserTokenType.UserName:
                token.SecurityPolicyUri = policy.URI  # the password is encrypted once more, for this session

    async def _setup_server_nodes(self) -> None:
        await super()._setup_server_nodes()
        for factory in self._policies:
            if factory.mode == ua.MessageSecurityMode.None_:
                factory.permission_ruleset = Offered(reading=True)

    def use(self, own: Own) -> None:
        """Takes another certificate: new channels are opened with it, those that are open go on with theirs."""
        self.iserver.certificate, self.iserver.private_key = own.certificate, own.private
        for factory in self._policies:
            factory.certificate, factory.private_key = own.certificate, own.private
        for endpoint in self.iserver.endpoints:
            endpoint.ServerCertificate = own.certificate.public_bytes(Encoding.DER)

    async def start(self) -> None:
        """As asyncua, on our listener."""
        await self._setup_server_nodes()
        await self.iserver.start()
        try:
            host, port = self._get_bind_socket_info()
            self.bserver = Listener(self.iserver, host, port, self.limits)
            self.bserver.set_policies(self._policies)
            await self.bserver.start()
        except BaseException:
            await self.iserver.stop()
            raise


async def make_server(site: Site, data: DataDir, users: SiteUsers, clock: Clock | None = None) -> Server:
    """A server that is ready to get its nodes and to be started.

    Args:
        site: The compiled site.
        data: Where the certificates are.
        users: Who may sign in.
        clock: That certificates are valid by; the machine's.

    Returns:
        Initialised; namespace 2 is `urn:closedloop:<site>`. SecurityPolicy None is offered where the site says so.

    Raises:
        OSError: The certificate cannot be written.
        ValueError: The certificate or its key is damaged.
    """
    clock = clock or SystemClock()
    iserver = SiteServer(users, data.run)
    server = SiteEndpoints(iserver=iserver)
    server.name = f"Closedloop {site.name}"
    server.manufacturer_name = "Closedloop"
    server.product_uri = "urn:closedloop"
    server.application_type = ua.ApplicationType.Server
    await server.init()
    await server.set_application_uri(application_uri(site))
    server.set_endpoint(site.opcua_endpoint)
    store = Store(data.certs)
    store.create()
    guard = Guard(store, clock, lambda: iserver.audit)
    iserver.guard, iserver.site_security = guard, site.opcua_security
    unencrypted = site.opcua_security.unencrypted != "never"
    server.set_security_policy([*_SECURE, _UNENCRYPTED] if unencrypted else _SECURE, Offered())
    server.use(ensure(data.certs, site, guard.now()))
    index = await server.register_namespace(f"urn:closedloop:{site.name}")
    if index != NAMESPACE:
        raise AssertionError(f"the site's namespace has index {index}, not {NAMESPACE}")
    return server
