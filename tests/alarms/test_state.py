"""The state machine against ISA-18.2 and its own rules, exhaustively."""

from __future__ import annotations

import pytest

from scada.alarms.state import (
    ACKNOWLEDGE,
    ACTIVE,
    CLEAR,
    HAPPENINGS,
    MASKS,
    OUT_OF_SERVICE,
    RAISE,
    REMOVE,
    RETURN,
    SHELVE,
    SHELVED,
    SUPPRESS,
    SUPPRESSED,
    TABLE,
    UNACKED,
    UNSHELVE,
    UNSUPPRESS,
    shown,
)

A, B, C, D = 0, ACTIVE | UNACKED, ACTIVE, UNACKED  # the ISA's letters


@pytest.mark.parametrize(
    ("before", "happening", "after"),
    [
        (A, RAISE, B), (B, ACKNOWLEDGE, C), (B, CLEAR, D), (C, CLEAR, A), (D, ACKNOWLEDGE, A), (D, RAISE, B),
        (A, CLEAR, A), (A, ACKNOWLEDGE, A), (C, ACKNOWLEDGE, C), (B, RAISE, B), (C, RAISE, C), (D, CLEAR, D),
    ],
)  # fmt: skip
def test_isa_transitions(before: int, happening: str, after: int) -> None:
    assert TABLE[happening][before] == after


@pytest.mark.parametrize(("mask", "on", "off"), [(SUPPRESSED, SUPPRESS, UNSUPPRESS), (SHELVED, SHELVE, UNSHELVE),
                                                (OUT_OF_SERVICE, REMOVE, RETURN)])  # fmt: skip
def test_masks_only_mask(mask: int, on: str, off: str) -> None:
    for bits in range(32):
        assert TABLE[on][bits] == bits | mask
        assert TABLE[off][bits] == bits & ~mask
        assert TABLE[on][TABLE[on][bits]] == TABLE[on][bits]


def test_rules_in_every_state() -> None:
    for bits in range(32):
        assert TABLE[RAISE][bits] & ACTIVE
        assert not TABLE[CLEAR][bits] & ACTIVE
        if not bits & ACTIVE:
            assert TABLE[RAISE][bits] & UNACKED
        assert TABLE[ACKNOWLEDGE][bits] == (bits if bits & MASKS else bits & ~UNACKED)
        if bits & MASKS:
            assert not shown(bits) & UNACKED
            if bits & ACTIVE:
                assert not TABLE[CLEAR][bits] & UNACKED  # came and went unseen
        for happening in HAPPENINGS:
            assert 0 <= TABLE[happening][bits] < 32


def test_shelved_alarm_that_stays_active_keeps_what_was_known_of_it() -> None:
    for before in (B, C):
        assert TABLE[UNSHELVE][TABLE[SHELVE][before]] == before
    assert TABLE[UNSHELVE][TABLE[RAISE][TABLE[SHELVE][A]]] == B
