"""Is a plant running in a data directory? Without touching its lock."""

from __future__ import annotations

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
    # By inode alone: btrfs and overlay show another device number here than in stat.
    return any(
        "FLOCK" in words and any(word.endswith(f":{info.st_ino}") for word in words)
        for words in map(str.split, text.splitlines())
        if "->" not in words  # only waits for it
    )
