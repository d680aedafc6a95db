"""One plant for a data directory: a lock that the services inherit, so it is free only when all are gone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
from pathlib import Path

from scada.datadir import DataDirError


def lock(path: Path, patience_s: float = 5.0) -> int:
    """Takes the lock.

    The kernel kills the services of a supervisor that died; the lock waits for that. It does not wait for a
    supervisor that lives.

    Args:
        path: `DataDir.lock`.
        patience_s: How long to wait for the services of a dead supervisor, s.

    Returns:
        The locked descriptor; keep it open, and pass it on to every service.

    Raises:
        DataDirError: In use, or not writable.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataDirError(
            f"data directory {path.parent}: {error.strerror}. Choose another with --data DIR."
        ) from error
    tries = max(1, int(patience_s / 0.05))
    for _ in range(tries):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = _owner(descriptor)
            if owner is None or _lives(owner):
                break
            select.select([], [], [], 0.05)
        else:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            return descriptor
    owner = _owner(descriptor)
    os.close(descriptor)
    by = f" by process {owner}" if owner else ""
    raise DataDirError(
        f"data directory {path.parent} is in use{by}. Stop that plant, or choose another with --data DIR."
    )


def _owner(descriptor: int) -> int | None:
    with contextlib.suppress(ValueError):
        return int(os.pread(descriptor, 20, 0))
    return None


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
