"""Motor: times to the scan, what is held and given up, what each request is answered, what a restart brings back."""

from __future__ import annotations

from typing import Any

import pytest

from scada.blocks.base import DISARMED, FORCED, INTERLOCKED
from tags.quality import (
    BAD_NO_COMMUNICATION,
    BAD_SENSOR_FAILURE,
    BAD_WAITING_FOR_INITIAL_DATA,
    GOOD,
    UNCERTAIN_LAST_USABLE,
)
from tests.blocks.rig import SECOND, Rig, motor
from tests.blocks.test_motor import (
    FAILED,
    LOCAL,
    RUNNING,
    STARTING,
    STOPPED,
    STOPPING,
    TAGS,
    TRIPPED,
    frost,
    make,
    manual,
    pulses,
    run_up,
    state,
)


def wanted(**config: Any) -> Rig:
    """In Auto, and its program wants it."""
    rig = make(auto="t/WANT", **config)
    rig.set("t/WANT", True)
    return rig


def causes(rig: Rig) -> list[str]:
    return [event["cause"] for event in rig.events if event["kind"] == "motor"]


@pytest.mark.parametrize("why", [INTERLOCKED, FORCED])
@pytest.mark.parametrize("mode", [1, 2])
def test_a_start_that_is_held_is_given_up(why: int, mode: int) -> None:
    rig = wanted()
    rig.scan()
    assert (state(rig), pulses(rig)) == (STARTING, (True, False))
    rig.write("t/P/MODE", mode)
    rig.gates["t/P/START"] = why
    rig.outputs.tracking[0] = why
    rig.scan()
    assert (state(rig), rig.get("t/P/CMD"), pulses(rig)[1]) == (STOPPED, mode == 2, True)
    rig.scan()
    rig.scan(10)
    assert (state(rig), rig.get("t/P/TRIP")) == (STOPPED, False)
    if mode == 1:
        assert rig.write("t/P/CMD", True) == "t/P cannot start: its START is held by an interlock or a force"
    rig.gates.clear()
    rig.move("t/P/START", False)
    rig.scan(2)
    assert (state(rig) == STARTING) is (mode == 2), "by hand nothing starts when it is let go"


def test_a_running_motor_does_not_mind_that_its_start_is_held() -> None:
    rig = wanted()
    run_up(rig)
    rig.gates["t/P/START"] = FORCED
    rig.scan(3)
    assert (state(rig), pulses(rig), rig.get("t/P/TRIP")) == (RUNNING, (False, False), False)


def test_stop_is_held_for_a_second_and_no_start_meanwhile() -> None:
    rig = Rig([motor(auto="t/WANT")], TAGS)  # 100 ms
    for name, value in (("P/RUN", True), ("P/REM", True), ("P/FLT", False), ("WANT", True)):
        rig.set(f"t/{name}", value)
    rig.ready(**{"t/P/START": False, "t/P/STOP": False})
    rig.scan(3)
    rig.set("t/WANT", False)
    rig.scan()
    assert pulses(rig) == (False, True)
    rig.set("t/P/RUN", False)
    rig.set("t/WANT", True)
    seen = []
    for _ in range(12):
        rig.scan()
        seen.append(pulses(rig))
    assert seen == [(False, True)] * 9 + [(True, False)] * 3


def test_each_cause_is_told_once_and_the_first_stays() -> None:
    rig = wanted(trip={"when": "t/X < 1", "for_ns": 0, "reset": "manual"})
    run_up(rig)
    rig.set("t/X", 0.0)
    rig.scan(3)
    rig.set("t/P/FLT", True)
    rig.scan(3)
    assert causes(rig) == ["trip condition"]
    rig.set("t/P/RUN", False)
    rig.set("t/P/FLT", False)
    rig.scan(2)
    assert rig.write("t/P/RESET", True) == "t/P cannot be reset: its trip condition still holds"
    assert rig.write("t/P/RESET", False) is None
    rig.scan()
    assert (state(rig), rig.get("t/P/TRIP")) == (TRIPPED, True)
    rig.set("t/X", 5.0)
    rig.scan()
    assert rig.write("t/P/RESET", True) is None
    rig.set("t/WANT", False)
    rig.scan()
    assert (state(rig), rig.get("t/P/TRIP"), causes(rig)) == (STOPPED, False, ["trip condition"])


@pytest.mark.parametrize(("status", "trips"), [(GOOD, True), (BAD_SENSOR_FAILURE, False)])
def test_a_fault_input_counts_when_it_is_known(status: int, trips: bool) -> None:
    rig = wanted()
    run_up(rig)
    rig.set("t/P/FLT", True, status)
    rig.scan()
    assert (rig.get("t/P/TRIP"), causes(rig)) == (trips, ["fault input"] * trips)


def test_reset_auto_lets_go_of_its_condition_only() -> None:
    rig = wanted(trip={"when": "t/X < 1", "for_ns": 0, "reset": "auto"})
    run_up(rig)
    rig.set("t/P/RUN", False)
    rig.scan()
    assert causes(rig) == ["stopped by itself"]
    rig.set("t/X", 0.0)
    rig.scan()
    rig.set("t/X", 5.0)
    rig.scan(3)
    assert rig.get("t/P/TRIP") is True


def test_a_motor_that_does_not_stop_is_reset_when_it_stands() -> None:
    rig = manual(make(run=True))
    rig.write("t/P/CMD", False)
    rig.scan(8)
    assert causes(rig) == ["did not stop"]
    assert rig.write("t/P/RESET", True) == "t/P cannot be reset: it still runs although it was told to stop"
    rig.set("t/P/RUN", False)
    rig.scan(3)
    assert state(rig) == TRIPPED
    assert rig.write("t/P/RESET", True) is None
    rig.scan()
    assert (state(rig), rig.get("t/P/TRIP")) == (STOPPED, False)


def test_a_start_that_comes_late_is_stopped() -> None:
    rig = wanted()
    rig.scan(6)
    assert (state(rig), causes(rig)) == (FAILED, ["failed to start"])
    rig.set("t/P/RUN", True)
    rig.scan(2)
    assert (state(rig), pulses(rig)) == (STOPPING, (False, True))


def test_without_feedback_a_stop_goes_out_and_a_start_does_not() -> None:
    rig = manual(make(run=True))
    rig.set("t/P/RUN", True, BAD_NO_COMMUNICATION)
    rig.scan()
    assert (pulses(rig), rig.status("t/P/STATE")) == ((False, False), BAD_NO_COMMUNICATION)
    assert rig.write("t/P/CMD", False) == "t/P takes no command: run feedback is not Good"
    auto = wanted(run=True)
    auto.scan(2)
    auto.set("t/P/RUN", True, BAD_NO_COMMUNICATION)
    auto.scan()
    assert pulses(auto) == (False, False)
    auto.set("t/WANT", False)
    auto.scan()
    assert pulses(auto) == (False, True)
    auto.set("t/P/REM", False)
    auto.scan()
    assert pulses(auto) == (False, False), "in Local it is theirs"
    standing = make(auto="t/WANT")
    standing.scan(2)
    standing.set("t/P/RUN", False, BAD_NO_COMMUNICATION)
    standing.set("t/WANT", True)
    standing.scan(3)
    assert pulses(standing) == (False, False)
    standing.set("t/WANT", False)
    standing.scan()
    assert pulses(standing) == (False, False), "one that stands is not stopped"


def test_without_feedback_an_interlock_stops_it() -> None:
    rig = wanted(run=True, more=(frost(reset="auto"),))
    rig.scan(2)
    rig.set("t/P/RUN", True, BAD_NO_COMMUNICATION)
    rig.set("t/X", 0.0)
    rig.scan(2)
    assert pulses(rig) == (False, True)


def test_nothing_is_known_of_one_that_was_never_read() -> None:
    rig = Rig([motor()], TAGS, SECOND)
    rig.scan()
    assert rig.status("t/P/STATE") == BAD_WAITING_FOR_INITIAL_DATA
    assert rig.write("t/P/CMD", True) is not None


def test_min_off_is_counted_to_the_scan_and_told() -> None:
    rig = manual(make(run=True, min_off_ns=5 * SECOND))
    rig.write("t/P/CMD", False)
    rig.scan()
    rig.set("t/P/RUN", False)
    rig.scan(3)
    assert rig.write("t/P/CMD", True) == "t/P cannot start: stopped too recently: 2 s to wait"
    rig.scan()
    assert rig.write("t/P/CMD", True) is not None
    rig.scan()
    assert rig.write("t/P/CMD", True) is None
    rig.scan()
    assert state(rig) == STARTING


def test_starts_of_an_hour_are_counted_and_told() -> None:
    rig = manual(make(starts_per_hour=1))
    rig.write("t/P/CMD", True)
    run_up(rig)
    rig.write("t/P/CMD", False)
    rig.scan()
    rig.set("t/P/RUN", False)
    rig.scan(597)
    said = "t/P cannot start: started 1 times within an hour: 50 min to wait"
    assert rig.write("t/P/CMD", True) == said
    again = make(starts_per_hour=1)
    again.restore(rig.retained())
    again.scan()
    assert again.write("t/P/CMD", True) == said, "a restart does not forget them"
    rig.scan(2999)
    assert rig.write("t/P/CMD", True) is not None
    rig.scan(2)
    assert rig.write("t/P/CMD", True) is None


def test_hours_and_starts_of_a_run() -> None:
    rig = make(run=True)
    rig.scan(35)
    assert rig.get("t/P/HOURS") == 0.0
    rig.scan()
    assert rig.get("t/P/HOURS") == pytest.approx(0.01), "36 s are a hundredth"
    rig.scan(periods=3600)
    assert (rig.get("t/P/HOURS"), rig.get("t/P/STARTS")) == (pytest.approx(1.01), 0)


def test_what_a_mode_change_takes_over() -> None:
    rig = wanted()
    rig.scan()
    assert rig.write("t/P/MODE", 1) is None
    rig.set("t/WANT", False)
    rig.scan()
    assert (state(rig), rig.get("t/P/CMD")) == (STARTING, True), "a start under way goes on by hand"
    assert rig.write("t/P/MODE", 0) == "t/P runs: stop it first, then no interlock has to"
    assert rig.write("t/P/MODE", None) == "t/P/MODE needs a number"
    rig.set("t/P/REM", False)
    rig.set("t/P/RUN", True)
    rig.scan()
    rig.write("t/P/MODE", 2)
    rig.write("t/P/MODE", 1)
    rig.set("t/P/REM", True)
    rig.scan(2)
    assert (state(rig), rig.get("t/P/CMD"), pulses(rig)) == (RUNNING, True, (False, False))


def test_out_of_service_follows_and_asks_nothing() -> None:
    rig = make(auto="t/WANT", trip={"when": "t/X < 1", "for_ns": 0, "reset": "manual"})
    rig.scan()
    assert rig.write("t/P/MODE", 0) is None
    rig.set("t/WANT", True)
    rig.scan(3)
    assert (state(rig), rig.get("t/P/CMD"), pulses(rig)) == (STOPPED, False, (False, False))
    rig.set("t/P/RUN", True)
    rig.scan(3)
    assert (state(rig), rig.get("t/P/CMD"), pulses(rig)) == (RUNNING, True, (False, False))
    rig.set("t/X", 0.0)
    rig.scan(2)
    assert (state(rig), pulses(rig)) == (RUNNING, (False, False))


def test_commands_that_are_refused_and_that_are_not() -> None:
    rig = manual(make(trip={"when": "t/X < 1", "for_ns": 0, "reset": "manual"}))
    start, stop = rig.outputs.path.index("t/P/START"), rig.outputs.path.index("t/P/STOP")
    block = rig.blocks["t/P"]
    assert block.write_output(start, False) == "t/P makes the pulses itself: write t/P/CMD"
    assert block.write_output(start, True) is None
    run_up(rig)
    assert block.write_output(stop, True) is None
    rig.scan()
    assert state(rig) == STOPPING
    rig.set("t/P/RUN", False)
    rig.scan(3)
    rig.set("t/X", 5.0, BAD_SENSOR_FAILURE)
    rig.scan()
    assert rig.write("t/P/CMD", True) == "t/P cannot start: its trip condition is not known"
    assert rig.write("t/P/CMD", False) is None
    rig.set("t/X", 5.0)
    rig.scan()
    rig.gates["t/P/STOP"] = DISARMED
    rig.scan(2)
    assert rig.write("t/P/CMD", True) == "t/P takes no command: its device is not armed or not read yet"


@pytest.mark.parametrize("fresh", [True, False])
def test_a_restart_brings_back_what_it_may(fresh: bool) -> None:
    rig = wanted()
    rig.scan(6)
    kept = rig.retained()
    again = wanted()
    again.restore(kept, fresh=fresh)
    assert (again.retained()["t/P"]["cause"], again.retained()["t/P"]["starts"]) == ("failed to start", 1)
    again.scan()
    assert (state(again), again.get("t/P/TRIP")) == (FAILED, True)
    assert again.get("t/P/MODE") == (2 if fresh else 1)
    assert again.write("t/P/RESET", True) is None
    again.scan(3)
    assert pulses(again) == (fresh, False)


def test_a_start_under_way_fails_in_its_time_after_a_restart() -> None:
    rig = wanted()
    rig.scan(4)
    again = wanted()
    again.restore(rig.retained())
    again.scan()
    assert (state(again), pulses(again)) == (STARTING, (False, False))
    again.scan()
    assert (state(again), pulses(again), again.get("t/P/STARTS")) == (FAILED, (False, True), 1)


@pytest.mark.parametrize(
    "name",
    [
        "hours_ns",
        "off_ns",
        "starts",
        "restarts",
        "started_ago_ns",
        "mode",
        "state",
        "timer_ns",
        "run",
        "cause",
    ],
)
@pytest.mark.parametrize("wrong", [None, "x", -1, float("nan"), [None]])
def test_kept_nonsense_starts_nothing(name: str, wrong: Any) -> None:
    rig = make()
    rig.restore({"t/P": {**make().retained()["t/P"], name: wrong}})
    rig.scan(3)
    assert (state(rig), pulses(rig), rig.get("t/P/TRIP"), rig.get("t/P/STARTS")) == (
        STOPPED,
        (False, False),
        False,
        0,
    )


def test_the_wish_is_uncertain_only_in_a_group_that_said_nothing() -> None:
    alone = make()
    alone.scan()
    assert (alone.get("t/P/AUTO"), alone.status("t/P/AUTO")) == (False, GOOD)
    member = make(group="t/G")
    member.scan()
    assert member.status("t/P/AUTO") == UNCERTAIN_LAST_USABLE


def test_local_is_told_and_left() -> None:
    rig = manual(make())
    rig.set("t/P/REM", True, BAD_SENSOR_FAILURE)
    rig.scan()
    assert state(rig) == LOCAL, "a selector that is not Good says Local"
    assert rig.write("t/P/CMD", True) == "t/P takes no command: in Local"


def test_a_command_whose_permit_goes_in_the_same_scan_starts_nothing_later() -> None:
    rig = manual(make(start_permit="t/X > 1"))
    assert rig.write("t/P/CMD", True) is None
    rig.set("t/X", 0.0)
    rig.scan()
    assert (state(rig), rig.get("t/P/CMD")) == (STOPPED, False)
    rig.set("t/X", 5.0)
    rig.scan(3)
    assert (state(rig), pulses(rig)) == (STOPPED, (False, False))
    auto = wanted(start_permit="t/X > 1")
    auto.set("t/X", 0.0)
    auto.scan(2)
    assert (state(auto), auto.get("t/P/CMD")) == (STOPPED, True), "the program still wants it"
