"""Heating/cooling changeover: never both, not to and fro, and a pause between.

    Neutral -> Heating    when `heating` holds (it wins over `cooling`)
    Neutral -> Cooling    when `cooling` holds
    Heating -> Neutral    when `heating` no longer holds and it has lasted `min_time`; so Cooling
    Neutral lasts at least `pause` before the other side begins; the same side may go on at once

SELECT lets people choose: Auto, Heating, Cooling, Off; a chosen side begins after the pause too. HEATING and COOLING are
conditions for others: `permit: hvac/CHANGEOVER/HEATING` of a valve, `action` by two controllers, a four-pipe or two-pipe plant.
State, choice and the time that it has lasted survive a restart.

A bad or stale condition counts as its last usable value (none yet: not wanted); STATE then is UncertainLastUsableValue.

Source: ISO 52120-1 (BACS functions: interlock between heating and cooling control); ASHRAE Guideline 36-2021 (zones: no
simultaneous heating and cooling).
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scada.blocks.base import Binder, Context, FunctionBlock, number, usable
from tags import model
from tags.quality import GOOD, UNCERTAIN_LAST_USABLE

NEUTRAL, HEATING, COOLING = range(3)
BY_ITSELF, HEAT, COOL, OFF = range(4)


class Changeover(FunctionBlock):
    """See the module. Points: STATE (Neutral, Heating, Cooling), HEATING, COOLING, SELECT (Auto, Heating, Cooling, Off)."""

    __slots__ = (
        "_last",
        "_min_ns",
        "_pause_ns",
        "_points",
        "_select",
        "_since_ns",
        "_state",
        "_want",
        "_wishes",
    )
    type = "changeover"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._wishes = [binder.condition(str(c["heating"])), binder.condition(str(c["cooling"]))]
        self._min_ns, self._pause_ns = int(c.get("min_time_ns") or 0), int(c.get("pause_ns") or 0)
        self._points = [binder.point(config, name) for name in ("STATE", "HEATING", "COOLING", "SELECT")]
        self._state, self._last, self._select = NEUTRAL, NEUTRAL, BY_ITSELF
        self._since_ns = self._pause_ns  # at the very first start nothing was on
        self._want = [False, False]

    def step(self, ctx: Context) -> None:
        status = GOOD
        for i, wish in enumerate(self._wishes):
            if wish is not None:
                value, quality = wish(ctx.signals.value, ctx.signals.status)
                if usable(quality):
                    self._want[i] = bool(value)
                else:
                    status = UNCERTAIN_LAST_USABLE
        self._since_ns = min(self._since_ns + ctx.dt_ns, max(self._min_ns, self._pause_ns))
        goal = self._goal()
        if self._state != NEUTRAL:
            by_hand = self._select != BY_ITSELF
            if goal != self._state and (by_hand or self._since_ns >= self._min_ns):
                self._last, self._state, self._since_ns = self._state, NEUTRAL, 0
        rested = self._last in {goal, NEUTRAL} or self._since_ns >= self._pause_ns
        if self._state == NEUTRAL and goal != NEUTRAL and rested:
            self._state, self._since_ns = goal, 0
        state, heating, cooling, select = self._points
        ctx.put(state, self._state, status)
        ctx.put(heating, self._state == HEATING)
        ctx.put(cooling, self._state == COOLING)
        ctx.put(select, self._select)

    def _goal(self) -> int:
        """What is wanted, whatever it takes to get there."""
        if self._select != BY_ITSELF:
            return {HEAT: HEATING, COOL: COOLING}.get(self._select, NEUTRAL)
        heating, cooling = self._want
        if self._state == COOLING and cooling:
            return COOLING
        return HEATING if heating else COOLING if cooling else NEUTRAL

    def write(self, point: str, value: Any) -> str | None:
        wanted = number(value)
        if point != "SELECT" or wanted is None or int(wanted) not in (BY_ITSELF, HEAT, COOL, OFF):
            return f"{self.path} takes SELECT: 0 Auto, 1 Heating, 2 Cooling, 3 Off"
        self._select = int(wanted)
        return None

    def retained(self) -> dict[str, Any]:
        return {"state": self._state, "last": self._last, "select": self._select, "since_ns": self._since_ns}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        """The state only when it is fresh: else it begins in Neutral, with the pause."""
        self.write("SELECT", state.get("select"))
        now, last, since = state.get("state"), state.get("last"), number(state.get("since_ns"))
        if now not in (NEUTRAL, HEATING, COOLING) or last not in (NEUTRAL, HEATING, COOLING) or since is None:
            return
        if fresh:
            self._state, self._last, self._since_ns = int(now), int(last), max(int(since), 0)
        else:
            self._last = int(now) or int(last)
            self._since_ns = 0
