"""Whose turn it is."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from scada.requests.inbox import PER_SCAN, PER_SOURCE_PER_SCAN, WAITING_PER_SOURCE, Inbox
from scada.requests.message import Request


def request(number: int, source: str = "hmi", *, stop: bool = False) -> Request:
    return Request(str(number), "write", (("stop" if stop else "x", 1),), source=source)


def make() -> Inbox:
    return Inbox(lambda request: request.items[0][0] == "stop")


def test_stops_go_before_operators_before_opcua_before_gateways() -> None:
    inbox = make()
    for number, source in enumerate(("gateway", "opcua", "hmi", "cli")):
        inbox.put(request(number, source))
    inbox.put(request(4, "gateway", stop=True))
    assert [taken.id for taken in inbox.take()] == ["4", "2", "3", "1", "0"]


def test_a_flood_takes_its_quota_and_no_more() -> None:
    inbox = make()
    taken_in = [inbox.put(request(number, "opcua")) for number in range(WAITING_PER_SOURCE + 1)]
    assert taken_in == [True] * WAITING_PER_SOURCE + [False]
    assert inbox.put(request(1000, "hmi"))
    assert inbox.put(request(1001, "opcua", stop=True)), "a source that floods may still stop"
    first = inbox.take()
    assert [taken.id for taken in first[:2]] == ["1001", "1000"]
    assert sum(taken.source == "opcua" for taken in first) <= PER_SOURCE_PER_SCAN + 1, "and the stop"


def test_a_flood_of_stops_keeps_no_one_elses_stop_waiting() -> None:
    inbox = make()
    for number in range(WAITING_PER_SOURCE + 1):
        inbox.put(request(number, "gateway", stop=True))
    assert inbox.put(request(1000, "hmi", stop=True))
    assert inbox.put(request(1001, "hmi"))
    first = [taken.id for taken in inbox.take()]
    assert first[0] == "1000"
    assert "1001" in first, "nor everybody's ordinary requests"


def test_sources_with_names_made_up_share_one_quota() -> None:
    inbox = make()
    taken_in = [inbox.put(request(number, f"source {number}")) for number in range(WAITING_PER_SOURCE + 1)]
    assert taken_in == [True] * WAITING_PER_SOURCE + [False]
    assert "5" in inbox
    assert len(inbox.take()) == PER_SOURCE_PER_SCAN
    assert "5" not in inbox


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(("hmi", "opcua", "cli", "gateway", "else")), st.booleans()), max_size=120
    )
)
def test_everything_comes_out_once_in_order_for_its_source(asked: list[tuple[str, bool]]) -> None:
    inbox = make()
    for number, (source, stop) in enumerate(asked):
        assert inbox.put(request(number, source, stop=stop))
    out: list[Request] = []
    while len(inbox):
        scan = inbox.take()
        assert 0 < len(scan) <= PER_SCAN
        out += scan
    assert sorted(int(one.id) for one in out) == list(range(len(asked)))
    for source in ("hmi", "opcua", "cli", "gateway", "else"):
        plain = [int(one.id) for one in out if one.source == source and one.items[0][0] != "stop"]
        assert plain == sorted(plain)
