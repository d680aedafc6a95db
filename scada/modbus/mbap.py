"""The framing of Modbus TCP: a header of transaction id, protocol, length and unit before each PDU. Pure.

MODBUS Messaging on TCP/IP Implementation Guide V1.0b, 3.1.3. Where the stream does not fit the header, nothing after it can
be trusted: whoever reads it drops the connection.
"""

from __future__ import annotations

import struct
from typing import Final

HEAD: Final = 7
MOST_PDU: Final = 253
LENGTH_LEAST: Final = 2  # unit and function code
LENGTH_MOST: Final = 1 + MOST_PDU
FRAME_MOST: Final = 6 + LENGTH_MOST
_UNPACK: Final = struct.Struct(">HHHB").unpack_from
_PACK: Final = struct.Struct(">HHHB").pack

Frame = tuple[int, int, bytes]
"""Transaction id, unit, PDU."""


class MalformedError(ValueError):
    """The bytes are no Modbus TCP frame."""


def frame(transaction: int, unit: int, pdu: bytes) -> bytes:
    """A frame (ADU).

    Args:
        transaction: 0 … 65535.
        unit: 0 … 255.
        pdu: Function code and data, 1 … 253 bytes.
    """
    return _PACK(transaction, 0, 1 + len(pdu), unit) + pdu


class Parser:
    """Cuts a stream of bytes into frames. It holds one incomplete frame at most."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def pending(self) -> int:
        """Bytes of a frame that is not complete yet."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete with these bytes.

        Raises:
            MalformedError: Protocol is not 0, or the length is outside 2 … 254. The parser is of no use after it.
        """
        if self._rest:
            data = self._rest + data
            self._rest = b""
        frames: list[Frame] = []
        at, end = 0, len(data)
        while end - at >= HEAD:
            transaction, protocol, length, unit = _UNPACK(data, at)
            if protocol or not LENGTH_LEAST <= length <= LENGTH_MOST:
                raise MalformedError(f"protocol {protocol}, length {length}")
            stop = at + 6 + length
            if stop > end:
                break
            frames.append((transaction, unit, data[at + HEAD : stop]))
            at = stop
        if at < end:
            self._rest = data[at:] if at else data
        return frames
