"""A file system in memory that writes down every step in order, and whether it was flushed: the material of power cuts.

Run as a program it mounts itself and starts a command that works on it:
`python -m tests.faults.forgetful MOUNT LOG COMMAND…`. What the command writes to the file `said` in the root of the
mount is no file: it is written down as said, in the order of everything else. Writing a number to `room` leaves so many bytes
free; then it is full.
"""

from __future__ import annotations

import errno
import os
import pickle
import select
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from tests.faults import space
from tests.faults.fuse import Server

SAID: Final = "said"
ROOM: Final = "room"
ROOT: Final = 1
SIZE: Final = 1 << 40

Step = tuple[Any, ...]


class Forgetful:
    """See `fuse.Files`.

    Attributes:
        steps: Everything that was done: `("make", node, folder, name, mode)`, `("write", node, offset, data)`,
            `("size", node, size)`, `("unlink", folder, name)`, `("rename", folder, name, folder, name)`,
            `("flush", node)`, `("said", text)`.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._data: dict[int, bytearray] = {}
        self._mode = {ROOT: stat.S_IFDIR | 0o700}
        self._names: dict[int, dict[str, int]] = {ROOT: {}}
        self._special: dict[int, str] = {}
        self._room = SIZE

    def lookup(self, folder: int, name: str) -> int:
        try:
            return self._names[folder][name]
        except KeyError:
            raise OSError(errno.ENOENT, name) from None

    def attributes(self, node: int) -> tuple[int, int]:
        return self._mode[node], len(self._data.get(node, b""))

    def names(self, folder: int) -> list[tuple[str, int]]:
        return list(self._names[folder].items())

    def make(self, folder: int, name: str, mode: int) -> int:
        node = len(self._mode) + 1
        self._mode[node] = mode
        self._names[folder][name] = node
        if stat.S_ISDIR(mode):
            self._names[node] = {}
        else:
            self._data[node] = bytearray()
        if folder == ROOT and name in (SAID, ROOM):
            self._special[node] = name
        else:
            self.steps.append(("make", node, folder, name, mode))
        return node

    def unlink(self, folder: int, name: str) -> None:
        node = self.lookup(folder, name)
        if self._names.get(node):
            raise OSError(errno.ENOTEMPTY, name)
        del self._names[folder][name]
        self.steps.append(("unlink", folder, name))

    def rename(self, folder: int, name: str, target: int, new: str) -> None:
        node = self.lookup(folder, name)
        del self._names[folder][name]
        self._names[target][new] = node
        self.steps.append(("rename", folder, name, target, new))

    def read(self, node: int, offset: int, size: int) -> bytes:
        return bytes(self._data[node][offset : offset + size])

    def write(self, node: int, offset: int, data: bytes) -> None:
        if node in self._special:
            self._tell(self._special[node], data.decode())
            return
        file = self._data[node]
        grows = max(0, offset + len(data) - len(file))
        if grows > self.free()[1]:
            raise OSError(errno.ENOSPC, "full")
        if offset > len(file):
            file.extend(bytes(offset - len(file)))
        file[offset : offset + len(data)] = data
        self.steps.append(("write", node, offset, data))

    def truncate(self, node: int, size: int) -> None:
        if node in self._special:
            return
        file = self._data[node]
        if size > len(file):
            file.extend(bytes(size - len(file)))
        del file[size:]
        self.steps.append(("size", node, size))

    def flush(self, node: int) -> None:
        self.steps.append(("flush", node))

    def free(self) -> tuple[int, int]:
        return SIZE, max(0, self._room - self._used())

    def _used(self) -> int:
        nodes = [node for names in self._names.values() for node in names.values()]
        return sum(len(self._data.get(node, b"")) for node in nodes)

    def _tell(self, name: str, text: str) -> None:
        if name == ROOM:
            self._room = self._used() + int(text)
        else:
            self.steps.append(("said", text))


def main() -> int:
    mount, log, *command = sys.argv[1:]
    target = Path(mount)
    space.enter()
    handle = os.open("/dev/fuse", os.O_RDWR)
    space.mount_fuse(target, handle)
    files = Forgetful()
    server = Server(files, handle)
    while not select.select([handle], [], [], 1.0)[0]:
        pass
    server.once()  # the kernel's greeting comes first: nobody may wait for it in us
    with subprocess.Popen(command) as child:
        try:
            while child.poll() is None:
                if select.select([handle], [], [], 0.02)[0]:
                    server.once()
            while select.select([handle], [], [], 0.05)[0]:  # files that were closed for it
                server.once()
        finally:
            os.close(handle)  # whoever waits for an answer gets an error
            child.kill()
    Path(log).write_bytes(pickle.dumps(files.steps))
    return child.returncode


if __name__ == "__main__":
    sys.exit(main())
