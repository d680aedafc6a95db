"""What a machine is to a control program: kernel, processors, clock, memory, disk, and which scan periods it allows.

The facts come from `/proc` and `/sys` below a root, so that a test can be any machine.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scada.control.latency import Lateness

PERIODS_NS: Final = tuple(ms * 1_000_000 for ms in (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000))
_GOOD_CLOCKS: Final = ("tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "xen")
_SHM_MB: Final = 64
_DISK_MB: Final = 1000
_FSYNCS: Final = 10
_FSYNC_SLOW_NS: Final = 100_000_000
_TIME_ERROR: Final = 5  # ntp_gettime(3)


@dataclass(frozen=True, slots=True)
class Check:
    """One fact.

    Attributes:
        name: What was looked at.
        found: What was found.
        ok: True: as it should be; False: it costs something; None: neither.
        advice: What to do when it is not.
    """

    name: str
    found: str
    ok: bool | None = None
    advice: str = ""


def fits(lateness: Lateness, period_ns: int) -> bool:
    """True when a scan period can be kept: 999 of 1000 starts within a tenth of it, and none a whole one late."""
    return lateness.p999 * 10 <= period_ns and lateness.max < period_ns


def shortest(lateness: Lateness) -> int | None:
    """The shortest period that fits, of those that people use, ns; None when none does. Never less than 10 ms."""
    return next((period for period in PERIODS_NS if fits(lateness, period)), None)


def facts(root: Path = Path("/"), cpu: int | None = None) -> list[Check]:
    """Kernel, processors, clock and memory.

    Args:
        root: Of the file system.
        cpu: The processor that the site gives to control, or None.
    """
    return [
        _kernel(root),
        _virtual(root),
        _throttling(root),
        _processors(root, cpu),
        _governor(root),
        _clock_source(root),
        _swap(root),
    ]


def granted(lateness: Lateness, cpu: int | None) -> list[Check]:
    """What a process like control was granted in its measurement.

    Args:
        lateness: Measured with real-time priority.
        cpu: The processor that was asked for, or None.
    """

    def said(word: str) -> str:
        return next((text for text in lateness.said if word in text), "")

    checks = [
        Check(
            "real-time priority",
            "granted" if lateness.fifo else "refused",
            lateness.fifo,
            "Give the service CAP_SYS_NICE or LimitRTPRIO=99; a container: --cap-add SYS_NICE or --ulimit rtprio=99.",
        ),
        Check(
            "locked memory",
            "granted" if lateness.locked else said("memory") or said("mlockall") or "refused",
            lateness.locked,
            "Give the service CAP_IPC_LOCK or LimitMEMLOCK=infinity; a container: --ulimit memlock=-1.",
        ),
    ]
    if cpu is not None:
        pinned = lateness.cpu == cpu
        text = f"processor {cpu}" if pinned else said("processor")
        checks.append(
            Check("a processor of its own", text, pinned, "Name one that is there under realtime: cpu:.")
        )
    return checks


def _text(root: Path, path: str) -> str:
    try:
        return (root / path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _kernel(root: Path) -> Check:
    version, release = _text(root, "proc/sys/kernel/version"), _text(root, "proc/sys/kernel/osrelease")
    real_time = "PREEMPT_RT" in version or _text(root, "sys/kernel/realtime") == "1"
    kind = next(
        (word for word in ("PREEMPT_RT", "PREEMPT_DYNAMIC", "PREEMPT") if word in version), "no preemption"
    )
    return Check(
        "kernel",
        f"{release} {'PREEMPT_RT' if real_time else kind}",
        real_time,
        "Rare maxima of some milliseconds remain. A kernel with PREEMPT_RT has them bounded (Debian: linux-image-rt-amd64).",
    )


def _virtual(root: Path) -> Check:
    flags = next((line for line in _text(root, "proc/cpuinfo").splitlines() if line.startswith("flags")), "")
    virtual = " hypervisor" in flags
    return Check(
        "machine",
        "virtual" if virtual else "physical",
        None if virtual else True,
        "",
    )


def _throttling(root: Path) -> Check:
    runtime, period = (_text(root, f"proc/sys/kernel/sched_rt_{key}_us") for key in ("runtime", "period"))
    if not runtime or not period:
        return Check("real-time throttling", "unknown")
    if runtime == "-1":
        return Check(
            "real-time throttling",
            "off",
            False,
            "A defect in a real-time process could stop the machine: sysctl kernel.sched_rt_runtime_us=950000.",
        )
    return Check("real-time throttling", f"{runtime} of {period} µs, the rest is for others", True)


def _processors(root: Path, cpu: int | None) -> Check:
    usable = len(os.sched_getaffinity(0))
    isolated = _text(root, "sys/devices/system/cpu/isolated")
    found = f"{usable}" + (f", of which {isolated} isolated" if isolated else "")
    if usable == 1:
        return Check(
            "processors", found, False, "Two or more: control then need not share one with listeners."
        )
    return Check("processors", found, True if cpu is not None or isolated else None, "")


def _governor(root: Path) -> Check:
    names = {
        _text(root, str(path.relative_to(root)))
        for path in sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor"))
    } - {""}
    if not names:
        return Check("frequency of processors", "not ours to set")
    return Check(
        "frequency of processors",
        ", ".join(sorted(names)),
        names == {"performance"},
        "A processor that slept wakes late: cpupower frequency-set -g performance.",
    )


def _clock_source(root: Path) -> Check:
    found = _text(root, "sys/devices/system/clocksource/clocksource0/current_clocksource")
    if not found:
        return Check("clock source", "unknown")
    return Check(
        "clock source",
        found,
        found in _GOOD_CLOCKS,
        "Each look at the clock costs microseconds. See the kernel's log why tsc is not used.",
    )


def _swap(root: Path) -> Check:
    devices = _text(root, "proc/swaps").splitlines()[1:]
    return Check("swap", f"{len(devices)} device(s)" if devices else "none", None if devices else True)


def steal_ticks(root: Path = Path("/")) -> tuple[int, int]:
    """(stolen by the hypervisor, all) of all processors since boot, in ticks."""
    fields = [int(one) for one in _text(root, "proc/stat").partition("\n")[0].split()[1:9]]
    return (fields[7] if len(fields) == 8 else 0), sum(fields)


def steal(before: tuple[int, int], after: tuple[int, int]) -> Check:
    """What the hypervisor took between two looks."""
    total = max(1, after[1] - before[1])
    share = 100.0 * (after[0] - before[0]) / total
    return Check(
        "steal",
        f"{share:.2f} % of processor time",
        share < 0.1,
        "The host lets others run instead: give this machine processors of its own.",
    )


def storage(shm: Path, folder: Path) -> list[Check]:
    """Memory for the image, and the disk of a data directory; writes and removes one temporary file.

    Args:
        shm: Where `run/` lies.
        folder: The data directory, or the nearest folder above it that there is.
    """
    mounts = [
        line.split()[1:3] for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    ]
    kind = next((kind for where, kind in reversed(mounts) if where == str(shm)), "")
    free = _free_mb(shm)
    checks = [
        Check(
            "memory for the image",
            f"{kind or 'no tmpfs'} {shm}, {free:.0f} MB free",
            kind == "tmpfs" and free >= _SHM_MB,
            f"{shm} must be a tmpfs with {_SHM_MB} MB; a container: --shm-size 256m.",
        )
    ]
    spent = _fsync_ns(folder)
    free = _free_mb(folder)
    if spent is None:
        return [*checks, Check("disk", f"{folder} cannot be written", False, "Name another with --data.")]
    ok = max(spent) < _FSYNC_SLOW_NS and free >= _DISK_MB
    slowest, median = max(spent) / 1e6, sorted(spent)[len(spent) // 2] / 1e6
    text = f"{free:.0f} MB free; a flush takes {median:.1f} ms, at most {slowest:.1f} ms"
    advice = "History is late by as much, the scan is not: it never waits for a disk."
    return [*checks, Check("disk", text, ok, advice)]


def _free_mb(folder: Path) -> float:
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0.0
    return found.f_bavail * found.f_frsize / 1e6


def _fsync_ns(folder: Path) -> list[int] | None:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            spent = []
            for _ in range(_FSYNCS):
                file.write(b"\0" * 4096)
                file.flush()
                began = time.monotonic_ns()
                os.fsync(file.fileno())
                spent.append(time.monotonic_ns() - began)
            return spent
    except OSError:
        return None


def clock_synchronised() -> Check:
    """Whether somebody keeps the clock of this machine right."""
    libc = ctypes.CDLL(None)
    state = libc.ntp_gettime(ctypes.create_string_buffer(256))
    return Check(
        "time of day",
        "not synchronised" if state == _TIME_ERROR else "synchronised",
        state != _TIME_ERROR,
        "Run chrony or systemd-timesyncd: the times of samples and events are those of this clock.",
    )


def worst(checks: Sequence[Check]) -> list[Check]:
    """Those that cost something."""
    return [check for check in checks if check.ok is False]
