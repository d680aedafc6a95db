from __future__ import annotations

from typing import Any

import httpx
import pytest

from hmi.history import alarm_event
from scada.clock import SystemClock
from tests.hmi.plant import PASSWORD, Plant
from tests.support.wait import wait_for

NOW = SystemClock().utc_ns() // 1_000_000


def ask(client: httpx.Client, kind: str, path: str, value: Any = None, **more: Any) -> httpx.Response:
    return client.post("/api/requests", json={"kind": kind, "items": [[path, value]], **more})


def test_a_tag_with_its_value_and_block(http: httpx.Client, plant: Plant) -> None:
    plant.put("tank1/LT-101", 2.25)
    tag = http.get("/api/tags/tank1/LT-101").json()
    assert tag["reading"]["value"] == 2.25
    assert tag["reading"]["quality"] == "Good"
    assert 0 <= tag["reading"]["age_s"] < 2
    assert abs(tag["reading"]["source_ms"] - SystemClock().utc_ns() / 1e6) < 5000
    assert (tag["unit"], tag["range"]) == ("m", [0.0, 5.0])
    assert [block["path"] for block in tag["blocks"]] == ["tank1/LIC-101"]
    assert tag["blocks"][0]["links"] == {"pv": "tank1/LT-101", "out": "tank1/LV-101/OUT"}
    assert "tank1/LIC-101/SP" in {other["path"] for other in tag["related"]}
    assert tag["limit_alarms"] == [
        {"path": "tank1/LT-101/HH", "kind": "high", "limit": 4.6, "priority": "critical"}
    ]


def test_bad_values_come_with_their_quality(http: httpx.Client, plant: Plant) -> None:
    plant.put("tank1/LV-101/POS", 12.0, 0x808C_0000)
    reading = http.get("/api/tags/tank1/LV-101/POS").json()["reading"]
    assert (reading["quality"], reading["status"]) == ("BadSensorFailure", 0x808C_0000)
    plant.put("tank1/LV-101/POS", 12.0)


def test_an_output_knows_the_mode_of_what_drives_it(http: httpx.Client) -> None:
    tag = http.get("/api/tags/tank1/LV-101/OUT").json()
    assert tag["mode"] == "tank1/LIC-101/MODE"
    assert tag["remote"] == "tank1/LV-101/REM"
    assert http.get("/api/tags/tank1/LT-101").json()["mode"] is None


def test_search_by_words_in_path_and_description(http: httpx.Client) -> None:
    assert [tag["path"] for tag in http.get("/api/tags", params={"search": "LEVEL lt-1"}).json()["tags"]] == [
        "tank1/LT-101"
    ]
    assert http.get("/api/tags", params={"search": "nothing like it"}).json() == {"tags": [], "total": 0}
    some = http.get("/api/tags", params={"limit": 3}).json()
    assert len(some["tags"]) == 3
    assert some["total"] > 3
    kinds = {tag["kind"] for tag in http.get("/api/tags", params={"kind": "alarm"}).json()["tags"]}
    assert kinds == {"alarm"}


def test_unknown_things_are_404_by_name(http: httpx.Client) -> None:
    for path in (
        "/api/tags/tank1/LT-999",
        "/api/history/tank1/LT-999?start=1&end=2",
        "/api/displays/nowhere",
    ):
        answer = http.get(path)
        assert answer.status_code == 404
        assert "LT-999" in answer.json()["detail"] or "nowhere" in answer.json()["detail"]


def test_history_before_there_is_any_says_so(http: httpx.Client) -> None:
    answer = http.get("/api/history/tank1/LT-101", params={"start": NOW - 60_000, "end": NOW})
    assert answer.status_code == 503
    assert "no history yet" in answer.json()["detail"]
    assert http.get("/api/history/tank1/LT-101", params={"start": NOW, "end": NOW}).status_code == 422


def test_displays_with_their_tags(http: httpx.Client) -> None:
    assert [display["name"] for display in http.get("/api/displays").json()["displays"]] == [
        "overview",
        "tank1",
    ]
    display = http.get("/api/displays/overview").json()
    paths = {tag["path"] for tag in display["tags"]}
    assert {"tank1/LT-101", "tank1/LV-101/REM", "tank1/LIC-101/MODE"} <= paths
    assert [block["path"] for block in display["blocks"]] == ["tank1/LIC-101"]


def test_status_names_services_and_devices(http: httpx.Client, plant: Plant) -> None:
    plant.put("system/PLC1/armed", False)
    plant.put("system/PLC1/errors", 7)

    def seen() -> Any:
        status = http.get("/api/status").json()
        return status if status["devices"][0]["values"]["errors"] == 7 else None

    status = wait_for(seen)
    assert {service["name"] for service in status["services"]} >= {"field", "control", "hmi", "supervisor"}
    device = status["devices"][0]
    assert (device["name"], device["armed"], device["connected"]) == ("PLC1", False, True)
    assert (device["reason"], device["outputs"]) == ("", True)
    plant.put("system/PLC1/armed", True)


def test_status_says_why_a_device_is_not_connected(http: httpx.Client, plant: Plant) -> None:
    plant.put("system/PLC1/connected", False)
    plant.event("service", "field", device="PLC1", state="not connected", reason="connection refused")
    try:
        wait_for(
            lambda: http.get("/api/status").json()["devices"][0]["reason"] == "connection refused",
            what="the reason",
        )
    finally:
        plant.event("service", "field", device="PLC1", state="connected")
        plant.put("system/PLC1/connected", True)


def test_openapi_names_every_way_in(http: httpx.Client) -> None:
    paths = http.get("/api/openapi.json").json()["paths"]
    assert set(paths) == {
        "/api/tags", "/api/tags/{path}", "/api/history/{path}", "/api/alarms", "/api/alarms/events", "/api/status", "/api/blocks", "/api/displays",
        "/api/displays/{name}", "/api/session", "/api/login", "/api/logout", "/api/requests",
        "/api/samples/{path}", "/api/at/{path}", "/api/intervals/{path}", "/api/grid", "/api/aggregates",
    }  # fmt: skip


def test_anonymous_may_read_but_not_ask(http: httpx.Client, plant: Plant) -> None:
    assert http.get("/api/session").json()["user"] is None
    before = len(plant.control.requests) if plant.control else 0
    assert ask(http, "write", "tank1/LIC-101/SP", 3.0).status_code == 401
    assert plant.control
    assert len(plant.control.requests) == before


def test_an_operator_writes_and_hears_the_outcome(anna: httpx.Client, plant: Plant) -> None:
    outcome = ask(anna, "write", "tank1/LIC-101/SP", 2.8, reason="trial", id="0" * 31 + "1").json()
    assert outcome["status"] == "confirmed"
    assert outcome["id"] == "0" * 31 + "1"
    assert plant.control
    request = plant.control.requests[-1]
    assert (request["user"], request["role"], request["source"]) == ("anna", "operator", "hmi")
    assert request["items"] == [["tank1/LIC-101/SP", 2.8]]
    last = anna.get("/api/tags/tank1/LIC-101/SP").json()["last_write"]
    assert (last["user"], last["source"], last["value"], last["reason"]) == ("anna", "hmi", 2.8, "trial")


def test_a_bool_stays_a_bool_on_the_way_to_control(anna: httpx.Client, plant: Plant) -> None:
    ask(anna, "write", "tank1/draining", True)
    assert plant.control
    assert plant.control.requests[-1]["items"] == [["tank1/draining", True]]
    assert plant.control.requests[-1]["items"][0][1] is True
    ask(anna, "write", "tank1/draining", False)


def test_a_rejection_is_200_with_all_reasons(anna: httpx.Client, plant: Plant) -> None:
    control = plant.control
    assert control
    usual = control.answer
    control.answer = lambda _, __: [
        {"status": "rejected", "reasons": ["OVERFILL holds it", "LV-101 is in Local"]}
    ]
    try:
        answer = ask(anna, "write", "tank1/LV-101/OUT", 50.0)
    finally:
        control.answer = usual
    assert answer.status_code == 200
    assert answer.json()["status"] == "rejected"
    assert answer.json()["reasons"] == ["OVERFILL holds it", "LV-101 is in Local"]


@pytest.mark.parametrize(
    ("user", "kind", "path", "value", "status"),
    [
        ("vera", "write", "tank1/LIC-101/SP", 3.0, 403),
        ("vera", "acknowledge", "tank1/LT-101/HH", None, 403),
        ("anna", "write", "tank1/LIC-101/GAIN", 3.0, 403),
        ("anna", "force", "tank1/LT-101", 3.0, 403),
        ("emil", "write", "tank1/LIC-101/GAIN", 3.0, 200),
    ],
)
def test_roles_are_kept(
    url: str, plant: Plant, user: str, kind: str, path: str, value: Any, status: int
) -> None:
    with httpx.Client(base_url=url) as client:
        client.post("/api/login", json={"name": user, "password": PASSWORD})
        answer = ask(client, kind, path, value)
        assert answer.status_code == status
        if status == 403:
            assert "takes the role" in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "write", "items": []},
        {"kind": "write", "items": [["tank1/draining"]]},
        {"kind": "write", "items": [["tank1/draining", {"a": 1}]]},
        {"kind": "explode", "items": [["tank1/draining", True]]},
        {"kind": "write", "items": [["tank1/draining", True]], "user": "admin"},
        {"kind": "write", "items": [["tank1/draining", True]], "id": "../../etc"},
        {"kind": "write", "items": [["tank1/draining", True]] * 65},
        {"kind": "write", "items": [["tank1/draining", True]], "deadline_s": 1e9},
    ],
)
def test_what_is_no_request_is_422(anna: httpx.Client, body: dict[str, Any]) -> None:
    assert anna.post("/api/requests", json=body).status_code == 422


def test_not_json_at_all(anna: httpx.Client) -> None:
    headers = {"content-type": "application/json"}
    for content in (b"{", b"\xff\xfe", b'{"kind": NaN}', b"[" * 3000):
        assert anna.post("/api/requests", content=content, headers=headers).status_code in {400, 422}


def test_what_was_sent_is_not_repeated(http: httpx.Client) -> None:
    answer = http.post("/api/login", json={"name": "anna", "password": ["hunter2"], "extra": "hunter2"})
    assert answer.status_code == 422
    assert "body.password" in answer.json()["detail"]
    assert "hunter2" not in answer.text


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_values_that_are_no_numbers_are_refused(anna: httpx.Client, value: float) -> None:
    body = f'{{"kind": "write", "items": [["tank1/LIC-101/SP", {value}]]}}'.replace("inf", "1e999").replace(
        "nan", "NaN"
    )
    assert (
        anna.post("/api/requests", content=body, headers={"content-type": "application/json"}).status_code
        == 422
    )


def test_acknowledge_takes_the_alarm_off_the_open_ones(anna: httpx.Client, plant: Plant) -> None:
    plant.alarm("tank1/LT-101/HH", 3)
    listed = wait_for(lambda: anna.get("/api/alarms").json()["alarms"])
    assert listed[0]["path"] == "tank1/LT-101/HH"
    assert listed[0]["response"] == "Close HV-100 by hand"
    assert ask(anna, "acknowledge", "tank1/LT-101/HH").json()["status"] == "confirmed"
    alarms = wait_for(
        lambda: (a := anna.get("/api/alarms").json())["counts"]["unacknowledged"]["critical"] == 0 and a
    )
    assert alarms["counts"]["active"]["critical"] == 1
    plant.alarm("tank1/LT-101/HH", 0)
    wait_for(lambda: not anna.get("/api/alarms").json()["alarms"])


def test_what_people_do_with_an_alarm_is_told_with_it(anna: httpx.Client, plant: Plant) -> None:
    path = "tank1/LT-101/HH"
    plant.alarm(path, 3)
    body = {"kind": "shelve", "items": [[path, None]], "reason": "being cleaned", "for_s": 7200}
    assert anna.post("/api/requests", json=body).json()["status"] == "confirmed"
    found = wait_for(lambda: [a for a in anna.get("/api/alarms").json()["alarms"] if a["bits"] & 8])
    assert found[0]["aside"] | {"t_ms": 0} == {"t_ms": 0, "user": "anna", "text": "being cleaned"}
    assert found[0]["unshelve_ms"] > found[0]["aside"]["t_ms"]
    assert found[0]["shelve_max_s"] == 28_800
    assert anna.get("/api/alarms").json()["counts"]["active"]["critical"] == 0
    refused = ask(anna, "remove", path)
    assert (refused.status_code, "takes the role engineer" in refused.json()["detail"]) == (403, True)
    assert ask(anna, "unshelve", path).json()["status"] == "confirmed"
    plant.alarm(path, 0)


def test_what_happened_to_alarms_needs_a_history(http: httpx.Client) -> None:
    assert http.get("/api/alarms/events").status_code == 503
    assert http.get("/api/alarms/events", params={"start": "now", "end": "-1h"}).status_code == 422
    assert http.get("/api/alarms/events", params={"limit": 5001}).status_code == 422


def test_events_of_alarms_of_every_version() -> None:
    old = alarm_event({"kind": "alarm", "t": 5_000_000, "path": "t/H", "from": 0, "to": 3})
    assert (old.t_ms, old.action, old.before, old.after, old.user, old.until_ms) == (5, "", 0, 3, "", None)
    new = alarm_event({"t": 0, "path": "t/H", "action": "shelve", "from": 3, "to": 9, "user": "anna",
                       "comment": "x", "until": 7_000_000, "priority": "high", "source": "hmi"})  # fmt: skip
    assert (new.action, new.user, new.comment, new.until_ms, new.priority) == (
        "shelve",
        "anna",
        "x",
        7,
        "high",
    )


def test_signing_in_and_out(url: str) -> None:
    with httpx.Client(base_url=url) as client:
        answer = client.post("/api/login", json={"name": "anna", "password": PASSWORD})
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert answer.json()["role"] == "operator"
        assert client.get("/api/session").json()["user"] == "anna"
        assert client.post("/api/logout", json={}).json()["user"] is None
        assert client.get("/api/session").json()["user"] is None


def test_a_stolen_cookie_is_worth_nothing_after_sign_out(url: str) -> None:
    with httpx.Client(base_url=url) as client:
        client.post("/api/login", json={"name": "anna", "password": PASSWORD})
        stolen = dict(client.cookies)
        client.post("/api/logout", json={})
    with httpx.Client(base_url=url, cookies=stolen) as thief:
        assert thief.get("/api/session").json()["user"] is None
        assert ask(thief, "write", "tank1/draining", True).status_code == 401


def test_a_changed_role_ends_the_session(url: str, plant: Plant) -> None:
    plant.users.add("gone", PASSWORD, "operator")
    with httpx.Client(base_url=url) as client:
        client.post("/api/login", json={"name": "gone", "password": PASSWORD})
        assert client.get("/api/session").json()["user"] == "gone"
        plant.users.add("gone", PASSWORD, "viewer")
        assert client.get("/api/session").json()["user"] is None
        assert ask(client, "write", "tank1/draining", True).status_code == 401


def test_a_changed_password_ends_the_session(url: str, plant: Plant) -> None:
    plant.users.add("moved", PASSWORD, "operator")
    with httpx.Client(base_url=url) as client:
        client.post("/api/login", json={"name": "moved", "password": PASSWORD})
        plant.users.add("moved", "another password", "operator")
        assert client.get("/api/session").json()["user"] is None


@pytest.mark.parametrize("value", ["100000000000000000000000", '"\\ud800"', "NaN"])
def test_a_value_that_cannot_be_sent_is_refused_in_words(anna: httpx.Client, value: str) -> None:
    answer = anna.post(
        "/api/requests",
        content=f'{{"kind": "write", "items": [["tank1/LIC-101/SP", {value}]]}}',
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_wrong_passwords_are_slowed_down_and_recorded(url: str, plant: Plant) -> None:
    plant.users.add("slow", PASSWORD, "operator")
    with httpx.Client(base_url=url, timeout=15) as client:
        codes = [
            client.post("/api/login", json={"name": "slow", "password": f"wrong {n}"}).status_code
            for n in range(6)
        ]
        assert codes == [401] * 5 + [429]
        right = client.post("/api/login", json={"name": "slow", "password": PASSWORD})
        assert right.status_code == 429
        assert float(right.headers["retry-after"]) > 0
        unknown = client.post("/api/login", json={"name": "my secret password", "password": "x"})
        assert unknown.status_code == 401
        assert unknown.json() == {"detail": "Name or password is wrong."}


def test_log_ins_are_events_and_secrets_are_nowhere(own_server: Any) -> None:
    plant, hmi = own_server
    from scada.client import Client

    with Client(plant.data.root) as reader, httpx.Client(base_url=hmi.url(), timeout=15) as client:
        events = reader.follow({"login"})
        client.post("/api/login", json={"name": "anna", "password": PASSWORD})
        client.post("/api/login", json={"name": "hunter2hunter2", "password": "hunter2hunter2"})
        client.post("/api/logout", json={})
        found = events.poll()
        events.close()
        token = next(iter(client.cookies.values()), "none")
    assert [(e["user"], e["done"]) for e in found] == [
        ("anna", "signed in"),
        ("", "refused"),
        ("anna", "signed out"),
    ]
    text = hmi.log() + repr(found)
    assert "hunter2" not in text
    assert PASSWORD not in text
    assert token not in text
