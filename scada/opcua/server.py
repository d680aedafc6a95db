"""The server: endpoints, security policies, limits and the site's namespace."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlparse

from asyncua import Server, ua
from asyncua.common.connection import TransportLimits
from asyncua.crypto.permission_rules import SimpleRoleRuleset, User
from asyncua.crypto.security_policies import SecurityPolicy

from scada.datadir import DataDir
from scada.opcua import connections, monitoring
from scada.opcua.nodes.ids import NAMESPACE
from scada.opcua.security.certificates import own_certificate
from scada.opcua.security.passwords import SiteUsers
from scada.opcua.security.sessions import SiteServer
from tags.model import Site

_MESSAGE_MAX: Final = 4 * 1024 * 1024
_POLICIES: Final = [
    ua.SecurityPolicyType.NoSecurity,
    ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
    ua.SecurityPolicyType.Aes128Sha256RsaOaep_SignAndEncrypt,
    ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
]
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class ReadOnly(SimpleRoleRuleset):
    """What an unencrypted channel carries: everything but writes and calls, whoever the caller says to be."""

    _REFUSED: Final = frozenset(
        ua.NodeId(name)
        for name in (
            ua.ObjectIds.WriteRequest_Encoding_DefaultBinary,
            ua.ObjectIds.CallRequest_Encoding_DefaultBinary,
        )
    )

    def check_validity(self, user: User, action_type_id: ua.NodeId, body: object) -> bool:
        """False refuses the service with BadUserAccessDenied."""
        return action_type_id not in self._REFUSED and bool(
            super().check_validity(user, action_type_id, body)
        )


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
                factory.permission_ruleset = ReadOnly()


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
    connections.install()
    monitoring.install()
    server = SiteEndpoints(iserver=SiteServer(users, data.run))
    uri = f"urn:closedloop:{site.name}:server"
    server.name = f"Closedloop {site.name}"
    server.manufacturer_name = "Closedloop"
    server.product_uri = "urn:closedloop"
    server.application_type = ua.ApplicationType.Server
    server.limits = TransportLimits(
        max_recv_buffer=connections.CHUNK_MAX,
        max_send_buffer=connections.CHUNK_MAX,
        max_chunk_count=_MESSAGE_MAX // connections.CHUNK_MAX + 1,
        max_message_size=_MESSAGE_MAX,
    )
    await server.init()
    await server.set_application_uri(uri)
    server.set_endpoint(site.opcua_endpoint)
    loopback = urlparse(site.opcua_endpoint).hostname in _LOOPBACK
    server.set_security_policy(_POLICIES if loopback else _POLICIES[1:], SimpleRoleRuleset())
    key, certificate = await own_certificate(data.certs, uri)
    await server.load_certificate(certificate)
    await server.load_private_key(key)
    index = await server.register_namespace(f"urn:closedloop:{site.name}")
    if index != NAMESPACE:
        raise AssertionError(f"the site's namespace has index {index}, not {NAMESPACE}")
    return server
