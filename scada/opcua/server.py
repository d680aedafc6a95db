"""The server: endpoints, security policies, limits and the site's namespace."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlparse

from asyncua import Server, ua
from asyncua.crypto.permission_rules import PermissionRuleset, User
from asyncua.crypto.security_policies import SecurityPolicy

from scada.datadir import DataDir
from scada.opcua import monitoring
from scada.opcua.nodes.ids import NAMESPACE
from scada.opcua.security.certificates import own_certificate
from scada.opcua.security.passwords import SiteUsers
from scada.opcua.security.sessions import SiteServer
from scada.opcua.wire.listener import Listener
from tags.model import Site

_POLICIES: Final = [
    ua.SecurityPolicyType.NoSecurity,
    ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
    ua.SecurityPolicyType.Aes128Sha256RsaOaep_SignAndEncrypt,
    ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
]
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class Offered(PermissionRuleset):
    """Which services a channel carries; what a caller may do with which node is `security.access`'s.

    Args:
        reading: Only what changes nothing: on an unencrypted channel, whoever the caller says to be.
    """

    _CHANGING: Final = frozenset(
        int(getattr(ua.ObjectIds, f"{name}Request_Encoding_DefaultBinary"))
        for name in ("Write", "Call", "HistoryUpdate")
    )
    _NEVER: Final = frozenset(
        int(getattr(ua.ObjectIds, f"{name}Request_Encoding_DefaultBinary"))
        for name in ("AddNodes", "AddReferences", "DeleteNodes", "DeleteReferences")
    )

    def __init__(self, *, reading: bool = False) -> None:
        self._refused = self._NEVER | self._CHANGING if reading else self._NEVER

    def check_validity(self, user: User, action_type: ua.NodeId, body: object) -> bool:
        """False refuses the service with BadUserAccessDenied."""
        del user, body
        return action_type.Identifier not in self._refused


class SiteEndpoints(Server):
    """asyncua's server whose unencrypted endpoint offers anonymous reading and nothing else."""

    def _set_endpoints(self, policy: type[SecurityPolicy], mode: ua.MessageSecurityMode, level: int) -> None:
        offered = self.iserver.supported_tokens
        if mode == ua.MessageSecurityMode.None_:
            self.iserver.supported_tokens = (ua.AnonymousIdentityToken,)
        try:
            super()._set_endpoints(policy, mode, level)
        finally:
            self.iserver.supported_tokens = offered

    async def _setup_server_nodes(self) -> None:
        await super()._setup_server_nodes()
        for factory in self._policies:
            if factory.mode == ua.MessageSecurityMode.None_:
                factory.permission_ruleset = Offered(reading=True)

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


async def make_server(site: Site, data: DataDir, users: SiteUsers) -> Server:
    """A server that is ready to get its nodes and to be started.

    Args:
        site: The compiled site.
        data: Where the certificates are.
        users: Who may sign in.

    Returns:
        Initialised; namespace 2 is `urn:closedloop:<site>`. SecurityPolicy None is offered on loopback only.

    Raises:
        OSError: The certificate cannot be written.
    """
    monitoring.install()
    server = SiteEndpoints(iserver=SiteServer(users, data.run))
    uri = f"urn:closedloop:{site.name}:server"
    server.name = f"Closedloop {site.name}"
    server.manufacturer_name = "Closedloop"
    server.product_uri = "urn:closedloop"
    server.application_type = ua.ApplicationType.Server
    await server.init()
    await server.set_application_uri(uri)
    server.set_endpoint(site.opcua_endpoint)
    loopback = urlparse(site.opcua_endpoint).hostname in _LOOPBACK
    server.set_security_policy(_POLICIES if loopback else _POLICIES[1:], Offered())
    key, certificate = await own_certificate(data.certs, uri)
    await server.load_certificate(certificate)
    await server.load_private_key(key)
    index = await server.register_namespace(f"urn:closedloop:{site.name}")
    if index != NAMESPACE:
        raise AssertionError(f"the site's namespace has index {index}, not {NAMESPACE}")
    return server
