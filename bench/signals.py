"""Signals as a plant has them, made anew from a seed: the work load of the historian's figures.

1,000 tags at 1 Hz (400 of 12-bit converters, 200 binary32 measurements, 150 setpoints, 200 switches, 50 totalisers) in
20 scan groups of 50, and 50 tags at 100 Hz of 16-bit converters. The tags of a scan group share one jittered time stamp.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from tags.types import BOOL, FLOAT32, FLOAT64

SECOND: Final = 1_000_000_000
START: Final = 1_750_000_000 * SECOND
GROUP: Final = ("adc",) * 20 + ("real",) * 10 + ("setpoint",) * 7 + ("switch",) * 10 + ("totaliser",) * 3
TYPE: Final = {"switch": BOOL, "real": FLOAT32}

Floats = npt.NDArray[np.float64]


def stamps(rng: np.random.Generator, n: int, step_ns: int = SECOND) -> npt.NDArray[np.int64]:
    """Times of a scan group: whole microseconds, late by sigma 2 ms (a thousandth of that at 100 Hz)."""
    late = np.abs(rng.normal(0, 2e6 if step_ns == SECOND else 2e4, n)) // 1000 * 1000
    return START + np.arange(n) * step_ns + late.astype(np.int64)


def values(rng: np.random.Generator, kind: str, n: int) -> npt.NDArray[np.uint64]:
    """Value bits of one tag."""
    if kind == "switch":
        return (np.cumsum(rng.random(n) < 1 / 900) % 2).astype(np.uint64)
    return _floats(rng, kind, n).view(np.uint64)


def statuses(rng: np.random.Generator, n: int) -> npt.NDArray[np.uint32]:
    """Good, with a burst of bad now and then."""
    status = np.zeros(n, np.uint32)
    for start in rng.integers(0, n, max(1, n // 40_000)):
        status[start : start + int(rng.integers(5, 120))] = 0x8005_0000
    return status


def type_of(kind: str) -> str:
    """The tag's type."""
    return TYPE.get(kind, FLOAT64)


def _floats(rng: np.random.Generator, kind: str, n: int) -> Floats:
    at = np.arange(n)
    found: Floats
    if kind == "setpoint":
        return np.repeat(_rounded(rng.uniform(20, 80, n // 7200 + 1), 1), 7200)[:n]
    if kind == "totaliser":
        return _rounded(np.cumsum(rng.random(n) * 0.02), 2)
    slow = np.sin(at / rng.uniform(2000, 9000) + rng.random()) * 0.3 + 0.5
    if kind == "real":
        return (slow * 100 + rng.normal(0, 0.02, n)).astype(np.float32).astype(np.float64)
    if kind == "fast":
        raw = np.rint(slow * 65535 + np.sin(at / 40) * 300 + rng.normal(0, 12, n))
        found = np.clip(raw, 0, 65535) * (250.0 / 65535)
        return found
    raw = np.clip(np.rint(slow * 4095 + rng.normal(0, 2.0, n)), 0, 4095)
    found = raw * (rng.choice([5.0, 16.0, 160.0]) / 4095) + rng.choice([0.0, -1.0, 4.0])
    return found


def _rounded(numbers: Floats, decimals: int) -> Floats:
    found: Floats = np.round(numbers, decimals)
    return found
