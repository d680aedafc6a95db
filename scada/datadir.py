"""Where a running site keeps what: one data directory, readable by its owner alone.

`history/`, `recordings/`, `state/`, `certs/`, `logs/` and `users` lie on disk; `run/` (image, rings, sockets) is a
link to tmpfs, so that nothing that the scan touches ever waits for a disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import Path

_TMPFS = Path("/dev/shm")  # noqa: S108 - every path made below it is checked for its owner and mode


class DataDirError(Exception):
    """The data directory cannot be used; the message says why and what to do."""


class DataDir:
    """Paths of one data directory.

    Args:
        root: The directory; need not exist yet.
    """

    def __init__(self, root: Path) -> None:
        # By its real name: reached through a link, it must not get a second run directory while a plant uses the first.
        self.root = Path(os.path.realpath(root))
        self.run = self.root / "run"
        self.state = self.root / "state"
        self.history = self.root / "history"
        self.recordings = self.root / "recordings"
        self.certs = self.root / "certs"
        self.logs = self.root / "logs"
        self.users = self.root / "users"
        self.lock = self.root / "lock"
        self.site_json = self.run / "site.json"
        self.control_socket = self.run / "control.sock"
        self.clients = self.run / "clients"
        self.control_state = self.run / "control.state"
        self.control_state_saved = self.state / "control.state"
        self.forces = self.run / "control.forces"
        self.record_ring = self.run / "control.record"
        self.simulate_socket = self.run / "simulate.sock"
        self.armed = self.state / "armed.json"
        self.tag_ids = self.state / "tags.json"
        self.epoch = self.state / "epoch"

    def image(self, writer: str) -> Path:
        """The process image file of a service."""
        return self.run / f"{writer}.image"

    def ring(self, writer: str) -> Path:
        """The change ring of a service."""
        return self.run / f"{writer}.ring"

    def events(self, writer: str) -> Path:
        """The event ring of a service."""
        return self.run / f"{writer}.events"

    def create(self) -> None:
        """Makes what is missing, mode 0700.

        Raises:
            DataDirError: Not writable, or somebody else's.
        """
        try:
            for folder in (self.root, self.state, self.history, self.recordings, self.certs, self.logs):
                make_folder(folder)
            _own(self.root)
            self._make_run()
            self.clients.mkdir(mode=0o700, exist_ok=True)
            probe = self.state / ".writable"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise DataDirError(
                f"data directory {self.root}: {error.strerror or error}. Choose another with --data DIR."
            ) from error

    def _make_run(self) -> None:
        if self.run.is_dir() and not self.run.is_symlink():
            return
        if not _TMPFS.is_dir():
            self.run.mkdir(mode=0o700)
            return
        mine = _TMPFS / f"closedloop-{os.getuid()}"
        target = mine / hashlib.sha256(str(self.root).encode()).hexdigest()[:16]
        for folder in (mine, target):
            folder.mkdir(mode=0o700, exist_ok=True)
            _own(folder)
        if self.run.is_symlink() and self.run.readlink() != target:
            self.run.unlink()
        if not self.run.is_symlink():
            self.run.symlink_to(target)


def make_folder(folder: Path) -> None:
    """Makes a folder with its parents, mode 0700, so that it is still there after a power cut.

    A file that was flushed to the disk is lost when the name of a folder above it never got there.

    Raises:
        OSError: The disk does not let it.
    """
    if not folder.exists():
        if not folder.parent.exists():
            make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
    with contextlib.suppress(PermissionError):  # somebody else's, so not made by us
        flush_folder(folder.parent)  # also when it was there: who made it may have been killed before this


def write_file(path: Path, data: bytes) -> None:
    """Writes a file as a whole, mode 0600: after a power cut it is the old one or the new one.

    Raises:
        OSError: The disk does not let it; the old one stays.
    """
    fresh = path.with_name(path.name + ".new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(handle)
    fresh.replace(path)
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Brings the names in a folder to the disk: files and folders made, renamed and deleted in it.

    Raises:
        OSError: The disk does not let it.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _own(folder: Path) -> None:
    """Refuses a folder of somebody else; takes others' rights away from our own."""
    info = folder.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid():
        raise DataDirError(f"{folder} belongs to somebody else. Choose another directory with --data DIR.")
    if info.st_mode & 0o077:
        folder.chmod(0o700)


def default_data(name: str) -> Path:
    """The data directory of a site when none was named.

    Args:
        name: Of the site.

    Returns:
        `$SCADA_DATA`, else `$XDG_DATA_HOME/closedloop/<name>`, else `~/.local/share/closedloop/<name>`.
    """
    if named := os.environ.get("SCADA_DATA"):
        return Path(named)
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "closedloop" / name
