"""Motor: pulses, supervision, trips, adoption, Local, restart; and what no input may ever make it do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.blocks.base import DISARMED, INTERLOCKED, NOT_INITIALISED
from tags.quality import BAD_NO_COMMUNICATION, BAD_SENSOR_FAILURE, GOOD, UNCERTAIN_LAST_USABLE
from tests.blocks.rig import SECOND, Rig, block, motor

STOPPED, STARTING, RUNNING, STOPPING, TRIPPED, LOCAL, FAILED = range(7)
TAGS: dict[str, dict[str, Any]] = {
    "t/P/START": {"type": "bool"},
    "t/P/STOP": {"type": "bool"},
    "t/P/RUN": {"type": "bool"},
    "t/P/REM": {"type": "bool"},
    "t/P/FLT": {"type": "bool"},
    "t/X": {},
    "t/WANT": {"type": "bool"},
}


def make(*, run: bool = False, remote: bool = True, more: tuple[Any, ...] = (), **config: Any) -> Rig:
    """A motor whose inputs are read; one scan is 1 s."""
    rig = Rig([motor(**config), *more], TAGS, SECOND)
    for path, value in (("RUN", run), ("REM", remote), ("FLT", False)):
        rig.set(f"t/P/{path}", value)
    rig.set("t/X", 5.0)
    rig.set("t/WANT", False)
    rig.ready(**{"t/P/START": False, "t/P/STOP": False})
    return rig


def pulses(rig: Rig) -> tuple[bool, bool]:
    return rig.applied("t/P/START"), rig.applied("t/P/STOP")


def state(rig: Rig) -> int:
    value: int = rig.get("t/P/STATE")
    return value


def manual(rig: Rig) -> Rig:
    rig.scan()
    assert rig.write("t/P/MODE", 1) is None
    rig.scan()
    return rig


def run_up(rig: Rig) -> None:
    rig.scan()
    rig.set("t/P/RUN", True)
    rig.scan()
    assert (state(rig), pulses(rig)) == (RUNNING, (False, False))


def test_start_and_stop_by_hand() -> None:
    rig = manual(make())
    assert rig.write("t/P/CMD", True) is None
    rig.scan()
    assert (state(rig), pulses(rig)) == (STARTING, (True, False))
    rig.scan()
    assert pulses(rig) == (True, False)
    rig.set("t/P/RUN", True)
    rig.scan()
    assert (state(rig), pulses(rig), rig.get("t/P/STARTS")) == (RUNNING, (False, False), 1)
    assert rig.write("t/P/CMD", False) is None
    rig.scan()
    assert (state(rig), pulses(rig)) == (STOPPING, (False, True))
    rig.set("t/P/RUN", False)
    rig.scan(2)
    assert (state(rig), pulses(rig)) == (STOPPED, (False, False))


def test_start_and_stop_by_program() -> None:
    rig = make(auto="t/WANT")
    rig.scan()
    assert (rig.get("t/P/MODE"), state(rig)) == (2, STOPPED)
    rig.set("t/WANT", True)
    rig.scan()
    assert (rig.get("t/P/AUTO"), pulses(rig)) == (True, (True, False))
    run_up(rig)
    rig.set("t/WANT", False, BAD_SENSOR_FAILURE)  # a bad wish keeps the last one
    rig.scan(3)
    assert state(rig) == RUNNING
    rig.set("t/WANT", False)
    rig.scan()
    assert pulses(rig) == (False, True)
    assert "in Auto" in (rig.write("t/P/CMD", True) or "")


def test_a_running_motor_is_adopted_without_a_pulse() -> None:
    rig = make(run=True)
    for _ in range(20):
        rig.scan()
        assert (state(rig), pulses(rig), rig.get("t/P/CMD")) == (RUNNING, (False, False), True)


def test_auto_without_a_word_of_the_program_leaves_it_as_it_is() -> None:
    rig = make(run=True, auto="t/WANT")
    rig.set("t/WANT", False, UNCERTAIN_LAST_USABLE)
    rig.scan(5)
    assert (state(rig), pulses(rig)) == (RUNNING, (False, False))


def test_failed_to_start_sends_a_stop_and_latches() -> None:
    rig = manual(make())
    rig.write("t/P/CMD", True)
    rig.scan(5)
    assert (state(rig), pulses(rig)) == (STARTING, (True, False))
    rig.scan()
    assert (state(rig), pulses(rig), rig.get("t/P/TRIP")) == (FAILED, (False, True), True)
    rig.scan(2)
    assert (state(rig), pulses(rig)) == (FAILED, (False, False))
    assert rig.write("t/P/CMD", True) == "t/P has tripped (failed to start): write t/P/RESET first"
    assert rig.write("t/P/RESET", True) is None
    rig.scan()
    assert (state(rig), rig.get("t/P/TRIP"), rig.get("t/P/RESET")) == (STOPPED, False, False)
    assert rig.write("t/P/CMD", True) is None


def test_stopped_by_itself_is_a_trip() -> None:
    rig = make(auto="t/WANT")
    rig.set("t/WANT", True)
    run_up(rig)
    rig.set("t/P/RUN", False)
    rig.scan()
    assert (state(rig), rig.get("t/P/TRIP")) == (TRIPPED, True)
    rig.scan(10)
    assert pulses(rig) == (False, False)
    rig.write("t/P/RESET", True)
    rig.scan()
    assert pulses(rig) == (True, False)  # still in Auto, still wanted


def test_fault_input_stops_and_latches_until_it_is_gone() -> None:
    rig = make(auto="t/WANT")
    rig.set("t/WANT", True)
    run_up(rig)
    rig.set("t/P/FLT", True)
    rig.scan()
    assert (rig.get("t/P/TRIP"), pulses(rig)) == (True, (False, True))
    rig.set("t/P/RUN", False)
    rig.scan()
    assert rig.write("t/P/RESET", True) == "t/P cannot be reset: its fault input is still on"
    rig.set("t/P/FLT", False)
    rig.scan(3)
    assert state(rig) == TRIPPED
    assert rig.write("t/P/RESET", True) is None


@pytest.mark.parametrize("reset", ["manual", "auto"])
def test_trip_condition_with_its_delay(reset: str) -> None:
    rig = make(auto="t/WANT", trip={"when": "t/X < 1", "for_ns": 2 * SECOND, "reset": reset})
    rig.set("t/WANT", True)
    run_up(rig)
    rig.set("t/X", 0.5)
    rig.scan(2)
    assert not rig.get("t/P/TRIP")
    rig.set("t/X", 5.0)
    rig.scan()
    rig.set("t/X", 0.5)
    rig.scan(2)
    assert not rig.get("t/P/TRIP")
    rig.scan()
    assert (rig.get("t/P/TRIP"), pulses(rig)) == (True, (False, True))
    rig.set("t/P/RUN", False)
    rig.set("t/X", 5.0)
    rig.scan(3)
    assert rig.get("t/P/TRIP") is (reset == "manual")


def test_an_unknown_trip_condition_neither_trips_nor_starts() -> None:
    rig = make(auto="t/WANT", trip={"when": "t/X < 1", "for_ns": 0, "reset": "manual"})
    rig.set("t/WANT", True)
    rig.set("t/X", 0.0, BAD_SENSOR_FAILURE)
    rig.scan(3)
    assert (rig.get("t/P/TRIP"), pulses(rig)) == (False, (False, False))


def test_permit_gates_the_start_only() -> None:
    rig = make(auto="t/WANT", start_permit="t/X > 1")
    rig.set("t/WANT", True)
    rig.set("t/X", 0.0)
    rig.scan(3)
    assert pulses(rig) == (False, False)
    rig.set("t/X", 2.0)
    rig.scan()
    assert pulses(rig) == (True, False)
    run_up(rig)
    rig.set("t/X", 0.0)
    rig.scan(3)
    assert (state(rig), pulses(rig)) == (RUNNING, (False, False))


def test_min_off_and_starts_per_hour() -> None:
    rig = make(auto="t/WANT", min_off_ns=10 * SECOND, starts_per_hour=2)
    for _ in range(2):
        rig.set("t/WANT", True)
        run_up(rig)
        rig.set("t/WANT", False)
        rig.scan()
        rig.set("t/P/RUN", False)
        rig.scan()
        rig.set("t/WANT", True)
        rig.scan(8)
        assert pulses(rig) == (False, False)
        rig.scan(3)
    assert pulses(rig) == (False, False)  # two starts within the hour
    rig.scan(periods=3600)
    assert pulses(rig) == (True, False)


def test_refusals_say_why() -> None:
    rig = manual(make(start_permit="t/X > 9", min_off_ns=60 * SECOND))
    assert rig.write("t/P/CMD", True) == "t/P cannot start: its start permit is missing"
    assert rig.write("t/P/MODE", 3) == "t/P has the modes Out of service, Manual, Auto"
    assert rig.write("t/P/HOURS", 0) == "t/P/HOURS is computed: it cannot be written"
    rig.set("t/P/REM", False)
    rig.scan()
    assert rig.write("t/P/CMD", True) == "t/P takes no command: in Local"


def test_local_follows_and_counts() -> None:
    rig = make(auto="t/WANT")
    rig.scan()
    rig.set("t/P/REM", False)
    rig.set("t/WANT", True)
    rig.set("t/P/RUN", True)
    rig.scan(3600)
    assert (state(rig), pulses(rig), rig.get("t/P/CMD")) == (LOCAL, (False, False), True)
    assert rig.get("t/P/STARTS") == 1
    assert rig.get("t/P/HOURS") == pytest.approx(1.0, abs=0.011)
    rig.set("t/P/REM", True)
    rig.scan(3)
    assert (state(rig), pulses(rig)) == (RUNNING, (False, False))


@pytest.mark.parametrize("gate", [DISARMED, NOT_INITIALISED])
def test_unarmed_or_unread_it_only_follows(gate: int) -> None:
    rig = make(auto="t/WANT")
    rig.gates["t/P/START"] = gate
    rig.outputs.tracking[0], rig.outputs.tracking[1] = gate, 0
    rig.set("t/WANT", True)
    rig.scan(10)
    assert (state(rig), pulses(rig), rig.get("t/P/TRIP")) == (STOPPED, (False, False), False)


def test_feedback_away_for_a_while_changes_nothing() -> None:
    rig = make(auto="t/WANT")
    rig.set("t/WANT", True)
    run_up(rig)
    rig.set("t/P/RUN", False, BAD_NO_COMMUNICATION)
    rig.scan(5)
    assert rig.status("t/P/STATE") == BAD_NO_COMMUNICATION
    rig.set("t/P/RUN", True)
    rig.scan(3)
    assert (state(rig), pulses(rig), rig.get("t/P/MODE")) == (RUNNING, (False, False), 2)


@pytest.mark.parametrize(("after", "mode", "start"), [("stay off", 1, False), ("restart", 2, True)])
def test_power_loss(after: str, mode: int, start: bool) -> None:
    rig = make(auto="t/WANT", after_power_loss=after)
    rig.set("t/WANT", True)
    run_up(rig)
    rig.set("t/P/RUN", False, BAD_NO_COMMUNICATION)
    rig.scan(5)
    rig.set("t/P/RUN", False)
    rig.scan()
    assert (rig.get("t/P/MODE"), pulses(rig), rig.get("t/P/TRIP")) == (mode, (start, False), False)


def test_it_starts_in_manual_unless_told_otherwise() -> None:
    rig = make(auto="t/WANT", first_mode=1)
    rig.set("t/WANT", True)
    rig.scan(5)
    assert (rig.get("t/P/MODE"), state(rig), pulses(rig)) == (1, STOPPED, (False, False))
    running = make(auto="t/WANT", first_mode=1, run=True)
    running.scan(5)
    assert (running.get("t/P/CMD"), state(running), pulses(running)) == (True, RUNNING, (False, False)), (
        "adopted"
    )
    careful = make(auto="t/WANT", restart="manual", run=True)
    careful.restore(running.retained() | {"t/P": {**running.retained()["t/P"], "mode": 2}})
    careful.scan(2)
    assert (careful.get("t/P/MODE"), state(careful), pulses(careful)) == (1, RUNNING, (False, False))


def test_a_pause_of_the_machine_is_not_a_failed_start() -> None:
    """After it the feedback is as old as the pause; the motor started long ago."""
    rig = make(auto="t/WANT", start_time_ns=10 * SECOND)
    rig.set("t/WANT", True)
    rig.scan()
    assert state(rig) == STARTING
    rig.scan(periods=60)
    assert (state(rig), rig.get("t/P/TRIP"), pulses(rig)[1]) == (STARTING, False, False)
    rig.set("t/P/RUN", True)
    rig.scan()
    assert (state(rig), rig.get("t/P/TRIP"), pulses(rig)) == (RUNNING, False, (False, False))


def test_a_stop_under_way_survives_a_gap() -> None:
    rig = manual(make(run=True))
    rig.write("t/P/CMD", False)
    rig.scan()
    rig.set("t/P/RUN", True, BAD_NO_COMMUNICATION)
    rig.scan(2)
    assert pulses(rig) == (False, True)
    rig.set("t/P/RUN", True)
    rig.scan()
    assert (state(rig), pulses(rig)) == (STOPPING, (False, True))


def test_a_stop_that_does_not_work_is_repeated_and_alarmed() -> None:
    rig = manual(make(run=True))
    rig.write("t/P/CMD", False)
    seen = ""
    for _ in range(14):
        rig.scan()
        seen += "1" if rig.applied("t/P/STOP") else "0"
    assert "101" in seen
    assert (rig.get("t/P/TRIP"), state(rig)) == (True, STOPPING)


def test_a_stop_is_repeated_also_when_scans_are_long() -> None:
    rig = manual(make(run=True))
    rig.write("t/P/CMD", False)
    seen = []
    for _ in range(8):
        rig.scan(periods=5)
        seen.append(rig.applied("t/P/STOP"))
    assert seen == [True, False] * 4


def test_restart_while_starting_does_not_pulse_again() -> None:
    rig = make(auto="t/WANT")
    rig.set("t/WANT", True)
    rig.scan(2)
    assert pulses(rig) == (True, False)
    again = make(auto="t/WANT")
    again.restore(rig.retained())
    again.set("t/WANT", True)
    again.scan()
    assert (state(again), pulses(again)) == (STARTING, (False, False))
    again.set("t/P/RUN", True)
    again.scan()
    assert (state(again), again.get("t/P/STARTS")) == (RUNNING, 1)


def test_restart_keeps_totals_trip_and_mode() -> None:
    rig = manual(make(run=True))
    rig.scan(360)
    rig.set("t/P/RUN", False)
    rig.scan()
    kept = rig.retained()
    again = make()
    again.restore(kept)
    again.scan()
    assert (again.get("t/P/TRIP"), again.get("t/P/MODE")) == (True, 1)
    assert again.get("t/P/HOURS") == pytest.approx(0.1, abs=0.011)
    old = make(auto="t/WANT")
    old.restore(kept, fresh=False)
    old.scan()
    assert old.get("t/P/MODE") == 1


def test_to_manual_in_auto_keeps_running() -> None:
    rig = make(auto="t/WANT")
    rig.set("t/WANT", True)
    run_up(rig)
    rig.blocks["t/P"].to_manual()
    rig.set("t/WANT", False)
    rig.scan(3)
    assert (state(rig), pulses(rig), rig.get("t/P/MODE")) == (RUNNING, (False, False), 1)


# -- interlock on a motor, in both orders


def frost(path: str = "t/I", reset: str = "manual") -> Any:
    return block(
        path,
        "interlock",
        "ACTIVE",
        target="t/P",
        when="t/X < 1",
        value=False,
        reset=reset,
        description="Frost",
    )


@pytest.mark.parametrize("first", [True, False])
def test_interlock_stops_in_the_same_scan_wherever_it_stands(first: bool) -> None:
    blocks = [frost(), motor(auto="t/WANT")] if first else [motor(auto="t/WANT"), frost()]
    rig = Rig(blocks, TAGS, SECOND)
    for path, value in (
        ("t/P/RUN", False),
        ("t/P/REM", True),
        ("t/P/FLT", False),
        ("t/X", 0.0),
        ("t/WANT", True),
    ):
        rig.set(path, value)
    rig.ready(**{"t/P/START": False, "t/P/STOP": False})
    rig.scan(3)
    assert rig.applied("t/P/START") is False
    rig.set("t/X", 5.0)
    rig.scan()
    assert rig.get("t/I/ACTIVE") is True
    assert rig.write("t/I/ACTIVE", False) is None
    rig.scan(2)
    assert rig.applied("t/P/START") is True
    run_up(rig)
    rig.set("t/X", 0.0)
    rig.scan()
    assert pulses(rig) == (False, True)
    assert "still active: Frost" in (rig.write("t/I/ACTIVE", False) or "")


def test_in_manual_nothing_starts_when_the_interlock_lets_go() -> None:
    rig = manual(make(run=True, more=(frost(reset="auto"),)))
    rig.set("t/X", 0.0)
    rig.scan()
    assert pulses(rig) == (False, True)
    assert rig.write("t/P/CMD", True) == "t/P is held stopped by t/I"
    rig.set("t/P/RUN", False)
    rig.scan(2)
    rig.set("t/X", 5.0)
    rig.scan(5)
    assert (state(rig), pulses(rig)) == (STOPPED, (False, False))


# -- properties

scans = st.lists(
    st.fixed_dictionaries(
        {
            "run": st.sampled_from([None, None, True, False]),
            "follow": st.booleans(),
            "status": st.sampled_from([GOOD, GOOD, GOOD, BAD_NO_COMMUNICATION]),
            "remote": st.sampled_from([True, True, True, False]),
            "fault": st.sampled_from([False, False, False, True]),
            "x": st.sampled_from([5.0, 5.0, 0.0, float("nan")]),
            "want": st.booleans(),
            "gate": st.sampled_from([0, 0, 0, DISARMED, INTERLOCKED]),
            "write": st.sampled_from([None, ("CMD", True), ("CMD", False), ("MODE", 0), ("MODE", 1), ("MODE", 2), ("RESET", True)]),
            "periods": st.integers(1, 8),
        }
    ),
    max_size=40,
)  # fmt: skip


@given(st.booleans(), scans)
def test_never_start_and_stop_nor_start_while_it_must_not(first: bool, steps: list[dict[str, Any]]) -> None:
    inner = motor(
        auto="t/WANT", start_permit="t/X > 1", trip={"when": "t/X < -1", "for_ns": SECOND, "reset": "auto"},
        min_off_ns=2 * SECOND, starts_per_hour=5,
    )  # fmt: skip
    rig = Rig([frost(), inner] if first else [inner, frost()], TAGS, SECOND)
    rig.set("t/P/RUN", first)
    rig.ready(**{"t/P/START": False, "t/P/STOP": False})
    running = first
    for item in steps:
        start, stop = pulses(rig)
        running = (
            (start or running) and not stop
            if item["follow"]
            else running
            if item["run"] is None
            else item["run"]
        )
        rig.set("t/P/RUN", running, item["status"])
        rig.set("t/P/REM", item["remote"])
        rig.set("t/P/FLT", item["fault"])
        rig.set("t/X", item["x"])
        rig.set("t/WANT", item["want"])
        rig.gates["t/P/START"] = item["gate"]
        if item["write"]:
            rig.blocks["t/P"].write(*item["write"])
        before, follows = rig.applied("t/P/START"), any(rig.outputs.tracking)
        rig.scan(periods=item["periods"])
        wanted = dict(zip(rig.outputs.path, rig.outputs.wanted, strict=True))
        assert not (wanted["t/P/START"] and wanted["t/P/STOP"])
        if rig.get("t/I/ACTIVE") or not item["remote"] or rig.get("t/P/TRIP"):
            assert not wanted["t/P/START"]
        if wanted["t/P/START"] and not before:
            assert item["status"] == GOOD
            assert not running
            assert item["x"] > 1
        if rig.get("t/I/ACTIVE") and running and item["remote"] and item["status"] == GOOD and not follows:
            assert (
                wanted["t/P/STOP"] or stop or rig.get("t/P/MODE") == 0
            )  # low for one scan before it is repeated
        rig.retained()


def test_a_motor_that_runs_is_not_put_out_of_service() -> None:
    rig = manual(make(run=True))
    assert "runs: stop it first" in str(rig.write("t/P/MODE", 0))
    rig.write("t/P/CMD", False)
    rig.scan()
    rig.set("t/P/RUN", False)
    rig.scan(3)
    assert rig.write("t/P/MODE", 0) is None
