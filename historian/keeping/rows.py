"""Samples of many tags on their way in, as columns, and their order in turns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from historian.store import SAMPLE
from tags.types import floats

Rows = npt.NDArray[np.void]
Indices = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]
Times = npt.NDArray[np.int64]

NEVER: Final = np.iinfo(np.int64).min


@dataclass(slots=True)
class Fresh:
    """Samples in some order, one element each.

    Attributes:
        at: Where the sample's tag stands among those of its way.
        t: Source times, UTC, ns.
        bits: Value bits.
        status: StatusCodes.
        v: Values as float64.
        published: UTC of publication, ns.
    """

    at: Indices
    t: Times
    bits: npt.NDArray[np.uint64]
    status: npt.NDArray[np.uint32]
    v: npt.NDArray[np.float64]
    published: Times

    @classmethod
    def of(cls, rows: Rows, published: Times, at: Indices, is_float: Mask) -> Self:
        """Columns of rows of dtype `SAMPLE`; `is_float` is one element a row."""
        bits = rows["bits"].copy()
        return cls(at, rows["t"].copy(), bits, rows["status"].copy(), floats(bits, is_float), published)

    def __len__(self) -> int:
        return len(self.at)

    def __getitem__(self, index: Indices | Mask | slice) -> Fresh:
        return Fresh(
            self.at[index],
            self.t[index],
            self.bits[index],
            self.status[index],
            self.v[index],
            self.published[index],
        )

    def rows(self, ids: npt.NDArray[np.uint32]) -> Rows:
        """Dtype `SAMPLE`.

        Args:
            ids: Tag ids by place.
        """
        found = np.empty(len(self), SAMPLE)
        found["tag"], found["t"], found["bits"] = ids[self.at], self.t, self.bits
        found["status"] = self.status
        return found


class Turns(NamedTuple):
    """Samples in turns in which no tag comes twice: first those that come first of their tags, and so on.

    Attributes:
        order: Which sample stands where, turn after turn.
        bounds: Where each turn ends and the next begins, beginning with 0.
        at: Tags, those with the most samples first: the samples of a turn are of the first ones of these, in this order.
    """

    order: Indices
    bounds: list[int]
    at: Indices

    @classmethod
    def of(cls, at: Indices) -> Turns:
        """The turns of samples whose tags stand at these places, shape (n,)."""
        if not len(at):
            return cls(np.empty(0, np.intp), [0], np.empty(0, np.intp))
        order, starts = by_tag(at)
        lengths = np.diff(starts, append=len(order))
        longest = np.argsort(-lengths, kind="stable")
        column = np.empty(len(starts), np.intp)
        column[longest] = np.arange(len(starts))
        rank = np.arange(len(order)) - np.repeat(starts, lengths)
        place = np.argsort(rank * len(starts) + np.repeat(column, lengths), kind="stable")
        ends = np.cumsum(np.bincount(rank))
        return cls(order[place], [0, *ends.tolist()], at[order][starts][longest])


def by_tag(at: Indices) -> tuple[Indices, Indices]:
    """The order that puts samples of a tag together without changing theirs, and where each tag begins in it."""
    narrow = at.astype(np.uint16) if at.max() < 65_536 else at  # numpy sorts 16 bits in linear time
    order = np.argsort(narrow, kind="stable")
    starts = np.flatnonzero(np.diff(at[order], prepend=-1))
    return order, starts
