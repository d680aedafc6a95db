"""When groups are due, in simulated time: the device is a number of requests, each of which takes a while."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.field.groups import FIRST_NS, Groups

MS = 1_000_000
S = 1000 * MS
TIMEOUT = 300 * MS


class Device:
    """Works groups as the poller does; `took` gives the time of each request."""

    def __init__(
        self,
        groups: Sequence[tuple[int, int]],
        took: Callable[[], int],
        *,
        spread: float = 0.0,
        start_ns: int = 5 * S,
    ) -> None:
        phase = min(period for period, _ in groups) // len(groups)
        self.groups = Groups([(p, phase * n) for n, (p, _) in enumerate(groups)], TIMEOUT, 50 * MS)
        self.requests = [count for _, count in groups]
        self.took = took
        self.now = start_ns
        self.begun: list[list[int]] = [[] for _ in groups]
        self.done: list[list[int]] = [[] for _ in groups]
        self.slow: list[bool] = []
        self.groups.start(self.now, spread)

    def run(self, until_ns: int) -> None:
        """Polls until then; looks at the health about once a second."""
        while self.now < until_ns:
            if self.now // S >= len(self.slow):
                self.slow.append(self.groups.slow(self.now))
            group = self.groups.next(self.now)
            assert group is not None
            if group.position == 0:
                if group.due_ns > self.now:
                    self.now = min(group.due_ns, until_ns, self.now + S)
                    continue
                group.begin(self.now)
                self.begun[group.number].append(self.now)
            self.now += self.took()
            group.position += 1
            if group.position == self.requests[group.number]:
                group.done(self.now)
                self.done[group.number].append(self.now)


@given(
    st.lists(st.tuples(st.sampled_from([100, 200, 500, 1000, 5000]), st.integers(1, 8)), min_size=1, max_size=4, unique_by=lambda g: g[0]),
    st.integers(0, 2**32),
    st.floats(0, 0.999),
)  # fmt: skip
def test_a_device_that_can_keeps_every_period_on_its_grid(
    groups: list[tuple[int, int]], seed: int, spread: float
) -> None:
    groups = [(period * MS, count) for period, count in groups]
    load = sum(count * 6 * MS / period for period, count in groups)
    if load > 0.9:
        groups = groups[:1]
    rng = random.Random(seed)
    device = Device(groups, lambda: rng.randint(3 * MS, 6 * MS), spread=spread)
    device.run(45 * S)
    most = max((count for _, count in groups), default=0)
    for (period, _), begun in zip(groups, device.begun, strict=True):
        assert begun[0] - 5 * S <= FIRST_NS + min(p for p, _ in groups) + 6 * MS * most
        gaps = [b - a for a, b in itertools.pairwise(begun)]
        # the polls of others may stand before one, and never make it lose its place
        assert len(begun) >= (45 * S - begun[0]) // period - 1
        assert sum(gaps) == pytest.approx(len(gaps) * period, abs=period)
    assert not any(device.slow)
    assert device.groups.stale(device.now) == []


def test_a_fast_group_goes_between_the_requests_of_a_slow_one() -> None:
    device = Device([(50 * MS, 1), (2 * S, 150)], lambda: 6 * MS)
    device.run(25 * S)
    fast = device.begun[0]
    assert max(b - a for a, b in itertools.pairwise(fast)) <= 50 * MS + 6 * MS
    slow = device.begun[1]
    assert [b - a for a, b in itertools.pairwise(slow[1:])] == pytest.approx(
        [2 * S] * (len(slow) - 2), abs=7 * MS
    )


@pytest.mark.parametrize("took_ms", [101, 130, 150, 220, 1000])
def test_a_slow_device_runs_at_its_own_pace_and_says_so(took_ms: int) -> None:
    device = Device([(100 * MS, 1)], lambda: took_ms * MS)
    device.run(30 * S)
    begun = device.begun[0]
    assert max(b - a for a, b in itertools.pairwise(begun)) == took_ms * MS  # not at half the rate
    asked, achieved = device.groups.period_ns(device.now)
    assert asked == 100 * MS
    assert achieved == pytest.approx(took_ms * MS, rel=0.01)
    assert device.slow[-1] == (took_ms > 125)
    if took_ms >= 200:
        assert device.slow[10]


def test_an_overloaded_device_starves_no_group() -> None:
    device = Device([(100 * MS, 4), (1 * S, 10)], lambda: 40 * MS)
    device.run(60 * S)
    assert len(device.done[1]) > 20
    assert len(device.done[0]) > 100
    assert device.slow[-1]


def test_it_is_slow_until_it_nearly_holds_its_period_again() -> None:
    took = [100 * MS]
    device = Device([(100 * MS, 1)], lambda: took[0])
    for milliseconds, slow in ((240, True), (115, True), (50, False), (115, False), (240, True)):
        took[0] = milliseconds * MS
        device.run(device.now + 10 * S)
        assert device.slow[-1] is slow, milliseconds


def test_after_a_pause_nothing_is_made_up_for() -> None:
    device = Device([(100 * MS, 1)], lambda: 5 * MS)
    device.run(10 * S)
    before = len(device.begun[0])
    device.now += 20 * S  # the process was stopped
    device.run(device.now + S)
    assert 10 <= len(device.begun[0]) - before <= 12
    assert device.begun[0][-1] % (100 * MS) == device.begun[0][0] % (100 * MS)  # on the grid again


def test_stale_before_one_and_a_half_periods_and_a_time_out_have_passed() -> None:
    for period in (200 * MS, 1 * S, 3600 * S):
        groups = Groups([(period, 0)], TIMEOUT, 50 * MS)
        groups.start(S, 0.0)
        group = groups.next(S)
        assert group is not None
        group.begin(S)
        assert groups.stale(S + 10 * period) == []  # never read is not stale
        group.done(S)
        looks = range(S, S + 2 * period + TIMEOUT, 50 * MS) if period < 60 * S else [S + period * 3 // 2, S + period * 3 // 2 + TIMEOUT]  # fmt: skip
        first = next(now for now in looks if groups.stale(now))
        assert S + period + TIMEOUT < first <= S + period * 3 // 2 + TIMEOUT
        [(number, limit)] = groups.stale(first)
        assert (number, first - S > limit) == (0, True)


def test_another_connection_asks_at_once_and_finds_the_grid_again() -> None:
    groups = Groups([(S, 0)], TIMEOUT)
    groups.start(10 * S, 0.25)
    group = groups.next(0)
    assert group is not None
    assert group.due_ns == 10 * S + S // 4
    groups.again(20 * S)
    assert group.due_ns == 20 * S
    group.begin(20 * S)
    group.done(20 * S + 5 * MS)
    assert group.due_ns in (20 * S + S // 4, 21 * S + S // 4)
    assert 20 * S + S // 2 < group.due_ns <= 21 * S + S // 2


def test_a_device_that_answers_every_second_time_is_slow() -> None:
    """Each miss is forgiven because the next connection answers; the rate is half all the same."""
    groups = Groups([(100 * MS, 0)], TIMEOUT)
    groups.start(S, 0.0)
    now = S
    for _ in range(40):
        group = groups.next(now)
        assert group is not None
        now = max(now, group.due_ns)
        group.begin(now)
        now += TIMEOUT  # no reply …
        groups.again(now)
        group.begin(now)
        now += 5 * MS  # … and one
        group.done(now)
    assert groups.slow(now)
    assert groups.period_ns(now)[1] > 300 * MS
    groups.forget()
    assert groups.period_ns(now) == (100 * MS, 0)


def test_an_hour_is_read_within_a_second_at_start() -> None:
    groups = Groups([(3600 * S, 0)], TIMEOUT)
    groups.start(S, 0.9)
    group = groups.next(S)
    assert group is not None
    assert group.due_ns <= S + FIRST_NS
    group.begin(group.due_ns)
    group.done(group.due_ns + MS)
    assert group.due_ns == S + round(0.9 * 3600) * S  # and then where it belongs


def test_no_groups() -> None:
    groups = Groups([], TIMEOUT)
    assert groups.next(S) is None
    assert groups.period_ns(S) == (0, 0)
    assert not groups.slow(S)
