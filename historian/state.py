"""Control's state on the disk, so that it survives a power failure. Control itself never waits for one."""

from __future__ import annotations

from pathlib import Path

from scada.datadir import write_file
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
        write_file(self._target, payload)
        self._saved = version
        return True

    def close(self) -> None:
        """Lets go of the slots."""
        self._slots.close()
