"""Motor whose starter belongs to the PLC: start and stop pulses, run feedback, supervision.

    want  = AUTO (`auto`, or what a duty/standby group asks) in Auto; CMD in Manual
    start = want, not running, permitted, no trip, no interlock, min_off since the stop, starts in the last hour left
    stop  = running and not want; or trip, interlock, start given up

START and STOP are never true together; Stop wins. START stays true until the motor runs or the start is given up,
STOP until it stands (field makes one pulse of each). Nothing is ever pulsed at start-up: what is found is adopted,
and a start that was under way is only watched.

STATE: Stopped, Starting, Running, Stopping, Tripped, Local, Failed to start. TRIP latches on: the trip condition
held for its time; the fault input; a stop that nobody here asked for (the PLC tripped it); no run feedback within the
start time (Failed to start; a stop is sent, so that it cannot start later); no stop within the start time (the stop
is then repeated each start time). RESET takes it back when the cause is gone; `reset: auto` lets the trip condition
go by itself. Reset in Auto starts the motor again if the program wants it.

A motor that stopped while its feedback or the scan was away lost its power: `stay off` goes to Manual, stopped, and
with it every other `stay off` motor of that device that stood, so that no standby starts in its place; unless one of
the device still runs, which shows that the device kept its power. When field says that the device restarted
(`system/<device>/restarts`), every `stay off` motor of it that does not run goes to Manual, also those that stood.
`restart` leaves it to AUTO.

Out of service is refused while it runs: in that mode nothing is asked of the starter, so no interlock or trip stops it.

Local (selector false or not usable), or device not armed: the block follows the run feedback and pulses nothing.
Bad or stale input: run feedback: no start, stops still go out, STATE keeps its value with the feedback's quality;
`auto`: the last wish stays (none yet: the motor stays as it is); permit: not permitted; trip condition: no trip, no
start. HOURS and STARTS count every run, also those in Local.

Source: ISA-88.00.01 (control module); VDI/VDE/NAMUR 2658-3 (monitored binary drive: permit, interlock, protection with reset,
feedback times), for the words; IEC 60034-1 (duty types) on starts in an hour.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do

from __future__ import annotations

from collections import deque
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
    FunctionBlock,
    Inhibitable,
    number,
    usable,
)
from tags import model
from tags.quality import BAD_WAITING_FOR_INITIAL_DATA, GOOD, UNCERTAIN_LAST_USABLE

STOPPED, STARTING, RUNNING, STOPPING, TRIPPED, IN_LOCAL, FAILED = range(7)
MODES = (OUT_OF_SERVICE, MANUAL, AUTO)
STOP_HELD_NS = (
    1_000_000_000  # STOP is held at least this long, so that field sees it although feedback is gone
)
HOUR_NS = 3_600_000_000_000
HOURS_STEP = 0.01  # HOURS is published in steps of this, h


class Motor(Inhibitable):
    """See the module. Points: MODE, CMD, AUTO, STATE, TRIP, RESET, HOURS (h), STARTS."""

    __slots__ = (
        "_asked", "_auto", "_auto_text", "_awaited", "_blind", "_blocked", "_cause", "_clock_ns", "_cmd", "_device", "_fault", "_fault_on",
        "_grouped", "_hours_ns", "_hours_put", "_inhibits", "_local", "_min_off_ns", "_mode", "_off_ns", "_passive",
        "_peers", "_per_hour", "_permit", "_points", "_power_lost", "_remote", "_restart_last", "_restarts", "_restarts_slot", "_run", "_run_ok", "_run_slot", "_start", "_start_time_ns",
        "_starts", "_state", "_stay_off", "_stepped", "_stop", "_stop_held_ns", "_stop_high", "_stop_low", "_timer_ns", "_times", "_trip",
        "_trip_auto", "_trip_for_ns", "_trip_known", "_trip_ns", "_trip_on", "_trip_when", "_watched", "_wish",
    )  # fmt: skip
    type = "motor"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._start, self._stop = binder.output(c["start"], self), binder.output(c["stop"], self)
        self._run_slot, self._remote = binder.slot(c["run"]), binder.optional(c.get("remote"))
        self._fault, self._permit = binder.optional(c.get("fault")), binder.condition(c.get("start_permit"))
        trip = c.get("trip") or {}
        self._trip_when = binder.condition(trip.get("when"))
        self._trip_for_ns, self._trip_auto = int(trip.get("for_ns") or 0), trip.get("reset") == "auto"
        self._auto_text, self._grouped = c.get("auto"), c.get("group") is not None
        self._wish = binder.condition(self._auto_text)
        self._start_time_ns, self._min_off_ns = int(c["start_time_ns"]), int(c.get("min_off_ns") or 0)
        self._per_hour = int(c.get("starts_per_hour") or 0)  # 0: as many as wanted
        self._stay_off = c.get("after_power_loss", "stay off") == "stay off"
        names = ("MODE", "CMD", "AUTO", "STATE", "TRIP", "RESET", "HOURS", "STARTS")
        self._points = [binder.point(config, name) for name in names]

        self._device = binder.tags[c["run"]].device
        count = f"system/{self._device}/restarts"
        self._restarts_slot = binder.optional(count if count in binder.tags else None)
        self._restarts: int | None = None
        self._power_lost = False  # its device restarted, and the feedback of after it has not come yet
        self._peers: list[Motor] = []  # the other motors of the device
        self._mode = int(c.get("first_mode", MANUAL))
        self._restart_last = c.get("restart", "last") == "last"
        self._cmd = False
        self._auto: bool | None = None  # what the program wants; None: it has not said yet
        self._asked: bool | None = None  # what a group asks
        self._state, self._timer_ns, self._stop_held_ns = STOPPED, 0, 0
        self._run: bool | None = None  # last usable feedback
        self._run_ok = self._local = False
        self._stop_high = False  # STOP as it was driven last
        self._stop_low = False  # STOP is low for this scan, so that the next one makes a new pulse
        self._watched = False  # the start under way was pulsed before a restart or a gap: no second pulse
        self._blind = self._passive = True
        self._trip = self._trip_on = self._fault_on = False
        self._trip_known = self._trip_when is None
        self._cause, self._blocked = "", "not read yet"
        self._trip_ns = self._clock_ns = self._hours_ns = self._starts = 0
        self._off_ns = self._min_off_ns  # at the very first start it stands for long
        self._hours_put = -1
        self._times: deque[int] = deque(maxlen=max(self._per_hour, 1))
        self._inhibits: dict[str, None] = {}
        self._stepped = -1
        self._awaited = True

    def link(self, blocks: Mapping[str, FunctionBlock]) -> None:
        """Finds the other motors of its device: they lose their power together."""
        self._peers = [
            other
            for other in blocks.values()
            if isinstance(other, Motor) and other is not self and other._device == self._device is not None  # noqa: SLF001
        ]

    # -- what groups and interlocks see and do

    @property
    def available(self) -> bool:
        """A group may count on it: in Auto, Remote, known, neither tripped nor held nor kept from starting."""
        able = self._mode == AUTO and self._run_ok and not (self._passive or self._trip or self._inhibits)
        return able and (bool(self._run) or self._state == STARTING or not self._blocked)

    @property
    def awaited(self) -> bool:
        """Since control started neither its feedback nor its outputs were read: nothing can be said of it yet."""
        return self._awaited

    @property
    def running(self) -> bool:
        """Last usable feedback says so."""
        return self._run is True

    @property
    def hours_ns(self) -> int:
        """How long it ran in all."""
        return self._hours_ns

    def ask(self, wanted: bool) -> None:
        """A group says what it wants of this motor in Auto."""
        self._asked = wanted

    def inhibit(self, ctx: Context, by: str, *, active: bool) -> None:
        if active == (by in self._inhibits):
            return
        if not active:
            del self._inhibits[by]
            return
        self._inhibits[by] = None
        if self._stepped == ctx.tick.number and self._run_ok and not self._passive:
            self._act(ctx, 0)
            self._put_points(ctx)

    def failed(self, ctx: Context) -> None:
        self._stepped = -1  # what is half done is not gone on with
        if self._inhibits:
            self._drive(ctx, start=False, stop=True)

    # -- the scan

    def step(self, ctx: Context) -> None:
        self._stepped = ctx.tick.number
        dt_ns = ctx.dt_ns
        self._clock_ns += dt_ns
        self._read(ctx)
        if not self._run_ok:
            self._without_feedback(ctx)
        else:
            self._count(dt_ns)
            tracking = ctx.outputs.tracking[self._start] | ctx.outputs.tracking[self._stop]
            self._passive = self._local or bool(tracking & (LOCAL | DISARMED | NOT_INITIALISED))
            self._awaited &= bool(tracking & NOT_INITIALISED)
            if self._passive:
                self._follow(ctx)
            else:
                self._watch_trips(ctx, ctx.seen_ns)
                self._act(ctx, ctx.seen_ns)
        self._put_points(ctx)

    def _read(self, ctx: Context) -> None:
        """Feedback, selector and wish of this scan; the edges of the feedback."""
        value, status = ctx.signals.value, ctx.signals.status
        self._local = self._remote >= 0 and not (usable(status[self._remote]) and bool(value[self._remote]))
        if self._wish is not None:
            wish, quality = self._wish(value, status)
            if usable(quality):
                self._auto = bool(wish)
        elif self._asked is not None:
            self._auto = self._asked
        if self._restarts_slot >= 0 and usable(status[self._restarts_slot]):
            count = int(value[self._restarts_slot])
            self._power_lost |= self._restarts is not None and count > self._restarts
            self._restarts = count
        self._run_ok = usable(status[self._run_slot])
        if not self._run_ok:
            self._blind = True
            return
        run = bool(value[self._run_slot])
        if self._blind or self._power_lost:
            self._adopt(ctx, run)
        elif run and not self._run and self._state != STARTING:
            self._count_start()  # somebody else started it
        if self._run and not run:
            self._off_ns = 0
        self._run, self._blind = run, False

    def _adopt(self, ctx: Context, run: bool) -> None:
        """First feedback after start, restart or a gap: no pulse, whatever was wanted."""
        if self._power_lost:
            self._power_lost = False
            if not run:
                self._off_ns = 0 if self._run else self._off_ns
            self._run, self._state, self._cmd = run, RUNNING if run else STOPPED, run
            self._timer_ns = self._stop_held_ns = 0
            self.stay_off(ctx, "")
            return
        if self._state == STARTING and not run:
            self._watched = True
            return
        if self._run is run:
            return  # as it was left; a stop under way goes on
        lost = self._run is True and self._state != STOPPING and not self._local
        self._state = RUNNING if run else STOPPED
        self._cmd = run
        if lost and self._stay_off and self._mode != OUT_OF_SERVICE:
            self._run, self._off_ns = run, 0
            kept_power = any(peer.runs_now(ctx) for peer in self._peers)
            for motor in (self,) if kept_power else (self, *self._peers):
                motor.stay_off(ctx, self.path)

    def runs_now(self, ctx: Context) -> bool:
        """The feedback of this scan says so."""
        return usable(ctx.signals.status[self._run_slot]) and bool(ctx.signals.value[self._run_slot])

    def stay_off(self, ctx: Context, lost: str) -> None:
        """Its device lost its power: in Auto and not known to run, it goes to Manual and waits for a person.

        Args:
            ctx: The scan.
            lost: The motor that stopped while nobody watched, or "" when field has noticed it.
        """
        if self._mode != AUTO or not self._stay_off or self._run is True:
            return
        self._mode, self._cmd = MANUAL, False
        where = f"{self._device}: " if self._device else ""
        what = "stopped while not watched" if lost == self.path else f"{lost} stopped while not watched"
        what = f"{what}, as after a loss of power" if lost else "has lost its power"
        reason = f"{where}{what}; it stays off until somebody sets it to Auto"
        ctx.emit("mode", path=self.path, to=MODE_TEXTS[MANUAL], reason=reason)

    def _count(self, dt_ns: int) -> None:
        if self._run:
            self._hours_ns += dt_ns
        elif self._off_ns < self._min_off_ns:
            self._off_ns += dt_ns

    def _count_start(self) -> None:
        self._starts += 1
        self._times.append(self._clock_ns)

    def _without_feedback(self, ctx: Context) -> None:
        """No start; a stop that is wanted still goes out."""
        self._passive = self._local
        self._blocked = "run feedback is not Good"
        want = (self._auto if self._mode == AUTO else self._cmd) is not False
        stop = (
            not self._passive
            and self._mode != OUT_OF_SERVICE
            and (self._run is True or self._state == STARTING)
        )
        self._drive(ctx, start=False, stop=stop and (not want or self._trip or bool(self._inhibits)))

    def _follow(self, ctx: Context) -> None:
        """Local or not armed: nothing is asked of the starter."""
        self._state = IN_LOCAL if self._local else RUNNING if self._run else STOPPED
        self._cmd = bool(self._run)
        self._timer_ns = self._stop_held_ns = self._trip_ns = 0
        self._blocked = "in Local" if self._local else "its device is not armed or not read yet"
        self._drive(ctx, start=False, stop=False)

    def _watch_trips(self, ctx: Context, dt_ns: int) -> None:
        value, status = ctx.signals.value, ctx.signals.status
        if self._trip_when is not None:
            on, quality = self._trip_when(value, status)
            self._trip_known = usable(quality)
            if self._trip_known:
                self._trip_ns = self._trip_ns + dt_ns if on and self._trip_on else 0
                self._trip_on = bool(on)
                if on and self._trip_ns >= self._trip_for_ns:
                    self._latch(ctx, "trip condition")
                elif not on and self._trip_auto and self._cause == "trip condition":
                    self._clear()
        if self._fault >= 0 and usable(status[self._fault]):
            self._fault_on = bool(value[self._fault])
            if self._fault_on:
                self._latch(ctx, "fault input")

    def _latch(self, ctx: Context, cause: str) -> None:
        if not self._trip:
            self._trip, self._cause = True, cause
            ctx.emit("motor", path=self.path, cause=cause)

    def _clear(self) -> None:
        self._trip, self._cause = False, ""
        if self._state in (TRIPPED, FAILED):
            self._state = STOPPED

    def _act(self, ctx: Context, dt_ns: int) -> None:
        """Moves STATE and drives START and STOP. With dt 0 it may be called again within a scan."""
        run, state = bool(self._run), self._state
        if state == IN_LOCAL:
            state = RUNNING if run else STOPPED
        if self._mode == OUT_OF_SERVICE:
            self._state, self._cmd = (RUNNING if run else STOPPED), run
            self._blocked, self._stop_held_ns = "out of service", 0
            self._drive(ctx, start=False, stop=False)
            return
        if self._mode == AUTO and self._auto is not None:
            self._cmd = self._auto
        elif state == STOPPED and run and self._mode == MANUAL and self._stop_held_ns == 0:
            self._cmd = True  # the PLC started it: adopted
        self._stop_held_ns = max(self._stop_held_ns - dt_ns, 0)
        may_repeat = self._stop_high
        if dt_ns:
            self._stop_low = False
        barred = state == STARTING and ctx.outputs.tracking[self._start] & (INTERLOCKED | FORCED)
        held = self._trip or bool(self._inhibits) or bool(barred)
        if held and self._mode == MANUAL:
            self._cmd = False  # nothing starts by itself when it is let go
        want = self._cmd and not held
        if state in (STARTING, STOPPING):
            self._timer_ns += dt_ns

        if run:
            state = self._while_running(ctx, state, want, may_repeat=may_repeat)
        elif state == RUNNING and want:
            self._latch(ctx, "stopped by itself")
            state, want = TRIPPED, False
        elif state == STARTING and want and self._timer_ns >= self._start_time_ns:
            self._latch(ctx, "failed to start")
            self._stop_held_ns, state, want = STOP_HELD_NS, FAILED, False
        elif state == STARTING and not want:
            self._stop_held_ns, state = STOP_HELD_NS, STOPPED
        elif state in (STOPPING, RUNNING):
            state = STOPPED
        if not run and state != STARTING:
            self._blocked = self._why_not(ctx)
            if self._trip:
                state = FAILED if self._cause == "failed to start" else TRIPPED
            elif want and not self._blocked:
                state, self._timer_ns, self._watched = STARTING, 0, False
                self._count_start()
            elif self._mode == MANUAL:
                self._cmd = False  # what cannot start now must not start later by surprise
        self._state = state
        stop = (state == STOPPING and not self._stop_low) or self._stop_held_ns > 0
        self._drive(ctx, start=state == STARTING and not stop and not self._watched, stop=stop)

    def _drive(self, ctx: Context, *, start: bool, stop: bool) -> None:
        self._stop_high = stop
        ctx.drive(self._start, start)
        ctx.drive(self._stop, stop)

    def _while_running(self, ctx: Context, state: int, want: bool, *, may_repeat: bool) -> int:
        self._blocked = ""
        if want:
            return RUNNING
        if state != STOPPING:
            self._timer_ns, self._stop_held_ns = 0, STOP_HELD_NS
        elif self._timer_ns >= self._start_time_ns and may_repeat:
            self._latch(ctx, "did not stop")
            self._cause, self._stop_low = "did not stop", True
            self._timer_ns = self._stop_held_ns = 0
        return STOPPING

    def _why_not(self, ctx: Context) -> str:
        """Why it cannot be started now, or an empty text."""
        if self._stop_held_ns > 0:
            return "being stopped"
        if ctx.outputs.tracking[self._start] & (INTERLOCKED | FORCED):
            return "its START is held by an interlock or a force"
        if not self._trip_known:
            return "its trip condition is not known"
        if self._permit is not None:
            permit, quality = self._permit(ctx.signals.value, ctx.signals.status)
            if not (usable(quality) and permit):
                return "its start permit is missing"
        if self._off_ns < self._min_off_ns:
            return f"stopped too recently: {(self._min_off_ns - self._off_ns) / 1e9:.0f} s to wait"
        if self._per_hour and len(self._times) >= self._per_hour:
            left = HOUR_NS - (self._clock_ns - self._times[0])
            if left > 0:
                return f"started {self._per_hour} times within an hour: {left / 6e10:.0f} min to wait"
        return ""

    def _put_points(self, ctx: Context) -> None:
        mode, cmd, auto, state, trip, reset, hours, starts = self._points
        ctx.put(mode, self._mode)
        ctx.put(cmd, self._cmd)
        ctx.put(
            auto, bool(self._auto), UNCERTAIN_LAST_USABLE if self._auto is None and self._grouped else GOOD
        )
        quality = GOOD if self._run_ok else ctx.signals.status[self._run_slot]
        ctx.put(state, self._state, quality if self._run is not None else BAD_WAITING_FOR_INITIAL_DATA)
        ctx.put(trip, self._trip)
        ctx.put(reset, False)
        step = int(self._hours_ns / (HOUR_NS * HOURS_STEP))
        if step != self._hours_put:
            self._hours_put = step
            ctx.put(hours, step * HOURS_STEP)
        ctx.put(starts, self._starts)

    # -- requests

    def write(self, point: str, value: Any) -> str | None:
        wanted = number(value)
        if wanted is None:
            return f"{self.path}/{point} needs a number"
        if point == "MODE":
            if int(wanted) not in MODES:
                return f"{self.path} has the modes {', '.join(MODE_TEXTS[m] for m in MODES)}"
            if wanted == MANUAL != self._mode:
                self._cmd = self._state in (STARTING, RUNNING) or (
                    self._state == IN_LOCAL and self._run is True
                )
            if wanted == OUT_OF_SERVICE != self._mode and (self._run is True or self._state == STARTING):
                return f"{self.path} runs: stop it first, then no interlock has to"
            self._mode = int(wanted)
            return None
        if point == "RESET":
            return self._write_reset() if wanted else None
        if point == "CMD":
            return self._write_cmd(bool(wanted))
        return f"{self.path}/{point} is computed: it cannot be written"

    def _write_reset(self) -> str | None:
        if self._cause == "fault input" and self._fault_on:
            return f"{self.path} cannot be reset: its fault input is still on"
        if self._trip and self._trip_on:
            return f"{self.path} cannot be reset: its trip condition still holds"
        if self._cause == "did not stop" and self._run:
            return f"{self.path} cannot be reset: it still runs although it was told to stop"
        self._clear()
        return None

    def _write_cmd(self, wanted: bool) -> str | None:
        if self._mode != MANUAL:
            return f"{self.path} is in {MODE_TEXTS[self._mode]}: set {self.path}/MODE to Manual first"
        if self._passive or not self._run_ok:
            return f"{self.path} takes no command: {self._blocked or 'it is in Local'}"
        if wanted and self._inhibits:
            return f"{self.path} is held stopped by {', '.join(self._inhibits)}"
        if wanted and self._trip:
            return f"{self.path} has tripped ({self._cause}): write {self.path}/RESET first"
        if wanted and self._blocked and not self._run and self._state != STARTING:
            return f"{self.path} cannot start: {self._blocked}"
        self._cmd = wanted
        return None

    def write_output(self, output: int, value: Any) -> str | None:
        """START true is CMD true, STOP true is CMD false."""
        if not number(value):
            return f"{self.path} makes the pulses itself: write {self.path}/CMD"
        return self.write("CMD", output == self._start)

    # -- restart

    def to_manual(self) -> None:
        self.write("MODE", MANUAL)

    def retained(self) -> dict[str, Any]:
        return {
            "mode": self._mode,
            "cmd": self._cmd,
            "state": self._state,
            "timer_ns": self._timer_ns,
            "run": self._run,
            "trip": self._trip,
            "cause": self._cause,
            "off_ns": self._off_ns,
            "hours_ns": self._hours_ns,
            "starts": self._starts,
            "restarts": self._restarts,
            "started_ago_ns": [self._clock_ns - time for time in self._times],
        }

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        """Totals always; mode, wish and what was under way only from a fresh state, with `restart: last`."""
        for name in ("off_ns", "hours_ns", "starts"):
            kept = number(state.get(name))
            if kept is not None and kept >= 0:
                setattr(self, "_" + name, int(kept))
        ago = state.get("started_ago_ns")
        if isinstance(ago, list):
            self._times.extend(self._clock_ns - int(item) for item in ago if number(item) is not None)
        seen = number(state.get("restarts"))
        self._restarts = None if seen is None else int(seen)
        self._trip, self._cause = state.get("trip") is True, str(state.get("cause") or "")
        if not fresh:
            self._mode = MANUAL
            return
        mode, was, timer = (
            number(state.get("mode")),
            number(state.get("state")),
            number(state.get("timer_ns")),
        )
        if mode is not None and self._restart_last:
            self.write("MODE", mode)
        else:
            self._mode = MANUAL
        self._cmd = state.get("cmd") is True
        run = state.get("run")
        self._run = run if isinstance(run, bool) else None
        if was is not None and timer is not None and STOPPED <= was <= FAILED:
            self._state, self._timer_ns = int(was), max(int(timer), 0)
