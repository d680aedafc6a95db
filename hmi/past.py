"""History for screens and scripts: asked in worker threads, so that a long question never delays live values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from hmi.decimate import close_runs, cut, hold, keep, merge_gaps
from hmi.models import History
from scada.client import Client, Lane
from tags.model import Tag

CHUNK: Final = 50_000
SAMPLES_MAX: Final = 1_000_000
DRAWN_MAX: Final = 200_000  # samples that could be in the range: beyond, summaries are drawn
_MS: Final = 1_000_000
T = TypeVar("T")


class Past:
    """Asks the historian's files: screens and scripts in lanes of their own, so that no script delays a screen.

    Args:
        data: The data directory.
    """

    def __init__(self, data: Path) -> None:
        self._screens = Lane(data, "hmi")
        self._scripts = Lane(data, "hmi")

    def close(self) -> None:
        """Ends the worker threads."""
        self._screens.close()
        self._scripts.close()

    async def trend(self, tag: Tag, start_ns: int, end_ns: int, points: int) -> History:
        """A tag's past, made for a width.

        Args:
            tag: Of the site.
            start_ns: UTC, ns.
            end_ns: UTC, ns, > start.
            points: Width in pixels.

        Raises:
            BusyError: Too many questions are waiting.
            StoreError: There is no history yet, or it cannot be read.
        """
        return await self._screens.ask(lambda client: trend(client, tag, start_ns, end_ns, points))

    async def requests(self, start_ns: int, end_ns: int, limit: int) -> list[dict[str, Any]]:
        """Requests of the past, oldest first.

        Raises:
            BusyError: As `trend`.
            StoreError: As `trend`.
        """
        return await self._screens.ask(lambda client: client.events(start_ns, end_ns, ["request"], limit))

    async def alarms(self, start_ns: int, end_ns: int, limit: int) -> list[dict[str, Any]]:
        """What happened to alarms, oldest first: the newest `limit`.

        Raises:
            BusyError: As `trend`.
            StoreError: As `trend`.
        """
        return await self._screens.ask(lambda client: client.events(start_ns, end_ns, ["alarm"], limit))

    async def ask(self, question: Callable[[Client], T]) -> T:
        """A script's question, answered in the worker thread; raises what it raises, or `BusyError`."""
        return await self._scripts.ask(question)


def trend(client: Client, tag: Tag, start: int, end: int, points: int) -> History:
    """As `Past.trend`, in the calling thread."""
    if (end - start) / max(tag.scan_ns, 100 * _MS) > DRAWN_MAX:
        return long_trend(client, tag, start, end, points)
    times: list[np.ndarray[Any, np.dtype[np.int64]]] = []
    values: list[np.ndarray[Any, np.dtype[np.float64]]] = []
    stored = 0
    kept = 0
    longest = tag.history.max_gap_ns * 3 // 2
    stepped = tag.step or tag.type not in {"float32", "float64"}
    scan = max(tag.scan_ns, 100 * _MS)
    at, before, more = start, True, True
    while more and stored < SAMPLES_MAX:
        samples = client.history(tag.path, at, end, CHUNK, before=before)
        if not len(samples):
            more = False
            break
        t, v = samples.t, samples.floats
        stored += len(t)
        more = samples.more
        at, before = int(t[-1]) + 1, False
        t, v = cut(t, v, longest)
        if not stepped:
            t, v = hold(t, v, 3 * scan, scan)
        t, v = close_runs(t, v, _MS)
        t = np.maximum(t, start)
        index = keep(t, v, start, end, points)
        kept += len(t) - len(index)
        times.append(t[index])
        values.append(v[index])
    t, v = (
        merge_gaps(np.concatenate(times), np.concatenate(values))
        if times
        else (np.empty(0, np.int64), np.empty(0))
    )
    return _history(tag, start, end, t, v, samples=stored, decimated=kept > 0, truncated=more)


def long_trend(client: Client, tag: Tag, start: int, end: int, points: int) -> History:
    """A trend of more time than is worth reading sample by sample: the lowest and highest value of each pixel."""
    found = client.history_trend(tag.path, start, end, points)
    known = np.isfinite(found.low)
    # Up in one pixel, down in the next: the line between two of them stays short.
    up = np.arange(len(found)) % 2 == 0
    pairs = np.stack([np.where(up, found.low, found.high), np.where(up, found.high, found.low)], axis=1)
    moments = np.stack([found.start, found.start + (found.end - found.start) // 2], axis=1)
    used = np.stack([np.ones_like(known), found.low != found.high], axis=1)
    t, v = merge_gaps(moments[used], np.where(known[:, None], pairs, np.nan)[used])
    return _history(tag, start, end, t, v, samples=int(found.count.sum()), decimated=True, truncated=False)


def _history(
    tag: Tag,
    start: int,
    end: int,
    t: np.ndarray[Any, np.dtype[np.int64]],
    v: np.ndarray[Any, np.dtype[np.float64]],
    **more: Any,
) -> History:
    return History(
        path=tag.path,
        start_ms=start // _MS,
        end_ms=end // _MS,
        t=(t / _MS).tolist(),
        v=[None if value != value else value for value in v.tolist()],  # noqa: PLR0124 - NaN
        **more,
    )
