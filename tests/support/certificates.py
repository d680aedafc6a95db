"""Certificates for Modbus/TCP Security, made when needed: an authority, a device's, a client's with a role."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from scada.modbus.tls import ROLE_OID, Tls, role_value

DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key.

    Attributes:
        certificate: PEM file.
        key: PEM file, mode 0600.
        ca: PEM file of who signed it.
    """

    certificate: Path
    key: Path
    ca: Path

    @property
    def tls(self) -> Tls:
        """As settings of one end."""
        return Tls(ca=str(self.ca), certificate=str(self.certificate), key=str(self.key))


class Authority:
    """Signs certificates into a folder.

    Args:
        folder: Takes the files.
        name: Of the authority, and of its file.
    """

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        builder = _builder(self._name, self._name, self._key.public_key(), -1, 3650)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(_usage(sign=True), critical=True)
        self._identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        builder = builder.add_extension(self._identifier, critical=False)
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(
            builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )

    def sign(
        self,
        name: str,
        *,
        role: str | bytes | None = None,
        first_day: float = -1,
        last_day: float = 365,
        names: tuple[str, ...] = ("localhost", "127.0.0.1"),
    ) -> Pair:
        """A certificate for a device or a client.

        Args:
            name: Of its subject and its files.
            role: In its extension: a name, or raw bytes of the value, or none.
            first_day: When it begins, days from now.
            last_day: When it ends, days from now.
            names: Host names and addresses that it stands for.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_named(name), self._name, key.public_key(), first_day, last_day)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(sign=False), critical=True)
        both = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(both), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._identifier), critical=False
        )
        alternatives = x509.SubjectAlternativeName([_alternative(text) for text in names])
        builder = builder.add_extension(alternatives, critical=False)
        if role is not None:
            value = role if isinstance(role, bytes) else role_value(role)
            extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(ROLE_OID), value)
            builder = builder.add_extension(extension, critical=False)
        pair = Pair(self.folder / f"{name}.pem", self.folder / f"{name}.key", self.path)
        signed = builder.sign(self._key, hashes.SHA256())
        pair.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        pair.key.touch(mode=0o600)
        pair.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return pair


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, first_day: float, last_day: float
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)  # noqa: TID251 - real certificates are looked at by OpenSSL's own clock
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + first_day * DAY)
        .not_valid_after(now + last_day * DAY)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign,
        crl_sign=sign,
        encipher_only=False,
        decipher_only=False,
    )
