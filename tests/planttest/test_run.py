"""A plant test passes when everything is as expected, and says exactly what was not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.planttest.demo import failures, problems, program, run, steps

LEVEL = "tank1/LT-101"
GIVEN = (
    f"    given: {{{LEVEL}: 2.5 m, tank1/PT-103: 4 bar, tank1/LV-101/OUT: 30 %, tank1/LV-101/POS: 30 %}}\n"
)
PUMP = "    follow: {tank1/P-101/RUN: {start: tank1/P-101/START, stop: tank1/P-101/STOP, time: 300 ms}}\n"


def test_a_failure_says_where_when_what_and_the_last_changes() -> None:
    (result,) = run(
        steps(
            f"{{at: 10 s, set: {{{LEVEL}: 4.7 m}}}}",
            "{at: 12.3 s, expect: {tank1/LV-101/OUT: {value: 43 %, tolerance: 0.5 %}}}",
            more=GIVEN,
        )
    )
    (failure,) = result.failures
    assert str(failure) == (
        "tests/t.yaml:5:29: at 12.3 s tank1/LV-101/OUT expected 43 % ± 0.5, was 0 %; "
        "the output is held by interlock tank1/OVERFILL"
    )
    assert failure.changes[-1] == "10.1 s  tank1/LV-101/OUT: 30 % → 0 %"
    assert len(failure.changes) <= 5
    assert not result.passed
    assert result.scans == 124


@pytest.mark.parametrize(
    ("timing", "expected"),
    [
        ("at: 5 s", "at 5 s"),  # polled each 0.5 s: not seen before
        ("at: 5.3 s", "at 5.3 s"),
        ("at: 5.5 s", None),
        ("at: 5 s, within: 400 ms", "at 5.4 s"),
        ("at: 5 s, within: 500 ms", None),
        ("at: 5 s, within: 500 ms, for: 4.4 s", None),
        ("at: 5 s, within: 500 ms, for: 4.5 s", "at 10 s tank1/LSHH-101 expected High-high for 4.5 s, was Normal after 4.5 s"),
        ("at: 9.9 s", None),
        ("at: 10 s", "at 10 s"),
    ],
)  # fmt: skip
def test_within_and_for(timing: str, expected: str | None) -> None:
    text = steps(
        "{at: 5.1 s, set: {tank1/LSHH-101: true}}",
        "{at: 9.8 s, set: {tank1/LSHH-101: Normal}}",
        more=GIVEN,
    )
    text += f"  u:\n    given: {{{LEVEL}: 2.5 m}}\n    series: {{tank1/LSHH-101: [[5.1 s, true], [9.8 s, false]]}}\n"
    text += f"    steps:\n    - {{{timing}, expect: {{tank1/LSHH-101: High-high}}}}\n"
    found = failures(text)
    assert len(found) == (expected is not None)
    assert all(str(expected) in one for one in found)


def test_the_states_of_an_alarm() -> None:
    text = steps(
        f"{{at: 1 s, alarms: {{{LEVEL}/H: normal}}}}",
        f"{{at: 5 s, set: {{{LEVEL}: 4.3 m}}}}",
        f"{{at: 6.9 s, alarms: {{{LEVEL}/H: normal}}}}",  # after its delay of 2 s
        f"{{at: 7 s, alarms: {{{LEVEL}/H: unacknowledged}}, events: [{{kind: alarm, path: {LEVEL}/h, priority: medium}}]}}",
        f"{{at: 8 s, acknowledge: [{LEVEL}/H], outcome: confirmed}}",
        f"{{at: 8.1 s, alarms: {{{LEVEL}/H: acknowledged}}}}",
        f"{{at: 9 s, set: {{{LEVEL}: 0.5 m}}}}",
        f"{{at: 9 s, alarms: {{{LEVEL}/LL: active, {LEVEL}/H: normal}}, within: 6 s}}",
        f"{{at: 20 s, set: {{{LEVEL}: 2 m}}}}",
        f"{{at: 20 s, alarms: {{{LEVEL}/LL: returned}}, within: 6 s}}",
        "{at: 27 s, write: {tank1/draining: true}}",
        f"{{at: 28 s, alarms: {{{LEVEL}/LL: suppressed}}}}",
        f"{{at: 28 s, alarms: {{{LEVEL}/HH: active}}}}",
        more=GIVEN,
    )
    assert failures(text) == ["16:27: at 28 s tank1/LT-101/HH expected active, was normal"]


def test_an_event_that_does_not_come_is_said_with_those_that_came() -> None:
    text = steps(
        f"{{at: 5 s, set: {{{LEVEL}: 4.3 m}}, events: [{{kind: alarm, path: {LEVEL}/HH}}], within: 4 s}}",
        "{at: 15 s, events: [{kind: force}], within: 1 s}",
        more=GIVEN,
    )
    first, second = failures(text)
    assert first.startswith(
        "4:54: at 9 s expected an event {kind: alarm, path: tank1/LT-101/HH}, there were alarm {path: "
    )
    assert second == "5:27: at 16 s expected an event {kind: force}, there was no event force"


def test_requests_are_made_by_a_role_and_have_an_outcome() -> None:
    text = steps(
        "{at: 2 s, write: {tank1/LIC-101/SP: 3 m}, outcome: confirmed}",
        "{at: 3 s, write: {tank1/LIC-101/SP: 3 m}, role: viewer, outcome: rejected, because: viewer}",
        "{at: 4 s, write: {tank1/LIC-101/SP: 9 m}, outcome: rejected, because: outside of its limits 1 … 4}",
        "{at: 5 s, force: {tank1/LIC-101/SP: {value: 2 m, for: 5 s}}, role: engineer, reason: test, outcome: confirmed}",
        "{at: 6 s, expect: {tank1/LIC-101/SP: {value: 2 m, quality: GoodLocalOverride}}, events: []}",
        "{at: 11 s, expect: {tank1/LIC-101/SP: {above: 2.9 m, below: 3.1 m}}}",
        "{at: 12 s, write: {tank1/LIC-101/SP: 3.5 m}, outcome: rejected}",
        more=GIVEN,
    )
    assert failures(text) == ["10:61: at 12 s the request expected rejected, it was confirmed"]


def test_a_bypass_lasts_for_its_time() -> None:
    text = steps(
        "{at: 2 s, bypass: {tank1/OVERFILL: 10 s}, role: engineer, reason: level switch replaced, outcome: confirmed}",
        f"{{at: 3 s, set: {{{LEVEL}: 4.7 m}}}}",
        "{at: 4 s, expect: {tank1/OVERFILL/ACTIVE: false}, for: 7 s}",
        "{at: 12.5 s, expect: {tank1/OVERFILL/ACTIVE: true}}",
        more=GIVEN,
    )
    assert failures(text) == []


def test_a_lost_connection_is_bad_at_once_and_good_when_it_is_back() -> None:
    text = steps(
        "{at: 3 s, devices: {PLC1: lost}, expect: {tank1/LT-101: {quality: BadNoCommunication}, tank1/PT-103: {quality: Bad}}}",
        "{at: 4 s, expect: {ahu1/TT-201: {quality: Good}, system/PLC1/connected: false}}",
        "{at: 5 s, set: {tank1/LT-101: 3 m}, write: {tank1/RESET: true}, outcome: timed out}",
        "{at: 12 s, devices: {PLC1: back}, expect: {tank1/LT-101: 3 m}}",
        "{at: 13 s, devices: {PLC1: lost}, expect: {tank1/LT-101: 3 m}}",
        more=GIVEN,
    )
    assert failures(text) == ["8:50: at 13 s tank1/LT-101 expected 3 m, was 3 m (BadNoCommunication)"]


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ("3 m", {"Good"}),
        ("{quality: UncertainLastUsableValue}", {"Uncertain", "UncertainLastUsableValue"}),
        ("{value: 3 m, quality: BadSensorFailure}", {"Bad", "BadSensorFailure"}),
    ],
)
def test_a_quality_is_expected_by_its_name_or_its_kind(held: str, expected: set[str]) -> None:
    names = ("Good", "Uncertain", "Bad", "UncertainLastUsableValue", "BadSensorFailure")
    passed = {
        name
        for name in names
        if not failures(
            steps(f"{{at: 1 s, set: {{{LEVEL}: {held}}}, expect: {{{LEVEL}: {{quality: {name}}}}}}}")
        )
    }
    assert passed == expected


def test_control_restarts_with_what_it_retains() -> None:
    text = steps(
        "{at: 5 s, write: {tank1/LIC-101/SP: 3 m}, outcome: confirmed}",
        "{at: 10 s, restart: control}",
        "{at: 12 s, expect: {tank1/LIC-101/SP: 3 m, tank1/LIC-101/MODE: Auto}}",
        "{at: 13 s, restart: manual}",
        "{at: 14 s, expect: {tank1/LIC-101/SP: 3 m, tank1/LIC-101/MODE: Manual, tank1/LV-101/OUT: {above: 0 %}}}",
        "{at: 15 s, write: {tank1/LV-101/OUT: 44 %}, outcome: confirmed}",
        more=GIVEN,
    )
    assert failures(text) == []


def test_feedback_follows() -> None:
    text = f"""
plant:
  given: {{{LEVEL}: 2.5 m, tank1/PT-103: 4 bar, tank1/LV-101/OUT: 20 %, ahu1/TV-201/OUT: 20 %, tank1/FT-104: 36 m3/h, tank1/FT-105: 36 m3/h}}
  follow:
    tank1/LV-101/POS: {{of: tank1/LV-101/OUT, time: 10 s}}
    ahu1/TV-201/POS: {{of: ahu1/TV-201/OUT, lag: 10 s}}
    tank1/LSHH-101: {{of: tank1/LT-101 > 4 m, time: 2 s}}
    tank1/LT-101: {{rate: (tank1/FT-105 - tank1/FT-104) / 360}}
    tank1/P-101/RUN: {{start: tank1/P-101/START, stop: tank1/P-101/STOP, time: 1 s}}
tests:
  a:
    steps:
      - {{at: 1 s, write: {{tank1/LIC-101/MODE: Manual, ahu1/TIC-201/MODE: Manual}}}}
      - {{at: 1 s, expect: {{tank1/LV-101/POS: {{value: 20 %, tolerance: 3 %}}}}}}
      - {{at: 2 s, write: {{tank1/LV-101/OUT: 70 %}}}}
      - {{at: 4.5 s, expect: {{tank1/LV-101/POS: {{above: 40 %, below: 50 %}}}}}}
      - {{at: 7.2 s, expect: {{tank1/LV-101/POS: {{value: 70 %, tolerance: 0.1 %}}}}}}
      - {{at: 8 s, set: {{tank1/FT-105: 54 m3/h}}}}
      - {{at: 18 s, expect: {{{LEVEL}: {{value: 3 m, tolerance: 0.01 m}}}}}}
      - {{at: 40 s, expect: {{tank1/LSHH-101: Normal}}}}
      - {{at: 42 s, expect: {{tank1/LSHH-101: High-high}}}}
      - {{at: 100 s, expect: {{{LEVEL}: 5 m}}}}
  b:
    steps:
      - {{at: 5 s, write: {{tank1/P-101/MODE: Manual}}}}
      - {{at: 6 s, write: {{tank1/P-101/CMD: true}}}}
      - {{at: 6.5 s, expect: {{tank1/P-101/RUN: false}}}}
      - {{at: 8 s, expect: {{tank1/P-101/RUN: true}}, for: 5 s}}
      - {{at: 14 s, write: {{tank1/P-101/CMD: false}}}}
      - {{at: 15 s, expect: {{tank1/P-101/RUN: false}}}}
"""
    assert failures(text) == []


def test_series_are_lines_or_steps() -> None:
    text = f"""
tests:
  t:
    series:
      {LEVEL}: [[0 s, 1 m], [10 s, 2 m], [20 s, 2 m, BadSensorFailure], [25 s, 3 m]]
      tank1/PT-103: {{step: true, points: [[0 s, 1 bar], [10 s, 2 bar]]}}
    steps:
      - {{at: 5 s, expect: {{{LEVEL}: 1.5 m, tank1/PT-103: 1 bar}}}}
      - {{at: 15 s, expect: {{{LEVEL}: 2 m, tank1/PT-103: 2 bar}}}}
      - {{at: 21 s, expect: {{{LEVEL}: {{quality: BadSensorFailure}}}}}}
      - {{at: 30 s, expect: {{{LEVEL}: {{value: 3 m, quality: Good}}}}}}
"""
    assert failures(text) == []


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("    always: tank1/LT-101 < 3 m\n", ["7:13: at 5.2 s expected always tank1/LT-101 < 3 m, tank1/LT-101 is 3.012 m"]),
        ("    never: [tank1/LT-101 > 4 m, tank1/LT-101 > 9 m]\n", ["7:13: at 7.6 s expected never tank1/LT-101 > 4 m, tank1/LT-101 is 4.02 m"]),
        ("    always: tank1/LT-101 < 3 m\n    allow: 20 s\n", []),
        ("    always: tank1/LT-101 > 3 m\n    settle: 7 s\n", []),
    ],
)  # fmt: skip
def test_always_and_never_are_about_the_plant_when_its_measurement_fails(
    more: str, expected: list[str]
) -> None:
    text = steps(
        "{at: 4 s, ramp: {tank1/LT-101: {to: 4.6 m, over: 5 s}}}",
        "{at: 6 s, set: {tank1/LIC-101/SP: 3 m}}",
        more="",
    ).replace("set: {tank1/LIC-101/SP: 3 m}", "expect: {tank1/LT-101: {quality: Good}}")
    text += more + "    until: 15 s\n"
    text = text.replace("    steps:", f"    given: {{{LEVEL}: 2.5 m}}\n    steps:")
    found = failures(text)
    assert [one.split(", tank1")[0] for one in found] == [one.split(", tank1")[0] for one in expected]


def test_a_failed_measurement_does_not_hide_the_plant() -> None:
    text = steps("{at: 1 s, set: {tank1/LT-101: {value: 4 m, quality: BadSensorFailure}}}", more=GIVEN)
    assert failures(text + "    never: tank1/LT-101 > 3 m\n")
    assert failures(text + "    always: tank1/LT-101 < 5 m\n    until: 5 s\n") == []
    checked = steps(
        "{at: 1 s, set: {tank1/LT-101: {quality: BadSensorFailure}}, check: tank1/LT-101 < 3 m}", more=GIVEN
    )
    assert failures(checked) == [
        "4:74: at 1 s expected tank1/LT-101 < 3 m, tank1/LT-101 is 2.5 m (BadSensorFailure)"
    ]


def test_the_simulators_play_their_devices() -> None:
    text = """
tests:
  t:
    simulated: true
    steps:
      - {at: 5 s, expect: {tank1/LT-101: {above: 1.5 m, below: 2.5 m}, tank1/LV-101/REM: Remote}}
      - {at: 6 s, inject: {PLC1: {LT-101.broken: true, P-101.local: true}}}
      - {at: 7 s, expect: {tank1/LT-101: {quality: BadSensorFailure}, tank1/P-101/REM: Local}}
      - {at: 8 s, inject: {PLC1: {LT-101.brokn: true}}}
      - {at: 9 s, inject: {PLC1: power_cycle}, expect: {tank1/LT-101: {quality: BadNoCommunication}}}
      - {at: 12 s, expect: {tank1/PT-103: {quality: Good}}}
"""
    (found,) = failures(text)
    assert "LT-101.brokn: nothing of that name here; did you mean LT-101.broken?" in found


def test_civil_time_begins_where_the_test_says() -> None:
    text = """
tests:
  t:
    given: {ahu1/TIC-201/SP: 21.5 degC}
    start: "2026-12-07 06:29:50"
    steps:
      - {at: 5 s, expect: {ahu1/SCHEDULE/STATE: unoccupied}}
      - {at: 11 s, expect: {ahu1/SCHEDULE/STATE: occupied}}
  holiday:
    start: "2026-12-08 06:29:50"
    steps: [{at: 11 s, expect: {ahu1/SCHEDULE/STATE: unoccupied}}]
"""
    assert failures(text) == []


def test_the_same_test_gives_the_same_result() -> None:
    text = steps("{at: 10 s, expect: {tank1/LV-101/OUT: 99 %}}", more=GIVEN + PUMP)
    assert run(text) == run(text)


def test_a_program_with_a_defect_fails() -> None:
    text = steps(
        f"{{at: 10 s, set: {{{LEVEL}: 4.7 m}}}}",
        "{at: 11 s, expect: {tank1/OVERFILL/ACTIVE: true}}",
        more=GIVEN,
    )
    assert failures(text) == []
    assert failures(text, program("control/water.yaml", "LT-101 > 4.5 m", "LT-101 > 4.9 m"))


def test_a_new_kind_of_event_of_the_scan_can_be_expected() -> None:
    """Every kind that the scan emits is known to plant tests."""
    emitted = {
        kind
        for room in ("blocks", "scan", "alarms")
        for file in (Path(__file__).parents[2] / "scada" / room).rglob("*.py")
        for kind in re.findall(r"\.emit\(\s*\"(\w+)\"", file.read_text())
    }
    assert {"alarm", "motor", "bypass"} <= emitted
    assert [
        kind for kind in sorted(emitted) if problems(steps(f"{{at: 1 s, events: [{{kind: {kind}}}]}}"))
    ] == []


def test_what_is_broken_from_the_first_scan_on_is_allowed_for_its_time_only() -> None:
    text = f"tests: {{t: {{given: {{{LEVEL}: 2.5 m}}, never: {LEVEL} > 1 m, allow: 3 s, until: 5 s}}}}"
    (said,) = failures(text)
    assert "at 3 s expected never tank1/LT-101 > 1 m" in said
