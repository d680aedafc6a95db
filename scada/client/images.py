"""All writers' images as one set of columns over all tags of the site.

A tag's global index is its place in `Images.tags` (writers in order of name, then rows). The columns are ours:
they change only in `refresh`.
"""

from __future__ import annotations

import numpy as np

from scada.client import staleness
from scada.datadir import DataDir
from tags.image import ImageError, ImageReader
from tags.model import Site
from tags.publish import writers
from tags.types import STRING, Value, from_bits


class Images:
    """The latest sample of every tag.

    Raises:
        ImageError: A file is absent or was made for another site.
    """

    def __init__(self, data: DataDir, site: Site) -> None:
        self.writers = writers(site)
        self.readers = [ImageReader(data.image(writer)) for writer in self.writers]
        groups = [site.of_writer(writer) for writer in self.writers]
        for writer, reader, group in zip(self.writers, self.readers, groups, strict=True):
            if reader.rows != len(group):
                raise ImageError(f"{data.image(writer)} was made for another site")
        self.tags = tuple(tag for group in groups for tag in group)
        self.index = {tag.path: i for i, tag in enumerate(self.tags)}
        self._slices: list[slice] = []
        start = 0
        for group in groups:
            self._slices.append(slice(start, start + len(group)))
            start += len(group)
        self.bits = np.zeros(start, np.uint64)
        self.source_ns = np.zeros(start, np.int64)
        self.publish_ns = np.zeros(start, np.int64)
        self.status = np.zeros(start, np.uint32)
        self.shown = np.zeros(start, np.uint32)
        self.version = np.zeros(start, np.uint64)
        self.aux = np.zeros(start, np.uint64)
        self.now_ns = 0
        self.heartbeats = staleness.Heartbeats(len(self.writers))
        self._limit_ns = staleness.limits(self.tags)
        self._dead_rows = np.zeros(start, np.bool_)
        self._dead = [False] * len(self.writers)
        self._sequence: list[int | None] = [None] * len(self.writers)
        self._writer_of = np.repeat(np.arange(len(groups)), [len(group) for group in groups])

    def refresh(self, now_ns: int) -> None:
        """Copies what writers published since the last time and works out what to show.

        Args:
            now_ns: Monotonic, ns.
        """
        for i, reader in enumerate(self.readers):
            sequence = reader.sequence
            if sequence != self._sequence[i] and reader.snapshot():
                self._sequence[i] = sequence
                self._copy(reader, self._slices[i])
        dead = self.heartbeats.look([reader.heartbeat for reader in self.readers], now_ns)
        if dead != self._dead:
            self._dead = list(dead)
            self._dead_rows = np.array(dead, np.bool_)[self._writer_of]
        self.now_ns = now_ns
        self.shown = staleness.shown(self.status, self.publish_ns, self._limit_ns, self._dead_rows, now_ns)

    def _copy(self, reader: ImageReader, rows: slice) -> None:
        n = rows.stop - rows.start
        self.bits[rows] = reader.value[:n]
        self.source_ns[rows] = reader.source_ns[:n]
        self.publish_ns[rows] = reader.publish_ns[:n]
        self.status[rows] = reader.status[:n]
        self.version[rows] = reader.version[:n]
        self.aux[rows] = reader.aux[:n]

    def value(self, i: int) -> Value:
        """The value of a global index by its type."""
        tag = self.tags[i]
        if tag.type == STRING:
            return self.readers[int(self._writer_of[i])].text(tag.row)
        return from_bits(tag.type, int(self.bits[i]))

    def age_s(self, i: int) -> float | None:
        """Since a tag was last published, at the last refresh, s; None for never."""
        published = int(self.publish_ns[i])
        return max(0, self.now_ns - published) / 1e9 if published else None

    def newest_age_s(self, writer: int) -> float | None:
        """Since a writer last published anything, s; None for never."""
        published = int(self.publish_ns[self._slices[writer]].max(initial=0))
        return max(0, self.now_ns - published) / 1e9 if published else None

    def replaced(self) -> bool:
        """The plant was started again with new files."""
        return any(reader.replaced() for reader in self.readers)

    def close(self) -> None:
        """Forgets the mappings."""
        for reader in self.readers:
            reader.close()
