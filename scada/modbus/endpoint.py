"""Where a device is: the text of an endpoint and its parts."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

TCP, TLS, RTU_TCP, RTU = "tcp", "tls", "rtu+tcp", "rtu"
SCHEMES: Final = (TCP, TLS, RTU_TCP, RTU)
DEFAULT_PORT: Final = {TCP: 502, TLS: 802}  # as registered; for RTU over TCP there is none
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_EXAMPLE: Final = {
    TCP: "tcp://192.168.10.11:502",
    TLS: "tls://192.168.10.11:802",
    RTU_TCP: "rtu+tcp://192.168.10.11:4001",
    RTU: "rtu:///dev/ttyUSB0",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a connection; devices with equal endpoints share it.

    Attributes:
        scheme: `tcp`, `tls`, `rtu+tcp` or `rtu`.
        host: Name or address; "" for a serial line.
        port: TCP port; 0 for a serial line.
        path: Of the serial line's file; "" for the others.
    """

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def serial(self) -> bool:
        """Whether it is a serial line of this machine."""
        return self.scheme == RTU

    @property
    def framed_rtu(self) -> bool:
        """Whether frames are those of a serial line: with a checksum and without a transaction id."""
        return self.scheme in (RTU, RTU_TCP)

    def __str__(self) -> str:
        if self.serial:
            return f"{self.scheme}://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse(text: str) -> Endpoint:
    """The endpoint that a text means.

    Args:
        text: `tcp://host:502`, `tls://host:802`, `rtu+tcp://host:4001` or `rtu:///dev/ttyUSB0`; 502 and 802 may be left
            out.

    Raises:
        ValueError: Another scheme, no host, no port or one outside 1 … 65535, no absolute path of a serial line.
    """
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError(f"{text!r} is no endpoint. Write for example: endpoint: {_EXAMPLE[TCP]}") from None
    if parts.scheme not in SCHEMES:
        raise ValueError(
            f"{text!r} does not begin with tcp://, tls://, rtu+tcp:// or rtu://. "
            f"Write for example: endpoint: {_EXAMPLE[TCP]}"
        )
    return _serial(text, parts) if parts.scheme == RTU else _network(text, parts)


def _serial(text: str, parts: SplitResult) -> Endpoint:
    absolute = parts.path.startswith("/") and len(parts.path) > 1
    if parts.netloc or parts.query or parts.fragment or not absolute or "\0" in parts.path:
        raise ValueError(
            f"{text!r} does not name the file of a serial line. "
            f"Write it with three slashes: endpoint: {_EXAMPLE[RTU]}"
        )
    return Endpoint(RTU, path=parts.path)


def _network(text: str, parts: SplitResult) -> Endpoint:
    example = f"Write for example: endpoint: {_EXAMPLE[parts.scheme]}"
    if parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(f"{text!r} has more than a host and a port. {example}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"{text!r} has no port in 1 … 65535. {example}") from None
    if not host or not (_HOST.fullmatch(host) or _is_address(host)):
        raise ValueError(f"{text!r} has no host. {example}")
    if port is None:
        port = DEFAULT_PORT.get(parts.scheme, 0)
    if port == 0:
        raise ValueError(f"{text!r} has no port in 1 … 65535. {example}")
    return Endpoint(parts.scheme, host, port)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
