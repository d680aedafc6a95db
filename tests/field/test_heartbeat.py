"""A device that lost its power has forgotten our counter; nothing else may look like it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scada.field.heartbeat import KEEPS, MOST, Heartbeat


def beat(heart: Heartbeat, register: int, *, known: bool = True, arrives: bool = True) -> int:
    """Reads back and writes, as the poller does; returns what the register holds after it."""
    heart.read(register)
    value = heart.next
    if known or arrives:
        heart.wrote()
    return value if arrives else register


def settled(register: int = 0) -> tuple[Heartbeat, int]:
    heart = Heartbeat()
    for _ in range(KEEPS + 2):
        register = beat(heart, register)
    return heart, register


def test_a_forgotten_counter_is_a_restart() -> None:
    heart, register = settled()
    assert heart.restarts == 0
    assert not heart.read(register)
    assert heart.read(0)
    assert heart.restarts == 1


def test_one_restart_is_counted_once_although_nothing_is_written_after_it() -> None:
    heart, _ = settled()
    assert [heart.read(0) for _ in range(5)] == [True, False, False, False, False]
    assert heart.restarts == 1


@given(st.lists(st.sampled_from(["answered", "lost before", "lost after"]), max_size=40))
def test_writes_of_unknown_outcome_are_no_restarts(fates: list[str]) -> None:
    """A lost reply leaves two values that the register may hold; it is read back before the next write."""
    heart, register = settled()
    for fate in fates:
        assert not heart.read(register)
        value = heart.next
        heart.wrote()
        if fate != "lost before":
            register = value
    assert heart.restarts == 0


def test_a_device_that_clears_the_register_says_nothing() -> None:
    heart = Heartbeat()
    for _ in range(50):
        beat(heart, 0)
    heart.unreadable()
    assert heart.restarts == 0


def test_a_device_that_cannot_be_read_any_more_says_nothing() -> None:
    heart, _ = settled()
    heart.unreadable()
    assert not heart.read(0)


@given(st.integers(0, MOST), st.booleans())
def test_a_later_life_goes_on_from_the_word(steps: int, noted: bool) -> None:
    """Also when the service was killed between writing and noting."""
    heart, register = Heartbeat(2, steps | KEEPS << 16), steps
    for _ in range(3):
        register = beat(heart, register)
    word = heart.word
    if not noted:
        register = beat(heart, register)
    later = Heartbeat(heart.restarts, word)
    assert not later.read(register)
    if later.written:
        assert later.read(0)
        assert later.restarts == 3


def test_zero_is_never_written() -> None:
    """It is what a device holds after power-up."""
    heart, register = Heartbeat(), 0
    seen = set()
    for _ in range(2 * MOST):
        register = beat(heart, register)
        seen.add(register)
    assert seen == set(range(1, MOST + 1))
    assert heart.restarts == 0


def test_before_anything_was_written_nothing_is_known() -> None:
    heart = Heartbeat()
    assert not heart.written
    assert not heart.read(17)
    assert heart.restarts == 0
