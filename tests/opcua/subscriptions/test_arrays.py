"""Items and queues as arrays against models that go through them one by one."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.opcua.subscriptions.feeding import EVERY_NS, Feed
from scada.opcua.subscriptions.items import DISABLED, NO_BAND, REPORTING, TagItems, Wanted

ROWS = 3
INTERVAL_NS = 100
Arrays = npt.NDArray[Any]


class Table:
    """Tags of type float64, changed by the test."""

    def __init__(self) -> None:
        self.number = 1
        self.moved = np.ones((3, ROWS), np.int64)
        self.value = np.zeros(ROWS)
        self.state = np.zeros(ROWS, np.uint32)
        self.published = np.zeros(ROWS, np.uint32)

    def change(self, values: dict[int, float], states: dict[int, int]) -> npt.NDArray[np.intp]:
        self.number += 1
        rows = []
        for row in range(ROWS):
            status = row in states and self.state[row] != states[row]
            value = row in values and self.value[row] != values[row]
            self.value[row] = values.get(row, self.value[row])
            self.state[row] = states.get(row, self.state[row])
            if status:
                self.moved[0, row] = self.number
            if status or value:
                self.moved[1:, row] = self.number
                rows.append(row)
        return np.array(rows, np.intp)

    def status(self, rows: Arrays) -> npt.NDArray[np.uint32]:
        return self.state[rows]

    def floats(self, rows: Arrays) -> npt.NDArray[np.float64]:
        return self.value[rows]

    def bits(self, rows: Arrays) -> npt.NDArray[np.uint64]:
        return self.value[rows].view(np.uint64)

    def source_ns(self, rows: Arrays) -> npt.NDArray[np.int64]:
        return np.full(len(rows), self.number)

    def overruled(self, rows: Arrays) -> npt.NDArray[np.bool_]:
        overruled: npt.NDArray[np.bool_] = self.state[rows] != self.published[rows]
        return overruled

    def is_text(self, rows: Arrays) -> npt.NDArray[np.bool_]:
        return np.zeros(len(rows), np.bool_)

    def text(self, row: int) -> bytes:
        raise AssertionError(row)

    def type_of(self, row: int) -> str:
        del row
        return "float64"


VALUES = st.dictionaries(st.integers(0, ROWS - 1), st.sampled_from([0.0, 0.4, 0.5, 1.0, 2.5]), max_size=ROWS)
STATES = st.dictionaries(st.integers(0, ROWS - 1), st.sampled_from([0, 0x80310000]), max_size=1)
ITEM = st.builds(
    Wanted,
    row=st.integers(0, ROWS - 1),
    handle=st.integers(0, 9),
    mode=st.sampled_from([DISABLED, 1, REPORTING, REPORTING, REPORTING]),
    trigger=st.sampled_from([0, 1, 1]),
    band=st.sampled_from([NO_BAND, NO_BAND, 0.5]),
    period_ns=st.sampled_from([0, 0, 250]),
)


@given(
    st.lists(ITEM, min_size=1, max_size=6),
    st.lists(st.tuples(VALUES, STATES, st.integers(1, 7)), max_size=12),
    st.data(),
)
def test_items_report_what_one_would_report_going_through_them(
    wanted: list[Wanted], turns: list[tuple[dict[int, float], dict[int, int], int]], data: st.DataObject
) -> None:
    table, items = Table(), TagItems()
    items.add(list(range(1, len(wanted) + 1)), wanted)
    told: list[Any] = [None] * len(wanted)  # (value, status, refresh) that each reported last
    due = [0] * len(wanted)
    seen_at = [0] * len(wanted)
    now = 0
    for values, states, most in turns:
        now += INTERVAL_NS
        table.change(values, states)
        should = []
        for place, item in enumerate(wanted):
            moved = int(table.moved[item.trigger, item.row])
            if item.mode != REPORTING or moved <= seen_at[place]:
                continue
            if item.period_ns > INTERVAL_NS and told[place] is not None and due[place] > now:
                continue
            value, status = float(table.value[item.row]), int(table.state[item.row])
            if item.band != NO_BAND and told[place] is not None:
                before = told[place]
                if before[1] == status and abs(value - before[0]) <= item.band:
                    seen_at[place] = table.number
                    continue
            should.append(place)
        places, more = items.changed(table, now, INTERVAL_NS, most)
        chosen = places.tolist()
        assert more == (len(should) > most)
        assert len(chosen) == min(most, len(should))
        assert set(chosen) <= set(should)
        if not more:
            assert chosen == should
        rows, handles, _ = items.report(places, table, now, INTERVAL_NS)
        assert rows.tolist() == [wanted[place].row for place in chosen]
        assert handles.tolist() == [wanted[place].handle for place in chosen]
        for place in chosen:
            item = wanted[place]
            told[place] = (float(table.value[item.row]), int(table.state[item.row]))
            seen_at[place] = table.number
            due[place] = now + item.period_ns
    gone = data.draw(st.sets(st.integers(0, len(wanted) - 1)))
    items.remove(np.array(sorted(gone), np.intp))
    kept = [place for place in range(len(wanted)) if place not in gone]
    assert [items.find(place + 1) for place in kept] == list(range(len(kept)))
    assert all(items.find(place + 1) == -1 for place in gone)


class Changes(NamedTuple):
    rows: npt.NDArray[np.intp]
    bits: npt.NDArray[np.uint64]
    status: npt.NDArray[np.uint32]
    source_ns: npt.NDArray[np.int64]
    lost: int = 0


@given(
    st.lists(
        st.tuples(st.integers(0, ROWS - 1), st.sampled_from([0, 1]), st.sampled_from([NO_BAND, 0.5])),
        min_size=1,
        max_size=4,
    ),
    st.lists(
        st.lists(st.tuples(st.integers(0, ROWS - 1), st.sampled_from([0.0, 0.4, 0.5, 1.0])), max_size=6),
        max_size=6,
    ),
)
@settings(max_examples=60)
def test_queues_get_each_change_that_their_filter_lets_through(
    wanted: list[tuple[int, int, float]], batches: list[list[tuple[int, float]]]
) -> None:
    table, items = Table(), TagItems()
    asked = [
        Wanted(row, 0, trigger=trigger, band=band, period_ns=EVERY_NS, queue=1000)
        for row, trigger, band in wanted
    ]
    items.add(list(range(1, len(asked) + 1)), asked)
    feed = Feed(items)
    none = Changes(
        np.zeros(0, np.intp), np.zeros(0, np.uint64), np.zeros(0, np.uint32), np.zeros(0, np.int64)
    )
    feed.look(none, np.zeros(0, np.intp), table, 0)
    model = [[0.0] for _ in asked]  # each begins with the value that there is
    for number, batch in enumerate(batches):
        last = dict(enumerate(table.value.tolist()))
        real = []
        for row, value in batch:  # rings hold changes only
            if last[row] != value:
                last[row] = value
                real.append((row, value))
        rows = np.array([row for row, _ in real], np.intp)
        bits = np.array([value for _, value in real], np.float64).view(np.uint64)
        n = len(real)
        changed = table.change(last, {})
        feed.look(Changes(rows, bits, np.zeros(n, np.uint32), np.full(n, number)), changed, table, number)
        for place, item in enumerate(asked):
            for row, value in real:
                if row != item.row or item.trigger == 0:
                    continue
                before = model[place][-1]
                if abs(value - before) > max(item.band, 0.0):
                    model[place].append(value)
    taken, more = feed.take(np.arange(1, len(asked) + 1, dtype=np.uint32), 10**6)
    assert not more
    for place in range(len(asked)):
        mine = np.ascontiguousarray(taken["bits"][taken["id"] == place + 1]).view(np.float64).tolist()
        assert mine == model[place]


def test_a_queue_says_so_when_changes_were_lost_before_it_got_them() -> None:
    table, items = Table(), TagItems()
    items.add([1, 2], [Wanted(0, 0, period_ns=EVERY_NS, queue=5), Wanted(1, 0, period_ns=EVERY_NS, queue=5)])
    feed = Feed(items)
    empty = Changes(
        np.zeros(0, np.intp), np.zeros(0, np.uint64), np.zeros(0, np.uint32), np.zeros(0, np.int64)
    )
    feed.look(empty, np.zeros(0, np.intp), table, 0)
    feed.take(np.array([1, 2], np.uint32), 10)
    bits = np.array([1.0, 2.0]).view(np.uint64)
    changed = table.change({0: 2.0}, {})
    new = Changes(np.zeros(2, np.intp), bits, np.zeros(2, np.uint32), np.zeros(2, np.int64), lost=3)
    feed.look(new, changed, table, 1)
    taken, _ = feed.take(np.array([1, 2], np.uint32), 10)
    assert taken["status"].tolist() == [0x480, 0]
    table.change({0: 3.0}, {})
    again = Changes(
        np.zeros(1, np.intp), np.array([3.0]).view(np.uint64), np.zeros(1, np.uint32), np.zeros(1, np.int64)
    )
    feed.look(again, np.array([0]), table, 2)
    assert feed.take(np.array([1, 2], np.uint32), 10)[0]["status"].tolist() == [0]


def test_a_move_as_large_as_the_dead_band_is_within_it() -> None:
    table, items = Table(), TagItems()
    items.add([1], [Wanted(0, 0, band=0.5)])
    items.report(items.changed(table, 1, INTERVAL_NS, 9)[0], table, 1, INTERVAL_NS)
    table.change({0: 0.5}, {})
    assert items.changed(table, 2, INTERVAL_NS, 9)[0].tolist() == []
    table.change({0: 0.75}, {})
    assert items.changed(table, 3, INTERVAL_NS, 9)[0].tolist() == [0]
