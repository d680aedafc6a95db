"""Stored samples some at a time, in either direction of time, with their bounds: none twice and none left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from historian.read.raw import Cursor
from historian.store import Samples, Store
from tags.quality import BAD_BOUND_NOT_FOUND

WINDOW: Final = 100_000  # samples that are looked at in one go on the way back
Raw = Callable[..., Samples]
_FOREVER: Final = 2**63 - 1
_FIRST_WINDOW_NS: Final = 3_600_000_000_000


class Page(NamedTuple):
    """Some samples and where the next ones are.

    Attributes:
        samples: In the order that was asked for.
        next: Give this to get the samples after them; None when these were the last.
    """

    samples: Samples
    next: Cursor | None


def page(
    store: Store,
    tag_id: int,
    start_ns: int,
    end_ns: int,
    limit: int,
    cursor: Cursor | None = None,
    *,
    bounds: bool = False,
    originals: bool = False,
) -> Page:
    """Samples as OPC 10000-11 §6.5.3.2 (ReadRaw) returns them, some at a time.

    Args:
        store: Where they are.
        tag_id: Of the tag.
        start_ns: UTC, ns.
        end_ns: UTC, ns; the sample there is left out unless it is a bound. Before the start: newest first. Equal to
            the start: that instant alone.
        limit: At most so many, > 0.
        cursor: Of the page before.
        bounds: Add the sample at or before the begin and at or after the end; where there is none a sample with
            BadBoundNotFound.
        originals: As they were stored; otherwise as people have corrected them since.

    Raises:
        ValueError: More samples have the very same time than can be turned around.
    """
    raw: Raw = partial(store.raw, originals=True) if originals else store.raw
    back = end_ns < start_ns
    parts: list[Samples] = []
    if bounds and cursor is None:
        head = _head(raw, tag_id, start_ns, back=back)
        parts += [head] if head is not None else []
    room = limit - len(parts)
    skip = cursor.seq if cursor else 0
    at = cursor.t if cursor else start_ns
    if back:
        found = _newest(raw, tag_id, end_ns + 1, at + 1, room + skip)
    else:
        found = raw(tag_id, at, max(end_ns, start_ns + 1), room + skip)
    inside = _cut(found, slice(skip, None))
    parts.append(inside)
    after = Cursor.after(inside.t, cursor) or Cursor(start_ns, 0)
    if found.more:
        return Page(_joined(parts), after)
    single = start_ns == end_ns and (len(inside) > 0 or skip > 0)
    if bounds and not single:
        if len(inside) >= room:
            return Page(_joined(parts), after)
        parts.append(_tail(raw, tag_id, end_ns, back=back))
    return Page(_joined(parts), None)


def _head(raw: Raw, tag: int, start: int, *, back: bool) -> Samples | None:
    """The bound at the begin; None when a sample lies right there."""
    if len(raw(tag, start, start + 1, 1)):
        return None
    return _after(raw, tag, start) if back else _before(raw, tag, start)


def _tail(raw: Raw, tag: int, end: int, *, back: bool) -> Samples:
    return _before(raw, tag, end + 1, shown=end) if back else _after(raw, tag, end)


def _before(raw: Raw, tag: int, moment: int, shown: int | None = None) -> Samples:
    found = raw(tag, moment, moment, 1, before=True)
    return found if len(found) else _missing(found, moment if shown is None else shown)


def _after(raw: Raw, tag: int, moment: int) -> Samples:
    found = raw(tag, moment, _FOREVER, 1)
    return dataclasses.replace(found, more=False) if len(found) else _missing(found, moment)


def _missing(like: Samples, moment: int) -> Samples:
    return Samples(
        np.array([moment], np.int64),
        np.zeros(1, np.uint64),
        np.array([BAD_BOUND_NOT_FOUND], np.uint32),
        type=like.type,
        texts=None if like.texts is None else ("",),
    )


def _newest(raw: Raw, tag: int, low: int, high: int, limit: int) -> Samples:
    """The newest samples with low <= t < high, the newest first."""
    parts: list[Samples] = []
    have, width = 0, _FIRST_WINDOW_NS
    empty = raw(tag, low, low, 1)
    while high > low and have <= limit:
        last = raw(tag, high, high, 1, before=True)
        if not len(last) or int(last.t[-1]) < low:
            break
        high = int(last.t[-1]) + 1
        begin = max(low, high - width)
        found = raw(tag, begin, high, WINDOW)
        if found.more:
            if high - begin == 1:
                raise ValueError(f"more than {WINDOW} samples have the same time")
            width = max(1, (high - begin) // 8)
            continue
        parts.append(_cut(found, slice(None, None, -1)))
        have += len(found)
        width *= 4
        high = begin
    found = _joined(parts) if parts else empty
    return dataclasses.replace(_cut(found, slice(limit)), more=have > limit)


def _cut(samples: Samples, part: slice) -> Samples:
    texts = None if samples.texts is None else samples.texts[part]
    return dataclasses.replace(
        samples, t=samples.t[part], bits=samples.bits[part], status=samples.status[part], texts=texts
    )


def _joined(parts: Sequence[Samples]) -> Samples:
    if len(parts) == 1:
        return dataclasses.replace(parts[0], more=False)
    texts = [part.texts for part in parts if part.texts is not None]
    return Samples(
        np.concatenate([part.t for part in parts]),
        np.concatenate([part.bits for part in parts]),
        np.concatenate([part.status for part in parts]),
        type=parts[0].type,
        texts=tuple(text for some in texts for text in some) if texts else None,
    )
