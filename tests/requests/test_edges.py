"""Limits to the last character, and what the ledger keeps: where an off-by-one would hide."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from scada.requests import Entry, Item, Ledger, Request, RequestError, machine, parse
from scada.requests.check import bounds, coerce, range_refusal, write_refusals
from scada.requests.inbox import PER_SCAN, PER_SOURCE_PER_SCAN, RANK, WAITING_PER_SOURCE, Inbox
from scada.requests.machine import Seen, at_deadline, combined, judge
from tests.requests.test_check import tag

GOOD: dict[str, Any] = {"id": "a1", "kind": "write", "items": [["a/b", 1]]}
DAY = 86_400_000_000_000


def taken(**change: Any) -> Request:
    return parse(orjson.dumps({**GOOD, **change}))


def refused(**change: Any) -> str:
    with pytest.raises(RequestError) as told:
        taken(**change)
    return str(told.value)


# --- the message ---


@pytest.mark.parametrize(
    ("member", "longest"), [("id", 64), ("reason", 500), ("source", 32), ("user", 100), ("role", 32)]
)
def test_texts_have_their_full_length_and_no_more(member: str, longest: int) -> None:
    assert getattr(taken(**{member: "x" * longest}), member) == "x" * longest
    assert str(longest) in refused(**{member: "x" * (longest + 1)})


def test_items_have_their_limits() -> None:
    assert len(taken(items=[[f"a/{n}", n] for n in range(64)]).items) == 64
    assert "1 to 64" in refused(items=[[f"a/{n}", n] for n in range(65)])
    assert taken(items=[["p" * 256, 1]]).items == (("p" * 256, 1),)
    assert "pair" in refused(items=[["p" * 257, 1]])
    assert taken(items=[["a", "v" * 1024]]).items == (("a", "v" * 1024),)
    assert "number, true" in refused(items=[["a", "v" * 1025]])
    assert "pair" in refused(items=[["a", 1, 2]])
    assert "pair" in refused(items=[[1, 2]])
    assert "pair" in refused(items=["ab"])


def test_times_have_their_limits() -> None:
    assert taken().deadline_ns == 5_000_000_000
    assert taken(deadline_ns=None).deadline_ns == 5_000_000_000
    assert taken(deadline_ns=100_000_001).deadline_ns == 100_000_001
    assert taken(deadline_ns=599_999_999_999).deadline_ns == 599_999_999_999
    assert "number of ns" in refused(deadline_ns=True)
    assert "number of ns" in refused(deadline_ns=2.0**62)
    assert taken(kind="force", for_ns=7 * DAY).for_ns == 7 * DAY
    assert "at most 7 days" in refused(kind="force", for_ns=7 * DAY + 1)
    assert "at most 7 days" in refused(kind="force", for_ns=0)
    assert taken(kind="force", for_ns=1).for_ns == 1
    assert taken(for_ns=5).for_ns == 0, "only a force holds"


def test_what_is_left_out_has_its_default() -> None:
    request = taken(source=None, role=None, reason=None, user=None)
    assert (request.source, request.role, request.reason, request.user) == ("script", "viewer", "", "")
    assert taken() == Request("a1", "write", (("a/b", 1),))


def test_an_error_says_whose_it_is() -> None:
    with pytest.raises(RequestError) as told:
        taken(kind="reboot")
    assert told.value.id == "a1"
    assert str(told.value).startswith("kind is one of write, ")
    with pytest.raises(RequestError) as told:
        taken(id="")
    assert told.value.id == ""


# --- what a tag takes ---


@pytest.mark.parametrize(
    ("type_", "text", "made"),
    [("bool", " Open ", True), ("bool", "1", True), ("bool", "STOP", False), ("bool", "0", False), ("int16", "-7", -7),
     ("float64", "1e3", 1000.0), ("int64", "12", 12)],
)  # fmt: skip
def test_texts_that_people_type(type_: str, text: str, made: object) -> None:
    value = coerce(tag(type_), text)
    assert value == made
    assert type(value) is type(made)


def test_texts_that_are_no_value_say_what_they_should_be() -> None:
    for type_, says in (("bool", "true or false"), ("float64", "a number"), ("int16", "a number")):
        with pytest.raises(ValueError, match=f"'much' is not {says}"):
            coerce(tag(type_), "much")
    modes = tag("int32", states={"0": "Off", "-1": "Lower"})
    assert coerce(modes, "-1") == coerce(modes, "lower") == -1
    with pytest.raises(ValueError, match="none of its states"):
        coerce(modes, "0.0")


def test_limits_include_their_ends() -> None:
    level = tag(range=(0.0, 5.0), limits=(1.0, 4.0))
    assert bounds(level) == (1.0, 4.0)
    assert bounds(tag(range=(0.0, 5.0))) == (0.0, 5.0)
    assert range_refusal(level, 1.0) is None
    assert range_refusal(level, 0.999) == "a/b: 0.999 is outside of its limits 1 … 4"
    assert range_refusal(level, True) is None
    assert range_refusal(level, "text") is None


def test_who_may_never_write() -> None:
    assert write_refusals(tag(kind="system", writable=False), "admin") == ["a/b is the system's own"]
    assert write_refusals(tag(writable=False), "admin") == ["a/b is not writable"]


# --- whose turn it is ---


def test_people_go_before_protocols_and_all_quotas_are_full() -> None:
    assert RANK["hmi"] == RANK["cli"] < RANK["opcua"] < RANK["gateway"] == RANK["script"]
    inbox = Inbox(lambda request: False)
    assert inbox.take() == []
    for source in ("hmi", "cli", "opcua"):
        for number in range(WAITING_PER_SOURCE):
            assert inbox.put(Request(f"{source}{number}", "write", (), source=source))
    first = inbox.take()
    assert len(first) == PER_SCAN == 2 * PER_SOURCE_PER_SCAN
    assert [one.source for one in first].count("hmi") == PER_SOURCE_PER_SCAN
    assert len(inbox) == 3 * WAITING_PER_SOURCE - PER_SCAN
    for source in ("hmi", "cli"):
        for number in range(PER_SOURCE_PER_SCAN):
            assert inbox.put(Request(f"more {source}{number}", "write", (), source=source))
        assert not inbox.put(Request("too many", "write", (), source=source))
    stopping = Inbox(lambda request: request.id == "stop")
    for number in range(WAITING_PER_SOURCE):
        stopping.put(Request(str(number), "write", (), source="hmi"))
    assert stopping.put(Request("stop", "write", (), source="hmi")), "stops have places of their own"


def test_who_is_not_named_stands_with_the_gateways() -> None:
    for order in (("else", "gateway"), ("gateway", "else")):
        inbox = Inbox(lambda request: False)
        for source in order:
            inbox.put(Request(source, "write", (), source=source))
        assert tuple(one.source for one in inbox.take()) == order, "who came first goes first"


# --- the state machine ---


def seen(aux: int, **more: Any) -> Seen:
    fields: dict[str, Any] = {"good": True, "source_ns": 2, "within": True, "pulse": False}
    return Seen(aux=aux, tag="a/b", device="PLC1", **{**fields, **more})


def sent() -> Item:
    item = Item("a/b", 1.0, 0)
    item.take("admit")
    item.take("publish")
    item.version, item.sample_ns = 7, 1
    return item


def test_an_item_begins_new_and_without_a_reason() -> None:
    item = Item("a/b", 1.0)
    assert (item.status, item.reason, item.output, item.version, item.sample_ns, item.old) == (
        "new", "", -1, -1, 0, None,
    )  # fmt: skip
    item.take("admit")
    assert item.reason == ""
    item.take("refuse", "why")
    assert (item.status, item.reason) == ("rejected", "why")
    with pytest.raises(KeyError):
        item.take("match")


@pytest.mark.parametrize(
    ("code", "text"),
    [(1, "illegal function"), (2, "illegal data address"), (3, "illegal data value"), (4, "device failure"),
     (5, "acknowledge"), (6, "device busy"), (7, "unknown exception"), (8, "memory parity error"),
     (10, "gateway path unavailable"), (11, "gateway target failed to respond")],
)  # fmt: skip
def test_exceptions_have_their_names(code: int, text: str) -> None:
    """Modbus Application Protocol 1.1b3, 7."""
    happening = judge(sent(), seen(code << 56 | 7))
    assert happening == ("refuse", f"PLC1 refused to write a/b: exception {code}, {text}")


def test_an_unknown_outcome_is_confirmed_only_by_reading_it_back() -> None:
    unknown = 254 << 56 | 7
    assert judge(sent(), seen(unknown)) == ("match", "")
    assert judge(sent(), seen(unknown, within=False)) is None
    assert judge(sent(), seen(unknown, source_ns=1)) is None
    assert judge(sent(), seen(unknown, pulse=True)) is None


def test_what_is_said_when_time_is_up() -> None:
    assert at_deadline(sent(), seen(6)) == ("match", "")
    assert at_deadline(sent(), seen(6, good=False))[0] == "expire"
    assert at_deadline(sent(), seen(7, within=False, pulse=True))[0] == "expire"
    assert at_deadline(sent(), None) == (
        "expire", "a/b: sent, and nothing came back in time; read it before you ask again",
    )  # fmt: skip
    item = Item("a/b", 1.0, 0)
    item.take("admit")
    assert at_deadline(item, seen(7, within=False)) == (
        "expire", "a/b: not sent, and nothing came back in time; read it before you ask again",
    )  # fmt: skip


def entry(*ways: tuple[str, ...]) -> Entry:
    made = Entry(Request("r", "write", (("a", 1),), user="anna", source="hmi", role="operator", reason="why"), [
        Item(f"a/{n}", n, old=n - 1) for n in range(len(ways))
    ])  # fmt: skip
    for item, way in zip(made.items, ways, strict=True):
        for happening in way:
            item.take(happening, f"{item.path} {happening}" if happening in ("refuse", "expire") else "")
    return made


def test_a_request_is_called_after_what_is_least_far_and_then_after_the_worst() -> None:
    confirmed, rejected, late = ("admit", "apply"), ("refuse",), ("admit", "publish", "expire")
    assert combined(entry(confirmed, ()).items) == "new"
    assert combined(entry(confirmed, ("admit",), ("admit", "publish")).items) == "accepted"
    assert combined(entry(confirmed, ("admit", "publish")).items) == "sent"
    assert combined(entry(confirmed, rejected).items) == "rejected"
    assert combined(entry(late, rejected).items) == "timed out"
    assert combined(entry(confirmed, ("admit", "supersede")).items) == "superseded"
    assert combined(entry(("admit", "publish", "differ"), rejected).items) == "mismatched"


def test_the_reasons_are_those_of_its_items() -> None:
    made = entry(("refuse",), ("admit", "apply"), ("admit", "expire"))
    assert made.settle()
    assert made.reasons == ("a/0 refuse", "a/2 expire")
    assert not made.settle(), "announced once"
    open_ = entry(("refuse",), ("admit",))
    assert open_.settle()
    assert open_.reasons == (), "not before it has ended"


def test_a_refusal_ends_what_is_open_and_nothing_else() -> None:
    made = entry(("admit", "apply"), ())
    made.refuse(["no"])
    assert [item.status for item in made.items] == ["confirmed", "rejected"]
    assert made.reasons == ("no",)
    assert made.deadline == 0


def test_an_event_says_all() -> None:
    made = entry(("admit", "apply"), ("refuse",))
    made.settle()
    assert made.event(9) == {
        "kind": "request", "t": 9, "id": "r", "status": "rejected", "items": [["a/0", 0], ["a/1", 1]], "old": [-1, 0],
        "reasons": ["a/1 refuse"], "user": "anna", "source": "hmi", "role": "operator", "reason": "why", "request": "write",
    }  # fmt: skip


def test_the_ledger_lets_go_of_what_has_ended_and_of_nothing_else() -> None:
    ledger = Ledger()
    open_, over = entry(("admit",)), entry(("admit", "apply"))
    for one in (open_, over):
        one.settle()
        ledger.add(one)
    ledger.close()
    assert ledger.open == [open_]
    assert ledger.recorded("r", 5) == {**open_.event(5), "repeated": True}
    ledger.close()
    assert ledger.open == [open_]


def test_a_flood_of_refusals_forgets_no_outcome() -> None:
    ledger = Ledger()
    ledger.record({"id": "done", "status": "confirmed", "t": 1})
    for number in range(2 * machine.LEDGER_MAX):
        ledger.record({"id": str(number), "status": "rejected", "t": 1})
    assert ledger.outcomes() == [{"id": "done", "status": "confirmed", "t": 1}]
    newest, oldest = 2 * machine.LEDGER_MAX - 1, machine.LEDGER_MAX
    assert ledger.recorded(str(newest), 2) == {
        "id": str(newest),
        "status": "rejected",
        "t": 2,
        "repeated": True,
    }
    assert ledger.recorded(str(oldest), 2) is not None
    assert ledger.recorded(str(oldest - 1), 2) is None
    assert ledger.recorded("never", 2) is None
