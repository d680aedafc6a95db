"""Modbus/TCP Security: certificates of both ends, and the role in a certificate.

Both ends show a certificate (MB-TCP-Security-v36, mutual authentication), TLS is 1.2 or newer, and what the other end may do
follows from the role that stands in its certificate. Files are read when a connection opens, so that a renewed
certificate counts from the next connection on, without a restart.
"""

from __future__ import annotations

import ssl
import warnings
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

PORT: Final = 802
ROLE_OID: Final = "1.3.6.1.4.1.50316.802.1"
ROLE_MAX: Final = 256  # bytes; longer than any name of a role
_UTF8_STRING: Final = 0x0C


class Tls(BaseModel):
    """Certificates of one end of a connection.

    Attributes:
        ca: PEM file with the certificates that the other end's certificate must be signed by.
        certificate: PEM file with the own certificate, and those between it and its authority.
        key: PEM file with the own private key, readable by its owner only.
        server_name: Name that the device's certificate must carry; absent, the host of the endpoint.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ca: str
    certificate: str
    key: str
    server_name: str | None = None

    @field_validator("ca", "certificate", "key")
    @classmethod
    def _file(cls, text: str, info: ValidationInfo) -> str:
        path = absolute(text, info.context)
        if isinstance(info.context, dict) and "folder" in info.context:  # a site is being checked
            from scada.modbus import certificates  # noqa: PLC0415 - a service does not look, it connects

            if problem := certificates.problem(str(info.field_name), path, info.data.get("certificate")):
                raise ValueError(problem)
        return path


def absolute(text: str, context: Any) -> str:
    """A path of a site, made absolute when the validation context says where the site is (`{"folder": …}`).

    Raises:
        ValueError: It is empty.
    """
    if not text.strip() or "\0" in text:
        raise ValueError(f"{text!r} is not the name of a file. Write for example: certs/plc1.pem")
    folder = context.get("folder") if isinstance(context, dict) else None
    return str(Path(folder).resolve() / text) if folder is not None else text


def client_context(tls: Tls) -> ssl.SSLContext:
    """What a client connects with: it proves who it is, and takes only a server that proves the same.

    Raises:
        OSError: A file is missing, may not be read (`ssl.SSLError` is one of these) or is no certificate or key.
    """
    context = _Named(ssl.PROTOCOL_TLS_CLIENT)  # verifies, and looks at the name
    context.server_name = tls.server_name
    return _load(context, tls)


class _Named(ssl.SSLContext):
    """Asks for the name of the settings, whatever the library that connects would ask for.

    Attributes:
        server_name: Name that the server's certificate must carry; None for the host.
    """

    server_name: str | None = None

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """As asyncio and uvloop call it."""
        return super().wrap_bio(incoming, outgoing, server_side, self.server_name or server_hostname, session)


def server_context(tls: Tls) -> ssl.SSLContext:
    """What a server listens with: clients without a certificate of the same authority are turned away.

    Raises:
        OSError: As for `client_context`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    return _load(context, tls)


def role(certificate: bytes) -> str | None:
    """The role in a certificate: extension 1.3.6.1.4.1.50316.802.1, an ASN.1 UTF8String.

    Args:
        certificate: DER.

    Returns:
        Its name, or None when the certificate has none.

    Raises:
        ValueError: It is no certificate, or what stands there is not a role.
    """
    from cryptography import x509  # noqa: PLC0415 - only those who speak TLS need it

    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # cryptography warns of old devices' certificates; OpenSSL has judged it
            extensions = x509.load_der_x509_certificate(certificate).extensions
        found = extensions.get_extension_for_oid(x509.ObjectIdentifier(ROLE_OID)).value
    except x509.ExtensionNotFound:
        return None
    except (
        ValueError,
        TypeError,
        x509.DuplicateExtension,
        x509.InvalidVersion,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise ValueError(f"the certificate cannot be read ({error})") from None
    return role_of(found.value if isinstance(found, x509.UnrecognizedExtension) else b"")


def role_of(value: bytes) -> str:
    """The role in the value of the extension: DER of one UTF8String and nothing else.

    Raises:
        ValueError: It is none.
    """
    size, head = _length(value)
    if head == 0 or value[0] != _UTF8_STRING or len(value) != head + size or not 0 < size <= ROLE_MAX:
        raise ValueError("the role in the certificate is not an ASN.1 UTF8String of 1 to 256 bytes")
    try:
        name = value[head:].decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("the role in the certificate is not UTF-8") from None
    if not name.isprintable() or name != name.strip():
        raise ValueError(
            "the role in the certificate has blanks around it, or characters that cannot be printed"
        )
    return name


def role_value(name: str) -> bytes:
    """The value of the extension for a role: what `role_of` reads.

    Raises:
        ValueError: It is empty or longer than 256 bytes.
    """
    text = name.encode()
    if not 0 < len(text) <= ROLE_MAX:
        raise ValueError("a role has 1 to 256 bytes")
    size = len(text)
    length = bytes((size,)) if size < 0x80 else b"\x81" + bytes((size,)) if size < 0x100 else b"\x82\x01\x00"
    return bytes((_UTF8_STRING,)) + length + text


def _length(value: bytes) -> tuple[int, int]:
    """Length of a DER value and of what stands before it; (0, 0) when that is not DER."""
    if len(value) < 2:
        return 0, 0
    first = value[1]
    if first < 0x80:
        return first, 2
    octets = first & 0x7F
    if not 1 <= octets <= 2 or len(value) < 2 + octets:
        return 0, 0
    size = int.from_bytes(value[2 : 2 + octets], "big")
    shortest = 0x80 if octets == 1 else 0x100
    return (size, 2 + octets) if size >= shortest else (0, 0)


def _load(context: ssl.SSLContext, tls: Tls) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_verify_locations(cafile=tls.ca)
    context.load_cert_chain(tls.certificate, tls.key, password=_no_password)
    return context


def _no_password() -> str:
    """OpenSSL would ask at the terminal of a service."""
    raise OSError("the key is protected by a password")
