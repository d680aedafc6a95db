"""Feeds inputs to a reader and measures: no exception that it does not promise, no hang, bounded memory."""

from __future__ import annotations

import contextlib
import gc
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.fuzz.mutate import inputs
from tests.fuzz.targets import Target

HANG_NS: Final = 50_000_000
"""Processor time for one input: the clock of the machine would count what others do on it."""
MEMORY_BYTES: Final = 64 * 1024 * 1024
_PAGE: Final = resource.getpagesize()


class FoundError(AssertionError):
    """An input that a reader does not stand."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run.

    Attributes:
        count: Inputs.
        accepted: Of them, those that were read as something.
        slowest_ns: Processor time of the slowest.
        grown_bytes: Resident memory at the end, less that at the beginning.
    """

    count: int
    accepted: int
    slowest_ns: int
    grown_bytes: int


def fuzz(target: Target, seed: int, count: int) -> Outcome:
    """Feeds so many inputs.

    Raises:
        FoundError: One raised, took too long, or memory grew; the message shows how to repeat it.
    """
    read = target.make()
    accepted = slowest = 0
    before = _resident()
    for number, data in enumerate(inputs(target.seeds(), f"{target.name}/{seed}", count)):
        start = time.thread_time_ns()
        try:
            accepted += bool(read(data))
        except target.promised:
            pass
        except Exception as error:
            raise FoundError(
                f"{target.name} seed {seed} input {number}: {data!r} raises {error!r}"
            ) from error
        took = time.thread_time_ns() - start
        if took > HANG_NS:  # once more: a garbage collection is not the reader's doing
            took = min(took, _again(read, data, target.promised))
            if took > HANG_NS:
                raise FoundError(
                    f"{target.name} seed {seed} input {number}: {data!r} took {took / 1e6:.0f} ms"
                )
        slowest = max(slowest, took)
    gc.collect()
    grown = _resident() - before
    if grown > MEMORY_BYTES:
        raise FoundError(f"{target.name} seed {seed}: memory grew by {grown >> 20} MiB over {count} inputs")
    return Outcome(count, accepted, slowest, grown)


def _again(read: object, data: bytes, promised: tuple[type[Exception], ...]) -> int:
    assert callable(read)
    start = time.thread_time_ns()
    with contextlib.suppress(*promised):
        read(data)
    return time.thread_time_ns() - start


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
