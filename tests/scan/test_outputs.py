"""The output stage: when a command is driven, and what it then is."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest

from scada.scan import build
from tags.model import Tag, Write
from tags.quality import (
    BAD_NO_COMMUNICATION,
    BAD_SENSOR_FAILURE,
    BAD_WAITING_FOR_INITIAL_DATA,
    GOOD,
    UNCERTAIN_EU_EXCEEDED,
)
from tests.scan.plant import (
    ARMED,
    DAMPER,
    LEVEL,
    LOCK,
    MODE,
    PANEL,
    PUMP,
    REMOTE,
    SP,
    SPEED,
    VALVE,
    Plant,
    plant_site,
)


@pytest.fixture
def plant() -> Plant:
    plant = Plant()
    plant.scan(scans=4)
    return plant


def test_the_first_command_is_what_was_read_back() -> None:
    plant = Plant(registers={VALVE: 37.0, SPEED: 44.0, DAMPER: True})
    plant.scan(scans=5)
    assert (plant.command(VALVE), plant.command(SPEED), plant.command(DAMPER)) == (37.0, 44.0, True)
    assert plant.writes == []


def test_nothing_is_driven_before_all_inputs_were_read() -> None:
    plant = Plant()
    plant.status[LEVEL] = BAD_NO_COMMUNICATION
    plant.scan(scans=10)
    assert plant.command(VALVE) is None
    assert plant.command(SPEED) == 50.0, "another output does not wait"
    refused = plant.ask("write", (VALVE, 50.0))
    assert refused == [("rejected", [f"{VALVE}: {LEVEL} was not read yet"])]
    plant.status[LEVEL] = BAD_SENSOR_FAILURE
    plant.scan(scans=3)
    assert plant.command(VALVE) == 0.0, (
        "a broken sensor is an answer; the interlock takes it for its condition"
    )


def test_unarmed_nothing_is_driven_and_arming_does_not_bump() -> None:
    plant = Plant(registers={ARMED: False})
    plant.scan(scans=3)
    plant.registers[VALVE] = 62.0
    plant.scan(scans=2)
    assert plant.command(VALVE) is None
    assert "not armed" in plant.ask("write", (VALVE, 10.0))[0][1][0]
    plant.registers[ARMED] = True
    plant.scan(scans=4)
    assert plant.command(VALVE) == 62.0
    assert plant.writes == []


def test_in_local_the_command_follows_and_requests_are_refused(plant: Plant) -> None:
    plant.ask("write", (MODE, "Auto"))
    plant.registers[REMOTE] = False
    plant.scan(scans=2)
    plant.registers[VALVE] = 71.0
    written = len(plant.writes)
    plant.scan(scans=2)
    assert plant.value(f"{VALVE}/command") == 71.0
    assert plant.command(VALVE) is None
    assert plant.ask("write", (VALVE, 10.0)) == [("rejected", [f"tank1/LV-101 is in Local ({REMOTE})"])]
    plant.registers[REMOTE] = True
    plant.registers[LEVEL] = 2.5
    plant.scan(scans=3)
    assert len(plant.writes) == written or abs(plant.writes[written][2] - 71.0) < 1.0
    assert plant.command(VALVE) == pytest.approx(71.0, abs=1.0)


def test_a_bad_selector_counts_as_local(plant: Plant) -> None:
    plant.status[REMOTE] = BAD_SENSOR_FAILURE
    plant.scan()
    assert plant.command(VALVE) is None
    assert "BadSensorFailure, so it counts as Local" in plant.ask("write", (VALVE, 1.0))[0][1][0]


def test_a_lost_device_holds_and_comes_back_without_a_bump(plant: Plant) -> None:
    plant.ask("write", (SPEED, 70.0), scans=40)
    plant.linked = False
    plant.scan(scans=50)
    assert plant.value(f"{SPEED}/command") == 70.0
    assert plant.command(SPEED) is None
    plant.linked = True
    plant.registers[SPEED] = 25.0  # its own fall-back
    written = len(plant.writes)
    plant.scan(scans=5)
    assert plant.command(SPEED) == 25.0
    assert len(plant.writes) == written


def test_interlock_wins_over_blocks_people_and_forces(plant: Plant) -> None:
    plant.ask("write", (VALVE, 55.0), scans=3)
    plant.registers[LEVEL] = 4.8
    plant.scan()
    assert plant.command(VALVE) == 0.0
    refused = plant.ask("write", (VALVE, 55.0))
    assert refused == [("rejected", [f"interlock {LOCK} holds {VALVE} at 0 %"])]
    plant.ask("force", (f"{VALVE}/command", 90.0), for_ns=10**10)
    plant.scan(scans=3)
    assert plant.command(VALVE) == 0.0
    plant.ask("unforce", (f"{VALVE}/command", None))
    plant.registers[LEVEL] = 2.0
    plant.scan(scans=3)
    assert plant.command(VALVE) == 0.0, "in Manual it stays where the interlock put it"


def test_limits_and_rate(plant: Plant) -> None:
    assert plant.ask("write", (SPEED, 90.0)) == [
        ("rejected", [f"{SPEED}: 90 is outside of its limits 20 … 80"])
    ]
    plant.ask("force", (f"{SPEED}/command", 95.0), for_ns=60 * 10**9)
    seen = []
    for _ in range(60):
        plant.scan()
        seen.append(plant.command(SPEED))
    assert seen[-1] == 80.0
    assert max(b - a for a, b in itertools.pairwise(seen)) <= 1.0 + 1e-9


def test_shared_is_written_once_and_then_followed(plant: Plant) -> None:
    told = plant.ask("write", (PANEL, 22.0), scans=4)
    assert [status for status, _ in told] == ["sent", "confirmed"]
    assert [write[1:] for write in plant.writes] == [(PANEL, 22.0)]
    assert plant.command(PANEL) is None
    plant.registers[PANEL] = 18.5  # somebody at the panel
    plant.scan(scans=5)
    assert plant.value(f"{PANEL}/command") == 18.5
    assert len(plant.writes) == 1
    plant.ask("write", (PANEL, 22.0), scans=4)
    assert [write[1:] for write in plant.writes] == [(PANEL, 22.0)] * 2


@pytest.mark.parametrize("every", [1, 4])
def test_each_pulse_is_asked_for_once(plant: Plant, every: int) -> None:
    plant.every = every
    for _ in range(3):
        assert [status for status, _ in plant.ask("write", (PUMP, True), scans=10)] == ["sent", "confirmed"]
    assert [write[1:] for write in plant.writes] == [(PUMP, True)] * 3
    assert "only true can be written" in plant.ask("write", (PUMP, False))[0][1][0]


def test_a_pulse_that_is_asked_for_while_the_last_one_is_acted_on_is_a_pulse_of_its_own(plant: Plant) -> None:
    plant.ask(
        "write", (PUMP, True)
    )  # field acts on it before the next scan, which is when the next one comes
    assert [status for status, _ in plant.ask("write", (PUMP, True), scans=10)] == ["sent", "confirmed"]
    assert [write[1:] for write in plant.writes] == [(PUMP, True)] * 2


def test_a_pulse_that_is_asked_for_while_the_last_one_waits_is_the_same_pulse(plant: Plant) -> None:
    plant.every = 4
    plant.scan(scans=(1 - plant.state.scans) % 4)
    plant.ask("write", (PUMP, True))
    assert [status for status, _ in plant.ask("write", (PUMP, True), scans=10)] == ["sent", "confirmed"]
    assert [write[1:] for write in plant.writes] == [(PUMP, True)]


def test_a_pulse_is_not_kept_for_later(plant: Plant) -> None:
    plant.result = 254  # sent, no answer
    told = plant.ask("write", (PUMP, True), scans=60)
    assert [status for status, _ in told] == ["sent", "timed out"]
    plant.result = 0
    plant.scan(scans=20)
    assert plant.writes == []


def test_set_point_moves_the_valve(plant: Plant) -> None:
    plant.ask("write", (MODE, "Auto"), (SP, 3.5))
    plant.scan(scans=5)
    assert plant.command(VALVE) > 30.0
    assert plant.quality(f"{VALVE}/command") == GOOD


def test_a_read_back_just_outside_its_range_is_a_read_back() -> None:
    plant = Plant(registers={VALVE: 100.2})
    plant.status[VALVE] = UNCERTAIN_EU_EXCEEDED
    plant.scan(scans=5)
    assert plant.command(VALVE) == 100.0


def test_a_text_is_an_output_like_any_other() -> None:
    """A recipe's name for a PLC: it stopped control in its first scan."""
    site, path = plant_site(), "tank1/RECIPE"
    text: dict[str, Any] = {"type": "string", "device": "PLC1", "kind": "device", "writer": "field", "owner": "scada",
                            "writable": True, "write": Write(), "command": f"{path}/command"}  # fmt: skip
    command = {"type": "string", "kind": "command", "writer": "control", "command": path}
    tags = list(site.tags)
    for name, fields in ((path, text), (f"{path}/command", command)):
        row = sum(tag.writer == fields["writer"] for tag in tags)
        tags.append(Tag(**{"id": len(tags) + 1, "row": row, "path": name, **fields}))
    tags.sort(key=lambda tag: (tag.writer, tag.row))
    plant = Plant(build(dataclasses.replace(site, tags=tuple(tags))), registers={path: "lager"})
    plant.scan(scans=4)
    assert plant.command(path) == "lager"
    assert [status for status, _ in plant.ask("write", (path, "bock"), scans=4)] == ["sent", "confirmed"]
    assert plant.writes[-1][1:] == (path, "bock")


def test_a_pause_of_the_machine_is_no_reason_to_jump(plant: Plant) -> None:
    """A minute without scans (a paused virtual machine) is not a minute of the rate, nor of a start's supervision."""
    plant.ask("write", (SPEED, 80.0), scans=2)
    before = plant.command(SPEED)
    plant.scan(periods=600)
    assert plant.command(SPEED) == pytest.approx(before + 10.0), "its rate is 10 a second"


def test_a_control_that_has_just_started_says_nothing_of_what_it_cannot_read_yet() -> None:
    """To the field "do not drive" is a word of control: it would end the loss that control's death began."""
    plant = Plant()
    plant.status[VALVE] = plant.status[PANEL] = BAD_WAITING_FOR_INITIAL_DATA
    for path in (VALVE, PANEL):
        row = plant.program.output_of[path]
        plant.scan(scans=20 if path == VALVE else 0)
        assert plant.quality(f"{path}/command") == BAD_WAITING_FOR_INITIAL_DATA
        assert not plant.state.outputs[row].spoken
    plant.scan()  # but a device that is away for longer is no reason to be silent for ever
    for path in (VALVE, PANEL):
        assert plant.state.outputs[plant.program.output_of[path]].spoken
        assert plant.quality(f"{path}/command") >> 30 == 1


def test_a_control_that_has_just_started_speaks_when_it_drives() -> None:
    plant = Plant()
    plant.scan()
    assert plant.quality(f"{SPEED}/command") == BAD_WAITING_FOR_INITIAL_DATA
    plant.scan()
    assert plant.command(SPEED) == 50.0
