"""The PLCs that everybody asks: one process that answers FC3 at once, at any address of 127.0.0.0/8, from prepared bytes.

Floats lie at even registers. A tenth of them has another value with each request of a connection.
"""

from __future__ import annotations

import asyncio
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import uvloop

VARIANTS: Final = 16
CHANGING: Final = 10  # each tenth
REGISTERS: Final = 65536


def contents() -> list[bytes]:
    """What the registers hold, request by request; then it begins again."""
    floats = np.arange(REGISTERS // 2, dtype=">f4")
    found = []
    for number in range(VARIANTS):
        now = floats.copy()
        now[::CHANGING] += number / VARIANTS
        found.append(now.tobytes())
    return found


def serve() -> None:
    """Answers until the parent goes."""
    words = contents()

    class Server(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport: Any = transport
            self.asked = 0
            self.rest = b""

        def data_received(self, data: bytes) -> None:
            if self.rest:
                data, self.rest = self.rest + data, b""
            while len(data) >= 12:  # the length of a request to read
                start, count = struct.unpack_from(">HH", data, 8)
                size = 2 * count
                head = data[:4] + struct.pack(">H", 3 + size) + data[6:8] + bytes((size,))
                self.asked += 1
                now = words[self.asked % VARIANTS]
                self.transport.write(head + now[2 * start : 2 * start + size])
                data = data[12:]
            self.rest = data

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Server, "0.0.0.0", 0, backlog=4096)
        print(server.sockets[0].getsockname()[1], flush=True)
        await loop.run_in_executor(None, sys.stdin.read)

    uvloop.run(run())


@contextmanager
def plcs() -> Iterator[int]:
    """The process, on the last core; this one is moved to the first. Gives its port."""
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.field.peer"], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    )
    cores = sorted(os.sched_getaffinity(0))
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        if len(cores) > 1:
            os.sched_setaffinity(server.pid, {cores[-1]})
            os.sched_setaffinity(0, {cores[0]})
        yield port
    finally:
        os.sched_setaffinity(0, set(cores))
        server.kill()
        server.wait()


def host(number: int) -> str:
    """Address of one of them."""
    return f"127.0.{1 + number // 250}.{1 + number % 250}"


if __name__ == "__main__":
    serve()
