"""A mount namespace of one's own: what is mounted in it is gone with the process, whatever happens to it.

Run as root it needs nothing more; otherwise it makes a user namespace in which it is root.
"""

from __future__ import annotations

import ctypes
import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import pytest

_NEWNS: Final = 0x0002_0000
_NEWUSER: Final = 0x1000_0000
_REC: Final = 0x4000
_PRIVATE: Final = 0x4_0000
_NOSUID: Final = 2
_NODEV: Final = 4
_REMOUNT: Final = 0x20
_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def enter() -> None:
    """Moves this process, which must have one thread only, into the namespace.

    Raises:
        OSError: This machine does not let it.
    """
    user, group = os.geteuid(), os.getegid()
    _call("unshare", _NEWNS | (_NEWUSER if user else 0))
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _call("mount", b"none", b"/", None, _REC | _PRIVATE, None)


def mount_fuse(target: Path, handle: int) -> None:
    """Mounts what is served behind an open `/dev/fuse`."""
    options = f"fd={handle},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}"
    _call("mount", b"forgetful", os.fsencode(target), b"fuse", _NOSUID | _NODEV, options.encode())


def mount_memory(target: Path, size: int, *, again: bool = False) -> None:
    """Mounts a file system of some bytes, or gives the one that is there another size."""
    flags = _NOSUID | _NODEV | (_REMOUNT if again else 0)
    _call("mount", b"small", os.fsencode(target), b"tmpfs", flags, f"size={size}".encode())


@functools.cache
def refusal() -> str:
    """Why this machine lets nobody mount a file system, as in many containers; "" when it does."""
    tried = subprocess.run(
        [sys.executable, "-m", "tests.faults.space"], capture_output=True, text=True, check=False
    )
    return tried.stderr.strip().rpartition("\n")[2]


def needed() -> None:
    """Skips a test where file systems cannot be mounted, and says why."""
    if refusal():
        pytest.skip(f"this machine does not let us mount a file system: {refusal()}")


def main() -> None:
    """Tries both kinds of file system."""
    handle = os.open("/dev/fuse", os.O_RDWR)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "disk"
        target.mkdir()
        if os.fork() == 0:  # whatever it mounts is gone with it
            try:
                enter()
                mount_memory(target, 1 << 20)
                mount_fuse(target, handle)
            except OSError as error:
                sys.stderr.write(f"{error}\n")
            os._exit(0)
        os.wait()


if __name__ == "__main__":
    main()
