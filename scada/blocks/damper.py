"""Modulating damper with end switches; an on/off damper is an on_off_valve.

    want = `input` in Auto, SP in Manual                       units of out, its range is 0 … 100 % of the stroke
    out  = max(want, `min`) while `permit` holds (by itself always), else closed
    an interlock that names this block closes it and keeps it closed, in each mode

DISCREPANCY, by the same rule as the valve block, for any damper that makes its stroke within the travel time T: of the last T

    the output was within `tolerance` of closed      but CLOSED is not made
    the output was within `tolerance` of open        but OPENED is not made
    the output was away from closed all the time     but CLOSED is made;  so for open
    pos < min(out) - tolerance  or  pos > max(out) + tolerance

STATE: Closed, Between, Open, Fault. Switches and position are optional; without any there is no supervision. In Local, and before
T has passed since Local, start or a gap, there is no discrepancy.

The controller that writes `input` (a memory tag) is told when it is not heard (no permit, Manual, Local, interlock) and starts
from where the damper is; `min` is a limit to it. Bad or stale `input`: the damper stays; `permit`: not permitted (closed);
switch or position: the supervision stops, STATE and DISCREPANCY keep their value, uncertain.

Source: IEC 60534 and positioner practice for the supervision; ASHRAE Guideline 36-2021 (minimum outdoor air damper position).
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
    Inhibitable,
    number,
    usable,
)
from scada.blocks.downstream import Demand
from scada.blocks.valve import Window
from tags import model
from tags.quality import GOOD, UNCERTAIN_LAST_USABLE

CLOSED, BETWEEN, OPEN, FAULT = range(4)


class Damper(Inhibitable):
    """See the module. Points: MODE, SP, STATE, DISCREPANCY."""

    __slots__ = (
        "_closed", "_closed_at", "_demand", "_discrepancy", "_fills_ns", "_highest", "_inhibits", "_lowest", "_min", "_mode",
        "_now_ns", "_open_at", "_opened", "_out", "_permit", "_points", "_pos", "_remote", "_restart_last", "_sp", "_state",
        "_stepped", "_tolerance", "_travel_ns",
    )  # fmt: skip
    type = "damper"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._out = binder.output(c["out"], self)
        self._closed_at, self._open_at = (float(end) for end in c["stroke"])
        self._pos, self._remote = binder.optional(c.get("pos")), binder.optional(c.get("remote"))
        self._opened, self._closed = binder.optional(c.get("opened")), binder.optional(c.get("closed"))
        self._demand = None if c.get("input") is None else Demand(str(c["input"]), binder)
        self._min, self._permit = float(c["min"]), binder.condition(c.get("permit"))
        self._travel_ns, self._tolerance = int(c["travel_ns"]), float(c["tolerance"])
        self._points = [binder.point(config, name) for name in ("MODE", "SP", "STATE", "DISCREPANCY")]
        self._mode = int(c.get("first_mode", MANUAL))
        self._restart_last = c.get("restart", "last") == "last"
        self._sp: float | None = None  # None: take over what is applied
        self._inhibits: dict[str, None] = {}
        self._stepped = -1
        self._highest, self._lowest = Window(), Window()
        self._now_ns, self._fills_ns = 0, -1
        self._state, self._discrepancy = BETWEEN, False

    def link(self, blocks: Mapping[str, FunctionBlock]) -> None:
        del blocks
        if self._demand is not None:
            self._demand.link()

    def inhibit(self, ctx: Context, by: str, *, active: bool) -> None:
        if active == (by in self._inhibits):
            return
        if active:
            self._inhibits[by] = None
        else:
            del self._inhibits[by]
        if active and self._stepped == ctx.tick.number and not ctx.outputs.tracking[self._out] & NOT_OURS:
            ctx.drive(self._out, self._closed_at)

    def failed(self, ctx: Context) -> None:
        self._stepped = -1
        if self._inhibits:
            ctx.drive(self._out, self._closed_at)

    def step(self, ctx: Context) -> None:
        self._stepped = ctx.tick.number
        value, status = ctx.signals.value, ctx.signals.status
        applied, tracking = number(ctx.outputs.applied[self._out]), ctx.outputs.tracking[self._out]
        local = self._remote >= 0 and not (usable(status[self._remote]) and bool(value[self._remote]))
        if applied is None or tracking & NOT_OURS:
            self._sp = applied
            if applied is not None:
                ctx.drive(self._out, applied)
            self._answer(ctx, applied, NOT_TAKEN)
        elif self._inhibits:
            self._sp = self._closed_at
            ctx.drive(self._out, self._closed_at)
            self._answer(ctx, self._closed_at, NOT_TAKEN)
        elif self._mode == OUT_OF_SERVICE:
            self._sp = applied
            self._answer(ctx, applied, NOT_TAKEN)
        else:
            self._move(ctx, applied, tracking)
        known = self._supervise(ctx, applied, local=local)
        quality = GOOD if known else UNCERTAIN_LAST_USABLE
        mode, sp, state, discrepancy = self._points
        ctx.put(mode, self._mode)
        if self._sp is not None:
            ctx.put(sp, self._sp)
        ctx.put(state, self._state, quality)
        ctx.put(discrepancy, self._discrepancy, quality)

    def _move(self, ctx: Context, applied: float, tracking: int) -> None:
        permit = (True, GOOD) if self._permit is None else self._permit(ctx.signals.value, ctx.signals.status)
        if not (usable(permit[1]) and permit[0]):
            ctx.drive(self._out, self._closed_at)
            if self._mode == AUTO:
                self._sp = self._closed_at
            self._answer(ctx, self._least(self._closed_at), NOT_TAKEN)
            return
        if self._sp is None:
            self._sp = applied
        heard = self._mode == AUTO and self._demand is not None and self._demand.ready
        wanted = self._demand.read(ctx) if heard and self._demand is not None else self._sp
        if heard and wanted is not None:
            self._sp = wanted
        out = self._least(self._sp)
        ctx.drive(self._out, out)
        if not heard or wanted is None:
            self._answer(ctx, out, NOT_TAKEN)
        elif out != wanted:
            self._answer(ctx, out, LIMITED)
        elif tracking & (LIMITED | RATE_LIMITED):
            self._answer(ctx, applied, tracking & (LIMITED | RATE_LIMITED))

    def _least(self, value: float) -> float:
        """Not closed further than `min`; within the stroke."""
        if self._open_at >= self._closed_at:
            return min(max(value, self._min), self._open_at)
        return max(min(value, self._min), self._open_at)

    def _answer(self, ctx: Context, value: float | None, tracking: int) -> None:
        if self._demand is not None:
            self._demand.answer(ctx, value, tracking)

    def _supervise(self, ctx: Context, applied: float | None, *, local: bool) -> bool:
        """Moves STATE and DISCREPANCY; false when a switch or the position is not usable."""
        value, status = ctx.signals.value, ctx.signals.status
        slots = [slot for slot in (self._pos, self._opened, self._closed) if slot >= 0]
        known = applied is not None and all(usable(status[slot]) for slot in slots)
        self._now_ns += ctx.seen_ns
        if local or not known or applied is None:
            self._highest.clear()
            self._lowest.clear()
            self._fills_ns = -1
            self._discrepancy &= not local
            if not known:
                return False
        pos = number(value[self._pos]) if self._pos >= 0 else None
        closed = bool(value[self._closed]) if self._closed >= 0 else None
        opened = bool(value[self._opened]) if self._opened >= 0 else None
        if not local and applied is not None:
            if self._fills_ns < 0:
                self._fills_ns = self._now_ns
            high = self._highest.highest(self._now_ns, applied, self._travel_ns)
            low = -self._lowest.highest(self._now_ns, -applied, self._travel_ns)
            if self._now_ns - self._fills_ns >= self._travel_ns:
                self._discrepancy = (
                    self._wrong_end(closed, self._closed_at, low, high)
                    or self._wrong_end(opened, self._open_at, low, high)
                    or (pos is not None and not low - self._tolerance <= pos <= high + self._tolerance)
                )
        at_closed = closed if closed is not None else pos is not None and self._near(pos, self._closed_at)
        at_open = opened if opened is not None else pos is not None and self._near(pos, self._open_at)
        self._state = FAULT if self._discrepancy else CLOSED if at_closed else OPEN if at_open else BETWEEN
        return True

    def _near(self, value: float, end: float) -> bool:
        return abs(value - end) <= self._tolerance

    def _wrong_end(self, switch: bool | None, end: float, low: float, high: float) -> bool:
        """An end switch contradicts what the output was all the time."""
        if switch is None:
            return False
        if self._near(low, end) and self._near(high, end):
            return not switch
        away = low > end + self._tolerance or high < end - self._tolerance
        return switch and away

    def write(self, point: str, value: Any) -> str | None:
        wanted = number(value)
        if point == "MODE" and wanted is not None:
            if int(wanted) not in (OUT_OF_SERVICE, MANUAL, AUTO):
                return f"{self.path} has the modes {', '.join(MODE_TEXTS[m] for m in (OUT_OF_SERVICE, MANUAL, AUTO))}"
            self._mode = int(wanted)
            return None
        if point != "SP" or wanted is None:
            return super().write(point, value)
        if self._mode != MANUAL:
            return f"{self.path} is in {MODE_TEXTS[self._mode]}: set {self.path}/MODE to Manual first"
        if self._inhibits:
            return f"{self.path} is held closed by {', '.join(self._inhibits)}"
        low, high = sorted((self._closed_at, self._open_at))
        if not low <= wanted <= high:
            return f"{self.path}/SP is limited to {low:g} … {high:g}"
        self._sp = wanted
        return None

    def write_output(self, output: int, value: Any) -> str | None:
        return self.write("SP", value) if output == self._out else f"{self.path} does not drive this output"

    def to_manual(self) -> None:
        self._mode, self._sp = MANUAL, None

    def retained(self) -> dict[str, Any]:
        return {"mode": self._mode}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        self._mode = MANUAL
        mode = number(state.get("mode"))
        if fresh and self._restart_last and mode is not None:
            self.write("MODE", mode)
