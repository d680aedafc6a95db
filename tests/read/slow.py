"""Aggregates as one would write them on paper: second by second, in plain Python. Times are whole seconds."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

S = 1_000_000_000
Number = float | None


class Sample(NamedTuple):
    t: int
    v: float
    status: int


class Rules(NamedTuple):
    stepped: bool = False
    longest: int = 0
    rest: int = 0
    ramp: int = 0
    uncertain: bool = False


def is_usable(sample: Sample, rules: Rules) -> bool:
    return math.isfinite(sample.v) and sample.status >> 30 <= (1 if rules.uncertain else 0)


def course(samples: list[Sample], rules: Rules, now: int, second: int, at: float) -> Number:
    """The value at a moment within [second, second + 1]; None in a gap."""
    before = [i for i, sample in enumerate(samples) if sample.t <= second]
    if not before:
        return None
    i = before[-1]
    one = samples[i]
    following = samples[i + 1] if i + 1 < len(samples) else None
    end = following.t if following else max(now, one.t)
    if not is_usable(one, rules) or second >= end:
        return None
    if rules.longest and end - one.t > rules.longest:
        return one.v if second < one.t + rules.longest else None
    if rules.stepped or following is None or not is_usable(following, rules):
        return one.v
    begin = one.t
    if rules.rest and end - one.t > rules.rest:
        begin = end - rules.ramp
        if second < begin:
            return one.v
    return one.v + (following.v - one.v) * (at - begin) / (end - begin)


def interval(samples: list[Sample], rules: Rules, now: int, start: int, end: int) -> dict[str, Number]:
    """All aggregates of one interval."""
    area = covered = good = 0.0
    seen: list[float] = []
    held: list[float] = []
    states = {"zero": 0.0, "non-zero": 0.0, "two": 0.0}
    for second in range(start, end):
        x0 = course(samples, rules, now, second, second)
        x1 = course(samples, rules, now, second, second + 1)
        if x0 is not None and x1 is not None:
            area += (x0 + x1) / 2
            covered += 1
            seen += [x0, x1]
            newest = [sample for sample in samples if sample.t <= second][-1]
            good += newest.status >> 30 == 0
        level = course(samples, rules._replace(stepped=True), now, second, second)
        if level is not None:
            held.append(level)
            states["zero"] += level == 0
            states["non-zero"] += level != 0
            states["two"] += level == 2
    fine = [sample for sample in samples if is_usable(sample, rules)]
    inside = [sample.v for sample in fine if start <= sample.t < end]
    seen += inside
    mean = sum(inside) / len(inside) if inside else None
    squares = sum((v - mean) ** 2 for v in inside) if mean is not None else 0.0
    counted = moved = 0.0
    for one, two in itertools.pairwise(fine):
        if start <= two.t < end:
            moved += one.v != two.v
            counted += two.v - one.v if two.v >= one.v else two.v
    known = max(now, samples[-1].t) if samples else now
    length = min(end, known) - start
    return {
        "integral": area if covered else None,
        "time-average": area / covered if covered else None,
        "total": area / covered * (end - start) if covered else None,
        "min": min(seen) if seen else None,
        "max": max(seen) if seen else None,
        "range": max(seen) - min(seen) if seen else None,
        "average": mean,
        "standard-deviation": (math.sqrt(squares / (len(inside) - 1)) if len(inside) > 1 else 0.0)
        if inside
        else None,
        "standard-deviation-population": math.sqrt(squares / len(inside)) if inside else None,
        "sample-min": min(inside) if inside else None,
        "sample-max": max(inside) if inside else None,
        "sample-range": max(inside) - min(inside) if inside else None,
        "first": inside[0] if inside else None,
        "last": inside[-1] if inside else None,
        "delta": inside[-1] - inside[0] if inside else None,
        "duration-in-state-zero": states["zero"] if held else None,
        "duration-in-state-non-zero": states["non-zero"] if held else None,
        "time-in-state": states["two"] if held else None,
        "number-of-transitions": moved if held else None,
        "counter": counted if held else None,
        "percent": 100 * good / length if length > 0 else 0.0,
        "count": float(len(inside)),
        "start-bound": course(samples, rules, now, start, start),
        "end-bound": course(samples, rules, now, end - 1, end),
    }
