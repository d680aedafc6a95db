"""What security adds to asyncua's server and sessions: one place that both inherit it from."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final, cast

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto import uacrypto
from asyncua.crypto.permission_rules import PermissionRuleset, User
from asyncua.crypto.security_policies import SecurityPolicyNone

from scada.opcua.security import identity
from scada.opcua.security.access import Access
from scada.opcua.security.caller import Caller
from scada.opcua.security.channel import SecureChannel
from scada.opcua.security.guard import Guard
from scada.opcua.security.passwords import SiteUsers
from tags.model import OpcuaSecurity

if TYPE_CHECKING:
    from scada.opcua.security.sessions import Session

_OAEP: Final = "http://www.w3.org/2001/04/xmlenc#rsa-oaep"
_OAEP_SHA256: Final = "http://opcfoundation.org/UA/security/rsa-oaep-sha2-256"


class Offered(PermissionRuleset):
    """Which services a channel carries; what a caller may do with which node is `access`'s.

    Args:
        reading: Only what changes nothing: on an unencrypted channel. Methods are asked one by one.
    """

    _CHANGING: Final = frozenset(
        int(getattr(ua.ObjectIds, f"{name}Request_Encoding_DefaultBinary"))
        for name in ("Write", "HistoryUpdate")
    )

    def __init__(self, *, reading: bool = False) -> None:
        self._refused = self._CHANGING if reading else frozenset[int]()

    def check_validity(self, user: User, action_type_id: ua.NodeId, body: object) -> bool:
        """False refuses the service with BadUserAccessDenied."""
        del user, body
        return action_type_id.Identifier not in self._refused


class SecuredServer:
    """Of the server: whom it believes and what they may do.

    Attributes:
        access: What callers may do; None until the tags are there.
        guard: The trust list; None believes no certificate.
        site_security: What the site says.
    """

    access: Access | None = None
    guard: Guard | None = None
    site_security: OpcuaSecurity = OpcuaSecurity()
    user_manager: SiteUsers
    private_key: Any

    @property
    def people(self) -> SiteUsers:
        """Who may sign in."""
        return self.user_manager

    def tokens_of(self, mode: ua.MessageSecurityMode) -> tuple[type, ...]:
        """How one may sign in on channels of a mode: with a password where nobody can listen only."""
        tokens: tuple[type, ...] = (ua.AnonymousIdentityToken,) if self.site_security.anonymous else ()
        if mode != ua.MessageSecurityMode.None_:
            tokens += (ua.X509IdentityToken,)
        if mode == ua.MessageSecurityMode.SignAndEncrypt:
            tokens += (ua.UserNameIdentityToken,)
        return tokens

    def takes_unencrypted(self, address: str) -> bool:
        """Whether sessions may be made on an unencrypted channel from this address."""
        if self.site_security.unencrypted == "loopback":
            return _is_loopback(address)
        return self.site_security.unencrypted == "read only"

    def unencrypted_policy(self) -> SecurityPolicyNone:
        """What an unencrypted channel may carry."""
        return SecurityPolicyNone(permission_ruleset=Offered(reading=True))

    def decrypt_user_token(self, isession: Any, token: ua.UserNameIdentityToken) -> tuple[str, str]:
        """Name and password (OPC 10000-4 §7.41.2.2), of this session and no other.

        RSA PKCS#1 v1.5 is refused: it leaks passwords to a padding oracle.

        Raises:
            ServiceError: Another algorithm.
            ValueError: It is not for this session, or not UTF-8.
        """
        name, secret = str(token.UserName or ""), bytes(token.Password or b"")
        if not token.EncryptionAlgorithm:
            return name, secret.decode()
        if token.EncryptionAlgorithm == _OAEP:
            raw = uacrypto.decrypt_rsa_oaep(self.private_key, secret)
        elif token.EncryptionAlgorithm == _OAEP_SHA256:
            raw = uacrypto.decrypt_rsa_oaep_sha256(self.private_key, secret)
        else:
            raise ServiceError(ua.StatusCodes.BadIdentityTokenRejected)
        length = int.from_bytes(raw[:4], "little") - len(isession.nonce)
        if length < 0 or raw[4 + length : 4 + length + len(isession.nonce)] != isession.nonce:
            raise ValueError("a password for another session")
        return name, raw[4 : 4 + length].decode()


class SecuredSession:
    """Of a session: the channel and the caller that it belongs to.

    Attributes:
        bound: The channel that it is on, or was on last.
        application: ApplicationUri of the client; of its certificate, where it has one.
    """

    bound: SecureChannel | None = None
    application: str = ""
    _admitted: Caller | None = None

    def bind(self, params: ua.CreateSessionParameters, channel: SecureChannel) -> None:
        """Checks a CreateSession; see `identity.bind`."""
        identity.bind(cast("Session", self), params, channel)

    async def admit(self, params: ua.ActivateSessionParameters, channel: SecureChannel) -> None:
        """Checks an ActivateSession, for the activation that follows at once; see `identity.admit`."""
        self._admitted = None
        self._admitted = await identity.admit(cast("Session", self), params, channel)
        self.bound = channel


def _is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return found.is_loopback
