"""What a store of history is: the protocol that the service writes to and that everybody reads.

Times are UTC, ns. A sample is (tag id, time, 64 value bits, status); the time is that of its source. Statuses are OPC UA
StatusCodes; `BAD_DATA_LOST` marks where samples are missing, so that a trend shows a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from tags.mapped import Position
from tags.model import Tag
from tags.types import FLOAT64, FLOATS, STRING, Value, floats, from_bits

if TYPE_CHECKING:
    from historian.edits import Edit
    from historian.notes import Annotation
    from historian.parts import Choose, Parts

BAD_DATA_LOST: Final = 0x809D_0000

SAMPLE: Final = np.dtype([("tag", "<u4"), ("status", "<u4"), ("t", "<i8"), ("bits", "<u8")])


class StoreError(Exception):
    """The store cannot be read or written now: disk full, I/O error, absent. The message names the file."""


class StoreDamagedError(StoreError):
    """The file is not a store, or parts of it are not what was written."""


class Text(NamedTuple):
    """One sample of a string tag."""

    tag: int
    t: int
    status: int
    text: str


@dataclass(slots=True)
class Batch:
    """What is committed in one transaction.

    Attributes:
        samples: Of dtype `SAMPLE`, shape (n,), in the order in which they happened.
        texts: Samples of string tags.
        events: JSON objects with at least `kind` and `t`.
        positions: Reached by (writer, ring); ring is `changes` or `events`.
        utc_ns: When the batch was made.
        memory: What the policies must find again after a crash (`historian.policy`); empty for no change.
    """

    samples: npt.NDArray[np.void] = field(default_factory=lambda: np.empty(0, SAMPLE))
    texts: list[Text] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    positions: dict[tuple[str, str], Position] = field(default_factory=dict)
    utc_ns: int = 0
    memory: bytes = b""


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of one tag, by time.

    Attributes:
        t: UTC, ns, shape (n,), int64.
        bits: Value bits, shape (n,), uint64.
        status: OPC UA StatusCodes, shape (n,), uint32.
        more: There are more in the range than the limit allowed; go on from `t[-1]`.
        type: The tag's type.
        texts: The values of a string tag; None for the others.
    """

    t: npt.NDArray[np.int64]
    bits: npt.NDArray[np.uint64]
    status: npt.NDArray[np.uint32]
    more: bool = False
    type: str = FLOAT64
    texts: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.t)

    @property
    def values(self) -> list[Value]:
        """Python values by the tag's type."""
        if self.texts is not None:
            return list(self.texts)
        if self.type in FLOATS:
            return list(self.bits.view(np.float64).tolist())
        return [from_bits(self.type, bits) for bits in self.bits.tolist()]

    @property
    def floats(self) -> npt.NDArray[np.float64]:
        """Values for plots; NaN where the status is bad, and for texts."""
        if self.type == STRING:
            return np.full(len(self.t), np.nan)
        values = floats(self.bits, np.full(len(self.t), self.type in FLOATS))
        return np.where(self.status >> np.uint32(31) == 1, np.nan, values)


class Committed(NamedTuple):
    """Samples of one commit as they are stored, in the order of commits.

    Attributes:
        seq: Number of the commit; those of a store follow each other without holes.
        n: Samples in it.
        t1: Newest source time in it, UTC, ns.
        blob: `codec.unpack_batch` reads it.
    """

    seq: int
    n: int
    t1: int
    blob: bytes


class Tail(NamedTuple):
    """What was committed last.

    Attributes:
        store: Key of the store; another one after it was begun anew, then with numbers from 1 on.
        last: Number of the newest commit with samples; 0 for none.
        rows: Commits that are still in the journal.
        texts: Samples of string tags, with their numbers.
    """

    store: str
    last: int
    rows: list[Committed]
    texts: list[tuple[int, Text]]


class TagEntry(NamedTuple):
    """What the store knows of a tag."""

    id: int
    path: str
    type: str


class Store(Protocol):
    """History that can be written by one process and read by many.

    Every method raises `StoreError` when the disk does not let it.
    """

    def declare(self, tags: Iterable[Tag]) -> None:
        """Makes paths and types of the site's tags known, so that history can be read without the site."""
        ...

    def append(self, batch: Batch) -> bool:
        """Commits a batch: on the disk, all of it, when this returns.

        Returns:
            False when it was already there: its positions are not beyond those committed. Nothing is done then.
        """
        ...

    def raw(
        self,
        tag_id: int,
        start_ns: int,
        end_ns: int,
        limit: int = 100_000,
        *,
        before: bool = False,
        originals: bool = False,
    ) -> Samples:
        """Samples with start <= t < end, by time; equal times in the order in which they came.

        Args:
            tag_id: Of the tag.
            start_ns: UTC, ns.
            end_ns: UTC, ns.
            limit: At most so many, the oldest.
            before: Put the last sample before `start_ns` first, so that a trend knows where its line begins.
            originals: As they were stored; otherwise as people have corrected them since.
        """
        ...

    def around(
        self, tag_ids: Sequence[int], start_ns: int, end_ns: int, limit: int = 100_000
    ) -> list[Samples]:
        """Of several tags as `raw`, each with the last sample before the range and the first one after it, as of one moment.

        Args:
            tag_ids: Not of string tags.
            start_ns: UTC, ns.
            end_ns: UTC, ns.
            limit: At most so many of each; of one that has more neither the one before nor the one after is there.
        """
        ...

    def parts(self, tag_id: int, start_ns: int, end_ns: int, choose: Choose) -> Parts:
        """The samples of `raw`, as summaries of chunks where these do.

        Args:
            tag_id: Of the tag; not of a string tag.
            start_ns: UTC, ns.
            end_ns: UTC, ns.
            choose: Says which chunks must be read.
        """
        ...

    def events(
        self,
        start_ns: int,
        end_ns: int,
        kinds: Sequence[str] | None = None,
        limit: int = 1000,
        *,
        oldest: bool = False,
    ) -> list[dict[str, Any]]:
        """Events with start <= t < end, of some kinds or all; the newest `limit` or the oldest, in order of time."""
        ...

    def edits(self, tag_id: int, start_ns: int, end_ns: int) -> list[Edit]:
        """Edits of a tag that have to do with start <= t < end, in the order in which they were made."""
        ...

    def annotations(
        self, tag_id: int | None, start_ns: int, end_ns: int, limit: int = 1000
    ) -> list[Annotation]:
        """Annotations of a tag, or of all (None), with start <= t < end by time; the newest `limit`."""
        ...

    def position(self, writer: str, ring: str) -> Position | None:
        """How far a ring of a writer is committed."""
        ...

    def last(self, *, originals: bool = False) -> npt.NDArray[np.void]:
        """The last sample of every tag that has one (not of string tags), dtype `SAMPLE`, in no order.

        Args:
            originals: As they were stored; otherwise as people have corrected them since.
        """
        ...

    def memory(self) -> bytes:
        """`Batch.memory` as it was committed last; empty for never."""
        ...

    def ids(self) -> Mapping[str, TagEntry]:
        """All tags ever declared, by path."""
        ...

    def last_commit_ns(self) -> int:
        """When the last batch was made, UTC, ns; 0 for never."""
        ...

    def close(self) -> None:
        """Lets go of the files."""
        ...
