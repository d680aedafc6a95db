"""Pages put together are what one question for all of it answers, in both directions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from historian import pages
from historian.pages import page
from historian.read import Cursor, bounded
from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch, Samples, Store, Text
from tags.model import MEMORY, Tag


class Listed:
    """A store of one tag in memory, as the protocol says."""

    def __init__(self, t: list[int]) -> None:
        self.t = np.array(sorted(t), np.int64)
        self.bits = np.arange(1, len(t) + 1, dtype=np.uint64)
        self.asked = 0

    def raw(
        self, tag_id: int, start: int, end: int, limit: int = 100_000, *, before: bool = False
    ) -> Samples:
        assert tag_id == 7
        self.asked += 1
        first, past = np.searchsorted(self.t, (start, end), "left")
        more = past - first > limit
        first, past = (max(0, first - 1) if before else first), min(past, first + limit)
        t, bits = self.t[first:past], self.bits[first:past]
        return Samples(t, bits, np.zeros(len(t), np.uint32), bool(more))


def everything(store: Any, start: int, end: int, limit: int, *, bounds: bool) -> list[tuple[int, int, int]]:
    rows: list[tuple[int, int, int]] = []
    cursor: Cursor | None = None
    while True:
        found = page(cast("Store", store), 7, start, end, limit, cursor, bounds=bounds)
        samples = found.samples
        assert len(samples) <= limit
        rows += zip(samples.t.tolist(), samples.bits.tolist(), samples.status.tolist(), strict=True)
        if found.next is None:
            return rows
        assert len(samples) == limit, "a page that is not the last is full"
        cursor = Cursor.parse(str(found.next))


moments = st.integers(0, 12)


@given(st.lists(moments), moments, moments, st.integers(1, 6), st.booleans(), st.sampled_from([2, 100_000]))
def test_pages_make_the_whole(
    t: list[int], start: int, end: int, limit: int, bounds: bool, window: int
) -> None:
    store = Listed(t)
    low, high = min(start, end), max(start, end)
    whole = store.raw(7, -1, 1000)
    wanted = bounded(whole, start, end, bounds=bounds)
    expected = list(zip(wanted.t.tolist(), wanted.bits.tolist(), wanted.status.tolist(), strict=True))
    crowded = max((t.count(moment) for moment in t if low <= moment <= high), default=0) > window
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "WINDOW", window)
        try:
            assert everything(store, start, end, limit, bounds=bounds) == expected
        except ValueError:
            assert crowded


def test_going_back_looks_at_little() -> None:
    store = Listed([])
    store.t = np.arange(3_000_000, dtype=np.int64) * 10_000_000 + 10**15
    store.bits = np.arange(3_000_000, dtype=np.uint64)
    found = page(cast("Store", store), 7, 2 * 10**15, 0, 1000)
    assert found.samples.bits.tolist() == list(range(2_999_999, 2_998_999, -1))
    assert found.next is not None
    assert store.asked < 12


def test_texts_have_bounds_and_go_back_too(tmp_path: Path) -> None:
    store = SqliteStore.writer(tmp_path)
    store.declare([Tag(id=7, path="note", type="string", kind=MEMORY, writer="control", row=0)])
    store.append(Batch(np.empty(0, SAMPLE), [Text(7, t, 0, f"at {t}") for t in (10, 20, 30)]))
    found = page(store, 7, 25, 5, 10, bounds=True).samples
    assert found.values == ["at 30", "at 20", "at 10", ""]
    assert found.t.tolist() == [30, 20, 10, 5]
    assert found.status.tolist() == [0, 0, 0, 0x80D7_0000]
    store.close()


def test_originals_are_asked_for_everywhere() -> None:
    class Corrected(Listed):
        def raw(self, *arguments: Any, originals: bool = False, **more: Any) -> Samples:
            assert originals
            return super().raw(*arguments, **more)

    for start, end in ((1, 9), (9, 1)):
        found = page(cast("Store", Corrected([0, 5, 12])), 7, start, end, 10, bounds=True, originals=True)
        assert len(found.samples) == 3


def test_more_of_one_time_than_can_be_turned_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "WINDOW", 3)
    with pytest.raises(ValueError, match="same time"):
        page(cast("Store", Listed([5] * 4)), 7, 9, 1, 10)
