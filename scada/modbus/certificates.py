"""Certificate files looked at before they are used: what would fail at 3 a.m. is found by `scada check`."""

from __future__ import annotations

import stat
import warnings
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from scada.modbus import tls
from scada.modbus.tls import Tls

SOON_NS: Final = 30 * 86_400_000_000_000
"""A certificate that ends within this time is told of."""


def problems(settings: Tls) -> list[tuple[str, str]]:
    """What is wrong with the files whatever the time is.

    Args:
        settings: Absolute paths.

    Returns:
        (key of the settings, what is wrong and what to do); empty when all is well.
    """
    found = {
        "ca": problem("ca", settings.ca, None),
        "certificate": problem("certificate", settings.certificate, None),
    }
    found["key"] = problem("key", settings.key, None if found["certificate"] else settings.certificate)
    return [(name, text) for name, text in found.items() if text is not None]


def problem(name: str, path: str, certificate: str | None) -> str | None:
    """What is wrong with one file whatever the time is, and what to do; None when all is well.

    Args:
        name: `ca`, `certificate` or `key`.
        path: Absolute.
        certificate: File of the certificate that the key belongs to, absolute; None when that is wrong itself.
    """
    try:
        if name == "ca":
            for authority in _certificates(path):
                if not _may_sign(authority):
                    return f"{path}: {_name(authority)} may not sign others. Name the file of the authority here."
        elif name == "certificate":
            _role(path, _certificates(path)[0])
        else:
            key = _key(path)
            if certificate is not None and _public(_certificates(certificate)[0].public_key()) != key:
                return f"{path} is not the key of {certificate}. Name the key that the certificate was made with."
    except _FileError as error:
        return str(error)
    return None


def validity(settings: Tls, utc_ns: int) -> list[tuple[bool, str]]:
    """Certificates that are over, have not begun, or end within 30 days; files that cannot be read are left out.

    Args:
        settings: Absolute paths.
        utc_ns: Now.

    Returns:
        (whether it is of no use now, what is wrong and what to do); empty when all is well.
    """
    found: list[tuple[bool, str]] = []
    for path in (settings.ca, settings.certificate):
        try:
            certificates = _certificates(path)
        except _FileError:
            continue
        for certificate in certificates:
            first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
            left_ns = round(last.timestamp()) * 1_000_000_000 - utc_ns
            subject = f"{path}: {_name(certificate)}"
            if left_ns <= 0:
                found.append((True, f"{subject} was valid until {last:%Y-%m-%d %H:%M} UTC. Renew it."))
            elif utc_ns < round(first.timestamp()) * 1_000_000_000:
                text = f"{subject} is valid from {first:%Y-%m-%d %H:%M} UTC on. Set the clock, or renew it."
                found.append((True, text))
            elif left_ns < SOON_NS:
                days = left_ns // 86_400_000_000_000
                found.append(
                    (False, f"{subject} ends in {days} days, on {last:%Y-%m-%d %H:%M} UTC. Renew it.")
                )
    return found


class _FileError(Exception):
    """A file is of no use; the message says why and what to do."""


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _FileError(
            f"{path} cannot be read ({error.strerror}). Correct the path, or put the file there."
        ) from None


def _certificates(path: str) -> list[x509.Certificate]:
    data = _read(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as in `tls.role`
            return x509.load_pem_x509_certificates(data)
    except ValueError:
        raise _FileError(
            f"{path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----). "
            "Convert it: openssl x509 -inform der -in FILE -out FILE.pem"
        ) from None


def _key(path: str) -> bytes:
    """The public half of a private key."""
    data = _read(path)
    try:
        public = _public(serialization.load_pem_private_key(data, None).public_key())
    except TypeError:
        raise _FileError(
            f"{path} is protected by a password, and nobody is there to type it. "
            f"Remove it: openssl pkey -in {path} -out FILE"
        ) from None
    except Exception:  # noqa: BLE001 - ValueError, UnsupportedAlgorithm, and what else a file may provoke
        raise _FileError(
            f"{path} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----). Name the file of the key."
        ) from None
    mode = stat.S_IMODE(Path(path).stat().st_mode)
    if mode & 0o007:
        raise _FileError(f"{path} can be read by everybody (mode {mode:04o}). Run: chmod 600 {path}")
    return public


def _public(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _may_sign(certificate: x509.Certificate) -> bool:
    """Whether it is an authority, or a device's self-signed certificate; one without the extension is taken for one."""
    if certificate.issuer == certificate.subject:
        return True
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return True
    except (ValueError, x509.DuplicateExtension):
        return False


def _role(path: str, certificate: x509.Certificate) -> None:
    try:
        tls.role(certificate.public_bytes(serialization.Encoding.DER))
    except ValueError as error:
        raise _FileError(f"{path}: {error}. Renew it.") from None


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "the certificate without a name"
