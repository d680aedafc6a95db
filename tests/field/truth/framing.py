"""Requests and replies as the device sees them, written apart from the driver: no mistake is shared."""

from __future__ import annotations

import struct
from dataclasses import dataclass

MBAP = "mbap"
RTU = "rtu"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived.

    Attributes:
        number: Counts the requests of this device, from 1.
        at_ns: When it arrived, ns monotonic.
        tid: Transaction id; 0 on RTU.
        unit: Unit identifier.
        pdu: Function code and data.
    """

    number: int
    at_ns: int
    tid: int
    unit: int
    pdu: bytes

    @property
    def function(self) -> int:
        return self.pdu[0]

    @property
    def start(self) -> int:
        return int.from_bytes(self.pdu[1:3], "big")

    @property
    def count(self) -> int:
        return int.from_bytes(self.pdu[3:5], "big")

    @property
    def reads(self) -> bool:
        return self.function <= 4


def crc(data: bytes) -> int:
    """Modbus over Serial Line 1.02, 6.2.2, bit by bit as the text has it."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ 0xA001 if register & 1 else register >> 1
    return register


_FIRST = [0] * 256
for _n in range(256):
    _value = _n
    for _ in range(8):
        _value = _value >> 1 ^ 0xA001 if _value & 1 else _value >> 1
    _FIRST[_n] = _value


def sealed(data: bytes) -> bytes:
    """With its check, low byte first."""
    register = 0xFFFF
    for byte in data:
        register = register >> 8 ^ _FIRST[(register ^ byte) & 0xFF]
    return data + struct.pack("<H", register)


def mbap(tid: int, unit: int, pdu: bytes, *, protocol: int = 0, length: int | None = None) -> bytes:
    """A frame of Modbus/TCP."""
    return struct.pack(">HHHB", tid, protocol, len(pdu) + 1 if length is None else length, unit) + pdu


def rtu(unit: int, pdu: bytes) -> bytes:
    """A frame of RTU."""
    return sealed(bytes((unit,)) + pdu)


class Requests:
    """Takes a stream of requests apart.

    Args:
        framing: `mbap` or `rtu`.
    """

    def __init__(self, framing: str) -> None:
        self._framing = framing
        self._buffer = b""

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """(tid, unit, pdu) of what is complete.

        Raises:
            AssertionError: The driver sent something that is no request.
        """
        self._buffer += data
        found = []
        while (size := self._size()) and len(self._buffer) >= size:
            frame, self._buffer = self._buffer[:size], self._buffer[size:]
            if self._framing == MBAP:
                tid, protocol, _, unit = struct.unpack_from(">HHHB", frame)
                assert protocol == 0, frame.hex()
                found.append((tid, unit, frame[7:]))
            else:
                assert sealed(frame[:-2]) == frame, frame.hex()
                found.append((0, frame[0], frame[1:-2]))
        return found

    def _size(self) -> int:
        """Length of the first frame; 0 while unknown."""
        buffer = self._buffer
        if self._framing == MBAP:
            return 6 + int.from_bytes(buffer[4:6], "big") if len(buffer) >= 6 else 0
        if len(buffer) < 2:
            return 0
        function = buffer[1]
        if function in (15, 16):
            return 9 + buffer[6] if len(buffer) >= 7 else 0
        assert function in (1, 2, 3, 4, 5, 6, 8, 22), buffer.hex()
        return 10 if function == 22 else 8
