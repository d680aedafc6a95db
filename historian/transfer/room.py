"""An import must not fill the journal, which every reader holds in memory: it waits for the historian, or folds itself."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from historian.connect import FILE
from historian.sinks import state
from historian.store import StoreError

WAITING_MAX: Final = 2_000_000  # samples in the journal: 50 MB in each reader
SINKS_MAX: Final = 20_000_000
_LOOK_S: Final = 0.1
_PATIENCE_S: Final = 600.0


class Folding(Protocol):
    """A store that can fold."""

    def fold(self, *, force: bool = False) -> int:
        """See `historian.sqlite.SqliteStore`."""
        ...


def room(folder: Path, store: Folding, running: Callable[[], bool]) -> Callable[[], None]:
    """What an import calls before each batch.

    Args:
        folder: The data directory's `history` folder.
        store: Open for writing.
        running: Whether a plant runs there now, whose historian folds.

    Returns:
        Returns when there is room; raises `StoreError` when there will be none.
    """
    left = 0

    def wait() -> None:
        nonlocal left
        left -= 1
        if left > 0:
            return
        waited = 0.0
        while (waiting := _waiting(folder)) >= WAITING_MAX:
            if running():
                if waited >= _PATIENCE_S:
                    raise StoreError(
                        f"the historian has not taken {waiting} samples over in {_PATIENCE_S / 60:.0f} min. "
                        "See `scada status`; a repeated import goes on here"
                    )
                time.sleep(_LOOK_S)
                waited += _LOOK_S
            elif (folder / state.FILE).exists():
                # Sinks need these rows, and only a running historian keeps them for those when it folds.
                if waiting >= SINKS_MAX:
                    raise StoreError(
                        "so much can only be imported while the plant runs: sinks wait for it. Start it"
                    )
                return
            else:
                store.fold(force=True)
        left = 10

    return wait


def _waiting(folder: Path) -> int:
    """Samples in the journal."""
    path = folder / FILE
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)
        try:
            return int(db.execute("SELECT coalesce(sum(n), 0) FROM journal").fetchone()[0])
        finally:
            db.close()
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error
