"""Monitored items that keep more than one value between two publishings (OPC 10000-4 §5.13.1.5 and §7.21). Pure.

What came in lies in one log for the whole subscription, in the order in which it came; the bound of each queue is applied
when the log has grown and before it is sent. So a change costs a few bytes and no object.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

OVERFLOW: Final = np.uint32(0x480)  # InfoType DataValue and the Overflow bit, OPC 10000-4 §7.39
ENTRY: Final = np.dtype([
    ("id", "u4"), ("row", "i8"), ("bits", "u8"), ("status", "u4"), ("source_ns", "i8"), ("text", "O"),
])  # fmt: skip
SLACK: Final = 256  # entries beyond the queues' sizes that the log may have before it is cut

Entries = npt.NDArray[Any]


def entries(
    ids: npt.NDArray[np.uint32],
    rows: npt.NDArray[np.intp],
    bits: npt.NDArray[np.uint64],
    status: npt.NDArray[np.uint32],
    source_ns: npt.NDArray[np.int64],
) -> Entries:
    """Entries without texts from columns of shape (n,)."""
    made = np.zeros(len(ids), ENTRY)
    made["id"], made["row"], made["bits"], made["status"], made["source_ns"] = (
        ids,
        rows,
        bits,
        status,
        source_ns,
    )
    return made


class Log:
    """What the queues of one subscription hold."""

    def __init__(self) -> None:
        self._parts: list[Entries] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, new: Entries) -> None:
        """Puts entries behind the others."""
        if len(new):
            self._parts.append(new)
            self._length += len(new)

    def whole(self) -> Entries:
        """All entries in the order in which they came."""
        if len(self._parts) != 1:
            self._parts = [np.concatenate(self._parts) if self._parts else np.zeros(0, ENTRY)]
        return self._parts[0]

    def keep(self, mask: npt.NDArray[np.bool_]) -> None:
        """Forgets the entries where a mask over `whole` is false."""
        kept = self.whole()[mask]
        self._parts, self._length = [kept], len(kept)

    def cut(
        self, ids: npt.NDArray[np.uint32], sizes: npt.NDArray[np.uint32], oldest: npt.NDArray[np.bool_]
    ) -> int:
        """Applies the bounds of the queues.

        Args:
            ids: Shape (n,), of the items with queues, rising.
            sizes: Shape (n,), how much each keeps.
            oldest: Shape (n,), DiscardOldest.

        Returns:
            How many values were discarded.
        """
        log = self.whole()
        if not len(log) or not len(ids):
            return 0
        item = np.searchsorted(ids, log["id"])
        keep, marked = bounded(item, sizes, oldest)
        lost = int(len(log) - np.count_nonzero(keep))
        if lost:
            log["status"][marked] |= OVERFLOW
            self.keep(keep)
        return lost


def bounded(
    item: npt.NDArray[np.intp], sizes: npt.NDArray[np.uint32], oldest: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
    """Which entries stay in their queues.

    When the oldest go, the first that stays says so; otherwise the newest takes the place of the one before and says so.

    Args:
        item: Shape (m,), whose each entry is, in the order in which they came.
        sizes: Shape (n,), of each item's queue, at least 1.
        oldest: Shape (n,), DiscardOldest of each item.

    Returns:
        A mask of shape (m,) of those that stay, and the places of those that get the overflow bit.
    """
    order = np.argsort(item, kind="stable")
    sorted_ = item[order]
    counts = np.bincount(sorted_, minlength=len(sizes))
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rank = np.arange(len(item)) - first[sorted_]
    count, size = counts[sorted_], sizes[sorted_].astype(np.int64)
    over = count > size
    last = rank == count - 1
    stays = np.where(oldest[sorted_], rank >= count - size, (rank < size - 1) | last)
    marks = np.where(oldest[sorted_], rank == count - size, last) & over
    # A queue of one has no overflow bit (OPC 10000-4 §7.21).
    marks &= size > 1
    mask = np.zeros(len(item), np.bool_)
    mask[order] = stays | ~over
    return mask, order[marks]


def spread(
    rows: npt.NDArray[np.intp], of: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Which changes concern which items.

    Args:
        rows: Shape (m,), tags of changes.
        of: Shape (n,), tags of items, rising; a tag may have several items.

    Returns:
        Two arrays of equal length, changes and items, in the order of the changes.
    """
    low, high = np.searchsorted(of, rows, "left"), np.searchsorted(of, rows, "right")
    counts = high - low
    which = np.repeat(np.arange(len(rows)), counts)
    offset = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    return which, np.repeat(low, counts) + offset
