"""The request as it comes off the socket: nothing that is sent may do more than be refused."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.requests import Request, RequestError, parse
from scada.requests.message import ALARM_KINDS

GOOD: dict[str, Any] = {"id": "a1", "kind": "write", "items": [["tank1/LIC-101/SP", 2.8]], "source": "hmi"}


def test_what_is_written_is_read_back() -> None:
    request = Request("a1", "force", (("a", 1.5), ("b", None)), "why", "cli", "anna", "engineer", 10, 10**9)
    assert parse(orjson.dumps(request.to_json())) == request


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"id": ""}, "id of 1 to 64"),
        ({"id": 7}, "id of 1 to 64"),
        ({"kind": "reboot"}, "kind is one of"),
        ({"items": []}, "1 to 64"),
        ({"items": [["a", 1], ["a", 2]]}, "twice"),
        ({"items": [["a", [1]]]}, "a number, true"),
        ({"items": [["a"]]}, "pair"),
        ({"reason": "x" * 501}, "at most 500"),
        ({"deadline_ns": -1}, "number of ns"),
        ({"kind": "force"}, "for how long"),
        (
            {"kind": "shelve", "items": [["a", None]], "for_ns": 8 * 86_400 * 10**9},
            "shelved for 7 days at most",
        ),
        ({"kind": "shelve", "items": [["a", None]], "for_ns": -1}, "number of ns"),
        ({"kind": "acknowledge", "items": [["a", 1]]}, "a comment of at most 500 characters, or null"),
        ({"kind": "comment", "items": [["a", "x" * 501]]}, "a comment of at most 500 characters, or null"),
        ({"shell": "rm"}, "no member 'shell'"),
    ],
)
def test_each_fault_is_named(change: dict[str, Any], says: str) -> None:
    with pytest.raises(RequestError, match=says):
        parse(orjson.dumps({**GOOD, **change}))


@pytest.mark.parametrize("kind", ALARM_KINDS)
def test_what_is_asked_of_an_alarm(kind: str) -> None:
    request = parse(
        orjson.dumps({"id": "a", "kind": kind, "items": [["a", "text"], ["b", None]], "for_ns": 5})
    )
    assert request.items == (("a", "text"), ("b", None))
    assert request.for_ns == (5 if kind == "shelve" else 0)
    assert parse(orjson.dumps(request.to_json())) == request
    assert parse(orjson.dumps({"id": "a", "kind": kind, "items": [["a", None]]})).for_ns == 0, "until normal"


def test_a_deadline_is_kept_within_bounds() -> None:
    assert parse(orjson.dumps({**GOOD, "deadline_ns": 0})).deadline_ns == 100_000_000
    assert parse(orjson.dumps({**GOOD, "deadline_ns": 1e18})).deadline_ns == 600_000_000_000


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_bytes_are_a_request_or_an_error(data: bytes) -> None:
    with pytest.raises(RequestError):
        parse(data)


_text = st.text(alphabet="abé€\0", max_size=5)
_json = st.recursive(
    st.none() | st.booleans() | st.floats() | _text | st.integers(-(2**63), 2**63),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(Request.__dataclass_fields__, _json)))
def test_any_object_is_a_request_or_an_error(found: dict[str, Any]) -> None:
    try:
        request = parse(orjson.dumps({**GOOD, **found}))
    except RequestError:
        return
    assert parse(orjson.dumps(request.to_json())) == request
