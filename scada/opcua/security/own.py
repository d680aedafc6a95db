"""The server's own application certificate (OPC 10000-6 §6.2.2): made at the first start, renewed on demand.

It is self-signed. An installation with an authority of its own puts key and certificate into `certs/own` instead; ours
is only made where there is none, or where it has ended or names another application.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlparse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from scada.datadir import write_file
from scada.opcua.security.store import read
from scada.opcua.security.validate import application_uris
from tags.model import Site

KEY_BITS: Final = (2048, 3072, 4096)
VALID_DAYS: Final = 5 * 365
WARN_DAYS: Final = 30
KEY_FILE: Final = "key.pem"
CERTIFICATE_FILE: Final = "certificate.der"
_BEFORE: Final = {"own_key.pem": KEY_FILE, "own_certificate.der": CERTIFICATE_FILE}
"""Names of earlier versions, in `certs` itself."""


@dataclass(frozen=True, slots=True)
class Own:
    """The server's identity.

    Attributes:
        key: PEM file, mode 0600.
        file: DER file of the certificate.
        certificate: As it was read.
        private: Its key.
    """

    key: Path
    file: Path
    certificate: x509.Certificate
    private: rsa.RSAPrivateKey

    def days_left(self, now: dt.datetime) -> float:
        """Days until it ends; negative when it has."""
        return (self.certificate.not_valid_after_utc - now) / dt.timedelta(days=1)


def application_uri(site: Site) -> str:
    """How the server names itself: stands in its certificate and in its endpoints."""
    return f"urn:closedloop:{site.name}:server"


def load(certs: Path) -> Own:
    """The key and certificate as they lie there.

    Raises:
        OSError: A file is missing or cannot be read.
        ValueError: A file is damaged, or the key belongs to another certificate.
    """
    key, file = certs / "own" / KEY_FILE, certs / "own" / CERTIFICATE_FILE
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    certificate = read(file).certificate
    if not isinstance(private, rsa.RSAPrivateKey) or certificate.public_key() != private.public_key():
        raise ValueError(
            f"{key} is not the RSA key of {file}. Put the right one there, or run scada certs renew."
        )
    return Own(key, file, certificate, private)


def ensure(certs: Path, site: Site, now: dt.datetime) -> Own:
    """The server's identity, made when it is missing, has ended or names another application.

    Args:
        certs: `DataDir.certs`.
        site: Its name, endpoint and length of key.
        now: UTC, with its zone.

    Raises:
        OSError: The files cannot be read or written.
        ValueError: They are damaged.
    """
    (certs / "own").mkdir(mode=0o700, parents=True, exist_ok=True)
    for before, after in _BEFORE.items():
        if (certs / before).exists() and not (certs / "own" / after).exists():
            (certs / before).rename(certs / "own" / after)
    with contextlib.suppress(FileNotFoundError):
        own = load(certs)
        if own.days_left(now) > 0 and application_uri(site) in application_uris(own.certificate):
            return own
        return _write(certs, own.private, _named(site), _names(site), now)
    private = rsa.generate_private_key(65537, site.opcua_security.key_bits)
    return _write(certs, private, _named(site), _names(site), now)


def renew(certs: Path, now: dt.datetime, bits: int | None = None) -> Own:
    """Makes a new key and certificate for the same application, names and addresses.

    Args:
        certs: `DataDir.certs`.
        now: UTC, with its zone.
        bits: Of the new key; None for as many as before.

    Raises:
        OSError: There is no certificate yet, or the files cannot be written; the old ones stay.
        ValueError: They are damaged, or the certificate does not name its application.
    """
    own = load(certs)
    try:
        names = own.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as error:
        raise ValueError(f"{own.file} names no application. Remove own/ and start the server") from error
    private = rsa.generate_private_key(65537, bits or own.private.key_size)
    return _write(certs, private, own.certificate.subject, list(names), now)


def _write(
    certs: Path,
    private: rsa.RSAPrivateKey,
    name: x509.Name,
    alternatives: Sequence[x509.GeneralName],
    now: dt.datetime,
) -> Own:
    folder = certs / "own"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificate = _made(private, name, alternatives, now)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_file(folder / KEY_FILE, pem)
    write_file(folder / CERTIFICATE_FILE, certificate.public_bytes(serialization.Encoding.DER))
    return Own(folder / KEY_FILE, folder / CERTIFICATE_FILE, certificate, private)


def _named(site: Site) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, f"Closedloop {site.name}"[:64]),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Closedloop"),
        ]
    )


def _names(site: Site) -> list[x509.GeneralName]:
    alternatives: list[x509.GeneralName] = [x509.UniformResourceIdentifier(application_uri(site))]
    alternatives += [
        _alternative(host) for host in hosts(urlparse(site.opcua_endpoint).hostname or "localhost")
    ]
    return alternatives


def _made(
    private: rsa.RSAPrivateKey, name: x509.Name, alternatives: Sequence[x509.GeneralName], now: dt.datetime
) -> x509.Certificate:
    public = private.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))  # a client's clock may be a little late
        .not_valid_after(now + dt.timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        )
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    )
    return builder.sign(private, hashes.SHA256())


def _usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=True,  # it is its own authority (OPC 10000-6 §6.2.2)
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def hosts(bound: str) -> list[str]:
    """The names and addresses that clients may reach the server by.

    Args:
        bound: Host of the endpoint; all of them for `0.0.0.0` or `::`.
    """
    here = socket.gethostname()
    found = [bound, here]
    try:
        address = ipaddress.ip_address(bound)
    except ValueError:
        if bound == "localhost":
            found += ["127.0.0.1"]
    else:
        if address.is_loopback:
            found += ["localhost"]
        if address.is_unspecified:
            found = [here, socket.getfqdn(), "localhost", "127.0.0.1"]
            with contextlib.suppress(OSError):
                found += sorted(
                    {str(info[4][0]).partition("%")[0] for info in socket.getaddrinfo(here, None)}
                )
    return list(dict.fromkeys(found))


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host.encode("idna").decode() if not host.isascii() else host)
