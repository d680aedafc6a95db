"""Columns of many things of one kind: a float and an integer matrix, one column for each thing that is in them.

Those in the columns stand densely in the first `count` columns, in no order; who leaves is replaced by the last. What
is computed for one never depends on another, so their order shows nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Lanes:
    """The columns.

    Args:
        size: How many things there are; their keys are 0 … size - 1.
        floats: Rows of the float matrix.
        integers: Rows of the integer matrix.

    Attributes:
        floats: Shape (floats, size).
        integers: Shape (integers, size).
        keys: Of the first `count` columns: whose they are.
        count: How many are in the columns.
        changes: Moves whenever somebody came or left; for what is derived from who is in.
    """

    __slots__ = ("_at", "changes", "count", "floats", "integers", "keys")

    def __init__(self, size: int, floats: int, integers: int) -> None:
        self.floats: Floats = np.zeros((floats, size))
        self.integers: Integers = np.zeros((integers, size), np.int64)
        self.keys: Integers = np.zeros(size, np.int64)
        self._at: Integers = np.full(size, -1, np.int64)
        self.count = 0
        self.changes = 0

    def __contains__(self, key: int) -> bool:
        return bool(self._at[key] >= 0)

    def at(self, key: int) -> int:
        """The column of a thing, -1 when it is not in."""
        return int(self._at[key])

    def add(
        self, keys: Sequence[int], floats: Sequence[Sequence[float]], integers: Sequence[Sequence[int]]
    ) -> None:
        """Takes things in; each with its values in the order of the matrices' rows.

        Args:
            keys: Not in yet.
            floats: One sequence for each of them.
            integers: One sequence for each of them.
        """
        if not keys:
            return
        begin, end = self.count, self.count + len(keys)
        if len(self.floats):
            self.floats[:, begin:end] = np.array(floats, np.float64).T
        if len(self.integers):
            self.integers[:, begin:end] = np.array(integers, np.int64).T
        self.keys[begin:end] = keys
        self._at[self.keys[begin:end]] = np.arange(begin, end)
        self.count = end
        self.changes += 1

    def drop(self, lane: int) -> None:
        """Takes the thing in one column out; the last one moves there."""
        last = self.count - 1
        self._at[self.keys[lane]] = -1
        if lane != last:
            self.floats[:, lane] = self.floats[:, last]
            self.integers[:, lane] = self.integers[:, last]
            self.keys[lane] = self.keys[last]
            self._at[self.keys[lane]] = lane
        self.count = last
        self.changes += 1

    def keep(self, where: npt.NDArray[np.intp]) -> None:
        """Takes all out but those in the given columns, which keep their order."""
        count = len(where)
        self._at[self.keys[: self.count]] = -1
        self.floats[:, :count] = self.floats[:, where]
        self.integers[:, :count] = self.integers[:, where]
        self.keys[:count] = self.keys[where]
        self._at[self.keys[:count]] = np.arange(count)
        self.count = count
        self.changes += 1
