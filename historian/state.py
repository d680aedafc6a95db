"""Control's state on the disk, so that it survives a power failure. Control itself never waits for one."""

from __future__ import annotations

import os
from pathlib import Path

from tags.slots import SlotReader


class StateSaver:
    """Copies the newest state from the slots to a file whenever it changed.

    Args:
        slots: `run/control.state`.
        target: `state/control.state`; replaced as a whole, so that it is always the old or the new state.
    """

    def __init__(self, slots: Path, target: Path) -> None:
        self._slots = SlotReader(slots)
        self._target = target
        self._saved = 0

    def tick(self) -> bool:
        """Saves a changed state; returns whether it did.

        Raises:
            OSError: Disk full or broken: the old file stays, the next call tries again.
        """
        version = self._slots.version
        if version == self._saved:
            return False
        payload = self._slots.read()
        if payload is None:
            return False
        fresh = self._target.with_name(self._target.name + ".new")
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            done = 0
            while done < len(payload):
                done += os.write(file, payload[done:])
            os.fsync(file)
        finally:
            os.close(file)
        fresh.replace(self._target)
        _flush_folder(self._target.parent)
        self._saved = version
        return True

    def close(self) -> None:
        """Lets go of the slots."""
        self._slots.close()


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
