"""Weekly schedule with holidays: a level by civil time, and what it sets.

Each day begins in the state `otherwise`; a period sets its state from its second of the day on; a holiday is
`otherwise` all day. Source: ASHRAE 135 (BACnet) §12.24, weekly schedule and schedule default.

The target is written once per change of the level, as soon as it takes commands, and is then followed: until the
next change a panel, an operator or a protocol may set something else. When the device goes away within 5 s of the
write, it may not have arrived: it is written again as soon as the target takes commands. The level that was written
last survives a restart, so a restart within a period writes nothing.

Civil time comes with the tick (daylight saving included); the block has no other input.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scada.blocks.base import NOT_OURS, Binder, Context, FunctionBlock, number
from tags import model

SURE_NS = 5_000_000_000  # what was not taken up by then was dropped (scada.scan.outputs.ASK_NS)


class Schedule(FunctionBlock):
    """See the module. Points: STATE, the index of the state among the sorted names of states."""

    __slots__ = (
        "_days", "_holidays", "_otherwise", "_out", "_point", "_sent_ns", "_states", "_values", "_written",
    )  # fmt: skip
    type = "schedule"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        calendar = c["calendar"]
        self._otherwise = str(calendar["otherwise"])
        self._holidays = frozenset(calendar.get("holidays") or ())
        self._days: list[list[tuple[int, str]]] = [[] for _ in range(7)]
        for weekday, second, state in calendar["periods"]:
            self._days[weekday].append((second, state))
        for day in self._days:
            day.sort()
        names = {self._otherwise, *(state for day in self._days for _, state in day)}
        self._states = {name: i for i, name in enumerate(sorted(names))}
        self._values = dict(c.get("values") or {})
        target = c.get("target")
        self._out = -1 if target is None else binder.output(target)
        self._point = binder.point(config, "STATE")
        self._written: str | None = None
        self._sent_ns = SURE_NS  # since the level was written

    def level(self, weekday: int, second_of_day: int, date: str) -> str:
        """The state at a civil time."""
        state = self._otherwise
        if date not in self._holidays:
            for begin, name in self._days[weekday % 7]:
                if begin > second_of_day:
                    break
                state = name
        return state

    def step(self, ctx: Context) -> None:
        tick = ctx.tick
        state = self.level(tick.weekday, tick.second_of_day, tick.date)
        ctx.put(self._point, self._states[state])
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

    def retained(self) -> dict[str, Any]:
        return {"written": self._written, "value": self._values.get(self._written or "")}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        """A level whose value was edited since counts as not written."""
        del fresh
        written = state.get("written")
        if isinstance(written, str) and number(self._values.get(written)) == number(state.get("value")):
            self._written = written
