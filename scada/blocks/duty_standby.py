"""Duty and standby: of several motors one runs while there is a demand.

    DEMAND rises   duty = the next available member after the last duty (`each start`), or the first one (`never`)
    while DEMAND   the duty is asked to run; when it is not available the next available member becomes the duty
    no DEMAND      nobody is asked

Available: in Auto, Remote, run feedback known, not tripped or failed, no interlock, permitted to start (or running).
With none available the duty stays asked and starts as soon as it can. DUTY counts from 1 and survives a restart; a
member found running at a restart with demand is the duty, so nobody is switched over.

A bad or stale demand keeps the last one; before the first usable demand nobody is asked anything.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scada.blocks.base import Binder, Context, FunctionBlock, number, usable
from scada.blocks.motor import Motor
from tags import model
from tags.quality import GOOD, UNCERTAIN_LAST_USABLE


class DutyStandby(FunctionBlock):
    """See the module. Points: DUTY (1 … n), DEMAND (bool)."""

    __slots__ = (
        "_alternate",
        "_condition",
        "_demand",
        "_duty",
        "_members",
        "_names",
        "_point_demand",
        "_point_duty",
    )
    type = "duty_standby"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._names: list[str] = list(c["members"])
        self._members: list[Motor] = []
        self._condition = binder.condition(str(c["demand"]))
        self._alternate = c.get("alternate", "each start") == "each start"
        self._point_duty, self._point_demand = binder.point(config, "DUTY"), binder.point(config, "DEMAND")
        self._demand: bool | None = None
        self._duty = len(self._names) - 1 if self._alternate else 0  # so that the first start takes member 1

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
        if self._condition is not None:
            value, quality = self._condition(ctx.signals.value, ctx.signals.status)
            if not usable(quality):
                status = UNCERTAIN_LAST_USABLE
            elif value and not self._demand:
                self._choose()
                self._demand = True
            elif not value:
                self._demand = False
        if self._demand is not None:
            if self._demand and not self._members[self._duty].available:
                self._duty = self._next(self._duty)
            for i, member in enumerate(self._members):
                member.ask(self._demand and i == self._duty)
        ctx.put(self._point_demand, bool(self._demand), status)
        ctx.put(self._point_duty, self._duty + 1)

    def _choose(self) -> None:
        """The duty of a new demand."""
        if self._demand is None:
            for i, member in enumerate(self._members):
                if member.running and member.available:
                    self._duty = i
                    return
        if self._alternate:
            self._duty = self._next(self._duty)
        elif self._members[0].available:
            self._duty = 0
        else:
            self._duty = self._next(0)

    def _next(self, last: int) -> int:
        """The next available member after `last`; `last` itself when there is no other."""
        count = len(self._members)
        for step in range(1, count + 1):
            i = (last + step) % count
            if self._members[i].available:
                return i
        return last

    def retained(self) -> dict[str, Any]:
        return {"duty": self._duty + 1, "demand": self._demand}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        duty, demand = number(state.get("duty")), state.get("demand")
        if duty is not None and 1 <= duty <= len(self._names):
            self._duty = int(duty) - 1
        if fresh and isinstance(demand, bool):
            self._demand = demand
