"""Samples of many tags as columns: how nearly all inputs come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Samples of some tags of one kind, one for each slot.

    Attributes:
        slots: Rising.
        values: float64 (finite) for float tags, bool for bool tags, int64 or uint64 for whole numbers; engineering units.
        status: OPC UA status codes, uint32.
        time_ns: Source times, ns UTC, int64.
    """

    slots: npt.NDArray[np.intp]
    values: npt.NDArray[Any]
    status: npt.NDArray[np.uint32]
    time_ns: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.slots)

    def __iter__(self) -> Iterator[tuple[int, Any, int, int]]:
        """(slot, value, status, time) in plain types, as the samples of `Inputs`."""
        return iter(
            zip(
                self.slots.tolist(),
                self.values.tolist(),
                self.status.tolist(),
                self.time_ns.tolist(),
                strict=True,
            )
        )
