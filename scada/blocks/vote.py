"""Voting of several conditions: M out of N (2oo3, 1oo2, …).

    VOTES = number of inputs that are true
    Q     = VOTES >= need

Quality: `on_bad: vote` (default) counts an input that is Bad as true: 2oo3 becomes 1oo2, so that a failed sensor never
weakens a protection. `on_bad: abstain` leaves it out: 2oo3 becomes 2oo2, so that a failed sensor alone stops nothing;
when fewer than `need` are left, Q keeps its value and is UncertainLastUsableValue. An uncertain or stale input votes as
it did last, and one that was not read yet does not vote. While all that can be said is that devices are away, Q keeps its
value too: nothing can be commanded there, and their return must not find everything tripped.

DISAGREE: the inputs have not agreed for `disagree_time`, or one has failed for that long; it has an alarm. Lost
communication is no disagreement: it has its own alarm.

Source: IEC 61511-1:2016 (MooN architectures); ISA-TR84.00.02 (degraded voting). This is no safety system.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scada.blocks.base import Binder, Context, FunctionBlock, usable
from tags import model
from tags.quality import (
    BAD_NO_COMMUNICATION,
    BAD_WAITING_FOR_INITIAL_DATA,
    GOOD,
    UNCERTAIN_LAST_USABLE,
    is_bad,
)


def _is_away(status: int) -> bool:
    return status & 0xFFFF_0000 == BAD_NO_COMMUNICATION


class Vote(FunctionBlock):
    """See the module. Points: Q, at the path of the block; VOTES, DISAGREE."""

    __slots__ = (
        "_bad_votes", "_inputs", "_last", "_limit_ns", "_need", "_point", "_point_disagree", "_point_votes", "_q", "_since_ns",
    )  # fmt: skip
    type = "vote"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._inputs = [found for text in c["inputs"] if (found := binder.condition(str(text))) is not None]
        self._need = int(c["need"])
        if not 1 <= self._need <= len(self._inputs):
            raise ValueError(f"{config.path}: {self._need} out of {len(self._inputs)} cannot be")
        self._bad_votes = c.get("on_bad", "vote") == "vote"
        self._limit_ns = int(c.get("disagree_ns") or 0)
        self._point, self._point_votes = binder.point(config, "Q"), binder.point(config, "VOTES")
        self._point_disagree = binder.point(config, "DISAGREE")
        self._last: list[bool | None] = [None] * len(self._inputs)  # what each voted when it was usable last
        self._q, self._since_ns = False, -1

    def step(self, ctx: Context) -> None:
        true = false = failed = away = 0
        for i, condition in enumerate(self._inputs):
            value, status = condition(ctx.signals.value, ctx.signals.status)
            if usable(status):
                self._last[i] = bool(value)
            elif is_bad(status) and status & 0xFFFF_0000 != BAD_WAITING_FOR_INITIAL_DATA:
                failed, away = (failed, away + 1) if _is_away(status) else (failed + 1, away)
                continue
            true += self._last[i] is True
            false += self._last[i] is False
        votes = true + failed + away if self._bad_votes else true
        decided = true + false + failed > 0 if self._bad_votes else true + false >= self._need
        if decided:
            self._q = votes >= self._need
        if failed or (true and false):
            self._since_ns = 0 if self._since_ns < 0 else min(self._since_ns + ctx.seen_ns, self._limit_ns)
        else:
            self._since_ns = -1
        ctx.put(self._point, self._q, GOOD if decided else UNCERTAIN_LAST_USABLE)
        ctx.put(self._point_votes, votes)
        ctx.put(self._point_disagree, self._since_ns >= self._limit_ns)

    def retained(self) -> dict[str, Any]:
        return {"q": self._q}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        del fresh  # the last decision is what stands until the inputs can vote again
        self._q = state.get("q") is True
