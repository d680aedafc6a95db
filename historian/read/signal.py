"""A tag's samples as numbers, with what is known of how it moves between them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from historian.store import Samples
from tags.model import Tag
from tags.types import FLOATS, UINT64

Times = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
Statuses = npt.NDArray[np.uint32]
Mask = npt.NDArray[np.bool_]

# Low bits of historical values (OPC 10000-11 §6.3): how the value was made.
CALCULATED: Final = 0x0401
INTERPOLATED: Final = 0x0402
PARTIAL: Final = 0x0404

_LEAST_SCAN_NS: Final = 100_000_000


@dataclass(frozen=True, slots=True)
class Signal:
    """Samples of one tag and how they are joined.

    Attributes:
        t: UTC, ns, shape (n,), never falling; of equal times the last one holds.
        v: Values, shape (n,); NaN where there is no number.
        status: OPC UA StatusCodes, shape (n,).
        stepped: A value holds until the next sample; otherwise a straight line leads there.
        longest_ns: A living tag has a sample at least this often, ns: after a longer pause its value is not known any
            more. 0 for no such promise.
        rest_ns: Samples are kept when they change: after a longer pause, ns, the value stood still and moved only in the
            last `ramp_ns`. 0 for always a straight line.
        ramp_ns: See `rest_ns`; at most that.
        hold_ns: How long the newest sample may be held, ns; None for as long as is looked at.
    """

    t: Times
    v: Values
    status: Statuses
    stepped: bool = False
    longest_ns: int = 0
    rest_ns: int = 0
    ramp_ns: int = 0
    hold_ns: int | None = None

    def __len__(self) -> int:
        return len(self.t)


def is_stepped(tag: Tag) -> bool:
    """Whether a tag's value jumps from sample to sample: declared so, or not a float."""
    return tag.step or tag.type not in FLOATS


def signal_of(tag: Tag, samples: Samples) -> Signal:
    """The samples of a tag that is no text, with the rules that its settings imply."""
    t, v, status = samples.t, numbers(samples.type, samples.bits), samples.status
    if (np.diff(t) < 0).any():
        order = np.argsort(t, kind="stable")
        t, v, status = t[order], v[order], status[order]
    return replace(rules_of(tag), t=t, v=v, status=status)


def rules_of(tag: Tag) -> Signal:
    """What a tag's settings say of how it moves, without samples."""
    scan = max(tag.scan_ns, _LEAST_SCAN_NS)
    return Signal(
        np.empty(0, np.int64),
        np.empty(0),
        np.empty(0, np.uint32),
        stepped=is_stepped(tag),
        longest_ns=tag.history.max_gap_ns * 3 // 2,
        rest_ns=3 * scan if tag.history.policy == "change" else 0,
        ramp_ns=scan,
    )


def numbers(type_: str, bits: npt.NDArray[np.uint64]) -> Values:
    """Value bits as float64; integers beyond 2**53 are rounded."""
    if type_ == UINT64:
        return bits.astype(np.float64)
    if type_ in FLOATS:
        return np.ascontiguousarray(bits).view(np.float64)
    return np.ascontiguousarray(bits).view(np.int64).astype(np.float64)


def usable(v: Values, status: Statuses, *, uncertain: bool) -> Mask:
    """Which samples are calculated with: finite numbers that are Good, or Uncertain where those are wanted too."""
    severity = status >> np.uint32(30)
    found: Mask = np.isfinite(v) & (severity <= (1 if uncertain else 0))
    return found


def inserted(at: npt.NDArray[Any], pairs: list[tuple[npt.NDArray[Any], Any]]) -> list[npt.NDArray[Any]]:
    """`numpy.insert` at the same places of several arrays."""
    if not len(at):
        return [array for array, _ in pairs]
    return [np.insert(array, at, values) for array, values in pairs]
