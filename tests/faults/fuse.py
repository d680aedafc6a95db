"""Just enough of the kernel's FUSE protocol (7.31, `linux/fuse.h`) to serve a file system from one thread, without a library."""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Callable
from typing import Final, Protocol

MAX_WRITE: Final = 1 << 20
_IN: Final = struct.Struct("<IIQQIIIHH")
_OUT: Final = struct.Struct("<IiQ")
_ATTR: Final = struct.Struct("<QQQQQQIIIIIIIIII")
_FOR_EVER: Final = 1 << 30

_BIG_WRITES, _MAX_PAGES = 1 << 5, 1 << 22
_NO_REPLY: Final = (2, 36, 42)  # forget, interrupt, batch forget
_SIZE_VALID: Final = 8
_DIRECTORY: Final = stat.S_IFDIR


class Files(Protocol):
    """What is served: inodes by number, 1 is the root. Every method may raise `OSError`."""

    def lookup(self, folder: int, name: str) -> int: ...
    def attributes(self, node: int) -> tuple[int, int]:
        """Mode and size."""
        ...

    def names(self, folder: int) -> list[tuple[str, int]]: ...
    def make(self, folder: int, name: str, mode: int) -> int: ...
    def unlink(self, folder: int, name: str) -> None: ...
    def rename(self, folder: int, name: str, target: int, new: str) -> None: ...
    def read(self, node: int, offset: int, size: int) -> bytes: ...
    def write(self, node: int, offset: int, data: bytes) -> None: ...
    def truncate(self, node: int, size: int) -> None: ...
    def flush(self, node: int) -> None: ...
    def free(self) -> tuple[int, int]:
        """Bytes in all, and free."""
        ...


class Server:
    """Answers the kernel.

    Args:
        files: Where to.
        handle: An open `/dev/fuse`, mounted.
    """

    def __init__(self, files: Files, handle: int) -> None:
        self._files, self._handle = files, handle
        self._answers: dict[int, Callable[[int, bytes], bytes]] = {
            1: self._lookup,
            3: lambda node, _: self._attr(node),
            4: self._setattr,
            8: lambda node, body: self._make(node, body[16:], _first(body)),
            9: lambda node, body: self._make(node, body[8:], _first(body) | _DIRECTORY),
            10: self._unlink,
            11: self._unlink,
            12: lambda node, body: self._rename(node, body, 8),
            14: lambda *_: bytes(16),
            15: self._read,
            16: self._write,
            17: self._statfs,
            18: lambda *_: b"",
            20: self._fsync,
            25: lambda *_: b"",
            26: self._init,
            27: lambda *_: bytes(16),
            28: self._readdir,
            29: lambda *_: b"",
            30: self._fsync,
            34: lambda *_: b"",
            35: lambda node, body: (
                self._make(node, body[16:], int.from_bytes(body[4:8], "little")) + bytes(16)
            ),
            45: lambda node, body: self._rename(node, body, 16),
        }

    def run(self) -> None:
        """Until it is unmounted."""
        while self.once():
            pass

    def once(self) -> bool:
        """One request; False when it is unmounted."""
        try:
            request = os.read(self._handle, MAX_WRITE + 8192)
        except InterruptedError:
            return True
        except OSError as error:
            if error.errno == errno.ENODEV:
                return False
            if error.errno == errno.ENOENT:  # the request was taken back
                return True
            raise
        _, code, unique, node, *_ = _IN.unpack_from(request)
        if code in _NO_REPLY:
            return True
        failed, answer = 0, b""
        handler = self._answers.get(code, _not_needed)
        try:
            answer = handler(node, request[_IN.size :])
        except OSError as error:
            failed = error.errno or errno.EIO
        os.write(self._handle, _OUT.pack(_OUT.size + len(answer), -failed, unique) + answer)
        return True

    def _init(self, _: int, body: bytes) -> bytes:
        _, _, readahead, flags = struct.unpack_from("<IIII", body)
        wanted = flags & (_BIG_WRITES | _MAX_PAGES)
        head = struct.pack(
            "<IIIIHHIIHH", 7, 31, readahead, wanted, 16, 12, MAX_WRITE, 1, MAX_WRITE // 4096, 0
        )
        return head.ljust(64, b"\0")

    def _attributes(self, node: int) -> bytes:
        mode, size = self._files.attributes(node)
        blocks, links = -(-size // 512), 2 if stat.S_ISDIR(mode) else 1
        owner = os.getuid(), os.getgid()
        return _ATTR.pack(node, size, blocks, 0, 0, 0, 0, 0, 0, mode, links, *owner, 0, 4096, 0)

    def _entry(self, node: int) -> bytes:
        return struct.pack("<QQQQII", node, 0, _FOR_EVER, _FOR_EVER, 0, 0) + self._attributes(node)

    def _attr(self, node: int) -> bytes:
        return struct.pack("<QII", _FOR_EVER, 0, 0) + self._attributes(node)

    def _lookup(self, node: int, body: bytes) -> bytes:
        return self._entry(self._files.lookup(node, _name(body)))

    def _setattr(self, node: int, body: bytes) -> bytes:
        valid, _, _, size = struct.unpack_from("<IIQQ", body)
        if valid & _SIZE_VALID:
            self._files.truncate(node, size)
        return self._attr(node)

    def _make(self, node: int, name: bytes, mode: int) -> bytes:
        return self._entry(self._files.make(node, _name(name), mode))

    def _unlink(self, node: int, body: bytes) -> bytes:
        self._files.unlink(node, _name(body))
        return b""

    def _rename(self, node: int, body: bytes, names: int) -> bytes:
        (target,) = struct.unpack_from("<Q", body)
        old, new = body[names:].split(b"\0")[:2]
        self._files.rename(node, old.decode(), target, new.decode())
        return b""

    def _read(self, node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        return self._files.read(node, offset, size)

    def _write(self, node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        self._files.write(node, offset, body[40 : 40 + size])
        return struct.pack("<II", size, 0)

    def _fsync(self, node: int, _: bytes) -> bytes:
        self._files.flush(node)
        return b""

    def _statfs(self, *_: object) -> bytes:
        size, free = (number // 4096 for number in self._files.free())
        return struct.pack("<QQQQQIIII24x", size, free, free, 1 << 20, 1 << 20, 4096, 255, 4096, 0)

    def _readdir(self, node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        answer = b""
        for place, (name, child) in enumerate([(".", node), ("..", 1), *self._files.names(node)], 1):
            if place <= offset:
                continue
            raw = name.encode()
            kind = self._files.attributes(child)[0] >> 12
            entry = struct.pack("<QQII", child, place, len(raw), kind) + raw
            entry = entry.ljust(-(-len(entry) // 8) * 8, b"\0")
            if len(answer) + len(entry) > size:
                break
            answer += entry
        return answer


def _not_needed(*_: object) -> bytes:
    raise OSError(errno.ENOSYS, "not needed here")


def _first(body: bytes) -> int:
    return int.from_bytes(body[:4], "little")


def _name(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode()
