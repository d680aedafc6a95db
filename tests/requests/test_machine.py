"""The request state machine against its table and its rules."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from scada.requests import machine
from scada.requests.machine import FINAL, TABLE, Entry, Item, Ledger, Seen, at_deadline, combined, judge
from scada.requests.message import Request

HAPPENINGS = sorted({happening for _, happening in TABLE})


def seen(
    aux: int = 0, *, source_ns: int = 2, within: bool = True, good: bool = True, pulse: bool = False
) -> Seen:
    return Seen(aux, good, source_ns, within, pulse, "tank1/LV-101/OUT", "PLC1")


def sent(version: int = 7) -> Item:
    item = Item("tank1/LV-101/OUT", 40.0, 0)
    item.take("admit")
    item.take("publish")
    item.version = version
    item.sample_ns = 1
    return item


def test_nothing_leaves_a_final_state() -> None:
    assert not [state for state, _ in TABLE if state in FINAL]
    reachable = {machine.NEW} | set(TABLE.values())
    assert reachable >= FINAL
    assert all(any(state == start for start, _ in TABLE) for state in reachable - FINAL)


def test_confirmed_needs_acted_and_a_value_read_after_the_write() -> None:
    item = sent()
    assert judge(item, seen(aux=6)) is None, "an older command was acted on"
    assert judge(item, seen(aux=7, source_ns=1)) is None, "the value was read before the write"
    assert judge(item, seen(aux=7, within=False)) is None, "it may still come"
    assert judge(item, seen(aux=7, good=False)) is None
    assert judge(item, seen(aux=7)) == ("match", "")


def test_a_pulse_is_confirmed_when_it_was_acted_on() -> None:
    assert judge(sent(), seen(aux=7, source_ns=1, within=False, pulse=True)) == ("match", "")
    assert judge(sent(), seen(aux=(254 << 56) | 7, pulse=True)) is None, "an unknown outcome stays unknown"


def test_refusals_of_the_device_are_named() -> None:
    happening = judge(sent(), seen(aux=(2 << 56) | 7))
    assert happening is not None
    assert happening[0] == "refuse"
    assert "PLC1 refused to write tank1/LV-101/OUT: exception 2, illegal data address" in happening[1]
    for result, text in ((253, "connection"), (255, "not armed")):
        happening = judge(sent(), seen(aux=(result << 56) | 7))
        assert happening is not None
        assert text in happening[1]


def test_at_the_deadline_it_is_mismatched_or_unknown() -> None:
    assert at_deadline(sent(), seen(aux=7, within=False))[0] == "differ"
    assert at_deadline(sent(), seen(aux=6, within=False))[0] == "expire"
    assert at_deadline(sent(), seen(aux=7, within=False, source_ns=1))[0] == "expire"
    assert at_deadline(sent(), seen(aux=(254 << 56) | 7, within=False))[0] == "expire"


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from(HAPPENINGS), max_size=6), min_size=1, max_size=4))
def test_a_request_ends_once_and_by_its_worst_item(steps: list[list[str]]) -> None:
    entry = Entry(Request("a", "write", ()), [Item(str(number), 1) for number in range(len(steps))])
    announced: list[str] = []
    for number, happenings in enumerate(steps):
        for happening in happenings:
            item = entry.items[number]
            if (item.status, happening) in TABLE:
                item.take(happening)
                if entry.settle():
                    announced.append(entry.status)
    assert sum(status in FINAL for status in announced) <= 1
    if announced and announced[-1] in FINAL:
        assert all(item.status in FINAL for item in entry.items)
        assert (announced[-1] == "confirmed") == all(item.status == "confirmed" for item in entry.items)
    assert combined(entry.items) == entry.status


def test_the_ledger_remembers_by_id_and_forgets_the_oldest() -> None:
    ledger = Ledger()
    for number in range(machine.LEDGER_MAX + 1):
        ledger.record({"id": str(number), "status": "confirmed", "t": 5})
    assert ledger.recorded("0", 9) is None
    assert ledger.recorded("1", 9) == {"id": "1", "status": "confirmed", "t": 9, "repeated": True}
