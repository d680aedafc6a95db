"""On/off valve or damper: one coil (true = open) and up to two end switches.

    want = AUTO (`auto`, in Auto) or CMD (in Manual)
    to open needs `permit`; an open valve is not closed by losing it
    an interlock that names this block closes it and keeps it closed, in each mode

STATE: Closed, Opening, Open, Closing, Fault. A stroke that is not finished after the travel time, an end position
that is lost without a command, or both end switches at once for the travel time is a Fault with DISCREPANCY; it
clears when the switches agree with the command again. With one switch the other end is its opposite; with none a
stroke counts as made after the travel time.

STROKES counts each time that the other end is reached, also in Local; it survives a restart. STUCK: a fault in which the valve
never left the end where it stood.

In Local the command tracks the position and nothing is supervised. A bad `auto` keeps the last wish, a bad `permit`
does not permit, a bad end switch stops the supervision: STATE keeps its value with the switch's quality.

Source: ISA-88.00.01 (control module); VDI/VDE/NAMUR 2658-3 (monitored binary valve), for the words.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scada.blocks.base import (
    AUTO,
    DISARMED,
    FORCED,
    INTERLOCKED,
    LOCAL,
    MANUAL,
    MODE_TEXTS,
    NOT_INITIALISED,
    OUT_OF_SERVICE,
    Binder,
    Context,
    Inhibitable,
    number,
    usable,
)
from tags import model
from tags.quality import GOOD, UNCERTAIN_LAST_USABLE

CLOSED, OPENING, OPEN, CLOSING, FAULT = range(5)


class OnOffValve(Inhibitable):
    """See the module. Points: MODE, CMD, AUTO, STATE, DISCREPANCY, STUCK, STROKES."""

    __slots__ = (
        "_asked",
        "_auto",
        "_auto_known",
        "_closed",
        "_cmd",
        "_end",
        "_inhibits",
        "_left",
        "_mode",
        "_opened",
        "_out",
        "_passive",
        "_permit",
        "_permitted",
        "_points",
        "_remote",
        "_restart_last",
        "_state",
        "_stepped",
        "_stroke_ns",
        "_strokes",
        "_travel_ns",
        "_wish",
    )  # fmt: skip
    type = "on_off_valve"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._out = binder.output(c["out"], self)
        self._opened, self._closed = binder.optional(c.get("opened")), binder.optional(c.get("closed"))
        self._remote = binder.optional(c.get("remote"))
        self._travel_ns = int(c["travel_ns"])
        self._wish, self._permit = binder.condition(c.get("auto")), binder.condition(c.get("permit"))
        self._points = [
            binder.point(config, name)
            for name in ("MODE", "CMD", "AUTO", "STATE", "DISCREPANCY", "STUCK", "STROKES")
        ]
        self._end: bool | None = None  # the end position that it was in last
        self._left, self._strokes = False, 0  # it was seen away from that end
        self._mode = int(c.get("first_mode", MANUAL))
        self._restart_last = c.get("restart", "last") == "last"
        self._cmd: bool | None = None  # None: nothing known yet, take over what is applied
        self._asked: bool | None = None  # what the stroke being supervised goes to
        self._auto, self._auto_known = False, False
        self._permitted, self._passive, self._stepped = False, True, -1
        self._inhibits: dict[str, None] = {}
        self._state, self._stroke_ns = CLOSED, 0

    def inhibit(self, ctx: Context, by: str, *, active: bool) -> None:
        if active == (by in self._inhibits):
            return
        if active:
            self._inhibits[by] = None
        else:
            del self._inhibits[by]
        if active and self._stepped == ctx.tick.number and not self._passive:
            self._command(ctx)

    def failed(self, ctx: Context) -> None:
        self._stepped = -1
        if self._inhibits:
            ctx.drive(self._out, False)

    def step(self, ctx: Context) -> None:
        value, status = ctx.signals.value, ctx.signals.status
        self._stepped = ctx.tick.number
        tracking, applied = ctx.outputs.tracking[self._out], ctx.outputs.applied[self._out]
        local = self._remote >= 0 and not (usable(status[self._remote]) and bool(value[self._remote]))
        self._passive = local or bool(tracking & (LOCAL | DISARMED | NOT_INITIALISED)) or applied is None
        if self._wish is not None:
            wish, quality = self._wish(value, status)
            self._auto_known = usable(quality)
            if self._auto_known:
                self._auto = bool(wish)
        permit = (True, GOOD) if self._permit is None else self._permit(value, status)
        self._permitted = usable(permit[1]) and bool(permit[0])

        position, quality = self._position(ctx)
        self._count(position, quality)
        if self._passive:
            if applied is not None:
                self._cmd = bool(applied) if position is None else position
            self._asked = None
            if position is not None:
                self._state = OPEN if position else CLOSED
            elif self._opened < 0 and self._closed < 0:
                self._state = OPEN if self._cmd else CLOSED
            discrepancy = False
        else:
            if self._cmd is None or (self._mode == MANUAL and tracking & (INTERLOCKED | FORCED)):
                self._cmd = bool(applied)
            self._command(ctx)
            discrepancy = self._supervise(ctx, bool(applied), position, quality)
        mode, cmd, auto, state, alarm, stuck, strokes = self._points
        ctx.put(mode, self._mode)
        ctx.put(cmd, bool(self._cmd))
        ctx.put(auto, self._auto, GOOD if self._auto_known or self._wish is None else UNCERTAIN_LAST_USABLE)
        ctx.put(state, self._state, quality)
        supervised = GOOD if quality == GOOD else UNCERTAIN_LAST_USABLE
        ctx.put(alarm, discrepancy, supervised)
        known = self._opened >= 0 or self._closed >= 0
        ctx.put(stuck, discrepancy and known and not self._left, supervised)
        ctx.put(strokes, self._strokes)

    def _count(self, position: bool | None, quality: int) -> None:
        """Strokes, by the end switches; a valve without any counts those of STATE."""
        if quality != GOOD:
            return
        if self._opened < 0 and self._closed < 0:
            position = {OPEN: True, CLOSED: False}.get(self._state)
        if position is None:
            self._left = True
        elif position is not self._end:
            self._strokes += self._end is not None
            self._end, self._left = position, False

    def _command(self, ctx: Context) -> None:
        """Decides what the coil should be and drives it."""
        if self._mode == OUT_OF_SERVICE and not self._inhibits:
            return
        want = bool(self._cmd)
        if self._mode == AUTO and self._auto_known:
            want = self._auto
        if self._inhibits or (want and not self._permitted and not ctx.outputs.applied[self._out]):
            want = False
        self._cmd = want
        ctx.drive(self._out, want)

    def _position(self, ctx: Context) -> tuple[bool | None, int]:
        """True = fully open, False = fully closed, None = between or contradictory; and the worst quality."""
        value, status = ctx.signals.value, ctx.signals.status
        opened, closed = self._opened, self._closed
        for slot in (opened, closed):
            if slot >= 0 and not usable(status[slot]):
                return None, status[slot]
        if opened >= 0 and closed >= 0:
            is_open, is_closed = bool(value[opened]), bool(value[closed])
            return (None if is_open == is_closed else is_open), GOOD
        if opened >= 0:
            return bool(value[opened]), GOOD
        return (not value[closed] if closed >= 0 else None), GOOD

    def _supervise(self, ctx: Context, asked: bool, position: bool | None, quality: int) -> bool:
        """Moves STATE; true when the valve does not do what the coil says.

        `asked` is what the output stage applied, so an interlock on the coil is a command like any other.
        """
        if asked is not self._asked:
            self._asked, self._stroke_ns = asked, 0
            self._left = position is None
        if quality != GOOD:
            self._stroke_ns = 0
            return self._state == FAULT
        if position is None and self._opened < 0 and self._closed < 0 and self._stroke_ns >= self._travel_ns:
            position = asked
        if position is asked:
            self._state, self._stroke_ns = (OPEN if asked else CLOSED), 0
            if self._opened < 0 and self._closed < 0:
                self._stroke_ns = self._travel_ns
            return False
        if self._stroke_ns >= self._travel_ns:
            self._state = FAULT
        elif self._state != FAULT:
            self._state = OPENING if asked else CLOSING
        self._stroke_ns += ctx.seen_ns
        return self._state == FAULT

    def write(self, point: str, value: Any) -> str | None:
        wanted = number(value)
        if wanted is None:
            return f"{self.path}/{point} needs a number"
        if point == "MODE":
            if int(wanted) not in (OUT_OF_SERVICE, MANUAL, AUTO):
                return f"{self.path} has the modes {', '.join(MODE_TEXTS[m] for m in (OUT_OF_SERVICE, MANUAL, AUTO))}"
            self._mode = int(wanted)
            return None
        if point != "CMD":
            return f"{self.path}/{point} is computed: it cannot be written"
        if self._mode != MANUAL:
            return f"{self.path} is in {MODE_TEXTS[self._mode]}: set {self.path}/MODE to Manual first"
        if self._passive:
            return f"{self.path} is in Local or its device is not armed"
        if wanted and self._inhibits:
            return f"{self.path} is held closed by {', '.join(self._inhibits)}"
        if wanted and not self._permitted and not self._cmd:
            return f"{self.path} is not permitted to open"
        self._cmd = bool(wanted)
        return None

    def write_output(self, output: int, value: Any) -> str | None:
        if output != self._out:
            return f"{self.path} does not drive this output"
        return self.write("CMD", value)

    def to_manual(self) -> None:
        self._mode, self._cmd = MANUAL, None

    def retained(self) -> dict[str, Any]:
        return {"mode": self._mode, "strokes": self._strokes}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        mode, strokes = number(state.get("mode")), number(state.get("strokes"))
        if strokes is not None and strokes >= 0:
            self._strokes = int(strokes)
        if not (fresh and self._restart_last):
            self._mode = MANUAL
        elif mode is not None:
            self.write("MODE", mode)
