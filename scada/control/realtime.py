"""Time and memory of the control process: absolute deadlines, SCHED_FIFO, locked pages, no surprise collections.

Each grant may be refused (containers, ulimits). A refusal is reported, never fatal: without SCHED_FIFO a busy machine
makes scans milliseconds late, which the published lateness then shows.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
from dataclasses import dataclass
from typing import Final

PRIORITY: Final = 80
# Locking all pages must not be what fills a small machine: above this the process stays unlocked and says so.
LOCK_MAX_BYTES: Final = 200 * 2**20

_CLOCK_MONOTONIC: Final = 1
_TIMER_ABSTIME: Final = 1
# MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT: what was touched stays. Without ONFAULT the pages that numpy's libraries map
# and never use come in as well: 151 MB instead of 40 MB, measured on CPython 3.11 with numpy 2.4.
_MCL: Final = 1 | 2 | 4
_SECOND: Final = 1_000_000_000


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


_libc: Final = ctypes.CDLL(None, use_errno=True)
_nanosleep = _libc.clock_nanosleep
_nanosleep.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.POINTER(_Timespec), ctypes.c_void_p)
_nanosleep.restype = ctypes.c_int
_timespec: Final = _Timespec()


def sleep_until(due_ns: int) -> None:
    """Sleeps to an absolute time; returns early when a signal comes, at once when it is past.

    Args:
        due_ns: On CLOCK_MONOTONIC, ns.
    """
    _timespec.seconds, _timespec.nanoseconds = divmod(due_ns, _SECOND)
    _nanosleep(_CLOCK_MONOTONIC, _TIMER_ABSTIME, ctypes.byref(_timespec), None)


def following(index: int, began_ns: int, spent_ns: int, period_ns: int) -> int:
    """Which point of the grid of periods the next scan is due at.

    It is the next one, also when that has passed: a scan that began late is not made to wait. After a scan that took
    longer than its period it is the next that has not passed; else a program that is too large would leave no time to
    anybody else on its processor, and its own inputs would come from services that never run.

    Args:
        index: Point of the grid of the scan that is over; point 0 is at 0.
        began_ns: When it began, ns since point 0.
        spent_ns: How long it took, ns.
        period_ns: Between two points, ns.
    """
    if spent_ns <= period_ns:
        return index + 1
    return max(index, (began_ns + spent_ns) // period_ns) + 1


@dataclass(frozen=True, slots=True)
class Grants:
    """What the machine let us have.

    Attributes:
        fifo: SCHED_FIFO at `PRIORITY`.
        locked: Every page that was touched stays in memory.
        said: One sentence for each refusal.
        cpu: The processor that the process was given, or None.
    """

    fifo: bool
    locked: bool
    said: tuple[str, ...]
    cpu: int | None = None


def claim(cpu: int | None = None, priority: int = PRIORITY) -> Grants:
    """Asks for a processor, SCHED_FIFO and locked memory, and takes the collector out of the scan.

    Called once, after everything is loaded: what lives then is frozen and never collected.

    Args:
        cpu: The processor to run on, or None for any.
        priority: Of SCHED_FIFO, 1 … 99.
    """
    said: list[str] = []
    pinned = pin(cpu, said)
    gc.collect()
    gc.freeze()
    gc.disable()
    locked = _lock(said)
    fifo = real_time(priority, said)
    return Grants(fifo=fifo, locked=locked, said=tuple(said), cpu=pinned)


def real_time(priority: int, said: list[str]) -> bool:
    """Asks for SCHED_FIFO; a refusal is told in `said`."""
    try:
        # Children must not inherit a real-time class (there are none, and a defect should not make one).
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError as error:
        said.append(
            f"SCHED_FIFO was refused ({error.strerror}): scans may start milliseconds late on a busy machine. "
            "Give the service CAP_SYS_NICE or an rtprio limit."
        )
        return False
    return True


def pin(cpu: int | None, said: list[str]) -> int | None:
    """Runs this process on one processor; None when there was none to ask for, or it was refused, told in `said`."""
    if cpu is None:
        return None
    try:
        os.sched_setaffinity(0, {cpu})
    except OSError:
        allowed = ", ".join(map(str, sorted(os.sched_getaffinity(0))))
        said.append(
            f"processor {cpu} was refused: this process may use {allowed}. Correct realtime: cpu: of the site"
        )
        return None
    return cpu


def _lock(said: list[str]) -> bool:
    in_use = resident()
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    if in_use > LOCK_MAX_BYTES:
        said.append(
            f"memory is not locked: {in_use >> 20} MB are in use, at most {LOCK_MAX_BYTES >> 20} MB are locked"
        )
        return False
    if limit != resource.RLIM_INFINITY and os.geteuid() != 0 and limit < 2 * in_use:
        # A lock that succeeds now and makes the next allocation fail would be worse than none.
        said.append(f"memory is not locked: the limit is {limit >> 20} MB (raise LimitMEMLOCK)")
        return False
    if _libc.mlockall(_MCL) != 0:
        said.append(f"mlockall was refused ({os.strerror(ctypes.get_errno())}): pages may be swapped out")
        return False
    return True


def resident() -> int:
    """Memory of this process that is in RAM, bytes."""
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - procfs, and called before the scan starts
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
