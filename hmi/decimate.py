"""A tag's past made ready for a trend of a given width. Pure arrays in, arrays out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


def keep(t: Times, v: Values, start: int, end: int, points: int) -> npt.NDArray[np.intp]:
    """Which samples a trend needs so that it looks as if all were drawn.

    Of each of `points` equal stretches: the first, lowest, highest and last sample that is a number, and the first
    that is not, so that a gap wider than a pixel stays a gap.

    Args:
        t: Times, rising, shape (n,).
        v: Values; NaN for bad, shape (n,).
        start: Of the range, in the unit of `t`.
        end: Of the range, > start.
        points: Width, > 0.

    Returns:
        Rising indices, at most 5 * points of them; all when there are no more than `points` samples.
    """
    if len(t) <= points:
        return np.arange(len(t))
    bucket = np.clip(
        ((t - start).astype(np.float64) * points / (end - start)).astype(np.int64), 0, points - 1
    )
    good = np.flatnonzero(~np.isnan(v))
    bad = np.flatnonzero(np.isnan(v))
    chosen = [_firsts(bucket, bad)]
    if len(good):
        chosen += [_firsts(bucket, good), good[_ends(bucket[good])]]
        rising = good[np.lexsort((v[good], bucket[good]))]
        chosen += [_firsts(bucket, rising), rising[_ends(bucket[rising])]]
    return np.unique(np.concatenate(chosen))


def _firsts(bucket: Times, index: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    if not len(index):
        return index
    own = bucket[index]
    return index[np.concatenate(([True], own[1:] != own[:-1]))]


def _ends(own: Times) -> npt.NDArray[np.bool_]:
    return np.concatenate((own[1:] != own[:-1], [True]))


def hold(t: Times, v: Values, after: int, lead: int) -> tuple[Times, Values]:
    """Puts a point before each sample that came after a long rest, so that a straight line shows no ramp that never was.

    Samples are stored when they change; between two of them the value stood still.

    Args:
        t: Times, rising, shape (n,).
        v: Values, shape (n,).
        after: A rest longer than this gets a point.
        lead: How long before the next sample the point stands, <= after.

    Returns:
        Times and values, longer by the points put in.
    """
    at = np.flatnonzero((np.diff(t) > after) & ~np.isnan(v[:-1])) + 1
    return np.insert(t, at, t[at] - lead), np.insert(v, at, v[at - 1])


def close_runs(t: Times, v: Values, lead: int) -> tuple[Times, Values]:
    """Carries each value on to where it went bad: there, not at its last change, the line ends.

    Args:
        t: Times, rising, shape (n,).
        v: Values; NaN for bad, shape (n,).
        lead: How long before the bad sample the point stands, in the unit of `t`.
    """
    nan = np.isnan(v)
    at = np.flatnonzero(~nan[:-1] & nan[1:]) + 1
    return np.insert(t, at, np.maximum(t[at] - lead, t[at - 1])), np.insert(v, at, v[at - 1])


def cut(t: Times, v: Values, longest: int) -> tuple[Times, Values]:
    """Puts a gap where samples are further apart than they may be.

    Args:
        t: Times, rising, shape (n,).
        v: Values, shape (n,).
        longest: The longest time between two samples of a living tag; 0 when there is none.
    """
    if not longest:
        return t, v
    at = np.flatnonzero(np.diff(t) > longest) + 1
    return np.insert(t, at, t[at - 1] + longest), np.insert(v, at, np.nan)


def merge_gaps(t: Times, v: Values) -> tuple[Times, Values]:
    """Of several samples in a row that are not numbers only the first."""
    nan = np.isnan(v)
    stays = ~(nan & np.concatenate(([False], nan[:-1])))
    return t[stays], v[stays]
