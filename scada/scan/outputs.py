"""The output stage: from what blocks and people want to the command of each output.

    wanted → force → interlock → limits → rate → Local, armed, initialised → command and drive flag

The drive flag (`aux` bit 0 of the command) tells field to write. Without it the command follows what is read back,
so that taking over never bumps. An output is initialised from its read-back after start, reconnection, Local and
arming: within the tolerance the last command stays, else the read-back becomes the command.

A control that has just started says nothing of an output that it cannot initialise yet: to the field "do not drive" is a
word of control, and one that dies again before it knows anything would keep the loss action away for ever.
"""

from __future__ import annotations

from typing import Any, Final

from scada.blocks.base import (
    DISARMED,
    FORCED,
    INTERLOCKED,
    LIMITED,
    LOCAL,
    NOT_INITIALISED,
    RATE_LIMITED,
    Context,
    Signals,
    usable,
)
from scada.requests.machine import VERSION_MASK
from scada.scan.program import ASK, HOLD, PULSE, Plan
from tags.quality import (
    BAD_NO_COMMUNICATION,
    BAD_NOT_CONNECTED,
    BAD_WAITING_FOR_INITIAL_DATA,
    GOOD,
    GOOD_LOCAL_OVERRIDE,
    UNCERTAIN,
    UNCERTAIN_INITIAL,
    UNCERTAIN_LAST_USABLE,
)
from tags.types import BOOL, FLOATS, STRING

START_NS: Final = 2_000_000_000  # control has so long to read what it needs
ASK_NS: Final = 5_000_000_000  # a question that the field has not taken up by then is dropped
_UNREAD: Final = frozenset(
    {
        BAD_WAITING_FOR_INITIAL_DATA,
        BAD_NO_COMMUNICATION,
        BAD_NOT_CONNECTED,
        UNCERTAIN_INITIAL,
        UNCERTAIN_LAST_USABLE,
    }
)


def was_read(status: int) -> bool:
    """True when a device has answered for this tag: also a broken sensor is an answer."""
    return status & 0xFFFF_0000 not in _UNREAD


class Output:
    """One output and its command.

    Attributes:
        plan: As compiled.
        ready: The command was initialised from what was read back.
        held: What `HOLD` goes to while no block drives it: the last request, or the read-back at initialisation.
        last: Last command, or None; the retained one before the first scan.
        ask: What is being asked of the PLC, or None; for `PULSE` True.
        ask_sent: The question is in the command.
        ask_left_ns: How long it may still take.
        high_before: A block wanted the pulse in the last scan: only a new wish is a new pulse.
        drive: The drive flag.
        lock: (value, interlock) that held it in the last scan, or None.
        why: `tracking` of the last scan.
        unread: Slots that must still be read first.
        aux: Of the tag, as the field publishes it.
        version: Of the command as published.
        forced: Value of a force on the command, or None.
        spoken: The command was published in this life of control.
    """

    __slots__ = (
        "ask", "ask_left_ns", "ask_sent", "aux", "drive", "forced", "held", "high_before", "last", "lock", "plan", "ready",
        "spoken", "unread", "version", "why",
    )  # fmt: skip

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.ready = False
        self.held: Any = None
        self.last: Any = None
        self.ask: Any = None
        self.ask_sent = False
        self.ask_left_ns = 0
        self.high_before = False
        self.drive = False
        self.lock: tuple[Any, str] | None = None
        self.why = NOT_INITIALISED
        self.unread = plan.needs
        self.aux = 0
        self.version = 0
        self.forced: Any = None
        self.spoken = False

    def begin_ask(self, value: Any, left_ns: int = ASK_NS) -> None:
        """Asks the PLC once; replaces a question that is still open."""
        self.ask, self.ask_sent, self.ask_left_ns = value, False, left_ns

    def forget(self) -> None:
        """The outcome of a write is not known or not what was asked: start again from what is read back."""
        self.ready = False
        self.last = self.held = self.ask = None

    def acted(self) -> bool:
        """The field has taken up the command that is published."""
        return self.version != 0 and self.aux & VERSION_MASK == self.version & VERSION_MASK


def near(left: Any, right: Any, tolerance: float) -> bool:
    """True when two values differ by no more than `tolerance`."""
    if isinstance(left, str) or isinstance(right, str) or left is None or right is None:
        return bool(left == right)
    return bool(abs(left - right) <= tolerance)


def cast(plan: Plan, value: Any) -> Any:
    """A value as the tag's type has it."""
    type_ = plan.tag.type
    if type_ == BOOL:
        return bool(value)
    if type_ == STRING:
        return value
    return float(value) if type_ in FLOATS else round(value)


def gate(output: Output, signals: Signals) -> int:
    """Why an output must follow instead of lead; 0 when it may be driven."""
    plan, value, status = output.plan, signals.value, signals.status
    why = 0
    if plan.armed < 0 or status[plan.armed] >= UNCERTAIN or not value[plan.armed]:
        why = DISARMED
    if plan.remote >= 0 and (status[plan.remote] >= UNCERTAIN or not value[plan.remote]):
        why |= LOCAL
    if output.unread:
        output.unread = tuple(slot for slot in output.unread if not was_read(status[slot]))
        if output.unread:
            why |= NOT_INITIALISED
    return why


class Stage:
    """Runs the output stage of one scan.

    Args:
        ctx: The scan.
        drive: Command slot to drive flag; changed here.
        flags: Takes the command slots whose flag changed.
        renew: Takes the command slots that are given again.
    """

    __slots__ = ("_ctx", "_drive", "_flags", "_renew")

    def __init__(self, ctx: Context, drive: dict[int, bool], flags: list[int], renew: list[int]) -> None:
        self._ctx, self._drive, self._flags, self._renew = ctx, drive, flags, renew

    def run(self, output: Output) -> None:
        """Settles one device output."""
        way = output.plan.way
        if way == HOLD:
            self._hold(output)
        elif way == ASK:
            self._ask(output)
        elif way == PULSE:
            self._pulse(output)

    def _publish(self, output: Output, value: Any, status: int, drive: bool) -> None:
        slot = output.plan.command
        if value is not None:
            output.spoken = True
            self._ctx.put(slot, value, status)
        if drive != output.drive:
            output.drive = self._drive[slot] = drive
            self._flags.append(slot)

    def _hold(self, output: Output) -> None:
        ctx, plan = self._ctx, output.plan
        signals, outs, row = ctx.signals, ctx.outputs, plan.row
        wanted = outs.wanted[row]
        lock = output.lock = outs.override[row]
        back, back_good = signals.value[plan.slot], usable(signals.status[plan.slot])
        why = gate(output, signals)
        if not back_good:
            why |= NOT_INITIALISED
        if why:
            output.ready = False
            if back_good and (why & (LOCAL | DISARMED)):
                output.last = back
            shown = output.last
            if why == DISARMED and wanted is not None:
                shown = limited(plan, lock[0] if lock else wanted)  # shadow: what it would do
            known = GOOD if back_good else UNCERTAIN_LAST_USABLE
            if output.spoken or why != NOT_INITIALISED or not self._starting():
                self._publish(output, self._something(output, shown), known, drive=False)
            self._done(output, back if back_good else output.last, why)
            return
        if not output.ready:
            base = output.last if near(output.last, back, plan.close) else back
            output.ready, output.held, output.last = True, base, base
            if output.spoken or not self._starting():
                self._publish(output, base, GOOD, drive=False)
            self._done(output, base, NOT_INITIALISED)
            return
        status = GOOD
        if wanted is not None:
            output.held = wanted
        if output.forced is not None:
            output.held, why, status = output.forced, FORCED, GOOD_LOCAL_OVERRIDE
        if lock is not None:
            # Without a block the output stays where the interlock put it until somebody asks anew.
            output.held, why = lock[0], why | INTERLOCKED
        goal = limited(plan, output.held)
        if goal != output.held:
            why |= LIMITED
        last = output.last
        if plan.rate and not isinstance(goal, bool | str):
            most = plan.rate * ctx.seen_ns * 1e-9
            if abs(goal - last) > most:
                goal = last + most if goal > last else last - most
                why |= RATE_LIMITED
        output.last = goal
        self._publish(output, cast(plan, goal), status, drive=True)
        self._done(output, goal, why)

    def _ask(self, output: Output) -> None:
        ctx, plan = self._ctx, output.plan
        signals, outs, row = ctx.signals, ctx.outputs, plan.row
        wanted = outs.wanted[row]
        lock = output.lock = outs.override[row]
        back, back_good = signals.value[plan.slot], usable(signals.status[plan.slot])
        why = gate(output, signals) | (0 if back_good else NOT_INITIALISED)
        if wanted is not None:
            output.begin_ask(wanted)
        held = lock[0] if lock is not None else output.forced
        if held is not None:
            why |= INTERLOCKED if lock is not None else FORCED
            if output.ask is not None and not near(output.ask, held, plan.tolerance):
                output.ask = None
            if output.ask is None and back_good and not near(back, held, plan.tolerance):
                output.begin_ask(held)
        if output.ask is not None:
            blocked = why & (LOCAL | DISARMED | NOT_INITIALISED)
            if output.ask_sent and output.acted():
                output.ask = None
            elif not blocked and not output.ask_sent:
                output.ask_sent = True
                goal = cast(plan, limited(plan, output.ask))
                self._publish(output, goal, GOOD, drive=True)
                self._renew.append(plan.command)
                output.version = 0  # of the new command: comes with the next inputs
            else:
                output.ask_left_ns -= ctx.dt_ns
                if output.ask_left_ns <= 0 or (blocked and output.ask_sent):
                    output.ask = None
        if output.ask is None or not output.ask_sent:
            if back_good:
                self._publish(output, back, GOOD, drive=False)
            elif not output.spoken and not self._starting():
                self._publish(output, self._something(output, None), UNCERTAIN_INITIAL, drive=False)
            else:
                self._publish(output, None, GOOD, drive=False)
            self._done(output, back if back_good else output.last, why)
        else:
            self._done(output, signals.value[plan.command], why)
        output.last = outs.applied[row]

    def _pulse(self, output: Output) -> None:
        ctx, plan = self._ctx, output.plan
        outs, row = ctx.outputs, plan.row
        wanted = outs.wanted[row]
        lock = output.lock = outs.override[row]
        why = gate(output, ctx.signals)
        held, status = lock is not None and not lock[0], GOOD
        if lock is not None:
            wanted, why = lock[0], why | INTERLOCKED
        if (
            output.forced is not None
        ):  # always off: a pulse that is forced on would be given again by each restart
            wanted, why, held, status = False, why | FORCED, True, GOOD_LOCAL_OVERRIDE
        if wanted and not output.high_before and output.ask is None:
            output.begin_ask(True)
        output.high_before = bool(wanted)
        # A pulse is for now: what cannot be sent in this scan is not sent later.
        if output.ask is not None and (held or why & (LOCAL | DISARMED | NOT_INITIALISED)):
            output.ask = None
        if output.ask is not None:
            output.ask_left_ns -= ctx.dt_ns
            if output.ask_sent and (output.acted() or output.ask_left_ns <= 0):
                output.ask = None
            elif not output.ask_sent:
                output.ask_sent = True
                self._publish(output, True, GOOD, drive=True)
                self._renew.append(plan.command)
                output.version = 0
        if output.ask is None:
            self._publish(output, False, status, drive=False)
        self._done(output, output.ask is not None, why)

    def _starting(self) -> bool:
        tick = self._ctx.tick
        return tick.number * tick.period_ns <= START_NS

    def _something(self, output: Output, value: Any) -> Any:
        """A value to say "do not drive" with, also when none is known: without one nothing is said."""
        return self._ctx.signals.value[output.plan.command] if value is None and not output.spoken else value

    def _done(self, output: Output, applied: Any, why: int) -> None:
        outs, row = self._ctx.outputs, output.plan.row
        outs.applied[row] = applied
        outs.tracking[row] = output.why = why


def limited(plan: Plan, value: Any) -> Any:
    """A value within the limits of the output, or the range of its type."""
    if isinstance(value, bool) or plan.tag.type == BOOL:
        return bool(value)
    if plan.low is not None and value < plan.low:
        return plan.low
    if plan.high is not None and value > plan.high:
        return plan.high
    return value
