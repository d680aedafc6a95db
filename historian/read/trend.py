"""What a picture of a long time needs: a few numbers for each pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from historian.read.signal import Times, Values

_SECOND: Final = 1_000_000_000
_DAY: Final = 86_400 * _SECOND
# Those from a minute on divide an hour or a day, so that whole minutes and hours are in them.
_MINUTES: Final = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1440)


@dataclass(frozen=True, slots=True)
class Trend:
    """One row for each pixel; all arrays of shape (n,).

    Attributes:
        start: Begin, UTC, ns.
        end: End, not included.
        low: Lowest value of the course; NaN in a gap.
        high: Highest.
        mean: Average over the time with a value.
        percent_good: Share of the time with a Good value, 0 … 100.
        count: Good samples in it.
    """

    start: Times
    end: Times
    low: Values
    high: Values
    mean: Values
    percent_good: Values
    count: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.start)


def sensible(width_ns: int) -> int:
    """The least width not below one that fits whole minutes, hours or days, ns; below a minute as it is."""
    if width_ns < 60 * _SECOND:
        return max(width_ns, 1)
    widths = (minutes * 60 * _SECOND for minutes in _MINUTES)
    return next((width for width in widths if width >= width_ns), -(-width_ns // _DAY) * _DAY)
