"""What is wrong with a plant test is said with its place; the schema knows every key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tags.site import plant_tests_models as models
from tags.site.plant_tests_schema import schema
from tests.planttest.demo import problems, site, suite

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("test: {}", "1:1: unknown key 'test'; did you mean 'tests'?"),
        ("tests: 3", "1:8: tests: has no names below it"),
        ("tests: {t: }", "1:9: test t: has no keys below it"),
        ("tests: {t: {step: []}}", "1:13: test t: unknown key 'step'; did you mean 'steps'?"),
        ("tests: {t: {given: {tank1/LT-10: 2 m}}}", "unknown tag 'tank1/LT-10'; did you mean 'tank1/LT-101'?"),
        ("tests: {t: {given: {tank1/LT-101: 2 bar}}}", "bar is a pressure and m is a length"),
        ("tests: {t: {given: {tank1/LT-101: {quality: Bda}}}}", "unknown quality 'Bda'; did you mean 'Bad'?"),
        ("tests: {t: {given: {tank1/LT-101: {}}}}", "has neither a value nor a quality"),
        ("tests: {t: {given: {tank1/LIC-101/SP: 2 m}}}", "is made by control. Ask for it with write:"),
        ("tests: {t: {simulated: true, given: {tank1/LT-101: 2 m}}}", "is played by the simulator of PLC1"),
        ("tests: {t: {follow: {tank1/LV-101/OUT: {of: 3}}}}", "is written by control. Let its feedback follow it."),
        ("tests: {t: {follow: {tank1/LV-101/POS: {of: 3, rate: 4}}}}", "follows in one way"),
        ("tests: {t: {follow: {tank1/LV-101/POS: {of: tank1/LV-1}}}}", "unknown tag tank1/LV-1"),
        ("tests: {t: {follow: {tank1/LV-101/POS: {of: tank1/LT-101 > 2 m}}}}", "is not a number"),
        ("tests: {t: {follow: {tank1/P-101/RUN: {start: tank1/LT-101}}}}", "is not true or false. Name a pulse."),
        ("tests: {t: {follow: {tank1/LT-101: {start: tank1/P-101/START}}}}", "is not true or false. Let it follow with of:"),
        ("tests: {t: {follow: {tank1/P-101/RUN: {rate: 1}}}}", "is not a number. Let it follow with of:"),
        ("tests: {t: {follow: {truck1/LAT: {of: 41.5, time: 3 s}, ahu1/XA-290: {of: true}}}}", None),
        ("tests: {t: {start: noon}}", "'noon' is no time. Write it in quotes"),
        ("tests: {t: {recording: no.rec}}", "there is no file no.rec beside this one"),
        ("tests: {t: {recording: ../../../etc/passwd}}", "there is no file"),
        ("tests: {t: {recording: a.rec, given: {tank1/LT-101: 2 m}}}", "given: has no effect beside recording:"),
        ("tests: {t: {steps: [{expect: {tank1/LT-101: 2 m}}]}}", "a step says when"),
        ("tests: {t: {steps: [{at: 5, expect: {tank1/LT-101: 2 m}}]}}", "a duration needs a unit"),
        ("tests: {t: {steps: [{at: 5 s, after: 1 s}]}}", "a step says when"),
        ("tests: {t: {steps: [{at: 5 s}, {at: 4 s}]}}", "this is before the step above"),
        ("tests: {t: {steps: [{at: 5 s, within: 2 s}]}}", "within: and for: are about"),
        ("tests: {t: {steps: [{at: 5 s, outcome: confirmed}]}}", "are about one request"),
        ("tests: {t: {steps: [{at: 5 s, outcome: fine, write: {tank1/draining: true}}]}}", "'fine' is not one of confirmed"),
        ("tests: {t: {steps: [{at: 5 s, devices: {PLC7: lost}}]}}", "unknown device 'PLC7'; did you mean 'PLC"),
        ("tests: {t: {steps: [{at: 5 s, inject: {PLC1: power_cycle}}]}}", "PLC1 is not simulated in this test"),
        ("tests: {t: {steps: [{at: 5 s, alarms: {tank1/LT-101: active}}]}}", "tank1/LT-101 is no alarm"),
        ("tests: {t: {steps: [{at: 5 s, alarms: {tank1/LT-101/HH: on}}]}}", "'on' is not one of normal"),
        ("tests: {t: {steps: [{at: 5 s, events: [{path: x}]}]}}", "an event has a kind"),
        ("tests: {t: {steps: [{at: 5 s, expect: {tank1/P-101/RUN: {above: 2}}}]}}", "is not a number. Leave above: out."),
        ("tests: {t: {steps: [{at: 5 s, expect: {tank1/P-101/RUN: {}}}]}}", "nothing is expected of tank1/P-101/RUN"),
        ("tests: {t: {steps: [{at: 5 s, expect: {tank1/P-101/RUN: Runing}}]}}", "did you mean 'Running'?"),
        ("tests: {t: {steps: [{at: 5 s, check: tank1/LT-101}]}}", "is not a condition (true or false)"),
        ("tests: {t: {steps: [{at: 5 s, check: [tank1/LT-101 > 2 m, tank1/LT-101 > 2 s]}]}}", "1:72: test t: s is a time and m is a length"),
        ("tests: {t: {steps: [{at: 5 s, ramp: {tank1/P-101/RUN: {to: true, over: 2 s}}}]}}", "is not a number. Use set:."),
        ("tests: {t: {steps: [{at: 5 s, bypass: {tank1/OVERFIL: 2 s}}]}}", "nothing to bypass is called 'tank1/OVERFIL'; did you mean 'tank1/OVERFILL'?"),
        ("tests: {t: {series: {tank1/LT-101: [[5 s, 2 m], [4 s, 2 m]]}}}", "4 s is before the point above"),
        ("tests: {t: {series: {tank1/LT-101: [[5, 2 m]]}}}", "a duration needs a unit"),
        ("tests: {t: {always: tank1/LT-101 >}}", "a value is missing here"),
        ("tests: {t: {invariant: tank1/LT-101 > 1 m, vary: {tank1/LIC-101/SP: }}}", "is made by control"),
        ("tests: {t: {invariant: tank1/LT-101 > 1 m, vary: {tank1/P-101/RUN: {rate: 1 m/s}}}}", "it is no measured number"),
        ("tests: {t: {invariant: tank1/LT-101 > 1 m, requests: {tank1/LT-101: }}}", "cannot be written. Leave it out."),
        ("tests: {t: {invariant: tank1/LT-101 > 1 m, search: {examples: 0}}}", "0 is below 1"),
        ("plant: {given: {tank1/LT-10: 2 m}}", "1:30: plant: unknown tag"),
        ("plant: {givn: {}}", "plant: unknown key 'givn'; did you mean 'given'?"),
        ("tests: {t: &a {}, u: *a}", "anchors and aliases"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(text: str, expected: str | None) -> None:
    found = problems(text)
    if expected is None:
        assert found == []
        return
    assert any(expected in one for one in found), found
    assert all(one.startswith("tests/t.yaml:1:") for one in found)


def test_every_problem_is_reported_at_once() -> None:
    text = "tests:\n  t:\n    given: {a/b: 1}\n    steps:\n    - {at: 1, set: {c/d: 1}}\n    - {after: 1 s, check: e/f}\n"
    assert [int(one.split(":")[1]) for one in problems(text)] == [
        5
    ]  # a step that cannot be read hides the rest of its test
    assert [int(one.split(":")[1]) for one in problems(text.replace("at: 1,", "at: 1 s,"))] == [3, 5, 6]


def test_a_test_adds_to_what_its_file_has_in_common() -> None:
    found = suite(
        "plant: {given: {tank1/LT-101: 2 m, tank1/PT-103: 1 bar}, follow: {tank1/LV-101/POS: {of: tank1/LV-101/OUT}}}\n"
        "tests: {t: {given: {tank1/LT-101: 3 m}}, i: {invariant: tank1/LT-101 > 1 m, seed: 4}}\n"
    )
    (test,), (invariant,) = found.tests, found.invariants
    assert {one.path: one.points[0].value for one in test.plant.given} == {
        "tank1/LT-101": 3.0,
        "tank1/PT-103": 1.0,
    }
    assert {one.path: one.points[0].value for one in invariant.plant.given} == {
        "tank1/LT-101": 2.0,
        "tank1/PT-103": 1.0,
    }
    assert [one.path for one in test.plant.follow] == ["tank1/LV-101/POS"]
    assert (test.plant.seed, invariant.plant.seed) == (1, 4)


yaml_like = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from(["2 m", "5 s", "tank1/LT-101", "x"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["at", "set", "expect", "tank1/LT-101", "value", "points", "within"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(sorted({*models.Test.model_fields, *models.Invariant.model_fields, "at"})),
        yaml_like,
        max_size=4,
    )
)
def test_nothing_that_is_written_raises_anything_else(data: dict[str, object]) -> None:
    for one in problems(json.dumps({"tests": {"t": data}})):
        assert one.startswith("tests/t.yaml:1:")


def test_the_committed_schema_is_up_to_date() -> None:
    text = json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
    assert (ROOT / "config/schema/tests.json").read_text() == text, (
        "run: scada schema --tests > config/schema/tests.json"
    )


def test_every_key_is_described() -> None:
    page = (ROOT / "docs/reference/plant-tests.md").read_text()
    keys = {
        *models.Test.model_fields,
        *models.Invariant.model_fields,
        *models.Step.model_fields,
        *models.Follow.model_fields,
    }
    keys |= {
        *models.Vary.model_fields,
        *models.Search.model_fields,
        *models.Expected.model_fields,
        *models.Series.model_fields,
    }
    named = {word.strip("`,:.;()[]{}") for word in page.replace("`", " ").replace("{", " ").split()}
    assert {key.rstrip("_") for key in keys} - named == set()


def test_the_example_of_the_how_to_runs_as_it_says() -> None:
    page = (ROOT / "docs/how-to/test-a-plant.md").read_text()
    blocks = [part.split("```")[0] for part in page.split("```yaml\n")[1:]]
    found = suite("".join(blocks), site())
    assert len(found.tests) == 4
    assert len(found.invariants) == 1
