"""A serial cable: two pseudo terminals whose other ends are joined. Real files, real bytes, no line."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Cable:
    """Two ends, `one` and `other`: paths that a program opens as serial ports.

    Attributes:
        change: Called with what travels from `other` to `one`; returns what arrives.
    """

    def __init__(self) -> None:
        self.change: Callable[[bytes], bytes] = bytes
        self.sent: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self._masters: list[int] = []
        self._slaves: list[int] = []
        self._waiting = [b"", b""]
        for _ in range(2):
            master, slave = os.openpty()
            tty.setraw(master)
            tty.setraw(slave)
            os.set_blocking(master, False)
            self._masters.append(master)
            self._slaves.append(slave)  # kept open: an end that nobody has open would hang up
        self.one, self.other = (os.ttyname(slave) for slave in self._slaves)
        for end in (0, 1):
            self._loop.add_reader(self._masters[end], self._carry, end)

    def noise(self, data: bytes) -> None:
        """Bytes that arrive at `one` from nowhere."""
        os.write(self._masters[0], data)

    def pull_out(self) -> None:
        """The adapter behind `one` is gone."""
        for fd in (self._masters[0], self._slaves[0]):
            self._loop.remove_reader(fd)
            self._loop.remove_writer(fd)
            with contextlib.suppress(OSError):
                os.close(fd)

    def close(self) -> None:
        """Ends it."""
        for fd in (*self._masters, *self._slaves):
            self._loop.remove_reader(fd)
            self._loop.remove_writer(fd)
            with contextlib.suppress(OSError):
                os.close(fd)

    def _carry(self, end: int) -> None:
        try:
            data = os.read(self._masters[end], 4096)
        except OSError:
            return
        if end == 0:
            self.sent.append(data)
        else:
            data = self.change(data)
        if data:
            self._waiting[1 - end] += data
            self._flush(1 - end)

    def _flush(self, end: int) -> None:
        """Passes on what fits; the rest waits, and with it whatever comes behind it."""
        fd, data = self._masters[end], self._waiting[end]
        try:
            sent = os.write(fd, data)
        except BlockingIOError:
            sent = 0
        except OSError:  # that end is gone
            sent = len(data)
        self._waiting[end] = data[sent:]
        if self._waiting[end]:
            self._loop.add_writer(fd, self._flush, end)
        else:
            self._loop.remove_writer(fd)


@asynccontextmanager
async def cable() -> AsyncIterator[Cable]:
    """A cable for the length of a test."""
    one = Cable()
    try:
        yield one
    finally:
        one.close()
