"""Chunks of channels that neither sign nor encrypt, by hand (OPC 10000-6 §6.7.2): there is nothing to do to them. Pure."""

from __future__ import annotations

import struct
from typing import Final

_HEAD: Final = struct.Struct("<4sIIIII")  # type, size, channel, token, sequence number, request id
HEAD: Final = _HEAD.size
SEQUENCE_END: Final = 2**32


def read(frame: bytes) -> tuple[int, int, int, int]:
    """Channel, token, sequence number and request id of a whole chunk of a request.

    Args:
        frame: Of at least `HEAD` bytes.
    """
    _, _, channel, token, number, request = _HEAD.unpack_from(frame)
    return channel, token, number, request


def write(data: bytes, most: int, channel: int, token: int, number: int, request: int) -> tuple[bytes, int]:
    """A message as chunks.

    Args:
        data: The message.
        most: Bytes of a chunk.
        channel: Id of the secure channel.
        token: Id of its security token.
        number: Sequence number of the last chunk that was sent.
        request: Id of the request that is answered.

    Returns:
        The bytes, and the sequence number of the last chunk.
    """
    room = most - HEAD
    parts: list[bytes] = []
    size = len(data)
    for at in range(0, size, room):
        number = number + 1 if number + 1 < SEQUENCE_END else 1
        part = data[at : at + room]
        kind = b"MSGF" if at + room >= size else b"MSGC"
        parts.append(_HEAD.pack(kind, HEAD + len(part), channel, token, number, request))
        parts.append(part)
    return b"".join(parts), number
