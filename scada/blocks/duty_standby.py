"""Duty, standby and assist: of several motors one runs while there is a demand, and more when it is not enough.

    DEMAND rises   duty = the next available member after the last duty (`each start`), the first one (`never`), or the one
                   with the least hours (`least hours`)
    while DEMAND   the duty is asked to run; when it is not available the next available member becomes the duty
                   STAGES = 1 + conditions of `assist` that hold; one more after `assist_on`, one less after `assist_off`
                   the next available members assist; the last that came goes first; one that fails is replaced
    no DEMAND      nobody is asked

Available: in Auto, Remote, run feedback known, not tripped or failed, no interlock, permitted to start (or running).
After a start it waits, for ten seconds at most, until each member was read once: who ran goes on, nobody is switched over.
With none available the duty stays asked and starts as soon as it can. DUTY counts from 1 and survives a restart; a
member found running at a restart with demand is the duty, so nobody is switched over.

A bad or stale demand, or condition of `assist`, keeps the last one; before the first usable demand nobody is asked anything.

Source: ASHRAE Guideline 36-2021 (equipment staging and rotation: lead/lag and lead/standby).
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scada.blocks.base import Binder, Context, FunctionBlock, number, usable
from scada.blocks.motor import Motor
from tags import model
from tags.quality import GOOD, UNCERTAIN_LAST_USABLE

AWAIT_NS = 10_000_000_000  # longer than devices take to be read after a start


class DutyStandby(FunctionBlock):
    """See the module. Points: DUTY (1 … n), DEMAND (bool); STAGES with `assist`."""

    __slots__ = (
        "_alternate", "_assist", "_assist_on", "_assistants", "_condition", "_demand", "_duty", "_life_ns", "_members", "_names", "_off_ns",
        "_on_ns", "_point_demand", "_point_duty", "_point_stages", "_stages", "_timer_ns",
    )  # fmt: skip
    type = "duty_standby"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._names: list[str] = list(c["members"])
        self._members: list[Motor] = []
        self._condition = binder.condition(str(c["demand"]))
        self._alternate = str(c.get("alternate", "each start"))
        self._assist = [binder.condition(str(text)) for text in c.get("assist") or ()]
        self._assist_on = [False] * len(self._assist)
        self._on_ns, self._off_ns = int(c.get("assist_on_ns") or 0), int(c.get("assist_off_ns") or 0)
        self._assistants: list[int] = []
        self._stages, self._timer_ns = 0, 0
        self._life_ns = 0
        self._point_stages = binder.point(config, "STAGES")
        self._point_duty, self._point_demand = binder.point(config, "DUTY"), binder.point(config, "DEMAND")
        self._demand: bool | None = None
        self._duty = (
            len(self._names) - 1 if self._alternate == "each start" else 0
        )  # so that the first start takes member 1

    def link(self, blocks: Mapping[str, FunctionBlock]) -> None:
        """Finds the members.

        Raises:
            ValueError: A member is not a motor.
        """
        for name in self._names:
            member = blocks.get(name)
            if not isinstance(member, Motor):
                raise ValueError(f"{self.path}: member {name} is not a motor block")  # noqa: TRY004 - a fault of the site
            self._members.append(member)

    def step(self, ctx: Context) -> None:
        status = GOOD
        waits = self._life_ns < AWAIT_NS and any(member.awaited for member in self._members)
        self._life_ns = min(self._life_ns + ctx.dt_ns, AWAIT_NS)
        if self._condition is not None and not (waits and self._demand is None):
            value, quality = self._condition(ctx.signals.value, ctx.signals.status)
            if not usable(quality):
                status = UNCERTAIN_LAST_USABLE
            elif value and not self._demand:
                self._choose()
                self._demand = True
            elif not value:
                self._demand = False
        if self._demand is not None:
            if self._demand and not self._members[self._duty].available and not waits:
                self._duty = self._next(self._duty)
            if not waits:
                self._stage(ctx)
            for i, member in enumerate(self._members):
                member.ask(self._demand and (i == self._duty or i in self._assistants))
        ctx.put(self._point_demand, bool(self._demand), status)
        ctx.put(self._point_duty, self._duty + 1)
        ctx.put(self._point_stages, self._stages, status)

    def _stage(self, ctx: Context) -> None:
        """How many run, and which ones assist."""
        for i, condition in enumerate(self._assist):
            if condition is not None:
                value, quality = condition(ctx.signals.value, ctx.signals.status)
                if usable(quality):
                    self._assist_on[i] = bool(value)
        if not self._demand:
            self._stages, self._timer_ns = 0, 0
            self._assistants.clear()
            return
        goal = 1 + sum(self._assist_on)
        if self._stages == 0:
            self._stages = 1
        self._timer_ns = self._timer_ns + ctx.seen_ns if goal != self._stages else 0
        if self._timer_ns and self._timer_ns >= (self._on_ns if goal > self._stages else self._off_ns):
            self._stages += 1 if goal > self._stages else -1
            self._timer_ns = 0
        kept = [i for i in self._assistants if i != self._duty][: self._stages - 1]
        for place, i in enumerate(kept):
            if not self._members[i].available:  # one that nobody can replace stays asked
                kept[place] = self._free(kept, i)
        while len(kept) < self._stages - 1 and (more := self._free(kept, -1)) >= 0:
            kept.append(more)
        self._assistants = kept

    def _free(self, asked: list[int], otherwise: int) -> int:
        """The next available member that is not asked yet, or what is given."""
        free = (i for i in self._in_turn(self._duty) if i != self._duty and i not in asked)
        return next((i for i in free if self._members[i].available), otherwise)

    def _in_turn(self, last: int) -> list[int]:
        """All members in the order in which they are taken."""
        count = len(self._members)
        turn = [(last + step) % count for step in range(1, count + 1)]
        if self._alternate == "least hours":
            turn.sort(key=lambda i: self._members[i].hours_ns)
        return turn

    def _choose(self) -> None:
        """The duty of a new demand."""
        if self._demand is None:
            for i, member in enumerate(self._members):
                if member.running and member.available:
                    self._duty = i
                    return
        if self._alternate != "never":
            self._duty = self._next(self._duty)
        elif self._members[0].available:
            self._duty = 0
        else:
            self._duty = self._next(0)

    def _next(self, last: int) -> int:
        """The next available member after `last`; `last` itself when there is no other."""
        return next((i for i in self._in_turn(last) if self._members[i].available), last)

    def retained(self) -> dict[str, Any]:
        kept = {"duty": self._duty + 1, "demand": self._demand}
        return (
            {**kept, "stages": self._stages, "assistants": list(self._assistants)} if self._assist else kept
        )

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        duty, demand = number(state.get("duty")), state.get("demand")
        if duty is not None and 1 <= duty <= len(self._names):
            self._duty = int(duty) - 1
        if fresh and isinstance(demand, bool):
            self._demand = demand
            stages, assistants = number(state.get("stages")), state.get("assistants")
            if demand and self._assist and stages is not None and isinstance(assistants, list):
                self._stages = min(max(int(stages), 0), 1 + len(self._assist))
                self._assistants = [i for i in assistants if isinstance(i, int) and 0 <= i < len(self._names)]
