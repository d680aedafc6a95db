"""Bugs for the harnesses to find: each makes the store wrong in one of the ways that the tests are there for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from historian import schema, sqlite


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


BUGS: Final[dict[str, Callable[[], None]]] = {"lazy": _lazy, "nameless": _nameless}
