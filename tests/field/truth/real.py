"""The device on real sockets, real TLS and a real pseudo terminal, in the event loop of the driver."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import termios
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from scada.clock import SystemClock
from tests.field.truth.device import Corruption, Device
from tests.field.truth.tls import TlsPipe


class Around:
    """Real time."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._loop = asyncio.get_running_loop()

    def now_ns(self) -> int:
        return self._clock.monotonic_ns()

    def after(self, delay_ns: int, what: Callable[[], object]) -> None:
        self._loop.call_later(delay_ns / 1e9, what)


class _End(asyncio.Protocol):
    """The device's end of a TCP connection."""

    def __init__(self, device: Device, server: ssl.SSLContext | None, all_ends: set[_End]) -> None:
        self._device = device
        self._transport: Any = None
        self._tls = TlsPipe(device, server, self) if server is not None else None
        self._all = all_ends

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._all.add(self)
        if self._tls is None:
            self._device.connected(self)

    def data_received(self, data: bytes) -> None:
        if self._tls is not None:
            self._tls.received(data)
        else:
            self._device.received(data, self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.discard(self)
        if self._tls is not None:
            self._tls.gone()
        self._device.lost(self)

    def write(self, data: bytes, corrupted: Corruption | None = None) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(corrupted(data) if corrupted else data)

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()


@asynccontextmanager
async def listening(device: Device, server: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A device at a TCP port of loopback; gives the port."""
    ends: set[_End] = set()
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: _End(device, server, ends), "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for end in tuple(ends):
            end.abort()
        await listener.wait_closed()


class _Line:
    """The device's end of a pseudo terminal."""

    def __init__(self, device: Device, master: int) -> None:
        self._device = device
        self._master = master
        self.open = True

    def readable(self) -> None:
        with contextlib.suppress(OSError):  # the driver has closed its end: EIO until it opens it again
            self._device.received(os.read(self._master, 4096))

    def write(self, data: bytes, corrupted: Corruption | None = None) -> None:
        with contextlib.suppress(OSError):  # nobody reads: a full line loses what comes
            if self.open:
                os.write(self._master, corrupted(data) if corrupted else data)

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass


@asynccontextmanager
async def wired(device: Device) -> AsyncIterator[str]:
    """A device on a pseudo terminal; gives the path of the driver's end."""
    master, slave = (
        os.openpty()
    )  # ours of the slave stays open: the line is there whoever opens and closes it
    loop = asyncio.get_running_loop()
    tty.setraw(slave, termios.TCSANOW)
    os.set_blocking(master, False)
    line = _Line(device, master)
    device.connected(line)
    loop.add_reader(master, line.readable)
    try:
        yield os.ttyname(slave)
    finally:
        line.open = False
        loop.remove_reader(master)
        os.close(master)
        os.close(slave)
