"""The journal in memory: what was not folded yet, decoded once."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from historian import codec
from historian.settled import newest_at
from historian.store import SAMPLE, StoreDamagedError

Rows = npt.NDArray[np.void]

_LEAST: Final = 4096


def _whole(blob: bytes) -> Rows:
    try:
        return codec.unpack_batch(blob)
    except StoreDamagedError:
        return np.empty(0, SAMPLE)  # folding says so and puts it aside


class _Column:
    """An array that grows at its end and is cut at its begin."""

    def __init__(self, dtype: Any) -> None:
        self._array: npt.NDArray[Any] = np.empty(_LEAST, dtype)
        self._start = self._end = 0

    @property
    def values(self) -> npt.NDArray[Any]:
        """A view; it is never written to again."""
        return self._array[self._start : self._end]

    def append(self, values: npt.NDArray[Any]) -> None:
        if self._end + len(values) > len(self._array):
            used = self.values
            self._array = np.empty(max(_LEAST, 2 * (len(used) + len(values))), self._array.dtype)
            self._array[: len(used)] = used
            self._start, self._end = 0, len(used)
        self._array[self._end : self._end + len(values)] = values
        self._end += len(values)

    def cut(self, count: int) -> None:
        self._start += count
        if self._start == self._end:
            self._array = np.empty(_LEAST, self._array.dtype)
            self._start = self._end = 0


class Recent:
    """The journal's samples in the order in which they came. Rows never change; folding takes the oldest away."""

    def __init__(self) -> None:
        self._columns = {name: _Column(SAMPLE[name]) for name in SAMPLE.names or ()}
        self._seq = _Column(np.dtype(np.int64))
        self._lengths: list[tuple[int, int]] = []  # journal row number, samples
        self._newest = np.empty(0, SAMPLE)  # of each tag, of what was followed so far
        self._newest_seq = np.empty(0, np.int64)
        self._asked: tuple[int, tuple[Rows, npt.NDArray[np.int64]]] | None = None

    def follow(self, db: sqlite3.Connection) -> None:
        """Reads what is new; call it inside a transaction before the others."""
        first = db.execute("SELECT min(seq) FROM journal").fetchone()[0]
        folded = gone = 0
        for number, length in self._lengths:
            if first is not None and number >= first:
                break
            folded, gone = folded + length, gone + 1
        if gone:
            del self._lengths[:gone]
            for column in (self._seq, *self._columns.values()):
                column.cut(folded)
        seen = self._lengths[-1][0] if self._lengths else 0
        old = len(self)
        for number, blob in db.execute(
            "SELECT seq, samples FROM journal WHERE seq > ? ORDER BY seq", (seen,)
        ):
            batch = _whole(blob)
            for name, column in self._columns.items():
                column.append(batch[name])
            self._seq.append(np.full(len(batch), number))
            self._lengths.append((number, len(batch)))
        if gone or len(self) != old:
            self._asked = None
            self._follow_newest(first, old)

    def _follow_newest(self, first: int | None, old: int) -> None:
        kept = self._newest_seq >= (2**63 - 1 if first is None else first)
        rows = np.concatenate([self._newest[kept], self._rows(slice(old, None))])
        seq = np.concatenate([self._newest_seq[kept], self._seq.values[old:]])
        where = newest_at(rows)
        self._newest, self._newest_seq = rows[where], seq[where]

    def newest(self) -> Rows:
        """The newest sample of each tag in the journal; of a tag whose newest was folded perhaps none. Dtype `SAMPLE`."""
        return self._newest

    def __len__(self) -> int:
        return len(self._seq.values)

    def of(self, tag_id: int) -> tuple[Rows, npt.NDArray[np.int64]]:
        """The journal's samples of one tag, and the commit of each; not to be written to.

        Kept until the journal is another one: who reads page by page asks for the same tag again.
        """
        if self._asked is None or self._asked[0] != tag_id:
            where = np.flatnonzero(self._columns["tag"].values == tag_id)
            self._asked = tag_id, (self._rows(where), self._seq.values[where])
        return self._asked[1]

    def _rows(self, which: slice | npt.NDArray[np.intp]) -> Rows:
        columns = {name: column.values[which] for name, column in self._columns.items()}
        rows = np.empty(len(columns["tag"]), SAMPLE)
        for name, values in columns.items():
            rows[name] = values
        return rows
