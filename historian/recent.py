"""The journal in memory: what was not folded yet, decoded once."""

from __future__ import annotations

import sqlite3

import numpy as np
import numpy.typing as npt

from historian import codec
from historian.store import SAMPLE, StoreDamagedError

Rows = npt.NDArray[np.void]


def _whole(blob: bytes) -> Rows:
    try:
        return codec.unpack_batch(blob)
    except StoreDamagedError:
        return np.empty(0, SAMPLE)  # folding says so and puts it aside


class Recent:
    """The journal's samples in the order in which they came. Rows never change; folding takes the oldest away."""

    def __init__(self) -> None:
        self._rows: Rows = np.empty(0, SAMPLE)
        self._lengths: list[tuple[int, int]] = []  # journal row number, samples

    def all(self, db: sqlite3.Connection) -> Rows:
        """All samples of the journal; call it inside a transaction."""
        first = db.execute("SELECT min(seq) FROM journal").fetchone()[0]
        folded = 0
        while self._lengths and (first is None or self._lengths[0][0] < first):
            folded += self._lengths.pop(0)[1]
        seen = self._lengths[-1][0] if self._lengths else 0
        fresh = db.execute("SELECT seq, samples FROM journal WHERE seq > ? ORDER BY seq", (seen,)).fetchall()
        batches = [_whole(blob) for _, blob in fresh]
        if folded or fresh:
            self._rows = np.concatenate([self._rows[folded:], *batches])
            self._lengths += [(row[0], len(batch)) for row, batch in zip(fresh, batches, strict=True)]
        return self._rows

    def of(self, db: sqlite3.Connection, tag_id: int) -> Rows:
        """The journal's samples of one tag."""
        rows = self.all(db)
        found: Rows = rows[rows["tag"] == tag_id]
        return found
