"""All that a client knows of an alarm: from what control keeps, from its events, and from both in any order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from scada.alarms import EMPTY, Record, follow
from scada.client import Client, Note
from tags.slots import SlotWriter
from tests.client.plant import SECOND, Plant

HH, FORCED = "tank1/LT-101/HH", "system/control/FORCED"


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    return Plant(tmp_path / "data")


def keep(plant: Plant, *states: tuple[str, int, Record | None]) -> None:
    """Control's state, as it keeps it."""
    with_alarms = {
        "alarms": {path: [bits, False, tuple(made) if made else None] for path, bits, made in states}
    }
    slots = SlotWriter.create(plant.data.control_state, 1 << 16)
    slots.write(orjson.dumps(with_alarms))
    slots.close()


def event(number: int, action: str, before: int, after: int, **more: Any) -> dict[str, Any]:
    return {"path": HH, "action": action, "from": before, "to": after, "number": number, "t": number, **more}


RAISED = event(100, "raise", 0, 3, active=100)
SEEN = event(200, "acknowledge", 3, 1, active=100, user="anna", comment="on my way")
SHELVED = event(300, "shelve", 1, 9, active=100, user="bert", comment="spare part", until=5 * SECOND)


def told(plant: Plant, *events: dict[str, Any]) -> None:
    for one in events:
        plant.events["control"].append(orjson.dumps({"kind": "alarm", **one}))


def record(*events: dict[str, Any]) -> Record:
    made = EMPTY
    for one in events:
        made = follow(made, one)
    return made


def test_an_alarm_at_rest_is_known_too(plant: Plant) -> None:
    with Client(plant.data.root, clock=plant.clock) as client:
        found = client.condition(HH)
        assert (found.bits, found.number, found.comment, found.retain, found.aside) == (
            0,
            0,
            None,
            False,
            None,
        )
        assert found.alarm.tag == "tank1/LT-101"
        assert set(client.conditions()) == {alarm.path for alarm in plant.site.alarms}
        with pytest.raises(KeyError, match="there is no alarm 'tank1/LT-101'"):
            client.condition("tank1/LT-101")


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_what_is_kept_and_what_is_told_make_one_picture(plant: Plant, kept: int, first: int) -> None:
    """Control kept the first `kept` of three events; the ring still holds those from `first` on."""
    events = (RAISED, SEEN, SHELVED)
    if kept:
        keep(plant, (HH, 9, record(*events[:kept])))
    told(plant, *events[first:])
    plant.put(HH, 9)
    with Client(plant.data.root, clock=plant.clock) as client:
        found = client.condition(HH)
        if kept >= first:
            assert found.number == 300
            assert (found.active_ns, found.unshelve_ns) == (100, 5 * SECOND)
            assert found.acknowledged == Note(200, "anna", "on my way")
            assert found.comment == found.shelved == found.aside == Note(300, "bert", "spare part")
        else:
            assert found.bits == 9


def test_what_is_kept_is_newer_than_events_that_it_knows(plant: Plant) -> None:
    """It came once more while it was shelved, which nobody was told."""
    keep(plant, (HH, 9, record(RAISED, SEEN, SHELVED)._replace(active_ns=500)))
    told(plant, RAISED, SEEN, SHELVED)
    with Client(plant.data.root, clock=plant.clock) as client:
        assert client.condition(HH).active_ns == 500


def test_events_are_followed(plant: Plant) -> None:
    plant.put(HH, 3)
    told(plant, RAISED)
    with Client(plant.data.root, clock=plant.clock) as client:
        assert client.condition(HH).active_ns == 100
        told(plant, SEEN)
        assert client.condition(HH).comment == Note(200, "anna", "on my way")
        plant.put(HH, 9)
        told(plant, SHELVED)
        client.refresh()
        (state,) = client.alarms(hidden=True)
        assert (state.since_ns, state.condition.shelved) == (100, Note(300, "bert", "spare part"))
        assert client.alarms() == []


def test_a_gap_in_the_events_is_filled_from_what_is_kept(plant: Plant) -> None:
    with Client(plant.data.root, clock=plant.clock) as client:
        assert client.condition(HH).number == 0
        keep(plant, (HH, 9, record(RAISED, SEEN, SHELVED)))
        filler = orjson.dumps({"kind": "noise", "t": 1, "text": "x" * 8000})
        for _ in range(50):
            plant.events["control"].append(filler)
        assert client.condition(HH).number == 300


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b'{"alarms":[1]}', b'{"alarms":{"x":3,"y":[1],"z":[1,2,[3]]}}'])  # fmt: skip
def test_what_cannot_be_read_is_left_out(plant: Plant, text: bytes) -> None:
    slots = SlotWriter.create(plant.data.control_state, 1 << 16)
    slots.write(text)
    slots.close()
    with Client(plant.data.root, clock=plant.clock) as client:
        assert client.condition(HH).number == 0


def test_what_people_put_aside_is_listed_at_rest(plant: Plant) -> None:
    plant.put(HH, 64)
    plant.put(FORCED, 4)  # suppressed by design, and normal: nothing to say
    with Client(plant.data.root, clock=plant.clock) as client:
        assert client.alarms() == []
        assert [alarm.path for alarm in client.alarms(hidden=True)] == [HH]
        found = client.condition(HH)
        assert (found.enabled, found.retain) == (False, False)


def test_what_waits_for_confirmation_is_listed(plant: Plant) -> None:
    plant.put(HH, 32)
    with Client(plant.data.root, clock=plant.clock) as client:
        (state,) = client.alarms()
        assert (state.unconfirmed, state.unacknowledged, state.condition.retain) == (True, False, True)


def test_an_activation_under_a_mask_has_the_time_of_the_image(plant: Plant) -> None:
    told(plant, RAISED, event(200, "clear", 3, 2, active=100))
    plant.put(HH, 9, source_ns=777)
    with Client(plant.data.root, clock=plant.clock) as client:
        assert client.alarms(hidden=True)[0].since_ns == 777
