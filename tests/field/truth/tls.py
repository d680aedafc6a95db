"""The device's end of TLS over any pipe, so that bytes can be broken below it."""

from __future__ import annotations

import ssl

from tests.field.truth.device import Corruption, Device, Pipe


class TlsPipe:
    """TLS between a device and a pipe of bytes; to the device it is a pipe itself.

    Args:
        device: Behind it.
        context: Of a server.
        below: Where the records go.
    """

    def __init__(self, device: Device, context: ssl.SSLContext, below: Pipe) -> None:
        self._device = device
        self._below = below
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._open = False
        self._ended = False

    def received(self, data: bytes) -> None:
        """Records of the driver."""
        if self._ended:
            return
        self._incoming.write(data)
        try:
            if not self._open:
                self._tls.do_handshake()
                self._open = True
                self._flush()
                self._device.connected(self)
            while plain := self._tls.read(65536):
                self._device.received(plain, self)
            self.close()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError:
            self._flush()
            self.abort()

    def write(self, data: bytes, corrupted: Corruption | None = None) -> None:
        if self._ended or not data:
            return
        self._tls.write(data)
        self._flush(corrupted)

    def close(self) -> None:
        if not self._ended:
            self._ended = True
            self._device.lost(self)
            self._below.close()

    def abort(self) -> None:
        if not self._ended:
            self._ended = True
            self._device.lost(self)
            self._below.abort()

    def gone(self) -> None:
        """The driver hung up."""
        self._ended = True
        self._device.lost(self)

    def _flush(self, corrupted: Corruption | None = None) -> None:
        if self._outgoing.pending:
            raw = self._outgoing.read()
            self._below.write(corrupted(raw) if corrupted else raw)
