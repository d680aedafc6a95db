from __future__ import annotations

import dataclasses
import fcntl
from pathlib import Path

import numpy as np
import pytest

from scada.client import Client, NotRunning, SiteChanged
from tags import quality
from tests.client.plant import SECOND, Plant


def test_values_come_by_type(plant: Plant, client: Client) -> None:
    plant.put("tank1/LT-101", 2.25)
    plant.put("tank1/LV-101/REM", value=True)
    plant.put("tank1/LIC-101/MODE", 2)
    plant.put("tank1/note", "Füllstand ok")
    client.refresh()
    samples = client.read_many(["tank1/LT-101", "tank1/LV-101/REM", "tank1/LIC-101/MODE", "tank1/note"])
    assert [sample.value for sample in samples] == [2.25, True, 2, "Füllstand ok"]
    assert samples[1].value is True
    assert samples[0].good
    assert samples[0].source_ns == plant.clock.utc_ns()


def test_nothing_is_known_before_the_first_publish(client: Client) -> None:
    sample = client.read("tank1/LT-101")
    assert (sample.quality, sample.age_s) == ("BadWaitingForInitialData", None)


def test_unknown_tag_is_named(client: Client) -> None:
    with pytest.raises(KeyError, match="tank1/LT-999: the site 'small' has no such tag"):
        client.read("tank1/LT-999")


def test_reading_is_of_the_last_refresh(plant: Plant, client: Client) -> None:
    plant.put("tank1/LT-101", 1.0)
    client.refresh()
    plant.put("tank1/LT-101", 2.0)
    assert client.read("tank1/LT-101").value == 1.0
    client.refresh()
    assert client.read("tank1/LT-101").value == 2.0


def test_a_polled_tag_is_stale_after_its_time(plant: Plant, client: Client) -> None:
    plant.put("tank1/LT-101", 1.0)
    plant.put("tank1/LIC-101/SP", 2.5)
    plant.clock.advance(SECOND + 150_000_000)
    plant.beat()
    client.refresh()
    assert client.read("tank1/LT-101").good
    plant.clock.advance(1)
    client.refresh()
    old = client.read("tank1/LT-101")
    assert (old.quality, old.value) == ("UncertainLastUsableValue", 1.0)
    assert old.age_s == pytest.approx(1.15)
    assert client.read("tank1/LIC-101/SP").good


def test_a_silent_writer_is_dead_after_two_seconds_of_watching(plant: Plant, client: Client) -> None:
    plant.put("tank1/LIC-101/SP", 2.5)
    plant.put("system/hmi/clients", 3)
    for _ in range(8):
        plant.beat("control")
        plant.clock.advance(SECOND // 4)
        client.refresh()
    plant.beat("control")
    assert client.read("tank1/LIC-101/SP").quality == "BadNoCommunication"
    assert client.read("system/hmi/clients").good
    plant.beat()
    client.refresh()
    assert client.read("tank1/LIC-101/SP").good


def test_a_watcher_that_slept_declares_nobody_dead(plant: Plant, client: Client) -> None:
    plant.put("tank1/LIC-101/SP", 2.5)
    client.refresh()
    plant.clock.advance(3600 * SECOND)
    client.refresh()
    assert client.read("tank1/LIC-101/SP").good


def test_changes_tell_each_change_once(plant: Plant, client: Client) -> None:
    changes = client.changes()
    assert len(changes.poll()) == len(plant.site.tags)
    assert changes.poll() == []
    plant.put("tank1/LT-101", 1.0)
    plant.put("tank1/note", "a")
    assert {client.tag_list[i].path for i in changes.poll()} == {"tank1/LT-101", "tank1/note"}
    assert changes.poll() == []


def test_changes_tell_staleness_once(plant: Plant, client: Client) -> None:
    plant.put("tank1/LT-101", 1.0)
    changes = client.changes()
    changes.poll()
    plant.clock.advance(2 * SECOND)
    plant.beat()
    assert [client.tag_list[i].path for i in changes.poll()] == ["tank1/LT-101"]
    assert changes.poll() == []


def test_watchers_do_not_disturb_each_other(plant: Plant, client: Client) -> None:
    one, two = client.changes(), client.changes()
    one.poll()
    two.poll()
    plant.put("tank1/LT-101", 1.0)
    client.refresh()
    assert one.poll(refresh=False) == two.poll(refresh=False) == [client.index["tank1/LT-101"]]


def test_watch_gives_samples_as_they_change(plant: Plant, client: Client) -> None:
    plant.put("tank1/LT-101", 1.0)
    watching = client.watch(["tank1/LT-101"], period_s=0)
    assert next(watching).value == 1.0
    plant.put("tank1/LV-101/POS", 50.0)
    plant.put("tank1/LT-101", 2.0)
    assert next(watching).value == 2.0


def test_a_restarted_writer_needs_nothing(plant: Plant, client: Client) -> None:
    from tags.image import ImageWriter

    plant.put("tank1/LIC-101/SP", 2.5)
    plant.images["control"].close()
    plant.images["control"] = ImageWriter.open(plant.data.image("control"), epoch=2)
    plant.put("tank1/LIC-101/SP", 3.0)
    client.refresh()
    assert client.read("tank1/LIC-101/SP").value == 3.0


def test_a_restarted_plant_is_found_again(plant: Plant, client: Client) -> None:
    changes = client.changes()
    changes.poll()
    plant.close()
    plant.make(epoch=9)
    plant.put("tank1/LT-101", 4.0)
    plant.clock.advance(SECOND)
    plant.beat()
    assert len(changes.poll()) == len(plant.site.tags)
    assert client.generation == 2
    assert client.read("tank1/LT-101").value == 4.0


def test_a_changed_site_asks_for_a_new_client(plant: Plant, client: Client) -> None:
    plant.close()
    plant.site = dataclasses.replace(plant.site, digest="1" * 64)
    plant.make()
    plant.clock.advance(SECOND)
    with pytest.raises(SiteChanged, match="changed site"):
        client.refresh()


def test_a_stopped_plant_is_told(plant: Plant, client: Client) -> None:
    plant.data.site_json.unlink()
    plant.clock.advance(SECOND)
    with pytest.raises(NotRunning, match="the plant was stopped"):
        client.refresh()


def test_no_plant_at_all(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match=r"no plant is running there .*scada run SITE --data"):
        Client(tmp_path / "nothing")


def test_files_left_behind_are_no_plant(plant: Plant) -> None:
    plant.data.lock.touch()
    with pytest.raises(NotRunning, match="no plant is running there"):
        Client(plant.data.root)
    with plant.data.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        Client(plant.data.root).close()


def test_alarms_wanted_first_come_first(plant: Plant, client: Client) -> None:
    plant.put("tank1/LT-101", 4.7)
    plant.put("tank1/LT-101/HH", 1, source_ns=77)
    plant.put("system/control/FORCED", 3)
    client.refresh()
    forced, level = client.alarms()
    assert (forced.path, forced.unacknowledged, forced.priority) == ("system/control/FORCED", True, "low")
    assert (level.since_ns, level.value, level.response) == (77, 4.7, "Close HV-100 by hand")
    plant.alarm_event("tank1/LT-101/HH", 0, 3)
    since = plant.clock.utc_ns()
    plant.clock.advance(SECOND)
    plant.alarm_event("tank1/LT-101/HH", 3, 1)
    assert client.alarms()[1].since_ns == since


def test_shelved_alarms_are_hidden_unless_asked_for(plant: Plant, client: Client) -> None:
    plant.put("tank1/LT-101/HH", 1 | 8)
    client.refresh()
    assert client.alarms() == []
    assert [alarm.hidden for alarm in client.alarms(hidden=True)] == [True]


def test_services_tell_state_and_silence(plant: Plant, client: Client) -> None:
    for name in plant.site.services:
        plant.put(f"system/supervisor/{name}", 2)
    plant.put("system/hmi/memory", 61.5)
    for _ in range(12):
        plant.beat("opcua")
        plant.clock.advance(SECOND // 4)
        client.refresh()
    states = {state.name: state for state in client.services()}
    assert states["hmi"].state == "running"
    assert states["hmi"].memory == 61.5
    assert states["hmi"].epoch == 1
    assert states["opcua"].state == "not responding"
    assert states["opcua"].heartbeat_age_s == pytest.approx(3.0)
    assert states["supervisor"].state == "running"


def test_why_a_device_is_not_connected(plant: Plant, client: Client) -> None:
    assert client.why_not_connected() == {}
    plant.event("service", "field", device="PLC1", state="not connected", reason="connection refused")
    assert client.why_not_connected() == {"PLC1": "connection refused"}
    plant.event("service", "field", device="PLC1", state="armed")
    assert client.why_not_connected() == {"PLC1": "connection refused"}, "it is of something else"
    plant.event("service", "field", device="PLC1", state="connected")
    assert client.why_not_connected() == {}


def test_forces_tell_value_and_end(plant: Plant, client: Client) -> None:
    plant.put("tank1/LT-101", 4.0, quality.GOOD_LOCAL_OVERRIDE)
    plant.put("tank1/draining", value=True, status=quality.GOOD_LOCAL_OVERRIDE)
    plant.forces.write(b'{"tank1/LT-101": [4616189618054758400, 99]}')
    client.refresh()
    assert [(force.path, force.value, force.expires_utc_ns) for force in client.forces()] == [
        ("tank1/LT-101", 4.0, 99),
        ("tank1/draining", True, None),
    ]


def test_followers_get_their_kinds_in_order_of_time(plant: Plant, client: Client) -> None:
    plant.event("alarm", path="early")
    follower = client.follow({"login", "service"})
    plant.event("login", writer="hmi", user="anna")
    plant.clock.advance(5)
    plant.event("alarm", path="x")
    plant.event("service", name="field")
    assert [(e["kind"], e["service"]) for e in follower.poll()] == [("login", "hmi"), ("service", "control")]
    assert follower.poll() == []
    assert client.follow(oldest=True).poll()[0]["path"] == "early"


def test_a_follower_that_was_too_slow_is_told(plant: Plant, client: Client) -> None:
    follower = client.follow({"alarm"})
    plant.event("alarm", path="first")
    follower.poll()
    for number in range(9):
        plant.event("alarm", number=number, text="x" * 50_000)
    events = follower.poll()
    assert events[0]["kind"] == "gap"
    assert events[0]["lost"] + len(events) - 1 == 9
    assert follower.lost == events[0]["lost"]


def test_new_image_files_are_found_even_before_a_new_site_is_written(plant: Plant, client: Client) -> None:
    from tags.image import ImageWriter

    plant.images["field"].close()
    tags = plant.site.of_writer("field")
    plant.images["field"] = ImageWriter.create(plant.data.image("field"), len(tags), (), 5)
    plant.put("tank1/LT-101", 4.5)
    plant.clock.advance(SECOND)
    client.refresh()
    assert client.read("tank1/LT-101").value == 4.5


def test_history_is_read_by_path(plant: Plant, client: Client) -> None:
    from historian.sqlite import SqliteStore
    from historian.store import SAMPLE, Batch, StoreError

    with pytest.raises(StoreError, match="there is no history yet"):
        client.history("tank1/LT-101", 0, 100)
    store = SqliteStore.writer(plant.data.history)
    store.declare(plant.site.tags)
    samples = np.array([(plant.tags["tank1/P-101/RUN"].id, 0, t, t % 2) for t in range(10)], SAMPLE)
    store.append(Batch(samples, events=[{"kind": "login", "t": 5, "user": "anna"}]))
    assert client.history("tank1/P-101/RUN", 8, 100).values == [False, True]
    assert len(client.history("tank1/P-101/RUN", 8, 100, before=True)) == 3
    assert client.events(0, 100)[0]["user"] == "anna"
    with pytest.raises(KeyError, match="no/such"):
        client.history("no/such", 0, 1)
    store.close()
