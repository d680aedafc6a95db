"""Edits of history for a sink: what stands at their times now is sent, what does not stand there any more is deleted.

Each edit is looked at by its times alone, and history says what is there: so edits of edits, and edits that were undone, come
out right in whatever order a sink gets them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from historian.sinks.portion import pages, rows_of
from historian.sqlite import SqliteStore
from historian.store import SAMPLE
from tags.types import FLOATS

BAD_NO_DATA: Final = 0x809B_0000  # the status of what a database cannot delete
_APART_NS: Final = 3600 * 1_000_000_000  # times further apart than this are read for themselves
_AT_ONCE: Final = 20

Times = npt.NDArray[np.int64]
Rows = npt.NDArray[np.void]


class Gone(NamedTuple):
    """Times between which nothing of a tag is left that a sink should have.

    Attributes:
        tag: Id of the tag.
        times: Of the samples that are gone, UTC, ns, rising.
    """

    tag: int
    times: Times


class Corrections(NamedTuple):
    """What some edits come to.

    Attributes:
        number: Of the last of them.
        samples: To send, dtype `SAMPLE`, in order of tag and time.
        gone: To delete before that.
    """

    number: int
    samples: Rows
    gone: list[Gone]


def after(store: SqliteStore, number: int, wanted: Callable[[int], bool]) -> Corrections | None:
    """What the next edits behind a number come to; None when there are none.

    Args:
        store: The history.
        number: Of an edit.
        wanted: By the id of a tag, whether it goes to the sink.

    Raises:
        StoreError: The history cannot be read now.
    """
    found = store.edits_since(number, _AT_ONCE)
    if not found:
        return None
    times: dict[int, list[Times]] = {}
    for edit in found:
        if wanted(edit.tag):
            times.setdefault(edit.tag, []).extend((edit.old.t, edit.new.t))
    types = {entry.id: entry.type for entry in store.ids().values()}
    samples: list[Rows] = [np.empty(0, SAMPLE)]
    gone: list[Gone] = []
    for tag in sorted(times):
        for part in _near(np.unique(np.concatenate(times[tag]))):
            now = np.concatenate(
                [np.empty(0, SAMPLE)]
                + [rows_of(tag, page) for page in pages(store, tag, int(part[0]), int(part[-1]) + 1)]
            )
            samples.append(now[np.isin(now["t"], part)])
            gone += [Gone(tag, run) for run in runs(part, now, floating=types.get(tag) in FLOATS)]
    return Corrections(found[-1].id, np.concatenate(samples), gone)


def runs(times: Times, now: Rows, *, floating: bool) -> Iterator[Times]:
    """Times without a value, in runs between which there is no sample that keeps one.

    Args:
        times: Of the edits, rising.
        now: All samples of the tag from the first to the last of the times, dtype `SAMPLE`.
        floating: The bits are those of floating-point numbers.
    """
    valued = (now["status"] >> np.uint32(31)) == 0
    if floating:
        valued &= np.isfinite(np.ascontiguousarray(now["bits"]).view(np.float64))
    keeps = np.unique(now["t"][valued])
    without = times[~np.isin(times, keeps)]
    if len(without):
        place = np.searchsorted(keeps, without)
        yield from np.split(without, np.flatnonzero(place[1:] != place[:-1]) + 1)


def marks(gone: Gone) -> Rows:
    """Samples that say that there is no data any more: for a database that deletes nothing."""
    rows = np.zeros(len(gone.times), SAMPLE)
    rows["tag"], rows["t"], rows["status"] = gone.tag, gone.times, BAD_NO_DATA
    return rows


def _near(times: Times) -> list[Times]:
    return np.split(times, np.flatnonzero(np.diff(times) > _APART_NS) + 1)
