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

The state goes to the alarm's tag; an event is emitted for a transition that concerns somebody: not for normal alarms
that are suppressed or let go, and not while an alarm stays suppressed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple, Protocol, Self

from scada.alarms.state import (
    ACKNOWLEDGE,
    ACTIVE,
    CLEAR,
    MASKS,
    RAISE,
    SUPPRESS,
    SUPPRESSED,
    TABLE,
    UNACKED,
    UNSUPPRESS,
    shown,
)
from tags import model
from tags.quality import (
    BAD_INTERNAL_ERROR,
    BAD_WAITING_FOR_INITIAL_DATA,
    GOOD,
    UNCERTAIN,
    UNCERTAIN_EU_EXCEEDED,
    is_bad,
)

UNLESS: Final = len(TABLE[RAISE])  # in `retained` only, above all state bits
HIGH, LOW, STATE, QUALITY = range(4)
_RETRY_SCANS: Final = 100  # an alarm that raised gets another chance after so many scans
_KINDS: Final = {"high": HIGH, "low": LOW, "state": STATE, "quality": QUALITY}


class Index(Protocol):
    """What binds paths: `scada.blocks.base.Binder`."""

    def slot(self, path: str) -> int:
        """Slot of a tag."""

    def condition(self, text: str | None) -> Callable[[Sequence[Any], Sequence[int]], tuple[Any, int]] | None:
        """A bound expression."""

    def paths_of(self, text: str | None) -> tuple[str, ...]:
        """The tags that an expression reads."""


class Signals(Protocol):
    """`scada.blocks.base.Signals`."""

    value: list[Any]

    @property
    def status(self) -> Sequence[int]:
        """Status codes."""


class Scan(Protocol):
    """`scada.blocks.base.Context`."""

    dt_ns: int

    @property
    def signals(self) -> Signals:
        """The working set."""

    def put(self, slot: int, value: Any, status: int = GOOD) -> None:
        """Sets a tag."""

    def emit(self, kind: str, **fields: Any) -> None:
        """Records an event."""


class Transition(NamedTuple):
    """One alarm's state changed, as shown (`state.shown`)."""

    path: str
    before: int
    after: int


class _Alarm:
    """One alarm at work."""

    __slots__ = (
        "active", "bits", "clear_at", "device", "down", "elapsed_ns", "is_system", "kind", "model", "off_ns", "on_ns",
        "out", "raise_at", "sign", "slot", "unless", "unless_on",
    )  # fmt: skip

    def __init__(self, alarm: model.Alarm, index: Index) -> None:
        self.model, self.kind = alarm, _KINDS[alarm.kind]
        self.slot, self.out = index.slot(alarm.tag), index.slot(alarm.path)
        self.sign = -1.0 if self.kind == LOW else 1.0
        self.raise_at = self.sign * alarm.limit
        self.clear_at = self.raise_at - abs(alarm.deadband)
        self.on_ns, self.off_ns = alarm.on_delay_ns, alarm.off_delay_ns
        self.unless, self.unless_on = index.condition(alarm.unless), False
        self.device = alarm.device
        self.is_system = alarm.tag.startswith("system/")
        self.bits, self.active = 0, False
        self.elapsed_ns = -1  # of the delay that runs; -1: none
        self.down = False  # quality: the condition as it is now, before delays


class Alarms:
    """All alarms of a site.

    Attributes:
        failed: The message of the exception that each alarm raised that stands because of one, by position. It keeps its
            state, its tag is BadInternalError, and it is tried again when something changes and each 100 scans.
    """

    def __init__(self, alarms: Sequence[model.Alarm], index: Index) -> None:
        """Binds them; `index` then knows all tags that they watch.

        Raises:
            KeyError: The site has no such tag.
            ValueError: An `unless` that cannot be parsed, or a kind that is unknown.
        """
        unknown = [alarm.path for alarm in alarms if alarm.kind not in _KINDS]
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: the kinds are {', '.join(_KINDS)}")
        # Communication alarms first: what they suppress is looked at after them.
        self._all = [_Alarm(a, index) for a in sorted(alarms, key=lambda a: (not _is_comms(a), a.path))]
        self._by_path = {a.model.path: a for a in self._all}
        self._comms = {a.model.path: a for a in self._all if _is_comms(a.model)}
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

    def _guarded(self, ctx: Scan, i: int, alarm: _Alarm, transitions: list[Transition]) -> None:
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

    def _look(self, ctx: Scan, i: int, alarm: _Alarm, transitions: list[Transition]) -> None:
        """One alarm in one scan: suppression, condition, delays."""
        before = bits = alarm.bits
        values, statuses = ctx.signals.value, ctx.signals.status
        if alarm.unless is not None:
            on, quality = alarm.unless(values, statuses)
            if quality < UNCERTAIN:
                alarm.unless_on = bool(on)
        comms = self._comms.get(f"system/{alarm.device}/COMMS") if alarm.device is not None else None
        suppress = alarm.unless_on or (
            comms is not None and comms is not alarm and (comms.down or comms.active)
        )
        if suppress and not bits & SUPPRESSED:
            bits = TABLE[SUPPRESS][bits]

        condition = _condition(alarm, values[alarm.slot], statuses[alarm.slot])
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
            self._become(ctx, alarm, bits, transitions, None)

    def _become(
        self, ctx: Scan, alarm: _Alarm, bits: int, transitions: list[Transition] | None, user: str | None
    ) -> None:
        old, new = shown(alarm.bits), shown(bits)
        alarm.bits = bits
        if old == new:
            return
        ctx.put(alarm.out, new)
        if transitions is not None:
            transitions.append(Transition(alarm.model.path, old, new))
        if (old | new) & (ACTIVE | UNACKED) and not (old & MASKS and new & MASKS):
            what = alarm.model
            fields: dict[str, Any] = {
                "path": what.path,
                "tag": what.tag,
                "from": old,
                "to": new,
                "value": ctx.signals.value[alarm.slot],
                "priority": what.priority,
                "message": what.message,
            }
            if user is not None:
                fields["user"] = user
            ctx.emit("alarm", **fields)

    def acknowledge(self, path: str, user: str, ctx: Scan) -> str | None:
        """Acknowledges an alarm at once.

        Args:
            path: Of the alarm.
            user: Who does it, for the event.
            ctx: The scan that the request runs in.

        Returns:
            None when done, else why not.
        """
        refusal = self.refusal(path)
        if refusal is None:
            alarm = self._by_path[path]
            self._become(ctx, alarm, TABLE[ACKNOWLEDGE][alarm.bits], None, user)
        return refusal

    def refusal(self, path: str) -> str | None:
        """Why an alarm cannot be acknowledged now, or None."""
        alarm = self._by_path.get(path)
        if alarm is None:
            return f"there is no alarm {path!r}"
        if not shown(alarm.bits) & UNACKED:
            return f"{path} has nothing to acknowledge"
        return None

    def bits(self, path: str) -> int:
        """The state of an alarm as shown.

        Raises:
            KeyError: There is no such alarm.
        """
        return shown(self._by_path[path].bits)

    def adopt(self, other: Alarms, signals: Signals) -> None:
        """Goes on where the alarms of another program are, for those that both have; the rest is looked at anew.

        Args:
            other: Between two scans.
            signals: Of the scan that these are in.
        """
        self._values, self._statuses = self._picked(signals)
        self._first, self._steps = other._first, other._steps
        for i, alarm in enumerate(self._all):
            old = other._by_path.get(alarm.model.path)
            if old is None or old.kind != alarm.kind:
                self._timing[i] = None
                continue
            alarm.bits, alarm.active, alarm.down = old.bits, old.active, old.down
            alarm.unless_on, alarm.elapsed_ns = old.unless_on and alarm.unless is not None, old.elapsed_ns
            if alarm.elapsed_ns >= 0 or (old.model.limit, old.model.tag) != (
                alarm.model.limit,
                alarm.model.tag,
            ):
                self._timing[i] = None

    def retained(self) -> dict[str, int]:
        """States that are not normal, by path; + `UNLESS` while the alarm's `unless` is what suppresses it."""
        return {a.model.path: a.bits + (UNLESS if a.unless_on else 0) for a in self._all if a.bits}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes back what `retained` gave, before the first step; nothing is announced again."""
        for path, bits in state.items():
            alarm = self._by_path.get(path)
            if alarm is not None and isinstance(bits, int) and 0 <= bits < 2 * UNLESS:
                alarm.bits, alarm.active = bits % UNLESS, bool(bits & ACTIVE)
                alarm.unless_on = bool(bits & UNLESS) and alarm.unless is not None


def _is_comms(alarm: model.Alarm) -> bool:
    return alarm.kind == "quality" and alarm.path.startswith("system/") and alarm.path.endswith("/COMMS")


def _condition(alarm: _Alarm, value: Any, status: int) -> bool | None:
    """True or False; None: not known, the state stays."""
    kind = alarm.kind
    if kind == QUALITY:
        if is_bad(status):
            return None if (status & 0xFFFF_0000) == BAD_WAITING_FOR_INITIAL_DATA else True
        return alarm.is_system and not value
    if status >= UNCERTAIN and (status & 0xFFFF_0000) != UNCERTAIN_EU_EXCEEDED:
        return None
    if kind == STATE:
        return bool(value)
    if not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - NaN
        return None
    return bool(value * alarm.sign > (alarm.clear_at if alarm.active else alarm.raise_at))
