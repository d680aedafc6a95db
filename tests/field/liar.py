"""A Modbus/TCP device that misbehaves, on a raw socket. It knows the truth: register A holds 1000 + A."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Answer = Callable[[bytes, int, asyncio.StreamWriter], Awaitable[None]]


def frame(tid: int, unit: int, pdu: bytes, *, protocol: int = 0, length: int | None = None) -> bytes:
    """An ADU."""
    return struct.pack(">HHHB", tid, protocol, len(pdu) + 1 if length is None else length, unit) + pdu


def right(request: bytes) -> bytes:
    """The true answer to a request (ADU), for FC3, FC6 and FC16."""
    tid, _, _, unit, function = struct.unpack(">HHHBB", request[:8])
    first, second = struct.unpack(">HH", request[8:12])
    if function in (3, 4):
        pdu = bytes((function, 2 * second)) + b"".join(
            struct.pack(">H", 1000 + first + i) for i in range(second)
        )
    else:
        pdu = bytes((function,)) + request[8:12]
    return frame(tid, unit, pdu)


@asynccontextmanager
async def liar(answer: Answer) -> AsyncIterator[int]:
    """A server that answers each request by `answer(request, number, writer)`; gives its port."""
    tasks: set[asyncio.Task[None]] = set()
    count = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            while True:
                head = await reader.readexactly(7)
                body = await reader.readexactly(struct.unpack(">H", head[4:6])[0] - 1)
                count += 1
                await answer(head + body, count, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
