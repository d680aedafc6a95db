"""What people do with alarms: shelving, suppression, service, enabling, confirmation, comments, and what is known of it."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.alarms import EMPTY, Record, follow
from scada.alarms.operations import Order, duration_text
from scada.alarms.record import parse
from scada.alarms.records import BYTES, BYTES_EACH
from scada.alarms.shelves import Shelves
from tags import model
from tags.quality import BAD_NO_COMMUNICATION
from tests.alarms.rig import SECOND, Rig, comms, limit

HH, L = "t/LT/HH", "t/LT/L"
ACTIVE, UNACKED, SUPPRESSED, SHELVED, OUT = 1, 2, 4, 8, 16
UNCONFIRMED, DISABLED, ONE_SHOT, BY_REQUEST = 32, 64, 128, 256


def standing(**fields: Any) -> Rig:
    """A rig whose one alarm has just become active."""
    rig = Rig([limit(HH, 4.0, **fields)])
    rig.scan()
    rig.set("t/LT", 5.0)
    rig.scan()
    assert rig.bits(HH) == 3
    rig.events.clear()
    return rig


def again(rig: Rig, *, later_s: int = 0) -> Rig:
    """The same alarms after a restart, through JSON."""
    alarms = [watched.model for watched in rig.alarms.watched()]
    made = Rig(alarms)
    made.number = rig.number + later_s
    kept = orjson.loads(orjson.dumps(rig.alarms.retained()))
    shelves = orjson.loads(orjson.dumps(rig.alarms.shelved()))
    made.alarms.restore(kept, shelves, made.number * SECOND)
    for path in rig.index:
        if path in made.index:
            made.set(path, rig.signals.value[rig.index[path]])
    return made


def folded(rig: Rig) -> dict[str, Record]:
    """The records that somebody makes who follows the events."""
    found: dict[str, Record] = {}
    for event in rig.events:
        if event["kind"] == "alarm":
            found[event["path"]] = follow(found.get(event["path"], EMPTY), event)
    return found


def test_a_timed_shelf_hides_and_ends_by_itself() -> None:
    rig = standing()
    rig.begin()
    assert rig.order("shelve", HH, for_ns=5 * SECOND, comment="spare part ordered") is None
    assert rig.bits(HH) == ACTIVE | SHELVED
    record = rig.alarms.record(HH)
    assert record.shelved == (3 * SECOND, "anna", "spare part ordered") == record.comment
    assert record.unshelve_ns == 8 * SECOND
    rig.alarms.step(rig.ctx)
    rig.scan(4)
    assert rig.bits(HH) == ACTIVE | SHELVED
    rig.scan()
    assert rig.bits(HH) == ACTIVE | UNACKED, "at its time, and as it was before"
    assert [(e["action"], e["from"], e["to"], e.get("user")) for e in rig.events] == [
        ("shelve", 3, 9, "anna"),
        ("unshelve", 9, 3, None),
    ]
    assert (rig.alarms.record(HH).shelved, rig.alarms.record(HH).unshelve_ns) == (None, 0)


def test_a_shelf_stays_when_the_alarm_comes_and_goes() -> None:
    rig = standing()
    rig.order("shelve", HH, for_ns=100 * SECOND)
    for value, bits in ((0.0, SHELVED), (5.0, SHELVED | ACTIVE), (0.0, SHELVED)):
        rig.set("t/LT", value)
        rig.scan()
        assert rig.bits(HH) == bits
    rig.order("unshelve", HH)
    assert rig.bits(HH) == 0, "it left nothing behind"


def test_a_one_shot_shelf_ends_when_the_alarm_returns_to_normal() -> None:
    rig = standing()
    assert rig.order("shelve", HH) is None
    assert rig.bits(HH) == ACTIVE | SHELVED | ONE_SHOT
    assert rig.order("shelve", HH) == f"{HH} is shelved until it returns to normal already"
    rig.scan(10)
    rig.set("t/LT", 0.0)
    rig.scan()
    assert rig.bits(HH) == 0
    assert rig.alarms.shelved() == {}
    rig.set("t/LT", 5.0)
    rig.scan()
    assert rig.bits(HH) == ACTIVE | UNACKED


def test_the_end_of_a_shelf_is_told_under_every_other_mask() -> None:
    rig = standing()
    rig.order("shelve", HH)
    rig.order("remove", HH)
    rig.events.clear()
    rig.set("t/LT", 0.0)
    rig.scan()
    assert [(e["action"], e["to"]) for e in rig.events] == [("clear", OUT)]
    assert folded(rig)[HH].shelved is None


def test_a_one_shot_shelf_lasts_no_longer_than_any_other() -> None:
    rig = standing(shelve_max_ns=20 * SECOND)
    rig.order("shelve", HH)
    rig.scan(19)
    assert rig.bits(HH) & SHELVED
    rig.scan(2)
    assert rig.bits(HH) == ACTIVE | UNACKED


def test_shelving_has_a_longest_time_and_may_be_forbidden() -> None:
    rig = Rig([limit(HH, 4.0), limit(L, 1.0, shelve_max_ns=0)])
    assert rig.order("shelve", HH, for_ns=8 * 3600 * SECOND + 1) == f"{HH} may be shelved for 8 h at most"
    assert rig.order("shelve", HH, for_ns=8 * 3600 * SECOND) is None
    assert rig.order("shelve", HH, for_ns=60 * SECOND) is None, "a shorter time counts anew"
    assert rig.order("shelve", L, for_ns=SECOND) == f"{L} may not be shelved"
    assert rig.order("unshelve", L) == f"{L} is not shelved"


def test_a_shelf_goes_on_over_a_restart_and_ends_while_control_is_away() -> None:
    rig = standing()
    rig.order("shelve", HH, for_ns=10 * SECOND)
    soon = again(rig, later_s=3)
    soon.scan(6)
    assert soon.bits(HH) & SHELVED
    assert soon.alarms.record(HH).shelved == rig.alarms.record(HH).shelved
    soon.scan(2)
    assert soon.bits(HH) == 3
    late = again(rig, later_s=3600)
    late.scan()
    assert late.bits(HH) == 3
    assert [e["action"] for e in late.events] == ["unshelve"]
    back = again(rig, later_s=-10_000)  # the clock was set back while control was away
    back.scan(11)
    assert back.bits(HH) == 3, "no longer than it had left"


def test_a_clock_that_is_set_moves_no_shelf_and_its_end_is_told_anew() -> None:
    rig = standing()
    rig.order("shelve", HH, for_ns=10 * SECOND)
    rig.scan(2)
    rig.number += 3600
    rig.scan(2)
    assert rig.bits(HH) & SHELVED
    told = [e for e in rig.events if e["action"] == "clock"]
    assert len(told) == 1
    assert rig.alarms.record(HH).unshelve_ns == told[0]["until"] == folded(rig)[HH].unshelve_ns
    rig.scan(7)
    assert rig.bits(HH) == 3


@pytest.mark.parametrize(("later_s", "most_s", "ends_s"), [(-1000, 60, -990), (3, 2, 5), (3, 60, 10)])
def test_a_shelf_that_ends_at_another_time_after_a_restart_says_so(
    later_s: int, most_s: int, ends_s: int
) -> None:
    rig = standing(shelve_max_ns=60 * SECOND)
    rig.number += 2000
    rig.begin()
    rig.order("shelve", HH, for_ns=10 * SECOND)
    rig.alarms.step(rig.ctx)
    made = Rig([limit(HH, 4.0, shelve_max_ns=most_s * SECOND)])
    made.number = rig.number + later_s
    made.alarms.restore(rig.alarms.retained(), rig.alarms.shelved(), made.number * SECOND)
    made.set("t/LT", 5.0)
    made.scan()
    assert made.bits(HH) == ACTIVE | SHELVED
    until_ns = (rig.number + ends_s) * SECOND
    assert [e["until"] for e in made.events if e["action"] == "clock"] == ([] if ends_s == 10 else [until_ns])
    assert made.alarms.record(HH).unshelve_ns == until_ns


def test_many_shelves_cost_nothing_until_one_ends() -> None:
    shelves = Shelves()
    for i in range(1000):
        shelves.put(i, 0, (i + 10) * SECOND)
    shelves.pass_(0, 0)
    looked = []

    class Looked(dict[int, tuple[int, int]]):
        def __iter__(self) -> Any:
            looked.append(shelves.elapsed_ns // SECOND)
            return super().__iter__()

    shelves.ends = Looked(shelves.ends)
    over = [shelves.pass_(SECOND // 2, shelves.elapsed_ns + SECOND // 2)[0] for _ in range(24)]
    assert looked == [10, 11, 12]
    assert [i for one in over for i in one] == [0, 1, 2]


@pytest.mark.parametrize(
    ("on", "off", "bits", "already"),
    [
        ("suppress", "unsuppress", SUPPRESSED | BY_REQUEST, "is suppressed by request already"),
        ("remove", "return", OUT, "is out of service already"),
    ],
)
def test_suppression_by_request_and_out_of_service(on: str, off: str, bits: int, already: str) -> None:
    rig = standing()
    assert rig.order(on, HH, comment="calibration") is None
    assert rig.bits(HH) == ACTIVE | bits
    assert rig.order(on, HH) == f"{HH} {already}"
    assert rig.acknowledge(HH) == f"{HH} has nothing to acknowledge"
    field = {"suppress": "suppressed", "remove": "removed"}[on]
    assert getattr(rig.alarms.record(HH), field) == (2 * SECOND, "anna", "calibration")
    assert getattr(again(rig).alarms.record(HH), field) == (2 * SECOND, "anna", "calibration")
    rig.scan(1000)
    assert rig.bits(HH) == ACTIVE | bits, "until somebody ends it"
    assert rig.order(off, HH) is None
    assert rig.bits(HH) == 3
    assert getattr(rig.alarms.record(HH), field) is None
    assert rig.order(off, HH) is not None


def test_what_is_suppressed_by_design_is_not_let_go_by_request() -> None:
    rig = Rig([limit(L, 1.0, unless="t/draining")], {"t/draining": "bool"})
    rig.set("t/draining", True)
    rig.set("t/LT", 0.5)
    rig.scan()
    assert rig.order("unsuppress", L) == f"{L} is not suppressed by request, but by design"
    assert rig.order("suppress", L) is None
    rig.set("t/draining", False)
    rig.scan()
    assert rig.bits(L) == ACTIVE | SUPPRESSED | BY_REQUEST, "the person has not let it go"
    assert rig.order("unsuppress", L) is None
    assert rig.bits(L) == ACTIVE | UNACKED
    assert rig.order("unsuppress", L) == f"{L} is not suppressed by request"


def test_a_disabled_alarm_is_not_looked_at() -> None:
    rig = standing(on_s=0)
    assert rig.order("disable", HH, comment="not built yet") is None
    assert rig.bits(HH) == DISABLED
    for value in (0.0, 5.0, math.nan, 5.0):
        rig.set("t/LT", value)
        rig.scan()
        assert rig.bits(HH) == DISABLED
    for kind in ("acknowledge", "confirm", "comment", "shelve", "suppress", "remove"):
        assert rig.order(kind, HH, comment="x") == f"{HH} is disabled: enable it first"
    assert rig.order("disable", HH) == f"{HH} is disabled already"
    later = again(rig)
    later.scan(3)
    assert (later.bits(HH), later.alarms.record(HH).disabled) == (
        DISABLED,
        (2 * SECOND, "anna", "not built yet"),
    )
    assert later.order("enable", HH) is None
    later.scan()
    assert later.bits(HH) == ACTIVE | UNACKED, "its condition is looked at at once"
    assert later.order("enable", HH) == f"{HH} is enabled already"


def test_disabling_a_communication_alarm_that_waits_to_clear_lets_its_tags_speak() -> None:
    tag = limit("t/X/H", 4.0, device="PLC1")
    rig = Rig([tag, comms(off_s=100)], {"system/PLC1/connected": "bool"})
    rig.set("system/PLC1/connected", False)
    rig.set("t/X", 5.0)
    rig.scan(2)
    rig.set("system/PLC1/connected", True)
    rig.scan(2)
    assert rig.bits("t/X/H") & SUPPRESSED
    rig.order("disable", "system/PLC1/COMMS")
    rig.scan()
    assert rig.bits("t/X/H") == ACTIVE | UNACKED


def test_enabling_begins_the_delay_anew() -> None:
    rig = Rig([limit(HH, 4.0, on_s=3)])
    rig.scan()
    rig.set("t/LT", 5.0)
    rig.scan(2)
    rig.order("disable", HH)
    rig.scan(5)
    rig.order("enable", HH)
    rig.scan(3)
    assert rig.bits(HH) == 0
    rig.scan()
    assert rig.bits(HH) == 3


def test_a_disabled_communication_alarm_still_keeps_its_tags_quiet() -> None:
    tag = model.Alarm(path="t/X/QUALITY", tag="t/X", kind="quality", device="PLC1")
    rig = Rig([tag, comms()], {"system/PLC1/connected": "bool"})
    rig.set("system/PLC1/connected", True)
    rig.set("t/X", 1.0)
    rig.scan()
    rig.order("disable", "system/PLC1/COMMS")
    rig.set("system/PLC1/connected", False)
    rig.set("t/X", 1.0, BAD_NO_COMMUNICATION)
    rig.scan(5)
    assert (rig.bits("system/PLC1/COMMS"), rig.bits("t/X/QUALITY")) == (DISABLED, ACTIVE | SUPPRESSED)


def test_confirmation() -> None:
    rig = standing(confirm=True)
    assert rig.order("confirm", HH) == f"{HH} has nothing to confirm"
    rig.acknowledge(HH)
    assert rig.bits(HH) == ACTIVE | UNCONFIRMED
    rig.set("t/LT", 0.0)
    rig.scan()
    assert rig.bits(HH) == UNCONFIRMED
    assert again(rig).alarms.bits(HH) == UNCONFIRMED
    assert rig.order("confirm", HH, user="bert", comment="valve replaced") is None
    assert rig.bits(HH) == 0
    record = rig.alarms.record(HH)
    assert record.acknowledged == (2 * SECOND, "anna", "")
    assert record.confirmed == (3 * SECOND, "bert", "valve replaced")
    plain = standing()
    plain.acknowledge(HH)
    assert plain.order("confirm", HH) == f"{HH} wants no confirmation"


def test_comments_are_kept_with_who_and_when_and_may_be_cleared() -> None:
    rig = standing()
    assert rig.order("comment", HH) == f"{HH}: a comment has a text"
    assert rig.order("comment", HH, comment="drips") is None
    assert rig.bits(HH) == 3
    assert rig.alarms.record(HH).comment == (2 * SECOND, "anna", "drips")
    rig.scan()
    rig.acknowledge(HH)
    assert rig.alarms.record(HH).comment == (2 * SECOND, "anna", "drips"), "no comment leaves the last one"
    rig.order("comment", HH, comment="", user="bert")
    assert rig.alarms.record(HH).comment == (3 * SECOND, "bert", "")
    assert again(rig).alarms.record(HH) == rig.alarms.record(HH)


def test_whatever_is_done_may_be_commented() -> None:
    rig = standing(confirm=True)
    for n, kind in enumerate(
        ("shelve", "unshelve", "suppress", "unsuppress", "remove", "return", "acknowledge", "confirm", "comment", "disable", "enable")
    ):  # fmt: skip
        assert rig.order(kind, HH, comment=f"no. {n}") is None
        assert rig.alarms.record(HH).comment == (2 * SECOND, "anna", f"no. {n}")


def test_times_of_activation_and_return() -> None:
    rig = standing()
    rig.set("t/LT", 0.0)
    rig.scan(3)
    record = rig.alarms.record(HH)
    assert (record.active_ns, record.inactive_ns) == (2 * SECOND, 3 * SECOND)
    rig.acknowledge(HH)
    rig.set("t/LT", 5.0)
    rig.scan()
    record = rig.alarms.record(HH)
    assert (record.active_ns, record.acknowledged) == (6 * SECOND, None), (
        "a new activation is not acknowledged"
    )


def test_event_numbers_grow_whatever_the_clock_does() -> None:
    rig = standing()
    for jump in (0, 0, -1000, 5, 0):
        rig.number += jump
        rig.begin()
        rig.order("comment", HH, comment="x")
        rig.order("comment", HH, comment="y")
    numbers = [event["number"] for event in rig.events]
    assert numbers == sorted(set(numbers))
    later = again(rig, later_s=-500)
    later.begin()
    later.order("comment", HH, comment="z")
    assert later.events[-1]["number"] > numbers[-1]


KINDS = ("acknowledge", "confirm", "comment", "shelve", "unshelve", "suppress", "unsuppress", "remove", "return",
         "enable", "disable")  # fmt: skip


@given(st.lists(st.one_of(
    st.tuples(st.sampled_from(KINDS), st.sampled_from([None, "", "a text"]), st.sampled_from([0, 2, 5])),
    st.tuples(st.just("value"), st.sampled_from([0.0, 5.0]), st.just(0)),
    st.tuples(st.just("draining"), st.booleans(), st.just(0)),
), max_size=40))  # fmt: skip
def test_who_follows_the_events_knows_what_control_knows(steps: list[tuple[str, Any, int]]) -> None:
    """All of it, but of what a masked alarm does meanwhile only that it is gone."""
    rig = Rig([limit(HH, 4.0, confirm=True, unless="t/draining")], {"t/draining": "bool"})
    rig.scan()
    for what, argument, for_s in steps:
        if what in ("value", "draining"):
            rig.set("t/LT" if what == "value" else "t/draining", argument)
        else:
            rig.begin()
            rig.order(what, HH, comment=argument, for_ns=for_s * SECOND)
        rig.scan()
        assert (SHELVED & rig.bits(HH) != 0) == (HH in rig.alarms.shelved())
        mine, theirs = rig.alarms.record(HH), folded(rig).get(HH, EMPTY)
        quiet = ("active_ns", "inactive_ns", "acknowledged", "confirmed")
        hidden = rig.bits(HH) & (SHELVED | SUPPRESSED | OUT)
        stands = any(e["to"] & ACTIVE for e in rig.events[-1:])
        assert not stands or rig.bits(HH) & ACTIVE, "nobody believes that it stands when it is gone"
        for name in Record._fields:
            if not (hidden and name in quiet):
                assert getattr(mine, name) == getattr(theirs, name), name
        kept = orjson.loads(orjson.dumps(rig.alarms.retained())).get(HH)
        assert (parse(kept[2]) if kept and kept[2] else EMPTY) == mine


def test_records_are_bounded_and_the_oldest_goes() -> None:
    count = 20
    rig = Rig([limit(f"t/T{n}/H", 4.0) for n in range(count)])
    rig.scan()
    for n in range(count):
        for kind in ("comment", "suppress", "remove", "shelve"):
            assert rig.order(kind, f"t/T{n}/H", comment="\x01" * 500) is None
        rig.scan()
    records = rig.alarms.records
    assert records.bytes == sum(records.sizes.values()) <= BYTES + BYTES_EACH * count == records.most
    assert records.forgotten > 0
    assert rig.alarms.record("t/T0/H") == EMPTY
    assert rig.bits("t/T0/H") == SHELVED | ONE_SHOT | SUPPRESSED | BY_REQUEST | OUT, (
        "its state is not forgotten"
    )
    assert rig.alarms.record(f"t/T{count - 1}/H").removed is not None
    assert len(orjson.dumps(rig.alarms.retained())) < records.most + 64 * count


def test_what_was_kept_by_an_older_version_is_understood() -> None:
    rig = Rig([limit(HH, 4.0), limit(L, 1.0, unless="t/draining")], {"t/draining": "bool"})
    rig.alarms.restore({HH: 1, L: 5 + 32})
    rig.set("t/LT", 5.0)
    rig.scan()
    assert (rig.bits(HH), rig.bits(L)) == (1, SUPPRESSED)


@pytest.mark.parametrize(
    "found", [None, 64, -1, "3", [3], [3, False], [512, False, None], [True, 0, None], {}]
)
def test_what_cannot_be_read_is_left_out(found: Any) -> None:
    rig = Rig([limit(HH, 4.0)])
    rig.alarms.restore({HH: found})
    rig.scan()
    assert rig.bits(HH) == 0


@pytest.mark.parametrize(
    "damage", [[1] * 12, [0] * 5 + [[1, 2, "x"]] + [None] * 6, [0] * 11, "x", [None] * 12]
)
def test_a_damaged_record_is_none(damage: Any) -> None:
    assert parse(damage) is None
    rig = Rig([limit(HH, 4.0)])
    rig.alarms.restore({HH: [1, False, damage]})
    assert (rig.alarms.bits(HH), rig.alarms.record(HH)) == (1, EMPTY)


def test_a_shelf_without_an_end_is_no_shelf() -> None:
    rig = Rig([limit(HH, 4.0)])
    rig.alarms.restore({HH: [ACTIVE | SHELVED | ONE_SHOT, False, None]}, {HH: ["x", 1]}, 0)
    assert rig.alarms.bits(HH) == ACTIVE


def test_durations_in_words() -> None:
    assert [duration_text(s * SECOND) for s in (1, 90, 7200, 86_400)] == ["1 s", "1.5 min", "2 h", "1 d"]
    assert duration_text(5_000_000) == "5 ms"
    assert Order("comment").comment is None
