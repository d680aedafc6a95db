"""Works while the disk gets full again and again, in the middle of whatever is being written.

`python -m tests.faults.starved DISK SEED LAST`, on a disk of `forgetful`. What fails is tried again when there is room. Says
how often it failed, by what was being done.
"""

from __future__ import annotations

import os
import random
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from historian.fold.chores import Chores
from historian.sqlite import SqliteStore
from historian.store import StoreDamagedError, StoreError
from tests.faults.work import RETENTION, batch_of, settle, time_of
from tests.historian.contract import TAGS

PLENTY = 1 << 40


class Disk:
    """The disk, and how much room it has."""

    def __init__(self, mount: Path) -> None:
        self._room = os.open(mount / "room", os.O_WRONLY | os.O_CREAT)

    def leave(self, free: int) -> None:
        """Leaves so many bytes free."""
        os.write(self._room, b"%d" % free)

    def give(self) -> None:
        """Plenty of room."""
        os.write(self._room, b"%d" % PLENTY)


def main() -> None:
    mount, seed, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    disk, chance = Disk(mount), random.Random(seed)
    disk.give()
    store = SqliteStore.writer(mount / "data" / "history")
    store.declare(TAGS.values())
    work = store.work()
    chores = Chores(work, RETENTION)
    failed: Counter[str] = Counter()

    def insist(what: str, do: Callable[[], object]) -> None:
        for _ in range(2):
            try:
                do()
            except StoreDamagedError:
                raise
            except (StoreError, OSError, sqlite3.OperationalError):
                failed[what] += 1
                disk.give()
            else:
                return
        raise AssertionError(what)

    for number in range(1, last + 1):
        disk.leave(chance.randrange(120_000))
        insist("append", lambda number=number: store.append(batch_of(number)))  # type: ignore[misc]
        if number % 3 == 0:
            disk.leave(chance.randrange(400_000))
            insist("work", lambda number=number: settle(chores, time_of(number)))  # type: ignore[misc]
    disk.give()
    store.close()
    (mount / "said").write_text(f"{last}\n")
    sys.stderr.write(repr(dict(failed)))


if __name__ == "__main__":
    main()
