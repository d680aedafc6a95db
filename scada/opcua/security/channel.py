"""Secure channels (OPC 10000-4 §5.5, OPC 10000-6 §6.7): asyncua's, behind the trust list and with bounds.

A certificate is looked at before anything is decrypted with it. An unencrypted channel is open to everybody, because a
client asks there which endpoints there are; whether a session may be made on it is the session's affair.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from asyncua import ua
from asyncua.common.connection import SecureConnection, TransportLimits
from asyncua.common.utils import Buffer, ServiceError
from asyncua.crypto.security_policies import SecurityPolicyNone
from asyncua.ua.ua_binary import struct_from_binary

from scada.opcua.events.audit import WHO, Who
from scada.opcua.security.validate import CHAIN_MAX, DER_MAX

if TYPE_CHECKING:
    from scada.opcua.security.sessions import SiteServer

LIFETIME_MS: Final = (10_000, 3_600_000)
_NONE: Final = SecurityPolicyNone.URI


class SecureChannel(SecureConnection):
    """One channel of the server.

    Args:
        iserver: With the trust list.
        limits: Of its transport.
        address: Of the client's socket, without the port.

    Attributes:
        certificate: The client's, DER; None on an unencrypted channel.
        chain: It and what came with it.
        address: As given.
    """

    def __init__(self, iserver: SiteServer, limits: TransportLimits, address: str) -> None:
        super().__init__(SecurityPolicyNone(), limits)
        self._iserver = iserver
        self.address = address
        self.certificate: bytes | None = None
        self.chain: list[bytes] = []
        self._receiver: bytes | None = None

    @property
    def mode(self) -> int:
        """MessageSecurityMode: 1 None, 2 Sign, 3 SignAndEncrypt."""
        return int(self.security_policy.Mode)

    @property
    def policy_uri(self) -> str:
        """Of its security policy."""
        return str(self.security_policy.URI)

    @property
    def encrypted(self) -> bool:
        """What it carries cannot be read on the way."""
        return self.mode == ua.MessageSecurityMode.SignAndEncrypt.value

    def receive_from_header_and_body(self, header: ua.Header, body: Buffer) -> Any:
        """As asyncua; an OpenSecureChannel that is not for this server, or not by its owner, is refused.

        Raises:
            ServiceError: The channel ends with this code.
        """
        if header.MessageType != ua.MessageType.SecureOpen:
            return super().receive_from_header_and_body(header, body)
        WHO.set(Who(address=self.address, channel=str(self.security_token.ChannelId or "")))
        try:
            security = struct_from_binary(ua.AsymmetricAlgorithmHeader, body.copy(header.body_size))
        except Exception as error:
            raise ServiceError(ua.StatusCodes.BadTcpMessageTypeInvalid) from error
        if len(security.SenderCertificate or b"") > CHAIN_MAX * DER_MAX:
            raise ServiceError(ua.StatusCodes.BadSecurityChecksFailed)
        if self.is_open() and security.SecurityPolicyURI != self.policy_uri:
            raise ServiceError(ua.StatusCodes.BadSecurityPolicyRejected)
        self._receiver = security.ReceiverCertificateThumbPrint
        if self.is_open():
            self._check_receiver()
        try:
            return super().receive_from_header_and_body(header, body)
        except (ServiceError, ua.UaStatusCodeError):
            raise
        except Exception as error:
            raise ServiceError(ua.StatusCodes.BadSecurityChecksFailed) from error

    def select_policy(
        self, uri: str, peer_certificate: bytes | None, mode: ua.MessageSecurityMode | None = None
    ) -> None:
        """Chooses what the client asks for; asyncua calls it before the request can be read, and then with its mode.

        Raises:
            ServiceError: BadSecurityPolicyRejected, BadSecurityModeRejected, or the certificate is not believed.
        """
        if uri == _NONE:
            if mode is not None and mode != ua.MessageSecurityMode.None_:
                raise ServiceError(ua.StatusCodes.BadSecurityModeRejected)
            self.security_policy = self._iserver.unencrypted_policy()
            return
        offered = [policy for policy in self._policies if policy.matches(uri)]
        if not offered:
            raise ServiceError(ua.StatusCodes.BadSecurityPolicyRejected)
        if self.certificate is None:
            guard = self._iserver.guard
            if guard is None or not peer_certificate:
                raise ServiceError(ua.StatusCodes.BadSecurityChecksFailed)
            self.chain = guard.admit(peer_certificate, self.address)
            self.certificate = self.chain[0]
        for policy in offered:
            if policy.matches(uri, mode):
                self.security_policy = policy.create(self.certificate)
                self._check_receiver()
                return
        raise ServiceError(ua.StatusCodes.BadSecurityModeRejected)

    def _check_receiver(self) -> None:
        """The client means this server's certificate, not one that it had before (OPC 10000-6 §6.7.6)."""
        if self.certificate is None:
            return
        own = hashlib.sha1(self.security_policy.host_certificate, usedforsecurity=False).digest()
        if self._receiver != own:
            raise ServiceError(ua.StatusCodes.BadCertificateInvalid)

    def open(self, params: Any, server: Any) -> ua.OpenSecureChannelResult:
        """As asyncua: opens or renews, with a lifetime that ends.

        Raises:
            ServiceError: A nonce of the wrong length, another mode than before, or a certificate that is believed no
                more.
        """
        renewing = self.is_open()
        wanted = ua.SecurityTokenRequestType.Renew if renewing else ua.SecurityTokenRequestType.Issue
        if params.RequestType != wanted:
            raise ServiceError(ua.StatusCodes.BadRequestTypeInvalid)
        if params.SecurityMode != self.security_policy.Mode:
            raise ServiceError(ua.StatusCodes.BadSecurityModeRejected)
        if self.certificate is not None:
            if len(params.ClientNonce or b"") != self.security_policy.secure_channel_nonce_length:
                raise ServiceError(ua.StatusCodes.BadNonceInvalid)
            guard = self._iserver.guard
            if renewing and guard is not None and not guard.believes(self.chain):
                raise ServiceError(ua.StatusCodes.BadSecurityChecksFailed)
        shortest, longest = LIFETIME_MS
        params.RequestedLifetime = min(max(params.RequestedLifetime, shortest), longest)
        result = super().open(params, server)
        self._iserver.audit.open_channel(
            0,
            channel=self.security_token.ChannelId,
            certificate=self.certificate,
            policy=self.policy_uri,
            mode=self.mode,
            request_type=int(params.RequestType),
            lifetime_ms=params.RequestedLifetime,
        )
        return result
