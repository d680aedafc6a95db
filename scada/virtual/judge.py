"""The rules that must hold all the time, whatever goes wrong. The judge knows the truth: what reached the PLCs.

A breach is a sentence with its time. What the rules are:

- nothing is sent to a device that is not armed, and no value that is not a number;
- with the selector in Local nothing is driven (but for the moment that it takes to read the selector);
- what is sent is what a request asks for that was accepted, has not ended and is within its deadline; or the value that
  an output has: that of the last confirmed request, or the one that control found and follows, or an interlock's;
- a pulse and a shared set point are sent at most once for each request; a maintained value that the device has
  already is not sent again, and one that is renewed not before its time; a pulse is released once;
- a loss value is sent only when control has been silent for the time that is declared;
- each request has one outcome at most and no more time than it asked for, and one that was confirmed was carried out;
- when control is gone, each output is at its loss value in time; a pulse does not stay pressed;
- no block, output or process fails, and no signal is NaN.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from scada.requests import Entry
from scada.requests.machine import (
    CONFIRMED,
    FINAL,
    MISMATCHED,
    REJECTED,
    SUPERSEDED,
    TIMED_OUT,
    VERSION_MASK,
)
from scada.scan.program import ASK, HOLD, PULSE
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
_WORST: Final = (TIMED_OUT, MISMATCHED, REJECTED, SUPERSEDED, CONFIRMED)


@dataclass(slots=True)
class Case:
    """A request as the judge knows it.

    Attributes:
        asked: As it was sent.
        deadline_ns: When it ends by control's word, ns monotonic; 0 while not admitted.
        status: Its last status.
        items: Status of each of its paths, as of the last scan in which control had it; a request of which one item is
            refused is refused, whatever became of the others.
        life: The control that said its outcome.
        sent: Number of writes for each path.
        pressed: Pulses that were given for it.
    """

    asked: Asked
    deadline_ns: int = 0
    status: str = ""
    items: dict[str, str] = field(default_factory=dict)
    life: Control | None = None
    sent: Counter[str] = field(default_factory=Counter)
    pressed: set[str] = field(default_factory=set)


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
        asked = {
            plan.tag.path: plan
            for plan in program.outputs
            if plan.driver < 0 and plan.tag.writable and plan.tag.path not in self._odd
        }
        self._unique = {
            path
            for path, plan in asked.items()
            if plan.way in (HOLD, ASK) and not plan.rate and many(plan.tag)
        }
        self._switches = {path for path, plan in asked.items() if plan.way == HOLD and plan.tag.type == BOOL}
        self._pulses = {path for path, plan in asked.items() if plan.way == PULSE}
        self._asked = [asked[path] for path in asked if path in self._unique | self._switches | self._pulses]
        self._ramps = {plan.tag.path for plan in program.outputs if plan.rate}
        self._by_value: dict[tuple[str, Any], Case] = {}
        self._by_version: set[tuple[str, int]] = set()
        self._live: dict[str, list[tuple[Case, Any]]] = {}
        self._live_then: dict[str, bool] = {}
        self._entries: dict[str, Entry] = {}
        self._kept: dict[str, Any] = {}
        self._before: dict[str, Any] = {}
        self._driven: dict[str, bool] = {}
        self._scan_ns = 0
        self._control: Control | None = None
        self._said: set[str] = set()
        self._releases: dict[str, object] = {}
        self._renewed: dict[str, tuple[int, object]] = {}
        self._presses: Counter[tuple[str, int]] = Counter()
        self._last_sent: dict[str, tuple[Written, Any]] = {}
        self._sent_values: dict[tuple[str, Any], Written] = {}
        self._local_ns: dict[str, int] = {}
        self._fine_ns = dict.fromkeys(machine.wires, machine.world.now_ns)
        self._armed: dict[str, bool] = {}
        self._pressed_ns: dict[str, int] = {}
        self._drove: dict[str, bool] = {}
        self._held_ns: dict[str, int] = {}
        self._spoke_ns: dict[str, int] = {}
        self._lossy = [
            (plan.row, plan.tag.path)
            for plan in program.outputs
            if plan.tag.on_loss is not None and plan.tag.on_loss.action == "value" and plan.tag.address
        ]
        machine.written.append(self._written)
        machine.told.append(self._told)
        machine.published.append(self._published)
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
        at = 0
        while at < len(written.words):
            tag = self._places.get((written.device, coil, written.offset + at))
            if tag is None:
                self.breach(f"nobody has an output there: {written}")
                return
            count = len(written.words) if written.function == 22 else int((tag.address or {})["count"])
            self._value_written(tag, written, written.words[at : at + count])
            at += count

    def _value_written(self, tag: Tag, written: Written, words: tuple[int, ...]) -> None:
        """One of the values that a request writes."""
        self.counts["commands"] += 1
        if tag.path in self._odd:
            return
        value = truth.value_of(tag, written.function, words)
        if isinstance(value, float) and not math.isfinite(value):
            self.breach(f"{tag.path}: {value} was sent")
        if tag.write is not None and tag.write.mode == "pulse" and not value:
            self._released(tag, written)
        else:
            self._releases.pop(tag.path, None)
            self._local(tag, value)
        if value is not None and not self._is_loss(tag, value, written.sent_ns):
            mine = tag.path in self._unique or tag.path in self._switches
            if (mine or (tag.path in self._pulses and value)) and not self._driven.get(tag.path):
                self.breach(f"{tag.path}: {value} was sent, and control had taken the command back")
            if tag.path in self._pulses and value:
                self._press(tag, written.sent_ns)
            elif mine:
                self._level(tag, value, written)
        self._live_then[tag.path] = bool(self._live.get(tag.path))
        self._last_sent[tag.path] = written, value

    def _local(self, tag: Tag, value: Any) -> None:
        """Nothing is driven in Local, once control has had the time to see it; what it said then counts after it too."""
        local_ns = self._local_ns.get(tag.remote or "", 0)
        if (
            local_ns
            and not self._register(self._tags[tag.remote or ""])  # not turned back since the last look
            and self._scan_ns - local_ns > LOCAL_GRACE_NS
        ):
            self.breach(f"{tag.path} is in Local, and {value} was sent")

    def _released(self, tag: Tag, written: Written) -> None:
        """A pulse is released once, also in Local; again only while it may still be pressed."""
        life = self._life(tag)
        last = self._releases.get(tag.path)
        if last is life and not self._register(tag):
            self.breach(f"{tag.path} was released again, and it is not pressed")
        wire = self._machine.wires[written.device]
        self._releases[tag.path] = life if wire.weather.fair and not wire.frozen else None

    def _is_loss(self, tag: Tag, value: Any, now: int) -> bool:
        """It is the loss value, and control has said nothing for so long."""
        loss = tag.on_loss
        if loss is None or loss.action != "value" or value != loss.value:
            return False
        return now - self._spoke_ns.get(tag.path, 0) >= loss.delay_ns

    def _press(self, tag: Tag, now: int) -> None:
        """A press is somebody's: of all who ask for it at this moment, and of no one for the second time."""
        live = [case for case, _ in self._live.get(tag.path, ())]
        if not live:
            self.breach(f"{tag.path}: True was sent, which nobody asked for (any more)")
            return
        if all(case.deadline_ns < now for case in live):
            late = (now - max(case.deadline_ns for case in live)) / 1e9
            self.breach(f"{tag.path}: True of {live[-1].asked.id} was sent {late:.3f} s after its deadline")
        if all(tag.path in case.pressed for case in live):
            self.breach(f"{tag.path}: True of {live[-1].asked.id} was sent twice")
        for case in live:
            case.pressed.add(tag.path)
            case.sent[tag.path] += 1

    def _level(self, tag: Tag, value: Any, written: Written) -> None:
        path, now = tag.path, written.sent_ns
        before = self._sent_values.get((path, value))
        self._sent_values[path, value] = written
        has_it = self._register(tag) == value and now - self._held_ns.get(path, 0) > HELD_NS
        mode = tag.write.mode if tag.write is not None else "maintained"
        renewed = mode == "refresh" and self._register(tag) == value
        if renewed:
            self._renew(tag, value, now)
        else:
            self._renewed.pop(path, None)
        case = self._wanted(tag, value, now, renewed=renewed)
        if case is not None:
            case.sent[path] += 1
        if before is None:
            return
        if tag.owner == OWNER_SHARED:
            self.breach(f"{path}: {value} was sent twice")
        elif mode == "maintained" and has_it:
            self.breach(f"{path}: {value} was sent again though the device has it")

    def _renew(self, tag: Tag, value: Any, now: int) -> None:
        life = self._life(tag)
        before_ns, before = self._renewed.get(tag.path, (0, None))
        period_ns = tag.write.time_ns if tag.write is not None else 0
        if before is life and now - before_ns < period_ns:
            self.breach(
                f"{tag.path}: {value} was sent again {(now - before_ns) / 1e9:.3f} s after the last time"
            )
        self._renewed[tag.path] = now, life

    def _wanted(self, tag: Tag, value: Any, now: int, *, renewed: bool) -> Case | None:
        """Whose value it is; a breach when it is nobody's, or not any more, or not yet."""
        path = tag.path
        for case, asked in self._live.get(path, ()):
            if asked == value:
                if now > case.deadline_ns and not renewed:  # what the device has is not new to it
                    late = (now - case.deadline_ns) / 1e9
                    self.breach(
                        f"{path}: {value} of {case.asked.id} was sent {late:.3f} s after its deadline"
                    )
                return case
        known = self._by_value.get((path, value))
        if path in self._kept and self._kept[path] == value:
            return known  # it is the output's value, and kept
        if path in self._before and self._before[path] == value and self._gone():
            return known  # control died with its last scan, and nobody saw that one
        if known is None:
            self.breach(f"{path}: {value} was sent, which nobody asked for")
            return None
        status = known.items.get(path, known.status)
        said = {
            "": "before it was accepted",
            REJECTED: "and it was refused",
            CONFIRMED: "and it is not the output's value any more",
        }
        self.breach(
            f"{path}: {value} of {known.asked.id} was sent, {said.get(status, f'after it was {status}')}"
        )
        return known

    def _gone(self) -> bool:
        """Control is dead."""
        return self._machine.control is None or self._machine.control is not self._control

    def _life(self, tag: Tag) -> object:
        """The life of the field service that works a tag's device."""
        (service,) = (one.service for one in self._machine.site.devices if one.name == tag.device)
        return self._machine.supervisor.life(service)

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
        if key in self._by_version and not self._live_then.get(tag.path):
            self.breach(f"{tag.path}: {event['value']} was sent, and the requests for it had ended")

    # -- control ----------------------------------------------------------------------------------------------------

    def _published(self, control: Control) -> None:
        """What control has just published: who asks for what, and what each output's value is."""
        now, state = self._machine.world.now_ns, control.state
        self._scan_ns = now
        if control is not self._control:  # what an earlier life thought at its end was not published
            for entry in self._entries.values():
                for item in entry.items:
                    self._kept.pop(item.path, None)
            self._kept.update(self._before)  # field has never heard of what came after it
            self._entries.clear()
            self._said.clear()
            self._control = control
        for id_, entry in tuple(self._entries.items()):
            statuses = self.cases[id_].items
            for item in entry.items:
                before, statuses[item.path] = statuses.get(item.path), item.status
                if item.status == before or item.status not in FINAL:
                    continue
                if item.status == CONFIRMED:
                    self._kept[item.path] = item.value
                elif self._kept.get(item.path) == item.value:
                    del self._kept[item.path]
        self._entries.clear()
        self._live.clear()
        self._before.clear()
        for entry in state.ledger.open:
            if (case := self.cases.get(entry.request.id)) is not None:
                self._still_open(case, entry, now, state.elapsed_ns)
        for plan in self._asked:
            output, path = state.outputs[plan.row], plan.tag.path
            if output.spoken or output.drive:
                self._driven[path] = output.drive
            found = output.spoken and (
                not output.drive or path not in self._said
            )  # its word is what it has read
            if found or output.lock is not None or output.forced is not None:
                self._kept[path] = state.signals.value[plan.command]
            if output.spoken:
                self._said.add(path)
        for row, path in self._lossy:
            output = state.outputs[row]
            if output.spoken:
                self._drove[path], self._spoke_ns[path] = output.drive, now

    def _still_open(self, case: Case, entry: Entry, now: int, elapsed_ns: int) -> None:
        self._forgotten(case)
        if case.status in FINAL:
            self.breach(f"{case.asked.id} is open, and it had ended: {case.status}")
        self._entries[case.asked.id] = entry
        left_ns = entry.deadline - elapsed_ns
        more = case.deadline_ns == 0 and left_ns > case.asked.deadline_ns
        if more and not any(item.path in self._ramps for item in entry.items):
            self.breach(f"{case.asked.id} was given {left_ns / 1e9:.3f} s, more than it asked for")
        case.deadline_ns = min(case.deadline_ns or now + left_ns, now + left_ns)
        for item in entry.items:
            new = item.path not in case.items and item.status not in FINAL
            if new and item.path in self._kept:  # from now on the output is to have another value
                self._before[item.path] = self._kept.pop(item.path)
            case.items[item.path] = item.status
            if item.version >= 0:
                self._by_version.add((item.path, item.version))
            if item.status not in FINAL:
                self._live.setdefault(item.path, []).append((case, item.value))

    def _scanned(self, control: Control, events: list[dict[str, Any]]) -> None:
        del control
        self.counts["scans"] += 1
        for event in events:
            if event["kind"] == "request":
                self._outcome(event)
            elif event["kind"] == "block" and event["failed"]:
                self.breach(f"{event['path']} failed: {event['message']}")

    def _forgotten(self, case: Case) -> None:
        """What was refused and never accepted is not remembered over a death of control: nothing was done."""
        if case.status == REJECTED and case.deadline_ns == 0 and case.life is not self._control:
            case.status = ""
            case.items.clear()

    def _outcome(self, event: dict[str, Any]) -> None:
        case = self.cases.get(event["id"])
        if case is None or event.get("repeated"):
            return
        status = event["status"]
        if status == REJECTED and "too many requests" in str(event["reasons"]):
            self.counts["turned away"] += 1
            return  # not remembered: the same id may come again and be done
        self._forgotten(case)
        if case.status in FINAL:
            self.breach(f"{case.asked.id} ended twice: {case.status}, then {status} ({event['reasons']})")
        case.status = status
        if status not in FINAL:
            return
        self.counts[status] += 1
        case.life = self._control
        open_ = any(one not in FINAL for one in case.items.values())
        if next((worst for worst in _WORST if worst in case.items.values()), "") != status or open_:
            # control died, and its next life says this
            case.items = dict.fromkeys((path for path, _ in event["items"]), status)
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
        if last is None or last[1] != value:
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
