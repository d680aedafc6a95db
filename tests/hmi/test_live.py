from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from hmi.push import REQUESTS_MAX, SOCKETS_MAX, Socket
from scada.clock import SystemClock
from tests.hmi.plant import Hmi, Plant
from tests.support.wait import wait_for

Message = dict[str, Any]


def utc_ms() -> float:
    return SystemClock().utc_ns() / 1e6


class Page:
    """A page's end of the WebSocket: keeps what it was told, as live.ts does."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.values: dict[str, Any] = {}
        self.last_n = 0

    def ask(self, *tags: str, ages: tuple[str, ...] = ()) -> None:
        self.socket.send(json.dumps({"tags": tags, "ages": ages}))

    def until(self, condition: Callable[[Message], Any], timeout_s: float = 5.0) -> Message:
        end = time.monotonic() + timeout_s
        while True:
            message: Message = json.loads(self.socket.recv(timeout=max(0.01, end - time.monotonic())))
            if "n" in message:
                assert message["n"] == self.last_n + 1
                self.last_n = message["n"]
            self.values.update(message.get("snapshot", {}) | message.get("changes", {}))
            if condition(message):
                return message


@pytest.fixture
def page(url: str) -> Iterator[Page]:
    with connect(url.replace("http", "ws") + "/ws") as socket:
        yield Page(socket)


def test_a_snapshot_then_only_what_changes(page: Page, plant: Plant) -> None:
    plant.put("tank1/LT-101", 1.0)
    page.ask("tank1/LT-101", "tank1/LV-101/POS", "no/such/tag")
    snapshot = page.until(lambda m: "snapshot" in m)
    assert set(snapshot["snapshot"]) == {"tank1/LT-101", "tank1/LV-101/POS"}
    assert snapshot["unknown"] == ["no/such/tag"]
    plant.put("tank1/LT-101", 1.5)
    changes = page.until(lambda m: m.get("changes", {}).get("tank1/LT-101", [0])[0] == 1.5)
    value, status, source_ms, age_ms = changes["changes"]["tank1/LT-101"]
    assert (value, status) == (1.5, 0)
    assert abs(source_ms - utc_ms()) < 5000
    assert 0 <= age_ms < 2000


def test_asking_anew_replaces_the_tags(page: Page, plant: Plant) -> None:
    page.ask("tank1/LT-101")
    page.until(lambda m: "snapshot" in m)
    page.ask("tank1/LV-101/POS")
    page.until(lambda m: "tank1/LV-101/POS" in m.get("snapshot", {}))
    plant.put("tank1/LT-101", 1.9)
    plant.put("tank1/LV-101/POS", 61.0)
    message = page.until(lambda m: "changes" in m)
    assert list(message["changes"]) == ["tank1/LV-101/POS"]


def test_heartbeats_count_once_a_second_with_alarms(page: Page, plant: Plant) -> None:
    first = page.until(lambda m: "heartbeat" in m)
    assert first["build"]
    second = page.until(lambda m: "heartbeat" in m)
    third = page.until(lambda m: "heartbeat" in m)
    assert 700 < third["utc_ms"] - second["utc_ms"] < 1500
    assert set(third["alarms"]["active"]) == {"critical", "high", "medium", "low"}
    assert third["down"] == []


def test_ages_of_the_tags_shown_in_detail(page: Page) -> None:
    page.ask("tank1/LT-101", ages=("tank1/LT-101",))
    beat = page.until(lambda m: "ages" in m)
    source_ms, age_ms = beat["ages"]["tank1/LT-101"]
    assert abs(source_ms - utc_ms()) < 5000
    assert 0 <= age_ms < 2000


def test_an_alarm_is_pushed_at_once(page: Page, plant: Plant) -> None:
    page.until(lambda m: "heartbeat" in m)
    plant.alarm("tank1/LT-101/HH", 3)
    message = page.until(lambda m: m.get("alarm_list"))
    assert message["alarm_list"][0]["path"] == "tank1/LT-101/HH"
    assert message["alarm_list"][0]["bits"] == 3
    beat = page.until(lambda m: m.get("alarms", {}).get("unacknowledged", {}).get("critical"))
    assert beat["alarms"]["active"]["critical"] == 1
    plant.alarm("tank1/LT-101/HH", 0)
    page.until(lambda m: m.get("alarm_list") == [])


def test_every_step_of_a_request_is_pushed(page: Page, anna: httpx.Client) -> None:
    page.until(lambda m: "heartbeat" in m)
    id_ = "f" * 32
    anna.post("/api/requests", json={"kind": "write", "items": [["tank1/LIC-101/SP", 2.6]], "id": id_})
    seen = [
        page.until(lambda m: m.get("request", {}).get("id") == id_)["request"]["status"] for _ in range(3)
    ]
    assert seen == ["accepted", "sent", "confirmed"]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"tags": "tank1"}',
        '{"tags": [1]}',
        '{"tags": [], "ages": ["a", 1]}',
        '{"tags": null}',
    ],
)
def test_nonsense_closes_the_socket_with_a_reason(url: str, text: str) -> None:
    with connect(url.replace("http", "ws") + "/ws") as socket:
        socket.send(text)
        with pytest.raises(ConnectionClosed) as caught:
            Page(socket).until(lambda _: False)
        assert caught.value.rcvd
        assert caught.value.rcvd.code == 1007


def test_there_is_room_for_a_bounded_number_of_pages(own_server: tuple[Plant, Hmi]) -> None:
    _, hmi = own_server
    address = hmi.url().replace("http", "ws") + "/ws"
    with contextlib.ExitStack() as stack:
        for _ in range(SOCKETS_MAX):
            Page(stack.enter_context(connect(address))).until(lambda m: "heartbeat" in m)
        with connect(address) as late, pytest.raises(ConnectionClosed) as caught:
            Page(late).until(lambda _: False)
        assert caught.value.rcvd
        assert caught.value.rcvd.code == 1013

    def room() -> bool:
        with connect(address) as socket:
            try:
                Page(socket).until(lambda m: "heartbeat" in m)
            except ConnectionClosed:
                return False
            return True

    assert wait_for(room)


def test_a_dead_writer_shows_as_such(own_server: tuple[Plant, Hmi]) -> None:
    plant, hmi = own_server
    with connect(hmi.url().replace("http", "ws") + "/ws") as socket:
        page = Page(socket)
        page.ask("tank1/LT-101")
        page.until(lambda m: "snapshot" in m)
        plant.frozen.add("field")
        message = page.until(lambda m: m.get("changes", {}).get("tank1/LT-101", [0, 0])[1] == 0x8031_0000, 8)
        assert message["changes"]["tank1/LT-101"][0] == 2.5
        assert "field" in page.until(lambda m: m.get("down"))["down"]
        plant.frozen.clear()
        page.until(lambda m: m.get("changes", {}).get("tank1/LT-101", [0, 1])[1] == 0, 8)


def test_a_frozen_server_is_silent_and_then_goes_on(own_server: tuple[Plant, Hmi]) -> None:
    plant, hmi = own_server
    with connect(hmi.url().replace("http", "ws") + "/ws", ping_interval=None) as socket:
        page = Page(socket)
        page.ask("tank1/LT-101")
        page.until(lambda m: "heartbeat" in m)
        hmi.process.send_signal(signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            page.until(lambda _: False, 2.5)
        plant.put("tank1/LT-101", 3.25)
        hmi.thaw()
        page.until(lambda _: page.values.get("tank1/LT-101", [0])[0] == 3.25)


INDEX = {f"tag{n}": n for n in range(20)}


def row(i: int) -> tuple[Any, int, int, int]:
    return i, 0, 0, 0


def make_socket() -> Socket:
    async def send(_: str) -> None:
        await asyncio.Event().wait()

    return Socket(send)


@given(st.lists(st.sets(st.integers(0, 19)), max_size=20))
def test_a_slow_page_gets_each_tag_once_the_newest(moves: list[set[int]]) -> None:
    socket = make_socket()
    socket.ask(INDEX, [], INDEX)
    assert len(socket.messages(row)[0]["snapshot"]) == 20
    for moved in moves:
        socket.moved |= moved & socket.wanted.keys()
    messages = socket.messages(row)
    wanted = set().union(*moves) if moves else set()
    assert {INDEX[path] for message in messages for path in message["changes"]} == wanted
    assert len(messages) == bool(wanted)
    assert socket.messages(row) == []


def test_outcomes_for_a_slow_page_are_bounded_the_newest_stay() -> None:
    socket = make_socket()
    for n in range(3 * REQUESTS_MAX):
        socket.note_request({"id": str(n)})
    assert len(socket.requests) == REQUESTS_MAX
    assert socket.requests[-1] == {"id": str(3 * REQUESTS_MAX - 1)}


async def test_a_page_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hmi.push.SEND_S", 0.02)
    socket = make_socket()
    socket.ask(INDEX, [], INDEX)
    with pytest.raises(TimeoutError):
        await socket.run(row)
