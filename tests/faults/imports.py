"""Imports a file of samples while the journal is folded: `python -m tests.faults.imports HISTORY SAID CSV`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from historian.sqlite import SqliteStore
from historian.transfer import csv_in, importing
from historian.transfer.incoming import Terms
from tests.historian.contract import TAGS

ROWS: Final = 900
PIECE: Final = 4096  # bytes, some 90 rows
PATH: Final = "tank1/LT-101"
SECOND: Final = 1_000_000_000
START: Final = 1_750_000_000 * SECOND
STEP: Final = 120 * SECOND


def csv_file(folder: Path) -> Path:
    """A file with a sample every two minutes; its value is its place."""
    path = folder / "samples.csv"
    times = (datetime.fromtimestamp((START + i * STEP) // SECOND, UTC) for i in range(ROWS))
    lines = (f"{t.isoformat()},{PATH},{i}" for i, t in enumerate(times))
    path.write_text("time,tag,value\n" + "\n".join(lines) + "\n")
    return path


def bring_in(folder: Path, path: Path) -> int:
    """Imports it, or what is not there yet; returns how many samples were added."""
    csv_in.READ = PIECE  # type: ignore[misc]
    store = SqliteStore.writer(folder)
    store.declare(TAGS.values())
    pieces = 0

    def room() -> None:
        nonlocal pieces
        pieces += 1
        if pieces % 3 == 0:
            store.fold(force=True)
            store.join_short()

    try:
        terms = Terms(store.ids(), ZoneInfo("UTC"), START + 10**9 * SECOND)
        return importing.import_file(store, path, "csv", terms, START, room=room).added
    finally:
        store.close()


def main() -> None:
    folder, said, path = map(Path, sys.argv[1:])
    bring_in(folder, path)
    said.write_text("1\n")


if __name__ == "__main__":
    main()
