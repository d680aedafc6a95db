"""Connections that have lost their other end without a word are noticed, also while nothing is asked."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any, Final

KEEP_ALIVE: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 5),  # a peer that has gone without a word is noticed within
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2),  # 5 s + 3 · 2 s, also while nothing is asked
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 10_000),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)


def keep_alive(transport: asyncio.BaseTransport) -> Any:
    """Sets the options of a TCP connection.

    Args:
        transport: Of any kind; one without a socket (a simulation's) is left as it is.

    Returns:
        Its socket, or None.
    """
    peer = transport.get_extra_info("socket")
    if peer is not None:
        for level, option, value in KEEP_ALIVE:
            with contextlib.suppress(OSError):
                peer.setsockopt(level, option, value)
    return peer
