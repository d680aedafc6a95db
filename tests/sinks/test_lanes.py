"""Several requests at once: what is fine arrives, every series in its order, whatever the answers."""

from __future__ import annotations

import threading
from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from historian.sinks.answers import Reply
from historian.sinks.delivery import Action, Pace
from historian.sinks.lanes import Lanes
from historian.sinks.lines import Lines

LATER = [0, 401, 404, 429, 500, 503]


def made(series: list[int]) -> Lines:
    """A line `<series> <number>` each, in order of series."""
    rows = sorted(series)
    texts = [b"%d %d\n" % (row, at) for at, row in enumerate(rows)]
    edges = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    return Lines(b"".join(texts), edges, np.flatnonzero(np.diff(rows)) + 1)


class Server:
    """Takes lines in any thread; troubles come first, poison never."""

    def __init__(self, troubles: list[int], poison: set[int], largest: int) -> None:
        self.troubles, self.poison, self.largest = troubles, poison, largest
        self.lock = threading.Lock()
        self.taken: dict[int, list[int]] = defaultdict(list)
        self.busy: set[int] = set()
        self.together = 0

    def post(self, body: bytes) -> Reply:
        rows = [tuple(map(int, line.split())) for line in body.splitlines()]
        names = {row[0] for row in rows}
        with self.lock:
            assert not names & self.busy, "a series in two requests at once"
            self.busy |= names
            self.together = max(self.together, len(self.busy))
        try:
            with self.lock:
                if self.troubles:
                    return Reply(self.troubles.pop(), "later")
                if len(rows) > self.largest:
                    return Reply(413, "too large")
                if any(number in self.poison for _, number in rows):
                    return Reply(400, "poison")
                for name, number in rows:
                    self.taken[name].append(number)
                return Reply(204)
        finally:
            with self.lock:
                self.busy -= names


@given(
    series=st.lists(st.integers(0, 8), max_size=120),
    poison=st.sets(st.integers(0, 119), max_size=5),
    largest=st.integers(1, 40),
    batch=st.integers(1, 60),
    most=st.integers(1, 5),
    troubles=st.lists(st.sampled_from(LATER), max_size=12),
)
def test_all_but_poison_arrives_and_each_series_in_order(
    series: list[int], poison: set[int], largest: int, batch: int, most: int, troubles: list[int]
) -> None:
    server = Server(troubles, poison, largest)
    lanes = Lanes(server.post, Pace(batch), most)
    lines = made(series)
    aside: set[int] = set()
    lanes.begin(lines)
    while not lanes.done:
        for answer in lanes.step():
            if answer.action is Action.PUT_ASIDE:
                aside |= set(range(answer.start, answer.end))
    lanes.close()
    order = sorted(series)
    assert aside == poison & set(range(len(order)))
    for name in set(order):
        assert server.taken[name] == [n for n, row in enumerate(order) if row == name and n not in poison]


def test_requests_do_travel_at_once_and_a_server_in_trouble_gets_one_at_a_time() -> None:
    gate = threading.Barrier(4)
    asked: list[int] = []
    down = True

    def post(body: bytes) -> Reply:
        asked.append(len(body.splitlines()))
        if not down:
            gate.wait(10)  # breaks unless four are on their way at once
            return Reply(204)
        return Reply(503, "down", 9.0)

    pace = Pace(10)
    lanes = Lanes(post, pace, 4)
    lanes.begin(made([n // 10 for n in range(40)]))
    first = lanes.step()
    assert len(first) == 4
    assert pace.failures == 1
    assert max(answer.wait_s for answer in first) == 9.0
    assert len(lanes.step()) == 1
    assert pace.failures == 2
    down = False
    gate = threading.Barrier(1)
    assert [answer.action for answer in lanes.step()] == [Action.ADVANCE]
    gate = threading.Barrier(3)
    while not lanes.done:
        lanes.step()
    lanes.close()
    assert len(asked) == 4 + 1 + 4


def test_a_lane_has_one_request_on_its_way() -> None:
    release = threading.Event()
    asked: defaultdict[bytes, int] = defaultdict(int)

    def post(body: bytes) -> Reply:
        name = body.split()[0]
        asked[name] += 1
        if name == b"0":
            release.wait(20)
        return Reply(204)

    lanes = Lanes(post, Pace(10), 2)
    lanes.begin(made([0] * 50 + [1] * 50))
    answers = 0
    while answers < 5:
        answers += len(lanes.step())
    assert asked == {b"0": 1, b"1": 5}
    release.set()
    while not lanes.done:
        lanes.step()
    lanes.close()
    assert asked == {b"0": 5, b"1": 5}
