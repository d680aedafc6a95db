"""The wire that is captured: tshark reads it, and sees what is wrong in it."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path

import pytest

from tests.opcua.conformance.capture import Capture, Wire, seen_by_tshark

PORT = 48_400
HELLO = b"HELF" + struct.pack("<I5Ii", 32, 0, 65536, 65536, 0, 0, -1)


@pytest.mark.slow
def test_tshark_tells_a_whole_message_from_a_broken_one(tmp_path: Path) -> None:
    for name, said, wrong in (("whole", HELLO, 0), ("broken", HELLO[:20].replace(b"\x20", b"\x14", 1), 1)):
        capture = Capture(tmp_path / name, PORT)
        connection = capture.connection()
        connection.data(said, from_server=False)
        connection.end()
        capture.close()
        assert len(seen_by_tshark(capture.path, PORT, "opcua")) == 1
        assert len(seen_by_tshark(capture.path, PORT, "_ws.malformed")) == wrong


async def test_the_wire_loses_nothing(tmp_path: Path) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(200_000))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    capture = Capture(tmp_path / "run.pcap", port)
    wire = Wire(port, capture)
    reader, writer = await asyncio.open_connection("127.0.0.1", await wire.start())
    sent = bytes(range(200)) * 1000
    writer.write(sent)
    assert await reader.readexactly(len(sent)) == sent
    writer.close()
    await writer.wait_closed()
    await wire.stop()
    server.close()
    capture.close()
    assert capture.path.stat().st_size > 2 * len(sent)
