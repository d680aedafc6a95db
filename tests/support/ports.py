"""Free TCP ports of loopback."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket

# Below the ports that Linux gives to outgoing connections (net.ipv4.ip_local_port_range): one that is free now stays so
# until the test listens. Each test run begins elsewhere, and its processes take turns.
_FIRST, _LAST, _STEP = 20_000, 32_000, 16


def _turns() -> itertools.count[int]:
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        return itertools.count(os.getpid() * 7)
    return itertools.count(
        os.getppid() * 7 + int(worker.removeprefix("gw")), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    )


_turn = _turns()


def free_ports(count: int = 1) -> int:
    """The first of `count` consecutive free ports on 127.0.0.1."""
    for _ in range((_LAST - _FIRST) // _STEP):
        first = _FIRST + next(_turn) * _STEP % (_LAST - _FIRST)
        with contextlib.ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    probe = stack.enter_context(socket.socket())
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
    raise AssertionError("no free ports")
