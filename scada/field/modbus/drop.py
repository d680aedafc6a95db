"""Dropping a TCP connection so that nothing of it arrives any more.

A request that the peer has not taken yet stays with the kernel when its connection is closed, and is sent again until the
network is back: a write that was given up would arrive after those that followed over the next connection. So the
kernel is told to forget it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Final

_NOTHING: Final = struct.pack("ii", 1, 0)  # on, 0 s


def drop(transport: asyncio.WriteTransport) -> None:
    """Ends a connection at once, with all that it has not delivered.

    Args:
        transport: Of TCP, or of TLS over it; may be closed already.
    """
    peer = transport.get_extra_info("socket")
    if peer is not None and not transport.is_closing():  # else its file may be gone, or another's
        with contextlib.suppress(OSError, ValueError):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOTHING)
    transport.abort()
