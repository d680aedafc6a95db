"""Readers of OPC UA: chunks out of a stream, headers, and the look at a request before asyncua decodes it."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable

from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary

from scada.opcua import limits
from scada.opcua.wire import chunks, decode, header
from scada.opcua.wire.frames import FrameError, Frames
from tests.opcua.wire.test_decode import requests

Reader = Callable[[bytes], object]
REFUSALS = (decode.DecodeError, FrameError)


def request_seeds() -> list[bytes]:
    """One request of each kind."""
    return [struct_to_binary(request) for request in requests()]


def chunk_seeds() -> list[bytes]:
    """The same in chunks, large and small."""
    return [chunks.write(body, size, 7, 9, 1, 3)[0] for body in request_seeds() for size in (100, 8192)]


def frames() -> Reader:
    """A stream: each input arrives in two pieces, behind what was left of the one before."""
    state = [Frames(8192)]

    def read(data: bytes) -> bool:
        half = len(data) // 2
        try:
            found = state[0].feed(data[:half]) + state[0].feed(data[half:])
        except FrameError:
            state[0] = Frames(8192)
            raise
        assert state[0].held <= 8192
        for one in found:
            assert len(one) == struct.unpack_from("<I", one, 4)[0]
        return bool(found)

    return read


def request(data: bytes) -> bool:
    """What passes the look is decoded at a bounded cost, or refused by asyncua itself."""
    number, at = decode.request_number(data)
    its, after = header.read(data, at)
    assert at < after <= len(data)
    assert len(its.token) <= limits.BYTE_STRING
    decode.check(data)
    kind = decode.request_type(number)
    if kind is None:
        return False
    with contextlib.suppress(Exception):
        struct_from_binary(kind, Buffer(data))
    return True
