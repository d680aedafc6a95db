"""How late this machine wakes a process: `python -m scada.control.latency --seconds 2 [--priority 79] [--cpu 1]`.

A process of its own sleeps to absolute deadlines of 1 ms, as control does to those of its scan, and notes how late it
woke. It runs one below control's priority, so that it never makes a scan late; what control does then counts as load.
The result is one line of JSON. This module imports little: it starts in some 50 ms.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import json
import subprocess
import sys
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scada.control import realtime
from scada.service.death import die_with_parent

INTERVAL_NS: Final = 1_000_000
_SECOND_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Lateness:
    """What was measured.

    Attributes:
        count: Wake-ups.
        p50: Half of them were earlier, ns.
        p99: 99 of 100 were earlier, ns.
        p999: 999 of 1000 were earlier, ns.
        max: The latest, ns.
        late: How many were later than 1, 5, 10, 20, 50 and 100 ms.
        fifo: With SCHED_FIFO.
        locked: With locked memory.
        cpu: On this processor alone, or None.
        said: What was refused.
    """

    count: int
    p50: int
    p99: int
    p999: int
    max: int
    late: tuple[int, ...]
    fifo: bool = False
    locked: bool = False
    cpu: int | None = None
    said: tuple[str, ...] = ()


LATE_MS: Final = (1, 5, 10, 20, 50, 100)


def summary(sleeps: Sequence[int], grants: realtime.Grants | None = None) -> Lateness:
    """Percentiles of lateness.

    Args:
        sleeps: Lateness of each wake-up, ns; at least one.
        grants: Under which it was measured.
    """
    ordered = sorted(sleeps)

    def at(share: float) -> int:
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

    late = tuple(sum(ns > ms * 1_000_000 for ns in ordered) for ms in LATE_MS)
    found = Lateness(len(ordered), at(0.5), at(0.99), at(0.999), ordered[-1], late)
    if grants is None:
        return found
    return dataclasses.replace(
        found, fifo=grants.fifo, locked=grants.locked, cpu=grants.cpu, said=grants.said
    )


def measure(seconds: float, interval_ns: int = INTERVAL_NS) -> array[int]:
    """Sleeps to deadlines so long; lateness of each wake-up, ns.

    A deadline that has passed when the last wake-up was over is left out, as a scan would be: its lateness is in that
    of the one before.
    """
    count = max(1, int(seconds * _SECOND_NS / interval_ns))
    found = array("q", bytes(8 * count))
    now = time.monotonic_ns
    due = now() + interval_ns
    end = due + count * interval_ns
    known = 0
    while due < end:
        realtime.sleep_until(due)
        late = now() - due
        if late < 0:
            continue  # a signal
        found[known] = late
        known += 1
        due += interval_ns * (1 + late // interval_ns)
    return found[:known]


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; the exit code."""
    parser = argparse.ArgumentParser(description="Measures how late this machine wakes a process.")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--priority", type=int, default=0, help="of SCHED_FIFO; 0: plain scheduling")
    parser.add_argument("--cpu", type=int)
    parser.add_argument("--parent", type=int)
    given = parser.parse_args(argv)
    die_with_parent(given.parent)
    if given.priority:
        grants = realtime.claim(given.cpu, given.priority)
    else:
        said: list[str] = []
        cpu = realtime.pin(given.cpu, said)
        gc.freeze()
        gc.disable()
        grants = realtime.Grants(fifo=False, locked=False, said=tuple(said), cpu=cpu)
    print(json.dumps(dataclasses.asdict(summary(measure(given.seconds), grants))))  # noqa: T201 - its result
    return 0


def parse(line: str | bytes) -> Lateness:
    """What `main` printed.

    Raises:
        ValueError: It is something else.
    """
    try:
        fields = json.loads(line)
        return Lateness(**{**fields, "late": tuple(fields["late"]), "said": tuple(fields["said"])})
    except (TypeError, KeyError) as error:
        raise ValueError(f"no measurement: {line!r}") from error


class Measurement:
    """A measurement in a process of its own.

    Args:
        seconds: How long.
        priority: Of SCHED_FIFO; 0 for plain scheduling.
        cpu: The processor to measure, or None for any.
        parent: It dies with this process.

    Raises:
        OSError: No process can be started.
    """

    def __init__(self, seconds: float, *, priority: int, cpu: int | None, parent: int) -> None:
        command = [sys.executable, "-m", __name__, "--seconds", str(seconds), "--parent", str(parent)]
        command += ["--priority", str(priority), *(() if cpu is None else ("--cpu", str(cpu)))]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def poll(self) -> Lateness | None:
        """The result when it is there; never waits.

        Raises:
            ValueError: It failed.
        """
        return None if self._process.poll() is None else self.result()

    def result(self) -> Lateness:
        """Waits for the result.

        Raises:
            ValueError: It failed.
        """
        line, _ = self._process.communicate()
        return parse(line or b"{}")

    def close(self) -> None:
        """Ends it, finished or not."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


if __name__ == "__main__":
    sys.exit(main())
