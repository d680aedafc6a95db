"""All alarms of a site over the scan's signals.

An alarm is looked at only when its tag or its suppression changed, or while one of its delays runs; 10,000 quiet
alarms cost two comparisons of tuples per scan.

Conditions, in engineering units of the tag:

=========  =======================================  =========================================
kind       becomes true                             becomes false
=========  =======================================  =========================================
`high`     value > limit                            value <= limit - deadband
`low`      value < limit                            value >= limit + deadband
`state`    value is true (not 0)                    value is false (0)
`quality`  status is Bad, or a `system/` tag false  otherwise
=========  =======================================  =========================================

The condition must stay true for `on_delay_ns` and false for `off_delay_ns`; the scan of the change is time 0. A value
that is not usable (bad, stale, NaN) keeps the state of `high`, `low` and `state` alarms and starts their delays
again. BadWaitingForInitialData says nothing yet and keeps the state of `quality` alarms.

Suppressed by design: while `unless` is true (an unusable `unless` keeps what was), and, for an alarm with `device`,
while the device's communication alarm `system/<device>/COMMS` is active or about to be.

The state goes to the alarm's tag; an event is emitted for whatever people do, for the end of a shelf, and for a
transition of the process that concerns somebody: not for normal alarms that are suppressed or let go, and while an alarm
stays suppressed only for its first return to normal. What came and went under a mask unseen is told when the mask goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple, Self

from scada.alarms import operations, watch
from scada.alarms.operations import Order
from scada.alarms.record import EMPTY, Record, follow, parse
from scada.alarms.records import Records
from scada.alarms.shelves import Shelves
from scada.alarms.state import (
    ACTIVE,
    CLEAR,
    DISABLED,
    MASKS,
    RAISE,
    SHELVED,
    STATES,
    SUPPRESS,
    SUPPRESSED,
    TABLE,
    UNACKED,
    UNCONFIRMED,
    UNSHELVE,
    UNSUPPRESS,
    shown,
)
from scada.alarms.watch import KINDS, LOW, QUALITY, Index, Scan, Signals, Watched, is_comms
from tags import model
from tags.quality import BAD_INTERNAL_ERROR, UNCERTAIN

_UNLESS_OF_OLD: Final = 32  # a state that was kept before there was more than its first five bits
_RETRY_SCANS: Final = 100  # an alarm that raised gets another chance after so many scans


class Transition(NamedTuple):
    """One alarm's state changed, as shown (`state.shown`)."""

    path: str
    before: int
    after: int


class Alarms:
    """All alarms of a site.

    Attributes:
        failed: The message of the exception that each alarm raised that stands because of one, by position. It keeps its
            state, its tag is BadInternalError, and it is tried again when something changes and each 100 scans.
        records: What is known of them beside their states.
        shelves: When their shelves end.
    """

    def __init__(self, alarms: Sequence[model.Alarm], index: Index) -> None:
        """Binds them; `index` then knows all tags that they watch.

        Raises:
            KeyError: The site has no such tag.
            ValueError: An `unless` that cannot be parsed, or a kind that is unknown.
        """
        unknown = [alarm.path for alarm in alarms if alarm.kind not in KINDS]
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: the kinds are {', '.join(KINDS)}")
        # Communication alarms first: what they suppress is looked at after them.
        self._all = [Watched(a, index) for a in sorted(alarms, key=lambda a: (not is_comms(a), a.path))]
        self._position = {a.model.path: i for i, a in enumerate(self._all)}
        self.records = Records(self._all)
        self.shelves = Shelves()
        self._comms = {a.model.path: a for a in self._all if is_comms(a.model)}
        watchers: dict[int, list[int]] = {}
        behind: dict[str, list[int]] = {}
        for i, alarm in enumerate(self._all):
            for slot in {alarm.slot, *(index.slot(path) for path in index.paths_of(alarm.model.unless))}:
                watchers.setdefault(slot, []).append(i)
            if alarm.device is not None and alarm.model.path not in self._comms:
                behind.setdefault(f"system/{alarm.device}/COMMS", []).append(i)
        self._behind = behind
        slots = sorted(watchers)
        # itemgetter of one index gives no tuple: a doubled index keeps the shape.
        self._pick = itemgetter(*slots, slots[0]) if slots else None
        self._watchers_of_pick = [*(watchers[slot] for slot in slots), []] if slots else []
        self._values: tuple[Any, ...] = ()
        self._statuses: tuple[int, ...] = ()
        self._timing: dict[int, None] = {}
        self._first = True
        self._steps = 0
        self.failed: dict[int, str] = {}

    @classmethod
    def build(cls, alarms: Sequence[model.Alarm], index: Index) -> Self:
        """Same as the constructor."""
        return cls(alarms, index)

    def step(self, ctx: Scan) -> list[Transition]:
        """Looks at what changed; once per scan, after the blocks.

        Returns:
            All changes of shown states, in a fixed order.
        """
        transitions: list[Transition] = []
        self._end_shelves(ctx, transitions)
        if self._first:
            self._first = False
            for alarm in self._all:
                ctx.put(alarm.out, shown(alarm.bits))
            due = set(range(len(self._all)))
            self._values, self._statuses = self._picked(ctx.signals)
        else:
            due = self._changed(ctx.signals)
            due.update(self._timing)
            self._steps += 1
            if self.failed:
                due.update(i for i in self.failed if (self._steps + i) % _RETRY_SCANS == 0)
        if not due:
            return transitions
        comms = len(self._comms)
        for i in sorted(i for i in due if i < comms):
            alarm = self._all[i]
            before = alarm.down or alarm.active
            self._guarded(ctx, i, alarm, transitions)
            if (alarm.down or alarm.active) is not before:
                due.update(self._behind.get(alarm.model.path, ()))
        for i in sorted(i for i in due if i >= comms):
            self._guarded(ctx, i, self._all[i], transitions)
        return transitions

    def _guarded(self, ctx: Scan, i: int, alarm: Watched, transitions: list[Transition]) -> None:
        """A defect in one alarm must not silence the others."""
        try:
            self._look(ctx, i, alarm, transitions)
        except Exception as error:  # noqa: BLE001 - whatever it is, the scan goes on
            message = f"{type(error).__name__}: {error}"
            if i not in self.failed:
                ctx.emit("block", path=alarm.model.path, failed=True, message=message)
            self.failed[i] = message
            self._timing.pop(i, None)
            ctx.put(alarm.out, shown(alarm.bits), BAD_INTERNAL_ERROR)
        else:
            if self.failed and self.failed.pop(i, None) is not None:
                ctx.emit("block", path=alarm.model.path, failed=False, message="runs again")
                ctx.put(alarm.out, shown(alarm.bits))

    def _picked(self, signals: Signals) -> tuple[tuple[Any, ...], tuple[int, ...]]:
        """Values and statuses of the watched tags."""
        return ((), ()) if self._pick is None else (self._pick(signals.value), self._pick(signals.status))

    def _changed(self, signals: Signals) -> set[int]:
        """Positions of alarms whose tags changed; values that cannot matter are sorted out at once."""
        values, statuses = self._picked(signals)
        due: set[int] = set()
        if values == self._values and statuses == self._statuses:
            return due
        every = self._all
        for value, old, status, old_status, watchers in zip(
            values, self._values, statuses, self._statuses, self._watchers_of_pick, strict=True
        ):
            if value == old and status == old_status:
                continue
            for i in watchers:
                alarm = every[i]
                if (
                    alarm.kind <= LOW
                    and alarm.unless is None
                    and status == old_status
                    and status < UNCERTAIN
                    and alarm.elapsed_ns < 0
                    and isinstance(value, int | float)
                    and (value * alarm.sign > (alarm.clear_at if alarm.active else alarm.raise_at))
                    is alarm.active
                ):
                    continue
                due.add(i)
        self._values, self._statuses = values, statuses
        return due

    def _look(self, ctx: Scan, i: int, alarm: Watched, transitions: list[Transition]) -> None:
        """One alarm in one scan: suppression, condition, delays."""
        before = bits = alarm.bits
        values, statuses = ctx.signals.value, ctx.signals.status
        if alarm.unless is not None:
            on, quality = alarm.unless(values, statuses)
            if quality < UNCERTAIN:
                alarm.unless_on = bool(on)
        if bits & DISABLED:
            # What stands behind a device that is away stays quiet also when nobody wants to hear of the device.
            alarm.down = (
                alarm.kind == QUALITY
                and watch.condition(alarm, values[alarm.slot], statuses[alarm.slot]) is True
            )
            self._timing.pop(i, None)
            return
        comms = self._comms.get(f"system/{alarm.device}/COMMS") if alarm.device is not None else None
        suppress = alarm.unless_on or (
            comms is not None and comms is not alarm and (comms.down or comms.active)
        )
        if suppress and not bits & SUPPRESSED:
            bits = TABLE[SUPPRESS][bits]

        condition = watch.condition(alarm, values[alarm.slot], statuses[alarm.slot])
        alarm.down = condition is True and alarm.kind == QUALITY
        if condition is None or condition is alarm.active:
            alarm.elapsed_ns = -1
            self._timing.pop(i, None)
        else:
            alarm.elapsed_ns = 0 if alarm.elapsed_ns < 0 else alarm.elapsed_ns + ctx.dt_ns
            if alarm.elapsed_ns >= (alarm.on_ns if condition else alarm.off_ns):
                bits = TABLE[RAISE if condition else CLEAR][bits]
                alarm.active, alarm.elapsed_ns = condition, -1
                self._timing.pop(i, None)
            else:
                self._timing[i] = None
        if not suppress and bits & SUPPRESSED:
            bits = TABLE[UNSUPPRESS][bits]
        if bits != before:
            self._become(ctx, i, bits, _of_process(before, bits), transitions)

    def _end_shelves(self, ctx: Scan, transitions: list[Transition]) -> None:
        """Shelves whose time is over; those whose end the clock moved are told anew."""
        over, moved = self.shelves.pass_(ctx.dt_ns, ctx.tick.utc_ns)
        for i in over:
            self._become(ctx, i, TABLE[UNSHELVE][self._all[i].bits], "unshelve", transitions, told=True)
        for i, until_ns in moved:
            self._tell(ctx, i, shown(self._all[i].bits), "clock", {"until": until_ns})

    def _become(
        self,
        ctx: Scan,
        i: int,
        bits: int,
        action: str,
        transitions: list[Transition] | None = None,
        *,
        told: bool = False,
        **more: Any,
    ) -> None:
        """Gives an alarm a state.

        Args:
            ctx: The scan.
            i: Position of the alarm.
            bits: The state.
            action: What is said of it.
            transitions: Where to note it, or None.
            told: Whoever it concerns.
            more: Of the event.
        """
        alarm = self._all[i]
        old, new = shown(alarm.bits), shown(bits)
        alarm.bits = bits
        if not bits & SHELVED:
            self.shelves.ends.pop(i, None)
        if old != new:
            ctx.put(alarm.out, new)
            if transitions is not None:
                transitions.append(Transition(alarm.model.path, old, new))
        elif not told:
            return
        concerns = (old | new) & (ACTIVE | UNACKED) and not (old & MASKS and new & MASKS)
        # Who follows the events must not believe for ever that an alarm stands which went under its mask.
        moved = _moved_quietly(alarm)
        went = moved if not new & MASKS else old & ACTIVE and not new & ACTIVE and not moved
        told = told or bool(concerns or went or (old & SHELVED and not new & SHELVED))
        self._tell(ctx, i, old, action, more, aloud=told)

    def _tell(
        self, ctx: Scan, i: int, old: int, action: str, more: Mapping[str, Any], *, aloud: bool = True
    ) -> None:
        """Notes what happened to an alarm, and says so."""
        alarm = self._all[i]
        record = Record(*alarm.record) if alarm.record is not None else EMPTY
        what, new, utc_ns = alarm.model, shown(alarm.bits), ctx.tick.utc_ns
        rose, fell = new & ACTIVE and not old & ACTIVE, old & ACTIVE and not new & ACTIVE
        fields: dict[str, Any] = {
            "t": utc_ns,
            "path": what.path,
            "tag": what.tag,
            "type": what.kind,
            "action": action,
            "from": old,
            "to": new,
            "value": ctx.signals.value[alarm.slot],
            "priority": what.priority,
            "message": what.message,
            "number": self.records.next(utc_ns) if aloud else record.number,
            "active": utc_ns if rose else record.active_ns,
            "inactive": utc_ns if fell else record.inactive_ns,
            **more,
        }
        after = follow(record, fields)
        self.records.keep(i, after if aloud else after._replace(t_ns=record.t_ns))
        if aloud:
            ctx.emit("alarm", **fields)

    def refusal(self, path: str, order: Order) -> str | None:
        """Why something cannot be done with an alarm now, or None."""
        i = self._position.get(path, -1)
        if i < 0:
            return f"there is no alarm {path!r}"
        return operations.refusal(order, self._all[i].model, self._all[i].bits)

    def order(self, path: str, order: Order, ctx: Scan) -> str | None:
        """Does at once what somebody wants.

        Args:
            path: Of the alarm.
            order: What.
            ctx: The scan that the request runs in.

        Returns:
            None when done, else why not.
        """
        refused = self.refusal(path, order)
        if refused is not None:
            return refused
        i = self._position[path]
        alarm = self._all[i]
        happens = operations.happening(order, alarm.model)
        bits = alarm.bits if happens is None else TABLE[happens][alarm.bits]
        more: dict[str, Any] = {"user": order.user, "source": order.source, "role": order.role}
        if order.comment is not None:
            more["comment"] = order.comment
        if order.kind == "shelve":
            # The requests of a scan are done before its time has passed.
            for_ns = order.for_ns or alarm.model.shelve_max_ns
            self.shelves.put(i, ctx.tick.utc_ns - ctx.dt_ns, for_ns + ctx.dt_ns)
            more["until"] = ctx.tick.utc_ns + for_ns
        if order.kind == "disable":
            alarm.active, alarm.elapsed_ns = False, -1
            self._timing.update(
                dict.fromkeys(self._behind.get(path, ()))
            )  # looked at next, as it may be down no more
        if order.kind == "enable":
            self._timing[i] = None
        self._become(ctx, i, bits, order.kind, told=True, **more)
        return None

    def bits(self, path: str) -> int:
        """The state of an alarm as shown.

        Raises:
            KeyError: There is no such alarm.
        """
        return shown(self._all[self._position[path]].bits)

    def record(self, path: str) -> Record:
        """What is known of an alarm beside its state.

        Raises:
            KeyError: There is no such alarm.
        """
        kept = self._all[self._position[path]].record
        return EMPTY if kept is None else Record(*kept)

    def adopt(self, other: Alarms, signals: Signals) -> None:
        """Goes on where the alarms of another program are, for those that both have; the rest is looked at anew.

        Args:
            other: Between two scans.
            signals: Of the scan that these are in.
        """
        self._values, self._statuses = self._picked(signals)
        self._first, self._steps = other._first, other._steps
        self.records.number = other.records.number
        self.shelves.elapsed_ns = other.shelves.elapsed_ns
        for i, alarm in enumerate(self._all):
            there = other._position.get(alarm.model.path, -1)
            old = other._all[there] if there >= 0 else None
            if old is None or old.kind != alarm.kind:
                self._timing[i] = None
                continue
            alarm.bits, alarm.active, alarm.down = old.bits, old.active, old.down
            if not alarm.model.confirm:
                alarm.bits &= ~UNCONFIRMED
            alarm.unless_on, alarm.elapsed_ns = old.unless_on and alarm.unless is not None, old.elapsed_ns
            if old.record is not None:
                self.records.keep(i, Record(*old.record))
            if there in other.shelves.ends:
                self.shelves.keep(i, *other.shelves.ends[there])
            if alarm.elapsed_ns >= 0 or (old.model.limit, old.model.tag) != (
                alarm.model.limit,
                alarm.model.tag,
            ):
                self._timing[i] = None

    def watched(self) -> Sequence[Watched]:
        """All alarms, for who makes the text of what is kept."""
        return self._all

    def retained(self) -> dict[str, Any]:
        """By path, of those that are not as at a first start: state, whether its `unless` suppresses it, and record."""
        return {
            a.model.path: (a.bits, a.unless_on, a.record) for a in self._all if a.bits or a.record is not None
        }

    def shelved(self) -> dict[str, tuple[int, int]]:
        """By path: when the shelf ends, ns UTC, and what is left of it, ns."""
        return {self._all[i].model.path: self.shelves.left(i) for i in sorted(self.shelves.ends)}

    def restore(
        self, state: Mapping[str, Any], shelves: Mapping[str, Any] | None = None, utc_ns: int = 0
    ) -> None:
        """Takes back what `retained` and `shelved` gave, before the first step; nothing is announced again.

        Args:
            state: From `retained`, as JSON brought it back.
            shelves: From `shelved`.
            utc_ns: Now, ns UTC.
        """
        records: list[tuple[int, Record]] = []
        for path, found in state.items():
            i = self._position.get(path, -1)
            back = _kept_state(found)
            if i < 0 or back is None:
                continue
            alarm = self._all[i]
            bits, unless_on, record = back
            if not alarm.model.confirm:
                bits &= ~UNCONFIRMED
            if bits & SHELVED and not self.shelves.restore(
                i, (shelves or {}).get(path), utc_ns, alarm.model.shelve_max_ns
            ):
                bits = TABLE[UNSHELVE][bits]
            alarm.bits, alarm.active = bits, bool(bits & ACTIVE)
            alarm.unless_on = unless_on and alarm.unless is not None
            if record is not None:
                records.append((i, record))
        for i, record in sorted(records, key=lambda one: one[1].number):
            self.records.keep(i, record)
            self.records.number = max(self.records.number, record.number)


def _kept_state(found: Any) -> tuple[int, bool, Record | None] | None:
    """State, `unless` and record that JSON brought back; None when it is neither of this version nor of the first."""
    if type(found) is int and 0 <= found < 2 * _UNLESS_OF_OLD:
        return found % _UNLESS_OF_OLD, bool(found & _UNLESS_OF_OLD), None
    if not isinstance(found, list | tuple) or len(found) != 3 or type(found[0]) is not int:
        return None
    if not 0 <= found[0] < STATES:
        return None
    return found[0], bool(found[1]), parse(found[2])


def _moved_quietly(alarm: Watched) -> bool:
    """Whether it came or went since the last event that was told of it."""
    if alarm.record is None:
        return False
    t_ns, active_ns, inactive_ns = alarm.record[1:4]
    return bool(active_ns > t_ns or inactive_ns > t_ns)


def _of_process(before: int, after: int) -> str:
    """What the process did with an alarm, in one word."""
    if (before ^ after) & ACTIVE:
        return "raise" if after & ACTIVE else "clear"
    return "suppress" if after & SUPPRESSED else "unsuppress"
