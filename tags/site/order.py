"""Execution order of blocks: what is read comes first; loops are found."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from tags.site.control_models import Block

# Among blocks that do not depend on each other.
_RANK = {
    name: rank
    for rank, name in enumerate(
        (
            "interlock",
            "cause_effect",
            "schedule",
            "calc",
            "own",
            "setpoint_reset",
            "setback",
            "filter",
            "lead_lag",
            "dead_time",
            "rate_limit",
            "characteriser",
            "select",
            "ratio",
            "totaliser",
            "hysteresis",
            "compare",
            "frost_protection",
            "on_off",
            "three_position",
            "vote",
            "edge",
            "latch",
            "counter",
            "timer",
            "changeover",
            "duty_standby",
            "ramp",
            "pid",
            "override_select",
            "split_range",
            "motor",
            "drive",
            "damper",
            "on_off_valve",
            "valve",
        )
    )
}


def sort(models: Mapping[str, Block], reads: Mapping[str, set[str]]) -> tuple[list[str], list[list[str]]]:
    """Blocks in execution order.

    Args:
        models: Blocks by path.
        reads: The blocks that each one reads in the same scan; itself included if it does.

    Returns:
        All paths, each after what it reads as far as that is possible; and the loops that make it impossible.
    """
    readers: dict[str, list[str]] = {path: [] for path in models}
    waiting = {path: len(reads[path]) for path in models}
    for path, read in reads.items():
        for other in read:
            readers[other].append(path)
    position = {path: i for i, path in enumerate(models)}

    def key(path: str) -> tuple[int, int, str]:
        return _RANK[models[path].block], position[path], path

    ready = [key(path) for path in models if not waiting[path]]
    heapq.heapify(ready)
    ordered: list[str] = []
    while ready:
        path = heapq.heappop(ready)[2]
        ordered.append(path)
        for reader in readers[path]:
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, key(reader))
    rest = sorted((path for path in models if waiting[path]), key=key)
    return [*ordered, *rest], _loops(rest, reads)


def _loops(rest: list[str], reads: Mapping[str, set[str]]) -> list[list[str]]:
    """One loop for each group of blocks that wait for each other."""
    left, loops, seen = set(rest), [], set()
    for start in rest:
        trail: list[str] = []
        path = start
        while path not in trail and path not in seen:
            trail.append(path)
            following = sorted(reads[path] & left)
            if not following:  # waits for nobody that waits: cannot be here, but must not hang
                break
            path = following[0]
        if path in trail and path not in seen:
            loop = trail[trail.index(path) :]
            first = loop.index(min(loop, key=rest.index))
            loops.append([*loop[first:], *loop[:first]])
        seen.update(trail)
    return loops
