"""The page of requests is the state machine."""

from __future__ import annotations

from scada.requests import machine, message
from tests.docs.requests_page import KINDS, MEANING, PAGE, WHEN, diagram, page


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.docs.requests_page"


def test_nothing_is_left_unsaid() -> None:
    assert set(WHEN) == set(machine.TABLE)
    assert set(MEANING) == machine.FINAL
    assert set(KINDS) == set(message.KINDS)


def test_every_step_of_the_table_is_in_the_diagram() -> None:
    lines = diagram().splitlines()
    for (state, happening), to in machine.TABLE.items():
        assert f"    {state.replace(' ', '_')} --> {to.replace(' ', '_')}: {happening}" in lines
    assert sum(": " in line and "-->" in line for line in lines) == len(machine.TABLE)
