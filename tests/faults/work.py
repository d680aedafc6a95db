"""What the historian does all day, in a way that tells afterwards what must be there.

Batch number n is always the same (`batch_of`), so the numbers that were acknowledged say everything. A sample's value is
the number of its batch. Time goes on by an hour a batch, so 24 batches are a day; some samples come late, some have the
time of an earlier one.

As a program, `python -m tests.faults.work HISTORY SAID LAST [BUG]` works from where the store has got to, up to batch LAST, and
says what it has done: `n` for a batch, `-t` before it forgets what is older than a time (ns UTC).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from historian.fold.chores import Chores
from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch, Text
from tags.mapped import Position
from tags.model import Retention
from tests.faults.bugs import BUGS
from tests.historian.contract import LEVEL, NOTE, RUN, TAGS

SECOND: Final = 1_000_000_000
DAY: Final = 86_400 * SECOND
STEP: Final = 3600 * SECOND
START: Final = 20_600 * DAY - 2 * STEP - STEP // 2
KEPT_DAYS: Final = 4
RETENTION: Final = Retention(samples_ns=KEPT_DAYS * DAY, events_ns=KEPT_DAYS * DAY, share=1.0)
SAMPLED: Final = (LEVEL, RUN, TAGS["tank1/LIC-101/SP"].id, TAGS["tank1/LV-101/POS"].id)
WRITER: Final = ("field", "changes")

Say = Callable[[str], None]


def time_of(number: int) -> int:
    """When batch `number` was made, UTC, ns."""
    return START + number * STEP


def batch_of(number: int) -> Batch:
    """Always the same for the same number."""
    now = time_of(number)
    times = [now - 10 * SECOND, now - SECOND]
    if number % 7 == 0:
        times.append(now - DAY - SECOND * number % 97)  # late
    if number % 5 == 0:
        times.append(time_of(number - 1) - SECOND)  # the same time once more
    samples = np.zeros(len(SAMPLED) * len(times), SAMPLE)
    samples["tag"] = np.repeat(np.array(SAMPLED, np.uint32), len(times))
    samples["t"] = np.tile(np.array(times, np.int64), len(SAMPLED))
    samples["bits"] = np.full(len(samples), float(number)).view(np.uint64)
    return Batch(
        samples=samples,
        texts=[Text(NOTE, now, 0, str(number))],
        events=[{"kind": "login", "t": now, "number": number}],
        positions={WRITER: Position(1, number)},
        utc_ns=now,
    )


def work(folder: Path, say: Say, last: int) -> None:
    """Appends batch after batch; folds, compacts, seals and forgets as the historian does, when it is time."""
    store = SqliteStore.writer(folder)
    store.declare(TAGS.values())
    chores = Chores(store.work(), RETENTION)
    reached = store.position(*WRITER)
    for number in range(reached.sequence + 1 if reached else 1, last + 1):
        store.append(batch_of(number))
        say(str(number))
        if number % 3 == 0:
            say(str(-forgotten_before(number)))
            settle(chores, time_of(number))
    store.close()


def forgotten_before(number: int) -> int:
    """What may be gone at the time of a batch: everything before this time, UTC, ns."""
    return time_of(number) - RETENTION.samples_ns


def settle(chores: Chores, now_ns: int) -> None:
    """All that is due at a time, UTC, ns."""
    while chores.step(now_ns, now_ns):
        pass


def main() -> None:
    folder, said, last, *planted = sys.argv[1:]
    for bug in planted:
        BUGS[bug]()
    voice = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    work(Path(folder), lambda text: void(os.write(voice, f"{text}\n".encode())), int(last))


def void(_: object) -> None:
    """Nothing."""


if __name__ == "__main__":
    main()
