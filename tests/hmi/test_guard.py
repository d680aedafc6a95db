from __future__ import annotations

import json

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from hmi.guard import allowed_hosts


def test_loopback_goes_by_its_names() -> None:
    assert allowed_hosts("127.0.0.1") == {"127.0.0.1", "localhost", "[::1]"}
    assert allowed_hosts("10.0.0.5", ["scada.plant"]) == {"10.0.0.5", "scada.plant"}
    assert "[fd00::1]" in allowed_hosts("fd00::1")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "", "localhost.evil"]
)
def test_a_rebound_name_is_refused(http: httpx.Client, host: str) -> None:
    for path in ("/", "/api/tags", "/static/app.js"):
        assert http.get(path, headers={"host": host}).status_code == 421


def test_localhost_is_fine(http: httpx.Client, url: str) -> None:
    port = url.rsplit(":", 1)[1]
    assert http.get("/api/session", headers={"host": f"LOCALHOST:{port}"}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost.evil"]
)
def test_posts_of_other_pages_are_refused(anna: httpx.Client, origin: str) -> None:
    answer = anna.post(
        "/api/requests",
        json={"kind": "write", "items": [["tank1/draining", True]]},
        headers={"origin": origin},
    )
    assert answer.status_code == 403
    assert "another site" in answer.json()["detail"]


def test_posts_marked_as_cross_site_are_refused_without_origin_too(anna: httpx.Client) -> None:
    answer = anna.post("/api/logout", json={}, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403


def test_only_json_is_taken(anna: httpx.Client) -> None:
    body = json.dumps({"kind": "write", "items": [["tank1/draining", True]]})
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        assert anna.post("/api/requests", content=body, headers={"content-type": kind}).status_code == 415


def test_a_socket_of_another_page_is_refused(url: str) -> None:
    address = url.replace("http", "ws") + "/ws"
    with pytest.raises(InvalidStatus) as caught, connect(address, origin=Origin("https://evil.example")):
        pass
    assert caught.value.response.status_code == 403


def test_every_answer_has_the_security_headers(http: httpx.Client) -> None:
    for path, headers in (("/", {}), ("/api/tags", {}), ("/nowhere", {}), ("/", {"host": "evil.example"})):
        answer = http.get(path, headers=headers)
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers


def test_api_answers_are_not_stored(http: httpx.Client) -> None:
    assert http.get("/api/session").headers["cache-control"] == "no-store"
    assert http.get("/").headers["cache-control"] == "no-cache"


def test_a_huge_body_is_refused(anna: httpx.Client) -> None:
    body = {"kind": "write", "items": [["tank1/draining", True]], "reason": "x" * 200_000}
    assert anna.post("/api/requests", json=body).status_code == 413


def test_the_page_is_revalidated_not_fetched_again(http: httpx.Client) -> None:
    first = http.get("/static/app.js")
    assert first.status_code == 200
    assert first.headers["content-type"].startswith("text/javascript")
    again = http.get("/static/app.js", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    for path in (
        "/static/../service.py",
        "/static/..%2fservice.py",
        "/static/.sources",
        "/static/%2e%2e%2fservice.py",
    ):
        assert http.get(path).status_code == 404
