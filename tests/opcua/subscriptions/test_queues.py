"""Queues against a model that is written as the specification is."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scada.opcua.subscriptions import queues

OVERFLOW = int(queues.OVERFLOW)


def model(came: list[int], size: int, *, oldest: bool) -> list[tuple[int, int]]:
    """(value, status) that one queue holds (OPC 10000-4 §7.21)."""
    queue: list[list[int]] = []
    for value in came:
        if len(queue) < size:
            queue.append([value, 0])
        elif oldest:
            queue.pop(0)
            queue.append([value, 0])
            queue[0][1] |= OVERFLOW
        else:
            queue[-1] = [value, OVERFLOW]
    if size == 1:
        return [(value, 0) for value, _ in queue]
    return [(value, status) for value, status in queue]


@given(
    st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=4),
    st.lists(st.lists(st.integers(0, 3), max_size=20), max_size=4),
)
def test_a_log_holds_what_each_queue_would(items: list[tuple[int, bool]], came: list[list[int]]) -> None:
    ids = np.arange(1, len(items) + 1, dtype=np.uint32) * 10
    sizes = np.array([size for size, _ in items], np.uint32)
    oldest = np.array([mode for _, mode in items])
    log = queues.Log()
    values: dict[int, list[int]] = {id_: [] for id_ in ids.tolist()}
    number = 0
    for batch in came:
        which = ids[[item % len(items) for item in batch]] if batch else np.zeros(0, np.uint32)
        n = len(batch)
        bits = np.arange(number, number + n, dtype=np.uint64)
        number += n
        for id_, value in zip(which.tolist(), bits.tolist(), strict=True):
            values[id_].append(value)
        zero = np.zeros(n, np.int64)
        log.append(queues.entries(which, zero, bits, zero.astype(np.uint32), zero))
        log.cut(ids, sizes, oldest)  # as often as it likes: the result is the same
    found = log.whole()
    assert (np.diff(found["bits"].astype(np.int64)) > 0).all()
    for place, id_ in enumerate(ids.tolist()):
        mine = found[found["id"] == id_]
        seen = list(zip(mine["bits"].tolist(), mine["status"].tolist(), strict=True))
        assert seen == model(values[id_], int(sizes[place]), oldest=bool(oldest[place]))


@given(st.lists(st.integers(0, 6), max_size=20), st.lists(st.integers(0, 6), max_size=10).map(sorted))
def test_changes_find_their_items(rows: list[int], of: list[int]) -> None:
    which, items = queues.spread(np.array(rows, np.intp), np.array(of, np.intp))
    wanted = [(at, place) for at, row in enumerate(rows) for place, tag in enumerate(of) if tag == row]
    assert list(zip(which.tolist(), items.tolist(), strict=True)) == wanted
