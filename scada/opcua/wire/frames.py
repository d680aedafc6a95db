"""Bytes from the network into chunks (OPC 10000-6 §6.7.2, §7.1.2). Pure.

The size that a header declares is checked before the bytes behind it are kept, so that a connection never holds more
than one chunk that is not whole.
"""

from __future__ import annotations

import struct
from typing import Final

from asyncua import ua

HEADER: Final = 8  # bytes: message type, chunk type, size
HELLO_MAX: Final = 8_192  # OPC 10000-6 §7.1.2.3: an endpoint URL of 4,096 bytes and six numbers
_SIZE: Final = struct.Struct("<I")
_SMALLEST: Final = {b"HEL": 32, b"ERR": 16, b"OPN": 32, b"MSG": 24, b"CLO": 24}
_SECURE: Final = frozenset((b"OPN", b"MSG", b"CLO"))
_CHUNK_TYPES: Final = {b"HEL": b"F", b"ERR": b"F", b"OPN": b"F", b"MSG": b"FCA", b"CLO": b"F"}


class FrameError(Exception):
    """No chunk: the connection ends with this.

    Attributes:
        status: For the Error message.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Frames:
    """Collects bytes until they are chunks.

    Args:
        limit: Bytes of the largest chunk; what the Hello agreed on may lower it.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held = bytearray()
        self._size = 0  # of the chunk whose first bytes are held

    @property
    def held(self) -> int:
        """Bytes of a chunk that is not whole."""
        return len(self._held)

    def feed(self, data: bytes) -> list[bytes]:
        """Whole chunks, in order.

        Args:
            data: As received.

        Raises:
            FrameError: What follows is no chunk; the chunks before it are lost with the connection.
        """
        found: list[bytes] = []
        at, end = 0, len(data)
        if self._held:
            at = self._fill(data)
            if not self._size or len(self._held) < self._size:
                return found
            found.append(bytes(self._held))
            self._held.clear()
            self._size = 0
        while end - at >= HEADER:
            size = self._checked(data[at : at + HEADER])
            if end - at < size:
                self._size = size
                break
            found.append(data[at : at + size])
            at += size
        if at < end:
            if end - at < HEADER:
                self._begins_well(data[at:end])
            self._held += memoryview(data)[at:end]
        return found

    def _fill(self, data: bytes) -> int:
        """Adds to what is held what belongs to it; returns how much that was."""
        taken = 0
        if not self._size:
            taken = min(HEADER - len(self._held), len(data))
            self._held += memoryview(data)[:taken]
            if len(self._held) < HEADER:
                self._begins_well(bytes(self._held))
                return taken
            self._size = self._checked(bytes(self._held))
        more = min(self._size - len(self._held), len(data) - taken)
        self._held += memoryview(data)[taken : taken + more]
        return taken + more

    def _checked(self, header: bytes) -> int:
        """The size that a header declares, bytes."""
        kind, chunk = header[:3], header[3:4]
        smallest = _SMALLEST.get(kind)
        if smallest is None or chunk not in _CHUNK_TYPES[kind]:
            raise FrameError(ua.StatusCodes.BadTcpMessageTypeInvalid, f"{header[:4]!r} is no message type")
        size: int = _SIZE.unpack_from(header, 4)[0]
        if size > (self.limit if kind in _SECURE else HELLO_MAX):
            raise FrameError(ua.StatusCodes.BadTcpMessageTooLarge, f"{size} bytes in one chunk")
        if size < smallest:
            raise FrameError(ua.StatusCodes.BadTcpMessageTypeInvalid, f"{size} bytes are no {kind.decode()}")
        return size

    def _begins_well(self, start: bytes) -> None:
        """Refuses what can never become a header, at its first byte: an HTTP or TLS client is not waited for."""
        if not any(kind.startswith(start[:3]) for kind in _SMALLEST):
            raise FrameError(ua.StatusCodes.BadTcpMessageTypeInvalid, f"{start!r} begins no message")
