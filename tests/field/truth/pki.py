"""Certificates of both ends, for the length of a test."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from scada.modbus.tls import Tls
from tests.support.certificates import Authority


@dataclass(frozen=True, slots=True)
class Pki:
    """Attributes:
    driver: Settings of the driver.
    device: What the device listens with; it wants to see a certificate, too.
    """

    driver: dict[str, str]
    device: ssl.SSLContext


def pki(folder: Path) -> Pki:
    """Makes an authority and the certificates of both ends."""
    authority = Authority(folder)
    return Pki(
        _settings(authority.sign("driver", role="operator").tls),
        _server(authority.sign("device").tls),
    )


def _settings(tls: Tls) -> dict[str, str]:
    return {"ca": tls.ca, "certificate": tls.certificate, "key": tls.key}


def _server(tls: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(tls.certificate, tls.key)
    context.load_verify_locations(tls.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    return context
