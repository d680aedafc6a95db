"""Requests as bytes and what a right reply to them looks like: pure.

A reply counts only when it is what the request asks for, byte for byte where the standard says so. Anything else is
no reply at all: with Modbus the wrong answer looks exactly like a right one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from scada.field.modbus.plan import Request

READ: Final = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
WRITE_COIL: Final = 5
WRITE_REGISTER: Final = 6
WRITE_COILS: Final = 15
WRITE_REGISTERS: Final = 16
MASK_WRITE: Final = 22
FUNCTIONS: Final = (1, 2, 3, 4, WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS, MASK_WRITE)


@dataclass(frozen=True, slots=True)
class Pdu:
    """One request.

    Attributes:
        function: Function code.
        data: Behind the function code.
        reply_head: What the data of a right reply begins with.
        reply_bytes: How long the data of a right reply is.
    """

    function: int
    data: bytes
    reply_head: bytes
    reply_bytes: int

    def answered_by(self, data: bytes) -> bool:
        """Whether the data of a reply (behind its function code) answers this request."""
        return len(data) == self.reply_bytes and data.startswith(self.reply_head)


def read(request: Request) -> Pdu:
    """FC1 … FC4: the reply is a byte count and exactly so many bytes."""
    size = request.payload_bytes
    return Pdu(
        READ[request.table], struct.pack(">HH", request.start, request.count), bytes((size,)), 1 + size
    )


def write_coil(offset: int, on: bool) -> Pdu:
    """FC5: the reply repeats the request."""
    return _echo(WRITE_COIL, struct.pack(">HH", offset, 0xFF00 if on else 0))


def write_coils(offset: int, on: bool) -> Pdu:
    """FC15 for one coil: the reply repeats address and count."""
    head = struct.pack(">HH", offset, 1)
    return Pdu(WRITE_COILS, head + bytes((1, int(on))), head, 4)


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
