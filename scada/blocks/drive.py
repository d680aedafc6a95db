"""Variable-speed drive: a motor, with all that belongs to one, and its speed.

    goal  = `input`                                       in Auto, where it has one; else SP
    goal  = `stopped`                                     while it stands
    ref  += clamp(clamp(goal, min, max) - ref, ± ramp dt)   at once to `stopped`; units of `speed`

Starting, stopping, permits, trips, hours and starts are those of the motor block. It starts at the least speed, or where SP
or the controller stands, and moves from there at `ramp`. SP is the speed by hand; in Auto with an `input` it follows the
reference, so that Manual goes on from there.

The controller that writes `input` (a memory tag) is told when it is not heard (the drive stands, in Manual, in Local, not
armed) and starts from the least speed or from the reference; and when the reference is at a limit or on its ramp. Of several
drives on one controller it goes on while one of them hears it.

DISCREPANCY (with `actual`): while it runs, the actual speed is outside of what the reference was within the last `speed_time`,
by more than `tolerance`: a drive that does not follow, as with a control valve.

Bad or stale `input`: the reference stays. Bad or stale `actual`: DISCREPANCY keeps its value, uncertain. For all else see motor.

Source: PROFIdrive (IEC 61800-7) for speed set point and actual value; ISA-88 control module motor with variable speed.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scada.blocks.base import (
    AUTO,
    LIMITED,
    MANUAL,
    MODE_TEXTS,
    NOT_OURS,
    NOT_TAKEN,
    OUT_OF_SERVICE,
    RATE_LIMITED,
    Binder,
    Context,
    FunctionBlock,
    number,
    usable,
)
from scada.blocks.downstream import Demand
from scada.blocks.motor import RUNNING, STARTING, Motor
from scada.blocks.valve import Window
from tags import model
from tags.quality import GOOD, UNCERTAIN_LAST_USABLE


class Drive(Motor):
    """See the module. Points: MODE, CMD, AUTO, STATE, TRIP, RESET, HOURS (h), STARTS of a motor; SP, with `actual` DISCREPANCY."""

    __slots__ = (
        "_actual",
        "_demand",
        "_discrepancy",
        "_drives",
        "_fills_ns",
        "_highest",
        "_lowest",
        "_max",
        "_min",
        "_now_ns",
        "_point_discrepancy",
        "_point_sp",
        "_ramp",
        "_ref",
        "_sp",
        "_speed",
        "_speed_ns",
        "_stopped",
        "_tolerance",
        "demand_path",
        "takes",
    )  # fmt: skip
    type = "drive"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._speed = binder.output(c["speed"], self)
        self.demand_path = c.get("input")
        self._demand = None if self.demand_path is None else Demand(str(self.demand_path), binder)
        self._min, self._max = float(c["speed_low"]), float(c["speed_high"])
        self._stopped, self._ramp = float(c["stopped"]), float(c.get("ramp") or 0.0)
        self._actual, self._tolerance = binder.optional(c.get("actual")), float(c.get("tolerance") or 0.0)
        self._speed_ns = int(c.get("speed_time_ns") or 0)
        self._point_sp, self._point_discrepancy = (
            binder.point(config, "SP"),
            binder.point(config, "DISCREPANCY"),
        )
        self._sp: float = self._min
        self._ref: float | None = None
        self.takes = self._discrepancy = False
        self._drives: list[Drive] = []  # the others on the same controller
        self._highest, self._lowest = Window(), Window()
        self._now_ns = 0
        self._fills_ns = -1  # since when the windows fill

    def link(self, blocks: Mapping[str, FunctionBlock]) -> None:
        super().link(blocks)
        if self._demand is not None:
            self._demand.link()
            self._drives = [
                other
                for other in blocks.values()
                if isinstance(other, Drive) and other is not self and other.demand_path == self.demand_path
            ]

    def step(self, ctx: Context) -> None:
        super().step(ctx)
        outputs = ctx.outputs
        applied, tracking = number(outputs.applied[self._speed]), outputs.tracking[self._speed]
        up = self._state in (STARTING, RUNNING)
        ours = applied is not None and not tracking & NOT_OURS and not self._passive
        self.takes = False
        if applied is None or not ours or self._mode == OUT_OF_SERVICE:
            if applied is not None:
                self._ref = applied
                if tracking & NOT_OURS:
                    ctx.drive(self._speed, applied)
            self._answer(ctx, self._ref, NOT_TAKEN)
        elif not up:
            self._ref = self._stopped
            ctx.drive(self._speed, self._stopped)
            self._answer(ctx, self._min, NOT_TAKEN)
        else:
            self._move(ctx, applied, tracking)
        if self._demand is not None and self._mode != MANUAL and up and self._ref is not None:
            self._sp = min(max(self._ref, self._min), self._max)
        self._supervise(ctx, applied, up=up)
        ctx.put(self._point_sp, self._sp)

    def _move(self, ctx: Context, applied: float, tracking: int) -> None:
        """The reference goes to its goal."""
        by_demand = self._demand is not None and self._mode == AUTO
        found = None
        if self._demand is not None and by_demand and self._demand.ready:
            found = self._demand.read(ctx)
        wanted = found if by_demand else self._sp
        now = applied if self._ref is None else self._ref
        if wanted is None:
            wanted = now
        goal = min(max(wanted, self._min), self._max)
        start = min(max(now, self._min), self._max)
        most = self._ramp * ctx.seen_ns * 1e-9
        self._ref = min(max(goal, start - most), start + most) if self._ramp > 0.0 else goal
        ctx.drive(self._speed, self._ref)
        self.takes = found is not None
        if not by_demand or found is None:
            self._answer(ctx, self._ref, NOT_TAKEN)
        elif goal != found:
            self._answer(ctx, self._ref, LIMITED)
        elif self._ref != goal:
            self._answer(ctx, self._ref, RATE_LIMITED)
        elif tracking & (LIMITED | RATE_LIMITED):
            self._answer(ctx, applied, tracking & (LIMITED | RATE_LIMITED))

    def _answer(self, ctx: Context, value: float | None, tracking: int) -> None:
        """Tells the controller; that it is not heard only when no other drive hears it."""
        if self._demand is None or (tracking & NOT_TAKEN and any(other.takes for other in self._drives)):
            return
        self._demand.answer(ctx, value, tracking)

    def _supervise(self, ctx: Context, applied: float | None, *, up: bool) -> None:
        if self._actual < 0:
            return
        self._now_ns += ctx.seen_ns
        actual = number(ctx.signals.value[self._actual])
        known = actual is not None and usable(ctx.signals.status[self._actual])
        if not up or self._state != RUNNING or applied is None or actual is None or not known:
            self._highest.clear()
            self._lowest.clear()
            self._fills_ns = -1
            self._discrepancy &= up
        else:
            if self._fills_ns < 0:
                self._fills_ns = self._now_ns
            highest = self._highest.highest(self._now_ns, applied, self._speed_ns)
            lowest = -self._lowest.highest(self._now_ns, -applied, self._speed_ns)
            if self._now_ns - self._fills_ns >= self._speed_ns:
                self._discrepancy = not lowest - self._tolerance <= actual <= highest + self._tolerance
        ctx.put(self._point_discrepancy, self._discrepancy, GOOD if known else UNCERTAIN_LAST_USABLE)

    def write(self, point: str, value: Any) -> str | None:
        if point != "SP":
            return super().write(point, value)
        wanted = number(value)
        if wanted is None or not self._min <= wanted <= self._max:
            return f"{self.path}/SP is limited to {self._min:g} … {self._max:g}"
        if self._demand is not None and self._mode != MANUAL:
            return f"{self.path} is in {MODE_TEXTS[self._mode]}: set {self.path}/MODE to Manual first"
        self._sp = wanted
        return None

    def write_output(self, output: int, value: Any) -> str | None:
        return self.write("SP", value) if output == self._speed else super().write_output(output, value)

    def retained(self) -> dict[str, Any]:
        return {**super().retained(), "sp": self._sp}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        super().restore(state, fresh=fresh)
        sp = number(state.get("sp"))
        if sp is not None:
            self._sp = min(max(sp, self._min), self._max)
