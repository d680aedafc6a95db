"""A day of a plant in order of arrival: 1,000 tags at 1 Hz, and 50 tags at 100 Hz in its first twenty-fourth.

104.4 million samples in 24 h. They are made once, tag by tag, into files that are mapped, and come back in blocks: memory
stays small however long the day is. A month of one more tag at 1 Hz ends where the day begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bench import signals
from bench.signals import GROUP, SECOND, START
from historian.store import SAMPLE
from tags.model import Tag
from tags.types import BOOL

SLOW, FAST, FAST_HZ = 1000, 50, 100
MONTH_TAG: Final = SLOW + FAST + 1
MONTH_DAYS: Final = 30
BLOCK_S: Final = 600
_MARGIN: Final = SECOND

Rows = npt.NDArray[np.void]
Floats = npt.NDArray[np.float64]


class Day:
    """The work load.

    Args:
        folder: For its files: 1.1 GB for 24 h.
        hours: How long the day is.

    Attributes:
        seconds: Length of the day.
        fast_s: Length of its first part, with 6,000 samples a second.
        count: Samples of the day.
        tags: 1,050 tags, and the one of the month.
    """

    def __init__(self, folder: Path, hours: float) -> None:
        self.seconds = round(hours * 3600)
        self.fast_s = self.seconds // 24
        self.count = SLOW * self.seconds + FAST * FAST_HZ * self.fast_s
        self.kinds = [GROUP[i % len(GROUP)] for i in range(SLOW)] + ["fast"] * FAST + ["adc"]
        self.tags = [_tag(number, kind) for number, kind in enumerate(self.kinds, 1)]
        rng = np.random.default_rng(2)
        self._folder = folder
        self._slow_t = np.array([signals.stamps(rng, self.seconds) for _ in range(SLOW // len(GROUP))])
        self._slow, self._slow_status = self._made(rng, "slow", range(SLOW), self.seconds)
        n = self.fast_s * FAST_HZ
        self._fast_t = signals.stamps(rng, n, SECOND // FAST_HZ)
        self._fast, self._fast_status = self._made(rng, "fast", range(SLOW, SLOW + FAST), n)

    @property
    def start(self) -> int:
        """Before the first sample of the day, UTC, ns."""
        return START

    @property
    def end(self) -> int:
        """After its last one."""
        return START + self.seconds * SECOND + _MARGIN

    def _made(
        self, rng: np.random.Generator, name: str, tags: range, n: int
    ) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32]]:
        """Value bits and statuses of some tags, shape (tags, n), in files."""
        bits: Any = np.memmap(self._folder / f"{name}.bits", np.uint64, "w+", shape=(len(tags), n))
        status: Any = np.memmap(self._folder / f"{name}.status", np.uint32, "w+", shape=(len(tags), n))
        for row, tag in enumerate(tags):
            bits[row] = signals.values(rng, self.kinds[tag], n)
            status[row] = signals.statuses(rng, n)
        return bits, status

    def blocks(self, length_s: int = BLOCK_S) -> Iterator[list[Rows]]:
        """The day second by second, some of them at a time; dtype `SAMPLE`, in order of time."""
        for first in range(0, self.seconds, length_s):
            yield self._block(first, min(first + length_s, self.seconds))

    def _block(self, first: int, past: int) -> list[Rows]:
        n, part = past - first, slice(first, past)
        slow = np.zeros((n, SLOW), SAMPLE)
        slow["tag"] = np.arange(1, SLOW + 1)
        slow["t"] = np.repeat(self._slow_t[:, part], len(GROUP), axis=0).T
        slow["bits"], slow["status"] = self._slow[:, part].T, self._slow_status[:, part].T
        fast_n = (min(past, self.fast_s) - first) * FAST_HZ
        if fast_n <= 0:
            return list(slow)
        part = slice(first * FAST_HZ, first * FAST_HZ + fast_n)
        fast = np.zeros((fast_n, FAST), SAMPLE)
        fast["tag"] = np.arange(SLOW + 1, SLOW + FAST + 1)
        fast["t"] = self._fast_t[part, None]
        fast["bits"], fast["status"] = self._fast[:, part].T, self._fast_status[:, part].T
        quick = fast.reshape(fast_n // FAST_HZ, -1)
        return [np.concatenate([quick[i], slow[i]]) if i < len(quick) else slow[i] for i in range(n)]

    def month(self) -> Iterator[Rows]:
        """The month before the day (of a shorter day as much less), a day of it at a time."""
        rng = np.random.default_rng(3)
        n = self.seconds
        for number in range(MONTH_DAYS, 0, -1):
            rows = np.zeros(n, SAMPLE)
            rows["tag"] = MONTH_TAG
            rows["t"] = signals.stamps(rng, n) - number * n * SECOND
            rows["bits"] = signals.values(rng, "adc", n)
            yield rows


def floats(rows: Rows, tags: list[Tag]) -> Floats:
    """Values as other stores take them: all of them numbers with a fraction."""
    bits = np.ascontiguousarray(rows["bits"])
    switch = np.array([False] + [tag.type == BOOL for tag in tags])[rows["tag"]]
    return np.where(switch, bits.astype(np.float64), bits.view(np.float64))


def _tag(number: int, kind: str) -> Tag:
    return Tag(
        id=number,
        path=f"t{number}",
        type=signals.type_of(kind),
        kind="device",
        writer="field",
        row=number - 1,
        scan_ns=SECOND // FAST_HZ if kind == "fast" else SECOND,
    )
