"""What may be written about a Modbus device in a site, with error texts for people."""

from __future__ import annotations

import re
from typing import Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from scada.field.modbus import cost
from scada.modbus.endpoint import TLS, Endpoint, parse
from scada.modbus.rtu import UNITS
from scada.modbus.serial import Serial
from scada.modbus.tls import Tls

MAX_REGISTERS: Final = 125  # Modbus Application Protocol 1.1b3, 6.3
MAX_COILS: Final = 2000  # 6.1
MAX_WRITE_REGISTERS: Final = 123  # 6.12
MAX_WRITE_COILS: Final = 1968  # 6.11
MAX_WINDOW: Final = 16  # what a server should take, MODBUS Messaging on TCP/IP V1.0b, 4.4.1.3
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min)\s*")
_UNITS_NS: Final = {"ms": 1_000_000, "s": 1_000_000_000, "min": 60_000_000_000}
_RANGE = re.compile(r"\s*(coil|discrete|holding|input)/(\d+)(?:\s*-\s*(\d+))?\s*")
ORDERS: Final = {
    "ABCD": ("big", "big"),
    "CDAB": ("little", "big"),
    "BADC": ("big", "little"),
    "DCBA": ("little", "little"),
}  # word order, byte order


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
        endpoint: `tcp://host:502`, `tls://host:802`, `rtu+tcp://host:4001` or `rtu:///dev/ttyUSB0`.
        tls: Certificates; only with `tls://`, and then they must be there.
        serial: Speed and characters of the line, with `rtu://`; with `rtu+tcp://` those of the line behind the network.
        client: `native` (ours) or `pymodbus`.
        window: Requests on their way at once, 1 … 16; more than 1 only where the device is known to take it.
        unit_id: Unit identifier, 0 … 255.
        order: Both of the next at once: `ABCD`, `CDAB`, `BADC` or `DCBA`, A the most significant byte. A tag may differ.
        word_order: Which 16-bit word of a longer value comes first: `big` (most significant) or `little`.
        byte_order: Order of the two bytes in a register: `big` (the standard) or `little`.
        timeout: How long a reply may take, for example `500 ms`.
        max_registers: Most registers in one request, 1 … 125.
        max_coils: Most coils or discrete inputs in one request, 1 … 2000.
        turnaround: How long the device usually takes to answer, without the time on the line; for plan and budget.
        max_gap: Unused registers that may be read along to save a request, 0 … 125; 16 times as many bits. None: as many
            as cost no more than the request.
        forbidden: Addresses that are never asked for, for example `["holding/200-210"]`.
        writes: How values are written: `single` (FC5 and FC6 for one coil or register, FC15 and FC16 for more),
            `multiple` (always FC15 and FC16), `single only` (the device knows only FC5 and FC6), or `word by word`
            (longer values by several FC6: for a moment the device holds half of the new value).
        bit_writes: How bits of a register are written: `mask` (FC22), or `read and write` for a device without FC22.
        join_writes: Outputs side by side that are due together go in one request.
        max_write_registers: Most registers in one write, 1 … 123.
        max_write_coils: Most coils in one write, 1 … 1968.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: str
    tls: Tls | None = Field(default=None, validate_default=True)
    serial: Serial | None = None
    client: Literal["native", "pymodbus"] = "native"
    window: int = Field(default=1, ge=1, le=MAX_WINDOW)
    unit_id: int = Field(default=1, ge=0, le=255)
    order: Literal["ABCD", "CDAB", "BADC", "DCBA"] | None = None
    word_order: Literal["big", "little"] = "big"
    byte_order: Literal["big", "little"] = "big"
    timeout: str = "1 s"
    max_registers: int = Field(default=MAX_REGISTERS, ge=1, le=MAX_REGISTERS)
    max_coils: int = Field(default=MAX_COILS, ge=1, le=MAX_COILS)
    turnaround: str = "5 ms"
    max_gap: int | None = Field(default=None, ge=0, le=MAX_REGISTERS)
    forbidden: tuple[str, ...] = ()
    writes: Literal["single", "multiple", "single only", "word by word"] = "single"
    bit_writes: Literal["mask", "read and write"] = "mask"
    join_writes: bool = True
    max_write_registers: int = Field(default=MAX_WRITE_REGISTERS, ge=1, le=MAX_WRITE_REGISTERS)
    max_write_coils: int = Field(default=MAX_WRITE_COILS, ge=1, le=MAX_WRITE_COILS)

    @model_validator(mode="before")
    @classmethod
    def _order(cls, data: Any) -> Any:
        """`order` says both orders."""
        words = ORDERS.get(str(data.get("order"))) if isinstance(data, dict) else None
        return data if words is None else {"word_order": words[0], "byte_order": words[1], **data}

    @field_validator("word_order", "byte_order")
    @classmethod
    def _same_order(cls, value: str, info: ValidationInfo) -> str:
        order = info.data.get("order")
        if order and value != ORDERS[order][info.field_name == "byte_order"]:
            raise ValueError(f"{value} is not what order: {order} says. Keep order:, leave this out")
        return value

    @field_validator("endpoint")
    @classmethod
    def _endpoint(cls, text: str) -> str:
        return str(parse(text))  # in one form: whoever compares texts sees which devices share a connection

    @field_validator("serial")
    @classmethod
    def _serial(cls, serial: Serial | None, info: ValidationInfo) -> Serial | None:
        if serial is not None and not str(info.data.get("endpoint", "rtu")).startswith("rtu"):
            raise ValueError(
                "the speed of a line is for rtu:// and rtu+tcp:// only. A gateway that talks Modbus TCP keeps its own: "
                "leave serial: out"
            )
        return serial

    @field_validator("unit_id")
    @classmethod
    def _unit(cls, number: int, info: ValidationInfo) -> int:
        if str(info.data.get("endpoint", "")).startswith("rtu") and number not in UNITS:
            who = "everybody, and nobody answers it" if number == 0 else "reserved by the standard"
            raise ValueError(f"on a serial line unit {number} is {who}. Use the device's own, 1 … 247")
        return number

    @field_validator("tls")
    @classmethod
    def _tls(cls, tls: Tls | None, info: ValidationInfo) -> Tls | None:
        secure = str(info.data.get("endpoint", "")).startswith(f"{TLS}:")
        if secure and tls is None:
            raise ValueError(
                "tls:// needs certificates. Write tls: {ca: certs/ca.pem, certificate: certs/scada.pem, "
                "key: certs/scada.key}"
            )
        if tls is not None and not secure and "endpoint" in info.data:
            raise ValueError(
                "certificates are for tls:// endpoints only. Write endpoint: tls://…, or leave tls: out"
            )
        return tls

    @field_validator("client")
    @classmethod
    def _client(cls, client: str, info: ValidationInfo) -> str:
        if client == "pymodbus" and str(info.data.get("endpoint", "")).startswith("rtu"):
            raise ValueError(
                "on a serial line pymodbus takes a late reply for the next one. Use client: native"
            )
        return client

    @field_validator("window")
    @classmethod
    def _window(cls, number: int, info: ValidationInfo) -> int:
        if number > 1 and info.data.get("client") == "pymodbus":
            raise ValueError(
                f"pymodbus has one request on its way, not {number}. Use client: native, or window: 1"
            )
        if number > 1 and str(info.data.get("endpoint", "")).startswith("rtu"):
            raise ValueError(f"a serial line carries one request at a time, not {number}. Use window: 1")
        return number

    @field_validator("timeout", "turnaround", mode="before")
    @classmethod
    def _with_unit(cls, given: object) -> object:
        if isinstance(given, int | float) and not isinstance(given, bool):
            raise ValueError(f"a duration needs a unit: write {given} s or {given} ms")  # noqa: TRY004 - as others
        return given

    @field_validator("timeout")
    @classmethod
    def _timeout(cls, text: str) -> str:
        if not 10_000_000 <= duration_ns(text) <= 60_000_000_000:
            raise ValueError(f"{text!r} is not between 10 ms and 60 s. Write for example: timeout: 500 ms")
        return text

    @field_validator("turnaround")
    @classmethod
    def _turnaround(cls, text: str) -> str:
        if not 0 < duration_ns(text) <= 60_000_000_000:
            raise ValueError(
                f"{text!r} is not above 0 ms and up to 60 s. Write what the device takes: turnaround: 20 ms"
            )
        return text

    @field_validator("forbidden")
    @classmethod
    def _forbidden(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            parse_span(text)
        return texts

    @property
    def at(self) -> Endpoint:
        """The endpoint, taken apart."""
        return parse(self.endpoint)

    @property
    def bytes_order(self) -> str:
        """The order of the bytes of a value as one of `ORDERS`."""
        orders = (self.word_order, self.byte_order)
        return self.order or next(name for name, pair in ORDERS.items() if pair == orders)

    @property
    def timeout_ns(self) -> int:
        """Longest wait for a reply, ns."""
        return duration_ns(self.timeout)

    @property
    def turnaround_ns(self) -> int:
        """What the device usually takes, ns."""
        return duration_ns(self.turnaround)

    @property
    def gap(self) -> int:
        """Unused registers that are read along."""
        return min(MAX_REGISTERS, cost.break_even(self)) if self.max_gap is None else self.max_gap

    @property
    def spans(self) -> tuple[Span, ...]:
        """The forbidden ranges."""
        return tuple(parse_span(text) for text in self.forbidden)


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
