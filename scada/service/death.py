"""A service dies with its supervisor, whatever state either is in."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def die_with_parent(parent: int | None) -> None:
    """Asks the kernel for SIGKILL when the parent dies; exits if it is dead already.

    SIGKILL, not SIGTERM: a frozen or hanging service would otherwise live on and hold the lock of the data directory.

    Args:
        parent: Process id that started us, if known.

    Raises:
        OSError: The kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), "prctl(PR_SET_PDEATHSIG)")
    if parent is not None and os.getppid() != parent:
        sys.exit(1)
