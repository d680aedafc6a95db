"""What the address space says of event types."""

from __future__ import annotations

from asyncua import ua

from scada.opcua.events.event import at
from scada.opcua.events.types import BASE, CONDITION, EventTypes


def test_types_stand_in_a_line(types: EventTypes) -> None:
    level = ua.NodeId(ua.ObjectIds.NonExclusiveLevelAlarmType)
    assert types.line(level)[-1] == BASE
    assert types.is_of(level, CONDITION)
    assert types.is_of(level, ua.NodeId(ua.ObjectIds.LimitAlarmType))
    assert not types.is_of(CONDITION, level)
    assert not types.knows(ua.NodeId(ua.ObjectIds.ServerType))
    assert not types.knows(ua.NodeId(987654, 3))
    assert not types.knows(ua.NodeId())


def test_fields_are_inherited_and_nested(types: EventTypes) -> None:
    level = ua.NodeId(ua.ObjectIds.NonExclusiveLevelAlarmType)
    for path in (
        at("EventId"),
        at("AckedState", "Id"),
        at("ShelvingState", "CurrentState", "Id"),
        at("HighHighLimit"),
        at("Comment", "SourceTimestamp"),
    ):
        assert types.has(level, path), path
    assert not types.has(CONDITION, at("HighHighLimit"))
    assert types.has(BASE, at("HighHighLimit"))  # of BaseEventType any event's (OPC 10000-4 §7.22.3)
    assert not types.has(BASE, at("NoSuchField"))
    assert not types.has(BASE, at("Acknowledge"))  # a method is no field
    assert not types.has(BASE, ((2, "EventId"),))
