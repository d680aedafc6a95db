"""Logs of services: written to memory, copied to disk from there, bounded in both places.

A service's stderr is a file in `run/` (tmpfs), so a line never waits for a disk, a pipe or us. A thread copies what is
new to `logs/` each second; when the disk is full or slow, only the copies suffer.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import Final

import orjson

MEMORY_MAX: Final = 1_000_000  # bytes of one service in tmpfs
DISK_MAX: Final = 5_000_000  # bytes of one file on disk; one older file is kept beside it
CHUNK: Final = 1 << 20


class Logs:
    """Copies the logs of services until it is stopped."""

    def __init__(self, run: Path, logs: Path) -> None:
        """Knows where.

        Args:
            run: `DataDir.run`.
            logs: `DataDir.logs`.
        """
        self._run, self._logs = run, logs
        self._copied: dict[str, int] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the copying thread."""
        self._thread = threading.Thread(target=self._work, name="logs", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Copies the rest and ends the thread, within 1 s."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(1.0)

    def open(self, service: str) -> int:
        """A descriptor for a service's stdout and stderr; the caller closes it."""
        path = self._run / f"{service}.log"
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def size(self, service: str) -> int:
        """Bytes in a service's log in memory."""
        with contextlib.suppress(FileNotFoundError):
            return (self._run / f"{service}.log").stat().st_size
        return 0

    def copy(self) -> None:
        """Copies what is new of all services, and keeps files small."""
        for path in sorted(self._run.glob("*.log")):
            with contextlib.suppress(OSError):
                self._copy_one(path)

    def _copy_one(self, path: Path) -> None:
        with path.open("rb") as source:
            start = self._copied.get(path.name, 0)
            size = os.fstat(source.fileno()).st_size
            if size < start:
                start = 0
            source.seek(start)
            data = source.read(CHUNK)
        self._copied[path.name] = start + len(data)
        try:
            if data:
                self._append(self._logs / path.name, data)
        finally:
            if self._copied[path.name] > MEMORY_MAX:
                os.truncate(path, 0)  # the service appends, so it goes on at the new end
                self._copied[path.name] = 0

    def _append(self, path: Path, data: bytes) -> None:
        with path.open("ab") as file:
            file.write(data)
            full = file.tell() > DISK_MAX
        if full:
            path.replace(path.with_name(path.name + ".1"))

    def _work(self) -> None:
        while not self._stop.wait(1.0):
            self.copy()
        self.copy()


def last_words(path: Path, start: int = 0) -> str:
    """Why a service ended, by its log: its last line of level critical, else the last line of all.

    Args:
        path: Its log.
        start: Where the log of this life begins, bytes.

    Returns:
        One line, or "" when it said nothing.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(start, file.seek(0, os.SEEK_END) - 65536))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    last = ""
    for line in lines:
        with contextlib.suppress(ValueError):
            entry = orjson.loads(line)
            if isinstance(entry, dict) and entry.get("level") == "critical":
                last = str(entry.get("event", ""))
    plain = [line.strip() for line in lines if line.strip()]
    return last or (plain[-1][:500] if plain else "")
