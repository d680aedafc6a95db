"""Clients that do not finish what they begin, on a real socket."""

from __future__ import annotations

import asyncio
import socket

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import connect

from hmi.connections import Patient


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\nhost: a",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc",
    ],
)
def test_a_request_that_is_never_whole_is_ended(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr("hmi.connections.PATIENCE_S", 0.2)

    async def play() -> bytes:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            config = uvicorn.Config(app, http=Patient, lifespan="off", log_config=None)
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server._serve([listener]))
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(sent)
            got = await asyncio.wait_for(reader.read(), 10)
            writer.close()
            await writer.wait_closed()
            server.should_exit = True
            await serving
            return got

    assert asyncio.run(play()) == b""


def test_a_websocket_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hmi.connections.PATIENCE_S", 0.1)

    async def play() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            config = uvicorn.Config(
                app, http=Patient, ws="websockets-sansio", lifespan="off", log_config=None
            )
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server._serve([listener]))
            host, port = listener.getsockname()
            async with connect(f"ws://{host}:{port}/") as page:
                with pytest.raises(TimeoutError):  # silent, but not closed
                    await asyncio.wait_for(page.recv(), 0.5)
            server.should_exit = True
            await serving

    asyncio.run(play())
