"""PID controller in the ISA ideal (standard) or parallel form, on percent of range.

Equation, once per new sample of the PV (`fresh`) but not more often than `every_ns` (0: each sample), dt = time since
the last execution, at most four sample periods::

    e = ±100 (sp - pv) / span(pv)                            %; + for reverse action, - for direct
    u = P + I - D + F                                        % of span(out)
    P = K e,  K = GAIN f(s)                                  f: gain schedule of s, 1 without one
    F = 100 g x / span(out)                                  feed-forward of x, g in units of out per unit of x
    I += C e dt / Ti  +  (v - u) dt / Tt                     second term: anti-windup by back-calculation
    D = (Tf D + C Td Δpv) / (Tf + dt)                        derivative on the PV, first-order filter; its dt is all of the time

    form ideal:     C = K;     Tf = Td / 10;        Tt = Ti for PI, sqrt(Ti Td) for PID, never more than Ti
    form parallel:  C = f(s);  Ki = 1 / Ti and Kd = Td;  Tf and Tt as of the ideal form with Ti' = K Ti / C, Td' = C Td / K (K = 0: Tt = 0)

These equations are kept to rounding (1e-13 of a step, against the exact solution of a loop with a plant of first order).
Sampling itself costs, against the continuous loop: 0.7 … 1.3 % of a set point step at most with an execution each hundredth
of the plant's time constant, a tenth of that each thousandth.

v is what the output really did: u within the output limits, or what the output stage applied when it limited or
rate-limited. With Td = 0 the integral follows a saturated output with Ti and leaves the limit as soon as the error
changes its sign. Ti = 0: no integral action.

Source: K. J. Åström, T. Hägglund, Advanced PID Control (ISA 2006), §3.2-3.5, §13.4; ISA-5.9 (PID forms and terms);
cascade, tracking and mode shedding: FOUNDATION Fieldbus FF-891, PID block.

Set point by mode: in Manual and Auto its own, SP; in Cascade the tag `cascade`, most often a memory tag that another
controller writes; in Remote cascade RSP, which a computer must write at least every `timeout`, else the mode falls to
`then`. SP follows what acts, within its limits, so that Auto goes on from there. The controller that writes the cascade
tag is told when it is not heard (this block is not in Cascade, in Local, not Good …) and where it will be taken up: the
set point in Auto, the PV where nothing is controlled; and when the set point is at its limit, on its ramp, or this output
is saturated: then the PV is its anti-windup value (external reset, Shinskey). So opening and closing a cascade bumps nothing
and winds nothing up. A cascade tag that is not Good holds the set point for `hold_ns`, then the mode falls to Auto.

With `track_pv` SP follows the PV in Manual. With `track` the output follows `value` while `when` holds, in each mode
but Manual and Out of service; TRACKING says so.

Bumpless: in Manual, Local, under an interlock or force, disarmed, tracking, before initialisation, and while the PV is not
usable, the block executes nothing; the first scan after that takes the integral from what is applied:
I = v - P + D - F. So it does when a set point from outside is taken that differs from SP. A change of tuning, or of the
gain by its schedule, shifts the integral so that the output stays: in 10,000 random cases nothing moved by more than
5e-12 % of the range. The set point acts through the ramp.

A feed-forward or schedule input that is Bad or stale counts as its last usable value (before the first: F = 0, f = 1).

Bad or stale PV or set point: the output holds for `hold_ns`; then the block goes to Manual at that output, or drives
the given value until the PV is back and goes on from there. A gap is not integrated.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from scada.blocks.analog import Input
from scada.blocks.base import (
    AUTO,
    CASCADE,
    LIMITED,
    MANUAL,
    MODE_TEXTS,
    NOT_OURS,
    NOT_TAKEN,
    OUT_OF_SERVICE,
    RATE_LIMITED,
    REMOTE_CASCADE,
    Binder,
    Context,
    FunctionBlock,
    number,
    usable,
)
from scada.blocks.characteriser import Curve
from scada.blocks.pid_outside import OutsideSetPoint, Track
from tags import model

DERIVATIVE_FILTER = 10.0  # N: the filter's time constant is Td / N
ELAPSED_SAMPLES_MAX = 4  # an execution never accounts for more sample periods than this
TUNING_MAX = 1e9  # gain, or seconds


class Pid(FunctionBlock):
    """See the module. Points: SP (unless the set point is a tag), MODE, GAIN, TI, TD (s), with them RSP and TRACKING."""

    __slots__ = (
        "_bad_ns", "_cascade", "_changed", "_configured", "_curve", "_d", "_e", "_elapsed_cap_ns", "_elapsed_ns",
        "_every_ns", "_factor", "_feed", "_feed_gain", "_feed_input", "_follow_pv", "_gain",
        "_hold_ns", "_i", "_last", "_manual", "_mode", "_modes", "_not_taken", "_out", "_out_high", "_out_low",
        "_out_scale", "_out_zero", "_outside", "_parallel",
        "_point_gain", "_point_mode", "_point_sp", "_point_td", "_point_ti", "_pv", "_pv_last", "_pv_scale", "_ramp",
        "_reset", "_restart_last", "_sign", "_sp", "_sp_high", "_sp_low", "_sp_now", "_sp_slot", "_td", "_then",
        "_ti", "_track", "_u",
    )  # fmt: skip
    type = "pid"
    RETAINED_OF = ("_mode", "_sp", "_gain", "_ti", "_td")

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._pv, self._out = binder.slot(c["pv"]), binder.output(c["out"], self)
        self._sp_slot = binder.optional(c.get("setpoint_tag"))
        self._cascade = self._sp_slot >= 0
        self._point_sp, self._point_mode = binder.point(config, "SP"), binder.point(config, "MODE")
        self._point_gain = binder.point(config, "GAIN")
        self._point_ti, self._point_td = binder.point(config, "TI"), binder.point(config, "TD")

        pv, out = binder.tags[c["pv"]], binder.tags[c["out"]]
        low, high = pv.range or (0.0, 100.0)  # without a range the gain is per unit of the PV
        self._pv_scale = 100.0 / (high - low) if high > low else 1.0
        low, high = out.range or out.limits or (0.0, 100.0)
        self._out_zero, self._out_scale = low, (high - low) / 100.0 if high > low else 1.0
        given = number(c.get("out_low")), number(c.get("out_high"))
        self._out_low = low if given[0] is None else given[0]
        self._out_high = high if given[1] is None else given[1]
        self._sign = -1.0 if c.get("action") == "direct" else 1.0
        self._every_ns = int(c.get("every_ns") or 0)
        sample_ns = max(binder.period_ns, pv.scan_ns, self._every_ns)
        self._elapsed_cap_ns = ELAPSED_SAMPLES_MAX * sample_ns

        feed, schedule = c.get("feedforward"), c.get("gain_schedule")
        self._feed_input = None if feed is None else Input(str(feed["input"]), binder)
        self._feed_gain = (
            0.0 if feed is None else float(feed["gain"]) / self._out_scale
        )  # % per unit of the input
        self._feed = 0.0
        self._curve = (
            None if schedule is None else (Input(str(schedule["input"]), binder), Curve(schedule["curve"]))
        )
        self._factor = 1.0

        self._gain, self._ti, self._td = float(c["gain"]), c["ti_ns"] * 1e-9, c.get("td_ns", 0) * 1e-9
        self._parallel = c.get("form") == "parallel"
        self._configured: list[Any] = [self._gain, self._ti, self._td]
        if self._parallel:
            self._configured.append("parallel")
        self._sp_low, self._sp_high = number(c.get("sp_low")), number(c.get("sp_high"))
        self._sp = number(c.get("sp_initial"))  # None: the first usable PV
        self._ramp = float(c.get("ramp") or 0.0)
        bad = c.get("on_bad_pv") or {"hold_ns": 0, "then": "manual"}
        self._hold_ns, self._then = int(bad["hold_ns"]), number(bad["then"])
        self._restart_last = c.get("restart", "last") == "last"
        self._follow_pv = bool(c.get("track_pv"))
        cascade, remote = c.get("cascade") is not None, c.get("remote") is not None
        self._outside = OutsideSetPoint(config, binder) if cascade or remote else None
        self._track = None if c.get("track") is None else Track(config, binder)
        offered = [OUT_OF_SERVICE, MANUAL, AUTO]
        offered += [CASCADE] if cascade or self._cascade else []
        offered += [REMOTE_CASCADE] if remote else []
        self._modes = [mode for mode in offered if mode in (c.get("modes") or offered)]
        self._mode = int(c.get("first_mode", MANUAL))

        self._sp_now: float | None = self._sp
        self._manual: float | None = None  # None: take over what is applied
        self._last: float | None = None  # what was driven last, engineering units
        self._reset, self._changed, self._not_taken = True, True, False
        self._bad_ns, self._elapsed_ns = 0, 0
        self._e = self._i = self._d = self._u = self._pv_last = 0.0

    def link(self, blocks: Mapping[str, FunctionBlock]) -> None:
        del blocks
        if self._outside is not None:
            self._outside.link()

    def sampled(self, period_ns: Mapping[int, int]) -> None:
        # A PV that a filter or a calculation makes is as slow as what it is made of.
        self._elapsed_cap_ns = max(self._elapsed_cap_ns, ELAPSED_SAMPLES_MAX * period_ns.get(self._pv, 0))

    def step(self, ctx: Context) -> None:
        signals = ctx.signals
        pv = number(signals.value[self._pv]) if usable(signals.status[self._pv]) else None
        if self._outside is not None:
            self._take_outside(ctx, self._outside)
        if self._follow_pv and self._mode == MANUAL and pv is not None and pv != self._sp:
            self._sp, self._changed = self._within(pv), True
            self._sp_now = self._sp
        sp = self._setpoint(ctx, pv)
        if self._changed:
            self._put_points(ctx)
        controls = self._act(ctx, pv, sp)
        if self._outside is not None:
            self._answer(ctx, self._outside, pv, controls=controls)

    def _act(self, ctx: Context, pv: float | None, sp: float | None) -> bool:
        """What the mode and the output ask for; True when the equation acts on the output."""
        signals, outputs, out = ctx.signals, ctx.outputs, self._out
        applied, tracking = number(outputs.applied[out]), outputs.tracking[out]
        track = None if self._track is None else self._track.read(ctx)
        if applied is None or self._mode == OUT_OF_SERVICE:
            self._reset = True
            return False
        if tracking & NOT_OURS:
            self._last = applied
            self._manual = None
            self._reset, self._not_taken = True, tracking & NOT_TAKEN != 0
            if self._mode != MANUAL and (pv is None or sp is None):
                self._bad(ctx, applied)
            else:
                self._bad_ns = 0
            ctx.drive(out, applied)
            return False
        if self._mode == MANUAL:
            if self._manual is None:
                self._manual = applied
            self._last, self._reset, self._bad_ns, self._not_taken = self._manual, True, 0, False
            ctx.drive(out, self._manual)
            return False
        if track is not None and track[0]:
            value = applied if track[1] is None else track[1]
            self._last, self._reset, self._bad_ns = min(max(value, self._out_low), self._out_high), True, 0
            ctx.drive(out, self._last)
            return False
        if pv is None or sp is None:
            self._reset = True
            self._bad(ctx, applied)
            ctx.drive(out, self._last)
            return False
        self._bad_ns = 0
        self._elapsed_ns += ctx.dt_ns
        if self._feed_input is not None or self._curve is not None:
            self._look_ahead(ctx)
        if self._reset:
            self._initialise(pv, sp, applied)
        elif signals.fresh[self._pv] and self._elapsed_ns >= self._every_ns:
            self._execute(pv, sp, applied if tracking & (LIMITED | RATE_LIMITED) else None)
        ctx.drive(out, self._last)
        return True

    def _take_outside(self, ctx: Context, outside: OutsideSetPoint) -> None:
        """The set point of Cascade and Remote cascade becomes SP; falls back when there is none."""
        outside.watch(ctx)
        if self._mode not in (CASCADE, REMOTE_CASCADE):
            outside.left()
            return
        value, first = outside.take(ctx, self._mode)
        if value is not None:
            sp = self._within(value)
            outside.clamped = sp != value
            if sp != self._sp:
                self._sp, self._changed = sp, True
                self._reset |= first
        fallen = outside.shed(self._mode)
        if fallen is not None:
            self._mode, reason = fallen
            self._changed = True
            self._manual = None
            ctx.emit("mode", path=self.path, to=MODE_TEXTS[self._mode], reason=reason)
            outside.left()

    def _answer(self, ctx: Context, outside: OutsideSetPoint, pv: float | None, *, controls: bool) -> None:
        """Tells who gives the set point what came of it: the value to go on from, and why."""
        if not controls:
            outside.answer(ctx, self._sp if pv is None else self._within(pv), NOT_TAKEN)
        elif self._mode != CASCADE or not outside.taken:
            outside.answer(ctx, self._sp, NOT_TAKEN)
        elif outside.clamped:
            outside.answer(ctx, self._sp, LIMITED)
        elif self._sp_now != self._sp:
            outside.answer(ctx, self._sp_now, RATE_LIMITED)
        elif pv is not None and self._saturated(ctx):
            outside.answer(ctx, pv, LIMITED)

    def _saturated(self, ctx: Context) -> bool:
        """The output is at a limit and the error asks for more."""
        v = min(max(self._u, self._percent(self._out_low)), self._percent(self._out_high))
        if ctx.outputs.tracking[self._out] & LIMITED:
            v = self._percent(float(ctx.outputs.applied[self._out]))
        return (self._u - v) * self._e > 0.0

    def _percent(self, value: float) -> float:
        return (value - self._out_zero) / self._out_scale

    def _within(self, sp: float) -> float:
        """A set point within its limits."""
        sp = sp if self._sp_low is None else max(sp, self._sp_low)
        return sp if self._sp_high is None else min(sp, self._sp_high)

    def _setpoint(self, ctx: Context, pv: float | None) -> float | None:
        """The set point that acts, after the ramp; None when it is not usable."""
        if self._sp_slot >= 0:
            signals = ctx.signals
            target = number(signals.value[self._sp_slot]) if usable(signals.status[self._sp_slot]) else None
            if target is None:
                return None
            self._sp = target
        elif self._sp is None:
            if pv is None:
                return None
            self._sp = self._sp_now = pv
            self._changed = True
        goal, now = self._sp, self._sp_now
        if now == goal:
            return goal
        if self._ramp > 0.0 and now is not None and not self._reset:
            most = self._ramp * ctx.seen_ns * 1e-9
            goal = min(max(goal, now - most), now + most)
        self._sp_now = goal
        return goal

    def _bad(self, ctx: Context, applied: float) -> None:
        """PV or set point is not usable: hold, then Manual or the given value."""
        if self._last is None:
            self._last = applied
        self._bad_ns += ctx.dt_ns
        if self._bad_ns <= self._hold_ns:
            return
        if self._then is None:
            self._mode, self._manual, self._changed = MANUAL, None, True
            ctx.emit("mode", path=self.path, to=MODE_TEXTS[MANUAL], reason="PV or set point is not Good")
            self._put_points(ctx)
        else:
            self._last = self._then

    def _look_ahead(self, ctx: Context) -> None:
        """Feed-forward and gain schedule; the integral takes a change of the gain up."""
        if self._feed_input is not None:
            x, _ = self._feed_input.read(ctx)
            feed = self._feed if x is None else self._feed_gain * x
            if feed - feed == 0.0:
                self._feed = feed
        if self._curve is not None:
            x, _ = self._curve[0].read(ctx)
            factor = self._factor if x is None else self._curve[1].at(x)
            if factor != self._factor:
                before = self._strength()
                self._factor = factor
                self._shift(*before)

    def _initialise(self, pv: float, sp: float, applied: float) -> None:
        """Takes over what is applied: I = v - P + D - F with D = 0."""
        self._e = self._sign * (sp - pv) * self._pv_scale
        self._d, self._pv_last = 0.0, pv
        self._u = (applied - self._out_zero) / self._out_scale
        self._i = self._u - self._gain * self._factor * self._e - self._feed
        self._last, self._elapsed_ns = applied, 0
        self._reset = self._i - self._i != 0.0

    def _execute(self, pv: float, sp: float, applied: float | None) -> None:
        """One execution of the equation."""
        gone = self._elapsed_ns * 1e-9  # the PV took all of it for its way: a pause must not look like a jump
        dt = min(self._elapsed_ns, self._elapsed_cap_ns) * 1e-9
        gain, ti, td = self._gain * self._factor, self._ti, self._td
        common, tf, tti, ttd = gain, td / DERIVATIVE_FILTER, ti, td
        if self._parallel:
            common, tti = self._factor, 0.0
            if gain > 0.0:  # so common is not 0 either
                tti, ttd = gain / common * ti, common / gain * td
                tf = ttd / DERIVATIVE_FILTER
        low = (self._out_low - self._out_zero) / self._out_scale
        high = (self._out_high - self._out_zero) / self._out_scale
        u = self._u
        v = (applied - self._out_zero) / self._out_scale if applied is not None else min(max(u, low), high)
        e = self._sign * (sp - pv) * self._pv_scale
        i = self._i
        if ti > 0.0:
            i += common * e * dt / ti
            if v != u:
                tt = min(tti, math.sqrt(tti * ttd)) if td > 0.0 else tti
                i += (v - u) * (dt / tt if dt < tt else 1.0)
        d = 0.0
        if td > 0.0:
            d = (tf * self._d + common * td * self._sign * (pv - self._pv_last) * self._pv_scale) / (
                tf + gone
            )
        u = gain * e + i - d + self._feed
        self._elapsed_ns = 0
        if u - u != 0.0:  # beyond all numbers: hold, start again from what is applied
            self._reset = True
            return
        self._e, self._i, self._d, self._u, self._pv_last = e, i, d, u, pv
        self._last = self._out_zero + min(max(u, low), high) * self._out_scale
        self._last = min(max(self._last, self._out_low), self._out_high)

    def _put_points(self, ctx: Context) -> None:
        self._changed = False
        if self._sp is not None and not self._cascade:
            ctx.put(self._point_sp, self._sp)
        ctx.put(self._point_mode, self._mode)
        ctx.put(self._point_gain, self._gain)
        ctx.put(self._point_ti, self._ti)
        ctx.put(self._point_td, self._td)
        if self._outside is not None:
            self._outside.put(ctx)

    def write(self, point: str, value: Any) -> str | None:
        wanted = number(value)
        if wanted is None:
            return f"{self.path}/{point} needs a number"
        if point == "MODE":
            return self._write_mode(int(wanted))
        if point == "RSP" and self._outside is not None and REMOTE_CASCADE in self._modes:
            self._outside.write(wanted)
            self._changed = True
            return None
        if point == "SP" and self._outside is not None and self._mode in (CASCADE, REMOTE_CASCADE):
            return f"{self.path} is in {MODE_TEXTS[self._mode]}: set {self.path}/MODE to Auto first"
        if point == "SP" and not self._cascade:
            if (self._sp_low is not None and wanted < self._sp_low) or (
                self._sp_high is not None and wanted > self._sp_high
            ):
                return f"{self.path}/SP is limited to {self._sp_low} … {self._sp_high}"
            self._sp, self._changed = wanted, True
            if self._sp_now is None:
                self._sp_now = wanted
            return None
        if point not in ("GAIN", "TI", "TD"):
            return f"{self.path} has no point {point} that can be written"
        if not 0.0 <= wanted <= TUNING_MAX:
            return f"{self.path}/{point} must be 0 … {TUNING_MAX:g}"
        tuning = self._tuning()
        tuning[("GAIN", "TI", "TD").index(point)] = wanted
        self._retune(*tuning)
        return None

    def _write_mode(self, mode: int) -> str | None:
        if mode not in self._modes:
            return f"{self.path} has the modes {', '.join(MODE_TEXTS[m] for m in self._modes)}"
        if mode != self._mode:
            if mode == REMOTE_CASCADE and self._outside is not None:
                refusal = self._outside.remote_refusal(self.path)
                if refusal is not None:
                    return refusal
            self._mode, self._manual, self._changed = mode, None, True
        return None

    def write_output(self, output: int, value: Any) -> str | None:
        wanted = number(value)
        if self._mode != MANUAL:
            return f"{self.path} is in {MODE_TEXTS[self._mode]}: set {self.path}/MODE to Manual first"
        if output != self._out or wanted is None:
            return f"{self.path} takes a number for its output"
        if self._not_taken:
            return f"{self.path} follows: the controller behind it does not take its output; set that one to Cascade"
        if not self._out_low <= wanted <= self._out_high:
            return f"{self.path} limits its output to {self._out_low} … {self._out_high}"
        self._manual = wanted
        return None

    def _tuning(self) -> list[float]:
        return [self._gain, self._ti, self._td]

    def _retune(self, gain: float, ti: float, td: float) -> None:
        """New tuning; the integral is shifted so that the output stays."""
        before = self._strength()
        self._gain, self._ti, self._td, self._changed = gain, ti, td, True
        self._shift(*before)

    def _strength(self) -> tuple[float, float]:
        """What the proportional and the derivative part multiply with."""
        gain = self._gain * self._factor
        return gain, (self._factor if self._parallel else gain) * self._td

    def _shift(self, old_gain: float, old: float) -> None:
        """Another gain or derivative time acts: the integral takes up the difference.

        What lies beyond the limits of the output is left behind: it would be wound up for the new gain.
        """
        gain, derivative = self._strength()
        before = old_gain * self._e + self._i - self._d
        limited = min(max(self._u, self._percent(self._out_low)), self._percent(self._out_high))
        self._u, before = limited, before + limited - self._u
        self._d = self._d * (derivative / old) if old > 0.0 else 0.0
        self._i = before - gain * self._e + self._d
        if self._i - self._i != 0.0:
            self._reset = True

    def to_manual(self) -> None:
        self._mode, self._manual, self._changed = MANUAL, None, True

    def retained(self) -> dict[str, Any]:
        return {"mode": self._mode, "sp": self._sp, "tuning": self._tuning(), "configured": self._configured}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        """Modes, set point and tuning; tuning only while the site's own has not been edited since."""
        mode, sp = number(state.get("mode")), number(state.get("sp"))
        self._mode = MANUAL
        if fresh and self._restart_last and mode is not None and int(mode) in self._modes:
            self._mode = int(mode)  # Remote cascade too: its writer has the timeout to come back
        if sp is not None and not self._cascade:
            self._sp = self._sp_now = self._within(sp)
        tuning = state.get("tuning")
        if state.get("configured") == self._configured and isinstance(tuning, list) and len(tuning) == 3:
            values = [number(item) for item in tuning]
            if all(item is not None and 0.0 <= item <= TUNING_MAX for item in values):
                self._gain, self._ti, self._td = (float(item) for item in tuning)
        self._changed = True
