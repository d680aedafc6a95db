"""Values at given times, of one tag or of several on one grid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from historian.read.line import line_of
from historian.read.signal import (
    INTERPOLATED,
    Signal,
    Statuses,
    Times,
    Values,
)
from tags.quality import BAD_NO_DATA, UNCERTAIN_DATA_SUB_NORMAL


def at(
    signal: Signal, times: Times, now_ns: int, *, uncertain: bool = False, bridge: bool = False
) -> tuple[Values, Statuses]:
    """What a signal was at given times (OPC 10000-11 §6.5.5, ReadAtTime).

    Args:
        signal: The samples, from the last one before the first time to the first one after the last time.
        times: UTC, ns, in any order, shape (n,).
        now_ns: Nothing is known after this, UTC, ns.
        uncertain: Use Uncertain samples too.
        bridge: Interpolate over gaps of quality (Interpolated Bounding Values). Otherwise a gap has no value (Simple
            Bounding Values).

    Returns:
        Values, NaN for none, and StatusCodes: the sample's own at its very time; Good or UncertainDataSubNormal, with
        the bit for interpolated, between samples; in a gap the status of the sample that began it, BadNoData where
        nothing is known.
    """
    line = line_of(signal, now_ns, uncertain=uncertain, bridge=bridge)
    values = np.full(len(times), np.nan)
    codes = np.full(len(times), BAD_NO_DATA, np.uint32)
    if not len(line.v0):
        return values, codes
    segment = np.searchsorted(line.t, times, "right") - 1
    # The end of the last segment is still known when a sample lies there.
    segment = np.where((segment == len(line.v0)) & (times == line.t[-1]), len(line.v0) - 1, segment)
    known = np.flatnonzero((segment >= 0) & (segment < len(line.v0)))
    segment, moments = segment[known], times[known]
    values[known] = line.inside(moments, segment)
    stored = line.raw[segment] & (moments == line.t[segment])
    between = np.where(line.unsure[segment], UNCERTAIN_DATA_SUB_NORMAL, 0) | INTERPOLATED
    bad = np.isnan(values[known])
    codes[known] = np.where(stored | bad, line.code[segment], between)
    return values, codes


def align(
    signals: Mapping[str, Signal], times: Times, now_ns: int, *, uncertain: bool = False
) -> npt.NDArray[np.void]:
    """Several tags at the same times.

    Returns:
        A structured array, shape (n,): field `t` (int64, ns UTC), and for each tag a field of its path with `value`
        (float64, NaN in gaps) and `status` (uint32): `found["tank1/LT-101"]["value"]`.
    """
    pair = [("value", "<f8"), ("status", "<u4")]
    fields: list[Any] = [("t", "<i8"), *((path, pair) for path in signals)]
    found: npt.NDArray[np.void] = np.empty(len(times), np.dtype(fields))
    found["t"] = times
    for path, signal in signals.items():
        found[path]["value"], found[path]["status"] = at(signal, times, now_ns, uncertain=uncertain)
    return found
