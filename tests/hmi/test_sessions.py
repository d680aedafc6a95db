from __future__ import annotations

from hmi.sessions import LIFETIME_NS, SESSIONS_MAX, Sessions
from scada.clock import SimulatedClock


def test_a_session_is_found_until_it_ends() -> None:
    clock = SimulatedClock()
    sessions = Sessions(clock)
    token = sessions.start("anna", "operator")
    found = sessions.find(token)
    assert found is not None
    assert (found.user, found.role) == ("anna", "operator")
    clock.advance(LIFETIME_NS)
    assert sessions.find(token) is None
    assert len(sessions) == 0


def test_signing_out_ends_only_that_session() -> None:
    sessions = Sessions(SimulatedClock())
    first, second = sessions.start("anna", "operator"), sessions.start("anna", "operator")
    sessions.end(first)
    assert sessions.find(first) is None
    assert sessions.find(second) is not None


def test_a_wall_clock_step_ends_no_session() -> None:
    clock = SimulatedClock()
    sessions = Sessions(clock)
    token = sessions.start("anna", "operator")
    clock.step_utc(10 * LIFETIME_NS)
    assert sessions.find(token) is not None


def test_there_is_a_bound_and_the_oldest_goes() -> None:
    sessions = Sessions(SimulatedClock())
    tokens = [sessions.start(f"user{n}", "viewer") for n in range(SESSIONS_MAX + 1)]
    assert len(sessions) == SESSIONS_MAX
    assert sessions.find(tokens[0]) is None
    assert sessions.find(tokens[-1]) is not None


def test_tokens_are_long_and_not_kept() -> None:
    sessions = Sessions(SimulatedClock())
    token = sessions.start("anna", "operator")
    assert len(token) >= 43
    assert token not in repr(vars(sessions))
    assert sessions.find("guess") is None
    assert sessions.find(None) is None
    assert sessions.find("") is None


def test_a_session_remembers_the_mark_of_its_user() -> None:
    sessions = Sessions(SimulatedClock())
    found = sessions.find(sessions.start("anna", "operator", "mark"))
    assert found is not None
    assert found.mark == "mark"
