"""Weekly schedule with holidays and override: a level by civil time, and what it sets.

    level = the state of the override while it runs, else that of the calendar
    the target is written once when the level changes

Each day begins in the state `otherwise`; a period sets its state from its second of the day on; a holiday is
`otherwise` all day. Source: ASHRAE 135 (BACnet) §12.24, weekly schedule and schedule default.

The target is written as soon as it takes commands, and is then followed: until the
next change a panel, an operator or a protocol may set something else. When the device goes away within 5 s of the
write, it may not have arrived: it is written again as soon as the target takes commands. The level that was written
last survives a restart, so a restart within a period writes nothing.

Override, where the site declares `override: {max: 3 h}`: a state written to OVERRIDE stands for that time, counted in LEFT;
then, or when `By schedule` is written, the calendar counts again. LEFT may be written, up to `max`. What is left of it
survives a restart of up to ten minutes. It is counted by control's own time.

Civil time comes with the tick (daylight saving included); the block has no other input, so none can be bad.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scada.blocks.base import NOT_OURS, Binder, Context, FunctionBlock, number
from scada.blocks.calendar import Calendar
from tags import model

SURE_NS = 5_000_000_000  # what was not taken up by then was dropped (scada.scan.outputs.ASK_NS)


class Schedule(FunctionBlock):
    """See the module. Points: STATE, the index of the state among the sorted names of states; OVERRIDE and LEFT (s)."""

    __slots__ = (
        "_calendar", "_left_ns", "_left_put", "_max_ns", "_out", "_override", "_point", "_point_left", "_point_override",
        "_sent_ns", "_values", "_written",
    )  # fmt: skip
    type = "schedule"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._calendar = Calendar(c["calendar"])
        self._values = dict(c.get("values") or {})
        target = c.get("target")
        self._out = -1 if target is None else binder.output(target)
        self._point = binder.point(config, "STATE")
        self._written: str | None = None
        self._sent_ns = SURE_NS  # since the level was written
        self._max_ns = int(c.get("override_max_ns") or 0)
        self._point_override, self._point_left = (
            binder.point(config, "OVERRIDE"),
            binder.point(config, "LEFT"),
        )
        self._override: str | None = None
        self._left_ns, self._left_put = 0, -1

    def level(self, weekday: int, second_of_day: int, date: str) -> str:
        """The state of the calendar at a civil time."""
        return self._calendar.level(weekday, second_of_day, date)

    def step(self, ctx: Context) -> None:
        tick = ctx.tick
        state = self.level(tick.weekday, tick.second_of_day, tick.date)
        if self._max_ns:
            state = self._overridden(ctx, state)
        ctx.put(self._point, self._calendar.states[state])
        if self._out < 0:
            return
        away = ctx.outputs.tracking[self._out] & NOT_OURS
        if self._sent_ns < SURE_NS:
            self._sent_ns += ctx.dt_ns
            if away:
                self._written, self._sent_ns = None, SURE_NS
        if state == self._written or away:
            return
        self._written, self._sent_ns = state, 0
        value = self._values.get(state)
        if value is not None:
            ctx.drive(self._out, value)

    def _overridden(self, ctx: Context, state: str) -> str:
        """The level with the override, whose time goes by."""
        if self._override is not None:
            self._left_ns -= ctx.dt_ns
            if self._left_ns <= 0:
                self._end()
                ctx.emit("schedule", path=self.path, message="the override has ended")
        ctx.put(
            self._point_override, 0 if self._override is None else self._calendar.states[self._override] + 1
        )
        left = -(-self._left_ns // 1_000_000_000)
        if left != self._left_put:
            self._left_put = left
            ctx.put(self._point_left, float(left))
        return state if self._override is None else self._override

    def _end(self) -> None:
        self._override, self._left_ns = None, 0

    def write(self, point: str, value: Any) -> str | None:
        wanted = number(value)
        if not self._max_ns or wanted is None or point not in ("OVERRIDE", "LEFT"):
            return super().write(point, value)
        if point == "LEFT":
            if self._override is None:
                return f"{self.path} is not overridden: write {self.path}/OVERRIDE first"
            if not 0.0 <= wanted * 1e9 <= self._max_ns:
                return f"{self.path} may be overridden for 0 … {self._max_ns / 1e9:g} s"
            self._left_ns = int(wanted * 1e9)
            return None
        if int(wanted) == 0:
            self._end()
            return None
        names = {i + 1: name for name, i in self._calendar.states.items()}
        if int(wanted) not in names:
            return f"{self.path} has no such state"
        self._override, self._left_ns = names[int(wanted)], self._max_ns
        return None

    def retained(self) -> dict[str, Any]:
        kept = {"written": self._written, "value": self._values.get(self._written or "")}
        return (
            kept if self._override is None else {**kept, "override": self._override, "left_ns": self._left_ns}
        )

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        """A level whose value was edited since counts as not written; an override of an old state has ended."""
        override, left = state.get("override"), number(state.get("left_ns"))
        if fresh and left is not None and override in self._calendar.states:
            self._override, self._left_ns = str(override), min(int(left), self._max_ns)
            if self._left_ns <= 0:
                self._end()
        written = state.get("written")
        if isinstance(written, str) and number(self._values.get(written)) == number(state.get("value")):
            self._written = written
