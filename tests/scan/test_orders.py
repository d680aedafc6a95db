"""Requests through the scan: refused by name, done once, watched to their outcome."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from scada.requests import Request
from scada.scan import build
from tags.model import Block, Site, Tag, Write
from tests.scan.plant import LEVEL, LOCK, MODE, PANEL, PUMP, SECOND, SP, SPEED, VALVE, Plant, plant_site

FAULT, STOP, RUN = "tank1/P-101/FLT", "tank1/P-101/STOP", "tank1/P-101/RUN"


def motor_site() -> tuple[Site, str]:
    """The site with a motor block, in Manual, on its pump; and the block's path."""
    site, path = plant_site(), "tank1/P-101"
    device = {"device": "PLC1", "kind": "device", "writer": "field", "type": "bool"}
    points = {name: f"{path}/{name}" for name in ("MODE", "CMD", "STATE", "TRIP", "RESET")}
    more: list[dict[str, Any]] = [
        {**device, "path": FAULT},
        {**device, "path": STOP, "writable": True, "owner": "plc", "write": Write(mode="pulse", stop=True),
         "command": f"{STOP}/command"},
        {"path": f"{STOP}/command", "type": "bool", "kind": "command", "writer": "control", "command": STOP},
        *({"path": point, "type": "int32" if name in ("MODE", "STATE") else "bool", "kind": "block",
           "writer": "control", "writable": True, "states": {"1": "Manual", "2": "Auto"} if name == "MODE" else {}}
          for name, point in points.items()),
    ]  # fmt: skip
    tags = list(site.tags)
    for fields in more:
        row = sum(tag.writer == fields["writer"] for tag in tags)
        tags.append(Tag(**{"id": len(tags) + 1, "row": row, **fields}))
    motor = Block(
        path=path,
        type="motor",
        points=points,
        config={
            "start": PUMP,
            "stop": STOP,
            "run": RUN,
            "fault": FAULT,
            "first_mode": 1,
            "start_time_ns": SECOND,
        },
    )
    tags.sort(key=lambda tag: (tag.writer, tag.row))
    return dataclasses.replace(site, tags=tuple(tags), blocks=(*site.blocks, motor)), path


@pytest.fixture
def plant() -> Plant:
    plant = Plant()
    plant.scan(scans=4)
    return plant


def test_sent_then_confirmed_by_a_value_read_after_the_write(plant: Plant) -> None:
    told = plant.scan(Request("w", "write", ((VALVE, 42.0),), "why", "cli", "anna", "operator"), scans=4)
    events = [event for event in told if event["kind"] == "request"]
    assert [event["status"] for event in events] == ["sent", "confirmed"]
    assert events[-1] | {"t": 0} == {
        "kind": "request", "t": 0, "id": "w", "status": "confirmed", "items": [[VALVE, 42.0]], "old": [30.0],
        "reasons": [], "user": "anna", "source": "cli", "role": "operator", "reason": "why", "request": "write",
    }  # fmt: skip
    assert plant.registers[VALVE] == 42.0


def test_a_repeated_id_returns_the_outcome_and_does_nothing(plant: Plant) -> None:
    request = Request("w", "write", ((SPEED, 60.0),), role="operator")
    plant.scan(request, scans=30)
    plant.ask("write", (SPEED, 40.0), scans=60)
    written = list(plant.writes)
    again = plant.scan(request, scans=10)
    assert [(e["status"], e["repeated"]) for e in again if e["kind"] == "request"] == [("confirmed", True)]
    assert plant.writes == written
    assert plant.command(SPEED) == 40.0


def test_a_flood_changes_nothing_about_what_was_done(plant: Plant) -> None:
    """Neither that the quota is used up, nor that many others were refused, makes a done request be done again."""
    request = Request("w", "write", ((SPEED, 60.0),), source="script", role="operator")
    plant.scan(request, scans=30)
    written = list(plant.writes)
    for n in range(60):
        plant.scan(*(Request(f"{n}.{i}", "write", (("no/where", 1),), role="operator") for i in range(64)))
    told = plant.scan(request, scans=4)
    assert [(e["status"], e.get("repeated")) for e in told if e["id"] == "w"] == [("confirmed", True)]
    assert plant.writes == written


def test_an_id_sent_twice_in_a_flood_has_one_outcome(plant: Plant) -> None:
    flood = [Request(f"r{n}", "write", ((SP, 3.0),), role="operator") for n in range(128)]
    told = plant.scan(*flood, flood[100], Request("late", "write", ((SP, 1.0),), role="operator"), scans=10)
    assert [e["status"] for e in told if e["kind"] == "request" and e["id"] == "r100"] == ["confirmed"]
    assert [e["status"] for e in told if e["kind"] == "request" and e["id"] == "late"] == ["rejected"]
    again = plant.scan(Request("late", "write", ((SP, 1.0),), role="operator"), scans=2)
    assert [e["status"] for e in again if e["kind"] == "request"] == ["confirmed"], (
        "it found no place: try again"
    )


def test_a_driven_output_is_written_only_in_manual(plant: Plant) -> None:
    plant.ask("write", (MODE, "Auto"))
    (status, reasons), = plant.ask("write", (VALVE, 10.0))  # fmt: skip
    assert status == "rejected"
    assert reasons[0].startswith(f"{VALVE} is driven by tank1/LIC-101 in Auto: ")
    plant.ask("write", (MODE, "Manual"))
    assert [status for status, _ in plant.ask("write", (VALVE, 10.0), scans=4)] == ["sent", "confirmed"]
    assert plant.command(VALVE) == 10.0


def test_every_reason_of_every_item_is_told_and_nothing_is_done(plant: Plant) -> None:
    told = plant.ask(
        "write",
        ("nowhere/x", 1),
        (LEVEL, 2.0),
        (SP, 9.0),
        ("tank1/LIC-101/GAIN", 3.0),
        (SPEED, 60.0),
        role="operator",
    )
    (status, reasons), = told  # fmt: skip
    assert status == "rejected"
    assert reasons == [
        "there is no tag 'nowhere/x'",
        f"{LEVEL} is only read from its device",
        f"{SP}: 9 m is outside of its limits 1 … 4 m",
        "to write tank1/LIC-101/GAIN takes the role engineer; you are operator",
    ]
    plant.scan(scans=20)
    assert plant.command(SPEED) == 50.0


def test_a_block_that_refuses_undoes_the_items_before_it(plant: Plant) -> None:
    plant.ask("write", (MODE, "Auto"))
    (status, reasons), = plant.ask("write", (SP, 3.0), (VALVE, 10.0), scans=2)  # fmt: skip
    assert (status, len(reasons)) == ("rejected", 1)
    assert plant.value(SP) == 2.5


def test_a_reset_and_a_start_are_undone_too() -> None:
    """`reset the trip` and `start by hand` of a pump, in one request with something that its block refuses."""
    site, path = motor_site()
    plant = Plant(build(site))
    plant.scan(scans=4)
    plant.registers[FAULT] = True
    plant.scan(scans=2)
    plant.registers[FAULT] = False
    plant.scan(scans=2)
    assert plant.value(f"{path}/TRIP") is True
    plant.ask("write", (MODE, "Auto"))
    for item in ((f"{path}/RESET", True), (f"{path}/MODE", "Auto")):
        assert plant.ask("write", item, (VALVE, 10.0), scans=5)[0][0] == "rejected"
        assert (plant.value(f"{path}/TRIP"), plant.value(f"{path}/MODE")) == (True, 1)
    assert plant.ask("write", (f"{path}/RESET", True), scans=5) == [("confirmed", [])]
    for item in ((f"{path}/CMD", True), (PUMP, True)):
        assert plant.ask("write", item, (VALVE, 10.0), scans=5)[0][0] == "rejected"
    assert plant.value(f"{path}/CMD") is False
    assert PUMP not in [written for _, written, _ in plant.writes]


def test_no_answer_is_timed_out_and_starts_again_from_the_read_back(plant: Plant) -> None:
    plant.result = 254
    told = plant.ask("write", (VALVE, 42.0), scans=56)
    assert [status for status, _ in told] == ["sent", "timed out"]
    plant.result = 0
    plant.scan(scans=5)
    assert plant.command(VALVE) == 30.0, "what was asked is not written later"
    assert plant.writes == []


def test_another_value_read_back_is_mismatched(plant: Plant) -> None:
    plant.deaf = True
    told = plant.ask("write", (PANEL, 24.0), scans=60)
    assert [status for status, _ in told] == ["sent", "mismatched"]


def test_a_refusal_of_the_device_is_named(plant: Plant) -> None:
    plant.result = 2
    told = plant.ask("write", (PANEL, 24.0), scans=5)
    assert told[-1][0] == "rejected"
    assert f"PLC1 refused to write {PANEL}: exception 2" in told[-1][1][0]


def test_a_later_request_supersedes_an_open_one(plant: Plant) -> None:
    first = Request("a", "write", ((SPEED, 80.0),), source="hmi", user="anna", role="operator")
    second = Request("b", "write", ((SPEED, 60.0),), source="opcua", user="ben", role="operator")
    told = plant.scan(first, scans=5) + plant.scan(second, scans=30)
    assert plant.outcomes(told, "a") == [
        ("accepted", []),
        ("superseded", [f"{SPEED} was written again by ben (opcua)"]),
    ]
    assert plant.outcomes(told, "b")[-1] == ("confirmed", [])


def test_the_time_of_a_ramp_does_not_count_against_the_deadline(plant: Plant) -> None:
    told = plant.ask("write", (SPEED, 80.0), scans=40, deadline_ns=SECOND)
    assert [status for status, _ in told] == ["accepted", "sent", "confirmed"]


def test_what_becomes_impossible_before_it_is_sent_is_rejected(plant: Plant) -> None:
    plant.scan(Request("a", "write", ((SPEED, 80.0),), role="operator"), scans=5)
    plant.registers["system/PLC1/armed"] = False
    assert plant.outcomes(plant.scan(scans=2), "a") == [("rejected", ["PLC1 is not armed"])]


def test_stops_are_done_before_what_came_first(plant: Plant) -> None:
    crowd = [
        Request(f"g{n}", "write", (("tank1/draining", True),), source="gateway", role="operator")
        for n in range(40)
    ]
    told = plant.scan(*crowd, Request("o", "write", ((SP, 3.0),), source="hmi", role="operator"))
    order = [event["id"] for event in told if event["kind"] == "request"]
    assert order[0] == "o"
    assert len(order) == 17
    plant.scan(scans=2)
    assert len({event["id"] for event in plant.events if event["kind"] == "request"}) == 41


def test_texts_and_memory_tags(plant: Plant) -> None:
    assert plant.ask("write", ("tank1/note", "Strainer was cleaned")) == [("confirmed", [])]
    assert plant.value("tank1/note") == "Strainer was cleaned"
    assert plant.ask("write", ("tank1/draining", "on")) == [("confirmed", [])]
    assert plant.value("tank1/draining") is True


def test_acknowledge_needs_a_role_and_an_alarm(plant: Plant) -> None:
    alarm = f"{LEVEL}/HH"
    plant.registers[LEVEL] = 4.9
    plant.scan(scans=2)
    assert plant.value(alarm) == 3
    assert "role operator" in plant.ask("acknowledge", (alarm, None), role="viewer")[0][1][0]
    assert plant.ask("acknowledge", (alarm, None)) == [("confirmed", [])]
    assert plant.value(alarm) == 1
    assert plant.ask("acknowledge", (alarm, None))[0][0] == "rejected"
    assert any(e["kind"] == "alarm" and e.get("user") == "anna" for e in plant.events)


def test_an_interlock_is_reset_only_when_its_condition_is_gone(plant: Plant) -> None:
    plant.registers[LEVEL] = 4.9
    plant.scan(scans=2)
    assert plant.ask("write", (f"{LOCK}/ACTIVE", False))[0][0] == "rejected"
