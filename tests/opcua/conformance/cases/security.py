"""Security policies, certificates and users."""

from __future__ import annotations

import base64
import datetime as dt
import socket
import struct
from pathlib import Path

from cryptography import x509

from scada.clock import SystemClock
from scada.opcua.security.validate import fingerprint
from scada.users import Users
from tests.opcua.conformance.case import CASES, At, Case, negative, positive, refused
from tests.opcua.conformance.peers import How, RefusedError, Session
from tests.opcua.conformance.services import value
from tests.support.opcua_certificates import Recipe

STATE = "i=2259"
UNTRUSTED = (
    "BadCertificateUntrusted", "BadSecurityChecksFailed", "BadConnectionClosed", "BadSecureChannelClosed",
    "BadTcpInternalError", "BadConnectionRejected", "BadRequestTimeout", "BadTimeout",
)  # fmt: skip


def _policy(unit: str, policy: str) -> None:
    async def signed_and_encrypted(at: At) -> None:
        async with at.fresh(policy=policy, mode="Sign") as session:  # no passwords there
            assert await value(session, STATE) == 0
        async with at.fresh("operator", policy=policy, mode="SignAndEncrypt") as session:
            assert await value(session, STATE) == 0

    async def of_a_stranger(at: At) -> None:
        await not_let_in(at, at.how("operator", policy=policy))

    name = policy.lower()
    CASES.append(Case(f"security.{name}", (unit,), positive=True, run=signed_and_encrypted))
    CASES.append(Case(f"security.{name}_of_a_stranger", (unit,), positive=False, run=of_a_stranger))


async def not_let_in(at: At, how: How) -> None:
    """A client whose certificate nobody trusts gets nowhere; with whatever words."""
    try:
        async with at.stranger.session(at.url, how):
            pass
    except RefusedError:
        return
    raise AssertionError("a stranger was let in")


_policy("Security Basic 256Sha256", "Basic256Sha256")
_policy("Security Aes128-Sha256-RsaOaep", "Aes128_Sha256_RsaOaep")
_policy("Security Aes256-Sha256-RsaPss", "Aes256_Sha256_RsaPss")


@positive(
    "Security Certificate Validation",
    "Security Encryption Required",
    "Security Signing Required",
    "UA Secure Conversation",
)
async def a_trusted_application_is_let_in(at: At) -> None:
    async with at.fresh("operator") as session:
        assert await value(session, STATE) == 0


@negative(
    "Security Certificate Validation",
    "Security Encryption Required",
    "Security Signing Required",
    "UA Secure Conversation",
)
async def a_stranger_is_not_let_in_and_is_kept_to_be_looked_at(at: At) -> None:
    await not_let_in(at, at.how("operator"))
    assert list(at.plant.data.certs.joinpath("rejected").iterdir())


@positive("Security User Name Password", "Security Invalid user token", "Security Role Server Authorization")
async def a_user_with_the_right_password(at: At) -> None:
    async with at.fresh("viewer") as session:
        assert await value(session, STATE) == 0


@negative("Security User Name Password", "Security Invalid user token")
async def a_user_with_a_wrong_password(at: At) -> None:
    with refused("BadIdentityTokenRejected", "BadUserAccessDenied"):
        async with at.fresh("viewer", password="certainly not this"):
            pass
    with refused("BadIdentityTokenRejected", "BadUserAccessDenied"):
        async with at.peer.session(at.url, How(**vars(at.how("viewer")) | {"user": "nobody.here"})):
            pass


def _person(at: At, name: str, number: int) -> tuple[Path, Path]:
    """Files of a person's certificate and key."""
    folder = at.plant.data.root.parent / f"{name}-{at.peer.name}"
    folder.mkdir(exist_ok=True)
    now = dt.datetime.fromtimestamp(SystemClock().utc_ns() // 1_000_000_000, dt.UTC)
    return Recipe(name=name, number=number, uri="", purposes=None, now=now).files(folder)


@positive("Security User X509")
async def a_user_with_a_certificate(at: At) -> None:
    certificate, key = _person(at, "emil", 7)
    Users(at.plant.data.users).allow("engineer", fingerprint(certificate.read_bytes()), "emil")
    how = How(policy="Basic256Sha256", mode="SignAndEncrypt", certificate=str(certificate), key=str(key))
    async with at.peer.session(at.url, how) as session:
        assert await value(session, STATE) == 0


@negative("Security User X509", "Security Invalid user token")
async def a_certificate_that_is_nobodys(at: At) -> None:
    certificate, key = _person(at, "mallory", 8)
    how = How(policy="Basic256Sha256", mode="SignAndEncrypt", certificate=str(certificate), key=str(key))
    with refused("BadIdentityTokenRejected", "BadUserAccessDenied"):
        async with at.peer.session(at.url, how):
            pass


@negative("Security User Name Password")
async def no_password_over_an_open_channel(at: At) -> None:
    try:
        async with at.peer.session(at.url, How(user="viewer", password=at.passwords["viewer"])):
            pass
    except RefusedError:
        return
    raise AssertionError("a password was taken over an open channel")


async def _server_certificate(session: Session, at: At) -> tuple[x509.Certificate, str]:
    answer = await session.call("GetEndpoints", {"endpointUrl": at.url, "localeIds": [], "profileUris": []})
    endpoint = next(one for one in answer["endpoints"] if one["securityMode"] == 3)
    data = base64.b64decode(endpoint["serverCertificate"].removeprefix("base64:"))
    return x509.load_der_x509_certificate(data), endpoint["server"]["applicationUri"]


@positive("Security Default ApplicationInstance Certificate")
async def the_server_has_a_certificate_of_its_own(at: At) -> None:
    certificate, uri = await _server_certificate(await at.session(), at)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert uri in names.get_values_for_type(x509.UniformResourceIdentifier)


@negative("Security Default ApplicationInstance Certificate")
async def its_certificate_is_no_authority_and_for_no_other_server(at: At) -> None:
    certificate, _ = await _server_certificate(await at.session(), at)
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        assert not basic.ca
    except x509.ExtensionNotFound:
        pass
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "example.org" not in names.get_values_for_type(x509.DNSName)


@positive("Security Administration")
async def an_administrator_lists_who_is_trusted(at: At) -> None:
    assert at.plant.json("certs", "list")


@negative("Security Administration")
async def what_nobody_has_cannot_be_trusted(at: At) -> None:
    assert at.plant.scada("certs", "trust", "00112233", code=None) is not None
    await not_let_in(at, at.how("operator"))


@positive("Protocol UA TCP", "UA Binary Encoding")
async def hello_is_answered_with_what_the_server_takes(at: At) -> None:
    answer = _said(at, b"HELF", struct.pack("<5I", 0, 65536, 65536, 0, 0) + struct.pack("<i", -1))
    assert answer[:4] == b"ACKF"
    version, receive, send, message, chunks = struct.unpack_from("<5I", answer, 8)
    assert version == 0
    assert min(receive, send) >= 8192
    assert max(message, chunks) > 0


@negative("Protocol UA TCP", "UA Binary Encoding")
async def what_is_no_hello_ends_the_connection(at: At) -> None:
    for kind, body in (
        (b"XXXF", b""), (b"MSGF", bytes(16)), (b"HELF", struct.pack("<5I", 0, 16, 16, 0, 0) + struct.pack("<i", -1)),
        (b"HELF", struct.pack("<5I", 0, 65536, 65536, 0, 0) + struct.pack("<i", 2**30)),
    ):  # fmt: skip
        answer = _said(at, kind, body)
        assert answer[:4] in (b"", b"ERRF"), answer


def _said(at: At, kind: bytes, body: bytes) -> bytes:
    """The answer to one frame on a connection of its own; both clients are the same here."""
    port = int(at.plant.opcua.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(kind + struct.pack("<I", 8 + len(body)) + body)
        connection.settimeout(5)
        try:
            return connection.recv(4096)
        except OSError:
            return b""
