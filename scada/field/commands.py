"""What must be written to a device now, and what must not: a pure state machine, no clock, no I/O.

It compares levels: what control wants of each output against what was last read back. So a lost reply needs no
repetition (reading back tells what happened), a restart of field or PLC needs no memory of what was sent, and writing
happens at most once per difference seen. Pulses and shared set points, which are not levels, are written once per new
version of their command.

Control's word counts while control is alive and the command is Good. Then, for the output's delay, the last command
is held; after it the output's `on_loss` counts. With `drive` off (Local, not initialised, nothing asked) nothing is
wanted; that is a word of control too (but for a control that has just started and does not know the output yet), whatever the quality of the command: a device that comes back after a long
absence finds no loss value while control lives. Nothing at all is written while the device is disarmed or its link is
down.

A device that restarted (lost its power) is not given what was meant for it before: nothing but stops and loss values is
written until control has spoken anew, which it does from what it reads back.

After a break of the link everything is read back first. What the device kept is as it was. What it does not hold is
written again only to an analogue maintained output that nobody has changed meanwhile, and when the command is a new one.
All others (a discrete output, one that a panel or the PLC has moved) wait until control has spoken anew.

A pulse that was begun is always ended (while armed and linked), also when `drive` or control went away meanwhile:
a start button that stays pressed is worse than one that is released. So is one that an earlier life of this service
pressed, and one whose press came late: a pulse whose outcome is not known is looked at for a while, and released.

A command that a request is behind has a deadline. What was not acted on by then is not done any more, whether control
is there to take it back or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from scada.field.absence import Absence
from tags import quality, types

Bits = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]
Times = npt.NDArray[np.int64]

VERSION_MASK: Final = 2**56 - 1
OK: Final = 0  # 1 … 11 are Modbus exception codes
REFUSED: Final = 253  # cannot be written: not encodable
UNKNOWN: Final = 254  # sent, but no answer: read back to know
NOT_ARMED: Final = 255
PULSE_MAX_AGE_NS: Final = 5_000_000_000
RETRY_FIRST_NS: Final = (
    1_000_000_000  # a value that the device does not keep is written again ever more rarely
)
RETRY_MOST_NS: Final = 60_000_000_000
UNSURE_NS: Final = 5_000_000_000  # a request that was given up may still arrive for so long
_NEVER: Final = 2**62

MAINTAINED, PULSE, REFRESH, SHARED = "maintained", "pulse", "refresh", "shared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """How one output is written.

    Attributes:
        type: Of its value, one of `tags.types.TYPES`. Texts are compared by numbers that stand for them.
        mode: `maintained`, `pulse`, `refresh` or `shared`.
        time_ns: Pulse length or refresh period, ns.
        min_interval_ns: At least this between two writes; stops do not wait.
        deadband: Differences up to this are not written, engineering units; the ends are always written.
        tolerance: A device that keeps a written value this near has taken it; it is not written again, engineering
            units.
        ends: Lowest and highest value, reached exactly in spite of the dead band; None for none.
        analogue: A number that stands for a quantity, not for a state.
        stop: Goes first.
        on_loss: `hold`, `value` or `release`.
        loss_delay_ns: The last command is held so long.
        loss_bits: For `value`, as the device would read back.
    """

    type: str
    mode: str = MAINTAINED
    time_ns: int = 0
    min_interval_ns: int = 0
    deadband: float = 0.0
    tolerance: float = 0.0
    ends: tuple[float, float] | None = None
    analogue: bool = True
    stop: bool = False
    on_loss: str = "hold"
    loss_delay_ns: int = 10_000_000_000
    loss_bits: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """One write to do.

    Attributes:
        index: Position of the output.
        bits: What to write.
        version: Of the command it follows; 0 when it follows none (loss, end of a pulse).
        reason: `command`, `loss` or `release` (end of a pulse).
    """

    index: int
    bits: int
    version: int
    reason: str


@dataclass(frozen=True, slots=True)
class Commands:
    """Control's commands for the outputs of one device, each column of shape (n,).

    Attributes:
        bits: Value bits as the device would read them back.
        usable: Status is Good and the value can be written.
        writable: The value can be written at all (finite).
        drive: Field may write.
        version: Of the command's last change.
        publish_ns: When control published it, ns monotonic.
        deadline_ns: To be begun before this, ns monotonic; 0 for no such end. None for all of them.
        silent: Bad: control is dead, or has said nothing of the output since it started. None for none of them.
    """

    bits: Bits
    usable: Flags
    writable: Flags
    drive: Flags
    version: Bits
    publish_ns: Times
    deadline_ns: Times | None = None
    silent: Flags | None = None


class Outputs:
    """The outputs of one device.

    Args:
        outputs: What is declared of each; results refer to positions in it.

    Attributes:
        aux: Shape (n,), what field acted on: command version in the low 56 bits, result above.
        next_ns: `due` need not be asked before this monotonic time, ns; 0 whenever something new came.
    """

    def __init__(self, outputs: Sequence[Output]) -> None:
        n = len(outputs)
        self.outputs = tuple(outputs)
        self.armed = False
        self.linked = False
        self.next_ns = 0
        self._float = np.array([o.type in types.FLOATS for o in outputs], np.bool_)
        self._pulse = np.array([o.mode == PULSE for o in outputs], np.bool_)
        self._shared = np.array([o.mode == SHARED for o in outputs], np.bool_)
        self._refresh = np.array([o.mode == REFRESH for o in outputs], np.bool_)
        self._level = ~(self._pulse | self._shared)
        self._time = np.array([o.time_ns for o in outputs], np.int64)
        self._interval = np.array([0 if o.stop else o.min_interval_ns for o in outputs], np.int64)
        self._deadband = np.array(
            [0.0 if o.type == types.STRING else o.deadband for o in outputs], np.float64
        )
        self._tolerance = np.array(
            [0.0 if o.type in (types.STRING, types.BOOL) else o.tolerance for o in outputs], np.float64
        )
        self._analogue = np.array(
            [
                o.analogue and o.mode == MAINTAINED and o.type not in (types.STRING, types.BOOL)
                for o in outputs
            ],
            np.bool_,
        )
        self._low = np.array([-np.inf if o.ends is None else o.ends[0] for o in outputs], np.float64)
        self._high = np.array([np.inf if o.ends is None else o.ends[1] for o in outputs], np.float64)
        self._any_pulse, self._any_refresh = bool(self._pulse.any()), bool(self._refresh.any())
        self._exact = self._deadband == 0.0
        self._none = np.full(n, _NEVER, np.int64)
        self._stop = np.array([o.stop for o in outputs], np.bool_)
        self._loss_delay = np.array([o.loss_delay_ns for o in outputs], np.int64)
        self._loss_value = np.array([o.on_loss == "value" for o in outputs], np.bool_)
        self._loss_release = np.array([o.on_loss == "release" for o in outputs], np.bool_)
        self._loss_bits = np.array([o.loss_bits for o in outputs], np.uint64)

        self._seen_any = False
        self._bits = np.zeros(n, np.uint64)  # the last usable command …
        self._drive = np.zeros(n, np.bool_)  # … and whether it drove
        self._known = np.zeros(n, np.bool_)  # there was one
        self._version = np.zeros(n, np.uint64)
        self._published = np.zeros(n, np.int64)
        self._deadline = np.zeros(n, np.int64)
        self._live = np.zeros(n, np.bool_)
        self._lost_ns = np.full(n, -1, np.int64)
        self._loss_done = np.zeros(n, np.bool_)
        self._back = np.zeros(n, np.uint64)
        self._fresh = np.zeros(n, np.bool_)  # read back since link-up and since the last write
        self._written_ns = np.full(n, -_NEVER, np.int64)
        self._written = np.zeros(n, np.uint64)
        self._tries = np.zeros(n, np.int64)
        self._seen = np.zeros(n, np.uint64)  # pulses: version that was acted on or passed over
        self._pulse_end = np.full(n, -1, np.int64)
        self._unsure = self._pulse.copy()  # may have been left pressed by an earlier life
        self._held = np.zeros(n, np.bool_)  # the device restarted, and control has not spoken anew
        self._held_version = np.zeros(n, np.uint64)
        self._changed = np.zeros(n, np.bool_)  # … nor seen yet what became of it while the link was broken
        self._told = np.zeros(n, np.uint64)  # version at the last look, whether it counts or not
        self._absence = Absence(self._level, self._analogue, self._near)
        self._acted = np.zeros(n, np.uint64)
        self._result = np.zeros(n, np.uint64)
        self.aux = np.zeros(n, np.uint64)

    def restore(self, aux: Bits) -> None:
        """What an earlier life of this service had acted on."""
        self.aux[:] = aux
        self._acted[:] = aux & np.uint64(VERSION_MASK)
        self._result[:] = aux >> np.uint64(56)

    def arm(self, armed: bool) -> None:
        """The device was armed or disarmed."""
        self.armed = armed
        self.next_ns = 0

    def link(self, linked: bool) -> None:
        """The link came up (perhaps before anybody saw that it was gone) or went down; everything is read back first."""
        if self.linked:
            self._absence.begin(self._told)
        self.linked = linked
        self.next_ns = 0
        self._fresh.fill(False)

    def restarted(self) -> None:
        """The device has lost its power and is back: what waited for it is not done any more."""
        self.next_ns = 0
        self._fresh.fill(False)
        starts = self._pulse & ~self._stop
        self._seen[starts] = self._version[starts]
        self._held |= (self._drive | (not self._seen_any)) & ~self._pulse
        self._absence.away.fill(False)  # control hears of the restart by itself
        self._changed.fill(False)
        self._held_version[:] = self._told

    @property
    def held(self) -> bool:
        """Something is not written until control has spoken anew: the device restarted, or was changed while away."""
        return bool((self._held & self._live).any())

    @property
    def waiting(self) -> Flags:
        """Shape (n,): changed while the link was broken; control, which lives, must see it and speak anew."""
        return self._changed & self._held & self._live

    def observe(self, commands: Commands, alive: bool, now_ns: int) -> None:
        """Control's commands and whether control lives, as of now.

        Call it at least whenever either changed, and once when field starts.
        """
        self.next_ns = 0
        spoken = ~commands.drive if commands.silent is None else ~commands.drive & ~commands.silent
        live = (commands.usable | spoken) & alive
        newly_lost = ~live & (self._lost_ns < 0)
        self._lost_ns[newly_lost] = now_ns
        self._lost_ns[live] = -1
        self._loss_done[live] = False
        self._live = live
        version = commands.version & np.uint64(VERSION_MASK)
        if not self._seen_any:
            self._first(commands, version)
        self._bits[live] = commands.bits[live]
        self._drive[live] = commands.drive[live]
        self._known |= live
        self._held &= ~(live & (~commands.drive | (version != self._held_version)))
        self._changed &= self._held
        self._absence.heard(live, commands.drive, version)
        self._told[:] = version
        self._deadline[live] = 0 if commands.deadline_ns is None else commands.deadline_ns[live]
        moved = live & (version != self._version)
        self._version[moved] = version[moved]
        self._published[moved] = commands.publish_ns[
            moved
        ]  # control publishes each scan: when it was new counts

        new = live & commands.drive & (version != self._acted)
        if not self.armed:
            self._set(new, version, NOT_ARMED)
            self._seen[new] = version[new]
        cannot = ~commands.writable & commands.drive & alive & (version != self._acted)
        if cannot.any():
            self._set(cannot, version, REFUSED)
        rest = self._pulse & live & (version != self._seen) & (~commands.drive | (commands.bits == 0))
        self._seen[rest] = version[rest]
        self._set(rest & commands.drive, version, OK)

    def read_back(self, where: npt.NDArray[np.intp], bits: Bits, good: Flags) -> None:
        """Values that were asked for and read after all earlier writes.

        Args:
            where: Positions of outputs, each once.
            bits: Value bits.
            good: False where the reading is not Good.
        """
        if ((self._back[where] == bits) & (self._fresh[where] == good)).all() and not self._tries.any():
            return
        self.next_ns = 0
        self._back[where] = bits
        self._fresh[where] = good
        self._tries[where[good & (bits == self._written[where])]] = 0
        known = where[good]
        new = self._version[known] != self._acted[known]
        hold = self._absence.read(known, bits[good], self._bits[known], new)
        hold = hold[self._drive[hold]]
        self._held[hold] = self._changed[hold] = True
        self._held_version[hold] = self._absence.version[hold]

    def due(self, now_ns: int) -> list[Order]:
        """Writes to do now, stops first. Ask again after each one: what is due may have changed.

        Also settles commands that need no write because the device has the value already, and sets `next_ns`.
        """
        self.next_ns = _NEVER
        if not (self.armed and self.linked):
            return []
        lost = self._lost_ns >= 0
        if lost.any():
            expired = lost & (now_ns - self._lost_ns >= self._loss_delay)
            fallback = expired & self._loss_value
            want = self._drive & ((self._known & ~self._held) | fallback) & ~(expired & self._loss_release)
            bits = np.where(fallback, self._loss_bits, self._bits)
        else:
            fallback, bits = lost, self._bits
            want = self._drive & self._known & ~self._held
        unacted = self._version != self._acted
        late = (self._deadline != 0) & (now_ns >= self._deadline) & unacted & ~fallback
        same = self._fresh & (bits == self._back)
        if self._tries.any():  # what was written, and is kept as nearly as the device can
            taken = self._fresh & (self._tries > 0) & (bits == self._written)
            same |= taken & self._near(np.arange(len(bits)), bits, self._back)
        beyond = self._beyond(bits)
        self._settle(same, want, beyond if bits is self._bits else self._beyond(self._bits))

        ready = want & self._fresh & ~late
        level = self._level & ready & ~same & beyond
        again = self._written_ns
        if self._tries.any():
            wait = np.minimum(RETRY_FIRST_NS << np.minimum(np.maximum(self._tries - 1, 0), 6), RETRY_MOST_NS)
            again = np.where((self._tries > 0) & (bits == self._written), again + wait, again)
        new = self._live & self._drive & (self._version != self._acted) & ~late
        once = fallback & self._drive & ~self._loss_done
        shared = self._shared & self._fresh & ~same & ((new & ~self._held) | once)
        when = np.where(level, again, _NEVER)
        if self._any_refresh:
            when = np.minimum(when, np.where(self._refresh & ready, self._written_ns + self._time, _NEVER))
        pulse, release = self._pulses(now_ns, late, once) if self._any_pulse else (self._pulse, self._none)

        when = np.where(shared | pulse, self._written_ns, when)
        when = np.maximum(when, self._written_ns + self._interval)
        self._plan_next(now_ns, np.minimum(when, release), lost)
        act = (when <= now_ns) & (release > now_ns)
        if not (act.any() or (release <= now_ns).any()):
            return []
        orders = [Order(int(i), 0, 0, "release") for i in np.flatnonzero(release <= now_ns)]
        for i in np.flatnonzero(act):
            value = 1 if self._pulse[i] else int(bits[i])
            if fallback[i]:
                orders.append(Order(int(i), value, 0, "loss"))
            else:
                orders.append(Order(int(i), value, int(self._version[i]), "command"))
        orders.sort(key=self._urgency)
        if orders:
            self.next_ns = 0  # until they are done
        return orders

    def _pulses(self, now_ns: int, late: Flags, once: Flags) -> tuple[Flags, Times]:
        """Pulses to press now, and when those that are pressed are to be released."""
        idle = self._pulse & (self._pulse_end < 0)
        press = self._live & self._drive & (self._version != self._seen) & (self._bits != 0)
        press &= (now_ns - self._published <= PULSE_MAX_AGE_NS) & ~late
        release = np.where(self._pulse_end >= 0, self._pulse_end, _NEVER)
        unsure = idle & self._unsure
        if unsure.any():
            unsure &= self._fresh & ~press & ((self._live & self._drive) | (self._acted != 0))
            release[unsure & (self._back != 0)] = now_ns
            self._unsure &= ~(unsure & (self._back == 0) & (now_ns - self._written_ns > UNSURE_NS))
        return idle & (press | (once & (self._loss_bits != 0))), release

    def written(self, order: Order, result: int, now_ns: int) -> None:
        """What became of a write.

        Args:
            order: What `due` returned.
            result: `OK`, a Modbus exception code, `REFUSED` or `UNKNOWN`.
            now_ns: When it was over, ns monotonic.
        """
        i = order.index
        self.next_ns = 0
        repeated = self._written[i] == order.bits and self._tries[i] > 0
        self._tries[i] = (self._tries[i] + 1 if repeated else 1) if self._level[i] else 0
        self._fresh[i] = False
        self._written_ns[i] = now_ns
        self._written[i] = order.bits
        self._absence.wrote(i, order.bits, None if result == UNKNOWN else result == OK)
        if order.reason == "release":
            self._pulse_end[i] = -1 if result == OK else now_ns + RETRY_FIRST_NS
            return
        if order.reason == "loss":
            self._loss_done[i] = True
        if self._pulse[i]:
            self._unsure[i] = result == UNKNOWN
            self._pulse_end[i] = now_ns + self._time[i] if result in (OK, UNKNOWN) else -1
        if order.version:
            self._seen[i] = self._acted[i] = order.version
            self._result[i] = result
            self.aux[i] = order.version | result << 56

    def _first(self, commands: Commands, version: Bits) -> None:
        """Field has just started: nothing that was there before it is done again."""
        self._seen_any = True
        self._seen[:] = self._held_version[:] = version
        adopted = self._shared & commands.drive
        self._acted[adopted] = version[adopted]
        self._drive[:] = commands.drive  # what a control that is dead now had said
        self._bits[:] = commands.bits

    def _near(self, where: npt.NDArray[np.intp], one: Bits, other: Bits) -> Flags:
        """Equal, or within the tolerance."""
        is_float = self._float[where]
        with np.errstate(invalid="ignore"):
            apart = np.abs(types.floats(one, is_float) - types.floats(other, is_float))
        near: Flags = (one == other) | (apart <= self._tolerance[where]) & (self._tolerance[where] > 0)
        return near

    def _beyond(self, bits: Bits) -> Flags:
        """Differences that are worth a write."""
        value = types.floats(bits, self._float)
        with np.errstate(invalid="ignore"):
            apart = np.abs(value - types.floats(self._back, self._float)) > self._deadband
        beyond: Flags = apart | self._exact | (value <= self._low) | (value >= self._high)
        return beyond

    def _settle(self, same: Flags, want: Flags, beyond: Flags) -> None:
        """Commands that the device follows already are acted on; so are those within the dead band."""
        done = ~self._pulse & self._live & want & self._fresh & (same | (self._level & ~beyond))
        # read back: it is there after all
        late = (self._result == UNKNOWN) | (self._level & (self._result != OK))
        self._set(done & ((self._version != self._acted) | late), self._version, OK)

    def _set(self, where: Flags, version: Bits, result: int) -> None:
        if where.any():
            self._acted[where] = version[where]
            self._result[where] = result
            self.aux[where] = self._acted[where] | np.uint64(result << 56)

    def _urgency(self, order: Order) -> tuple[int, int]:
        if self._stop[order.index] and order.reason != "release":
            return 0, order.index
        return (1 if order.reason == "release" else 2), order.index

    def _plan_next(self, now_ns: int, when: Times, lost: Flags) -> None:
        later = when[when > now_ns]
        self.next_ns = int(later.min()) if len(later) else _NEVER
        lost = lost & (self._loss_value | self._loss_release)
        if lost.any():
            ends = self._lost_ns[lost] + self._loss_delay[lost]
            if (ends := ends[ends > now_ns]).size:
                self.next_ns = min(self.next_ns, int(ends.min()))


def usable(status: npt.NDArray[np.uint32]) -> Flags:
    """Statuses of commands that count: Good, also Good by force."""
    return quality.good_mask(status)
