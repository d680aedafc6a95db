"""RSA certificates of OPC UA applications, people and authorities, made when needed; keys are made once a process."""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
URI = "urn:test:client"


@functools.cache
def key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The number-th key of this length: making one takes 0.1 s."""
    del number
    return rsa.generate_private_key(65537, bits)


@dataclass(frozen=True)
class Recipe:
    """What a certificate is made of; by default it is all right for a client.

    Attributes:
        name: Common name.
        issuer: Who signs it; None signs itself.
        number: Of its key.
        bits: Of its key.
        first_day: When it begins, days from `now`.
        last_day: When it ends, days from `now`.
        uri: Application URI; "" for none.
        authority: May sign others.
        path_length: How deep its authorities may go.
        usage: Names of the key usages; None leaves the extension out.
        purposes: Extended key usages; None leaves the extension out.
        sha: 256 or 512, of the signature.
        now: UTC.
    """

    name: str = "client"
    issuer: Recipe | None = None
    number: int = 0
    bits: int = 2048
    first_day: float = -1
    last_day: float = 365
    uri: str = URI
    authority: bool = False
    path_length: int | None = None
    usage: tuple[str, ...] | None = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
    )
    purposes: tuple[x509.ObjectIdentifier, ...] | None = (ExtendedKeyUsageOID.CLIENT_AUTH,)
    sha: int = 256
    now: dt.datetime = NOW

    def but(self, **changes: object) -> Self:
        """The same with changes."""
        return replace(self, **changes)  # type: ignore[arg-type]

    @property
    def private(self) -> rsa.RSAPrivateKey:
        """Its key."""
        return key(self.number, self.bits)

    @property
    def subject(self) -> x509.Name:
        """Its name."""
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])

    def made(self, serial: int | None = None) -> x509.Certificate:
        """The certificate."""
        issuer = self.issuer or self
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.subject)
            .issuer_name(issuer.subject)
            .public_key(self.private.public_key())
            .serial_number(serial or x509.random_serial_number())
            .not_valid_before(self.now + self.first_day * DAY)
            .not_valid_after(self.now + self.last_day * DAY)
            .add_extension(x509.BasicConstraints(self.authority, self.path_length), critical=True)
        )
        if self.usage is not None:
            names: tuple[str, ...] = (
                "digital_signature",
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
            )
            names += ("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
            usage = x509.KeyUsage(**{name: name in self.usage for name in names})
            builder = builder.add_extension(usage, critical=True)
        if self.purposes is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage(self.purposes), critical=False)
        if self.uri:
            names_of = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(self.uri)])
            builder = builder.add_extension(names_of, critical=False)
        return builder.sign(issuer.private, hashes.SHA512() if self.sha == 512 else hashes.SHA256())

    def der(self) -> bytes:
        """The certificate, DER; always the same one."""
        return _der(self)

    def files(self, folder: Path) -> tuple[Path, Path]:
        """(certificate, key) as files for a client."""
        certificate, private = folder / f"{self.name}.der", folder / f"{self.name}.pem"
        certificate.write_bytes(self.der())
        private.write_bytes(
            self.private.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate, private

    def revokes(self, *serials: int, until_day: float = 30) -> x509.CertificateRevocationList:
        """Its list of what it revoked."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.subject)
            .last_update(self.now - DAY)
            .next_update(self.now + until_day * DAY)
        )
        for serial in serials:
            revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(self.now - DAY)
            builder = builder.add_revoked_certificate(revoked.build())
        return builder.sign(self.private, hashes.SHA256())


@functools.cache
def _der(recipe: Recipe) -> bytes:
    return recipe.made().public_bytes(serialization.Encoding.DER)


AUTHORITY = Recipe(
    name="authority", number=1, uri="", authority=True, usage=("key_cert_sign", "crl_sign"), purposes=None
)
