"""What a sample says of all mutants."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

KILLED, SURVIVED, NOT_RUN, TIMED_OUT = "killed", "SURVIVED", "NOT RUN", "killed (time)"
_Z95 = 1.959964


def interval(killed: int, tried: int, of: int) -> tuple[float, float]:
    """Where the share of all mutants lies that would be killed, with a confidence of 95 %.

    Wilson's score interval (Wilson 1927), narrowed for a sample without replacement from `of`.

    Args:
        killed: Of those tried.
        tried: Size of the sample, at least 1.
        of: Size of the population, at least `tried`.

    Returns:
        Lower and upper bound, 0 to 1.
    """
    share = killed / tried
    if tried == of:
        return share, share
    n = tried * (of - 1) / (of - tried)
    middle = (share + _Z95**2 / (2 * n)) / (1 + _Z95**2 / n)
    half = _Z95 / (1 + _Z95**2 / n) * math.sqrt(share * (1 - share) / n + _Z95**2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def table(
    results: Sequence[tuple[str, str]], population: Mapping[str, int], rooms: Sequence[str]
) -> list[str]:
    """Lines for people: each room, and all of them.

    Args:
        results: File of the mutant and what became of it.
        population: File to how many mutants it has.
        rooms: Beginnings of paths.
    """
    lines = []
    for room in (*rooms, "all"):
        mine = Counter(result for file, result in results if room == "all" or file.startswith(f"{room}/"))
        of = sum(n for file, n in population.items() if room == "all" or file.startswith(f"{room}/"))
        tried = mine.total()
        if not tried:
            continue
        killed = mine[KILLED] + mine[TIMED_OUT]
        low, high = interval(killed, tried, of)
        rest = ", ".join(f"{n} {result}" for result, n in sorted(mine.items()))
        lines.append(
            f"{room:16} killed {100 * killed / tried:5.1f} % of {tried} tried of {of}; "
            f"95 % confidence {100 * low:.1f} … {100 * high:.1f} %  ({rest})"
        )
    return lines
