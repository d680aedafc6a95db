"""The request socket: datagrams of processes of the same system user, a bounded number of them a scan."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from pathlib import Path
from typing import Any, Final

from scada.requests import FINAL, Request, RequestError, parse

READS_PER_SCAN: Final = 64
DATAGRAM_MAX: Final = 128 * 1024
ADDRESSES_MAX: Final = 2000
_UCRED: Final = struct.Struct("3i")
_SPACE: Final = socket.CMSG_SPACE(_UCRED.size)


class Mailbox:
    """Receives requests and rings the bell of who sent them.

    Args:
        path: Of the socket; one that a dead control left is replaced.

    Attributes:
        strangers: Datagrams of other users, which were thrown away.
    """

    def __init__(self, path: Path) -> None:
        self._path = str(path.parent.resolve() / path.name)  # a socket's address has 108 bytes at most
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)  # noqa: PTH108 - the very text that is bound
        self._socket = socket.socket(
            socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        )
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        old = os.umask(0o177)
        try:
            self._socket.bind(self._path)
        finally:
            os.umask(old)
        self._uids = {os.getuid(), 0}
        self._address: dict[str, str] = {}
        self.strangers = 0

    def receive(self) -> tuple[list[Request], list[tuple[RequestError, Any]]]:
        """What has come, at most `READS_PER_SCAN` datagrams.

        Returns:
            The requests in order of arrival, and what could not be read, each with its sender's address.
        """
        requests: list[Request] = []
        faults: list[tuple[RequestError, Any]] = []
        for _ in range(READS_PER_SCAN):
            try:
                data, ancillary, flags, address = self._socket.recvmsg(DATAGRAM_MAX, _SPACE)
            except BlockingIOError:
                break
            except OSError:
                continue
            if not self._is_ours(ancillary):
                self.strangers += 1
                continue
            if flags & socket.MSG_TRUNC:
                faults.append((RequestError(f"a request has at most {DATAGRAM_MAX} bytes"), address))
                continue
            try:
                request = parse(data)
            except RequestError as error:
                faults.append((error, address))
                continue
            self._remember(request.id, address)
            requests.append(request)
        return requests, faults

    def ring(self, events: list[dict[str, Any]]) -> None:
        """Tells the senders of the requests among these events that there is news."""
        for event in events:
            if event["kind"] != "request":
                continue
            id_ = event["id"]
            address = self._address.get(id_)
            if address is None:
                continue
            self.bell(address)
            if event["status"] in FINAL:
                del self._address[id_]

    def bell(self, address: Any) -> None:
        """Sends an empty datagram; who does not listen misses nothing but the hint."""
        if address:
            with contextlib.suppress(OSError):
                self._socket.sendto(b"", address)

    def close(self) -> None:
        """Ends receiving."""
        self._socket.close()
        with contextlib.suppress(OSError):
            os.unlink(self._path)  # noqa: PTH108 - the very text that was bound

    def _is_ours(self, ancillary: list[tuple[int, int, bytes]]) -> bool:
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                return _UCRED.unpack(data[: _UCRED.size])[1] in self._uids
        return False

    def _remember(self, id_: str, address: Any) -> None:
        if isinstance(address, str) and address:
            self._address[id_] = address
            while len(self._address) > ADDRESSES_MAX:
                del self._address[next(iter(self._address))]
