"""Who activates a session: application and person proven before anything is believed (OPC 10000-4 §5.6.2, §5.6.3).

A session belongs to the certificate, the security and the user that it began with: another channel may take it over
with all three the same, nobody else can, and its user never changes. A password is looked at on an encrypted channel
only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import UserRole
from asyncua.crypto.security_policies import SecurityPolicyAes256Sha256RsaPss

from scada.opcua.security.caller import Caller
from scada.opcua.security.validate import DER_MAX, Problem, application_uris, parse, split
from scada.users import place_of

if TYPE_CHECKING:
    from scada.opcua.security.channel import SecureChannel
    from scada.opcua.security.sessions import Session, SiteServer

NONCE_MIN: Final = 32  # bytes
APPLICATION_MAX: Final = 4096  # characters of an ApplicationUri
POLICY_IDS: Final = {"anonymous": "anonymous", "password": "username", "certificate": "certificate"}
_PSS: Final = "http://opcfoundation.org/UA/security/rsa-pss-sha2-256"
_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"


def bind(session: Session, params: ua.CreateSessionParameters, channel: SecureChannel) -> None:
    """Checks a CreateSession, and binds the session to its channel's application.

    Raises:
        ServiceError: The channel is not for sessions, or the application is not the one that opened it.
    """
    server: SiteServer = session.iserver
    session.application = (params.ClientDescription.ApplicationUri or "")[:APPLICATION_MAX]
    if channel.certificate is None:
        if not server.takes_unencrypted(channel.address):
            raise ServiceError(ua.StatusCodes.BadSecurityPolicyRejected)
        session.bound = channel
        return
    if len(params.ClientNonce or b"") < NONCE_MIN:
        raise ServiceError(ua.StatusCodes.BadNonceInvalid)
    try:
        own = split(params.ClientCertificate or b"")[0]
    except ValueError:
        own = b""
    if own != channel.certificate:
        raise ServiceError(ua.StatusCodes.BadCertificateInvalid)
    certificate = parse(own)
    uri = params.ClientDescription.ApplicationUri or ""
    if isinstance(certificate, Problem) or uri not in application_uris(certificate):
        if server.guard is None:
            raise ServiceError(ua.StatusCodes.BadSecurityChecksFailed)
        raise server.guard.mismatch(f"{uri!r} is not the application of the certificate.", own)
    session.bound = channel


async def admit(session: Session, params: ua.ActivateSessionParameters, channel: SecureChannel) -> Caller:
    """Who a session is for from now on.

    Args:
        session: Whose token the request carries.
        params: Of the request.
        channel: That it came on.

    Raises:
        ServiceError: It is not its channel, not its application, not its user, or nobody whom we know.
    """
    _same_application(session, channel)
    _signed_by_application(session, params, channel)
    caller = await _caller(session, params, channel)
    before = session.user
    if session.is_activated() and (
        not isinstance(before, Caller)
        or (before.name, before.auth, before.mark) != (caller.name, caller.auth, caller.mark)
    ):
        raise ServiceError(ua.StatusCodes.BadIdentityChangeNotSupported)
    return caller


def _same_application(session: Session, channel: SecureChannel) -> None:
    bound = session.bound
    if bound is None:
        raise ServiceError(ua.StatusCodes.BadSessionIdInvalid)
    if bound is channel:
        return
    if not session.is_activated():
        raise ServiceError(ua.StatusCodes.BadSecureChannelIdInvalid)
    same = (bound.certificate, bound.mode, bound.policy_uri) == (
        channel.certificate,
        channel.mode,
        channel.policy_uri,
    )
    if not same or (channel.certificate is None and place_of(bound.address) != place_of(channel.address)):
        raise ServiceError(ua.StatusCodes.BadSecurityChecksFailed)


def _signed_by_application(
    session: Session, params: ua.ActivateSessionParameters, channel: SecureChannel
) -> None:
    """Whoever has the token only, and not the key of the certificate, ends here: before a password costs anything."""
    if channel.certificate is None:
        return
    policy = channel.security_policy
    signature = params.ClientSignature
    if signature.Algorithm != policy.AsymmetricSignatureURI:
        raise ServiceError(ua.StatusCodes.BadApplicationSignatureInvalid)
    try:
        policy.asymmetric_cryptography.verify(policy.host_certificate + session.nonce, signature.Signature)
    except Exception as error:
        raise ServiceError(ua.StatusCodes.BadApplicationSignatureInvalid) from error


async def _caller(session: Session, params: ua.ActivateSessionParameters, channel: SecureChannel) -> Caller:
    server: SiteServer = session.iserver
    token: Any = params.UserIdentityToken
    if token is None or (isinstance(token, ua.ExtensionObject) and token.TypeId == ua.NodeId()):
        token = ua.AnonymousIdentityToken(PolicyId=POLICY_IDS["anonymous"])  # OPC 10000-4 §5.6.3.2
    if isinstance(token, ua.AnonymousIdentityToken):
        _offered(token, "anonymous")
        if not server.site_security.anonymous:
            raise ServiceError(ua.StatusCodes.BadIdentityTokenRejected)
        caller: Caller | None = Caller(role=UserRole.User)
    elif isinstance(token, ua.UserNameIdentityToken):
        _offered(token, "password")
        caller = await _by_password(session, token, channel)
    elif isinstance(token, ua.X509IdentityToken):
        _offered(token, "certificate")
        caller = await _by_certificate(session, token, params.UserTokenSignature, channel)
    else:
        raise ServiceError(ua.StatusCodes.BadIdentityTokenInvalid)
    if caller is None:
        raise ServiceError(ua.StatusCodes.BadUserAccessDenied)
    caller.address, caller.mode, caller.application = channel.address, channel.mode, session.application
    return caller


def _offered(token: Any, auth: str) -> None:
    if token.PolicyId and token.PolicyId != POLICY_IDS[auth]:
        raise ServiceError(ua.StatusCodes.BadIdentityTokenInvalid)


async def _by_password(
    session: Session, token: ua.UserNameIdentityToken, channel: SecureChannel
) -> Caller | None:
    if not channel.encrypted:
        raise ServiceError(ua.StatusCodes.BadIdentityTokenRejected)
    if (
        token.EncryptionAlgorithm
        and token.EncryptionAlgorithm != channel.security_policy.AsymmetricEncryptionURI
    ):
        raise ServiceError(ua.StatusCodes.BadIdentityTokenInvalid)
    try:
        name, password = session.iserver.decrypt_user_token(session, token)
    except ServiceError:
        raise
    except Exception as error:
        raise ServiceError(ua.StatusCodes.BadIdentityTokenInvalid) from error
    return await session.iserver.people.by_password(name, password, channel.address, channel.certificate)


async def _by_certificate(
    session: Session, token: ua.X509IdentityToken, signature: ua.SignatureData, channel: SecureChannel
) -> Caller | None:
    if channel.certificate is None or signature is None:
        raise ServiceError(ua.StatusCodes.BadIdentityTokenRejected)
    pss = channel.policy_uri == SecurityPolicyAes256Sha256RsaPss.URI
    if signature.Algorithm != (_PSS if pss else _SHA256):
        raise ServiceError(ua.StatusCodes.BadUserSignatureInvalid)
    der = bytes(token.CertificateData or b"")
    if len(der) > DER_MAX or isinstance(parse(der), Problem):
        raise ServiceError(ua.StatusCodes.BadIdentityTokenInvalid)
    try:
        session.iserver.verify_x509_token(session, token, signature)
    except Exception as error:
        raise ServiceError(ua.StatusCodes.BadUserSignatureInvalid) from error
    return session.iserver.people.by_certificate(der, channel.address, channel.certificate)
