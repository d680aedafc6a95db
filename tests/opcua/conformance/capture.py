"""A wire between clients and a server that writes down what passes, for tshark: no rights and no dumpcap needed."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import struct
import subprocess
import time
from pathlib import Path
from typing import Final

_CLIENT, _SERVER = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
_SEGMENT: Final = 60_000  # bytes of one packet: an IPv4 packet has less than 65,536
_ETHERNET: Final = bytes(6) + bytes(5) + b"\1" + b"\x08\x00"


class Capture:
    """A file in pcap's own format, with connections that never lose a byte.

    Args:
        path: Made anew.
        port: Of the server, as tshark is told.
    """

    def __init__(self, path: Path, port: int) -> None:
        self.path, self.port = path, port
        self._file = path.open("wb")
        self._file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1))
        self._connections = 0

    def connection(self) -> Connection:
        """Another connection of some client."""
        self._connections += 1
        return Connection(self, 10_000 + self._connections)

    def packet(self, payload: bytes) -> None:
        """Writes an Ethernet frame that came now."""
        now = time.time_ns()
        head = struct.pack("<IIII", now // 10**9, now // 1000 % 10**6, len(payload), len(payload))
        self._file.write(head + payload)

    def flush(self) -> None:
        """What came so far stands in the file."""
        self._file.flush()

    def close(self) -> None:
        """Writes out what is left."""
        self._file.close()


class Connection:
    """One TCP connection in the file."""

    def __init__(self, capture: Capture, port: int) -> None:
        self._capture, self._port = capture, port
        self._sent = {False: 1000, True: 5000}  # next sequence number, by whether the server sends
        self._write(False, 0x02)
        self._write(True, 0x12)
        self._write(False, 0x10)

    def data(self, payload: bytes, *, from_server: bool) -> None:
        """Bytes that passed."""
        for at in range(0, len(payload), _SEGMENT):
            self._write(from_server, 0x18, payload[at : at + _SEGMENT])

    def end(self) -> None:
        """Both sides close."""
        self._write(False, 0x11)
        self._write(True, 0x11)

    def _write(self, from_server: bool, flags: int, payload: bytes = b"") -> None:
        ports = (self._capture.port, self._port) if from_server else (self._port, self._capture.port)
        seen = self._sent[not from_server] if flags != 0x02 else 0
        tcp = struct.pack(">HHIIBBHHH", *ports, self._sent[from_server], seen, 5 << 4, flags, 65_535, 0, 0)
        self._sent[from_server] += len(payload) + bool(flags & 0x03)
        addresses = (_SERVER, _CLIENT) if from_server else (_CLIENT, _SERVER)
        total = 20 + len(tcp) + len(payload)
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, total, 0, 0x4000, 64, 6, 0, *addresses)
        self._capture.packet(_ETHERNET + ip + tcp + payload)


class Wire:
    """Passes connections on to a server and captures them.

    Args:
        port: Of the server on this machine.
        capture: Where they are written down.
    """

    def __init__(self, port: int, capture: Capture) -> None:
        self._port, self._capture = port, capture
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """The port that clients connect to."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Ends all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.close()
            return
        connection = self._capture.connection()
        for source, sink, from_server in ((reader, up_writer, False), (up_reader, writer, True)):
            task = asyncio.create_task(self._carry(source, sink, connection, from_server=from_server))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        connection: Connection,
        *,
        from_server: bool,
    ) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                while data := await source.read(_SEGMENT):
                    connection.data(data, from_server=from_server)
                    sink.write(data)
                    await sink.drain()
        finally:
            sink.close()
            with contextlib.suppress(ConnectionError):
                await sink.wait_closed()


def seen_by_tshark(capture: Path, port: int, shown: str) -> list[str]:
    """Lines that tshark prints of the packets that a display filter shows.

    Args:
        capture: The file.
        port: Where OPC UA is spoken.
        shown: Display filter, `_ws.malformed`.
    """
    tshark = shutil.which("tshark")
    assert tshark, "tshark is not installed: make test-all does it, or apt-get install tshark"
    done = subprocess.run(
        [tshark, "-n", "-r", str(capture), "-d", f"tcp.port=={port},opcua", "-Y", shown],
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
