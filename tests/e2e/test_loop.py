"""The loop closes: what a person writes moves the valve, and everybody sees the same values."""

from __future__ import annotations

import urllib.request
from typing import Any

import orjson
import pytest
from asyncua import Client as OpcuaClient

from tests.e2e.plant import DemoPlant
from tests.support.wait import wait_for

pytestmark = pytest.mark.timeout(120)


def http(plant: DemoPlant, path: str) -> Any:
    with urllib.request.urlopen(plant.hmi + path, timeout=5) as answer:
        return orjson.loads(answer.read())


def test_every_tag_is_good(shared_plant: DemoPlant) -> None:
    with shared_plant.client() as client:
        wait_for(lambda: shared_plant.all_good(client), 10, f"all Good; not: {shared_plant.not_good(client)}")
        assert len(client.site.tags) > 150


def test_a_set_point_moves_the_valve(shared_plant: DemoPlant) -> None:
    with shared_plant.client() as client:
        client.refresh()
        before = client.read("tank1/LV-101/OUT/command").value
        level = client.read("tank1/LT-101").value
        assert isinstance(before, float)
        assert isinstance(level, float)
        up = level < 2.5
        said = shared_plant.scada("write", "tank1/LIC-101/SP", "4.0 m" if up else "1.0 m", "--reason", "test")
        assert "confirmed" in said

        def moved() -> bool:
            client.refresh()
            command = client.read("tank1/LV-101/OUT/command").value
            position = client.read("tank1/LV-101/POS").value
            assert isinstance(command, float)
            assert isinstance(position, float)
            return (
                (command > before + 3 and position > before + 2)
                if up
                else (command < before - 3 and position < before - 2)
            )

        wait_for(moved, 40, "valve follows the set point")
        shared_plant.scada("write", "tank1/LIC-101/SP", "2.5")


async def test_the_same_value_everywhere(shared_plant: DemoPlant) -> None:
    path = "tank1/LIC-101/SP"
    shared_plant.scada("write", path, "2.25", "--reason", "compare")
    assert shared_plant.json("read", path)[0]["value"] == 2.25
    assert http(shared_plant, f"/api/tags/{path}")["reading"]["value"] == 2.25
    async with OpcuaClient(shared_plant.opcua) as client:
        value = await client.get_node(f"ns=2;s={path}").read_data_value()
        assert value.Value.Value == 2.25
        assert value.StatusCode.value == 0
    stored = wait_for(
        lambda: [row for row in shared_plant.json("history", path, "--start=-1min") if row["value"] == 2.25],
        10,
        every_s=0.5,
    )
    assert stored[-1]["quality"] == "Good"
    shared_plant.scada("write", path, "2.5")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("write", "tank1/LIC-101/SP", "4.5"), 3, "limits"),
        (("write", "tank1/LT-101", "2"), 3, "tank1/LT-101"),
        (("write", "tank1/LIC-101/SP", "high"), 2, "not a value"),
        (("write", "tank1/LV-101/OUT", "50"), 3, "tank1/LIC-101"),
        (("read", "tank1/LT-111"), 1, "Did you mean tank1/LT-101"),
        (("force", "tank1/LT-101", "2", "--for", "30"), 2, "30 min"),
        (("outputs", "arm", "PLC9", "--reason", "x"), 1, "PLC1"),
        (("history", "tank1/LT-101", "--start", "yesterday"), 2, "yesterday"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_reason(
    shared_plant: DemoPlant, words: tuple[str, ...], code: int, says: str
) -> None:
    assert says in shared_plant.scada(*words, code=code)


def test_a_force_is_marked_listed_alarmed_and_ends(shared_plant: DemoPlant) -> None:
    shared_plant.scada("force", "ahu1/TT-200", "-5", "--for", "1h", "--reason", "frost drill")
    with shared_plant.client() as client:

        def forced() -> bool:
            client.refresh()
            sample = client.read("ahu1/TT-200")
            return sample.value == -5 and sample.quality == "GoodLocalOverride"

        wait_for(forced, 3, "forced value is shown")
        assert [force["path"] for force in shared_plant.json("status")["forces"]] == ["ahu1/TT-200"]
        wait_for(
            lambda: any(a["path"] == "system/control/FORCED" for a in shared_plant.json("alarms", "list")),
            3,
            every_s=0.5,
        )
        shared_plant.scada("force", "ahu1/TT-200", "-5", "--for", "2 s", "--reason", "frost drill")

        def released() -> bool:
            client.refresh()
            return client.read("ahu1/TT-200").quality == "Good"

        wait_for(released, 8, "the force ended by itself")
    shared_plant.scada("alarms", "ack", "system/control/FORCED")
    assert not [a for a in shared_plant.json("alarms", "list") if a["path"] == "system/control/FORCED"]


def test_pumps_run_and_status_is_readable(shared_plant: DemoPlant) -> None:
    text = shared_plant.scada("status")
    for service in ("control", "field", "historian", "hmi", "opcua"):
        assert service in text
    status = shared_plant.json("status")
    assert {device["name"] for device in status["devices"]} == {"PLC1", "PLC2", "PLC3"}
    assert all(device["connected"] and device["armed"] for device in status["devices"])
    assert {service["state"] for service in status["services"]} == {"running"}
    (task,) = status["tasks"]
    assert (task["name"], task["period_ms"]) == ("scan", 100.0)
    assert 0.0 < task["execution_max"] < 1000.0
    assert task["overruns"] is not None


def test_a_bypass_is_listed_alarmed_audited_and_ends(shared_plant: DemoPlant) -> None:
    what = "tank1/OVERFILL"
    assert "reason" in shared_plant.scada("bypass", what, "--for", "5 s", code=3)
    assert "8 h at most" in shared_plant.scada("bypass", what, "--for", "9h", "--reason", "x", code=3)
    assert "did you mean" in shared_plant.scada("bypass", "tank1/OVERFIL", "--for", "5 s", code=2)
    shared_plant.scada("bypass", what, "--for", "1h", "--reason", "LT-101 is being cleaned")
    (listed,) = wait_for(
        lambda: [row for row in shared_plant.json("bypass") if row["bypassed"]], 3, every_s=0.5
    )
    assert (listed["path"], listed["reason"]) == (what, "LT-101 is being cleaned")
    assert [one["path"] for one in http(shared_plant, "/api/status")["bypasses"]] == [what]
    assert [one["path"] for one in shared_plant.json("status")["bypasses"]] == [what]
    alarm = f"{what}/BYPASSED/ALARM"
    wait_for(lambda: any(a["path"] == alarm for a in shared_plant.json("alarms", "list")), 3, every_s=0.5)
    shared_plant.scada("bypass", what, "--for", "2 s", "--reason", "LT-101 is being cleaned")
    wait_for(
        lambda: not shared_plant.json("status")["bypasses"], 12, "the bypass ended by itself", every_s=0.5
    )
    shared_plant.scada("alarms", "ack", alarm)

    def audited() -> bool:
        rows = shared_plant.json("history", "audit", "list", "--kind", "bypass")
        return [row["action"] for row in rows if row["path"] == what][-3:] == [
            "bypassed",
            "bypassed",
            "expired",
        ]

    wait_for(audited, 8, "the audit trail has it")


def test_an_alarm_at_rest_is_shelved_listed_told_and_comes_back(shared_plant: DemoPlant) -> None:
    alarm = "tank1/LT-101/LL"
    assert "8 h at most" in shared_plant.scada(
        "alarms", "shelve", alarm, "--for", "9h", "--reason", "x", code=3
    )
    shared_plant.scada("alarms", "shelve", alarm, "--for", "1h", "--reason", "LT-101 is being cleaned")
    (listed,) = wait_for(lambda: shared_plant.json("alarms", "list", "--aside"), 3, every_s=0.5)
    assert (listed["path"], listed["state"], listed["shelved"]["text"]) == (
        alarm,
        "shelved",
        "LT-101 is being cleaned",
    )
    (seen,) = http(shared_plant, "/api/alarms")["alarms"]
    assert (seen["bits"], seen["aside"]["text"]) == (8, "LT-101 is being cleaned")
    shared_plant.scada("alarms", "shelve", alarm, "--for", "1 s", "--reason", "LT-101 is being cleaned")

    def told() -> bool:
        events = http(shared_plant, f"/api/alarms/events?start=-5min&alarm={alarm}")["events"]
        return [(event["action"], event["user"] != "") for event in events] == [
            ("unshelve", False),
            ("shelve", True),
            ("shelve", True),
        ]

    wait_for(told, 15, "its end is in history", every_s=0.5)
    assert shared_plant.json("alarms", "list", "--aside") == []
    assert [one["action"] for one in shared_plant.json("alarms", "events", alarm)][-1] == "unshelve"
