"""Every change of every tag in order, from the change rings of all writers: for queues that must not miss one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scada.client.images import Images
from scada.datadir import DataDir
from tags.ring import EPOCH_MARK, RingReader


class Records(NamedTuple):
    """Changes of value or status, those of one tag in the order in which they were.

    Attributes:
        rows: Shape (n,), global indices of the tags.
        bits: Shape (n,), value bits; of a text a count of its changes.
        status: Shape (n,), StatusCodes as published.
        source_ns: Shape (n,), UTC, ns.
        lost: Changes before these that were overwritten before they were read.
    """

    rows: npt.NDArray[np.intp]
    bits: npt.NDArray[np.uint64]
    status: npt.NDArray[np.uint32]
    source_ns: npt.NDArray[np.int64]
    lost: int


class RecordFollower:
    """Reads the change rings from now on. Made by `Client.follow_changes`.

    Args:
        data: The plant's data directory.
        images: The client's.
    """

    def __init__(self, data: DataDir, images: Callable[[], Images]) -> None:
        self._data = data
        self._images = images
        self._from = images()
        self._readers: list[RingReader] = []
        self._row_of = np.zeros(0, np.intp)
        self._open()

    def _open(self) -> None:
        tags = self._from.tags
        self._row_of = np.full(max((tag.id for tag in tags), default=0) + 1, -1, np.intp)
        self._row_of[[tag.id for tag in tags]] = np.arange(len(tags))
        before = [reader.position for reader in self._readers]
        self.close()
        rings = [self._data.ring(writer) for writer in self._from.writers]
        if before:  # of the same site: the same writers
            self._readers = [RingReader(ring, at) for ring, at in zip(rings, before, strict=True)]
        else:
            self._readers = [RingReader(ring) for ring in rings]
            for reader in self._readers:
                reader.to_end()

    def poll(self, limit: int = 200_000) -> Records:
        """What was written since the last time.

        Args:
            limit: At most so many of one writer; the rest the next time.
        """
        if self._images() is not self._from:  # the plant was started again with new files
            self._from = self._images()
            self._open()
        parts = []
        lost = 0
        for reader in self._readers:
            if not reader.behind:
                continue
            records, gone = reader.read(limit)
            lost += gone
            if len(records):
                parts.append(records)
        if not parts:
            return Records(
                np.zeros(0, np.intp),
                np.zeros(0, np.uint64),
                np.zeros(0, np.uint32),
                np.zeros(0, np.int64),
                lost,
            )
        records = np.concatenate(parts)
        ids = records["tag"]
        rows = self._row_of[np.where(ids < len(self._row_of), ids, EPOCH_MARK)]
        known = rows >= 0  # epoch marks are of no tag
        records, rows = records[known], rows[known]
        return Records(
            rows,
            records["bits"].astype(np.uint64),
            records["status"].astype(np.uint32),
            records["source_ns"].astype(np.int64),
            lost,
        )

    def skip(self) -> None:
        """Goes on with what comes from now on."""
        for reader in self._readers:
            reader.to_end()

    def close(self) -> None:
        """Forgets the mappings."""
        for reader in self._readers:
            reader.close()
        self._readers = []
