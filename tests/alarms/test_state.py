"""The state machine against ISA-18.2 and its own rules, exhaustively."""

from __future__ import annotations

import pytest

from scada.alarms.state import (
    ACKNOWLEDGE,
    ACTIVE,
    BY_REQUEST,
    CLEAR,
    CONFIRM,
    DISABLE,
    DISABLED,
    ENABLE,
    HAPPENINGS,
    HOLD_BACK,
    LET_GO,
    MASKS,
    ONE_SHOT,
    OUT_OF_SERVICE,
    RAISE,
    REMOVE,
    RETURN,
    SHELVE,
    SHELVE_ONCE,
    SHELVED,
    STATES,
    SUPPRESS,
    SUPPRESSED,
    TABLE,
    TO_CONFIRM,
    UNACKED,
    UNCONFIRMED,
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


@pytest.mark.parametrize(
    ("mask", "on", "off"),
    [
        (SUPPRESSED, SUPPRESS, UNSUPPRESS),
        (BY_REQUEST, HOLD_BACK, LET_GO),
        (OUT_OF_SERVICE, REMOVE, RETURN),
        (SHELVED | ONE_SHOT, SHELVE_ONCE, UNSHELVE),
    ],
)
def test_masks_only_mask(mask: int, on: str, off: str) -> None:
    for bits in range(STATES):
        assert TABLE[on][bits] == bits | mask
        assert TABLE[off][bits] == bits & ~mask
        assert TABLE[on][TABLE[on][bits]] == TABLE[on][bits]


def test_rules_in_every_state() -> None:
    for bits in range(STATES):
        for happening in HAPPENINGS:
            assert 0 <= TABLE[happening][bits] < STATES
        if bits & DISABLED:
            for happening in (RAISE, CLEAR, ACKNOWLEDGE, TO_CONFIRM, CONFIRM):
                assert TABLE[happening][bits] == bits
            continue
        assert TABLE[RAISE][bits] & ACTIVE
        assert not TABLE[CLEAR][bits] & (ACTIVE if bits & ACTIVE else 0)
        if not bits & ACTIVE:
            assert TABLE[RAISE][bits] & (UNACKED | UNCONFIRMED) == UNACKED
            assert TABLE[CLEAR][bits] == bits
        assert TABLE[ACKNOWLEDGE][bits] == (bits if bits & MASKS else bits & ~UNACKED)
        assert TABLE[CONFIRM][bits] == (bits if bits & MASKS else bits & ~UNCONFIRMED)
        if bits & MASKS:
            assert not shown(bits) & (UNACKED | UNCONFIRMED)
            if bits & ACTIVE:
                assert not TABLE[CLEAR][bits] & UNACKED  # came and went unseen
        if bits & ONE_SHOT and bits & ACTIVE:
            assert not TABLE[CLEAR][bits] & (SHELVED | ONE_SHOT)
        elif bits & ACTIVE:
            assert TABLE[CLEAR][bits] & MASKS == bits & MASKS


def test_shelved_alarm_that_stays_active_keeps_what_was_known_of_it() -> None:
    for before in (B, C, ACTIVE | UNCONFIRMED):
        for shelve in (SHELVE, SHELVE_ONCE):
            assert TABLE[UNSHELVE][TABLE[shelve][before]] == before
    assert TABLE[UNSHELVE][TABLE[RAISE][TABLE[SHELVE][A]]] == B


def test_a_shelf_for_a_time_replaces_one_until_normal_and_the_other_way_round() -> None:
    once, timed = TABLE[SHELVE_ONCE][B], TABLE[SHELVE][B]
    assert (once, timed) == (B | SHELVED | ONE_SHOT, B | SHELVED)
    assert (TABLE[SHELVE][once], TABLE[SHELVE_ONCE][timed]) == (timed, once)


def test_confirmation() -> None:
    waiting = TABLE[TO_CONFIRM][B]
    assert waiting == ACTIVE | UNCONFIRMED
    assert TABLE[CLEAR][waiting] == UNCONFIRMED, "what was to be done is still to be confirmed"
    assert TABLE[CONFIRM][waiting] == C
    assert TABLE[RAISE][UNCONFIRMED] == B, "a new activation begins anew"
    assert TABLE[TO_CONFIRM][C] == C, "nothing was unacknowledged"


def test_disabling_forgets_all_but_what_people_did() -> None:
    masks = SHELVED | ONE_SHOT | OUT_OF_SERVICE | BY_REQUEST
    for bits in range(STATES):
        off = TABLE[DISABLE][bits]
        assert off == (bits & masks) | DISABLED
        assert TABLE[ENABLE][off] == bits & masks


def test_suppressed_by_request_is_shown_as_suppressed() -> None:
    assert shown(ACTIVE | BY_REQUEST) == ACTIVE | BY_REQUEST | SUPPRESSED
    assert shown(UNACKED | SUPPRESSED) == SUPPRESSED
    assert shown(B) == B
