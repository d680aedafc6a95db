"""Is a plant running in a data directory? Without touching its lock."""

from __future__ import annotations

import os
from pathlib import Path

_LOCKS = Path("/proc/locks")


def is_locked(path: Path) -> bool | None:
    """Whether any process holds a lock on a file.

    Taking the lock to find out could make a starting supervisor believe that the directory is in use, so the
    kernel's list is read instead.

    Returns:
        None when that cannot be known: no such file, or no such list.
    """
    try:
        info = path.stat()
        text = _LOCKS.read_text()
    except OSError:
        return None
    wanted = f"{os.major(info.st_dev):02x}:{os.minor(info.st_dev):02x}:{info.st_ino}"
    return any(wanted in line.split() for line in text.splitlines() if "->" not in line)
