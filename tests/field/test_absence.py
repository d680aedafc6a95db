"""After a break of the link: what is asserted again, what waits for control. By examples, and judged at random."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.field.commands import OK, UNKNOWN, Output
from tags.types import to_bits
from tests.field.test_commands import MS, Bench, S, valve

ANALOGUE = valve()
SWITCH = Output(type="bool")
STATE = Output(type="int32", analogue=False)
RENEWED = valve(mode="refresh", time_ns=S)


def broken(bench: Bench, **meanwhile: Any) -> Bench:
    """The link breaks, the first output is changed in the device or by control, the link is back."""
    bench.machine.link(False)
    bench.pass_time(S)
    if "device" in meanwhile:
        bench.device[0] = to_bits(bench.types[0], meanwhile["device"])
    if "asked" in meanwhile:
        bench.ask(0, meanwhile["asked"])
    bench.machine.link(True)
    return bench


def settled(output: Output, value: Any) -> Bench:
    bench = Bench(output)
    bench.ask(0, value)
    assert bench.work() == [(0, value)]
    return bench


@pytest.mark.parametrize(("output", "value"), [(ANALOGUE, 40.0), (SWITCH, True), (STATE, 2)])
def test_what_the_device_kept_is_left_alone(output: Output, value: Any) -> None:
    bench = broken(settled(output, value))
    assert bench.work() == []
    assert not bench.machine.held


@pytest.mark.parametrize(
    ("output", "value", "other"),
    [(ANALOGUE, 40.0, 7.0), (SWITCH, True, False), (STATE, 2, 0), (RENEWED, 5.0, 0.0)],
)
def test_what_was_changed_while_nobody_looked_waits_for_control(
    output: Output, value: Any, other: Any
) -> None:
    bench = broken(settled(output, value), device=other)
    bench.read()
    assert bench.machine.waiting.tolist() == [True]
    for _ in range(3):
        bench.pass_time(60 * S)
        assert bench.work() == []
    bench.ask(0, other, drive=False)  # control takes over what it sees …
    assert not bench.machine.held
    bench.ask(0, value)  # … and asks anew
    assert bench.work() == [(0, value)]


@pytest.mark.parametrize("output", [ANALOGUE, SWITCH, RENEWED])
def test_a_command_that_was_given_meanwhile_counts(output: Output) -> None:
    first, second = (False, True) if output is SWITCH else (3.0, 9.0)
    bench = Bench(output)
    bench.ask(0, first)
    bench.work()
    assert broken(bench, asked=second).work() == [(0, second)]


def test_a_command_that_was_given_meanwhile_counts_though_the_device_was_changed() -> None:
    assert broken(settled(ANALOGUE, 40.0), device=7.0, asked=50.0).work() == [(0, 50.0)]


@pytest.mark.parametrize(("output", "value", "again"), [(ANALOGUE, 40.0, [(0, 40.0)]), (SWITCH, True, [])])
def test_a_write_that_was_lost_is_repeated_only_to_an_analogue_output(
    output: Output, value: Any, again: list[Any]
) -> None:
    bench = Bench(output)
    bench.read()
    bench.ask(0, value)
    (order,) = bench.machine.due(bench.now)
    bench.machine.written(order, UNKNOWN, bench.now)
    broken(bench).pass_time(S)
    assert bench.work() == again
    assert bench.machine.held == (not again)


@pytest.mark.parametrize(("output", "value"), [(ANALOGUE, 40.0), (SWITCH, True)])
def test_a_write_that_had_arrived_is_settled(output: Output, value: Any) -> None:
    bench = Bench(output)
    bench.read()
    version = bench.ask(0, value)
    (order,) = bench.machine.due(bench.now)
    bench.machine.written(order, UNKNOWN, bench.now)
    broken(bench, device=value)
    assert bench.work() == []
    assert bench.acted(0) == (version, OK)


def test_a_write_that_was_confirmed_and_forgotten_is_a_change() -> None:
    """The PLC lost its power between its reply and the reading: zero is what it held before, but not what we know."""
    bench = Bench(ANALOGUE)
    bench.read()
    bench.ask(0, 40.0)
    (order,) = bench.machine.due(bench.now)
    bench.machine.written(order, OK, bench.now)
    assert broken(bench).work() == []
    assert bench.machine.held


def test_a_loss_value_is_written_also_to_what_waits() -> None:
    bench = settled(valve(on_loss="value", loss_bits=to_bits("float64", 5.0), loss_delay_ns=S), 40.0)
    broken(bench, device=7.0)
    assert bench.work() == []
    bench.alive = False
    bench.look()
    bench.pass_time(S)
    assert bench.work() == [(0, 5.0)]


def test_a_link_that_breaks_again_before_it_was_read_knows_what_was_before() -> None:
    bench = broken(settled(ANALOGUE, 40.0))
    assert broken(bench, device=7.0).work() == []
    assert bench.machine.held


def test_a_break_that_nobody_saw_is_a_break() -> None:
    bench = settled(ANALOGUE, 40.0)
    bench.device[0] = to_bits("float64", 7.0)
    bench.machine.link(True)
    assert bench.work() == []
    assert bench.machine.held


def test_a_value_that_moves_while_somebody_looks_is_put_right() -> None:
    """The output is ours: a level is held."""
    bench = settled(SWITCH, True)
    bench.device[0] = 0
    bench.pass_time(S)
    assert bench.work() == [(0, True)]


# --- kept as nearly as the device can ---


def test_what_the_device_rounds_is_written_once() -> None:
    bench = Bench(valve(tolerance=0.5))
    bench.read()
    version = bench.ask(0, 40.3)
    (order,) = bench.machine.due(bench.now)
    bench.machine.written(order, OK, bench.now)
    bench.device[0] = to_bits("float64", 40.0)
    for _ in range(5):
        assert bench.work() == []
        bench.pass_time(100 * S)
    assert bench.acted(0) == (version, OK)
    assert broken(bench).work() == [], "nor after a break"
    assert not bench.machine.held
    bench.device[0] = to_bits("float64", 39.0)
    assert bench.work() == [(0, 40.3)], "beyond the tolerance it is another value"
    bench.ask(0, 40.2)
    assert bench.work() == [(0, 40.2)], "a new command is written, however near"


EVENTS = st.lists(
    st.sampled_from(["ask", "let go", "panel", "break", "back", "poll", "work", "lost write", "wait"]),
    max_size=40,
)


@given(EVENTS, st.sampled_from([ANALOGUE, SWITCH, STATE, RENEWED]), st.randoms(use_true_random=False))
def test_nothing_old_is_asserted_over_a_change(events: list[str], output: Output, random: Any) -> None:
    """A plain second reading of the rule judges every write."""
    bench = Bench(output)
    bench.read()
    values = [False, True] if output.type == "bool" else [0, 1, 2, 3]
    linked, known, changed, spoken = True, int(bench.device[0]), False, True
    for event in events:
        if event == "ask":
            bench.ask(0, random.choice(values))
            spoken = True
        elif event == "let go":
            bench.ask(0, random.choice(values), drive=False)
            spoken = True
        elif event == "panel" and not linked:
            bench.device[0] = to_bits(bench.types[0], random.choice(values))
        elif event == "break" and linked:
            bench.machine.link(False)
            linked, spoken = False, False
            known = int(bench.device[0])
        elif event == "back" and not linked:
            bench.machine.link(True)
            linked, changed = True, int(bench.device[0]) != known
        elif event == "poll" and linked:
            bench.read()
        elif event == "wait":
            bench.pass_time(700 * MS)
        elif event in ("work", "lost write") and linked:
            bench.read()
            orders = bench.machine.due(bench.now)
            if orders:
                assert not changed or spoken, "asserted over a change that control has not seen"
                if event == "work":
                    bench.device[0] = orders[0].bits
                bench.machine.written(orders[0], OK if event == "work" else UNKNOWN, bench.now)
                changed = False
                if event == "lost write":
                    bench.machine.link(False)
                    linked, spoken = False, False
                    known = int(bench.device[0])
