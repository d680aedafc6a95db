"""Whether a certificate is to be believed: the steps of OPC 10000-4 §6.1.3, in their order, each with its status.

Pure: no files, no clock, no asyncua. What a refused client is told is less than what is recorded: only the steps after
the trust list give their own status away.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

CHAIN_MAX: Final = 5
DER_MAX: Final = 16 * 1024  # bytes of one certificate
KEY_BITS: Final = (2048, 4096)  # of all three policies (OPC 10000-7)
_HASHES: Final = frozenset({"sha256", "sha384", "sha512"})

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)

SECURITY_CHECKS_FAILED: Final = 0x80130000
# name: (status code, what the client is told, kind of the audit event)
Kind = Literal["DataMismatch", "Expired", "Invalid", "Untrusted", "Revoked", "Mismatch"]
STATUS: Final[dict[str, tuple[int, int, Kind]]] = {
    "BadCertificateInvalid": (0x80120000, SECURITY_CHECKS_FAILED, "Invalid"),
    "BadCertificateChainIncomplete": (0x810D0000, SECURITY_CHECKS_FAILED, "Invalid"),
    "BadCertificatePolicyCheckFailed": (0x81140000, SECURITY_CHECKS_FAILED, "Invalid"),
    "BadCertificateUntrusted": (0x801A0000, SECURITY_CHECKS_FAILED, "Untrusted"),
    "BadCertificateTimeInvalid": (0x80140000, 0x80140000, "Expired"),
    "BadCertificateIssuerTimeInvalid": (0x80150000, 0x80150000, "Expired"),
    "BadCertificateUriInvalid": (0x80170000, 0x80170000, "DataMismatch"),
    "BadCertificateUseNotAllowed": (0x80180000, 0x80180000, "Mismatch"),
    "BadCertificateIssuerUseNotAllowed": (0x80190000, 0x80190000, "Mismatch"),
    "BadCertificateRevocationUnknown": (0x801B0000, 0x801B0000, "Revoked"),
    "BadCertificateIssuerRevocationUnknown": (0x801C0000, SECURITY_CHECKS_FAILED, "Revoked"),
    "BadCertificateRevoked": (0x801D0000, SECURITY_CHECKS_FAILED, "Revoked"),
    "BadCertificateIssuerRevoked": (0x801E0000, SECURITY_CHECKS_FAILED, "Revoked"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a certificate is refused.

    Attributes:
        name: Of the status, for example `BadCertificateUntrusted`.
        message: What is wrong, and what to do.
    """

    name: str
    message: str

    @property
    def status(self) -> int:
        """What is recorded."""
        return STATUS[self.name][0]

    @property
    def told(self) -> int:
        """What the client is told (OPC 10000-4 §6.1.3: BadSecurityChecksFailed where the reason would help to guess)."""
        return STATUS[self.name][1]

    @property
    def kind(self) -> Kind:
        """The kind of its audit event (`AuditCertificate…EventType`)."""
        return STATUS[self.name][2]


@dataclass(frozen=True, slots=True)
class TrustList:
    """Whom we believe.

    Attributes:
        trusted: Applications, and authorities that speak for all whom they signed.
        issuers: Authorities that are needed to build chains and are not trusted for themselves.
        revocations: Their lists of revoked certificates.
    """

    trusted: tuple[x509.Certificate, ...] = ()
    issuers: tuple[x509.Certificate, ...] = ()
    revocations: tuple[x509.CertificateRevocationList, ...] = ()


def thumbprint(der: bytes) -> str:
    """SHA-1 of a certificate in hex: how OPC UA and its clients name one (OPC 10000-6 §6.7.2.3)."""
    return hashlib.sha1(der, usedforsecurity=False).hexdigest()


def fingerprint(der: bytes) -> str:
    """SHA-256 of a certificate in hex: how ours is told from all others."""
    return hashlib.sha256(der).hexdigest()


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may sign others, and is for nothing else."""
    usage = _extension(certificate, x509.KeyUsage)
    basic = _extension(certificate, x509.BasicConstraints)
    return basic is not None and basic.ca and (usage is None or not usage.data_encipherment)


def split(chain: bytes) -> list[bytes]:
    """The certificates of a SenderCertificate, which are put one after the other, the sender's own first.

    Raises:
        ValueError: That are no DER structures, or too many or too long ones.
    """
    found: list[bytes] = []
    at = 0
    while at < len(chain):
        length, header = _der_length(chain, at)
        end = at + header + length
        if end > len(chain) or end - at > DER_MAX or len(found) == CHAIN_MAX:
            raise ValueError("not a chain of certificates")
        found.append(chain[at:end])
        at = end
    if not found:
        raise ValueError("there is no certificate")
    return found


def _der_length(data: bytes, at: int) -> tuple[int, int]:
    """(bytes of content, bytes of header) of the SEQUENCE at a place."""
    if len(data) < at + 4 or data[at] != 0x30:
        raise ValueError("not a certificate")
    first = data[at + 1]
    if first < 0x80:
        return first, 2
    if first not in {0x81, 0x82}:
        raise ValueError("not a certificate")
    size = first - 0x80
    return int.from_bytes(data[at + 2 : at + 2 + size], "big"), 2 + size


def parse(der: bytes) -> x509.Certificate | Problem:
    """A certificate of which all that is looked at later can be read, or what is wrong with it."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.extensions  # noqa: B018 - parsed here and nowhere unguarded
        key = certificate.public_key()
        certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
    except Exception as error:  # noqa: BLE001 - whatever a stranger's bytes cause is the same to him
        return Problem("BadCertificateInvalid", f"it cannot be read: {error}")
    if not isinstance(key, rsa.RSAPublicKey):
        return Problem(
            "BadCertificatePolicyCheckFailed", "its key is not RSA. Make one of 2048 bits or more."
        )
    if key.key_size > KEY_BITS[1]:  # before a signature is checked with it: that would be slow
        text = f"its key has {key.key_size} bits. Make one of {KEY_BITS[0]} to {KEY_BITS[1]}."
        return Problem("BadCertificatePolicyCheckFailed", text)
    return certificate


def check(ders: Sequence[bytes], trust: TrustList, now: dt.datetime) -> Problem | None:
    """Why a client's application certificate is refused; None when it is believed.

    Args:
        ders: The certificate and what came with it (`split`).
        trust: Whom we believe.
        now: UTC, with its zone.
    """
    given: list[x509.Certificate] = []
    for der in ders:
        parsed = parse(der)
        if isinstance(parsed, Problem):
            return parsed
        given.append(parsed)
    chain = _chain(given, trust)
    if isinstance(chain, Problem):
        return chain
    for step in (_policy, _trusted, _in_time, _usage, _revoked):
        problem = step(chain, trust, now)
        if problem is not None:
            return problem
    return None


def _chain(given: Sequence[x509.Certificate], trust: TrustList) -> list[x509.Certificate] | Problem:
    """From the certificate to the root, each signed by the next."""
    chain = [given[0]]
    known = (*given[1:], *trust.issuers, *trust.trusted)
    while chain[-1].issuer != chain[-1].subject:
        issuer = next((one for one in known if _signed(chain[-1], one)), None)
        if issuer is None:
            name = chain[-1].issuer.rfc4514_string()
            if any(one.subject == chain[-1].issuer for one in known):
                return Problem("BadCertificateInvalid", f"{name} has not signed it.")
            return Problem(
                "BadCertificateChainIncomplete",
                f"the certificate of {name} is missing. Put it into certs/issuers.",
            )
        if len(chain) == CHAIN_MAX:
            return Problem("BadCertificateChainIncomplete", "the chain is too long.")
        chain.append(issuer)
    if not _signed(chain[-1], chain[-1]):
        return Problem("BadCertificateInvalid", "its own signature is wrong.")
    return chain


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if certificate.issuer != issuer.subject:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _policy(chain: Sequence[x509.Certificate], trust: TrustList, now: dt.datetime) -> Problem | None:
    del trust, now
    shortest, longest = KEY_BITS
    for certificate in chain:
        algorithm = certificate.signature_hash_algorithm
        key = certificate.public_key()
        bits = key.key_size if isinstance(key, rsa.RSAPublicKey) else 0
        if algorithm is None or algorithm.name not in _HASHES:
            name = "no" if algorithm is None else algorithm.name.upper()
            text = f"it is signed with {name} hash. Make one with SHA-256."
            return Problem("BadCertificatePolicyCheckFailed", text)
        if not shortest <= bits <= longest:
            text = f"its key has {bits} bits. Make one of {shortest} to {longest}."
            return Problem("BadCertificatePolicyCheckFailed", text)
    return None


def _trusted(chain: Sequence[x509.Certificate], trust: TrustList, now: dt.datetime) -> Problem | None:
    del now
    if any(certificate in trust.trusted for certificate in chain):
        return None
    return Problem("BadCertificateUntrusted", "nobody has trusted it. Look at it and run scada certs trust.")


def _in_time(chain: Sequence[x509.Certificate], trust: TrustList, now: dt.datetime) -> Problem | None:
    del trust
    for certificate in chain:
        if certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            continue
        name = "BadCertificateTimeInvalid" if certificate is chain[0] else "BadCertificateIssuerTimeInvalid"
        if now < certificate.not_valid_before_utc:
            return Problem(name, f"it begins at {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC.")
        return Problem(name, f"it ended at {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC.")
    return None


def _usage(chain: Sequence[x509.Certificate], trust: TrustList, now: dt.datetime) -> Problem | None:
    del trust, now
    usage = _extension(chain[0], x509.KeyUsage)
    if usage is None or not (usage.digital_signature and usage.key_encipherment and usage.data_encipherment):
        text = (
            "its key usage lacks digitalSignature, keyEncipherment or dataEncipherment (OPC 10000-6 §6.2.2)."
        )
        return Problem("BadCertificateUseNotAllowed", text)
    purposes = _extension(chain[0], x509.ExtendedKeyUsage)
    if purposes is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in purposes:
        return Problem("BadCertificateUseNotAllowed", "its extended key usage lacks clientAuth.")
    for depth, issuer in enumerate(chain[1:]):
        basic = _extension(issuer, x509.BasicConstraints)
        usage = _extension(issuer, x509.KeyUsage)
        too_deep = basic is not None and basic.path_length is not None and depth > basic.path_length
        if basic is None or not basic.ca or too_deep or (usage is not None and not usage.key_cert_sign):
            text = f"{issuer.subject.rfc4514_string()} may not sign it."
            return Problem("BadCertificateIssuerUseNotAllowed", text)
    return None


def _revoked(chain: Sequence[x509.Certificate], trust: TrustList, now: dt.datetime) -> Problem | None:
    pairs = list(pairwise(chain))
    for certificate, issuer in pairs:
        if next(_lists(issuer, trust, now), None) is None:  # an empty list is false
            which = "" if certificate is chain[0] else "Issuer"
            text = f"there is no valid list of what {issuer.subject.rfc4514_string()} revoked. Put it into certs/crl."
            return Problem(f"BadCertificate{which}RevocationUnknown", text)
    for certificate, issuer in pairs:
        which = "" if certificate is chain[0] else "Issuer"
        for revocations in _lists(issuer, trust, now):
            if revocations.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
                text = f"{issuer.subject.rfc4514_string()} has revoked it."
                return Problem(f"BadCertificate{which}Revoked", text)
    return None


def _lists(
    issuer: x509.Certificate, trust: TrustList, now: dt.datetime
) -> Iterator[x509.CertificateRevocationList]:
    """The lists of an authority that are signed by it and not out of date."""
    key = issuer.public_key()
    for revocations in trust.revocations:
        if revocations.issuer != issuer.subject or not isinstance(key, rsa.RSAPublicKey):
            continue
        until = revocations.next_update_utc
        if (until is None or now <= until) and revocations.is_signature_valid(key):
            yield revocations


def _extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def application_uris(certificate: x509.Certificate) -> list[str]:
    """The application URIs that a certificate stands for (OPC 10000-6 §6.2.2)."""
    names = _extension(certificate, x509.SubjectAlternativeName)
    return [] if names is None else list(names.get_values_for_type(x509.UniformResourceIdentifier))
