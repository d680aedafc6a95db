"""What a dead control had announced of requests counts, though it had not kept it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from scada.control.aftermath import amend, announced
from scada.requests import FINAL
from scada.requests.machine import ACCEPTED, CONFIRMED, REJECTED, SENT, TIMED_OUT
from tags.events import EventWriter

IDS = [f"r{n}" for n in range(6)]


def event(id_: str, status: str, **more: Any) -> dict[str, Any]:
    return {"kind": "request", "id": id_, "status": status, "request": "write", "items": [], **more}


def ids(events: list[dict[str, Any]]) -> dict[str, str]:
    return {one["id"]: one["status"] for one in events}


def test_an_outcome_that_was_announced_is_not_announced_as_unknown() -> None:
    kept = {"version": 1, "open": [event("r1", SENT), event("r2", SENT)], "outcomes": []}
    found = amend(kept, [event("r1", CONFIRMED)])
    assert (ids(found["open"]), ids(found["outcomes"])) == ({"r2": SENT}, {"r1": CONFIRMED})
    assert found["version"] == 1


def test_a_request_that_the_state_does_not_know_is_not_done_again() -> None:
    found = amend({}, [event("r1", SENT), event("r2", ACCEPTED), event("r2", CONFIRMED)])
    assert (ids(found["open"]), ids(found["outcomes"])) == ({"r1": SENT}, {"r2": CONFIRMED})


def test_what_was_refused_may_be_asked_again_unless_it_had_been_sent() -> None:
    found = amend({}, [event("r1", REJECTED), event("r2", SENT), event("r2", REJECTED)])
    assert ids(found["outcomes"]) == {"r2": REJECTED}


def test_what_could_not_be_read_and_what_was_asked_twice_says_nothing() -> None:
    events = [event("r1", CONFIRMED, repeated=True), {"kind": "request"}, event("r2", CONFIRMED, request="")]
    found = amend({"open": ["odd", 3], "outcomes": None}, events)
    assert (found["open"], found["outcomes"]) == ([], [])


@given(
    st.lists(
        st.tuples(st.sampled_from(IDS), st.sampled_from([SENT, ACCEPTED, CONFIRMED, TIMED_OUT, REJECTED]))
    ),
    st.dictionaries(st.sampled_from(IDS), st.sampled_from([SENT, CONFIRMED])),
)
def test_each_request_is_open_or_ended_and_an_outcome_stays(
    told: list[tuple[str, str]], known: dict[str, str]
) -> None:
    kept = {
        "open": [event(id_, status) for id_, status in known.items() if status not in FINAL],
        "outcomes": [event(id_, status) for id_, status in known.items() if status in FINAL],
    }
    found = amend(kept, [event(*one) for one in told])
    open_, ended = ids(found["open"]), ids(found["outcomes"])
    assert not set(open_) & set(ended)
    assert all(status in FINAL for status in ended.values())
    assert all(ended[id_] == status for id_, status in known.items() if status in FINAL)
    for id_, status in told:
        assert id_ in open_ or id_ in ended or status == REJECTED


def test_the_ring_is_read_whole_and_other_events_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "control.events"
    assert announced(path) == []
    with contextlib.closing(EventWriter.create(path, 1 << 18, 1)) as ring:
        for n in range(500):
            ring.append(orjson.dumps({"kind": "alarm", "n": n}))
            ring.append(orjson.dumps(event(f"r{n}", SENT)))
        ring.append(b'"kind":"request" and no JSON')
    assert [one["id"] for one in announced(path)] == [f"r{n}" for n in range(500)]
