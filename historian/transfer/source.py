"""What an export reads: the samples of some tags, one tag after the other, in blocks of bounded size."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from historian.read import Cursor
from historian.store import Samples, TagEntry


class Readable(Protocol):
    """What an export needs of a store."""

    def raw(
        self, tag_id: int, start_ns: int, end_ns: int, limit: int = 100_000, *, originals: bool = False
    ) -> Samples:
        """See `historian.store.Store`."""
        ...


class Place(NamedTuple):
    """How far an export has come.

    Attributes:
        tag: Number of the tag in the order.
        t: Time from which its next samples are to be read, UTC, ns; None from the begin.
        skip: Samples of that time that are done.
    """

    tag: int = 0
    t: int | None = None
    skip: int = 0


class Block(NamedTuple):
    """Samples of one tag.

    Attributes:
        tag: Whose.
        samples: At least one.
        next: Where the samples after them are.
    """

    tag: TagEntry
    samples: Samples
    next: Place


def blocks(
    store: Readable,
    tags: Sequence[TagEntry],
    start_ns: int,
    end_ns: int,
    place: Place,
    size: int,
    *,
    originals: bool = False,
) -> Iterator[Block]:
    """Samples with start <= t < end.

    Args:
        store: Open for reading.
        tags: Whose samples, in this order.
        start_ns: UTC, ns.
        end_ns: UTC, ns.
        place: Where to begin.
        size: At most so many samples in a block.
        originals: As they were stored, without edits.
    """
    number, t, skip = place
    while number < len(tags):
        tag = tags[number]
        found = store.raw(tag.id, start_ns if t is None else t, end_ns, size + skip, originals=originals)
        samples = _behind(found, skip)
        if found.more and len(samples):
            cursor = Cursor.after(samples.t, None if t is None else Cursor(t, skip))
            assert cursor is not None
            after = Place(number, cursor.t, cursor.seq)
        else:
            after = Place(number + 1)
        if len(samples):
            yield Block(tag, samples, after)
        number, t, skip = after


def _behind(found: Samples, skip: int) -> Samples:
    if not skip:
        return found
    return dataclasses.replace(
        found,
        t=found.t[skip:],
        bits=found.bits[skip:],
        status=found.status[skip:],
        texts=None if found.texts is None else found.texts[skip:],
    )
