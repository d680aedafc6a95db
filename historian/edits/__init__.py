"""Corrections: what people changed in the history, laid over what was stored, which is never touched.

Lives here: the table of edits, and the pure functions that apply them to what is read (`overlay`). The store calls both;
nobody else writes the table.
"""

from __future__ import annotations

from historian.edits.overlay import NONE, Overlay, before, collapse, read
from historian.edits.table import (
    KINDS,
    SAMPLES_MAX,
    TABLES,
    Edit,
    EditError,
    Overlays,
    Who,
    between,
    insert,
    since,
)

__all__ = [
    "KINDS",
    "NONE",
    "SAMPLES_MAX",
    "TABLES",
    "Edit",
    "EditError",
    "Overlay",
    "Overlays",
    "Who",
    "before",
    "between",
    "collapse",
    "insert",
    "read",
    "since",
]
