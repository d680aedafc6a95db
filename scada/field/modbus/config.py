"""What may be written about a Modbus device in a site, with error texts for people."""

from __future__ import annotations

import ipaddress
import re
from typing import Final, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

MAX_REGISTERS: Final = 125  # Modbus Application Protocol 1.1b3, 6.3
MAX_COILS: Final = 2000  # 6.1
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min)\s*")
_UNITS_NS: Final = {"ms": 1_000_000, "s": 1_000_000_000, "min": 60_000_000_000}
_RANGE = re.compile(r"\s*(coil|discrete|holding|input)/(\d+)(?:\s*-\s*(\d+))?\s*")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


class Span(NamedTuple):
    """Addresses of one table that must never be asked for.

    Attributes:
        table: `coil`, `discrete`, `holding` or `input`.
        first: Zero-based.
        last: Inclusive.
    """

    table: str
    first: int
    last: int


class Config(BaseModel):
    """Settings of one Modbus device.

    Attributes:
        endpoint: `tcp://host:port`; port 502 when left out.
        unit_id: Unit identifier, 0 … 255.
        word_order: Which 16-bit word of a longer value comes first: `big` (most significant) or `little`.
        byte_order: Order of the two bytes in a register: `big` (the standard) or `little`.
        timeout: How long a reply may take, for example `500 ms`.
        max_registers: Most registers in one request, 1 … 125.
        max_coils: Most coils or discrete inputs in one request, 1 … 2000.
        max_gap: Unused registers that may be read along to save a request, 0 … 125; 16 times as many bits.
        forbidden: Addresses that are never asked for, for example `["holding/200-210"]`.
        writes: `single` (FC5, FC6) or `multiple` (FC15, FC16) for values of one coil or register.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: str
    unit_id: int = Field(default=1, ge=0, le=255)
    word_order: Literal["big", "little"] = "big"
    byte_order: Literal["big", "little"] = "big"
    timeout: str = "1 s"
    max_registers: int = Field(default=MAX_REGISTERS, ge=1, le=MAX_REGISTERS)
    max_coils: int = Field(default=MAX_COILS, ge=1, le=MAX_COILS)
    max_gap: int = Field(default=32, ge=0, le=MAX_REGISTERS)
    forbidden: tuple[str, ...] = ()
    writes: Literal["single", "multiple"] = "single"

    @field_validator("endpoint")
    @classmethod
    def _endpoint(cls, text: str) -> str:
        split_endpoint(text)
        return text

    @field_validator("timeout")
    @classmethod
    def _timeout(cls, text: str) -> str:
        if not 10_000_000 <= duration_ns(text) <= 60_000_000_000:
            raise ValueError(f"{text!r} is not between 10 ms and 60 s. Write for example: timeout: 500 ms")
        return text

    @field_validator("forbidden")
    @classmethod
    def _forbidden(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            parse_span(text)
        return texts

    @property
    def host(self) -> str:
        """Host of the endpoint."""
        return split_endpoint(self.endpoint)[0]

    @property
    def port(self) -> int:
        """TCP port of the endpoint."""
        return split_endpoint(self.endpoint)[1]

    @property
    def timeout_ns(self) -> int:
        """Longest wait for a reply, ns."""
        return duration_ns(self.timeout)

    @property
    def spans(self) -> tuple[Span, ...]:
        """The forbidden ranges."""
        return tuple(parse_span(text) for text in self.forbidden)


def split_endpoint(text: str) -> tuple[str, int]:
    """Host and port of `tcp://host:port`.

    Raises:
        ValueError: Another scheme, no host, or a port outside 1 … 65535.
    """
    example = "Write for example: endpoint: tcp://192.168.10.11:502"
    parts = urlsplit(text)
    if parts.scheme != "tcp":
        raise ValueError(f"{text!r} does not begin with tcp://. {example}")
    if parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(f"{text!r} has more than a host and a port. {example}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"{text!r} has no port in 1 … 65535. {example}") from None
    if not host or not (_HOST.fullmatch(host) or _is_address(host)):
        raise ValueError(f"{text!r} has no host. {example}")
    if port == 0:
        raise ValueError(f"{text!r} has no port in 1 … 65535. {example}")
    return host, port or 502


def duration_ns(text: str) -> int:
    """A duration with its unit (ms, s, min) in ns.

    Raises:
        ValueError: No number with a unit.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration. Write a number and its unit: 500 ms, 2 s")
    return round(float(match[1]) * _UNITS_NS[match[2]])


def parse_span(text: str) -> Span:
    """A range of addresses as in `holding/200-210` (both included).

    Raises:
        ValueError: Not of that form, or its end lies before its start or beyond 65535.
    """
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a range of addresses. Write for example: holding/200-210")
    first, last = int(match[2]), int(match[3] or match[2])
    if not first <= last <= 65535:
        raise ValueError(f"{text!r} does not lie in 0 … 65535, first address first")
    return Span(match[1], first, last)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
