"""Edits and annotations in the store: what was stored stays, what is shown is corrected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from historian.days import DAY_NS
from historian.edits import Edit, EditError, Who
from historian.edits.overlay import EXTRA_DATA
from historian.edits.write import Wish
from historian.query import History
from historian.settled import Columns
from historian.sqlite import SqliteStore
from historian.store import StoreError
from tests.historian.contract import END, LEVEL, NOTE, RUN, TAGS, batch

ANNA = Who("anna", "cli", 1000, "sensor was out")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.writer(tmp_path)
    store.declare(TAGS.values())
    yield store
    store.close()


def samples(*pairs: tuple[int, float]) -> Columns:
    t = np.array([t for t, _ in pairs], np.int64)
    values = np.array([value for _, value in pairs], np.float64)
    return Columns(t, values.view(np.uint64), np.zeros(len(t), np.uint32))


def put(kind: str, *pairs: tuple[int, float], tag: int = LEVEL) -> Wish:
    return Wish(kind, tag, samples(*pairs))


def delete(start: int, end: int, tag: int = LEVEL) -> Wish:
    return Wish("delete", tag, start_ns=start, end_ns=end)


def shown(store: SqliteStore, tag: int = LEVEL, **options: Any) -> list[tuple[int, float]]:
    found = store.raw(tag, 0, END, **options)
    return list(zip(found.t.tolist(), (float(v) for v in found.values), strict=True))


@pytest.mark.parametrize("folded", [False, True])
def test_what_was_stored_stays_and_what_is_shown_is_corrected(
    store: SqliteStore, tmp_path: Path, folded: bool
) -> None:
    stored = [(t, float(t)) for t in range(10, 60, 10)]
    store.append(batch(*((LEVEL, t, value, 0) for t, value in stored), (RUN, 30, 1.0, 0)))
    if folded:
        store.fold(force=True)
    with_reader = SqliteStore.reader(tmp_path)
    assert store.edit(put("replace", (20, 2.5)), ANNA).kind == "replace"
    assert store.edit(delete(30, 45), ANNA).old.t.tolist() == [30, 40]
    assert store.edit(put("insert", (35, 9.0), (60, 8.0)), ANNA).kind == "insert"
    wanted = [(10, 10.0), (20, 2.5), (35, 9.0), (50, 50.0), (60, 8.0)]
    for one in (store, with_reader):
        assert shown(one) == wanted
        assert shown(one, originals=True) == stored
        assert shown(one, RUN) == [(30, 1.0)]
        assert one.raw(LEVEL, 0, END).status.tolist() == [0, EXTRA_DATA, 0, 0, 0]
        assert one.raw(LEVEL, 45, 46, before=True).t.tolist() == [35]
        assert {int(row["tag"]): int(row["t"]) for row in one.last()} == {LEVEL: 60, RUN: 30}
        assert {int(row["tag"]): int(row["t"]) for row in one.last(originals=True)} == {LEVEL: 50, RUN: 30}
    with_reader.close()


def test_who_when_why_and_what_was_there(store: SqliteStore) -> None:
    store.append(batch((LEVEL, 10, 1.0, 0), (LEVEL, 20, 2.0, 0x80310000)))
    seen: list[Edit] = []

    def witness(edit: Edit) -> dict[str, Any]:
        seen.append(edit)
        return {"kind": "edit", "t": 1000, "id": edit.id}

    store.edit(put("update", (20, 5.0), (30, 6.0)), ANNA, witness)
    assert store.events(0, END, ["edit"]) == [{"kind": "edit", "t": 1000, "id": 1}]
    (edit,) = store.edits(LEVEL, 0, END)
    assert (edit.id, edit.tag, edit.kind, edit.who, edit.undoes) == (1, LEVEL, "replace", ANNA, None)
    assert edit.old.t.tolist() == [20]
    assert edit.old.status.tolist() == [0x80310000]
    assert edit.new.bits.view(np.float64).tolist() == [5.0, 6.0]
    assert seen[0].new.t.tolist() == [20, 30]
    assert store.edits(LEVEL, 0, 20) == []
    assert store.edits(RUN, 0, END) == []
    assert [e.id for e in store.edits_since(0)] == [1]
    assert store.edits_since(1) == []


def test_an_edit_is_taken_back_by_another_one(store: SqliteStore) -> None:
    store.append(batch((LEVEL, 10, 1.0, 0), (LEVEL, 20, 2.0, 0)))
    store.edit(delete(0, END), ANNA)
    assert shown(store) == []
    assert store.last().tolist() == []
    back = store.undo(1, ANNA)
    assert (back.kind, back.undoes, back.new.t.tolist()) == ("undo", 1, [10, 20])
    assert shown(store) == [(10, 1.0), (20, 2.0)]
    for number in (1, 2, 99):
        with pytest.raises(EditError, match=rf"edit {number}"):
            store.undo(number, ANNA)


def test_a_corrected_sample_is_corrected_again(store: SqliteStore) -> None:
    store.append(batch((LEVEL, 10, 1.0, 0)))
    store.edit(put("replace", (10, 2.0)), ANNA)
    again = store.edit(put("replace", (10, 3.0)), ANNA)
    assert again.old.bits.view(np.float64).tolist() == [2.0]
    assert shown(store) == [(10, 3.0)]
    store.undo(again.id, ANNA)
    assert shown(store) == [(10, 2.0)]


def test_samples_that_come_late_at_a_corrected_time_stay_hidden(store: SqliteStore) -> None:
    store.append(batch((LEVEL, 10, 1.0, 0)))
    store.edit(put("replace", (10, 2.0)), ANNA)
    store.append(batch((LEVEL, 10, 7.0, 0), (LEVEL, 11, 8.0, 0)))
    assert shown(store) == [(10, 2.0), (11, 8.0)]


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (put("insert", (10, 1.0)), "there is a sample at 1970-01-01T00:00:00.000000010Z already"),
        (put("replace", (11, 1.0)), "there is no sample at 1970-01-01T00:00:00.000000011Z"),
        (put("update", (11, 1.0), (11, 2.0)), "is there twice"),
        (put("update"), "no samples to write"),
        (delete(11, 20), "no samples in that time"),
        (put("insert", (1, 1.0), tag=NOTE), "texts are not edited"),
        (put("insert", (1, 1.0), tag=999_999), "no such tag"),
    ],
)
def test_what_does_not_fit_is_refused(store: SqliteStore, wish: Wish, message: str) -> None:
    store.append(batch((LEVEL, 10, 1.0, 0)))
    with pytest.raises(EditError, match=message):
        store.edit(wish, ANNA)
    with pytest.raises(EditError, match="reason"):
        store.edit(put("replace", (10, 1.0)), ANNA._replace(reason=" "))
    assert store.edits_since(0) == []


def test_without_a_witness_there_is_no_edit(store: SqliteStore) -> None:
    store.append(batch((LEVEL, 10, 1.0, 0)))

    def blind(edit: Edit) -> dict[str, Any]:
        raise StoreError("the audit trail cannot be written")

    with pytest.raises(StoreError):
        store.edit(delete(0, END), ANNA, blind)
    assert shown(store) == [(10, 1.0)]
    store.edit(delete(0, END), ANNA)
    assert shown(store) == []
    with pytest.raises(StoreError):
        store.undo(1, ANNA, blind)
    assert shown(store) == []


def test_another_process_edits_beside_the_historian(store: SqliteStore, tmp_path: Path) -> None:
    store.append(batch((LEVEL, 10, 1.0, 0)))
    other = SqliteStore.appender(tmp_path)
    other.edit(put("replace", (10, 4.0)), ANNA)
    store.append(batch((LEVEL, 20, 2.0, 0)))
    other.annotate(LEVEL, 10, "calibrated", ANNA)
    store.fold(force=True)
    other.edit(put("replace", (20, 5.0)), ANNA)
    assert shown(store) == [(10, 4.0), (20, 5.0)]
    other.close()


def test_there_must_be_a_history_to_edit(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no history yet"):
        SqliteStore.appender(tmp_path)


DAY = 86_400_000_000_000
PLACES = st.integers(0, 30).map(lambda n: n * DAY // 8)


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.tuples(PLACES, st.floats(0, 9, width=16), st.booleans()), max_size=20),
    st.lists(st.tuples(st.sampled_from(["delete", "update"]), PLACES, PLACES), max_size=5),
    st.integers(1, 9),
)
def test_stored_folded_and_edited_in_any_order_it_is_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    stored: list[tuple[int, float, bool]],
    wishes: list[tuple[str, int, int]],
    limit: int,
) -> None:
    store = SqliteStore.writer(tmp_path_factory.mktemp("store"))
    store.declare(TAGS.values())
    for t, value, fold in stored:
        store.append(batch((LEVEL, t, value, 0)))
        if fold:
            store.fold(force=True)
    wanted = sorted(((t, value) for t, value, _ in stored), key=lambda pair: pair[0])
    for kind, one, two in wishes:
        low, high = min(one, two), max(one, two)
        if kind == "update":
            store.edit(put("update", *{low: (low, 77.0), high: (high, 78.0)}.values()), ANNA)
            wanted = [pair for pair in wanted if pair[0] not in (low, high)]
            wanted += [(high, 78.0)] if low == high else [(low, 77.0), (high, 78.0)]
            wanted.sort(key=lambda pair: pair[0])
        elif [pair for pair in wanted if low <= pair[0] < high]:
            store.edit(delete(low, high), ANNA)
            wanted = [pair for pair in wanted if not low <= pair[0] < high]
    assert shown(store) == wanted
    assert shown(store, originals=True) == sorted(
        ((t, value) for t, value, _ in stored), key=lambda pair: pair[0]
    )
    found = store.raw(LEVEL, 0, END, limit)
    assert found.t.tolist() == [t for t, _ in wanted[:limit]]
    assert found.more == (len(wanted) > limit)
    store.close()


# Annotations


def test_corrections_stay_in_the_summaries_when_the_samples_go(store: SqliteStore) -> None:
    hour, start = 3600 * 10**9, 20_000 * DAY_NS
    times = [start + i * 10 * 10**9 for i in range(2000)]
    store.append(
        batch(*((LEVEL, t, float(i % 7), 0) for i, t in enumerate(times)), utc_ns=start + 2 * DAY_NS)
    )
    store.fold(force=True)
    store.seal(20_000, start + DAY_NS)
    wrong = store.edit(put("replace", (times[900], 1e9)), ANNA)
    store.edit(put("replace", (times[50], -50.0), (times[51], -50.0)), ANNA)
    store.edit(put("insert", (times[500] + 1, 99.0)), ANNA)
    store.edit(delete(times[700], times[720]), ANNA)
    store.undo(wrong.id, ANNA)

    def asked() -> list[list[float]]:
        found = History(store, "UTC").aggregates(
            TAGS["tank1/LT-101"], ["min", "max", "count", "time-average"], start, start + 6 * hour, hour
        )
        return [each.value.tolist() for each in found]

    corrected = asked()
    assert corrected[:2] == [[-50.0, 0.0, 0.0, 0.0, 0.0, 0.0], [6.0, 99.0, 6.0, 6.0, 6.0, 6.0]]
    store.work().forget(20_000, start + DAY_NS)
    assert store.days() == []
    np.testing.assert_allclose(asked(), corrected, rtol=1e-12)


@pytest.mark.parametrize("gone", [False, True])
def test_what_comes_late_does_not_hide_the_summaries_of_a_day_that_is_gone(
    store: SqliteStore, *, gone: bool
) -> None:
    hour, start = 3600 * 10**9, 20_000 * DAY_NS
    store.append(batch((LEVEL, start + hour, 1.0, 0), utc_ns=start + 2 * DAY_NS))
    store.fold(force=True)
    store.seal(20_000, start + DAY_NS)
    if gone:
        store.work().forget(20_000, start + DAY_NS)
    store.append(batch((LEVEL, start + 2 * hour, 2.0, 0)))
    store.fold(force=True)
    found = History(store, "UTC").aggregates(
        TAGS["tank1/LT-101"], ["min", "max", "count"], start, start + 3 * hour, hour
    )
    assert found[2].value.tolist()[1:] == [1.0, 1.0]
    assert found[0].value.tolist()[1:] == [1.0, 2.0]
    assert found[1].value.tolist()[1:] == [2.0, 2.0]  # the line to the next one


def test_annotations_stand_until_they_are_taken_away(store: SqliteStore, tmp_path: Path) -> None:
    one = store.annotate(LEVEL, 10, "  tank was cleaned ", ANNA)
    two = store.annotate(NOTE, 20, "batch 7", ANNA)
    assert (one.text, one.user, one.t) == ("tank was cleaned", "anna", 10)
    assert store.annotations(LEVEL, 0, END) == [one]
    assert store.annotations(None, 0, END) == [one, two]
    assert store.annotations(None, 0, END, 1) == [two]
    assert store.annotations(None, 11, 20) == []
    store.unannotate(one.id, ANNA)
    reader = SqliteStore.reader(tmp_path)
    assert reader.annotations(None, 0, END) == [two]
    reader.close()
    for number in (one.id, 99):
        with pytest.raises(EditError, match=f"no annotation {number}"):
            store.unannotate(number, ANNA)


@pytest.mark.parametrize("text", ["", "  ", "x" * 1001])
def test_an_annotation_says_something_and_not_too_much(store: SqliteStore, text: str) -> None:
    with pytest.raises(EditError):
        store.annotate(LEVEL, 10, text, ANNA)


def test_what_the_policies_remember_is_committed_with_the_batch(store: SqliteStore, tmp_path: Path) -> None:
    assert store.memory() == b""
    store.append(batch((LEVEL, 10, 1.0, 0), memory=b"\x01abc"))
    store.append(batch((LEVEL, 20, 1.0, 0)))
    reader = SqliteStore.reader(tmp_path)
    assert reader.memory() == b"\x01abc"
    reader.close()
