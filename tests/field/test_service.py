"""The whole field service as a process, against a real Modbus server that comes and goes."""

from __future__ import annotations

import dataclasses
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scada.field.heartbeat import KEEPS
from scada.field.poller import CONNECTED, NOT_CONNECTED, SLOW
from tags import quality
from tags.model import OnLoss, Site, Tag
from tests.field.plc import Plc, plc
from tests.field.running import Plant, at_port
from tests.support.site import make_site
from tests.support.wait import wait_for

LEVEL, OUT, START = "tank1/LT-101", "tank1/LV-101/OUT", "tank1/P-101/START"
RESTARTS = "system/PLC1/restarts"
Start = Callable[..., Plant]


@pytest.fixture
def water() -> Iterator[Plc]:
    with plc() as made:
        made.set("input", 0, 13824, 27648)
        made.set("discrete", 0, 1)
        made.set("holding", 0, 2765)
        yield made


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    plants: list[Plant] = []

    def begin(site: Site, port: int, **more: Any) -> Plant:
        plants.append(Plant(tmp_path / "data", at_port(site, port), **more))
        return plants[-1]

    yield begin
    for plant in plants:
        assert plant.close() == 0


def with_tags(site: Site, **changes: dict[str, Any]) -> Site:
    """The small site with fields of tags replaced, by the last part of their path."""

    def changed(tag: Tag) -> Tag:
        return dataclasses.replace(tag, **changes.get(tag.path.replace("/", "_").replace("-", "_"), {}))

    return dataclasses.replace(site, tags=tuple(changed(tag) for tag in site.tags))


def with_heartbeat(site: Site) -> Site:
    beat = {"address": "holding/100", "every_ns": 100_000_000}
    return dataclasses.replace(
        site, devices=tuple(dataclasses.replace(d, heartbeat=beat) for d in site.devices)
    )


def with_restarts(site: Site) -> Site:
    row = len(site.of_writer("field"))
    tag = Tag(id=900, path=RESTARTS, type="int64", kind="system", writer="field", row=row)
    return dataclasses.replace(site, tags=tuple(sorted((*site.tags, tag), key=lambda t: (t.writer, t.row))))


def with_health(site: Site, *keys: str) -> Site:
    """With more system tags of the device."""
    row = len(site.of_writer("field"))
    more = [
        Tag(id=910 + n, path=f"system/PLC1/{key}", type="int64", kind="system", writer="field", row=row + n)
        for n, key in enumerate(keys)
    ]
    return dataclasses.replace(site, tags=tuple(sorted((*site.tags, *more), key=lambda t: (t.writer, t.row))))


def test_values_health_and_arming(water: Plc, start: Start) -> None:
    plant = start(make_site(), water.port)
    plant.until(LEVEL, 2.5)
    plant.until("tank1/LV-101/POS", 100.0)
    plant.until("tank1/LV-101/REM", True)
    plant.until("system/PLC1/connected", True)
    plant.until("system/PLC1/armed", False)
    wait_for(lambda: 0.08 < plant.value("system/PLC1/period_achieved") < 0.2, what="the period is held")
    water.set("input", 0, 27648)
    plant.until(LEVEL, 5.0)

    version = plant.command(OUT, 55.0)
    wait_for(lambda: plant.acted(OUT) == (version, 255), what="not armed")
    assert water.memory.writes == []
    plant.arm("PLC1")
    plant.until(OUT, 55.0)
    assert plant.acted(OUT) == (version, 0)
    plant.until("system/PLC1/armed", True)
    assert water.memory.writes == [(6, 0, [15206])]
    plant.data.armed.unlink()
    plant.until("system/PLC1/armed", False)
    plant.command(OUT, 10.0)
    water.set("holding", 0, 1)
    plant.until(OUT, 0.0)
    assert len(water.memory.writes) == 1
    kinds = [(event["kind"], event.get("state")) for event in plant.events()]
    assert kinds == [("service", state) for state in ("connected", "armed", "disarmed")]


def test_the_plc_is_absent_at_start_and_comes(start: Start) -> None:
    with plc() as water:
        water.kill()
        plant = start(make_site(), water.port)
        plant.until_status(LEVEL, quality.BAD_NO_COMMUNICATION)
        assert plant.value("system/PLC1/connected") is False
        water.start()
        plant.until(LEVEL, 0.0)


def test_the_plc_is_killed_and_comes_back_and_is_read_before_it_is_written(water: Plc, start: Start) -> None:
    plant = start(make_site(), water.port)
    plant.arm("PLC1")
    plant.command(OUT, 40.0)
    plant.until(OUT, 40.0)
    water.kill()
    plant.until_status(OUT, quality.BAD_NO_COMMUNICATION, 2.0)
    plant.until("system/PLC1/connected", False)
    plant.until_status("system/PLC1/period_achieved", quality.BAD_WAITING_FOR_INITIAL_DATA)
    rows = [tag.row for tag in plant.site.of_writer("field") if tag.device == "PLC1"]
    published = plant.image.publish_ns[rows].copy()
    wait_for(
        lambda: plant.image.snapshot() and bool((plant.image.publish_ns[rows] > published).all()),
        what="what stands still stays fresh in the image",
    )
    plant.command(OUT, 60.0)
    water.set("holding", 0, 2765)
    water.memory.writes.clear()
    reads = water.memory.reads
    water.start()
    plant.until(OUT, 60.0, 4.0)
    assert water.memory.writes == [(6, 0, [16589])]
    assert water.memory.reads > reads
    states = [e["state"] for e in plant.events() if e["kind"] == "service"]
    assert states[-2:] == ["not connected", "connected"]


def test_a_silent_plc_makes_its_tags_bad_and_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connects, never answers
        plant = Plant(tmp_path / "data", at_port(make_site(), silent.getsockname()[1]))
        try:
            plant.until_status(LEVEL, quality.BAD_NO_COMMUNICATION)
        finally:
            assert plant.close() == 0
        waiting = Plant(tmp_path / "other", at_port(make_site(), silent.getsockname()[1], timeout="60 s"))
        wait_for(
            lambda: waiting.status(LEVEL) == quality.BAD_WAITING_FOR_INITIAL_DATA and waiting.beats() > 20
        )
        assert waiting.close() == 0


@pytest.mark.parametrize("torn", [0, 1])
def test_control_freezes_and_the_output_does_what_it_declares(water: Plc, start: Start, torn: int) -> None:
    """Also when it freezes inside a publish, so that its image cannot be read."""
    loss = OnLoss(action="value", delay_ns=1_000_000_000, value=7.0)
    site = with_heartbeat(with_tags(make_site(), tank1_LV_101_OUT={"on_loss": loss}))
    plant = start(site, water.port)
    plant.arm("PLC1")
    plant.command(OUT, 40.0)
    plant.until(OUT, 40.0)
    wait_for(lambda: water.get("holding", 100) > 2, what="heartbeat in the PLC")
    plant.control.image._words[16] += torn
    plant.freeze_control()
    plant.until(OUT, 7.0)
    still = water.get("holding", 100)
    (event,) = [e for e in plant.events() if e["kind"] == "write"]
    assert (event["path"], event["value"], event["reason"], event["result"]) == (
        OUT,
        pytest.approx(7, abs=0.01),
        "loss",
        0,
    )
    polls = water.memory.reads + 20
    wait_for(lambda: water.memory.reads > polls, what="polling goes on")
    assert water.get("holding", 100) == still
    plant.control.image._words[16] -= torn
    plant.freeze_control(False)
    plant.until(OUT, 40.0)
    wait_for(lambda: water.get("holding", 100) != still, what="heartbeat again")


@pytest.mark.parametrize("way", ["behind a gateway", "reconnects at once", "field is killed meanwhile"])
def test_a_plc_that_lost_its_power_is_noticed_and_gets_nothing_of_before(
    water: Plc, start: Start, way: str
) -> None:
    """However short it was: the heartbeat that it forgot tells."""
    plant = start(with_restarts(with_heartbeat(make_site())), water.port)
    plant.arm("PLC1")
    plant.command(OUT, 40.0)
    plant.until(OUT, 40.0)
    wait_for(lambda: water.get("holding", 100) > KEEPS + 1, what="heartbeat in the PLC")
    assert plant.value(RESTARTS) == 0
    if way == "reconnects at once":
        water.kill()
    elif way == "field is killed meanwhile":
        plant.kill()
    else:
        water.memory.refuse_writes = water.memory.refuse_reads = 11  # nobody behind me
        plant.until_status(OUT, quality.BAD_NO_COMMUNICATION)
    writes = len([w for w in water.memory.writes if w[1] == 0])
    water.set("holding", 0, *[0] * 101)
    if way == "reconnects at once":
        water.start()
    elif way == "field is killed meanwhile":
        plant.start()
    else:
        water.memory.refuse_writes = water.memory.refuse_reads = 0
    plant.until(RESTARTS, 1)
    plant.until(OUT, 0.0)
    wait_for(lambda: water.get("holding", 100) != 0, what="the heartbeat goes on")
    assert len([w for w in water.memory.writes if w[1] == 0]) == writes
    plant.command(OUT, 40.0, drive=False)
    plant.command(OUT, 0.5)
    plant.until(OUT, 0.5)
    plant.kill()
    plant.start()
    plant.until(OUT, 0.5)
    plant.until(RESTARTS, 1)


def test_a_plc_that_was_only_away_has_not_restarted(water: Plc, start: Start) -> None:
    plant = start(with_restarts(with_heartbeat(make_site())), water.port)
    plant.arm("PLC1")
    plant.command(OUT, 40.0)
    plant.until(OUT, 40.0)
    wait_for(lambda: water.get("holding", 100) > KEEPS + 1, what="heartbeat in the PLC")
    water.kill()
    plant.until_status(OUT, quality.BAD_NO_COMMUNICATION)
    water.start()
    plant.until(OUT, 40.0)
    still = water.get("holding", 100)
    wait_for(lambda: water.get("holding", 100) > still + 2, what="the heartbeat goes on")
    assert plant.value(RESTARTS) == 0
    water.set("holding", 0, 0)
    plant.until(OUT, 40.0)


def test_a_pulse_is_pressed_and_released_once(water: Plc, start: Start) -> None:
    site = with_tags(make_site(), tank1_P_101_START={"on_loss": OnLoss(action="release")})
    plant = start(site, water.port)
    plant.arm("PLC1")
    plant.command(START, False)
    plant.until(START, False)
    plant.until("system/PLC1/armed", True)
    version = plant.command(START, True)
    wait_for(lambda: len(water.memory.writes) == 2, what="pressed and released")
    assert water.memory.writes == [(5, 0, [1]), (5, 0, [0])]
    plant.until(START, False)
    assert plant.acted(START) == (version, 0)
    water.kill()
    plant.until_status(START, quality.BAD_NO_COMMUNICATION)
    water.start()
    plant.until(START, False)
    assert len(water.memory.writes) == 2


def test_field_is_killed_and_nothing_is_replayed(water: Plc, start: Start) -> None:
    plant = start(make_site(), water.port)
    plant.arm("PLC1")
    plant.command(OUT, 40.0)
    plant.command(START, False)
    plant.until(OUT, 40.0)
    plant.command(START, True)
    wait_for(lambda: len(water.memory.writes) == 3, what="valve, press, release")
    plant.kill()
    assert plant.status(OUT) == quality.BAD_NO_COMMUNICATION
    plant.start()
    plant.until(OUT, 40.0, 4.0)
    plant.command(OUT, 41.0)
    plant.until(OUT, 41.0)
    assert len(water.memory.writes) == 4


def test_forces(water: Plc, start: Start) -> None:
    plant = start(make_site(), water.port)
    plant.until(LEVEL, 2.5)
    bits = struct.unpack("<Q", struct.pack("<d", 4.25))[0]
    now = plant.clock.utc_ns()
    plant.force({LEVEL: (bits, now + 3_600_000_000_000), "tank1/LV-101/REM": (0, now - 1)})
    plant.until_status(LEVEL, quality.GOOD_LOCAL_OVERRIDE)
    assert plant.value(LEVEL) == 4.25
    water.kill()
    plant.until_status("tank1/LV-101/REM", quality.BAD_NO_COMMUNICATION)
    assert (plant.status(LEVEL), plant.value(LEVEL)) == (quality.GOOD_LOCAL_OVERRIDE, 4.25)
    water.start()
    plant.until("tank1/LV-101/REM", True)
    plant.force({LEVEL: (bits, plant.clock.utc_ns() + 300_000_000)})
    plant.until(LEVEL, 2.5)  # it has expired


def test_a_hole_costs_only_the_tags_in_it(water: Plc, start: Start) -> None:
    water.memory.refuse.add(("input", 1))
    plant = start(make_site(), water.port)
    plant.until(LEVEL, 2.5)
    plant.until_status("tank1/LV-101/POS", quality.BAD_CONFIGURATION_ERROR)
    assert plant.status("tank1/LV-101/REM") == quality.GOOD


def test_a_period_that_is_not_held_is_visible(water: Plc, start: Start) -> None:
    plant = start(with_health(make_site(), "state"), water.port)
    plant.until(LEVEL, 2.5)
    plant.until("system/PLC1/state", CONNECTED)
    water.memory.slow_s = 0.2
    wait_for(lambda: plant.value("system/PLC1/period_achieved") > 0.5, what="the period that is achieved")
    assert plant.value("system/PLC1/period_asked") == 0.1
    wait_for(
        lambda: plant.value("system/PLC1/latency_p50") > 0 and plant.value("system/PLC1/latency_p99") > 150
    )
    plant.until_status(LEVEL, quality.UNCERTAIN_LAST_USABLE)
    assert plant.value("system/PLC1/connected") is True
    plant.until("system/PLC1/state", SLOW)
    water.memory.slow_s = 0.0
    plant.until(LEVEL, 2.5)
    plant.until("system/PLC1/state", CONNECTED)


def test_errors_are_told_by_kind(start: Start) -> None:
    kinds = [f"errors_{kind}" for kind in ("timeout", "exception", "closed", "connect")]
    with plc() as water:
        plant = start(with_health(make_site(), "state", *kinds), water.port)
        plant.until("system/PLC1/state", CONNECTED)
        seen = {kind: plant.value(f"system/PLC1/{kind}") for kind in kinds}
        assert seen == dict.fromkeys(kinds, 0)
        water.memory.refuse.add(("input", 1))
        wait_for(lambda: plant.value("system/PLC1/errors_exception") > 0, what="an exception is counted")
        water.memory.slow_s = 0.4  # more than the time-out
        wait_for(lambda: plant.value("system/PLC1/errors_timeout") > 0, what="a time-out is counted")
        plant.until("system/PLC1/state", NOT_CONNECTED)
        water.kill()
        wait_for(lambda: plant.value("system/PLC1/errors_connect") > 0, what="a failed connection is counted")
        total = plant.value("system/PLC1/errors")
        assert total >= plant.value("system/PLC1/errors_exception") + plant.value(
            "system/PLC1/errors_timeout"
        )


def test_a_refused_write_is_told(water: Plc, start: Start) -> None:
    plant = start(make_site(), water.port)
    plant.arm("PLC1")
    plant.until(OUT, 10.0)
    water.memory.refuse_writes = 3
    version = plant.command(OUT, 55.0)
    wait_for(lambda: plant.acted(OUT) == (version, 3), what="exception 3")
    water.memory.refuse_writes = 0
    plant.until(OUT, 55.0)
    assert plant.acted(OUT) == (version, 0)


def test_texts_are_read_and_written(water: Plc, start: Start) -> None:
    site = make_site()
    address = {"table": "holding", "offset": 20, "bit": None, "count": 4, "type": "string"}
    rows = len(site.of_writer("field"))
    text = Tag(
        id=9001, path="tank1/RECIPE", type="string", kind="device", writer="field", row=rows, device="PLC1",
        address=address, scan_ns=100_000_000, owner="scada", on_loss=OnLoss(action="hold"), command="tank1/RECIPE/command",
    )  # fmt: skip
    command = Tag(
        id=9002, path="tank1/RECIPE/command", type="string", kind="command", writer="control",
        row=len(site.of_writer("control")), command="tank1/RECIPE",
    )  # fmt: skip
    tags = sorted((*site.tags, text, command), key=lambda tag: (tag.writer, tag.row))
    plant = start(dataclasses.replace(site, tags=tuple(tags)), water.port)
    water.set("holding", 20, 0x4142, 0x4300)
    wait_for(lambda: plant.value("tank1/RECIPE") == "ABC", what="text read")
    plant.arm("PLC1")
    plant.command("tank1/RECIPE", "Bière")
    wait_for(lambda: plant.value("tank1/RECIPE") == "Bière", what="text written and read back")
    assert water.memory.writes == [(16, 20, [0x4269, 0xC3A8, 0x7265, 0])]
