"""An alarm as the fields of a Condition: of its events and of its nodes alike (OPC 10000-9 §5.5 to §5.8). Pure.

=========================  ==========================================================================
alarm                      type
=========================  ==========================================================================
above or below a limit     NonExclusiveLevelAlarmType with the one limit, dead band and state it has
of a state of the plant    OffNormalAlarmType
of a device or of us       SystemOffNormalAlarmType
=========================  ==========================================================================
"""

from __future__ import annotations

import functools
import struct
from typing import Final

from asyncua import ua

from scada.alarms import kinds
from scada.alarms.record import Note, Record
from scada.alarms.state import (
    ACTIVE,
    BY_REQUEST,
    DISABLED,
    ONE_SHOT,
    OUT_OF_SERVICE,
    SHELVED,
    SUPPRESSED,
    UNACKED,
    UNCONFIRMED,
)
from scada.opcua.events.event import at
from scada.opcua.events.types import Path
from scada.opcua.nodes.ids import node_id, part_id
from scada.opcua.types import time_of
from tags.model import Alarm, Tag

V = ua.VariantType
Fields = dict[Path, ua.Variant]
PART: Final = "condition"
LEVEL: Final = ua.NodeId(ua.ObjectIds.NonExclusiveLevelAlarmType)
OFF_NORMAL: Final = ua.NodeId(ua.ObjectIds.OffNormalAlarmType)
SYSTEM: Final = ua.NodeId(ua.ObjectIds.SystemOffNormalAlarmType)
_TYPES: Final = {kinds.LIMIT: LEVEL, kinds.DISCRETE: OFF_NORMAL, kinds.SYSTEM: SYSTEM}
_CLASSES: Final = {
    kinds.LIMIT: (ua.NodeId(ua.ObjectIds.ProcessConditionClassType), "ProcessConditionClassType"),
    kinds.DISCRETE: (ua.NodeId(ua.ObjectIds.ProcessConditionClassType), "ProcessConditionClassType"),
    kinds.SYSTEM: (ua.NodeId(ua.ObjectIds.SystemConditionClassType), "SystemConditionClassType"),
}
_LEVELS: Final = {"HH": "HighHigh", "H": "High", "L": "Low", "LL": "LowLow"}
UNSHELVED: Final = ua.NodeId(ua.ObjectIds.ShelvedStateMachineType_Unshelved)
TIMED: Final = ua.NodeId(ua.ObjectIds.ShelvedStateMachineType_TimedShelved)
ONCE: Final = ua.NodeId(ua.ObjectIds.ShelvedStateMachineType_OneShotShelved)
_NUMBER: Final = struct.Struct(">Q")
_MS: Final = 1_000_000
ALWAYS: Final = frozenset(
    at(name)
    for name in (
        "EventId", "EventType", "SourceNode", "SourceName", "Time", "ReceiveTime", "LocalTime", "Message", "Severity",
        "ConditionClassId", "ConditionClassName", "ConditionName", "BranchId", "Retain", "InputNode", "MaxTimeShelved",
        "OnDelay", "OffDelay", "NormalState", "ClientUserId",
    )
)  # fmt: skip
"""What can be read of a disabled condition too, with EnabledState; all else is BadConditionDisabled (§5.5.2)."""


class Kind:
    """What does not change of a condition.

    Args:
        alarm: The alarm.
        tag: The tag that it watches.

    Attributes:
        id: ConditionId.
        type: EventType and HasTypeDefinition.
        name: ConditionName.
        severity: 1 to 1000.
        level: `HighHigh`, `High`, `Low`, `LowLow`, or "".
    """

    __slots__ = ("_fixed", "alarm", "id", "level", "name", "severity", "tag", "type")

    def __init__(self, alarm: Alarm, tag: Tag) -> None:
        self.alarm, self.tag = alarm, tag
        kind = kinds.condition_kind(alarm, tag)
        self.id = part_id(alarm.path, PART)
        self.type = _TYPES[kind]
        self.name = alarm.path.rpartition("/")[2]
        self.severity = kinds.SEVERITY.get(alarm.priority, 500)
        self.level = _LEVELS.get(kinds.level(alarm, tag), "")
        self._fixed: Fields | None = None

    @property
    def fixed(self) -> Fields:
        """Fields that never change; made when they are first asked for."""
        if self._fixed is None:
            self._fixed = self._made()
        return self._fixed

    def _made(self) -> Fields:
        alarm = self.alarm
        class_id, class_name = _CLASSES[kinds.condition_kind(alarm, self.tag)]
        found: Fields = {
            at("EventType"): ua.Variant(self.type, V.NodeId),
            at("SourceNode"): ua.Variant(node_id(alarm.tag), V.NodeId),
            at("SourceName"): ua.Variant(alarm.tag, V.String),
            at("Message"): _text(alarm.message or self.name),
            at("Severity"): ua.Variant(self.severity, V.UInt16),
            at("ConditionClassId"): ua.Variant(class_id, V.NodeId),
            at("ConditionClassName"): _text(class_name),
            at("ConditionName"): ua.Variant(self.name, V.String),
            at("BranchId"): ua.Variant(ua.NodeId(), V.NodeId),
            at("LastSeverity"): ua.Variant(self.severity, V.UInt16),
            at("InputNode"): ua.Variant(node_id(alarm.tag), V.NodeId),
            at("OnDelay"): ua.Variant(alarm.on_delay_ns / _MS, V.Double),
            at("OffDelay"): ua.Variant(alarm.off_delay_ns / _MS, V.Double),
        }
        if alarm.shelve_max_ns:
            found[at("MaxTimeShelved")] = ua.Variant(alarm.shelve_max_ns / _MS, V.Double)
        if self.level:
            found[at(f"{self.level}Limit")] = ua.Variant(float(alarm.limit), V.Double)
            found[at(f"{self.level}Deadband")] = ua.Variant(float(abs(alarm.deadband)), V.Double)
            found[at(f"Severity{self.level}")] = ua.Variant(self.severity, V.UInt16)
        else:
            found[at("NormalState")] = ua.Variant(ua.NodeId(), V.NodeId)
        return found


def event_id(number: int) -> bytes:
    """EventId of an event of an alarm."""
    return _NUMBER.pack(number)


def number_of(data: bytes | None) -> int | None:
    """The inverse of `event_id`; None for what none of ours is."""
    return _NUMBER.unpack(data)[0] if isinstance(data, bytes) and len(data) == _NUMBER.size else None


def retained(bits: int) -> bool:
    """Whether clients that synchronise must hear of the alarm (OPC 10000-9 §5.5.2 Retain)."""
    return bool(bits & (ACTIVE | UNACKED | UNCONFIRMED)) and not bits & DISABLED


def fields(kind: Kind, bits: int, record: Record, *, status: int, now_ns: int) -> Fields:
    """All fields of a condition but LocalTime.

    Args:
        kind: Of the condition.
        bits: State of the alarm, as shown.
        record: What is known of it.
        status: Quality of the tag that it watches.
        now_ns: For the time that a shelf still lasts, UTC.
    """
    when = time_of(record.t_ns)
    changed = ua.Variant(when, V.DateTime)
    last = _last(record)
    shelved = (ONCE if bits & ONE_SHOT else TIMED) if bits & SHELVED else UNSHELVED
    left = max(0, record.unshelve_ns - now_ns) / _MS if bits & SHELVED else 0.0
    masked = bool(bits & (SUPPRESSED | BY_REQUEST | SHELVED | OUT_OF_SERVICE))
    active, acked = bool(bits & ACTIVE), not bits & UNACKED
    found: Fields = {
        **kind.fixed,
        at("EventId"): ua.Variant(event_id(record.number), V.ByteString),
        at("Time"): changed,
        at("ReceiveTime"): changed,
        at("Retain"): _flag(retained(bits)),
        at("Quality"): ua.Variant(ua.StatusCode(status), V.StatusCode),
        at("Quality", "SourceTimestamp"): changed,
        at("LastSeverity", "SourceTimestamp"): changed,
        at("Comment"): _text(record.comment[2] if record.comment else ""),
        at("Comment", "SourceTimestamp"): _time(record.comment[0] if record.comment else 0),
        at("ClientUserId"): ua.Variant(last[1] if last else "", V.String),
        at("SuppressedOrShelved"): _flag(masked),
        at("ShelvingState", "CurrentState"): _text(_SHELVES[shelved]),
        at("ShelvingState", "CurrentState", "Id"): ua.Variant(shelved, V.NodeId),
        at("ShelvingState", "UnshelveTime"): ua.Variant(left, V.Double),
    }
    _two_state(found, "EnabledState", not bits & DISABLED, "Enabled", "Disabled", _since(record.disabled))
    _two_state(
        found, "ActiveState", active, "Active", "Inactive", record.active_ns if active else record.inactive_ns
    )
    _two_state(found, "AckedState", acked, "Acknowledged", "Unacknowledged", _since(record.acknowledged))
    if kind.alarm.confirm:
        confirmed = not bits & UNCONFIRMED
        _two_state(found, "ConfirmedState", confirmed, "Confirmed", "Unconfirmed", _since(record.confirmed))
    suppressed = bool(bits & (SUPPRESSED | BY_REQUEST))
    _two_state(found, "SuppressedState", suppressed, "Suppressed", "Unsuppressed", _since(record.suppressed))
    removed = bool(bits & OUT_OF_SERVICE)
    _two_state(found, "OutOfServiceState", removed, "Out of Service", "In Service", _since(record.removed))
    if kind.level:
        name = f"{kind.level}State"
        _two_state(found, name, active, f"{kind.level} active", f"{kind.level} inactive", record.active_ns)
    return found


_SHELVES: Final = {UNSHELVED: "Unshelved", TIMED: "Timed Shelved", ONCE: "One Shot Shelved"}


def _two_state(found: Fields, name: str, value: bool, true: str, false: str, since_ns: int) -> None:
    """A TwoStateVariableType (OPC 10000-9 §5.2)."""
    state, id_, time = _paths(name)
    found[state] = _text(true if value else false)
    found[id_] = _flag(value)
    found[time] = _time(since_ns)


@functools.cache
def _paths(name: str) -> tuple[Path, Path, Path]:
    return at(name), at(name, "Id"), at(name, "TransitionTime")


def _last(record: Record) -> Note | None:
    """What somebody did last: ClientUserId is the user of the most recent comment or method (§5.5.2)."""
    notes = (
        record.acknowledged, record.confirmed, record.comment, record.shelved, record.suppressed, record.removed,
        record.disabled,
    )  # fmt: skip
    return max((note for note in notes if note is not None), key=lambda note: note[0], default=None)


def _since(note: Note | None) -> int:
    return 0 if note is None else note[0]


def _time(utc_ns: int) -> ua.Variant:
    return ua.Variant(time_of(utc_ns), V.DateTime) if utc_ns else _NO_TIME


@functools.lru_cache(1024)
def _text(text: str) -> ua.Variant:
    return ua.Variant(ua.LocalizedText(text), V.LocalizedText)


_NO_TIME: Final = ua.Variant(None, V.Null)
_TRUE: Final = ua.Variant(True, V.Boolean)
_FALSE: Final = ua.Variant(False, V.Boolean)


def _flag(value: bool) -> ua.Variant:
    return _TRUE if value else _FALSE
