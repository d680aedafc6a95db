"""One service as a process: started, watched by descriptor, killed and reaped without a race of process ids."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_ENVIRONMENT: Final = {
    "OPENBLAS_NUM_THREADS": "1",  # numpy would start a thread for each core in each service
    "MALLOC_ARENA_MAX": "2",
    "PYTHONFAULTHANDLER": "1",
}


class Process:
    """A child process.

    Attributes:
        descriptor: A pidfd: readable once the process ended.
        started_ns: When it was started, ns monotonic.
    """

    def __init__(self, command: Sequence[str], lock: int, log: int, now_ns: int) -> None:
        """Starts it; call in the main thread, as the child dies with the thread that made it.

        Args:
            command: Program and arguments.
            lock: Descriptor of the data directory's lock; inherited.
            log: Descriptor for stdout and stderr.
            now_ns: Now, ns monotonic.

        Raises:
            OSError: It cannot be started.
        """
        self._process = subprocess.Popen(
            [*command, "--parent", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(lock,),
            env={**os.environ, **_ENVIRONMENT},
            process_group=0,  # Ctrl-C in a terminal is for the supervisor, which stops services in order
        )
        self.started_ns = now_ns
        self.descriptor = os.pidfd_open(self._process.pid)

    @property
    def id(self) -> int:
        """Process id."""
        return self._process.pid

    def send(self, number: int) -> None:
        """Sends a signal; nothing when it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.descriptor, number)

    def reap(self) -> int | None:
        """The return code (negative: the signal that killed it), or None while it lives."""
        code = self._process.poll()
        if code is not None and self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
        return code


def how(code: int) -> str:
    """A return code in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def log_path(run: Path, service: str) -> Path:
    """The log of a service in memory."""
    return run / f"{service}.log"
