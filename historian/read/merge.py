"""Summaries that follow each other in one interval as one, so that a month of minutes is as quick as a day."""

from __future__ import annotations

import numpy as np

from historian.chunks import Summaries
from historian.chunks.brief import AREA, RANGE, SQUARES, STEPS, SUM, ZERO, numbers
from historian.read.signal import Mask, Times, Values
from historian.read.whole import Need

_RESTS = 3


def merged(need: Need, records: Summaries, must: Mask, others: Times) -> Summaries:
    """Summaries that are not read, those that simply follow each other as one.

    That is: both begin and end with a Good number, in one interval, with no pause between them that is more than a step
    and no other sample.

    Args:
        need: What they are for; only what that needs is right in those that it returns.
        records: By time; see `Need.read`.
        must: Which of them are read instead.
        others: Times of samples outside of them, rising.
    """
    if len(records) < 2:
        return records[~must]
    form = int(records["form"][0])
    first, last = numbers(form, records["first"]), numbers(form, records["last"])
    severity = (records["first_status"] | records["last_status"]) >> np.uint32(30)
    plain = ~must & np.isfinite(first) & np.isfinite(last) & (severity == 0)
    gap = records["t0"][1:] - records["t1"][:-1]
    joins = plain[1:] & plain[:-1] & (gap > 0) & (gap <= _longest(need))
    at = np.searchsorted(need.edges, records["t0"], "right")
    joins &= at[1:] == at[:-1]
    if need.state and any(item.name == "time-in-state" for item in need.items):
        # Times at 0 and at something else do not tell which of two other states it was.
        for name in ("low", "high"):
            joins &= records[name][1:] == records[name][:-1]
    if len(others):
        between = np.searchsorted(others, records["t0"][1:]) - np.searchsorted(others, records["t1"][:-1])
        joins &= between == 0
    keep = np.concatenate(([True], ~joins))
    keep &= ~must
    some = np.flatnonzero(~must)
    if not len(some):
        return records[:0]
    starts = np.flatnonzero(keep[some])
    return _joined(need, records[some], starts, first[some], last[some])


def _longest(need: Need) -> int:
    """What pause is still a plain step from one sample to the next, ns."""
    most = [need.signal.longest_ns] if need.signal.longest_ns else []
    if need.signal.rest_ns and not (need.signal.stepped or all(item.stepped for item in need.items)):
        most.append(_RESTS * need.signal.ramp_ns)
    return min(most, default=2**62)


def _joined(
    need: Need,
    records: Summaries,
    starts: np.ndarray[tuple[int], np.dtype[np.intp]],
    first: Values,
    last: Values,
) -> Summaries:
    lasts = np.append(starts[1:], len(records)) - 1
    found = records[starts]
    for name in ("t1", "good_t1", "last", "good_last", "last_status"):
        found[name] = records[name][lasts]
    inner = np.ones(len(records), np.bool_)  # the pause before a summary lies within a group
    inner[starts] = False
    gap = np.zeros(len(records), np.int64)
    gap[1:] = np.where(inner[1:], records["t0"][1:] - records["t1"][:-1], 0)
    before = np.concatenate(([0.0], last[:-1]))
    want = need.fields

    def add(name: str, more: np.ndarray[tuple[int], np.dtype[np.generic]] | int = 0) -> None:
        found[name] = np.add.reduceat(records[name] + more, starts)

    for name in ("n", "good", "unsure", "off", "doubt"):
        add(name)
    add("covered", gap)
    found["gap"] = np.maximum(np.maximum.reduceat(records["gap"], starts), np.maximum.reduceat(gap, starts))
    with np.errstate(all="ignore"):
        if RANGE in want:
            found["low"] = np.fmin.reduceat(records["low"], starts)
            found["high"] = np.fmax.reduceat(records["high"], starts)
        if AREA in want:
            add("held", np.where(inner, before * (gap * 1e-9), 0.0))
            add("line", np.where(inner, (before + first) / 2 * (gap * 1e-9), 0.0))
        if SUM in want:
            add("total")
        if SQUARES in want:
            good = records["good"].astype(np.float64)
            mean = np.where(good > 0, records["total"] / good, 0.0)
            of_all = np.where(found["good"] > 0, found["total"] / found["good"], 0.0)
            off = mean - np.repeat(of_all, lasts - starts + 1)
            add("squares", good * off * off)
        if ZERO in want:
            add("zero", np.where(before == 0, gap, 0))
        if STEPS in want:
            step = np.where(inner, first - before, 0.0)
            down = step < 0
            add("changes", step != 0)
            add("falls", down)
            add("rise", np.where(down, 0.0, step))
            add("fall", np.where(down, step, 0.0))
            add("anew", np.where(down, first, 0.0))
    return found
