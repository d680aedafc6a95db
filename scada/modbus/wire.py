"""Requests as bytes and what a right reply to them looks like: pure.

A reply counts only when it is what the request asks for, byte for byte where the standard says so. Anything else is
no reply at all: with Modbus the wrong answer looks exactly like a right one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

BIT_TABLES: Final = frozenset({"coil", "discrete"})
READ: Final = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
WRITE_COIL: Final = 5
WRITE_REGISTER: Final = 6
WRITE_COILS: Final = 15
WRITE_REGISTERS: Final = 16
MASK_WRITE: Final = 22
EXCEPTION_MOST: Final = 252  # the standard has 1 … 11; devices have more, and what lies above is ours
FUNCTIONS: Final = (1, 2, 3, 4, WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS, MASK_WRITE)


@dataclass(frozen=True, slots=True)
class Pdu:
    """One request.

    Attributes:
        function: Function code.
        data: Behind the function code.
        reply_head: What the data of a right reply begins with.
        reply_bytes: How long the data of a right reply is; None where the request does not fix it.
    """

    function: int
    data: bytes
    reply_head: bytes
    reply_bytes: int | None

    def answered_by(self, data: bytes) -> bool:
        """Whether the data of a reply (behind its function code) answers this request."""
        return self.reply_bytes in (len(data), None) and data.startswith(self.reply_head)


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """A request to a unit, built once and sent as often as wanted.

    Attributes:
        pdu: Its bytes and what answers it.
        unit: Unit identifier, 0 … 255.
        timeout_ns: How long its reply may take.
        wanted: Whether it is still to be sent, asked right before that; None where nobody takes it back.
        body: Unit, function code and data: all that stands before the checksum of a serial line.
        framed: What stands behind the transaction id on Modbus TCP.
        right: What stands there in a right reply, as far as the request fixes it.
        right_bytes: How long that reply is, transaction id included; -1 where the request does not fix it.
    """

    pdu: Pdu
    unit: int
    timeout_ns: int = 1_000_000_000
    wanted: Callable[[], bool] | None = None
    body: bytes = field(init=False)
    framed: bytes = field(init=False)
    right: bytes = field(init=False)
    right_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        body = bytes((self.unit, self.pdu.function)) + self.pdu.data
        object.__setattr__(self, "body", body)
        object.__setattr__(self, "framed", struct.pack(">HH", 0, len(body)) + body)
        size = -1 if self.pdu.reply_bytes is None else 2 + self.pdu.reply_bytes
        head = struct.pack(">HHBB", 0, max(size, 0), self.unit, self.pdu.function) + self.pdu.reply_head
        object.__setattr__(self, "right", head)
        object.__setattr__(self, "right_bytes", -1 if size < 0 else 6 + size)

    def answer(self, unit: int, pdu: bytes) -> bytes | int | None:
        """What a reply says to this request.

        Args:
            unit: That it comes from.
            pdu: Function code and data, at least 1 byte.

        Returns:
            The data behind the function code of a right reply, the exception code (1 … 252) of a refusal, or None: it
            answers another request, or none.
        """
        mine = self.pdu
        if unit != self.unit:
            return None
        if pdu[0] == mine.function:
            data = pdu[1:]
            return data if mine.answered_by(data) else None
        if pdu[0] == mine.function | 0x80 and len(pdu) == 2 and 0 < pdu[1] <= EXCEPTION_MOST:
            return pdu[1]
        return None


def read(table: str, start: int, count: int) -> Pdu:
    """FC1 … FC4: the reply is a byte count and exactly so many bytes.

    Args:
        table: `coil`, `discrete`, `holding` or `input`.
        start: First address, zero-based.
        count: Coils or registers.
    """
    size = (count + 7) // 8 if table in BIT_TABLES else 2 * count
    return Pdu(READ[table], struct.pack(">HH", start, count), bytes((size,)), 1 + size)


def write_coil(offset: int, on: bool) -> Pdu:
    """FC5: the reply repeats the request."""
    return _echo(WRITE_COIL, struct.pack(">HH", offset, 0xFF00 if on else 0))


def write_coils(offset: int, on: Sequence[bool]) -> Pdu:
    """FC15, the first coil in the lowest bit: the reply repeats address and count."""
    head = struct.pack(">HH", offset, len(on))
    size = (len(on) + 7) // 8
    data = sum(bool(value) << i for i, value in enumerate(on)).to_bytes(size, "little")
    return Pdu(WRITE_COILS, head + bytes((size,)) + data, head, 4)


def write_register(offset: int, word: bytes) -> Pdu:
    """FC6: the reply repeats the request."""
    return _echo(WRITE_REGISTER, struct.pack(">H", offset) + word)


def write_registers(offset: int, words: bytes) -> Pdu:
    """FC16: the reply repeats address and count."""
    head = struct.pack(">HH", offset, len(words) // 2)
    return Pdu(WRITE_REGISTERS, head + bytes((len(words),)) + words, head, 4)


def mask_write(offset: int, and_mask: int, or_mask: int) -> Pdu:
    """FC22, register = (register AND and_mask) OR (or_mask AND NOT and_mask): the reply repeats the request."""
    return _echo(MASK_WRITE, struct.pack(">HHH", offset, and_mask, or_mask))


def _echo(function: int, data: bytes) -> Pdu:
    return Pdu(function, data, data, len(data))
