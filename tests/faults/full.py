"""The disk of the history is full for a while: `python -m tests.faults.full DATA`, run in a place with mounts of its own.

Says as JSON what the keeper did in the meantime and what history has in the end.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from historian import audit
from historian.keeper import Keeper
from historian.reader import open_reader
from scada.clock import SystemClock
from tests.faults import space
from tests.historian.plant import SECOND, Plant

SIZE: Final = 32 << 20
ROUNDS: Final = 30
CHANGES: Final = 200
LEVEL: Final = "tank1/LT-101"


class Filler:
    """A file that takes all room there is."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "somebody-else"

    def fill(self) -> None:
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for size in (1 << 16, 4096, 1):
            try:
                while True:
                    os.write(handle, bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
        os.close(handle)

    def remove(self) -> None:
        self._path.unlink()


class Watched:
    """A plant whose level changes 200 times a second, and its keeper."""

    def __init__(self, root: Path) -> None:
        self.plant = Plant(root)
        self.reports: list[dict[str, Any]] = []
        self.keeper = Keeper(
            self.plant.data,
            self.plant.site,
            self.plant.clock,
            lambda kind, **fields: self.reports.append({"kind": kind, **fields}),
        )
        self.wanted: list[float] = []
        self.slowest_ns = 0
        self._chance = np.random.default_rng(1)

    def second(self) -> None:
        for value in self._chance.standard_normal(CHANGES).tolist():
            self.plant.put(LEVEL, value, after_s=1 / CHANGES)
            self.wanted.append(value)
        self.plant.event("login", user="anna", number=len(self.wanted))
        started = SystemClock().monotonic_ns()
        self.keeper.tick()
        self.slowest_ns = max(self.slowest_ns, SystemClock().monotonic_ns() - started)

    def kept(self) -> tuple[list[float], list[int]]:
        store = open_reader(self.plant.data.history)
        found = store.raw(self.plant.id(LEVEL), 0, 2**62)
        logins = [event["number"] for event in store.events(0, 2**62, ["login"])]
        store.close()
        return found.floats[found.status == 0].tolist(), logins


def main() -> None:
    space.enter()
    root = Path(sys.argv[1])
    (root / "history").mkdir(parents=True)
    space.mount_memory(root / "history", SIZE)
    watched = Watched(root)
    for _ in range(ROUNDS):
        watched.second()
    before = watched.keeper.ok
    filler = Filler(root / "history")
    filler.fill()
    for _ in range(ROUNDS):
        watched.second()
    audited = [entry.event["number"] for entry in audit.entries(root / "history", 0, 2**62, ["login"])]
    problem, lag_s, free = watched.keeper.problem, watched.keeper.lag_s(), watched.keeper.disk_free_mb()
    filler.remove()
    watched.second()
    watched.plant.clock.advance(SECOND)
    watched.keeper.tick()
    ok = watched.keeper.ok
    watched.keeper.close()
    kept, logins = watched.kept()
    watched.plant.stop()
    shutil.rmtree(watched.plant.data.run.resolve())
    report = {
        "before": before,
        "problem": problem,
        "lag_s": lag_s,
        "free_mb": free,
        "after": ok,
        "audited": audited == list(range(CHANGES, len(watched.wanted), CHANGES)),
        "reports": [report for report in watched.reports if report["kind"] == "service"],
        "slowest_s": watched.slowest_ns / 1e9,
        "same": kept == watched.wanted,
        "kept": len(kept),
        "wanted": len(watched.wanted),
        "logins": logins == list(range(CHANGES, len(watched.wanted) + 1, CHANGES)),
    }
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main()
