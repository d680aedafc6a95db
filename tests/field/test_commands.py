"""What is written and what is not: examples, and a state machine that plays control, people, link and device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scada.field import commands
from scada.field.commands import NOT_ARMED, OK, REFUSED, UNKNOWN, Commands, Order, Output, Outputs
from tags.types import from_bits, to_bits

MS = 1_000_000
S = 1000 * MS


class Bench:
    """Outputs with a device behind them that takes every write at once."""

    def __init__(self, *outputs: Output, armed: bool = True, linked: bool = True) -> None:
        self.machine = Outputs(outputs)
        self.types = [output.type for output in outputs]
        n = len(outputs)
        self.now = 100 * S
        self.alive = True
        self.bits = np.zeros(n, np.uint64)
        self.usable = np.ones(n, np.bool_)
        self.writable = np.ones(n, np.bool_)
        self.drive = np.zeros(n, np.bool_)
        self.version = np.full(n, 1, np.uint64)
        self.published = np.full(n, self.now, np.int64)
        self.deadline = np.zeros(n, np.int64)
        self.device = np.zeros(n, np.uint64)
        self.count = 1
        self.done: list[Order] = []
        self.machine.arm(armed)
        self.machine.link(linked)
        self.look()

    def look(self) -> None:
        """What control's image says now."""
        self.machine.observe(
            Commands(
                self.bits.copy(), self.usable.copy(), self.writable.copy(), self.drive.copy(),
                self.version.copy(), self.published.copy(), self.deadline.copy(),
            ),
            self.alive,
            self.now,
        )  # fmt: skip

    def ask(self, i: int, value: Any, *, drive: bool = True) -> int:
        """Control publishes a command; returns its version."""
        self.count += 1
        self.bits[i] = to_bits(self.types[i], value)
        self.drive[i], self.version[i], self.published[i] = drive, self.count, self.now
        self.look()
        return self.count

    def read(self, *, good: bool = True) -> None:
        """All outputs are polled."""
        n = len(self.types)
        self.machine.read_back(np.arange(n), self.device.copy(), np.full(n, good))

    def due(self) -> list[tuple[int, Any]]:
        """What is due, as (output, value)."""
        return [(o.index, from_bits(self.types[o.index], o.bits)) for o in self.machine.due(self.now)]

    def work(self, result: int = OK, *, taken: bool = True) -> list[tuple[int, Any]]:
        """Reads, then writes and reads back until nothing is due; returns what was written."""
        self.read()
        written: list[tuple[int, Any]] = []
        for _ in range(50):
            orders = self.machine.due(self.now)
            if not orders:
                return written
            order = orders[0]
            if taken:
                self.device[order.index] = order.bits
            self.machine.written(order, result, self.now)
            self.done.append(order)
            written.append((order.index, from_bits(self.types[order.index], order.bits)))
            self.read()
        raise AssertionError("writes without end")

    def pass_time(self, ns: int) -> None:
        self.now += ns

    def acted(self, i: int) -> tuple[int, int]:
        aux = int(self.machine.aux[i])
        return aux & commands.VERSION_MASK, aux >> 56


def valve(**more: Any) -> Output:
    return Output(type="float64", **more)


def coil(**more: Any) -> Output:
    return Output(type="bool", mode="pulse", time_ns=500 * MS, on_loss="release", **more)


# --- loss of control is not loss of the link ---


def test_a_link_that_returns_after_the_delay_finds_no_loss_value() -> None:
    """Control lives and says "follow" of what it cannot read back; only silence of control is a loss."""
    bench = Bench(valve(on_loss="value", loss_bits=to_bits("float64", 0.0), loss_delay_ns=30 * S))
    bench.ask(0, 40.0)
    assert bench.work() == [(0, 40.0)]
    bench.machine.link(False)
    bench.drive[0] = bench.usable[0] = False  # the read-back is Bad: the command follows and is Uncertain
    bench.look()
    bench.pass_time(60 * S)
    bench.machine.link(True)
    assert bench.work() == []
    bench.drive[0] = bench.usable[0] = True  # initialised from what was read back
    bench.look()
    assert bench.work() == []


# --- maintained ---


def test_a_difference_is_written_once_and_acknowledged() -> None:
    bench = Bench(valve())
    version = bench.ask(0, 40.0)
    assert bench.due() == []  # nothing was read back yet
    assert bench.work() == [(0, 40.0)]
    assert bench.acted(0) == (version, OK)
    assert bench.work() == []


def test_what_is_there_already_is_acknowledged_without_a_write() -> None:
    bench = Bench(valve())
    bench.device[0] = to_bits("float64", 40.0)
    version = bench.ask(0, 40.0)
    assert bench.work() == []
    assert bench.acted(0) == (version, OK)


def test_nothing_is_written_unarmed_unlinked_or_undriven() -> None:
    for name, made in (
        ("unarmed", Bench(valve(), armed=False)),
        ("unlinked", Bench(valve(), linked=False)),
    ):
        made.ask(0, 40.0)
        assert made.work() == [], name
    undriven = Bench(valve())
    undriven.ask(0, 40.0, drive=False)
    assert undriven.work() == []
    assert undriven.acted(0) == (0, 0)


def test_unarmed_says_so_and_arming_lets_it_through() -> None:
    bench = Bench(valve(), armed=False)
    version = bench.ask(0, 40.0)
    assert bench.acted(0) == (version, NOT_ARMED)
    bench.machine.arm(True)
    assert bench.work() == [(0, 40.0)]
    assert bench.acted(0) == (version, OK)


def test_dead_band_holds_but_the_ends_are_reached() -> None:
    bench = Bench(valve(deadband=0.5, ends=(0.0, 100.0)))
    bench.device[0] = to_bits("float64", 40.0)
    version = bench.ask(0, 40.4)
    assert bench.work() == []
    assert bench.acted(0) == (version, OK)
    bench.ask(0, 40.6)
    assert bench.work() == [(0, 40.6)]
    bench.device[0] = to_bits("float64", 99.8)
    bench.ask(0, 100.0)
    assert bench.work() == [(0, 100.0)]


def test_min_interval_waits_but_not_for_a_stop() -> None:
    bench = Bench(valve(min_interval_ns=2 * S), Output(type="bool", min_interval_ns=2 * S, stop=True))
    bench.ask(0, 10.0)
    bench.ask(1, True)
    assert bench.work() == [(1, True), (0, 10.0)]
    bench.pass_time(S)
    bench.ask(0, 20.0)
    bench.ask(1, False)
    assert bench.work() == [(1, False)]
    assert bench.machine.next_ns == 102 * S
    bench.pass_time(S)
    assert bench.work() == [(0, 20.0)]


def test_a_value_that_does_not_stay_is_written_ever_more_rarely() -> None:
    bench = Bench(valve())
    bench.ask(0, 50.0)
    times = []
    for _ in range(300):
        if bench.work(taken=False):
            times.append(bench.now // S)
        bench.pass_time(S)
    gaps = np.diff(times).tolist()
    assert gaps[:5] == [1, 2, 4, 8, 16]
    assert max(gaps) <= 60
    bench.ask(0, 51.0)
    assert bench.work() == [(0, 51.0)]  # another value need not wait


def test_an_unknown_outcome_is_read_back_never_repeated_blindly() -> None:
    bench = Bench(valve())
    version = bench.ask(0, 50.0)
    bench.read()
    (order,) = bench.machine.due(bench.now)
    bench.machine.written(order, UNKNOWN, bench.now)
    bench.machine.link(False)
    assert bench.acted(0) == (version, UNKNOWN)
    assert bench.due() == []
    bench.machine.link(True)
    assert bench.due() == []
    bench.device[0] = order.bits  # it had arrived
    bench.read()
    assert bench.due() == []
    assert bench.acted(0) == (version, OK)


def test_a_refused_write_says_the_code() -> None:
    bench = Bench(valve())
    version = bench.ask(0, 50.0)
    bench.work(2, taken=False)
    assert bench.acted(0) == (version, 2)


def test_what_cannot_be_encoded_is_refused_and_the_last_value_held() -> None:
    bench = Bench(valve())
    bench.ask(0, 50.0)
    bench.work()
    bench.usable[0] = bench.writable[0] = False
    version = bench.ask(0, 60.0)
    assert bench.work() == []
    assert bench.acted(0) == (version, REFUSED)


def test_a_bad_reading_stops_the_comparing() -> None:
    bench = Bench(valve())
    bench.ask(0, 50.0)
    bench.read(good=False)
    assert bench.due() == []


# --- loss of control ---


def test_hold_holds_for_ever() -> None:
    bench = Bench(valve(on_loss="hold"))
    bench.ask(0, 50.0)
    bench.work()
    bench.alive = False
    bench.look()
    bench.pass_time(3600 * S)
    bench.device[0] = to_bits("float64", 10.0)
    assert bench.work() == [(0, 50.0)]


def test_a_value_comes_after_the_delay_and_not_before() -> None:
    bench = Bench(valve(on_loss="value", loss_delay_ns=30 * S, loss_bits=to_bits("float64", 5.0)))
    bench.ask(0, 50.0)
    bench.work()
    bench.alive = False
    bench.look()
    bench.pass_time(30 * S - 1)
    assert bench.work() == []
    assert bench.machine.next_ns == bench.now + 1
    bench.pass_time(1)
    assert bench.work() == [(0, 5.0)]
    assert bench.done[-1].reason == "loss"
    bench.alive = True
    bench.look()
    assert bench.work() == [(0, 50.0)]


def test_release_stops_writing() -> None:
    bench = Bench(valve(on_loss="release", loss_delay_ns=10 * S))
    bench.ask(0, 50.0)
    bench.work()
    bench.usable[0] = False  # a Bad command is a loss too
    bench.look()
    bench.pass_time(10 * S)
    bench.device[0] = to_bits("float64", 10.0)
    assert bench.work() == []


def test_loss_while_not_driven_writes_nothing() -> None:
    bench = Bench(valve(on_loss="value", loss_delay_ns=S, loss_bits=to_bits("float64", 5.0)))
    bench.ask(0, 50.0, drive=False)
    bench.alive = False
    bench.look()
    bench.pass_time(60 * S)
    assert bench.work() == []


def test_field_starts_while_control_is_dead() -> None:
    bench = Bench(valve(on_loss="value", loss_delay_ns=S, loss_bits=to_bits("float64", 5.0)))
    bench.machine = Outputs(bench.machine.outputs)
    bench.machine.arm(True)
    bench.machine.link(True)
    bench.bits[0], bench.drive[0], bench.usable[0], bench.alive = to_bits("float64", 70.0), True, False, False
    bench.look()
    assert bench.work() == []
    bench.pass_time(S)
    assert bench.work() == [(0, 5.0)]


# --- pulse ---


def test_a_pulse_is_pressed_once_and_released() -> None:
    bench = Bench(coil())
    version = bench.ask(0, True)
    assert bench.work() == [(0, True)]
    assert bench.acted(0) == (version, OK)
    assert bench.machine.next_ns == bench.now + 500 * MS
    bench.pass_time(500 * MS)
    assert bench.work() == [(0, False)]
    for _ in range(5):
        bench.look()
        bench.pass_time(S)
        assert bench.work() == []
    again = bench.ask(0, True)
    assert bench.work() == [(0, True)]
    assert bench.acted(0) == (again, OK)


@pytest.mark.parametrize("away", ["drive", "control"])
def test_a_pulse_is_released_though_control_went_away(away: str) -> None:
    bench = Bench(coil())
    bench.ask(0, True)
    bench.work()
    if away == "drive":
        bench.ask(0, True, drive=False)
    else:
        bench.alive = False
        bench.look()
    bench.pass_time(S)
    assert bench.work() == [(0, False)]


def test_an_old_pulse_is_not_pressed() -> None:
    bench = Bench(coil(), linked=False)
    bench.ask(0, True)
    bench.pass_time(5 * S + 1)
    bench.published[0] = bench.now  # control publishes every scan; that does not make it new
    bench.look()
    bench.machine.link(True)
    assert bench.work() == []


def test_a_pulse_in_local_is_not_pressed_later() -> None:
    bench = Bench(coil())
    bench.ask(0, True, drive=False)
    bench.drive[0] = True
    bench.look()
    assert bench.work() == []


def test_a_pulse_from_before_field_started_is_not_replayed() -> None:
    bench = Bench(coil())
    bench.ask(0, True)
    bench.machine = Outputs(bench.machine.outputs)
    bench.machine.arm(True)
    bench.machine.link(True)
    bench.look()
    assert bench.work() == []
    bench.machine = Outputs(bench.machine.outputs)
    bench.machine.arm(True)
    bench.machine.link(True)
    bench.look()
    bench.device[0] = 1  # pressed by the field that died: released
    assert bench.work() == [(0, False)]
    bench.device[0] = 1  # a press that was on its way when field died comes late: released as well
    assert bench.work() == [(0, False)]
    bench.pass_time(6 * S)
    assert bench.work() == []
    bench.device[0] = 1  # pressed by the PLC itself: its own business
    assert bench.work() == []


def test_a_press_that_an_earlier_life_acted_on_is_released_without_control() -> None:
    bench = Bench(coil())
    bench.ask(0, True)
    assert bench.work() == [(0, True)]
    aux = bench.machine.aux.copy()
    bench.machine = Outputs(bench.machine.outputs)
    bench.machine.restore(aux)
    bench.machine.arm(True)
    bench.machine.link(True)
    bench.drive[0] = False  # control saw that it was acted on
    bench.look()
    assert bench.work() == [(0, False)]


@pytest.mark.parametrize("mode", ["maintained", "shared", "pulse"])
def test_what_was_not_begun_by_its_deadline_is_not_done(mode: str) -> None:
    bench = Bench(coil() if mode == "pulse" else valve(mode=mode), linked=False)
    value = True if mode == "pulse" else 40.0
    bench.deadline[0] = bench.now + S
    bench.ask(0, value)
    bench.pass_time(S - 1)
    bench.machine.link(True)
    bench.read()
    assert len(bench.due()) == 1, "just in time"
    bench.pass_time(1)
    assert bench.due() == []
    bench.deadline[0] = 0
    bench.ask(0, value)
    assert len(bench.due()) == 1, "the next command has no deadline"


def test_what_was_done_in_time_is_kept_after_the_deadline() -> None:
    bench = Bench(valve())
    bench.deadline[0] = bench.now + S
    bench.ask(0, 40.0)
    assert len(bench.work()) == 1
    bench.pass_time(10 * S)
    bench.device[0] = 0  # somebody else wrote
    assert len(bench.work()) == 1


def test_an_unknown_pulse_is_released_after_the_link_is_back_and_not_repeated() -> None:
    bench = Bench(coil())
    version = bench.ask(0, True)
    (order,) = bench.machine.due(bench.now)
    bench.machine.written(order, UNKNOWN, bench.now)
    bench.machine.link(False)
    bench.pass_time(S)
    bench.machine.link(True)
    assert bench.work() == [(0, False)]
    assert bench.acted(0) == (version, UNKNOWN)


def test_stop_beats_start() -> None:
    bench = Bench(valve(), coil(), coil(stop=True))
    bench.ask(0, 40.0)
    bench.ask(1, True)
    bench.ask(2, True)
    bench.read()
    assert [index for index, _ in bench.due()] == [2, 0, 1]


def test_a_stop_is_pressed_even_when_nothing_can_be_read() -> None:
    bench = Bench(coil(stop=True))
    bench.ask(0, True)
    bench.read(good=False)
    assert bench.due() == [(0, True)]


def test_a_pulse_on_loss_is_pressed_once() -> None:
    stop = Output(
        type="bool", mode="pulse", time_ns=S, stop=True, on_loss="value", loss_delay_ns=10 * S, loss_bits=1
    )
    bench = Bench(stop)
    bench.ask(0, False)
    bench.work()
    bench.alive = False
    bench.look()
    bench.pass_time(10 * S)
    assert bench.work() == [(0, True)]
    bench.pass_time(S)
    assert bench.work() == [(0, False)]
    bench.pass_time(100 * S)
    assert bench.work() == []


# --- refresh and shared ---


def test_refresh_rewrites_while_wanted() -> None:
    bench = Bench(Output(type="float64", mode="refresh", time_ns=10 * S, on_loss="release", loss_delay_ns=0))
    bench.ask(0, 7.0)
    assert bench.work() == [(0, 7.0)]
    assert bench.machine.next_ns == bench.now + 10 * S
    bench.pass_time(10 * S)
    assert bench.work() == [(0, 7.0)]
    bench.ask(0, 8.0)
    assert bench.work() == [(0, 8.0)]
    bench.alive = False
    bench.look()
    bench.pass_time(60 * S)
    assert bench.work() == []


def test_shared_is_written_once_per_version_then_followed() -> None:
    bench = Bench(Output(type="float64", mode="shared", on_loss="release"))
    version = bench.ask(0, 21.0)
    assert bench.work() == [(0, 21.0)]
    assert bench.acted(0) == (version, OK)
    bench.device[0] = to_bits("float64", 23.0)  # somebody at the panel
    bench.pass_time(60 * S)
    assert bench.work() == []
    bench.ask(0, 23.0, drive=False)
    assert bench.work() == []
    bench.ask(0, 21.5)
    assert bench.work() == [(0, 21.5)]


def test_shared_from_before_field_started_is_not_replayed() -> None:
    bench = Bench(Output(type="float64", mode="shared", on_loss="release"))
    bench.ask(0, 21.0)
    bench.machine = Outputs(bench.machine.outputs)
    bench.machine.arm(True)
    bench.machine.link(True)
    bench.look()
    assert bench.work() == []


# --- anything may happen ---

OUTPUTS = (
    Output(type="bool", mode="pulse", time_ns=500 * MS, on_loss="release"),
    Output(type="bool", mode="pulse", time_ns=500 * MS, stop=True, on_loss="release"),
    Output(type="int32", on_loss="hold", min_interval_ns=300 * MS),
    Output(type="float64", on_loss="value", loss_delay_ns=2 * S, loss_bits=to_bits("float64", 5.0)),
    Output(type="float64", on_loss="release", loss_delay_ns=2 * S, deadband=0.5, ends=(0.0, 100.0)),
    Output(type="float64", mode="shared", on_loss="release"),
    Output(type="int32", mode="refresh", time_ns=S, on_loss="release", loss_delay_ns=0),
)
PULSES, LEVELS, SHARED_AT = (0, 1), (2, 3, 4, 6), 5
INDEX = st.integers(0, len(OUTPUTS) - 1)


class Anything(RuleBasedStateMachine):
    """Control, people, link and device do what they like; every write is judged."""

    @initialize()
    def begin(self) -> None:
        self.bench = Bench(*OUTPUTS, armed=False, linked=False)
        self.armed = self.linked = False
        self.lost_since: int | None = None
        self.driven = np.zeros(len(OUTPUTS), np.bool_)
        self.wanted = np.zeros(len(OUTPUTS), np.uint64)
        self.pressed: set[tuple[int, int]] = set()
        self.fresh = np.zeros(len(OUTPUTS), np.bool_)
        self.born = dict.fromkeys(range(len(OUTPUTS)), self.bench.now)
        self.note()

    def note(self) -> None:
        """The plain reading of the contract: what is live, and since when it is not."""
        if self.bench.alive:
            self.lost_since = None
            self.driven = self.bench.drive.copy()
            self.wanted = self.bench.bits.copy()
        elif self.lost_since is None:
            self.lost_since = self.bench.now

    @rule(i=INDEX, value=st.integers(0, 3), drive=st.booleans())
    def control_asks(self, i: int, value: int, drive: bool) -> None:
        typed: Sequence[Any] = (
            bool(value & 1),
            bool(value & 1),
            value,
            value * 10.0,
            value * 33.4,
            value + 20.0,
            value,
        )
        if self.bench.alive:
            self.born[i] = self.bench.now
            self.bench.ask(i, typed[i], drive=drive)
            self.note()

    @rule(alive=st.booleans())
    def control_dies_or_returns(self, alive: bool) -> None:
        self.bench.alive = alive
        self.bench.look()
        self.note()

    @rule(armed=st.booleans())
    def somebody_arms(self, armed: bool) -> None:
        self.armed = armed
        self.bench.machine.arm(armed)
        self.bench.look()

    @rule(linked=st.booleans())
    def link_changes(self, linked: bool) -> None:
        self.linked = linked
        self.bench.machine.link(linked)
        self.fresh[:] = False

    @rule(i=INDEX, value=st.integers(0, 3))
    def the_panel_changes_a_value(self, i: int, value: int) -> None:
        if i not in PULSES:
            self.bench.device[i] = to_bits(OUTPUTS[i].type, value)

    @rule(ns=st.sampled_from([10 * MS, 300 * MS, S, 3 * S, 10 * S]))
    def time_passes(self, ns: int) -> None:
        self.bench.pass_time(ns)

    @precondition(lambda self: self.linked)
    @rule(good=st.booleans())
    def field_polls(self, good: bool) -> None:
        self.bench.read(good=good)
        self.fresh[:] = good

    @rule()
    def field_looks(self) -> None:
        self.bench.machine.due(self.bench.now)

    @rule(outcome=st.sampled_from(["ok", "refused", "lost before", "lost after"]))
    def field_writes(self, outcome: str) -> None:
        early = self.bench.now < self.bench.machine.next_ns
        orders = self.bench.machine.due(self.bench.now)
        assert not (early and orders), "nobody would have asked for this write"
        if not orders:
            return
        self.judge(orders)
        order = orders[0]
        if outcome in ("ok", "lost after"):
            self.bench.device[order.index] = order.bits
        result = {"ok": OK, "refused": 3}.get(outcome, UNKNOWN)
        self.bench.machine.written(order, result, self.bench.now)
        self.fresh[order.index] = False
        if order.reason != "release" and order.index in PULSES:
            key = (order.index, order.version)
            assert key not in self.pressed, "a pulse was pressed twice"
            self.pressed.add(key)
        if result == UNKNOWN:
            self.link_changes(linked=False)

    def judge(self, orders: list[Order]) -> None:
        assert self.armed, "written while not armed"
        assert self.linked, "written without a link"
        ranks = [OUTPUTS[o.index].stop and o.reason != "release" for o in orders]
        assert ranks == sorted(ranks, reverse=True), "a stop did not go first"
        assert len({o.index for o in orders}) == len(orders)
        for order in orders:
            i = order.index
            if order.reason == "release":
                assert i in PULSES
                assert order.bits == 0
                continue
            assert self.driven[i], "written while not driven"
            if i in PULSES:
                assert self.bench.now - self.born[i] <= 5 * S, "an old pulse"
                assert self.lost_since is None, "a pulse without control"
                continue
            assert self.fresh[i], "written without reading back"
            gone = (
                self.lost_since is not None and self.bench.now - self.lost_since >= OUTPUTS[i].loss_delay_ns
            )
            if gone:
                assert OUTPUTS[i].on_loss != "release"
                assert order.bits == (
                    OUTPUTS[i].loss_bits if OUTPUTS[i].on_loss == "value" else self.wanted[i]
                )
            else:
                assert order.bits == self.wanted[i]

    @invariant()
    def results_are_of_versions_that_were_asked(self) -> None:
        if hasattr(self, "bench"):
            assert all(int(aux) & commands.VERSION_MASK <= self.bench.count for aux in self.bench.machine.aux)


TestAnything = Anything.TestCase
TestAnything.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


# --- a device that restarted ---


def held_is(bench: Bench, held: bool) -> bool:
    return bench.machine.held == held


def test_after_a_restart_of_the_device_nothing_is_written_until_control_has_let_go() -> None:
    """It holds zeros; what was meant for it before must not jump back into it."""
    bench = Bench(valve(), valve(mode="refresh", time_ns=S), valve(mode="shared"))
    for i in range(3):
        bench.ask(i, 40.0)
    assert len(bench.work()) == 3
    bench.machine.restarted()
    bench.device[:] = 0
    bench.pass_time(5 * S)
    assert held_is(bench, True)
    assert bench.work() == []
    bench.drive[:] = False
    bench.look()
    assert held_is(bench, False)
    assert bench.work() == []
    bench.ask(0, 0.0)
    bench.ask(1, 1.0)
    assert bench.work() == [(1, 1.0)]


def test_a_command_given_anew_counts_after_a_restart_of_the_device() -> None:
    """Control was killed meanwhile, or scans so fast that its letting go was not seen."""
    bench = Bench(valve())
    bench.ask(0, 40.0)
    bench.work()
    bench.machine.restarted()
    bench.device[:] = 0
    assert bench.work() == []
    bench.ask(0, 3.0)
    assert bench.work() == [(0, 3.0)]


def test_a_start_that_waited_dies_with_the_power_of_the_device_and_a_stop_does_not() -> None:
    bench = Bench(coil(), coil(stop=True))
    bench.machine.link(False)
    bench.ask(0, True)
    bench.ask(1, True)
    assert bench.work() == []
    bench.machine.link(True)
    bench.machine.restarted()
    assert bench.work() == [(1, True)]
    bench.pass_time(S)
    assert bench.work() == [(1, False)]
    bench.ask(0, True)
    assert bench.work() == [(0, True)], "a new one is a new one"


def test_a_loss_value_counts_also_in_a_device_that_restarted() -> None:
    loss = valve(on_loss="value", loss_bits=to_bits("float64", 5.0), loss_delay_ns=10 * S)
    bench = Bench(loss)
    bench.ask(0, 40.0)
    bench.work()
    bench.alive = False
    bench.look()
    bench.machine.restarted()
    bench.device[:] = 0
    bench.pass_time(9 * S)
    assert bench.work() == []
    assert not bench.machine.held, "nobody is there to let go: polling must go on"
    bench.pass_time(2 * S)
    assert bench.work() == [(0, 5.0)]
