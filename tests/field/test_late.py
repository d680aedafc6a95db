"""Replies that come late on a line without transaction ids: no strategy of the device makes one answer another request."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.field.driver import NoReplyError
from scada.field.modbus.late import COPIES, FORGOTTEN_NS, TWICE_NS, WHILE, Late, look
from scada.modbus import rtu, wire
from scada.modbus.wire import Ask

MS = 1_000_000
T_NS = 100 * MS


@dataclass
class Unit:
    """Answers in order, sometimes later than the time-out. A reply is (look, number of its request, exception)."""

    refuses: frozenset[int]
    pending: deque[tuple[object, int, int]] = field(default_factory=deque)
    count: int = 0

    def hear(self, ask: Ask) -> int:
        self.count += 1
        self.pending.append(
            (look(ask.pdu), self.count, ask.pdu.function if ask.pdu.function in self.refuses else 0)
        )
        return self.count


class WrongReplyError(AssertionError):
    """A reply was taken for one to another request."""


def carry(late: Late, unit: Unit, ask: Ask, now: int, deliver: int) -> bool | None:
    """One exchange: True for a value, None for an exception, False for none. `deliver`: replies that arrive in time."""
    number = unit.hear(ask)
    for _ in range(min(deliver, len(unit.pending))):
        seen, of, refused = unit.pending.popleft()
        fits = refused == ask.pdu.function if refused else seen == look(ask.pdu)
        if not fits:
            break  # a mismatch; what came with it is discarded
        if of != number:
            raise WrongReplyError
        return None if refused else True
    late.missed(ask, now)
    return False


def asked(late: Late, unit: Unit, ask: Ask, now: int, delivers: list[int]) -> bool:
    """As Line.ask does it."""
    for _ in range(3):
        try:
            barrier = late.barrier(ask, now)
        except NoReplyError:
            return False
        if barrier is None:
            break
        try:
            found = carry(late, unit, barrier, now, delivers.pop() if delivers else 1)
        except WrongReplyError:
            if barrier.pdu.function in unit.refuses and not late.refused(barrier, now):
                continue  # an exception that proves nothing is not believed
            raise
        if found is False:
            return False
        if found or late.refused(barrier, now):
            late.answered(barrier, now)
    else:
        return False
    if carry(late, unit, ask, now, delivers.pop() if delivers else 1) is False:
        return False
    late.answered(ask, now)
    return True


LATE = st.lists(st.lists(st.integers(0, 2), max_size=4), min_size=1, max_size=30)
REFUSES = st.sampled_from([frozenset[int](), frozenset({4}), frozenset({1, 2, 4})])
COUNTS = st.lists(st.integers(1, 4), min_size=1, max_size=4)


@given(LATE, COUNTS, REFUSES)
def test_whatever_is_late_answers_nothing_else(
    luck: list[list[int]], counts: list[int], refuses: frozenset[int]
) -> None:
    late, unit, now = Late(), Unit(refuses), 0
    for turn, delivers in enumerate(luck):
        ask = Ask(wire.read("holding", 0, counts[turn % len(counts)]), 7)
        asked(late, unit, ask, now, list(delivers))
        now += T_NS


@given(st.integers(1, 30), COUNTS, REFUSES)
def test_a_unit_that_was_silent_is_heard_at_once(
    polls: int, counts: list[int], refuses: frozenset[int]
) -> None:
    late, unit, now = Late(), Unit(refuses), 0
    for turn in range(polls):
        assert not asked(late, unit, Ask(wire.read("holding", 0, counts[turn % len(counts)]), 7), now, [0])
        now += T_NS
    unit.pending.clear()  # it is back, and owes nothing
    assert asked(late, unit, Ask(wire.read("holding", 0, counts[0]), 7), now, [])


@given(LATE, COUNTS, REFUSES)
def test_a_unit_that_was_confused_is_heard_after_a_minute_at_the_latest(
    luck: list[list[int]], counts: list[int], refuses: frozenset[int]
) -> None:
    late, unit, now = Late(), Unit(refuses), 0
    for turn, delivers in enumerate(luck):
        asked(late, unit, Ask(wire.read("holding", 0, counts[turn % len(counts)]), 7), now, list(delivers))
        now += T_NS
    unit.pending.clear()
    now += FORGOTTEN_NS
    assert asked(late, unit, Ask(wire.read("holding", 0, counts[0]), 7), now, [])


def test_a_barrier_comes_only_where_a_late_reply_could_answer() -> None:
    late = Late()
    three = Ask(wire.read("holding", 10, 3), 1)
    late.missed(three, 0)
    assert late.barrier(Ask(wire.read("holding", 10, 3), 2), 0) is None  # another unit
    assert late.barrier(Ask(wire.read("input", 10, 3), 1), 0) is None  # another function
    barrier = late.barrier(three, 0)
    assert barrier is not None
    assert look(barrier.pdu) == look(wire.read("holding", 10, 2))
    late.answered(barrier, 0)
    assert late.barrier(three, 1) is None


def test_what_was_missed_is_forgotten_after_a_minute() -> None:
    late, ask = Late(), Ask(wire.read("holding", 0, 1), 1)
    late.missed(ask, 0)
    assert late.barrier(ask, FORGOTTEN_NS) is not None
    assert late.barrier(ask, FORGOTTEN_NS + 1) is None


def test_equal_requests_in_quick_succession_have_another_between() -> None:
    late = Late()
    one, other = Ask(wire.read("holding", 0, 2), 1), Ask(wire.read("holding", 50, 2), 1)
    late.answered(one, 0)
    between = late.barrier(other, MS)
    assert between is not None
    assert look(between.pdu) != look(one.pdu)
    assert late.barrier(Ask(wire.read("holding", 50, 3), 1), MS) is None
    assert late.barrier(Ask(wire.read("holding", 50, 2), 2), MS) is None
    assert late.barrier(other, TWICE_NS + 1) is None
    late.strayed(TWICE_NS + 1)  # something came that nobody asked for
    assert late.barrier(other, TWICE_NS + 2) is not None


def test_a_miss_of_another_function_does_not_let_equal_requests_follow_each_other() -> None:
    late = Late()
    one, missed = Ask(wire.read("coil", 0, 19), 1, T_NS), Ask(wire.read("discrete", 30, 16), 1, T_NS)
    late.answered(one, 0)
    late.missed(missed, MS)
    between = late.barrier(one, 2 * MS)
    assert between is not None
    assert look(between.pdu) not in {look(one.pdu), look(missed.pdu)}
    late.answered(between, 3 * MS)
    assert late.barrier(one, 4 * MS) is None


def test_after_the_wait_of_a_line_that_repeats_there_is_another_request_between() -> None:
    late, one = Late(), Ask(wire.read("holding", 0, 2), 1, T_NS)
    frame = rtu.frame(1, 3, b"\4\0\1\0\2")
    late.answered(one, 0)
    late.missed(one, 0)  # so the copy shows for a short time only that the line repeats
    late.overheard(frame, MS, T_NS)
    since = WHILE * T_NS
    late.answered(one, since)
    assert late.hold_ns(one, since) == COPIES * T_NS
    assert late.barrier(one, since + COPIES * T_NS) is not None


def test_on_a_line_that_repeats_nothing_is_asked_again_before_its_copies_are_gone() -> None:
    late, one = Late(), Ask(wire.read("holding", 0, 2), 1, T_NS)
    frame = rtu.frame(1, 3, b"\4\0\1\0\2")
    late.answered(one, 0)
    late.overheard(b"\xff" + frame[:-1] + b"\0", MS, T_NS)  # noise
    late.overheard(rtu.frame(2, 3, b"\4\0\1\0\2"), MS, T_NS)  # of a unit that was not asked
    assert late.hold_ns(one, MS) == 0
    late.overheard(b"\xff" + frame + b"\0", MS, T_NS)
    assert late.hold_ns(one, MS) == COPIES * T_NS - MS
    assert late.hold_ns(one, COPIES * T_NS) == 0
    assert late.hold_ns(Ask(wire.read("holding", 0, 3), 1, T_NS), MS) == 0
    late.answered(one, FORGOTTEN_NS + MS)
    assert late.hold_ns(one, FORGOTTEN_NS + MS - 1) > 0
    assert late.hold_ns(one, FORGOTTEN_NS + MS) == 0  # it has not repeated for a minute
    late.missed(one, FORGOTTEN_NS + MS)  # and what comes now may as well be late
    late.overheard(frame, FORGOTTEN_NS + MS, T_NS)
    assert late.hold_ns(one, FORGOTTEN_NS + 2 * MS) > 0
    late.answered(one, FORGOTTEN_NS + MS + WHILE * T_NS)
    assert late.hold_ns(one, FORGOTTEN_NS + MS + WHILE * T_NS) == 0


def test_every_request_finds_others() -> None:
    for pdu in (
        wire.read("holding", 65535, 1),
        wire.read("coil", 0, 2000),
        wire.read("coil", 3, 1),
        wire.write_register(7, b"\0\1"),
        wire.write_coil(65535, on=True),
        wire.Pdu(43, b"\x0e\x01\0", b"\x0e\x01", None),
    ):
        late, ask, seen = Late(), Ask(pdu, 1), set()
        late.missed(ask, 0)
        while True:
            try:
                barrier = late.barrier(ask, 0)
            except NoReplyError:
                break
            assert barrier is not None
            assert barrier.unit == 1
            assert look(barrier.pdu) not in seen
            seen.add(look(barrier.pdu))
            late.missed(barrier, 0)
        assert len(seen) >= 40
    with pytest.raises(NoReplyError):
        late.barrier(ask, 0)
