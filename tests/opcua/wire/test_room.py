"""Who stays and who goes when there is little room."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.opcua.wire.budget import Budget
from scada.opcua.wire.room import Room, Worth


def test_the_oldest_that_has_proved_least_of_the_same_source_goes() -> None:
    room = Room(100, 10, 3, 50)
    for name in "abc":
        assert room.enter(name, "1.1.1.1") == (True, None)
    room.prove("a", Worth.HELLO)
    room.prove("b", Worth.TRUSTED)
    assert room.enter("d", "1.1.1.1") == (True, "c")
    assert room.enter("e", "1.1.1.1") == (True, "d")
    room.prove("e", Worth.CHANNEL)
    assert room.enter("f", "1.1.1.1") == (True, "a")
    assert room.enter("x", "2.2.2.2") == (True, None)


def test_sessions_are_never_ended_for_a_newcomer() -> None:
    room = Room(4, 1, 10, 10)
    for name in "abc":
        room.enter(name, "1.1.1.1")
        room.prove(name, Worth.SESSION)
    assert room.enter("d", "2.2.2.2") == (False, None)
    assert room.refused == 1


def test_room_is_kept_for_addresses_from_which_somebody_has_signed_in() -> None:
    room = Room(4, 1, 10, 10)
    room.know("9.9.9.9")
    for name in "abc":
        room.enter(name, "1.1.1.1")
        room.prove(name, Worth.SESSION)
    assert room.enter("d", "2.2.2.2")[0] is False
    assert room.enter("e", "9.9.9.9") == (True, None)


def test_a_source_cannot_take_the_places_of_the_others() -> None:
    room = Room(10, 0, 3, 10)
    for number in range(1000):
        room.enter(number, "6.6.6.6")
    for number, source in enumerate(("1.1.1.1", "2.2.2.2", "3.3.3.3")):
        assert room.enter(f"client {number}", source) == (True, None)
    assert len(room) == 6
    assert room.ended == 997


@pytest.mark.parametrize("ended", [True, False])
def test_a_place_is_free_again(ended: bool) -> None:
    room = Room(2, 0, 1, 2)
    room.enter("a", "1.1.1.1")
    room.prove("a", Worth.SESSION)
    room.enter("b", "1.1.1.1")
    if ended:
        room.leave("a")
        assert room.enter("c", "1.1.1.1") == (True, "b")
    else:
        room.prove("a", Worth.CHANNEL)  # its session was closed
        assert room.enter("c", "1.1.1.1") == (True, "b")


steps = st.lists(
    st.tuples(st.sampled_from(["enter", "leave", "prove"]), st.integers(0, 30), st.sampled_from(list(Worth))),
    max_size=80,
)


@given(steps)
def test_the_bounds_hold_whatever_happens(what: list[tuple[str, int, Worth]]) -> None:
    room = Room(8, 2, 3, 5)
    alive: dict[int, tuple[str, Worth]] = {}
    for name, guest, worth in what:
        if name == "enter" and guest not in alive:
            source = str(guest % 3)
            stays, victim = room.enter(guest, source)
            if isinstance(victim, int):
                assert alive.pop(victim)[1] < Worth.SESSION
            if stays:
                alive[guest] = source, Worth.NOTHING
        elif name == "leave":
            room.leave(guest)
            alive.pop(guest, None)
        elif name == "prove" and guest in alive:
            room.prove(guest, worth)
            alive[guest] = alive[guest][0], worth
        assert len(room) == len(alive) <= 8
        for source in "012":
            its = [value for value in alive.values() if value[0] == source]
            assert len(its) <= 5


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 100)), max_size=60))
def test_the_budget_is_the_sum_of_what_is_held(what: list[tuple[int, int]]) -> None:
    budget = Budget(200)
    held: dict[int, int] = {}
    for who, size in what:
        within = budget.hold(who, size)
        held[who] = size
        assert budget.used == sum(held.values())
        assert within == (budget.used <= 200)
        largest = budget.largest()
        assert (held[largest] if isinstance(largest, int) else 0) == max(held.values())
