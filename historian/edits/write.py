"""Making an edit: what somebody wants is compared with what is shown, and becomes a row of the table."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import numpy as np

from historian.edits import overlay as overlays
from historian.edits import table
from historian.edits.overlay import Overlay, Range
from historian.edits.table import DELETE, INSERT, REPLACE, SAMPLES_MAX, Edit, EditError, Who
from historian.settled import Columns

UPDATE: Final = "update"  # replace what is there, insert what is not
_NONE: Final = overlays.NONE.added

Witness = Callable[[Edit], dict[str, Any]]


class Wish(NamedTuple):
    """What somebody wants to change.

    Attributes:
        kind: `insert`, `replace`, `update` or `delete`.
        tag: Tag id.
        samples: What shall stand at their times; no time twice. Empty for `delete`.
        start_ns: For `delete`: of the range, UTC, ns.
        end_ns: For `delete`: samples with start <= t < end go.
    """

    kind: str
    tag: int
    samples: Columns = _NONE
    start_ns: int = 0
    end_ns: int = 0


def make(db: sqlite3.Connection, originals: Range, overlay: Overlay, wish: Wish, who: Who) -> Edit:
    """Writes an edit, in a transaction of the caller.

    Args:
        db: Connection to `history.sqlite`.
        originals: Reads stored samples of the tag.
        overlay: Edits of the tag so far.
        wish: What is wanted.
        who: Whose doing it is.

    Raises:
        EditError: It does not fit what is there; nothing was written.
    """
    if not who.reason.strip():
        raise EditError("an edit needs a reason")
    new = Columns.joined([wish.samples])
    if wish.kind == DELETE:
        old = _shown(originals, overlay, wish.start_ns, wish.end_ns)
        if not len(old.t):
            raise EditError("there are no samples in that time")
        kind, new = DELETE, _NONE
    else:
        kind, old = _placed(originals, overlay, wish.kind, new)
    number = table.insert(db, wish.tag, kind, new, old, who)
    return Edit(number, wish.tag, kind, new, old, who, None)


def undo(db: sqlite3.Connection, number: int, who: Who) -> Edit:
    """Takes an edit back: what it hid is shown again. In a transaction of the caller.

    Raises:
        EditError: There is no such edit, or it was taken back already.
    """
    found = table.find(db, number)
    if found is None or found.undoes is not None:
        raise EditError(f"there is no edit {number}")
    if table.undone(db, number):
        raise EditError(f"edit {number} was taken back already")
    if not who.reason.strip():
        raise EditError("an edit needs a reason")
    made = table.insert(db, found.tag, table.UNDO, found.old, found.new, who, number)
    return Edit(made, found.tag, table.UNDO, found.old, found.new, who, number)


def _placed(originals: Range, overlay: Overlay, kind: str, new: Columns) -> tuple[str, Columns]:
    """What an edit really is, and what stands at its times."""
    if not len(new.t):
        raise EditError("there are no samples to write")
    if len(new.t) > SAMPLES_MAX:
        raise EditError(f"{len(new.t)} samples; one edit changes at most {SAMPLES_MAX}")
    if (np.diff(new.t) == 0).any():
        raise EditError(f"{_time(new.t[:-1][np.diff(new.t) == 0])} is there twice")
    here = _shown(originals, overlay, int(new.t[0]), int(new.t[-1]) + 1)
    old = here.cut(np.isin(here.t, new.t))
    missing = new.t[~np.isin(new.t, old.t)]
    if kind == INSERT and len(old.t):
        raise EditError(f"there is a sample at {_time(old.t)} already; replace it")
    if kind == REPLACE and len(missing):
        raise EditError(f"there is no sample at {_time(missing)}; insert it")
    return (REPLACE if len(old.t) else INSERT), old


def _shown(originals: Range, overlay: Overlay, start_ns: int, end_ns: int) -> Columns:
    found, more = overlays.read(originals, overlay, start_ns, end_ns, SAMPLES_MAX)
    if more:
        raise EditError(f"there are more than {SAMPLES_MAX} samples in that time; do it in parts")
    return found


def _time(times: overlays.Times) -> str:
    ns = int(times[0])
    return f"{datetime.fromtimestamp(ns // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{ns % 10**9:09d}Z"
