"""The server's own application certificate, made at the first start (OPC 10000-6 §6.2.2)."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

from asyncua.crypto.cert_gen import setup_self_signed_certificate
from cryptography.x509.oid import ExtendedKeyUsageOID

KEY_FILE: Final = "own_key.pem"
CERTIFICATE_FILE: Final = "own_certificate.der"


async def own_certificate(folder: Path, application_uri: str) -> tuple[Path, Path]:
    """The key and certificate files, made when missing and renewed when expired or for another name.

    Args:
        folder: `DataDir.certs`, mode 0700.
        application_uri: Stands in the certificate's subject alternative name.

    Returns:
        Paths of the PEM key (mode 0600) and of the DER certificate.
    """
    key, certificate = folder / KEY_FILE, folder / CERTIFICATE_FILE
    before = os.umask(0o077)  # the key is never readable by others, not even for a moment
    try:
        await setup_self_signed_certificate(
            key,
            certificate,
            application_uri,
            socket.gethostname(),
            [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH],
            {"organizationName": "Closedloop"},
        )
    finally:
        os.umask(before)
    return key, certificate
