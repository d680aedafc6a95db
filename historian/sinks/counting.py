"""How many rows a database should have of each tag: the samples of the history, counted as it counts them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from historian.sinks.lines import forwarded
from historian.sinks.portion import pages
from historian.sqlite import SqliteStore
from tags.model import Sink, Tag
from tags.types import FLOATS


def counted(folder: Path, sink: Sink, tags: Iterable[Tag], start_ns: int, end_ns: int) -> dict[str, int]:
    """Times with a value, start <= t < end, by path: what `SinkReader.counts` gives when nothing is missing.

    Args:
        folder: The data directory's `history` folder.
        sink: Tags that it does not get are left out.
        tags: Of the site.
        start_ns: UTC, ns.
        end_ns: UTC, ns.

    Raises:
        StoreError: The history cannot be read.
    """
    found: dict[str, int] = {}
    with contextlib.closing(SqliteStore.reader(folder)) as store:
        there = {entry.id for entry in store.ids().values()}
        for tag in tags:
            if not forwarded(sink, tag):
                continue
            found[tag.path] = 0
            if tag.id not in there:
                continue
            times = []
            for part in pages(store, tag.id, start_ns, end_ns):
                valued = (part.status >> np.uint32(31)) == 0
                if tag.type in FLOATS:
                    valued &= np.isfinite(np.ascontiguousarray(part.bits).view(np.float64))
                times.append(part.t[valued])
            found[tag.path] = len(np.unique(np.concatenate(times)))
    return found
