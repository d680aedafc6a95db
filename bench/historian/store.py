"""The verbs that every store of the comparison has."""

from __future__ import annotations

import abc
import time
from pathlib import Path
from typing import ClassVar

from bench.historian.day import Day, Rows

HOUR_TAGS = 20


class Bench(abc.ABC):
    """A store that takes the day and is asked.

    Every question returns how many values came back, so that all stores are known to have answered the same.

    Args:
        day: The work load.
        folder: For its files.

    Attributes:
        name: In the tables.
        tags_max: Takes the first so many tags only; 0 for all.
    """

    name: ClassVar[str]
    tags_max: ClassVar[int] = 0

    def __init__(self, day: Day, folder: Path) -> None:
        self.day = day
        self.folder = folder

    @abc.abstractmethod
    def append(self, rows: Rows) -> None:
        """Takes samples; on the disk when it returns (servers: as durable as they are by default)."""

    @abc.abstractmethod
    def settle(self) -> None:
        """Does what it does in the background, and waits for it."""

    @abc.abstractmethod
    def size(self) -> int:
        """Bytes on the disk."""

    @abc.abstractmethod
    def raw(self, tag: int) -> int:
        """All samples of a tag's day."""

    @abc.abstractmethod
    def buckets(self, tag: int, count: int) -> int:
        """Lowest, highest and average value of parts of a tag's day."""

    @abc.abstractmethod
    def hour(self) -> int:
        """All samples of `HOUR_TAGS` tags in one hour (a twenty-fourth of the day)."""

    @abc.abstractmethod
    def hourly(self, tag: int) -> int:
        """Average over time of each hour of a tag's day."""

    @abc.abstractmethod
    def latest(self) -> int:
        """The last sample of every tag."""

    @abc.abstractmethod
    def month(self, count: int) -> int:
        """As `buckets`, of the tag of the month."""

    @abc.abstractmethod
    def close(self) -> None:
        """Ends it."""

    def processor_s(self) -> float:
        """Processor time that it and this process have used, s."""
        return time.process_time()

    @property
    def hour_ns(self) -> int:
        """Length of an hour of the (perhaps shorter) day."""
        return self.day.seconds * 1_000_000_000 // 24
