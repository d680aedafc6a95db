"""The rules that must hold all the time, whatever goes wrong. The judge knows the truth: what reached the PLCs.

A breach is a sentence with its time. What the rules are:

- nothing is sent to a device that is not armed, and no value that is not a number;
- with the selector in Local nothing is driven (but for the moment that it takes to read the selector);
- a request that was refused is never sent; one that has ended (timed out, superseded, mismatched) or whose deadline
  has passed is not sent any more; a pulse and a shared set point are sent at most once for each request; a
  maintained value that the device has already is not sent again;
- a value that nobody asked for is not sent;
- each request has one outcome at most, and one that was confirmed was carried out;
- when control is gone, each output is at its loss value in time; a pulse does not stay pressed;
- no block, output or process fails, and no signal is NaN.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from scada.requests.machine import CONFIRMED, FINAL, MISMATCHED, REJECTED, SUPERSEDED, TIMED_OUT, VERSION_MASK
from scada.virtual import truth
from scada.virtual.control import Control
from scada.virtual.machine import Machine
from scada.virtual.people import Asked, many
from scada.virtual.wire import Written
from tags.model import OWNER_SHARED, Tag
from tags.types import BOOL

SECOND: Final = 1_000_000_000
BREACHES_MAX: Final = 50
LOCAL_GRACE_NS: Final = 3 * SECOND  # to read the selector, to scan, to take the command back
SETTLED_NS: Final = 4 * SECOND  # to connect again, to read back, to write
CONTROL_DEAD_NS: Final = (
    1 * SECOND
)  # field believes a heartbeat that stands for so long (`scada.field.watch`)
HELD_NS: Final = 2 * SECOND


@dataclass(slots=True)
class Case:
    """A request as the judge knows it.

    Attributes:
        asked: As it was sent.
        deadline_ns: When it ends by control's word, ns monotonic; 0 while not admitted.
        status: Its last status.
        ended_ns: When its outcome was published, or 0.
        finals: How many outcomes it had.
        sent: Number of writes for each path.
        done: Paths whose value the PLC carried out.
    """

    asked: Asked
    deadline_ns: int = 0
    status: str = ""
    ended_ns: int = 0
    finals: int = 0
    sent: Counter[str] = field(default_factory=Counter)
    done: set[str] = field(default_factory=set)


class Judge:
    """Watches a machine.

    Args:
        machine: At work; the judge listens to it.

    Attributes:
        breaches: What was wrong, the first ones.
        counts: How often what happened.
    """

    def __init__(self, machine: Machine) -> None:
        self.breaches: list[str] = []
        self.counts: Counter[str] = Counter()
        self.cases: dict[str, Case] = {}
        self._machine = machine
        self._began_ns = machine.world.now_ns
        self._tags = machine.site.by_path()
        self._places: dict[tuple[str, bool, int], Tag] = {}
        for tag in machine.site.tags:
            at = tag.address
            if at is not None and tag.owner is not None and tag.device is not None:
                self._places[tag.device, at["table"] == "coil", int(at["offset"])] = tag
        self._odd = {path for path, tag in self._tags.items() if truth.is_odd(tag, machine.site)}
        self._beats = {
            (device.name, truth.offset_of(device.heartbeat["address"]))
            for device in machine.site.devices
            if device.heartbeat is not None
        }
        program = machine.program
        self._undriven = {plan.tag.path for plan in program.outputs if plan.driver < 0}
        self._unique = {
            path
            for path, tag in self._tags.items()
            if path in self._undriven and path not in self._odd and tag.writable and many(tag)
        }
        self._by_value: dict[tuple[str, Any], Case] = {}
        self._by_version: dict[tuple[str, int], Case] = {}
        self._presses: Counter[tuple[str, int]] = Counter()
        self._last_sent: dict[str, Written] = {}
        self._sent_values: dict[tuple[str, Any], Written] = {}
        self._local_ns: dict[str, int] = {}
        self._fine_ns = dict.fromkeys(machine.wires, machine.world.now_ns)
        self._armed: dict[str, bool] = {}
        self._pressed_ns: dict[str, int] = {}
        self._drove: dict[str, bool] = {}
        self._held_ns: dict[str, int] = {}
        self._open: set[str] = set()
        self._spoke_ns: dict[str, int] = {}
        self._lossy = [
            (plan.row, plan.tag.path)
            for plan in program.outputs
            if plan.tag.on_loss is not None and plan.tag.on_loss.action == "value" and plan.tag.address
        ]
        machine.written.append(self._written)
        machine.told.append(self._told)
        machine.scanned.append(self._scanned)
        machine.arms.append(self._arms)

    def breach(self, text: str) -> None:
        """Notes what was wrong."""
        self.counts["breaches"] += 1
        if len(self.breaches) < BREACHES_MAX:
            self.breaches.append(f"{self._seconds():.3f} s: {text}")

    def asked(self, asked: Asked) -> None:
        """A new request is about to be sent."""
        case = self.cases[asked.id] = Case(asked)
        self.counts["requests"] += 1
        for path, value in asked.items:
            if path in self._unique and not isinstance(value, str | None):
                self._by_value[path, value] = case

    # -- writes -----------------------------------------------------------------------------------------------------

    def _written(self, written: Written) -> None:
        self.counts["writes"] += 1
        if not self._armed.get(written.device):
            self.breach(f"{written.device} is not armed, and {written} was sent")
        coil = written.function in (5, 15)
        if not coil and (written.device, written.offset) in self._beats:
            self.counts["heartbeats"] += 1
            return
        tag = self._places.get((written.device, coil, written.offset))
        if tag is None:
            self.breach(f"nobody has an output there: {written}")
            return
        self.counts["commands"] += 1
        if tag.path in self._odd:
            return
        value = truth.value_of(tag, written)
        if isinstance(value, float) and not math.isfinite(value):
            self.breach(f"{tag.path}: {value} was sent")
        control = self._machine.control
        local_ns = self._local_ns.get(tag.remote or "", 0)
        now = written.sent_ns
        released = tag.write is not None and tag.write.mode == "pulse" and not value
        if (
            local_ns
            and not released
            and not self._register(self._tags[tag.remote or ""])  # not turned back since the last look
            and now - local_ns > LOCAL_GRACE_NS
            and control is not None
            and now - control.scanned_ns < SECOND
        ):
            self.breach(f"{tag.path} is in Local, and {value} was sent")
        if tag.path in self._unique:
            self._unique_written(tag, value, written)
        self._last_sent[tag.path] = written

    def _unique_written(self, tag: Tag, value: Any, written: Written) -> None:
        if tag.write is not None and tag.write.mode == "refresh" and self._register(tag) == value:
            return  # whoever asked for it, the device holds it, and it is renewed
        case = self._by_value.get((tag.path, value))
        if case is None:
            loss = tag.on_loss.value if tag.on_loss is not None and tag.on_loss.action == "value" else None
            if value != loss:
                self.breach(f"{tag.path}: {value} was sent, which nobody asked for")
            return
        before = self._sent_values.get((tag.path, value))
        self._sent_values[tag.path, value] = written
        case.sent[tag.path] += 1
        self._in_time(case, tag, value, written.sent_ns)
        if before is None:
            return
        if tag.owner == OWNER_SHARED:
            self.breach(f"{tag.path}: {value} of {case.asked.id} was sent twice")
        held_ns = self._held_ns.get(tag.path, 0)
        if (
            (tag.write is None or tag.write.mode == "maintained")
            and self._register(tag) == value
            and written.sent_ns - held_ns > HELD_NS
        ):
            self.breach(f"{tag.path}: {value} was sent again though the device has it")

    def _in_time(self, case: Case, tag: Tag, value: Any, sent_ns: int) -> None:
        """Whether a first write for a request is still wanted."""
        if case.status == REJECTED and case.ended_ns <= sent_ns:
            self.breach(f"{tag.path}: {value} of {case.asked.id} was sent, and it was refused")
        elif case.sent[tag.path] > 1 and case.status == CONFIRMED:
            return  # it is the output's value now, and kept
        elif case.status == SUPERSEDED and tag.type == BOOL and tag.path in self._open:
            return  # two asked for the pulse, and this is the one that both get
        elif case.status in (TIMED_OUT, SUPERSEDED, MISMATCHED) and case.ended_ns <= sent_ns:
            self.breach(f"{tag.path}: {value} of {case.asked.id} was sent after it was {case.status}")
        elif case.status != CONFIRMED and case.deadline_ns and sent_ns > case.deadline_ns:
            late = (sent_ns - case.deadline_ns) / 1e9
            self.breach(f"{tag.path}: {value} of {case.asked.id} was sent {late:.3f} s after its deadline")

    def _told(self, service: str, event: dict[str, Any]) -> None:
        del service
        if event["kind"] != "write" or event["reason"] != "command" or not event["path"]:
            return
        tag = self._tags[event["path"]]
        version = int(event["version"]) & VERSION_MASK
        pulse = tag.write is not None and tag.write.mode == "pulse"
        if not (pulse or tag.owner == OWNER_SHARED):
            return
        key = tag.path, version
        self._presses[key] += 1
        if self._presses[key] > 1:
            self.breach(f"{tag.path}: version {version:#x} of its command was written twice")
        case = self._by_version.get(key)
        last = self._last_sent.get(tag.path)
        if case is not None and last is not None and tag.path not in self._unique:
            case.sent[tag.path] += 1
            if case.sent[tag.path] > 1:
                self.breach(f"{tag.path}: {case.asked.id} was written twice")
            self._in_time(case, tag, event["value"], last.sent_ns)

    # -- control ----------------------------------------------------------------------------------------------------

    def _scanned(self, control: Control, events: list[dict[str, Any]]) -> None:
        now = self._machine.world.now_ns
        state = control.state
        self.counts["scans"] += 1
        self._open.clear()
        for entry in state.ledger.open:
            case = self.cases.get(entry.request.id)
            if case is None:
                continue
            self._open.update(item.path for item in entry.items)
            case.deadline_ns = now + entry.deadline - state.elapsed_ns
            for item in entry.items:
                if item.version >= 0:
                    self._by_version[item.path, item.version] = case
        for row, path in self._lossy:
            output = state.outputs[row]
            if output.spoken:
                self._drove[path], self._spoke_ns[path] = output.drive, now
        for event in events:
            if event["kind"] == "request":
                self._outcome(event, now)
            elif event["kind"] == "block" and event["failed"]:
                self.breach(f"{event['path']} failed: {event['message']}")

    def _outcome(self, event: dict[str, Any], now: int) -> None:
        case = self.cases.get(event["id"])
        if case is None or event.get("repeated"):
            return
        status = event["status"]
        if status == REJECTED and "too many requests" in str(event["reasons"]):
            self.counts["turned away"] += 1
            return  # not remembered: the same id may come again and be done
        if case.status in FINAL:
            self.breach(f"{case.asked.id} ended twice: {case.status}, then {status} ({event['reasons']})")
        case.status = status
        if status not in FINAL:
            return
        self.counts[status] += 1
        case.finals += 1
        case.ended_ns = now
        for path, value in event["items"]:
            if path not in self._unique:
                continue
            if status == CONFIRMED and not self._was_done(path, value):
                self.breach(f"{case.asked.id} is confirmed, and {path} never became {value}")
            if (
                status == REJECTED
                and case.sent[path]
                and self._was_done(path, value)
                and not event["reasons"]
            ):
                self.breach(f"{case.asked.id} is rejected without a reason, and {path} became {value}")

    def _was_done(self, path: str, value: Any) -> bool:
        written = self._sent_values.get((path, value))
        return (written is not None and written.done_ns >= 0) or self._register(self._tags[path]) == value

    # -- now and then -----------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Now and then: what can only be seen by looking."""
        machine, now = self._machine, self._machine.world.now_ns
        for name, wire in machine.wires.items():
            if not (wire.plugged and wire.weather.fair and not wire.frozen and self._armed.get(name)):
                self._fine_ns[name] = now
        for name in machine.fields:
            process = machine.process(name)
            if process is None or process.frozen:
                self._fine_ns = dict.fromkeys(self._fine_ns, now)
        for path in {tag.remote for tag in self._places.values() if tag.remote}:
            if path in self._odd or self._register(self._tags[path]):
                self._local_ns.pop(path, None)
            else:
                self._local_ns.setdefault(path, now)
        for tag in self._places.values():
            self._look_at(tag, now)

    def _look_at(self, tag: Tag, now: int) -> None:
        if tag.path in self._odd:
            return
        fine_ns = now - self._fine_ns[tag.device or ""]
        value = self._register(tag)
        last = self._last_sent.get(tag.path)
        if last is None or truth.value_of(tag, last) != value:
            self._held_ns[tag.path] = now
        if tag.write is not None and tag.write.mode == "pulse":
            if not value:
                self._pressed_ns.pop(tag.path, None)
                return
            pressed_ns = self._pressed_ns.setdefault(tag.path, now)
            if now - pressed_ns > tag.write.time_ns + SETTLED_NS and fine_ns > SETTLED_NS:
                self.breach(f"{tag.path} has stayed pressed for {(now - pressed_ns) / 1e9:.1f} s")
                self._pressed_ns[tag.path] = now
            return
        loss = tag.on_loss
        if loss is None or loss.action != "value" or loss.value is None or not self._drove.get(tag.path):
            return
        gone_ns = now - self._spoke_ns[tag.path]
        limit = loss.delay_ns + CONTROL_DEAD_NS + SETTLED_NS
        if gone_ns > limit and fine_ns > limit and truth.apart(value, loss.value, tag):
            self.breach(
                f"{tag.path} is {value}, {gone_ns / 1e9:.1f} s after control was lost; declared: {loss.value}"
            )

    def check_signals(self) -> None:
        """Once in a while: no NaN anywhere, no process with an error."""
        machine = self._machine
        control = machine.control
        if control is not None:
            for slot, value in enumerate(control.state.signals.value):
                if isinstance(value, float) and not math.isfinite(value):
                    self.breach(f"{machine.program.slots[slot].path} is {value}")
        for error in machine.errors():
            self.breach(error)

    def final(self) -> None:
        """After a calm end: everything has come to rest."""
        control = self._machine.control
        if control is None:
            self.breach("control did not come back")
            return
        for entry in control.state.ledger.open:
            self.breach(f"{entry.request.id} has no outcome ({entry.status})")

    def apart(self) -> dict[str, str]:
        """Outputs that are not where their command is, now, with a sentence for each."""
        control = self._machine.control
        found: dict[str, str] = {}
        if control is None:
            return found
        for plan in control.program.outputs:
            tag, output = plan.tag, control.state.outputs[plan.row]
            if tag.address is None or plan.way != "hold" or not output.drive:
                continue
            command = control.state.signals.value[plan.command]
            value = self._register(tag)
            if tag.path not in self._odd and truth.apart(value, command, tag, plan.close):
                found[tag.path] = f"{tag.path} is {value} in the PLC, and its command is {command}"
        return found

    def _arms(self, device: str, armed: bool) -> None:
        self._armed[device] = armed

    def _register(self, tag: Tag) -> Any:
        """What the PLC holds for a tag, engineering units."""
        return truth.held(self._machine.plants[tag.device or ""].registers, tag)

    def _seconds(self) -> float:
        return (self._machine.world.now_ns - self._began_ns) / 1e9
