"""What a client sees of an alarm, in each of its states."""

from __future__ import annotations

from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.server.address_space import AddressSpace
from asyncua.ua.ua_binary import variant_from_binary, variant_to_binary
from hypothesis import given
from hypothesis import strategies as st

from scada.alarms import state
from scada.alarms.record import Record
from scada.opcua.conditions import fields as f
from scada.opcua.conditions.fields import Kind, event_id, fields, number_of, retained
from scada.opcua.conditions.state import Conditions
from scada.opcua.events.event import Event, at
from scada.opcua.events.mapping import Frame
from scada.opcua.events.types import EventTypes
from tests.opcua.conditions.simulated import COMMS, HH, LOW, ON, SECOND, Played, T, alarms

SITE = alarms()
FRAME = Frame(SITE)
ALARMS = {alarm.path: alarm for alarm in SITE.alarms}
TAGS = SITE.by_path()


def kind(path: str) -> Kind:
    return Kind(ALARMS[path], TAGS[ALARMS[path].tag])


def value(event: Event, *names: str) -> Any:
    found = event.value(at(*names)).Value
    return found.Text if isinstance(found, ua.LocalizedText) else found


@pytest.fixture
def plant() -> Played:
    return Played(SITE)


@pytest.fixture
def conditions(plant: Played) -> Conditions:
    return Conditions(SITE.alarms, TAGS, plant)


@pytest.mark.parametrize(
    ("path", "type_", "level"),
    [
        (HH, "NonExclusiveLevelAlarmType", "HighHigh"),
        (LOW, "NonExclusiveLevelAlarmType", "Low"),
        (ON, "OffNormalAlarmType", ""),
        (COMMS, "SystemOffNormalAlarmType", ""),
    ],
)
def test_each_alarm_has_a_type(path: str, type_: str, level: str) -> None:
    assert kind(path).type == ua.NodeId(getattr(ua.ObjectIds, type_))
    assert kind(path).level == level
    if level:
        assert kind(path).fixed[at(f"{level}Limit")].Value == ALARMS[path].limit


def mandatory(aspace: AddressSpace, types: EventTypes, type_: ua.NodeId) -> set[Any]:
    """Fields with the modelling rule Mandatory below none that is optional."""
    found = set()

    def walk(owner: ua.NodeId, above: Any) -> None:
        for one in aspace[owner].references:
            if not one.IsForward or one.ReferenceTypeId.Identifier not in (46, 47):
                continue
            rules = [
                r.NodeId.Identifier
                for r in aspace[one.NodeId].references
                if r.ReferenceTypeId.Identifier == 37
            ]
            if rules == [78] and one.NodeClass == ua.NodeClass.Variable:
                path = (*above, (0, one.BrowseName.Name))
                found.add(path)
                walk(one.NodeId, path)

    for one in types.line(type_):
        walk(one, ())
    return found


@pytest.mark.parametrize("path", [HH, LOW, ON, COMMS])
def test_all_mandatory_fields_are_there_and_all_are_of_the_type(
    standard: AddressSpace, types: EventTypes, conditions: Conditions, path: str
) -> None:
    found = conditions.fields(path)
    type_ = conditions.kinds[path].type
    assert mandatory(standard, types, type_) - set(found) <= {at("LocalTime")}
    assert [field for field in found if not types.has(type_, field)] == []


def test_an_alarm_from_raise_to_rest(plant: Played, conditions: Conditions) -> None:
    def told(happening: str, **more: Any) -> Event:
        return conditions.make(FRAME, plant.happens(HH, happening, **more))[0]

    raised = told(state.RAISE)
    assert (value(raised, "ActiveState"), value(raised, "ActiveState", "Id")) == ("Active", True)
    assert (value(raised, "HighHighState", "Id"), value(raised, "AckedState", "Id")) == (True, False)
    assert (value(raised, "Retain"), value(raised, "Severity")) == (True, 900)
    assert value(raised, "EventId") == event_id(plant.t)
    assert value(raised, "SourceName") == "tank1/LT-101"
    assert value(raised, "ConditionName") == "HH"
    assert value(raised, "Message") == "Tank 1 level very high"
    assert raised.condition == ua.NodeId("tank1/LT-101/HH#condition", 2)
    assert raised.path == "tank1/LT-101"
    acked = told(state.TO_CONFIRM, action="acknowledge", user="anna", comment="on my way")
    assert (value(acked, "AckedState", "Id"), value(acked, "ConfirmedState", "Id")) == (True, False)
    assert (value(acked, "Comment"), value(acked, "ClientUserId")) == ("on my way", "anna")
    assert value(acked, "AckedState", "TransitionTime").timestamp() == plant.t / 1e9
    cleared = told(state.CLEAR)
    assert (value(cleared, "ActiveState", "Id"), value(cleared, "Retain")) == (False, True)
    confirmed = told(state.CONFIRM, user="tom")
    assert (value(confirmed, "ConfirmedState", "Id"), value(confirmed, "Retain")) == (True, False)
    assert value(confirmed, "ClientUserId") == "tom"


def test_masks(plant: Played, conditions: Conditions) -> None:
    plant.happens(HH, state.RAISE)
    shelved = conditions.make(
        FRAME, plant.happens(HH, state.SHELVE, "shelve", user="anna", until=plant.t + 61 * SECOND)
    )[0]
    assert value(shelved, "ShelvingState", "CurrentState", "Id") == f.TIMED
    assert value(shelved, "ShelvingState", "UnshelveTime") == 60_000.0
    assert value(shelved, "SuppressedOrShelved") is True
    assert value(shelved, "Retain") is True
    once = conditions.make(
        FRAME, plant.happens(HH, state.SHELVE_ONCE, "shelve", until=plant.t + 60 * SECOND)
    )[0]
    assert value(once, "ShelvingState", "CurrentState", "Id") == f.ONCE
    assert value(once, "ShelvingState", "UnshelveTime") == 59_000.0  # at most (OPC 10000-9 §5.8.17.1)
    free = conditions.make(FRAME, plant.happens(HH, state.UNSHELVE, "unshelve"))[0]
    assert value(free, "ShelvingState", "CurrentState", "Id") == f.UNSHELVED
    assert value(free, "SuppressedOrShelved") is False
    for happening, name in ((state.HOLD_BACK, "SuppressedState"), (state.REMOVE, "OutOfServiceState")):
        masked = conditions.make(FRAME, plant.happens(HH, happening))[0]
        assert value(masked, name, "Id") is True
        assert value(masked, "SuppressedOrShelved") is True
    disabled = conditions.make(FRAME, plant.happens(HH, state.DISABLE, "disable", user="eva"))[0]
    assert (value(disabled, "EnabledState", "Id"), value(disabled, "Retain")) == (False, False)


def test_each_event_carries_the_state_that_it_made(plant: Played, conditions: Conditions) -> None:
    conditions.record(HH)
    raws = [plant.happens(HH, what) for what in (state.RAISE, state.ACKNOWLEDGE, state.CLEAR)]
    events = [conditions.make(FRAME, raw)[0] for raw in raws]
    assert [value(event, "ActiveState", "Id") for event in events] == [True, True, False]
    assert [value(event, "AckedState", "Id") for event in events] == [False, True, True]
    numbers = [number_of(value(event, "EventId")) for event in events]
    assert numbers == [raw["number"] for raw in raws]


def test_an_old_event_from_history_changes_nothing(plant: Played, conditions: Conditions) -> None:
    conditions.record(HH)
    raws = [plant.happens(HH, what) for what in (state.RAISE, state.ACKNOWLEDGE, state.CLEAR)]
    for raw in raws:
        conditions.make(FRAME, raw)
    before = conditions.record(HH)
    old = conditions.make(FRAME, raws[0])[0]
    assert value(old, "AckedState", "Id") is False
    assert conditions.record(HH) == before


def test_which_events_a_method_may_name(plant: Played, conditions: Conditions) -> None:
    conditions.record(HH)
    first = plant.happens(HH, state.RAISE)["number"]
    conditions.make(FRAME, {**plant.happens(HH, state.RAISE, "comment"), "number": plant.t})
    raws = [plant.happens(HH, what) for what in (state.CLEAR, state.RAISE, state.RAISE)]
    for raw in raws:
        conditions.make(FRAME, raw)
    assert conditions.knows(HH, raws[-1]["number"])
    assert conditions.knows(HH, raws[1]["number"])
    assert not conditions.knows(HH, first)  # of an activation that is over: there are no branches
    assert not conditions.knows(HH, raws[0]["number"])
    assert not conditions.knows(HH, plant.t + 1)
    assert not conditions.knows(LOW, raws[-1]["number"])
    assert not conditions.knows(HH, None)
    assert not conditions.knows(ON, 0)  # nothing ever happened to it


def test_an_event_that_was_known_when_it_was_told_may_be_named_later(
    plant: Played, conditions: Conditions
) -> None:
    first = plant.happens(HH, state.RAISE)
    conditions.record(HH)  # asked for after it happened, before it is told
    conditions.make(FRAME, first)
    conditions.make(FRAME, plant.happens(HH, state.ACKNOWLEDGE))
    assert conditions.knows(HH, first["number"])


def test_what_is_not_ours_is_no_event_id() -> None:
    assert number_of(event_id(T)) == T
    assert number_of(b"short") is None
    assert number_of(None) is None


def test_a_condition_that_never_happened_is_at_rest(conditions: Conditions) -> None:
    found = {path: value.Value for path, value in conditions.fields(HH).items()}
    assert found[at("ActiveState", "Id")] is False
    assert found[at("AckedState", "Id")] is True
    assert found[at("ActiveState", "TransitionTime")] is None
    assert found[at("Retain")] is False
    assert list(conditions.retained()) == []


def test_the_quality_of_the_tag_is_that_of_the_condition(plant: Played, conditions: Conditions) -> None:
    plant.quality = 0x80050000
    assert conditions.fields(HH)[at("Quality")].Value.value == 0x80050000


_NOTES = st.none() | st.tuples(st.integers(0, 2 * T), st.text(max_size=5), st.text(max_size=9))


@given(
    st.sampled_from([HH, LOW, ON, COMMS]),
    st.integers(0, state.STATES - 1),
    st.builds(Record, *[st.integers(0, 2 * T)] * 5, *[_NOTES] * 7),
    st.integers(0, 2**32 - 1),
)
def test_each_state_can_be_sent_and_is_consistent(path: str, bits: int, record: Record, status: int) -> None:
    shown = state.shown(bits)
    found = fields(kind(path), shown, record, status=status, now_ns=T)
    for one in found.values():
        variant_from_binary(Buffer(variant_to_binary(one)))
    masked = bool(shown & (state.MASKS))
    assert found[at("SuppressedOrShelved")].Value is masked
    assert found[at("Retain")].Value is retained(shown)
    if shown & state.DISABLED:
        assert not found[at("Retain")].Value
    assert found[at("ShelvingState", "UnshelveTime")].Value >= 0
