"""asyncua's client with a certificate that the server trusts."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

from scada.clock import SystemClock
from scada.opcua.security.store import Store
from tests.support.opcua_certificates import Recipe

NOW = dt.datetime.fromtimestamp(SystemClock().utc_ns() // 1_000_000_000, dt.UTC)
CLIENT = Recipe(now=NOW)


async def with_certificate(
    url: str,
    folder: Path,
    certs: Path | None,
    *,
    recipe: Recipe = CLIENT,
    policy: Any = SecurityPolicyBasic256Sha256,
    mode: ua.MessageSecurityMode = ua.MessageSecurityMode.SignAndEncrypt,
    patience_s: float | None = None,
) -> Client:
    """A client that is not connected yet.

    Args:
        url: Of the server.
        folder: Takes the client's files.
        certs: `DataDir.certs` of the server, to be trusted there; None leaves it a stranger.
        recipe: Of its certificate.
        policy: Of its channel.
        mode: Of its channel.
        patience_s: How long it waits for an answer before it gives the connection up; None for its own 1 to 4 s.
    """
    certificate, key = recipe.files(folder)
    if certs is not None:
        Store(certs).put("trusted", certificate.read_bytes())
    client = Client(url, timeout=30)  # asyncua waits for 4 s: a busy machine may need more
    client.application_uri = recipe.uri
    await client.set_security(policy, str(certificate), str(key), mode=mode)
    return client
