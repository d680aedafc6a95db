"""What aggregates answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from historian.read.signal import PARTIAL, Mask, Statuses, Times, Values


@dataclass(frozen=True, slots=True)
class Intervals:
    """One value for each interval; all arrays of shape (n,).

    Attributes:
        start: Begin, UTC, ns.
        end: End, not included.
        value: NaN where there is none.
        status: Good, UncertainDataSubNormal (parts of the interval had no Good value) or BadNoData, with the bits of
            OPC 10000-11 §6.3 for calculated, interpolated and partial.
        percent_good: Share of the time with a Good value, 0 … 100; of an interval that is not over, of its past.
        count: Samples that can be calculated with in the interval.
        unit: Of the values; None for none.
    """

    start: Times
    end: Times
    value: Values
    status: Statuses
    percent_good: Values
    count: npt.NDArray[np.int64]
    unit: str | None = None

    def __len__(self) -> int:
        return len(self.start)

    @property
    def partial(self) -> Mask:
        """Which intervals are not complete: cut by the range, begun before the first sample, or not over yet."""
        found: Mask = (self.status & np.uint32(PARTIAL)) == PARTIAL
        return found
