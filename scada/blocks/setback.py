"""Night set-back with optimum start: the set point of a room by a schedule, and warm when people come.

    Occupied    OUT = `occupied`        while the schedule is in `state`
    Set-back    OUT = `setback`         else
    Warm-up     OUT = `occupied`        from LEAD before the next `state` on

    LEAD = min(|occupied - pv| / RATE, longest)                                   with `optimum_start`; 0 without
    RATE += 0.3 (|pv - pv at the start of the warm-up| / its duration - RATE)     at the end of a warm-up, with `adapt`

RATE is how fast the room warms up (or cools down, where `setback` is above `occupied`), K/h: it begins at `rate`, learns from
each warm-up of ten minutes and half a degree or more, stays within a fifth and five times of `rate`, and is retained; an
engineer may write it. A warm-up ends when people come, or when the schedule no longer says so.

The lowest temperature at night is `setback` itself: whoever controls heats to it. In a night in which the clocks change the
warm-up may begin an hour early or late.

Bad or stale PV: no warm-up is begun or judged; LEAD is `longest` then, so that the room is warm in any case. The schedule is
civil time, which is never bad.

Source: EN 12098-1 (intermittent heating with optimum start); ISO 52120-1 (BACS functions: intermittent control with optimum
start); J. E. Seem, P. R. Armstrong, C. E. Hancock, Algorithms for predicting recovery time from night setback, ASHRAE
Transactions 95(2), 1989.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from scada.blocks.base import Binder, Context, FunctionBlock, number, usable
from scada.blocks.calendar import Calendar
from tags import model
from tags.quality import GOOD, UNCERTAIN_LAST_USABLE

SETBACK, WARM_UP, OCCUPIED = range(3)
LEARN: Final = 0.3
RATE_SPAN: Final = 5.0
JUDGED_NS: Final = 600_000_000_000
JUDGED_K: Final = 0.5
LOOK_S: Final = 30  # the calendar is asked this often


class Setback(FunctionBlock):
    """See the module. Points: OUT, at the path of the block; STATE (Set-back, Warm-up, Occupied), LEAD (s), RATE (K/h)."""

    __slots__ = (
        "_adapt", "_begun", "_calendar", "_first_rate", "_lead_s", "_longest_s", "_name", "_next_s", "_occupied", "_points",
        "_pv", "_rate", "_seen", "_setback", "_since_ns", "_state",
    )  # fmt: skip
    type = "setback"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._calendar, self._name = Calendar(c["calendar"]), str(c["state"])
        self._pv = binder.slot(c["pv"])
        self._occupied, self._setback = float(c["occupied"]), float(c["setback"])
        start = c.get("optimum_start")
        self._longest_s = 0 if start is None else int(start["longest_ns"] // 1_000_000_000)
        self._first_rate = self._rate = 1.0 if start is None else float(start["rate"])
        self._adapt = start is not None and bool(start["adapt"])
        self._points = [binder.point(config, name) for name in ("OUT", "STATE", "LEAD", "RATE")]
        self._state, self._lead_s = SETBACK, 0.0
        self._begun: float | None = None  # PV at the start of the warm-up
        self._since_ns = 0
        self._seen = ("", -1)  # what the calendar was asked
        self._next_s: int | None = (
            None  # and what it said: time to the next `state`, None: not within `longest`
        )

    def step(self, ctx: Context) -> None:
        tick, signals = ctx.tick, ctx.signals
        pv = number(signals.value[self._pv]) if usable(signals.status[self._pv]) else None
        asked = tick.date, tick.second_of_day // LOOK_S
        if asked != self._seen:
            self._seen = asked
            self._next_s = self._calendar.until(
                self._name, tick.weekday, tick.second_of_day, tick.date, self._longest_s
            )
        missing = None if pv is None else abs(self._occupied - pv)
        if pv is not None and (self._occupied - pv) * (self._occupied - self._setback) <= 0.0:
            missing = 0.0  # it is there already
        self._lead_s = self._longest_s
        if missing is not None:
            self._lead_s = min(missing / self._rate * 3600.0, self._longest_s)
        state = self._wanted()
        if self._state == WARM_UP:
            self._since_ns += ctx.dt_ns
        if state != self._state:
            if self._state == WARM_UP and state == OCCUPIED:
                self._learn(pv)
            self._state, self._since_ns = state, 0
            self._begun = pv if state == WARM_UP else None
        elif state == WARM_UP and missing == 0.0 and self._begun is not None:
            self._learn(pv)  # warm before they come: that is how long it took
        out, point, lead, rate = self._points
        ctx.put(out, self._setback if state == SETBACK else self._occupied)
        ctx.put(point, state)
        ctx.put(lead, round(self._lead_s / 60.0) * 60.0, GOOD if pv is not None else UNCERTAIN_LAST_USABLE)
        ctx.put(rate, self._rate)

    def _wanted(self) -> int:
        if self._next_s is None:
            return SETBACK
        if self._next_s == 0:
            return OCCUPIED
        begun = self._state == WARM_UP or self._next_s <= self._lead_s
        return WARM_UP if begun and self._longest_s else SETBACK

    def _learn(self, pv: float | None) -> None:
        """Judges a warm-up, once."""
        begun, self._begun = self._begun, None
        if not self._adapt or pv is None or begun is None or self._since_ns < JUDGED_NS:
            return
        gained = abs(pv - begun) if (pv - begun) * (self._occupied - self._setback) > 0.0 else 0.0
        if abs(self._occupied - begun) < JUDGED_K:
            return
        measured = gained / (self._since_ns / 3.6e12)
        self._set_rate(self._rate + LEARN * (measured - self._rate))

    def _set_rate(self, rate: float) -> None:
        self._rate = min(max(rate, self._first_rate / RATE_SPAN), self._first_rate * RATE_SPAN)

    def write(self, point: str, value: Any) -> str | None:
        wanted = number(value)
        if point != "RATE" or wanted is None:
            return f"{self.path} takes a number for RATE only"
        low, high = self._first_rate / RATE_SPAN, self._first_rate * RATE_SPAN
        if not low <= wanted <= high:
            return f"{self.path}/RATE is limited to {low:g} … {high:g}"
        self._rate = wanted
        return None

    def retained(self) -> dict[str, Any]:
        return {"rate": self._rate, "state": self._state, "first_rate": self._first_rate}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        """The rate, while the site's own has not been edited; a warm-up under way goes on and is not judged."""
        if state.get("first_rate") == self._first_rate:
            self.write("RATE", state.get("rate"))
        if fresh and state.get("state") in (SETBACK, WARM_UP, OCCUPIED):
            self._state = int(state["state"])
