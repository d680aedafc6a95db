from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from historian.policy import Policy
from historian.store import BAD_DATA_LOST, SAMPLE
from tags.model import History
from tests.historian.contract import LEVEL, RUN, TAGS, rows
from tests.historian.plant import site_with

NOTHING = np.empty(0, SAMPLE)


def policy(**fields: float) -> Policy:
    history = History(deadband=fields.get("deadband", 0.0), max_gap_ns=int(fields.get("max_gap_ns", 0)))
    return Policy(site_with(tank1_LT_101=history).tags, NOTHING)


def kept(policy: Policy, *samples: tuple[int, int, float, int]) -> list[tuple[int, float]]:
    found = rows(*samples)
    result = policy.keep(found, found["t"].copy())
    return [
        (int(t), float(v)) for t, v in zip(result["t"], result["bits"].copy().view(np.float64), strict=True)
    ]


def test_every_change_is_kept_without_a_dead_band() -> None:
    assert kept(policy(), (LEVEL, 1, 1.0, 0), (LEVEL, 2, 1.0000001, 0)) == [(1, 1.0), (2, 1.0000001)]


def test_a_dead_band_counts_from_the_last_kept_value() -> None:
    found = kept(policy(deadband=0.5), *((LEVEL, t, t * 0.2, 0) for t in range(8)))
    assert [t for t, _ in found] == [0, 3, 6]


def test_a_change_of_status_is_always_kept() -> None:
    found = kept(policy(deadband=0.5), (LEVEL, 1, 1.0, 0), (LEVEL, 2, 1.0, 0x80310000), (LEVEL, 3, 1.1, 0))
    assert [t for t, _ in found] == [1, 2, 3]


def test_numbers_that_are_none_are_kept() -> None:
    found = kept(
        policy(deadband=0.5), (LEVEL, 1, 1.0, 0), (LEVEL, 2, float("nan"), 0), (LEVEL, 3, float("inf"), 0)
    )
    assert len(found) == 3


def test_a_sample_after_the_longest_gap_is_kept() -> None:
    found = kept(
        policy(deadband=0.5, max_gap_ns=10), (LEVEL, 1, 1.0, 0), (LEVEL, 10, 1.0, 0), (LEVEL, 11, 1.0, 0)
    )
    assert [t for t, _ in found] == [1, 11]


def test_due_are_those_that_were_silent_for_long() -> None:
    p = policy(max_gap_ns=10)
    assert len(p.due(100)) == 0
    kept(p, (LEVEL, 5, 1.0, 0))
    assert len(p.due(14)) == 0
    assert p.due(15).tolist() == [LEVEL]
    assert len(p.take(rows((LEVEL, 15, 1.0, 0)), 15)) == 1
    assert len(p.take(rows((LEVEL, 15, 1.0, 0)), 15)) == 0
    assert len(p.due(15)) == 0


def test_what_a_restarted_service_repeats_is_left_out() -> None:
    p = policy()
    assert len(kept(p, (LEVEL, 5, 1.0, 0), (RUN, 3, 1.0, 0))) == 2
    assert kept(p, (LEVEL, 5, 1.0, 0), (RUN, 3, 1.0, 0)) == []
    assert kept(Policy(list(TAGS.values()), rows((LEVEL, 5, 1.0, 0))), (LEVEL, 5, 1.0, 0)) == []


def test_an_old_value_that_comes_back_counts_from_when_it_came() -> None:
    p = policy()
    kept(p, (LEVEL, 5, 1.0, 0), (LEVEL, 100, 0.0, 0x80320000))
    restored = rows((LEVEL, 5, 1.0, 0))
    assert p.keep(restored, np.array([120]))["t"].tolist() == [120]


def test_a_tag_may_be_left_out() -> None:
    site = site_with(tank1_LT_101=History(keep=False))
    assert kept(Policy(site.tags, NOTHING), (LEVEL, 1, 1.0, 0), (RUN, 1, 1.0, 0), (999_999, 1, 1.0, 0)) == [
        (1, 1.0)
    ]
    assert len(Policy((), NOTHING).keep(rows((LEVEL, 1, 1.0, 0)), np.array([1]))) == 0


def test_a_loss_is_marked_once_for_each_tag_that_was_known() -> None:
    p = policy()
    kept(p, (LEVEL, 5, 1.0, 0))
    marks = p.lost(np.array([LEVEL, RUN], np.uint32), 50)
    assert [(int(m["tag"]), int(m["t"]), int(m["status"])) for m in marks] == [(LEVEL, 50, BAD_DATA_LOST)]
    assert len(p.lost(np.array([LEVEL], np.uint32), 60)) == 0
    assert kept(p, (LEVEL, 70, 1.0, 0)) == [(70, 1.0)]


SAMPLE_LISTS = st.lists(
    st.tuples(
        st.sampled_from([LEVEL, RUN]),
        st.integers(0, 300),
        st.floats(-3, 3, width=16),
        st.sampled_from([0, 1 << 31]),
    ),
    max_size=80,
)


@given(SAMPLE_LISTS, st.integers(0, 80), st.sampled_from([0.0, 0.5, 2.0]), st.sampled_from([0, 20]))
def test_batches_or_one_by_one_is_the_same(
    samples: list[tuple[int, int, float, int]], cut: int, deadband: float, gap: int
) -> None:
    samples = [(tag, 1000 * i + t, value, status) for i, (tag, t, value, status) in enumerate(samples)]
    whole, parts, single = (policy(deadband=deadband, max_gap_ns=gap) for _ in range(3))
    expected = [sample for one in samples for sample in kept(single, one)]
    assert kept(whole, *samples) == expected
    assert kept(parts, *samples[:cut]) + kept(parts, *samples[cut:]) == expected


@given(SAMPLE_LISTS)
def test_what_is_left_out_is_within_the_dead_band(samples: list[tuple[int, int, float, int]]) -> None:
    samples = [(LEVEL, 1000 * i + t, value, status) for i, (_, t, value, status) in enumerate(samples)]
    found = dict(kept(policy(deadband=0.5), *samples))
    last = None
    for _, t, value, _status in samples:
        last = found.get(t, last)
        assert last is not None
        assert abs(value - last) < 0.5 or t in found


def test_settings_are_those_of_the_tags_by_id() -> None:
    tags = [dataclasses.replace(tag, history=History(deadband=float(tag.id))) for tag in TAGS.values()]
    p = Policy(tags[::-1], NOTHING)
    assert len(kept(p, (LEVEL, 1, 0.0, 0), (LEVEL, 2, LEVEL - 0.1, 0), (LEVEL, 3, float(LEVEL), 0))) == 2
