"""Epochs: one rising number for all writers of a data directory, over restarts and reboots."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from scada.datadir import write_file

BLOCK: Final = 64  # reserved on disk at once, so that a restart of control never waits for a disk
MOST: Final = 2**24 - 1  # 24 bits of a command's version carry it


class Epochs:
    """Gives out epochs.

    Attributes:
        current: The last one given out.
        error: Why the last reservation could not be saved, or "".
    """

    def __init__(self, path: Path) -> None:
        """Reads how far earlier supervisors got, and reserves a block.

        Args:
            path: `DataDir.epoch`.

        Raises:
            OSError: Not writable.
            ValueError: The file was tampered with, or 16 million epochs are used up.
        """
        self._path = path
        self.error = ""
        self.current = 0
        with contextlib.suppress(FileNotFoundError):
            self.current = _parse(path)
        self._reserved = self.current
        self._reserve()

    def next(self) -> int:
        """A new epoch, larger than all before."""
        self.current += 1
        if self.current >= self._reserved:
            try:
                self._reserve()
            except OSError as error:  # a full disk must not keep control from restarting
                self.error = f"{self._path}: {error.strerror}"
        return self.current

    def _reserve(self) -> None:
        self._reserved = self.current + BLOCK
        write_file(self._path, b"%d\n" % self._reserved)
        self.error = ""


def _parse(path: Path) -> int:
    text = path.read_text().strip()
    if not text.isdecimal() or int(text) > MOST - BLOCK:
        raise ValueError(
            f"{path}: {text[:40]!r} is not an epoch. Restore the file, or use a new data directory."
        )
    return int(text)
