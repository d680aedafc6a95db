"""Voting of several conditions: M out of N (2oo3, 1oo2, …).

    VOTES = number of inputs that are true
    Q     = VOTES >= need

Quality: `on_bad: vote` (default) counts an input that is Bad or stale as true: 2oo3 becomes 1oo2, so that a failed
sensor never weakens a protection. `on_bad: abstain` leaves it out: 2oo3 becomes 2oo2, so that a failed sensor alone
stops nothing; when fewer than `need` are left, Q keeps its value and is UncertainLastUsableValue.

DISAGREE: the inputs have not agreed for `disagree_time`, or one has not been usable for that long; it has an alarm.

Source: IEC 61511-1:2016 (MooN architectures); ISA-TR84.00.02 (degraded voting). This is no safety system.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scada.blocks.base import Binder, Context, FunctionBlock, usable
from tags import model
from tags.quality import GOOD, UNCERTAIN_LAST_USABLE


class Vote(FunctionBlock):
    """See the module. Points: Q, at the path of the block; VOTES, DISAGREE."""

    __slots__ = (
        "_bad_votes", "_inputs", "_limit_ns", "_need", "_point", "_point_disagree", "_point_votes", "_q", "_since_ns",
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
        self._q, self._since_ns = False, -1

    def step(self, ctx: Context) -> None:
        values, statuses = ctx.signals.value, ctx.signals.status
        true = false = bad = 0
        for condition in self._inputs:
            value, status = condition(values, statuses)
            if not usable(status):
                bad += 1
            elif value:
                true += 1
            else:
                false += 1
        votes = true + bad if self._bad_votes else true
        status = GOOD
        if self._bad_votes or true + false >= self._need:
            self._q = votes >= self._need
        else:
            status = UNCERTAIN_LAST_USABLE
        if bad or (true and false):
            self._since_ns = 0 if self._since_ns < 0 else min(self._since_ns + ctx.seen_ns, self._limit_ns)
        else:
            self._since_ns = -1
        ctx.put(self._point, self._q, status)
        ctx.put(self._point_votes, votes)
        ctx.put(self._point_disagree, self._since_ns >= self._limit_ns)

    def retained(self) -> dict[str, Any]:
        return {"q": self._q}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        del fresh  # the last decision is what stands until the inputs can vote again
        self._q = state.get("q") is True
