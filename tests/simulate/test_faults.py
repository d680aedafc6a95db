"""Faults of a simulated device: their shares, their ends, the same seed the same faults."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.simulate import faults
from scada.simulate.faults import NOTHING, Fault, Faults


@given(st.integers(0, 1000), st.floats(0.05, 1.0))
def test_a_share_of_the_replies_is_hit_and_the_seed_repeats_it(seed: int, share: float) -> None:
    found = []
    for _ in range(2):
        one = Faults(seed)
        one.set(Fault(faults.DROP, share=share))
        found.append([one.next(0.0).drop for _ in range(400)])
    assert found[0] == found[1]
    assert abs(sum(found[0]) / 400 - share) < 0.13


def test_all_kinds_meet_in_one_reply_and_end_one_by_one() -> None:
    one = Faults()
    assert one.next(0.0) == NOTHING
    for kind in faults.KINDS:
        one.set(faults.made(kind, {}, 0.0))
    effect = one.next(5.0)
    assert (effect.delay_s, effect.drop, effect.exception) == (1.0, True, 4)
    assert 1 <= len(effect.garbage) <= faults.GARBAGE_MOST
    assert 1 <= effect.transaction <= 0xFFFF
    one.clear(faults.DROP)
    assert not one.next(5.0).drop
    one.clear()
    assert not one.any
    assert one.next(5.0) == NOTHING


def test_a_fault_ends_by_itself() -> None:
    one = Faults()
    one.set(faults.made("delay", {"amount": 0.5, "for_s": 10}, 100.0))
    assert one.next(109.9).delay_s == 0.5
    assert one.next(110.0) == NOTHING
    assert not one.any


@pytest.mark.parametrize(
    ("kind", "message", "says"),
    [
        ("delay", {"amount": "long"}, "amount: 'long' is not a number"),
        ("delay", {"amount": True}, "amount: True is not a number"),
        ("delay", {"amount": 0}, "delay needs a time above 0 s"),
        ("delay", {"amount": float("nan")}, "amount: nan is not a number"),
        ("exception", {"amount": 0}, "0 is no exception code"),
        ("exception", {"amount": 2.5}, "2.5 is no exception code"),
        ("drop", {"share": 0}, "share must be above 0 %"),
        ("drop", {"share": 1.1}, "share: 1.1 is not a number in 0 … 1"),
        ("drop", {"for_s": -1}, "for_s: -1 is not a number"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(kind: str, message: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError) as error:
        faults.made(kind, message, 0.0)
    assert says in str(error.value)
