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
_BIN_NS: Final = 1000
_BINS: Final = 200_000
_SECOND_NS: Final = 1_000_000_000
LATE_MS: Final = (1, 5, 10, 20, 50, 100)


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


class Histogram:
    """Lateness in bins of 1 µs: a day of wake-ups takes no more memory than a second of them.

    Attributes:
        count: Of all that were added.
        largest: Of them, ns.
        late: How many were later than each of `LATE_MS`.
    """

    __slots__ = ("_bins", "_over", "count", "largest", "late")

    def __init__(self) -> None:
        self._bins = array("q", bytes(8 * _BINS))
        self._over: list[int] = []  # each took longer than all bins: there cannot be many
        self.count = self.largest = 0
        self.late = [0] * len(LATE_MS)

    def add(self, ns: int) -> None:
        """Takes the lateness of a wake-up, ns."""
        self.count += 1
        self.largest = max(self.largest, ns)
        if ns < _BINS * _BIN_NS:
            self._bins[ns // _BIN_NS] += 1
        else:
            self._over.append(ns)
        if ns > LATE_MS[0] * 1_000_000:
            for position, ms in enumerate(LATE_MS):
                self.late[position] += ns > ms * 1_000_000

    def at(self, share: float) -> int:
        """So many of all (0 … 1) were not later than this, ns; up to a bin more."""
        wanted = min(self.count, int(self.count * share) + 1)
        for number, found in enumerate(self._bins):
            wanted -= found
            if wanted <= 0:
                return min(self.largest, (number + 1) * _BIN_NS - 1)
        return sorted(self._over)[wanted - 1]


def summary(found: Histogram, grants: realtime.Grants | None = None) -> Lateness:
    """Percentiles of lateness.

    Args:
        found: At least one wake-up.
        grants: Under which it was measured.
    """
    made = Lateness(
        found.count, found.at(0.5), found.at(0.99), found.at(0.999), found.largest, tuple(found.late)
    )
    if grants is None:
        return made
    return dataclasses.replace(made, fifo=grants.fifo, locked=grants.locked, cpu=grants.cpu, said=grants.said)


def measure(seconds: float, interval_ns: int = INTERVAL_NS) -> Histogram:
    """Sleeps to deadlines so long.

    A deadline that has passed when the last wake-up was over is left out, as a scan would be: its lateness is in that
    of the one before.
    """
    found = Histogram()
    now = time.monotonic_ns
    due = now() + interval_ns
    end = due + max(1, int(seconds * _SECOND_NS))
    while due < end:
        realtime.sleep_until(due)
        late = now() - due
        if late < 0:
            continue  # a signal
        found.add(late)
        due += interval_ns * (1 + late // interval_ns)
    return found


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
