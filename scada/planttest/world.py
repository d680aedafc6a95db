"""The devices around the program: they hold what a test gives them, answer polls, and take commands.

A stand-in for devices and field service together. Each tag is polled at its own period, a written one is read back in
the next scan. A maintained command is taken when it differs by more than its dead band, not before its shortest
interval, in the steps of its register; a pulse stays for its time; a shared or asked value is taken once per command.
Without a connection nothing is read and nothing is written. What is not given: connected, armed, in Remote, contacts
open, numbers 0 or the end of their range that is nearest to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from scada.planttest.follow import Follower, Read
from scada.scan import Inputs, Program, State, Writes
from scada.scan.program import HOLD, OWN, PULSE, Plan
from tags.model import DEVICE, SYSTEM, OnLoss, Tag, Write
from tags.quality import BAD_NO_COMMUNICATION, GOOD, is_good
from tags.scaling import to_raw, to_value
from tags.site.plant_tests_compiled import Plant, Series
from tags.types import BCD_RANGE, BOOL, FLOATS, INTEGER_RANGE, STRING, Value

_VERSIONS: Final = 1 << 32
_PULSE_MAX_AGE_NS: Final = 5_000_000_000  # field does not press a button that was meant so long ago
_NEVER: Final = -(1 << 62)


def neutral(tag: Tag, remotes: frozenset[str]) -> Value:
    """What a tag of another service is when a test does not say."""
    if tag.initial is not None:
        return tag.initial
    if tag.type == BOOL:
        return tag.kind == SYSTEM or tag.path in remotes
    if tag.type == STRING:
        return ""
    low, high = tag.range or (0.0, 0.0)
    nearest = min(max(0.0, low), high)
    return nearest if tag.type in FLOATS else round(nearest)


def as_tag(tag: Tag, value: Any) -> Value:
    """A value of a model as the tag's type has it."""
    if tag.type == BOOL:
        return bool(value)
    if tag.type == STRING:
        return str(value)
    return float(value) if tag.type in FLOATS else round(value)


class World:
    """The devices.

    Args:
        program: What runs.
        plant: What the test says of them.

    Attributes:
        truth: What is so in the plant, by path; also while a measurement is bad.
        status: Of the measurement, by path; Good if absent.
        linked: By device: False while its connection is lost.
    """

    def __init__(self, program: Program, plant: Plant) -> None:
        self.program = program
        site = program.site
        remotes = frozenset(tag.remote for tag in site.tags if tag.remote is not None)
        self.tags = {tag.path: tag for tag in site.tags if tag.writer != "control"}
        self.truth: dict[str, Any] = {
            path: neutral(tag, remotes)
            for path, tag in self.tags.items()
            if tag.kind == DEVICE or (tag.kind == SYSTEM and (tag.type == BOOL or path.endswith("/restarts")))
        }
        self.status: dict[str, int] = {}
        self.linked = {device.name: True for device in site.devices}
        self._active: dict[str, _Running] = {}
        self._followers = [Follower(follow, program.tags) for follow in plant.follow]
        self._polls = _polls(program, self.truth)
        self._now: set[str] = set()  # to be polled in the next scan, whatever their period
        self._outputs = [plan for plan in program.outputs if plan.way != OWN]
        self._by_command = {plan.command: plan for plan in self._outputs}
        self._version: dict[int, int] = {}
        self._published: dict[int, tuple[Any, int]] = {}
        self._versions: list[tuple[int, int]] = []
        self._acted: dict[int, int] = {}
        self._told: dict[int, int] = {}
        self._written_ns: dict[int, int] = {}
        self._pulses: dict[int, int] = {}  # row to the time at which it ends
        self._lost_ns: dict[int, int] = {}
        self._live: dict[int, Plan] = {}  # commands that the devices may not have yet
        self._until_ns: dict[int, int] = {}  # and until when they are still meant
        self._count = 0
        self.begin(plant.given, 0)
        self._active.clear()  # a model goes on from there
        self._settle(frozenset(series.path for series in plant.given))

    def begin(self, series: Iterable[Series], time_ns: int) -> None:
        """Devices hold other values from now on."""
        for one in series:
            first = one.points[0]
            if len(one.points) == 1 and first.value is None and first.status is not None:
                self.status[one.path] = first.status  # the plant goes on behind a measurement that fails
                continue
            self._active[one.path] = _Running(one, self.truth.get(one.path))
            self._move(one.path, time_ns)

    def set(self, path: str, value: Value) -> None:
        """A device holds a value from now on."""
        self._active.pop(path, None)
        self.truth[path] = value

    def link(self, device: str, *, linked: bool) -> None:
        """A connection is lost or comes back: at once known, as field knows it."""
        if self.linked[device] == linked:
            return
        self.linked[device] = linked
        self.truth[f"system/{device}/connected"] = linked
        self._now.update(path for path, tag in self.tags.items() if tag.device == device)
        self._now.add(f"system/{device}/connected")

    def forget(self) -> None:
        """Control starts again: its versions begin anew."""
        self._version.clear()
        self._published.clear()
        self._versions = []
        self._told.clear()
        self._live.clear()
        self._now.update(self.truth)  # it finds all that field has read
        self._count += 1

    def _settle(self, given: frozenset[str]) -> None:
        for follower in self._followers:
            if follower.path not in given:
                value = follower.settled(self.read, self.truth[follower.path])
                self.truth[follower.path] = as_tag(self.tags[follower.path], value)

    def read(self, path: str) -> Any:
        """What is so in the plant, None for a tag of control's own before it runs."""
        return self.truth.get(path)

    def advance(self, time_ns: int, dt_ns: int, read: Read) -> None:
        """The plant goes on for a period.

        Args:
            time_ns: Now, since the first scan, ns.
            dt_ns: Since the last time, ns.
            read: Gives the value of any tag: of the plant, or of control.
        """
        for row, end_ns in list(self._pulses.items()):
            if time_ns >= end_ns:
                del self._pulses[row]
                self._hold(self.program.outputs[row], False)
        for path in list(self._active):
            self._move(path, time_ns)
        for follower in self._followers:
            if follower.path not in self._active:
                value = follower.step(dt_ns, read, self.truth[follower.path])
                self.truth[follower.path] = as_tag(self.tags[follower.path], value)

    def _move(self, path: str, time_ns: int) -> None:
        running = self._active[path]
        value, status, over = running.at(time_ns)
        tag = self.tags[path]
        if value is not None:
            self.truth[path] = as_tag(tag, value)
        if status is not None:
            self.status[path] = status
        if over and any(follower.path == path for follower in self._followers):
            return  # what a test gives wins over the model for the rest of the test
        if over:
            del self._active[path]

    # ---- what control sees ---------------------------------------------------------------------------------------

    def inputs(self, number: int, utc_ns: int) -> Inputs:
        """What is new for a scan.

        Args:
            number: Of the scan, from 0.
            utc_ns: Its time.
        """
        samples = []
        index, now = self.program.index, self._now
        due = [path for period, paths in self._polls for path in paths if number % period == 0 or path in now]
        for path in due:
            tag = self.tags[path]
            status = self.status.get(path, GOOD)
            if tag.device is not None and tag.kind == DEVICE and not self.linked[tag.device]:
                status = BAD_NO_COMMUNICATION
            samples.append((index[path], self.truth[path], status, utc_ns))
        now.clear()
        acted = [(row, aux) for row, aux in self._acted.items() if self._told.get(row) != aux]
        self._told.update(acted)
        return Inputs(samples, acted, self._versions)

    # ---- what control writes -------------------------------------------------------------------------------------

    def take(self, state: State, writes: Writes, time_ns: int) -> None:
        """Takes the commands of a scan."""
        self._publish(state, writes, time_ns)
        for row, plan in list(self._live.items()):
            if self._follow(state, plan, time_ns):
                del self._live[row]

    def _publish(self, state: State, writes: Writes, time_ns: int) -> None:
        """What the publisher does: a new version for a command that changed or is given again."""
        self._versions = []
        signals = state.signals
        for slot in dict.fromkeys((*writes.slots, *writes.flags, *writes.renew, *writes.deadlines)):
            plan = self._by_command.get(slot)
            if plan is None:
                continue
            now = (signals.value[slot], signals.status[slot])
            if now != self._published.get(plan.row) or slot in writes.renew:
                self._count += 1
                self._version[plan.row] = _VERSIONS | self._count
            self._published[plan.row] = now
            self._versions.append((plan.row, self._version[plan.row]))
            self._live[plan.row] = plan
            self._until_ns.pop(plan.row, None)
            if plan.way == PULSE:
                self._until_ns[plan.row] = time_ns + _PULSE_MAX_AGE_NS
            if slot in writes.deadlines:
                self._until_ns[plan.row] = time_ns + writes.deadlines[slot]

    def _follow(self, state: State, plan: Plan, time_ns: int) -> bool:
        """One command; True when there is nothing left to do about it."""
        row, tag = plan.row, plan.tag
        if time_ns > self._until_ns.get(row, time_ns):
            return True
        if tag.device is None or not self.linked[tag.device] or not self.truth[f"system/{tag.device}/armed"]:
            return False
        if not state.drive[plan.command]:
            self._lost_ns.pop(row, None)
            return True
        if not is_good(state.signals.status[plan.command]):
            return self._loss(plan, time_ns)
        self._lost_ns.pop(row, None)
        command = state.signals.value[plan.command]
        version = self._version[row]
        write = tag.write or Write()
        if plan.way == HOLD:
            if not self._beyond(plan, command, write):
                self._acted[row] = version
                return True
            if not write.stop and time_ns - self._written_ns.get(row, _NEVER) < write.min_interval_ns:
                return False
            self._written_ns[row] = time_ns
            self._hold(plan, command)
        elif self._acted.get(row) != version:
            if plan.way == PULSE and command:
                self._pulses[row] = time_ns + write.time_ns
            self._hold(plan, command)
        self._acted[row] = version
        return True

    def _beyond(self, plan: Plan, command: Any, write: Write) -> bool:
        held = self.truth[plan.tag.path]
        if isinstance(command, bool | str) or plan.tag.type == STRING:
            return bool(command != held)
        wanted = quantised(plan.tag, command)
        if abs(wanted - held) > write.deadband:
            return True
        low, high = plan.tag.range or (None, None)
        return wanted != held and (wanted in (low, high))

    def _loss(self, plan: Plan, time_ns: int) -> bool:
        loss = plan.tag.on_loss or OnLoss(action="hold")
        since = self._lost_ns.setdefault(plan.row, time_ns)
        if loss.action != "value" or time_ns - since < loss.delay_ns:
            return loss.action != "value"
        self._hold(plan, loss.value)
        return True

    def _hold(self, plan: Plan, value: Any) -> None:
        tag = plan.tag
        self.truth[tag.path] = quantised(tag, value)
        self._now.add(tag.path)
        self.written(tag, value)

    def written(self, tag: Tag, value: Any) -> None:
        """A value has reached its device; for devices that do more with it than to hold it."""


def quantised(tag: Tag, value: Any) -> Any:
    """A command as its register holds it."""
    address = tag.address or {}
    wire, limits = str(address.get("type", "")), address.get("limits")
    if tag.type not in FLOATS or wire not in INTEGER_RANGE | BCD_RANGE:
        return value
    return to_value(to_raw(value, tag.scaling, wire, limits), tag.scaling, tag.type)


def _polls(program: Program, truth: Mapping[str, Any]) -> list[tuple[int, list[str]]]:
    """Paths that the program reads, by their poll period in scans."""
    groups: dict[int, list[str]] = {}
    for slot in range(program.own, len(program.slots)):
        tag = program.slots[slot]
        if tag.path in truth:
            groups.setdefault(max(1, tag.scan_ns // program.site.scan_ns), []).append(tag.path)
    return sorted(groups.items())


class _Running:
    """A series at work."""

    __slots__ = ("_failing", "_next", "_points", "_start", "_step")

    def __init__(self, series: Series, held: Any) -> None:
        self._points, self._step = series.points, series.step
        self._start = held  # what a ramp begins from
        self._next = 0
        self._failing = any(point.status is not None for point in series.points)

    def at(self, time_ns: int) -> tuple[Any, int | None, bool]:
        """Value or None, status or None, and whether it is over."""
        points = self._points
        n = self._next
        while n < len(points) and points[n].time_ns <= time_ns:
            n += 1
        self._next = n
        if n == 0:
            return None, None, False
        last = points[n - 1]
        over = n == len(points)
        value = last.value
        status = GOOD if last.status is None and self._failing else last.status
        if self._step or over:
            return value, status, over
        begun = self._start if value is None else value
        following = points[n].value
        if isinstance(begun, int | float) and isinstance(following, int | float):
            part = (time_ns - last.time_ns) / (points[n].time_ns - last.time_ns)
            value = begun + (following - begun) * part
        return value, status, over
