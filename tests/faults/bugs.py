"""Bugs for the harnesses to find: each makes the store wrong in one of the ways that the tests are there for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from historian import schema, sqlite
from historian.fold import fold as folding


def _lazy() -> None:
    """A commit that is not flushed."""
    prepare = schema.prepare

    def lazily(db: Any) -> None:
        prepare(db)
        db.execute("PRAGMA synchronous = NORMAL")

    schema.prepare = lazily


def _nameless() -> None:
    """A folder whose name is not flushed."""

    def make(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)

    sqlite.make_folder = make  # type: ignore[attr-defined]


def _hasty() -> None:
    """Rows that leave the journal before their days are on the disk."""
    fold = folding.fold

    def hastily(main: Any, key: str, open_day: Any, *rest: Any) -> Any:
        last = main.execute("SELECT max(seq) FROM journal").fetchone()[0]

        def open_late(day: int) -> Any:
            main.execute("DELETE FROM journal WHERE seq <= ?", (last,))
            return open_day(day)

        return fold(main, key, open_late, *rest)

    folding.fold = hastily  # type: ignore[assignment]


BUGS: Final[dict[str, Callable[[], None]]] = {
    "lazy": _lazy,
    "nameless": _nameless,
    "hasty": _hasty,
}
